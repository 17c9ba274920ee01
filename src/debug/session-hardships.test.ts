// What viewers and networks do to a session: hours away, lines that die without a word, connections without end.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { HandClock } from '../base/clock.ts';
import { VIEWER_AWAY_MS, type CdpMessage } from '../wire/poll-messages.ts';
import type { SessionReport } from '../wire/session-messages.ts';
import {
  ask,
  BASE,
  cleanups,
  frameValue,
  mainSession,
  output,
  scene,
  WORK_LINE,
  withLoop,
  type Json,
  type Page,
} from './session-proxy.test.support.ts';

const HOURS_MS = 3_600_000;
/** Connections that come and go. */
const RECONNECTS = 10_000;

/** Says what it does, a line at a time, whenever a line comes in on stdin. */
const TALKER = `
let count = 0;
function work(text) {
  const answer = text.trim() + ' ' + (count += 1);
  console.log(answer);
}
process.stdin.on('data', (text) => work(String(text)));
`;

function loggedBy(page: Page): string[] {
  return page.events('Runtime.consoleAPICalled').map((event: Json) => String(event.args[0].value));
}

/** The program is told something, and has printed it. */
async function said(child: ChildProcess, word: string): Promise<void> {
  const printed = output(child);
  child.stdin!.write(word);
  await printed;
}

test('eight hours away and back: the same stop, breakpoints that count on, and all of the console, once', async () => {
  const clock = new HandClock();
  const reports: SessionReport[] = [];
  let told = (): void => {};
  const onReport = (report: SessionReport): void => {
    reports.push(report);
    told();
  };
  const { page, url, child, origin } = await scene(TALKER, { clock, onReport });
  const before = await page();
  // V8 has no hit counts: conditions count, as those of DevTools do.
  const condition = '(globalThis.passes = (globalThis.passes ?? 0) + 1) % 3 === 0';
  const { breakpointId } = await before.call('Debugger.setBreakpointByUrl', { url, lineNumber: 4, condition });
  before.vanish();
  await before.until(() => before.farewell).catch(() => {});
  clock.advance(VIEWER_AWAY_MS);

  for (const word of ['one', 'two']) await said(child, word);
  child.stdin!.write('three');
  while (reports.at(-1)?.pauses.length !== 1) await new Promise<void>((resolve) => (told = resolve));
  clock.advance(8 * HOURS_MS);

  const gone = await ask(origin, `${before.path}poll?ack=${before.ack}`);
  assert.match(gone.body, /VIEWER_UNKNOWN.*has not polled/);
  const after = await page();
  const pause = await after.event('Debugger.paused');
  assert.deepEqual(pause.hitBreakpoints, [breakpointId]);
  assert.equal(pause.callFrames[0].location.lineNumber, 4);
  assert.equal(await frameValue(after, pause, 'answer + globalThis.passes'), 'three 33');
  assert.deepEqual(loggedBy(after), ['one 1', 'two 2']);
  const third = output(child);
  await after.call('Debugger.resume');
  assert.equal(await third, 'three 3\n');
  for (const word of ['four', 'five']) await said(child, word);
  child.stdin!.write('six');
  await after.until(() => after.events('Debugger.paused').length === 2);
  assert.deepEqual(loggedBy(after).slice(0, 3), ['one 1', 'two 2', 'three 3']);
  assert.equal(await frameValue(after, after.events('Debugger.paused')[1], 'globalThis.passes'), 6);
});

/** A relay whose connections can fall silent without an end, as behind a router that forgot them. */
class Relay {
  #server = createServer((near) => this.#carry(near));
  #port: number;
  #pairs = new Set<Socket>();

  constructor(origin: string) {
    this.#port = Number(new URL(origin).port);
    cleanups.push(() => {
      this.#server.close();
      this.cut();
    });
  }

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Nothing passes on the connections of now any more, and neither end hears of it. */
  mute(): void {
    for (const socket of this.#pairs) socket.removeAllListeners('data').resume();
  }

  cut(): void {
    for (const socket of this.#pairs) socket.destroy();
  }

  #carry(near: Socket): void {
    const far = connect(this.#port, '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]] as const) {
      this.#pairs.add(from);
      from.on('error', () => from.destroy());
      from.on('data', (chunk) => to.write(chunk));
    }
  }
}

test('a line that dies without a word costs nothing: what it swallowed comes again, and is done once', async () => {
  const { page, origin, url, child } = await withLoop();
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  viewer.vanish();
  await viewer.until(() => viewer.farewell).catch(() => {});
  const relay = new Relay(origin);
  const through = await relay.open();
  const { ack, path, next } = viewer;
  const held = ask(through, `${path}poll?ack=${ack}`).catch(() => null);
  // An answer on the same way in shows that the poll, sent before, has arrived.
  assert.equal((await ask(through, `${path}send?n=${next}`, { method: 'POST', body: '[]' })).status, 204);
  relay.mute();
  child.stdin!.write('one');

  const caught: CdpMessage[] = [];
  while (!caught.some(({ method }) => method === 'Debugger.paused')) {
    const again = await ask(through, `${path}poll?ack=${ack + caught.length}`);
    caught.push(...(JSON.parse(again.body) as CdpMessage[]));
  }
  const sessionId = mainSession(viewer.messages);
  const expression = 'globalThis.times = (globalThis.times ?? 0) + 1';
  const evaluate = { id: 9001, sessionId, method: 'Runtime.evaluate', params: { expression } };
  const body = JSON.stringify([evaluate]);
  const first = ask(through, `${path}send?n=${next}`, { method: 'POST', body });
  const isThere = (): boolean => caught.some(({ id }) => id === evaluate.id);
  while (!isThere()) {
    const more = await ask(through, `${path}poll?ack=${ack + caught.length}`);
    caught.push(...(JSON.parse(more.body) as CdpMessage[]));
  }
  assert.equal((await first).status, 204);
  assert.equal((await ask(through, `${path}send?n=${next}`, { method: 'POST', body })).status, 204);
  const answer = caught.find(({ id }) => id === evaluate.id) as Json;
  assert.equal(answer.result.result.value, 1);
  const later = await page();
  assert.equal((await later.call('Runtime.evaluate', { expression: 'times' })).result.value, 1);
  assert.equal(caught.filter(({ method }) => method === 'Debugger.paused').length, 1);
  relay.cut();
  assert.equal(await held, null);
});

/** One connection that polls and is reset, while the poll is held or when an answer comes. */
async function reconnect(origin: string, path: string, isHeld: boolean): Promise<void> {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1');
  socket.on('error', () => socket.destroy());
  const closed = once(socket, 'close');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`, () => isHeld && socket.resetAndDestroy());
  if (!isHeld) socket.once('data', () => socket.resetAndDestroy());
  await closed;
}

for (const isStanding of [false, true]) {
  const how = isStanding ? 'that stands' : 'that runs';
  test(`the end of a program ${how} answers the polls of all viewers itself, no time need pass`, async () => {
    const clock = new HandClock();
    const { page, url, child, proxy } = await scene(TALKER, { clock, lastWordsWaitMs: 600 });
    const pages = [await page(), await page()];
    if (isStanding) {
      await pages[0]!.call('Debugger.setBreakpointByUrl', { url, lineNumber: 4 });
      child.stdin!.write('one');
      for (const viewer of pages) await viewer.event('Debugger.paused');
    }
    child.kill('SIGKILL');
    await once(child, 'exit');
    proxy.hearLastWords('Error: out of cheese\n');
    for (const viewer of pages) {
      const { stderr } = await viewer.event('Inspector.detached');
      assert.equal(stderr, 'Error: out of cheese\n');
      await viewer.until(() => viewer.farewell);
    }
    await proxy.told;
    assert.equal(clock.now(), 0);
  });
}

test('a host that says nothing of the end of a program holds it up for so long and no longer', async () => {
  const clock = new HandClock();
  const { page, child, proxy, origin } = await scene(TALKER, { clock, lastWordsWaitMs: 600 });
  const viewer = await page();
  child.kill('SIGKILL');
  await once(child, 'exit');
  // The proxy has heard of it when nobody is let in any more.
  while ((await ask(origin, `${BASE}cdp/alive`)).status !== 410);
  clock.advance(600);
  await viewer.event('Inspector.detached');
  await proxy.told;
});

function openFiles(): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0;
}

test(`${RECONNECTS} reconnects leave nothing behind`, async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const clock = new HandClock();
  const { page, origin } = await scene(TALKER, { clock });
  const viewer = await page();
  viewer.vanish();
  await viewer.until(() => viewer.farewell).catch(() => {});
  const round = async (count: number): Promise<[number, number]> => {
    for (let index = 0; index < count; index++) {
      const isHeld = index % 2 === 0;
      await reconnect(origin, `${viewer.path}poll?ack=${isHeld ? viewer.ack : viewer.ack - 1}`, isHeld);
      if (index % 100 !== 0) continue;
      // A page that comes and is gone without a word.
      const passing = await page();
      passing.vanish();
      await passing.until(() => passing.farewell).catch(() => {});
      // What the test keeps of it is no growth of the session.
      passing.messages.length = 0;
      clock.advance(VIEWER_AWAY_MS / 2);
    }
    await ask(origin, `${viewer.path}poll?ack=0`);
    collect();
    return [process.memoryUsage().heapUsed, openFiles()];
  };
  const [heapBefore, filesBefore] = await round(Math.ceil(RECONNECTS / 3));
  const [heapAfter, filesAfter] = await round(RECONNECTS);
  assert.ok(heapAfter - heapBefore < 4_000_000, `heap ${heapBefore} -> ${heapAfter}`);
  assert.ok(filesAfter <= filesBefore + 5, `open files ${filesBefore} -> ${filesAfter}`);
});
