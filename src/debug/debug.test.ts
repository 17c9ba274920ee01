// The door of <app>/debug before a host that starts nothing: answers, races, failures. The inspector is a
// plain HTTP server on the port that was handed out.

import { afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:http';
import { createServer as createNetServer, type AddressInfo } from 'node:net';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import type { Answer, AskedRequest, Decision } from '../wire/front-messages.ts';
import type { InspectorAddress } from '../wire/inspector-messages.ts';
import { AccessGrants } from './access-grants.ts';
import { createAppDebugger, type AppDebugger, type DebuggerHost } from './debug.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function freePort(): Promise<number> {
  const server = createNetServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

interface FakeProcess {
  kind: 'debuggee' | 'proxy';
  pid: number;
  isAlive: boolean;
  exit(stderrTail?: string): void;
}

interface Options {
  /** The debuggee's inspector never answers. */
  isDeaf?: boolean;
  /** The debuggee listens when this settles; default never. */
  listened?: Promise<void>;
  /** The debuggee ends at once with these words. */
  dyingWords?: string;
  /** The proxy serves only when this settles. */
  proxyReady?: Promise<void>;
  startError?: Error;
  /** So many debuggees find that their port was taken since it was handed out. */
  portsTaken?: number;
}

function takenWords(port: number): string {
  return `Starting inspector on 127.0.0.1:${port} failed: address already in use\n`;
}

/** A host whose processes are objects. */
class FakeHost implements DebuggerHost {
  readonly processes: FakeProcess[] = [];
  readonly starts: { port: number; breakAtStart: boolean; isAside: boolean }[] = [];
  options: Options;
  #nextPid = 100;

  constructor(options: Options = {}) {
    this.options = options;
  }

  /** Apps whose requests are led elsewhere, one entry a change. */
  readonly scopes: string[] = [];
  /** What viewers were told of ends. */
  lastWords: string[] = [];
  settings: ReturnType<DebuggerHost['settingsOf']> = {
    scope: 'everyone', start: 'restart', retries: 3, retryDelayMs: 5, masksFailures: false,
  };
  isServing = false;

  isRunning(): boolean {
    return this.isServing;
  }

  /** Sessions that may outlive the host. */
  readonly started: string[] = [];

  sessionStarted(app: string): void {
    this.started.push(app);
  }

  settingsOf(): ReturnType<DebuggerHost['settingsOf']> {
    return this.settings;
  }

  scopeChanged(app: string): void {
    this.scopes.push(app);
  }

  async startDebuggee(
    _app: string,
    { inspector: address, ...options }: { inspector: InspectorAddress; breakAtStart: boolean; isAside: boolean },
  ): ReturnType<DebuggerHost['startDebuggee']> {
    if (this.options.startError !== undefined) throw this.options.startError;
    assert(address.kind === 'port');
    const { port } = address;
    this.starts.push({ port, ...options });
    const isTaken = this.starts.length <= (this.options.portsTaken ?? 0);
    if (isTaken) this.options = { ...this.options, dyingWords: takenWords(port) };
    else if (this.options.portsTaken !== undefined) delete this.options.dyingWords;
    let inspector: Server | null = null;
    if (this.options.isDeaf !== true && this.options.dyingWords === undefined) {
      inspector = createServer((_request, response) => response.end('{"Browser":"node"}'));
      inspector.listen(port, '127.0.0.1');
      await once(inspector, 'listening');
    }
    const { process, exited, kill } = this.#make('debuggee', () => inspector?.close());
    if (this.options.dyingWords !== undefined) process.exit(this.options.dyingWords);
    const ended = exited.then((stderrTail) => ({ code: 1, signal: null, stderrTail }));
    return { pid: process.pid, exited: ended, listened: this.options.listened ?? new Promise(() => {}), kill };
  }

  async openInspector(): ReturnType<DebuggerHost['openInspector']> {
    const inspector = createServer((_request, response) => response.end('{"Browser":"node"}'));
    inspector.listen(0, '127.0.0.1');
    await once(inspector, 'listening');
    const { process, exited } = this.#make('debuggee', () => inspector.close());
    cleanups.push(() => process.exit());
    const ended = exited.then((stderrTail) => ({ code: 1, signal: null, stderrTail }));
    const { port } = inspector.address() as AddressInfo;
    const kill = (): Promise<void> => Promise.resolve();
    return { pid: process.pid, exited: ended, listened: Promise.resolve(), kill, port, others: [] };
  }

  startSessionProxy(): ReturnType<DebuggerHost['startSessionProxy']> {
    const { process, exited, kill } = this.#make('proxy', () => {});
    const ready = this.options.proxyReady ?? Promise.resolve();
    const hearLastWords = (stderr: string): void => void this.lastWords.push(stderr);
    return Promise.resolve({ pid: process.pid, ready, exited: exited.then(() => {}), hearLastWords, kill });
  }

  alive(): string[] {
    return this.processes.filter((process) => process.isAlive).map((process) => process.kind);
  }

  #make(
    kind: FakeProcess['kind'],
    onExit: () => void,
  ): { process: FakeProcess; exited: Promise<string>; kill(): Promise<void> } {
    let resolve: (stderrTail: string) => void = () => {};
    const exited = new Promise<string>((resolved) => (resolve = resolved));
    const process: FakeProcess = {
      kind,
      pid: this.#nextPid++,
      isAlive: true,
      exit(stderrTail = '') {
        process.isAlive = false;
        onExit();
        resolve(stderrTail);
      },
    };
    this.processes.push(process);
    const kill = async (): Promise<void> => {
      process.exit();
      await exited;
    };
    return { process, exited, kill };
  }
}

async function makeDebugger(
  host: FakeHost,
  range?: { start: number; end: number },
  firstStepsMs = 1,
): Promise<AppDebugger & { folder: string }> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'slip-door-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const made = createAppDebugger({
    host,
    folder,
    auth: 'link',
    auditMask: [],
    portRange: range ?? { start: port, end: port },
    firstStepsMs,
    clock: systemClock,
    log: silentLog,
  });
  // A host has servers; timers of the real clock alone keep no process alive.
  const alive = setInterval(() => {}, 60_000);
  cleanups.push(() => clearInterval(alive), () => made.stop());
  return Object.assign(made, { folder });
}

function request(target: string, more: Partial<AskedRequest> = {}): AskedRequest {
  const mark = target.indexOf('?');
  return {
    method: 'GET',
    target,
    path: mark === -1 ? target : target.slice(0, mark),
    query: mark === -1 ? '' : target.slice(mark),
    fields: ['Host', 'localhost:8080'],
    remoteAddress: '127.0.0.1',
    encrypted: false,
    local: true,
    ...more,
  };
}

function answerOf(decision: Decision): Answer {
  assert.equal(decision.kind, 'answer');
  return (decision as Decision & { kind: 'answer' }).answer;
}

function field(answer: Answer, name: string): string | undefined {
  const index = answer.fields.indexOf(name);
  return index === -1 ? undefined : answer.fields[index + 1];
}

const KILLED = 'The debugger and debugee processes have been killed.';
const NOT_RUNNING = 'The debugger for the application is not running.';

test('the door without its slash leads to the one with it, keeping the query', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host);
  for (const [target, location] of [
    ['/x/debug', '/x/debug/'],
    ['/x/debug?brk', '/x/debug/?brk'],
    ['/X/a%20b.js/Debug?kill', '/X/a%20b.js/Debug/?kill'],
    ['//evil.example/debug', '/evil.example/debug/'],
  ] as const) {
    const answer = answerOf(await made.ask('/x/', request(target)));
    assert.equal(answer.status, 301);
    assert.equal(field(answer, 'Location'), location);
  }
  assert.equal(host.processes.length, 0);
});

test('others than people at this machine are refused, and nothing starts', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host);
  const cases: Partial<AskedRequest>[] = [
    { local: false },
    { fields: ['Sec-Fetch-Site', 'cross-site', 'Sec-Fetch-Mode', 'no-cors', 'Sec-Fetch-Dest', 'image'] },
    { fields: ['Sec-Fetch-Site', 'same-site', 'Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'iframe'] },
    { fields: ['Sec-Fetch-Site', 'cross-site', 'Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document'] },
    // Script on the app's own pages.
    { fields: ['Sec-Fetch-Site', 'same-origin', 'Sec-Fetch-Mode', 'cors', 'Sec-Fetch-Dest', 'empty'] },
    { fields: ['Sec-Fetch-Site', 'same-origin', 'Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document'] },
    { fields: ['Sec-Fetch-Site', 'same-origin', 'Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'iframe'] },
  ];
  for (const more of cases) {
    const answer = answerOf(await made.ask('/x/', request('/x/debug/', more)));
    assert.equal(answer.status, 403);
    assert.match(answer.body, /DEBUGGER_FORBIDDEN[\s\S]*ssh -L/);
  }
  assert.equal(host.processes.length, 0);
  const followed = ['Sec-Fetch-Site', 'cross-site', 'Sec-Fetch-Mode', 'navigate'];
  followed.push('Sec-Fetch-Dest', 'document', 'Sec-Fetch-User', '?1');
  const decision = await made.ask('/x/', request('/x/debug/', { fields: followed }));
  assert.deepEqual(decision, { kind: 'pass' });
});

test('only GET and HEAD open the door', async () => {
  const made = await makeDebugger(new FakeHost());
  const answer = answerOf(await made.ask('/x/', request('/x/debug/', { method: 'POST' })));
  assert.equal(answer.status, 405);
  assert.equal(field(answer, 'Allow'), 'GET, HEAD');
});

test('a bare word that is no command is told so, queries of the UI pass', async () => {
  const made = await makeDebugger(new FakeHost());
  const answer = answerOf(await made.ask('/x/', request('/x/debug/?bogus')));
  assert.equal(answer.status, 400);
  assert.equal(
    answer.body.trim(),
    'Unrecognized debugging command. Supported commands are ?debug (default), ?brk, and ?kill.',
  );
  for (const query of ['', '?', '?debug', '?DEBUG', '?panel=sources', '?a&b', '?BRK']) {
    assert.deepEqual(await made.ask('/x/', request(`/x/debug/${query}`)), { kind: 'pass' });
  }
});

test('the first opener starts debuggee and proxy, later ones attach', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host);
  assert.deepEqual(made.status('/x/'), { state: 'idle' });
  const asked = [made.ask('/x/', request('/x/debug/?brk')), made.ask('/x/', request('/x/debug/'))];
  assert.equal(made.isDebugging('/x/'), true);
  assert.equal(made.status('/x/').state, 'starting');
  assert.deepEqual(await Promise.all(asked), [{ kind: 'pass' }, { kind: 'pass' }]);
  assert.deepEqual(await made.ask('/x/', request('/x/debug/')), { kind: 'pass' });
  assert.equal(host.starts.length, 1);
  assert.equal(host.starts[0]!.breakAtStart, true);
  assert.deepEqual(made.status('/x/'), { state: 'debug', scope: 'everyone', port: host.starts[0]!.port, pid: 100 });
  assert.equal(made.isDebugging('/other/'), false);
});

test('a debuggee whose port was taken meanwhile is started again on another one', async () => {
  const host = new FakeHost({ portsTaken: 2 });
  const start = await freePort();
  const made = await makeDebugger(host, { start, end: start + 9 });
  assert.deepEqual(await made.ask('/x/', request('/x/debug/?brk')), { kind: 'pass' });
  const { port } = made.status('/x/');
  assert.equal(new Set(host.starts.map((each) => each.port)).size, 3);
  assert.equal(host.starts[2]!.port, port);
  assert.ok(host.starts.every((each) => each.breakAtStart));
  assert.deepEqual(host.alive(), ['debuggee', 'proxy']);
});

test('a debuggee whose ports are taken again and again is given up with the reason', async () => {
  const host = new FakeHost({ portsTaken: 1000 });
  const start = await freePort();
  const made = await makeDebugger(host, { start, end: start + 99 });
  const page = answerOf(await made.ask('/x/', request('/x/debug/')));
  assert.equal(page.status, 500);
  assert.match(page.body, /address already in use/);
  assert.equal(host.starts.length, 10);
  assert.deepEqual(host.alive(), []);
});

test('scope mine sets the debuggee apart, and gives its cookie to each opener until it ends', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host);
  assert.deepEqual(await made.ask('/x/', request('/x/debug/?everyone')), { kind: 'pass' });
  assert.equal(made.secretOf('/x/'), null);
  await made.ask('/x/', request('/x/debug/?kill'));
  host.settings = { ...host.settings, scope: 'mine', start: 'live' };
  const cookies = [];
  for (const query of ['?brk', '?everyone', '']) {
    const decision = await made.ask('/x/', request(`/x/debug/${query}`, { encrypted: true }));
    assert.equal(decision.kind, 'pass');
    cookies.push((decision as Decision & { kind: 'pass' }).fields![1]!);
  }
  const secret = made.secretOf('/x/')!;
  assert.equal(new Set(cookies).size, 1);
  assert.equal(cookies[0], `slipstream.debug=${secret}; Path=/x/; HttpOnly; SameSite=Lax; Secure`);
  const starts = host.starts.map(({ breakAtStart, isAside }) => [breakAtStart, isAside]);
  assert.deepEqual(starts, [[false, false], [true, true]]);
  made.changed('/x/');
  assert.equal(made.secretOf('/x/'), secret, 'the same while it is started again');
  await made.ask('/x/', request('/x/debug/'));
  assert.equal(made.secretOf('/x/'), secret);
  await made.ask('/x/', request('/x/debug/?kill'));
  assert.equal(made.secretOf('/x/'), null);
  await made.ask('/x/', request('/x/debug/?mine'));
  assert.notEqual(made.secretOf('/x/'), secret, 'another one for another session');
  assert.equal(host.scopes.length, 5, 'with each start and each end');
});

test('start live attaches where a process runs, unless the query says otherwise', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host);
  host.settings = { ...host.settings, scope: 'everyone', start: 'live' };
  const startedBy = async (query: string): Promise<string> => {
    const before = host.starts.length;
    assert.equal((await made.ask('/x/', request(`/x/debug/${query}`))).kind, 'pass');
    const kind = host.starts.length > before ? 'restart' : 'live';
    await made.ask('/x/', request('/x/debug/?kill'));
    return kind;
  };
  assert.equal(await startedBy(''), 'restart');
  host.isServing = true;
  for (const [query, kind] of [
    ['', 'live'], ['?debug', 'live'], ['?panel=sources', 'live'], ['?restart', 'restart'], ['?brk', 'restart'],
    ['?mine', 'restart'], ['?mine&brk', 'restart'], ['?live', 'live'],
  ]) {
    assert.equal(await startedBy(query!), kind, query);
  }
  host.settings = { ...host.settings, scope: 'everyone', start: 'restart' };
  assert.equal(await startedBy('?live=100'), 'live');
});

test('kill ends both and says so; without a debugger it says that', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host);
  const before = answerOf(await made.ask('/x/', request('/x/debug/?kill')));
  assert.deepEqual([before.status, before.body], [200, NOT_RUNNING]);
  await made.ask('/x/', request('/x/debug/'));
  const answers = await Promise.all([
    made.ask('/x/', request('/x/debug/?kill')),
    made.ask('/x/', request('/x/debug/?KILL')),
  ]);
  for (const decision of answers) {
    const answer = answerOf(decision);
    assert.deepEqual([answer.status, answer.body], [200, KILLED]);
    assert.equal(field(answer, 'Cache-Control'), 'no-cache');
    assert.match(field(answer, 'Content-Type')!, /^text\/html/);
  }
  assert.deepEqual(host.alive(), []);
  assert.equal(made.isDebugging('/x/'), false);
  assert.deepEqual(await made.ask('/x/', request('/x/debug/')), { kind: 'pass' });
  assert.equal(host.starts.length, 2);
});

test('kill during the start ends it, and the one who waited gets a page', async () => {
  const host = new FakeHost({ proxyReady: new Promise(() => {}) });
  const made = await makeDebugger(host);
  const opened = made.ask('/x/', request('/x/debug/'));
  const killed = made.ask('/x/', request('/x/debug/?kill'));
  const reopened = made.ask('/x/', request('/x/debug/'));
  assert.equal(answerOf(await killed).body, KILLED);
  const page = answerOf(await opened);
  assert.equal(page.status, 500);
  assert.match(page.body, /killed while it started/);
  host.options = {};
  await made.ask('/x/', request('/x/debug/?kill'));
  assert.equal((await reopened).kind, 'answer');
  assert.deepEqual(host.alive(), []);
});

test('a navigation while the old debuggee ends starts a new one', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host);
  await made.ask('/x/', request('/x/debug/'));
  const killed = made.ask('/x/', request('/x/debug/?kill'));
  const reopened = made.ask('/x/', request('/x/debug/?brk'));
  assert.equal(answerOf(await killed).body, KILLED);
  assert.deepEqual(await reopened, { kind: 'pass' });
  assert.equal(host.starts[1]!.breakAtStart, true);
  assert.deepEqual(host.alive(), ['debuggee', 'proxy']);
});

test('a pair of a host before is gone on with: attached to, killed, and ended when one of the two ends', async () => {
  for (const end of ['kill', 'exit'] as const) {
    const host = new FakeHost();
    const made = await makeDebugger(host);
    const debuggee = await host.startDebuggee('/x/', {
      inspector: { kind: 'port', port: await freePort() }, breakAtStart: true, isAside: true,
    });
    const proxy = await host.startSessionProxy();
    const inspector = { kind: 'port', port: 5058 } as const;
    const terms = { inspector, breakAtStart: true, scope: 'mine', secret: 'abc' } as const;
    made.adopt('/x/', { debuggee, proxy, terms });
    assert.deepEqual(made.status('/x/'), { state: 'debug', scope: 'mine', port: 5058, pid: debuggee.pid });
    assert.equal(made.secretOf('/x/'), 'abc');
    const opened = await made.ask('/x/', request('/x/debug/'));
    assert.equal(opened.kind, 'pass');
    assert.match(JSON.stringify(opened), /slipstream\.debug=abc/);
    if (end === 'kill') assert.equal(answerOf(await made.ask('/x/', request('/x/debug/?kill'))).body, KILLED);
    else host.processes[0]!.exit();
    await proxy.exited;
    assert.deepEqual(host.alive(), []);
  }
});

test('when one of the two ends, the other is ended and the next opener starts afresh', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host);
  for (const kind of ['debuggee', 'proxy']) {
    await made.ask('/x/', request('/x/debug/'));
    const { processes } = host;
    processes.findLast((process) => process.kind === kind)!.exit(`last words of the ${kind}`);
    // A kill that comes meanwhile waits for the end.
    await new Promise((resolve) => setImmediate(resolve));
    await made.ask('/x/', request('/x/debug/?kill'));
    assert.deepEqual(host.alive(), []);
  }
  assert.equal(host.starts.length, 2);
  assert.deepEqual(host.lastWords, ['last words of the debuggee'], 'who was killed has none');
});

test('a debuggee that ends at its start is explained, escaped, and as JSON when asked', async () => {
  const host = new FakeHost({ dyingWords: 'Error: <b>bad</b>\nWaiting for the debugger to disconnect...\n' });
  const made = await makeDebugger(host);
  const page = answerOf(await made.ask('/x/', request('/x/debug/')));
  assert.equal(page.status, 500);
  assert.match(page.body, /APP_EXITED/);
  assert.match(page.body, /exit code 1/);
  assert.match(page.body, /Error: &lt;b&gt;bad&lt;\/b&gt;/);
  assert.doesNotMatch(page.body, /Waiting for the debugger/);
  const fields = ['Accept', 'application/json'];
  const json = answerOf(await made.ask('/x/', request('/x/debug/', { fields })));
  assert.equal(JSON.parse(json.body).code, 'APP_EXITED');
  assert.equal(JSON.parse(json.body).stderr, 'Error: <b>bad</b>\n');
  assert.deepEqual(host.alive(), []);
});

test('a debuggee that ends in its first steps is explained, though its debugger was there', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host, undefined, 60_000);
  const asked = made.ask('/x/', request('/x/debug/'));
  while (!host.processes.some(({ kind }) => kind === 'proxy')) await new Promise((resolve) => setImmediate(resolve));
  host.processes.find(({ kind }) => kind === 'debuggee')!.exit();
  const page = answerOf(await asked);
  assert.equal(page.status, 500);
  assert.match(page.body, /APP_EXITED/);
  assert.deepEqual(host.alive(), []);
});

test('the page of a program that listens does not wait to see whether it fails', async () => {
  let listens!: () => void;
  const listened = new Promise<void>((resolve) => (listens = resolve));
  const host = new FakeHost({ listened });
  const made = await makeDebugger(host, undefined, 86_400_000);
  const asked = made.ask('/x/', request('/x/debug/'));
  while (!host.processes.some(({ kind }) => kind === 'proxy')) await new Promise((resolve) => setImmediate(resolve));
  listens();
  assert.equal((await asked).kind, 'pass');
});

test('an inspector that does not answer is given up, and the debuggee is ended', async () => {
  const host = new FakeHost({ isDeaf: true });
  const made = await makeDebugger(host);
  const page = answerOf(await made.ask('/x/', request('/x/debug/')));
  assert.equal(page.status, 500);
  assert.match(page.body, /DEBUGGEE_UNREACHABLE/);
  assert.match(page.body, /after 3 tries, 5 ms apart \(debuggerRetries, debuggerRetryDelayMs\)/);
  await made.ask('/x/', request('/x/debug/?kill'));
  assert.deepEqual(host.alive(), []);
});

test('no free port is a page of its own', async () => {
  const taken = createNetServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  cleanups.push(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const made = await makeDebugger(new FakeHost(), { start: port, end: port });
  const page = answerOf(await made.ask('/x/', request('/x/debug/')));
  assert.equal(page.status, 503);
  assert.match(page.body, /DEBUGGER_PORTS_EXHAUSTED/);
});

test('two apps are debugged at once, on two ports', async () => {
  const host = new FakeHost();
  const start = await freePort();
  const made = await makeDebugger(host, { start, end: start + 20 });
  await Promise.all([made.ask('/x/', request('/x/debug/')), made.ask('/y/', request('/y/debug/'))]);
  assert.notEqual(made.status('/x/').port, made.status('/y/').port);
  await made.ask('/x/', request('/x/debug/?kill'));
  assert.equal(made.isDebugging('/y/'), true);
});

test('a session proxy that cannot attach is explained', async () => {
  const proxyReady = Promise.reject<void>(new Error('no session proxy today'));
  proxyReady.catch(() => {});
  const host = new FakeHost({ proxyReady });
  const made = await makeDebugger(host);
  const page = answerOf(await made.ask('/x/', request('/x/debug/')));
  assert.match(page.body, /no session proxy today/);
  const failing = new FakeHost({ startError: new Error('no such folder') });
  const other = await makeDebugger(failing);
  assert.match(answerOf(await other.ask('/x/', request('/x/debug/'))).body, /no such folder/);
});

test('stop ends everything, and nothing starts afterwards', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host);
  await made.ask('/x/', request('/x/debug/'));
  await made.stop();
  assert.deepEqual(host.alive(), []);
  for (const app of ['/x/', '/new/']) {
    const page = answerOf(await made.ask(app, request(`${app}debug/`)));
    assert.equal(page.status, 503);
    assert.match(page.body, /APP_STOPPED/);
  }
  assert.equal(host.starts.length, 1);
});

const OPENED = ['Sec-Fetch-Site', 'none', 'Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document'];

test('a one-time link becomes a session that starts and ends a debugger from elsewhere', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host);
  const grants = new AccessGrants(made.folder);
  const link = grants.createLink('/x/', 'full');
  const far = { local: false, remoteAddress: '203.0.113.9', encrypted: true };
  const opened = answerOf(await made.ask('/x/', request(`/x/debug/?link=${link}`, { ...far, fields: OPENED })));
  assert.equal(opened.status, 303);
  assert.equal(field(opened, 'Location'), '/x/debug/');
  const cookie = field(opened, 'Set-Cookie')!;
  assert.match(cookie, /^slipstream-debug=[\w-]{32}; Path=\/x\/debug\/; HttpOnly; SameSite=Lax; Secure$/);
  const again = answerOf(await made.ask('/x/', request(`/x/debug/?link=${link}`, { ...far, fields: OPENED })));
  assert.equal(again.status, 403);

  const fields = [...OPENED, 'Cookie', cookie.split(';')[0]!];
  assert.deepEqual(await made.ask('/x/', request('/x/debug/', { ...far, fields })), { kind: 'pass' });
  assert.equal(answerOf(await made.ask('/y/', request('/y/debug/', { ...far, fields }))).status, 403);
  assert.equal(answerOf(await made.ask('/x/', request('/x/debug/?kill', { ...far, fields }))).body, KILLED);
  assert.equal(grants.revoke('/x/'), 1);
  assert.equal(answerOf(await made.ask('/x/', request('/x/debug/', { ...far, fields }))).status, 403);

  const audit = readFileSync(join(made.folder, 'audit.jsonl'), 'utf8').trimEnd().split('\n');
  const entries = audit.map((line) => JSON.parse(line) as { event: string; from: string });
  assert.deepEqual(
    entries.map(({ event }) => event),
    ['signed-in', 'refused', 'opened', 'refused', 'killed', 'refused'],
  );
  assert.ok(entries.every(({ from }) => from === '203.0.113.9'));
});

test('a lesser role neither starts nor ends a debugger, and script leads nobody to one', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host);
  const grants = new AccessGrants(made.folder);
  const { secret } = grants.redeemLink('/x/', grants.createLink('/x/', 'observe'))!;
  const fields = [...OPENED, 'Cookie', `slipstream-debug=${secret}`];
  const far = { local: false, fields };
  assert.match(answerOf(await made.ask('/x/', request('/x/debug/', far))).body, /role "observe"/);
  assert.equal(host.processes.length, 0);
  assert.deepEqual(await made.ask('/x/', request('/x/debug/')), { kind: 'pass' });
  assert.deepEqual(await made.ask('/x/', request('/x/debug/', far)), { kind: 'pass' });
  assert.equal(answerOf(await made.ask('/x/', request('/x/debug/?kill', far))).status, 403);
  // The page loads itself again: a navigation that nobody clicked, to what runs already.
  const reloaded = ['Sec-Fetch-Site', 'cross-site', 'Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document'];
  assert.deepEqual(await made.ask('/x/', request('/x/debug/', { fields: reloaded })), { kind: 'pass' });
  assert.equal(answerOf(await made.ask('/x/', request('/x/debug/?kill', { fields: reloaded }))).status, 403);
});

test('?live attaches to a process that runs, and ?kill leaves it running', async () => {
  const host = new FakeHost();
  const made = await makeDebugger(host);
  assert.deepEqual(await made.ask('/x/', request('/x/debug/?live')), { kind: 'pass' });
  assert.deepEqual(host.starts, [], 'nothing was started');
  assert.equal(answerOf(await made.ask('/x/', request('/x/debug/?kill'))).body, KILLED);
  assert.deepEqual(host.alive(), ['debuggee']);
  assert.deepEqual(await made.ask('/x/', request('/x/debug/?live=77')), { kind: 'pass' });
});
