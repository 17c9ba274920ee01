// A debugging session outlives its host: what is killed with the host and what is not, and what a host finds that
// starts in its place.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCli, startHost, type HostOptions, type RunningHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';
import { PollViewer } from './poll-viewer.ts';

const APP = `const http = require('http');
console.log('first line of the console');
function answer(name) {
  const greeting = 'hello ' + name;
  return greeting;
}
let count = 0;
http.createServer((req, res) => {
  process.stdout.write('served ' + req.url + '\\n');
  res.end(JSON.stringify({ pid: process.pid, count: ++count, text: answer('you') }));
}).listen(process.env.PORT);
`;
/** Zero-based line of \`const greeting\`. */
const GREETING_LINE = 3;

interface Seen {
  pid: number;
  count: number;
  text: string;
}

async function see(url: string, headers: Record<string, string> = {}): Promise<Seen> {
  const got = await get(url, { headers });
  assert.equal(got.status, 200, got.text);
  return JSON.parse(got.text) as Seen;
}

const GONE = 'The debugger for the application is not running.';
const KILLED = 'The debugger and debugee processes have been killed.';

const started = new WeakMap<TestContext, RunningHost[]>();

/** Starts a host; all are stopped with the test, the latest first. */
async function start(t: TestContext, options: HostOptions): Promise<RunningHost> {
  let hosts = started.get(t);
  if (hosts === undefined) {
    const all: RunningHost[] = [];
    started.set(t, (hosts = all));
    t.after(async () => {
      for (const host of all.reverse()) await host.stop();
    });
  }
  const host = await startHost(options);
  hosts.push(host);
  return host;
}

function hosted(t: TestContext, config: string, options: HostOptions = {}): Promise<RunningHost> {
  return start(t, { files: { 'shop/server.js': APP, 'slipstream.yml': config }, ...options });
}

/** SIGKILL, and its fronts accept nobody any more. */
async function killed(host: RunningHost): Promise<void> {
  process.kill(host.pid, 'SIGKILL');
  await host.exited;
  await until('the port is free', () => new Promise<true | undefined>((resolve) => {
    const socket = connect(host.port, '127.0.0.1', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', () => resolve(true));
  }));
}

function pidsOf(host: RunningHost): Record<string, number> {
  return Object.fromEntries(host.processes().map(({ role, pid }) => [role, pid]));
}

for (const transport of ['thread', 'port']) {
  test(`a session outlives its killed host, at a breakpoint with a request open (${transport})`, async (t) => {
    const host = await hosted(t, `debuggerTransport: ${transport}\n`);
    await get(`${host.url}shop/debug/`);
    const before = pidsOf(host);
    const viewer = new PollViewer(`${host.url}shop/debug/`);
    await viewer.open();
    const place = { urlRegex: 'shop/server\\.js$', lineNumber: GREETING_LINE };
    await viewer.send('Debugger.setBreakpointByUrl', place);
    const pending = assert.rejects(see(`${host.url}shop/`), 'an open request comes to an end');
    await viewer.event((message) => message.method === 'Debugger.paused');
    await killed(host);
    await pending;
    await viewer.vanish();

    const next = await start(t, { successorOf: host });
    const status = JSON.parse((await runCli(['status', '--json'], host.home)).stdout) as {
      apps: { state: string; pids: number[]; debugger?: { state: string; pauses: { pid: number; place: string }[] } }[];
    };
    const [shop] = status.apps;
    assert.equal(shop!.state, 'debug');
    assert.deepEqual(shop!.pids, [before['app']]);
    assert.equal(shop!.debugger!.pauses[0]!.pid, before['app']);
    assert.match(shop!.debugger!.pauses[0]!.place, /server\.js:4/);

    // The very same pause, breakpoints and console.
    const second = new PollViewer(`${next.url}shop/debug/`);
    await second.open();
    t.after(() => second.vanish());
    const paused = await second.event((message) => message.method === 'Debugger.paused');
    const params = paused.params as { hitBreakpoints: string[]; callFrames: { callFrameId: string }[] };
    assert.equal(params.hitBreakpoints.length, 1);
    const logged = await second.event((message) => message.method === 'Runtime.consoleAPICalled');
    assert.match(JSON.stringify(logged.params), /first line of the console/);
    const { callFrameId } = params.callFrames[0]!;
    const value = await second.send('Debugger.evaluateOnCallFrame', { callFrameId, expression: 'name + 1' });
    assert.equal((value as { result: { value: string } }).result.value, 'you1');

    // Requests wait for it, go to it, and hit the breakpoint.
    const answered = see(`${next.url}shop/`);
    const from = second.events.length;
    await second.send('Debugger.resume');
    await second.event((message) => message.method === 'Debugger.paused', from);
    await second.send('Debugger.resume');
    assert.deepEqual(await answered, { pid: before['app'], count: 2, text: 'hello you' });
    await next.line(/served \/shop\//);
    assert.deepEqual(pidsOf(next)['session'], before['session']);

    assert.equal((await get(`${next.url}shop/debug/?kill`)).text, KILLED);
    const old = [before['app']!, before['session']!];
    await until('both are gone', () => (old.some(isAlive) ? undefined : true));
    assert.notEqual((await see(`${next.url}shop/`)).pid, before['app']);
    assert.equal((await get(`${next.url}shop/debug/?kill`)).text, GONE);
  });
}

/** Its answer is of no interest. */
function visit(url: string): Promise<void> {
  return see(url).then(() => {}, () => {});
}

test('the end of an adopted session tells its viewers why, and the debugger starts afresh', async (t) => {
  const host = await hosted(t, '');
  await get(`${host.url}shop/debug/`);
  const { app } = pidsOf(host);
  await host.line(/session-kept/);
  await killed(host);
  const next = await start(t, { successorOf: host });
  const viewer = new PollViewer(`${next.url}shop/debug/`);
  await viewer.open();
  t.after(() => viewer.vanish());
  await viewer.send('Runtime.evaluate', { expression: "setTimeout(() => { throw new Error('out of cheese'); }, 20)" });
  const { params } = await viewer.event((message) => message.method === 'Inspector.detached');
  assert.match(String(params?.['stderr']), /Error: out of cheese\n {4}at /);
  await next.line(/stderr.*out of cheese/);
  await until('the session is over', async () => {
    return (await get(`${next.url}shop/debug/cdp/alive`)).status === 204 ? undefined : true;
  });
  assert.equal((await get(`${next.url}shop/debug/`)).status, 200);
  const again = await see(`${next.url}shop/`);
  assert.equal(again.count, 1);
  assert.notEqual(again.pid, app);
});

const TWO_PROCESSES = 'defaults: {processes: 2}\n';

/** The two processes that serve, in order of their numbers; that of `ended` is none. */
async function poolOf(url: string, ended = 0): Promise<Set<number>> {
  const pids = new Set<number>();
  await until('two processes serve', async () => {
    // One that was killed may have the request.
    const seen = await see(`${url}shop/`).catch((error: unknown) => (ended === 0 ? Promise.reject(error) : null));
    if (seen !== null && seen.pid !== ended) pids.add(seen.pid);
    return pids.size === 2 ? true : undefined;
  });
  return new Set([...pids].sort());
}

interface View {
  viewer: PollViewer;
  sessions: string[];
}

/** A viewer that has enabled the debugger in `count` programs, and their sessions. */
async function viewAll(t: TestContext, url: string, count: number): Promise<View> {
  const viewer = new PollViewer(url);
  await viewer.open();
  t.after(() => viewer.vanish());
  const attached = await until(`${count} programs`, () => {
    const found = viewer.events.filter((message) => message.method === 'Target.attachedToTarget');
    return found.length === count ? found : undefined;
  });
  const sessions = attached.map(({ params }) => (params as { sessionId: string }).sessionId);
  for (const session of sessions.filter((one) => one !== viewer.session)) {
    await viewer.send('Runtime.enable', {}, session);
    await viewer.send('Debugger.enable', {}, session);
  }
  return { viewer, sessions };
}

test('a session attached to processes that serve outlives its killed host, and so do they', async (t) => {
  const host = await hosted(t, TWO_PROCESSES);
  const pool = await poolOf(host.url);
  assert.equal((await get(`${host.url}shop/debug/?live`)).status, 200);
  await host.line(/WARN inspector-port-open.*every user of this machine/);
  const { session } = pidsOf(host);
  const { viewer, sessions } = await viewAll(t, `${host.url}shop/debug/`, 2);
  const place = { urlRegex: 'shop/server\\.js$', lineNumber: GREETING_LINE };
  for (const one of sessions) await viewer.send('Debugger.setBreakpointByUrl', place, one);
  void visit(`${host.url}shop/`);
  const stood = await viewer.event((message) => message.method === 'Debugger.paused');
  const standing = Number(stood.sessionId!.slice(1));
  assert.ok(pool.has(standing));
  await killed(host);
  await viewer.vanish();

  const next = await start(t, { successorOf: host });
  const { viewer: second } = await viewAll(t, `${next.url}shop/debug/`, 2);
  const paused = await second.event(({ method, sessionId }) => {
    return method === 'Debugger.paused' && sessionId === stood.sessionId;
  });
  const { callFrameId } = (paused.params as { callFrames: { callFrameId: string }[] }).callFrames[0]!;
  const name = { callFrameId, expression: 'name' };
  const value = await second.send('Debugger.evaluateOnCallFrame', name, stood.sessionId);
  assert.equal((value as { result: { value: string } }).result.value, 'you');
  // The one that stands goes on, and serves again beside the other; what they print is heard.
  for (const one of sessions) await second.send('Debugger.setBreakpointsActive', { active: false }, one);
  await second.send('Debugger.resume', {}, stood.sessionId);
  assert.deepEqual(await poolOf(next.url), pool);
  await next.line(/served \/shop\//);
  assert.equal(pidsOf(next)['session'], session);

  // The end of the session ends nothing that serves; others take over, since nobody is to read what they print.
  assert.equal((await get(`${next.url}shop/debug/?kill`)).text, KILLED);
  await second.event((message) => message.method === 'Inspector.detached');
  await until('others took over', async () => (pool.has((await see(`${next.url}shop/`)).pid) ? undefined : true));
  await until('all of the session is gone', () => ([...pool, session!].some(isAlive) ? undefined : true));
  assert.equal((await get(`${next.url}shop/debug/?kill`)).text, GONE);
});

test('a process that spins, and one that came later, go on in the session of another host', async (t) => {
  const spin = APP.replace("'\\n'", "' by ' + process.pid + '\\n'").replace(
    'res.end(', "while (req.url.endsWith('spin') && !globalThis.enough) process.hrtime();\n  res.end(",
  );
  assert.match(spin, /by.*while/s);
  const host = await hosted(t, '', { files: { 'shop/server.js': spin, 'slipstream.yml': TWO_PROCESSES } });
  const pool = await poolOf(host.url);
  await get(`${host.url}shop/debug/?live`);
  const [first] = pool;
  process.kill(first!, 'SIGKILL');
  const next = await poolOf(host.url, first);
  const later = [...next].find((pid) => !pool.has(pid))!;
  await host.line(new RegExp(`session-kept.*\\b${later}\\b`));
  void visit(`${host.url}shop/spin`);
  const spinning = /by (\d+)/.exec(await host.line(/served \/shop\/spin/))![1]!;
  await killed(host);

  const other = await start(t, { successorOf: host });
  const { viewer } = await viewAll(t, `${other.url}shop/debug/`, 2);
  await viewer.send('Runtime.evaluate', { expression: 'globalThis.enough = true' }, `p${spinning}`);
  assert.deepEqual(await poolOf(other.url), next);
});

test('a host that stops takes an adopted session along, one that is killed leaves it again', async (t) => {
  const host = await hosted(t, 'frontProcesses: 2\n');
  await get(`${host.url}shop/debug/?mine`);
  const cookie = { cookie: ((await get(`${host.url}shop/debug/`)).headers['set-cookie'] ?? []).join('; ') };
  const first = await see(`${host.url}shop/`, cookie);
  await killed(host);
  const second = await start(t, { successorOf: host });
  assert.equal((await see(`${second.url}shop/`, cookie)).pid, first.pid);
  const regular = await see(`${second.url}shop/`);
  assert.notEqual(regular.pid, first.pid, 'the others are served beside it');
  await killed(second);
  const third = await start(t, { successorOf: second });
  assert.equal((await see(`${third.url}shop/`, cookie)).count, 3);
  const { session } = pidsOf(third);
  await third.stop();
  // The host has killed both; the kernel may need a moment.
  for (const pid of [first.pid, session!]) await until(`${pid} has ended`, () => (isAlive(pid) ? undefined : true));
  assert.equal(existsSync(host.home), false);
});

test('files that changed while no host ran start the debuggee again', async (t) => {
  const host = await hosted(t, '');
  await get(`${host.url}shop/debug/`);
  const first = await see(`${host.url}shop/`);
  await killed(host);
  writeFileSync(join(host.root, 'shop', 'server.js'), APP.replace("'hello '", "'changed '"));
  const next = await start(t, { successorOf: host });
  const after = await until('the new file is served', async () => {
    const seen = await see(`${next.url}shop/`);
    return seen.text === 'changed you' ? seen : undefined;
  });
  assert.notEqual(after.pid, first.pid);
  assert.equal((await get(`${next.url}shop/debug/cdp/alive`)).status, 204, 'pages that follow find the new session');
  assert.equal((await get(`${next.url}shop/debug/?kill`)).text, KILLED);
});

test('a session that no host takes ends by itself, and a debuggee that spins with it', async (t) => {
  const spin = APP.replace('res.end(', "if (req.url.endsWith('spin')) for (;;);\n  res.end(");
  const files = { 'shop/server.js': spin, 'slipstream.yml': 'debuggerGraceMs: 1500\n' };
  const host = await hosted(t, '', { files });
  await get(`${host.url}shop/debug/`);
  const { app, session } = pidsOf(host);
  const stuck = assert.rejects(see(`${host.url}shop/spin`));
  await host.line(/served \/shop\/spin/);
  await killed(host);
  await stuck;
  await until('both ended', () => ([app!, session!].some(isAlive) ? undefined : true));
  // What is left of the host before is no host's, and goes.
  const next = await start(t, { successorOf: host });
  assert.equal(existsSync(host.runFolder), false);
  assert.equal((await get(`${next.url}shop/debug/?kill`)).text, GONE);
});

test('a host of another root leaves a session alone', async (t) => {
  const host = await hosted(t, 'debuggerGraceMs: 20000\n');
  await get(`${host.url}shop/debug/`);
  const { app } = pidsOf(host);
  await killed(host);
  const other = await hosted(t, '', { home: host.home });
  assert.equal((await get(`${other.url}shop/debug/?kill`)).text, GONE);
  assert.equal(isAlive(app!), true);
  await other.stop();
  const next = await start(t, { successorOf: host });
  assert.equal((await see(`${next.url}shop/`)).pid, app);
});
