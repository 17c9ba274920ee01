// The debugger: a command over long polling and over a direct WebSocket, how long a person waits for the page,
// a large heap snapshot through the session proxy, and what debug mode costs the app's requests.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { findChromium } from '../scripts/browsers.ts';
import { DevtoolsPage, launchChromium } from '../test/devtools-page.ts';
import { startHost, type RunningHost } from '../test/host-fixture.ts';
import { get } from '../test/http-client.ts';
import { systemClock } from '../src/base/clock.ts';
import { PollClient, signIn } from '../src/debug/poll-client.ts';
import { answered, cpuUs, ended, freePort } from './contender.ts';
import { HELLO } from './hello.ts';
import { load } from './load.ts';
import { interleave, judgementTable, median, say, type Benchmark, type Judgement } from './measure.ts';

const COMMANDS = 300;
const CONNECTIONS = 64;
const OPENINGS = 3;
/** Makes a snapshot of about 500 MB. */
const OBJECTS = 2_300_000;
const LARGE = `
globalThis.kept = Array.from({ length: ${OBJECTS} }, (_, index) => ({ index, next: [index] }));
${HELLO}`;

type Message = Record<string, unknown>;

/** One client of an inspector: commands, each with its answer. */
class Commander {
  /** Characters of heap snapshots that came. */
  snapshotLength = 0;
  /** The flat session that commands go to. */
  session: string | undefined;
  send: (text: string) => void = () => {};
  close: () => Promise<void> | void = () => {};
  #waiting = new Map<unknown, (message: Message) => void>();
  #last = 0;
  #attached: (session: string) => void = () => {};

  hear(message: Message): void {
    const params = (message['params'] ?? {}) as Message;
    if (typeof params['chunk'] === 'string') this.snapshotLength += params['chunk'].length;
    if (message['method'] === 'Target.attachedToTarget') this.#attached(String(params['sessionId']));
    const answered = this.#waiting.get(message['id']);
    this.#waiting.delete(message['id']);
    answered?.(message);
  }

  async perform(method: string, params: Message = {}): Promise<void> {
    const id = ++this.#last;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    const { session } = this;
    this.send(JSON.stringify({ id, method, params, ...(session !== undefined && { sessionId: session }) }));
    const { error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
  }

  /** From the app to its process. */
  async enter(): Promise<void> {
    const attached = new Promise<string>((resolve) => (this.#attached = resolve));
    await this.perform('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: true });
    this.session = await attached;
  }
}

/** Opens the debugger of an app as a program does, over long polling. */
async function polling(host: RunningHost, app: string): Promise<Commander> {
  const opened = await get(`${host.url}${app}/debug/`);
  if (opened.status !== 200) throw new Error(`the debugger answered with ${opened.status}`);
  const base = new URL(`${host.url}${app}/debug/cdp/`);
  const { key } = await signIn(base, {});
  const commander = new Commander();
  const client = new PollClient({
    base,
    key,
    clock: systemClock,
    onMessage: (message) => commander.hear(message),
    onRenewed: () => say('the viewer was opened anew'),
    onEnd: (reason) => say(`the viewer ended: ${reason}`),
  });
  await client.open();
  commander.send = (text) => client.send(text);
  commander.close = () => client.close();
  await commander.enter();
  return commander;
}

/** `node --inspect` and its WebSocket, with nothing in between. */
async function direct(folder: string): Promise<Commander> {
  const file = join(folder, 'server.js');
  writeFileSync(file, HELLO);
  const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', file], {
    env: { ...process.env, PORT: String(await freePort()) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  while (!/ws:\S+\n/.test(said)) said += String(((await once(child.stderr, 'data')) as [Buffer])[0]);
  child.stderr.resume();
  const socket = new WebSocket(/ws:\S+/.exec(said)![0]);
  const commander = new Commander();
  socket.on('message', (data: Buffer) => commander.hear(JSON.parse(data.toString()) as Message));
  commander.send = (text) => socket.send(text);
  commander.close = () => ended(child, 'SIGKILL');
  await once(socket, 'open');
  return commander;
}

/** p50 of a command and its answer, in ms. */
async function commandMs(commander: Commander): Promise<number> {
  const values: number[] = [];
  for (let count = 0; count < COMMANDS; count++) {
    const startMs = performance.now();
    await commander.perform('Runtime.evaluate', { expression: '6 * 7' });
    values.push(performance.now() - startMs);
  }
  return median(values);
}

async function commands(host: RunningHost, rounds: number): Promise<Judgement[]> {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-bench-'));
  const near = await direct(folder);
  try {
    const far = await polling(host, 'hello');
    for (const commander of [far, near]) await commandMs(commander);
    const results = await interleave([far, near], rounds, commandMs);
    const [farMs, nearMs] = [median(results.get(far)!), median(results.get(near)!)];
    await far.close();
    return [
      { what: 'a command over a direct WebSocket, p50', value: nearMs, unit: ' ms' },
      { what: 'more over long polling, p50', value: farMs - nearMs, atMost: 3, unit: ' ms' },
    ];
  } finally {
    await near.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Idle apps, each opened in a fresh profile. */
async function firstLoads(host: RunningHost): Promise<Judgement[]> {
  if (findChromium() === undefined) return [];
  const browser = await launchChromium();
  try {
    const values: number[] = [];
    for (let index = 0; index < OPENINGS; index++) {
      const context = await browser.newContext();
      const devtools = new DevtoolsPage(await context.newPage());
      const startMs = performance.now();
      await devtools.open(`${host.url}idle-${index}/debug/`);
      values.push((performance.now() - startMs) / 1000);
      say(`Sources shown after ${values.at(-1)!.toFixed(2)} s`);
      await context.close();
    }
    return [{ what: 'first load of an idle app until Sources is shown', value: median(values), atMost: 3, unit: ' s' }];
  } finally {
    await browser.close();
  }
}

/** Largest resident memory of a process so far, in MB. */
function peakMb(pid: number): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return (Number(match?.[1] ?? 0) * 1024) / 1_000_000;
}

async function snapshot(): Promise<Judgement[]> {
  const host = await startHost({ files: { 'large/server.js': LARGE } });
  try {
    const commander = await polling(host, 'large');
    // A command may come in the middle of the program's first lines: the app answers when all is there.
    await answered(`${host.url}large/`);
    const relay = host.processes().find(({ role }) => role === 'session')!.pid;
    const [beforeMb, beforeUs, startMs] = [peakMb(relay), cpuUs([relay]), performance.now()];
    await commander.perform('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
    const seconds = (performance.now() - startMs) / 1000;
    const values: Judgement[] = [
      { what: 'heap snapshot', value: commander.snapshotLength / 1e6, unit: ' MB' },
      { what: 'until it has come', value: seconds, unit: ' s' },
      { what: 'CPU of the session proxy for it', value: (cpuUs([relay]) - beforeUs) / 1e6, unit: ' s' },
      { what: 'session proxy, more memory at its peak', value: peakMb(relay) - beforeMb, atMost: 150, unit: ' MB' },
    ];
    await commander.close();
    return values;
  } finally {
    await host.stop();
  }
}

/** Requests/s of an app in debug mode without breakpoints, against the same app. */
async function requestsInDebugMode(host: RunningHost, rounds: number, seconds: number): Promise<Judgement[]> {
  const viewer = await polling(host, 'hello');
  const urls = [`${host.url}hello/`, `${host.url}plain/`] as const;
  for (const url of urls) await load(url, { connections: CONNECTIONS, seconds: 2 });
  const results = await interleave(urls, rounds, async (url) => {
    const report = await load(url, { connections: CONNECTIONS, seconds });
    return report.requests / report.seconds;
  });
  await viewer.close();
  const [debugged, plain] = urls.map((url) => results.get(url)!);
  const value = median(debugged!.map((rate, index) => rate / plain![index]!));
  return [{ what: 'requests/s in debug mode ÷ without', value, atLeast: 0.9 }];
}

/** The budgets of the debugger. */
export const benchDebug: Benchmark = async ({ rounds, seconds }) => {
  const names = ['hello', 'plain', ...Array.from({ length: OPENINGS }, (_, index) => `idle-${index}`)];
  const files = Object.fromEntries(names.map((name) => [`${name}/server.js`, HELLO]));
  const judgements: Judgement[] = [];
  const host = await startHost({ files });
  try {
    judgements.push(...(await firstLoads(host)));
    judgements.push(...(await commands(host, rounds)));
    judgements.push(...(await requestsInDebugMode(host, rounds, seconds)));
  } finally {
    await host.stop();
  }
  judgements.push(...(await snapshot()));
  return judgementTable(judgements);
};
