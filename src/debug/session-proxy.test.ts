// A session proxy before real programs: every test starts a node process with its inspector open and speaks
// to the proxy as a page does, over HTTP on a loopback port.

import { afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { systemClock, type Clock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { KEY_FIELD, type CdpMessage, type Opened, type PageData, type SignedIn } from '../wire/poll-messages.ts';
import { AccessGrants } from './access-grants.ts';
import { createSessionProxy, type SessionProxy, type SessionProxyOptions } from './session-proxy.ts';

const BASE = '/shop/debug/';
const PAGE = 'the UI <script type="application/json" id="slipstream-page">{}</script>';
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

// oxlint-disable-next-line typescript/no-explicit-any -- read as the test expects; another shape fails it
type Json = any;

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

function ask(
  origin: string,
  path: string,
  options: { method?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { method = 'GET', body, headers } = options;
  return new Promise((resolve, reject) => {
    const fields = { ...(method === 'POST' ? { Origin: origin } : {}), ...headers };
    const request = httpRequest(origin + path, { method, headers: fields, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
      });
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The data that the page brings along. */
async function dataOf(origin: string, headers: Record<string, string> = {}): Promise<PageData> {
  const { body, status } = await ask(origin, BASE, { headers });
  assert.equal(status, 200, body);
  return JSON.parse(/id="slipstream-page">(.*)<\/script>/.exec(body)![1]!) as PageData;
}

/** What shows the key of a page. */
async function keyOf(origin: string): Promise<Record<string, string>> {
  return { [KEY_FIELD]: (await dataOf(origin)).key };
}

/** A page: polls all the time, sends numbered commands. */
class Page {
  readonly messages: CdpMessage[] = [];
  viewer = '';
  ack = 0;
  next = 0;
  farewell: Answer | null = null;
  #origin: string;
  #key: string | undefined;
  #id = 0;
  #wake: (() => void)[] = [];

  constructor(origin: string, key?: string) {
    this.#key = key;
    this.#origin = origin;
  }

  get path(): string {
    return `${BASE}cdp/${this.viewer}/`;
  }

  async open(): Promise<this> {
    const headers = this.#key === undefined ? await keyOf(this.#origin) : { [KEY_FIELD]: this.#key };
    const answer = await ask(this.#origin, `${BASE}cdp/`, { method: 'POST', body: '{}', headers });
    assert.equal(answer.status, 200, answer.body);
    this.viewer = (JSON.parse(answer.body) as Opened).viewer;
    cleanups.push(() => this.close());
    void this.#poll();
    return this;
  }

  /** Opens, attaches to the program and enables what DevTools enables. */
  async start(): Promise<this> {
    await this.open();
    await this.call('Target.setAutoAttach', { autoAttach: true, flatten: true }, '');
    await this.event('Target.attachedToTarget');
    await this.call('Runtime.enable');
    await this.call('Debugger.enable');
    return this;
  }

  async #poll(): Promise<void> {
    for (;;) {
      const lost: Answer = { status: 0, headers: {}, body: 'the connection was lost' };
      const answer = await ask(this.#origin, `${this.path}poll?ack=${this.ack}`).catch(() => lost);
      if (answer.status !== 200) {
        this.farewell = answer;
        for (const wake of this.#wake.splice(0)) wake();
        return;
      }
      for (const message of JSON.parse(answer.body) as CdpMessage[]) {
        this.ack += 1;
        this.messages.push(message);
      }
      for (const wake of this.#wake.splice(0)) wake();
    }
  }

  async until<Found>(find: () => Found | undefined | null | false): Promise<Found> {
    for (;;) {
      const found = find();
      if (found) return found;
      assert.equal(this.farewell, null, 'the viewer is gone');
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  post(messages: CdpMessage[], number: number): Promise<Answer> {
    const body = JSON.stringify(messages);
    return ask(this.#origin, `${this.path}send?n=${number}`, { method: 'POST', body });
  }

  /** Sends without waiting for the answer; the id. */
  async send(method: string, params: Record<string, unknown> = {}, session?: string): Promise<number> {
    const id = ++this.#id;
    const sessionId = session ?? mainSession(this.messages);
    const message = { id, method, params, ...(sessionId === '' ? {} : { sessionId }) };
    const sent = await this.post([message], this.next++);
    assert.equal(sent.status, 204, sent.body);
    return id;
  }

  async reply(method: string, params?: Record<string, unknown>, session?: string): Promise<CdpMessage> {
    const id = await this.send(method, params, session);
    return this.until(() => this.messages.find((message) => message.id === id));
  }

  async call(method: string, params?: Record<string, unknown>, session?: string): Promise<Json> {
    const reply = await this.reply(method, params, session);
    assert.equal(reply.error, undefined, `${method}: ${reply.error?.message}`);
    return reply.result;
  }

  /** The first event of that name from message `from` on. */
  event(method: string, from = 0): Promise<Json> {
    return this.until(() => this.messages.slice(from).find((message) => message.method === method)?.params);
  }

  events(method: string): Json[] {
    return this.messages.filter((message) => message.method === method).map((message) => message.params);
  }

  async close(): Promise<void> {
    await ask(this.#origin, `${this.path}close`, { method: 'POST' });
  }
}

function mainSession(messages: CdpMessage[]): string {
  const attached = messages.find((message) => message.method === 'Target.attachedToTarget');
  return (attached?.params?.['sessionId'] as string | undefined) ?? '';
}

interface Program {
  child: ChildProcess;
  exited: Promise<unknown[]>;
  folder: string;
  /** Of its inspector. */
  port: number;
  url: string;
}

interface Scene extends Program {
  proxy: SessionProxy;
  origin: string;
  page(): Promise<Page>;
}

function inspectorPortOf(child: ChildProcess): Promise<number> {
  let errors = '';
  return new Promise((resolve) => {
    child.stderr!.on('data', (part: Buffer) => {
      errors += part.toString();
      const match = /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(errors);
      if (match !== null) resolve(Number(match[1]));
    });
  });
}

/** Serves a proxy; the origin. */
async function served(proxy: SessionProxy): Promise<string> {
  const server = createServer((request, response) => proxy.handle(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function launch(source: string, options: { brk?: boolean; name?: string }): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'slip-debug-'));
  const file = join(folder, options.name ?? 'app.cjs');
  writeFileSync(file, source);
  const flag = options.brk === true ? '--inspect-brk' : '--inspect';
  const child = spawn(process.execPath, [`${flag}=127.0.0.1:0`, file], { stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  cleanups.push(async () => {
    child.kill('SIGKILL');
    await exited;
    rmSync(folder, { recursive: true });
  });
  const port = await inspectorPortOf(child);
  return { child, exited, folder, port, url: pathToFileURL(file).href };
}

function proxyOptions(folder: string, ids: { pid: number; port: number }): SessionProxyOptions {
  return {
    app: 'shop',
    appPath: '/shop/',
    debuggerFolder: folder,
    auth: 'link',
    auditMask: [],
    pid: ids.pid,
    inspector: { kind: 'port', port: ids.port },
    breakAtStart: false,
    isLive: false,
    unattended: { kind: 'hold' },
    basePaths: [BASE, '/shop/app.js/debug/'],
    settingsFile: join(folder, 'kept', 'settings.json'),
    uiFiles: {
      page: () => Promise.resolve(PAGE),
      serve: () => false,
    },
    isLocal: (request) => request.headers['x-far'] === undefined,
    clock: systemClock,
    log: silentLog,
  };
}

type SceneOptions = { brk?: boolean; name?: string; unattended?: SessionProxyOptions['unattended'] };
async function scene(source: string, options: SceneOptions = {}): Promise<Scene> {
  const program = await launch(source, options);
  const { folder, port, child } = program;
  const { unattended = { kind: 'hold' } } = options;
  const proxy = createSessionProxy({ ...proxyOptions(folder, { pid: child.pid!, port }), unattended });
  cleanups.push(() => proxy.close());
  const origin = await served(proxy);
  await proxy.ready;
  const page = (): Promise<Page> => new Page(origin).start();
  return { ...program, proxy, origin, page };
}

/** Runs `work()` a line at a time, whenever a line comes in on stdin. */
const WORKER_LOOP = `
let count = 0;
function work(text) {
  const answer = text.trim() + ' ' + (count += 1);
  return answer;
}
process.stdin.on('data', (text) => process.stdout.write(work(String(text)) + '\\n'));
console.warn('started', { deep: { er: 1 } });
`;
const WORK_LINE = 3;

function output(child: ChildProcess): Promise<string> {
  return once(child.stdout!, 'data').then(([data]) => String(data));
}

function withLoop(): Promise<Scene> {
  return scene(WORKER_LOOP);
}

async function frameValue(page: Page, pause: Json, expression: string): Promise<unknown> {
  const { callFrameId } = pause.callFrames[0];
  const { result } = await page.call('Debugger.evaluateOnCallFrame', { callFrameId, expression });
  return result.value;
}

test('the program runs at once without brk, and viewers see its context, script and console', async () => {
  const { page, url, child } = await withLoop();
  const viewer = await page();
  const { targetInfo } = viewer.events('Target.attachedToTarget')[0];
  assert.equal(targetInfo.title, `shop [${child.pid}]`);
  assert.equal(targetInfo.type, 'node');
  assert.equal(targetInfo.url, url);
  assert.equal(viewer.events('Runtime.executionContextCreated').length, 1);
  assert.equal(viewer.events('Debugger.scriptParsed').filter((script) => script.url === url).length, 1);
  const logged = await viewer.event('Runtime.consoleAPICalled');
  assert.equal(logged.args[0].value, 'started');
});

test('a breakpoint survives its viewer, and the pause is there with its reason and frames', async () => {
  const { page, url, child } = await withLoop();
  const first = await page();
  const set = await first.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  assert.equal(set.locations.length, 1);
  child.stdin!.write('one');
  await first.event('Debugger.paused');
  await first.close();

  const second = await page();
  const pause = await second.event('Debugger.paused');
  assert.equal(pause.reason, 'other');
  assert.deepEqual(pause.hitBreakpoints, [set.breakpointId]);
  assert.equal(await frameValue(second, pause, 'text'), 'one');
  // The pause comes before the answer to Debugger.enable, as from V8, and once.
  assert.equal(second.events('Debugger.paused').length, 1);
  const again = await second.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  assert.deepEqual(again, set);
  // What a fresh DevTools says at its start leaves the pause alone.
  await second.call('Debugger.setPauseOnExceptions', { state: 'none' });
  await second.call('Debugger.setBlackboxPatterns', { patterns: [] });
  await second.call('Debugger.setBreakpointsActive', { active: true });
  await second.call('Debugger.setSkipAllPauses', { skip: false });
  await second.call('Debugger.disable');
  await second.call('Debugger.enable');
  assert.equal(second.events('Debugger.resumed').length, 0);
  assert.equal(second.events('Debugger.paused').length, 2);
  const answered = output(child);
  await second.call('Debugger.resume');
  assert.equal(await answered, 'one 1\n');
  child.stdin!.write('two');
  await second.until(() => second.events('Debugger.paused').length === 3);
});

test('a call frame of an earlier pause is refused', async () => {
  const { page, url, child } = await withLoop();
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  child.stdin!.write('one');
  const pause = await viewer.event('Debugger.paused');
  const { callFrameId } = pause.callFrames[0];
  const resumed = viewer.messages.length;
  await viewer.call('Debugger.resume');
  await viewer.event('Debugger.resumed', resumed);
  const query = { callFrameId, expression: 'text' };
  assert.match((await viewer.reply('Debugger.evaluateOnCallFrame', query)).error!.message, /earlier pause/);
  child.stdin!.write('two');
  await viewer.until(() => viewer.events('Debugger.paused').length === 2);
  assert.match((await viewer.reply('Debugger.evaluateOnCallFrame', query)).error!.message, /earlier pause/);
  assert.equal(await frameValue(viewer, viewer.events('Debugger.paused')[1], 'text'), 'two');
  const bare = { callFrameId: '1.2.3', expression: '1' };
  assert.match((await viewer.reply('Debugger.evaluateOnCallFrame', bare)).error!.message, /earlier pause/);
});

test('two viewers share pause and breakpoints, and one that leaves takes nothing along', async () => {
  const { page, url, child } = await withLoop();
  const [left, right] = [await page(), await page()];
  const params = { url, lineNumber: WORK_LINE };
  const [one, two] = await Promise.all([
    left.call('Debugger.setBreakpointByUrl', params),
    right.call('Debugger.setBreakpointByUrl', params),
  ]);
  assert.equal(one.breakpointId, two.breakpointId);
  child.stdin!.write('one');
  const pause = await left.event('Debugger.paused');
  await right.event('Debugger.paused');
  await left.close();
  assert.equal(await frameValue(right, pause, 'text'), 'one');
  const answered = output(child);
  await right.call('Debugger.resume');
  assert.equal(await answered, 'one 1\n');
  // Removing takes it away for everybody; setting it again works.
  await right.call('Debugger.removeBreakpoint', { breakpointId: one.breakpointId });
  const unhindered = output(child);
  child.stdin!.write('two');
  assert.equal(await unhindered, 'two 2\n');
  await right.call('Debugger.setBreakpointByUrl', { ...params, condition: 'text === "three"' });
  child.stdin!.write('three');
  await right.until(() => right.events('Debugger.paused').length === 2);
});

test('another condition at the same place replaces the first', async () => {
  const { page, url, child } = await withLoop();
  const viewer = await page();
  const params = { url, lineNumber: WORK_LINE };
  await viewer.call('Debugger.setBreakpointByUrl', { ...params, condition: 'text === "never"' });
  await viewer.call('Debugger.setBreakpointByUrl', { ...params, condition: 'text === "two"' });
  const answered = output(child);
  child.stdin!.write('one');
  assert.equal(await answered, 'one 1\n');
  child.stdin!.write('two');
  assert.equal(await frameValue(viewer, await viewer.event('Debugger.paused'), 'text'), 'two');
});

test('a late viewer gets the console in order, with objects that can be opened', async () => {
  const { page, child } = await scene(
    `for (let i = 0; i < 20; i++) console.log('line', i, { i });
     setInterval(() => {}, 1000);`,
  );
  const early = await page();
  await early.until(() => early.events('Runtime.consoleAPICalled').length === 20);
  const late = await page();
  const logged = late.events('Runtime.consoleAPICalled');
  assert.deepEqual(logged.map((event) => event.args[1].value), [...Array(20).keys()]);
  const { result } = await late.call('Runtime.getProperties', { objectId: logged[7].args[2].objectId });
  assert.equal(result.find((property: Json) => property.name === 'i').value.value, 7);
  await late.call('Runtime.discardConsoleEntries');
  assert.equal((await page()).events('Runtime.consoleAPICalled').length, 0);
  child.kill('SIGKILL');
});

test('a command that is sent twice is performed once, and a gap is refused', async () => {
  const { page } = await withLoop();
  const viewer = await page();
  const sessionId = mainSession(viewer.messages);
  const bump = (id: number): CdpMessage => {
    const params = { expression: 'globalThis.hits = (globalThis.hits ?? 0) + 1' };
    return { id, sessionId, method: 'Runtime.evaluate', params };
  };
  const number = viewer.next;
  const batch = [bump(9001), bump(9002)];
  const [once, twice] = await Promise.all([viewer.post(batch, number), viewer.post(batch, number)]);
  assert.deepEqual([once.status, twice.status], [204, 204]);
  // Overlaps: the first is known, the second is new.
  assert.equal((await viewer.post([bump(9002), bump(9003)], number + 1)).status, 204);
  viewer.next += 3;
  const gap = await viewer.post([bump(9009)], number + 7);
  assert.equal(gap.status, 409);
  assert.equal(JSON.parse(gap.body).next, number + 3);
  assert.equal((await viewer.call('Runtime.evaluate', { expression: 'hits' })).result.value, 3);
});

test('messages whose poll answer was lost come again, in order', async () => {
  const { origin } = await withLoop();
  const opened = await ask(origin, `${BASE}cdp/`, { method: 'POST', body: '{}', headers: await keyOf(origin) });
  const path = `${BASE}cdp/${JSON.parse(opened.body).viewer}/`;
  const body = JSON.stringify([1, 2, 3].map((id) => ({ id, method: 'Target.getTargets' })));
  assert.equal((await ask(origin, `${path}send?n=0`, { method: 'POST', body })).status, 204);
  const lost = JSON.parse((await ask(origin, `${path}poll?ack=0`)).body);
  const again = JSON.parse((await ask(origin, `${path}poll?ack=0`)).body);
  assert.deepEqual(lost.map((message: CdpMessage) => message.id), [1, 2, 3]);
  assert.deepEqual(again, lost);
  const rest = JSON.parse((await ask(origin, `${path}poll?ack=2`)).body);
  assert.deepEqual(rest.map((message: CdpMessage) => message.id), [3]);
  await ask(origin, `${path}close`, { method: 'POST' });
});

for (const name of ['app.cjs', 'app.mjs']) {
  test(`brk stops ${name} before its first line, and the stop waits for a viewer`, async () => {
    const { page, url, child } = await scene('globalThis.ran = 1;\nprocess.exit(0);\n', { brk: true, name });
    const viewer = await page();
    const pause = await viewer.event('Debugger.paused');
    assert.equal(pause.reason, 'Break on start');
    const script = viewer.events('Debugger.scriptParsed').find((candidate) => candidate.url === url);
    assert.equal(pause.callFrames[0].location.scriptId, script.scriptId);
    assert.equal(await frameValue(viewer, pause, 'typeof ran'), 'undefined');
    const exited = once(child, 'exit');
    await viewer.call('Debugger.resume');
    assert.deepEqual(await exited, [0, null]);
  });
}

test('a program that finishes is not kept alive, and viewers hear of its end', async () => {
  const { page, child, proxy, exited, origin } = await scene(
    `process.stdin.once('data', () => { console.log('last words'); process.stdin.pause(); });`,
  );
  const headers = await keyOf(origin);
  const viewer = await page();
  await viewer.send('Runtime.evaluate', { expression: 'new Promise(() => {})', awaitPromise: true });
  child.stdin!.end('go');
  assert.deepEqual(await exited, [0, null]);
  assert.match(await proxy.ended, /finished/);
  await viewer.until(() => viewer.farewell);
  assert.equal(viewer.events('Runtime.consoleAPICalled').at(-1).args[0].value, 'last words');
  assert.equal(viewer.events('Target.detachedFromTarget').length, 1);
  assert.equal(viewer.events('Inspector.detached').length, 1);
  assert.equal(viewer.farewell!.status, 410);
  assert.equal(JSON.parse(viewer.farewell!.body).code, 'DEBUGGER_NOT_RUNNING');
  const late = await ask(origin, `${BASE}cdp/`, { method: 'POST', headers });
  assert.equal(late.status, 410);
});

test('process.exit is not held up, whoever watches', async () => {
  const { page, exited } = await withLoop();
  const viewer = await page();
  await viewer.send('Runtime.evaluate', { expression: 'process.exit(7)' });
  assert.deepEqual(await exited, [7, null]);
});

test('a debuggee killed at a breakpoint ends the session, pending commands fail', async () => {
  const { page, child, proxy, url } = await withLoop();
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  const pending = await viewer.send('Runtime.evaluate', {
    expression: 'new Promise(() => {})',
    awaitPromise: true,
  });
  child.stdin!.write('one');
  await viewer.event('Debugger.paused');
  child.kill('SIGKILL');
  await proxy.ended;
  await viewer.until(() => viewer.farewell);
  const failed = viewer.messages.find((message) => message.id === pending);
  assert.equal(failed?.error?.message, 'Debug Session Ended');
  assert.equal(viewer.events('Inspector.detached').length, 1);
});

test('worker threads are targets, armed with the breakpoints of the program', async () => {
  const { page, folder } = await scene(
    `const { Worker } = require('node:worker_threads');
     globalThis.begin = () => { globalThis.worker = new Worker(__dirname + '/worker.cjs'); };
     setInterval(() => {}, 1000);`,
  );
  const file = join(folder, 'worker.cjs');
  writeFileSync(file, `const answer = 42;\nglobalThis.done = answer;\nsetInterval(() => {}, 1000);\n`);
  const url = pathToFileURL(file).href;
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: 1 });
  const wanted = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true };
  await viewer.call('Target.setAutoAttach', wanted);
  await viewer.call('Runtime.evaluate', { expression: 'begin()' });
  await viewer.until(() => viewer.events('Target.attachedToTarget').length === 2);
  const { sessionId, targetInfo } = viewer.events('Target.attachedToTarget')[1];
  assert.match(sessionId, /^p\d+\.1$/);
  assert.equal(targetInfo.type, 'node_worker');
  await viewer.call('Runtime.enable', {}, sessionId);
  await viewer.call('Debugger.enable', {}, sessionId);
  const pause = await viewer.event('Debugger.paused');
  assert.equal(pause.callFrames[0].location.lineNumber, 1);
  // Another viewer finds the worker standing there.
  const other = await page();
  await other.call('Target.setAutoAttach', { autoAttach: true, flatten: true });
  await other.until(() => other.events('Target.attachedToTarget').length === 2);
  await other.call('Debugger.enable', {}, sessionId);
  await other.event('Debugger.paused');
  await other.call('Debugger.resume', {}, sessionId);
  await viewer.event('Debugger.resumed');
  await other.call('Runtime.evaluate', { expression: 'worker.terminate(); 0' });
  const gone = await viewer.event('Target.detachedFromTarget');
  assert.equal(gone.sessionId, sessionId);
});

test('a heap snapshot goes to the viewer who took it', async () => {
  const { page } = await withLoop();
  const [taker, other] = [await page(), await page()];
  await taker.call('HeapProfiler.enable');
  await other.call('HeapProfiler.enable');
  await taker.call('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
  const text = taker.events('HeapProfiler.addHeapSnapshotChunk').map((event) => event.chunk).join('');
  assert.ok(Array.isArray(JSON.parse(text).nodes));
  await other.call('Runtime.evaluate', { expression: '1' });
  assert.equal(other.events('HeapProfiler.addHeapSnapshotChunk').length, 0);
});

test('while the only viewer records a profile, breakpoints do not stop the program', async () => {
  const { page, url, child } = await withLoop();
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  await viewer.call('Debugger.disable');
  const answered = output(child);
  child.stdin!.write('one');
  assert.equal(await answered, 'one 1\n');
  await viewer.call('Debugger.enable');
  child.stdin!.write('two');
  await viewer.event('Debugger.paused');
  // A viewer that leaves with the debugger off leaves it on.
  await viewer.call('Debugger.resume');
  await viewer.call('Debugger.disable');
  await viewer.close();
  const next = await page();
  await next.call('Runtime.evaluate', { expression: '1' });
  child.stdin!.write('three');
  await next.event('Debugger.paused');
});

test('commands that Node lacks are answered as DevTools needs, others with the error of V8', async () => {
  const { page } = await withLoop();
  const viewer = await page();
  const rules = await viewer.call('Network.emulateNetworkConditionsByRule', {});
  assert.deepEqual(rules, { ruleIds: [] });
  await viewer.call('Network.enable');
  await viewer.call('Network.setAttachDebugStack', { enabled: true });
  assert.equal((await viewer.reply('Nothing.atAll')).error?.code, -32601);
  assert.equal((await viewer.reply('Page.enable', {}, '')).error?.code, -32601);
  assert.equal((await viewer.reply('Runtime.evaluate', { expression: '1' }, 'p0')).error?.code, -32001);
  await viewer.call('Target.setDiscoverTargets', { discover: true }, '');
  await viewer.event('Target.targetCreated');
});

test('messages that are no commands are answered with an error', async () => {
  const { page } = await withLoop();
  const viewer = await page();
  const before = viewer.messages.length;
  const bad = [null, 7, 'x', [], {}, { id: 'a', method: 'Runtime.enable' }];
  const half = [{ id: 1 }, { id: 2, method: 3 }, { id: 3, method: 'A.b', params: 4 }];
  assert.equal((await viewer.post([...bad, ...half] as CdpMessage[], viewer.next)).status, 204);
  viewer.next += bad.length + half.length;
  await viewer.until(() => viewer.messages.length === before + bad.length + half.length);
  assert.ok(viewer.messages.slice(before).every((message) => message.error?.code === -32600));
});

test('without a key nobody gets in, whatever it says of itself', async () => {
  const { origin } = await withLoop();
  const key = await keyOf(origin);
  const fetched = { 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty', 'Sec-Fetch-Site': 'same-origin' };
  const cases: [string, string, Record<string, string>, number][] = [
    ['POST', 'cdp/', key, 200],
    ['POST', 'cdp/', { ...key, Origin: 'null' }, 200],
    ['POST', 'cdp/', {}, 403],
    ['POST', 'cdp/', { [KEY_FIELD]: 'wrong' }, 403],
    ['POST', 'cdp/', { ...key, Origin: 'http://evil.example' }, 403],
    ['GET', '', { 'X-Far': '1' }, 403],
    ['GET', '', fetched, 403],
    ['GET', 'index.html', fetched, 403],
    ['GET', '', { ...fetched, 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'iframe' }, 403],
    ['POST', 'cdp/sign-in', {}, 403],
    ['POST', 'cdp/settings', {}, 403],
    ['GET', 'cdp/file?url=file:///x', {}, 403],
    ['GET', 'cdp/nobody/poll?ack=0', {}, 410],
    ['GET', 'cdp/nobody/poll?ack=0', { Origin: 'http://evil.example' }, 403],
    ['GET', 'cdp/', key, 405],
    ['DELETE', 'cdp/settings', key, 405],
    ['OPTIONS', 'cdp/', { Origin: 'null' }, 204],
    ['OPTIONS', 'cdp/', { Origin: 'http://evil.example' }, 403],
    ['GET', '', {}, 200],
    ['POST', '', {}, 405],
    ['GET', 'absent.js', {}, 404],
  ];
  for (const [method, name, headers, status] of cases) {
    const answer = await ask(origin, BASE + name, { method, headers });
    assert.equal(answer.status, status, `${method} ${name} ${JSON.stringify(headers)}: ${answer.body}`);
    if (status !== 404) assert.equal(answer.headers['cache-control'], 'no-store');
  }
  assert.match((await ask(origin, '/SHOP/App.js/Debug/')).body, /^the UI/);
  assert.equal((await ask(origin, '/other/')).status, 404);
});

test('the page is in a sandbox and cannot be framed', async () => {
  const { origin } = await withLoop();
  const { headers } = await ask(origin, BASE);
  const policy = String(headers['content-security-policy']);
  assert.match(policy, /frame-ancestors 'none'; sandbox allow-scripts /);
  assert.doesNotMatch(policy, /allow-same-origin/);
  assert.equal(headers['referrer-policy'], 'no-referrer');
  assert.equal(headers['cache-control'], 'no-store');
});

function signIn(origin: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  // Without the Origin of a page.
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${origin}${BASE}cdp/sign-in`, { method: 'POST', headers, agent: false });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    request.end(JSON.stringify(body));
  });
}

test('a program signs in with a link, and is gone when its session is revoked', async () => {
  const { origin, folder } = await withLoop();
  const grants = new AccessGrants(folder);
  const far = { 'X-Far': '1' };
  assert.equal((await signIn(origin, {})).status, 200);
  assert.equal((await signIn(origin, {}, far)).status, 403);
  const link = grants.createLink('/shop/', 'full');
  const signedIn = JSON.parse((await signIn(origin, { link }, far)).body) as SignedIn;
  assert.equal((await signIn(origin, { link }, far)).status, 403);
  assert.equal((await signIn(origin, { session: signedIn.session }, far)).status, 200);
  const headers = { [KEY_FIELD]: signedIn.key };
  const opened = await ask(origin, `${BASE}cdp/`, { method: 'POST', headers });
  const { viewer } = JSON.parse(opened.body) as Opened;
  const command = { method: 'POST', body: '[{"id":1,"method":"Target.getTargets"}]' };
  assert.equal((await ask(origin, `${BASE}cdp/${viewer}/send?n=0`, command)).status, 204);
  assert.equal((await ask(origin, `${BASE}cdp/${viewer}/poll?ack=0`)).status, 200);
  grants.revoke('/shop/');
  assert.equal((await ask(origin, `${BASE}cdp/${viewer}/send?n=1`, command)).status, 410);
  assert.equal((await ask(origin, `${BASE}cdp/`, { method: 'POST', headers })).status, 403);
});

test('a viewer with a lesser role looks and runs nothing, and commands are audited', async () => {
  const { origin, folder, page, url } = await withLoop();
  const grants = new AccessGrants(folder);
  const link = grants.createLink('/shop/', 'observe');
  const { key } = JSON.parse((await signIn(origin, { link })).body) as SignedIn;
  const observer = await new Page(origin, key).start();
  assert.equal(observer.events('Debugger.scriptParsed').some((script) => script.url === url), true);
  const refused = await observer.reply('Runtime.evaluate', { expression: 'process.exit()' });
  assert.match(refused.error!.message, /role "observe"/);
  assert.match((await observer.reply('Debugger.pause')).error!.message, /role "observe"/);
  await observer.call('Debugger.setSkipAllPauses', { skip: true });
  const full = await page();
  await full.call('Runtime.evaluate', { expression: '6 * 7' });
  const audit = readFileSync(join(folder, 'audit.jsonl'), 'utf8');
  assert.match(audit, /"event":"attached","who":"[0-9a-f]{12}","role":"observe","app":"\/shop\/"/);
  assert.match(audit, /"method":"Runtime.evaluate","text":"6 \* 7"/);
  assert.doesNotMatch(audit, /process\.exit/);
});

test('settings are kept in the file of the app and come with the page', async () => {
  const { origin, folder } = await withLoop();
  const headers = await keyOf(origin);
  const body = JSON.stringify({ breakpoints: '[1]</script>', gone: null });
  const saved = await ask(origin, `${BASE}cdp/settings`, { method: 'POST', body, headers });
  assert.equal(saved.status, 204);
  assert.deepEqual((await dataOf(origin)).settings, { breakpoints: '[1]</script>' });
  assert.equal(readFileSync(join(folder, 'kept', 'settings.json'), 'utf8'), '{"breakpoints":"[1]</script>"}');
  const wrong = await ask(origin, `${BASE}cdp/settings`, { method: 'POST', body: '{"a":1}', headers });
  assert.equal(wrong.status, 400);
});

test('only announced scripts can be read as files', async () => {
  const { origin, url, folder } = await withLoop();
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  const headers = await keyOf(origin);
  const file = (name: string): Promise<Answer> => {
    return ask(origin, `${BASE}cdp/file?url=${encodeURIComponent(name)}`, { headers });
  };
  assert.equal((await file(url)).body, WORKER_LOOP);
  const hidden = [pathToFileURL(join(folder, 'secret.txt')).href, 'file:///etc/passwd', 'node:internal/fs'];
  for (const name of hidden) assert.equal((await file(name)).status, 404, name);
});

test('an inspector that belongs to another process is left alone', async () => {
  const { folder, port, child } = await launch('process.exit(0);', { brk: true });
  const proxy = createSessionProxy(proxyOptions(folder, { pid: 1, port }));
  const message = /belongs to process \d+, not to 1/;
  await assert.rejects(proxy.ready, { code: 'DEBUGGEE_UNREACHABLE', message });
  assert.match(await proxy.ended, /belongs to process/);
  assert.equal(child.exitCode, null);
});

test('a port without an inspector is given up after a while', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slip-debug-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const server = createServer((_request, response) => response.end('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const options = proxyOptions(folder, { pid: 1, port });
  const hurried: Clock = { ...systemClock, after: (_ms, callback) => systemClock.after(0, callback) };
  const proxy = createSessionProxy({ ...options, clock: hurried });
  await assert.rejects(proxy.ready, { code: 'DEBUGGEE_UNREACHABLE' });
  assert.match(await proxy.ended, /did not answer/);
});

test('what is armed is kept, and stops the next program before its first line is through', async () => {
  const source = 'const first = 1;\nconst second = 2;\nsetInterval(() => {}, 1000);\n';
  const earlier = await scene(source);
  const viewer = await earlier.page();
  const { url } = earlier;
  await viewer.call('Debugger.setBreakpointByUrl', { url: 'file:///other.js', lineNumber: 1 });
  const { breakpointId } = await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: 2 });
  await viewer.call('Debugger.removeBreakpoint', { breakpointId });
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: 1, condition: 'first === 1' });
  const file = join(earlier.folder, 'kept', 'settings.armed.json');
  while (!existsSync(file) || !readFileSync(file, 'utf8').includes('first === 1')) await viewer.call('Debugger.enable');
  earlier.proxy.close();

  const entry = fileURLToPath(url);
  const child = spawn(process.execPath, ['--inspect-wait=127.0.0.1:0', entry], { stdio: ['ignore', 'ignore', 'pipe'] });
  cleanups.push(() => child.kill('SIGKILL'));
  const port = await inspectorPortOf(child);
  const proxy = createSessionProxy(proxyOptions(earlier.folder, { pid: child.pid!, port }));
  cleanups.push(() => proxy.close());
  await proxy.ready;
  const origin = await served(proxy);
  const colleague = await new Page(origin).start();
  const pause = await colleague.event('Debugger.paused');
  assert.equal(pause.callFrames[0].location.lineNumber, 1);
  assert.equal(pause.hitBreakpoints.length, 1);
});

test('a pause that nobody looks at ends after its time, and the next viewer is told', async () => {
  const { page, url, child } = await scene(WORKER_LOOP, { unattended: { kind: 'resume', afterMs: 50 } });
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  child.stdin!.write('one');
  await viewer.event('Debugger.paused');
  const answered = output(child);
  await viewer.close();
  assert.equal(await answered, 'one 1\n');
  const colleague = await page();
  assert.match(colleague.events('Runtime.consoleAPICalled').at(-1).args[0].value, /went on after a pause of 0.05 s/);
});
