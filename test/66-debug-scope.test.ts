// Whose requests a debuggee gets, by real processes: `?mine` beside the pool, everybody's requests while it
// stands, what the status says of it.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCli, startHost, type RunningHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';
import { PollViewer } from './poll-viewer.ts';
import type { AppSnapshot, HostSnapshot } from '../src/wire/status.ts';

const APP = `const http = require('http');
const inspector = require('inspector');
function answer(name) {
  const greeting = 'hello ' + name;
  return greeting;
}
http.createServer((req, res) => {
  res.end(JSON.stringify({ pid: process.pid, isDebugged: inspector.url() !== undefined, text: answer('you') }));
}).listen(process.env.PORT);
`;
/** Zero-based line of `const greeting`. */
const GREETING_LINE = 3;

async function hosted(t: TestContext, config = ''): Promise<RunningHost> {
  const files = {
    'shop/server.js': APP,
    // With a port the app itself can tell that it is debugged.
    'slipstream.yml': 'debuggerTransport: port\n',
    ...(config === '' ? {} : { 'shop/slipstream.yml': config }),
  };
  const host = await startHost({ files });
  t.after(() => host.stop());
  return host;
}

interface Seen {
  pid: number;
  isDebugged: boolean;
}

async function see(url: string, fields: Record<string, string> = {}): Promise<Seen> {
  const got = await get(url, { headers: fields });
  assert.equal(got.status, 200, got.text);
  return JSON.parse(got.text) as Seen;
}

async function statusOf(host: RunningHost): Promise<AppSnapshot> {
  const { stdout, stderr } = await runCli(['status', '--json'], host.home);
  assert.equal(stderr, '');
  return (JSON.parse(stdout) as HostSnapshot).apps[0]!;
}

/** Opens the debugger and returns the cookie that it set, or an empty string. */
async function open(host: RunningHost, query = ''): Promise<string> {
  const page = await get(`${host.url}shop/debug/${query}`);
  assert.equal(page.status, 200, page.text);
  return String(page.headers['set-cookie'] ?? '').split(';')[0]!;
}

async function stopAtGreeting(host: RunningHost): Promise<PollViewer> {
  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  await viewer.send('Debugger.setBreakpointByUrl', {
    urlRegex: 'shop/server\\.js$', lineNumber: GREETING_LINE, columnNumber: 0,
  });
  return viewer;
}

test('?mine sets one process apart, and a pause there stops nobody else', async (t) => {
  const host = await hosted(t);
  const regular = await see(`${host.url}shop/`);
  const cookie = await open(host, '?mine');
  assert.match(cookie, /^slipstream\.debug=[\w-]{32}$/);
  const own = await see(`${host.url}shop/`, { cookie });
  assert.equal(own.isDebugged, true);
  assert.deepEqual(await see(`${host.url}shop/`), { ...regular });
  assert.equal(regular.isDebugged, false);

  const viewer = await stopAtGreeting(host);
  const stopped = get(`${host.url}shop/`, { headers: { cookie } });
  await viewer.event((message) => message.method === 'Debugger.paused');
  for (let count = 0; count < 5; count++) assert.equal((await see(`${host.url}shop/`)).pid, regular.pid);
  // Nobody gets there by a guess, nor by the name of the cookie alone.
  for (const guess of ['slipstream.debug=', 'slipstream.debug=x', `${cookie}x`, cookie.slice(0, -1)]) {
    assert.equal((await see(`${host.url}shop/`, { cookie: guess })).pid, regular.pid);
  }
  const app = await until('the pause is told', async () => {
    const found = await statusOf(host);
    return found.debugger?.pauses.length === 1 ? found : undefined;
  });
  assert.equal(app.state, 'ready');
  assert.equal(app.debugger?.scope, 'mine');
  assert.equal(app.debugger.pauses[0]!.pid, own.pid);
  await viewer.send('Debugger.resume');
  assert.equal((await stopped).status, 200);

  await get(`${host.url}shop/debug/?kill`);
  await until('the debuggee is gone', () => (isAlive(own.pid) ? undefined : true));
  assert.equal((await see(`${host.url}shop/`, { cookie })).pid, regular.pid);
  await viewer.vanish();
});

test('a field and a one-time link lead requests to the debuggee, without its debugger', async (t) => {
  const host = await hosted(t, 'debuggerScope: mine\n');
  assert.equal((await get(`${host.url}shop/debug/?requests`)).status, 409);
  await open(host);
  const page = await get(`${host.url}shop/debug/?requests`);
  const secret = /slipstream-debug: (\S+)/.exec(page.text)![1]!;
  const own = await see(`${host.url}shop/`, { 'slipstream-debug': secret });
  assert.equal(own.isDebugged, true);

  const link = /http\S+\?requests=\S+/.exec(page.text)![0];
  const scripted = await get(link, { headers: { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' } });
  assert.equal(scripted.status, 403);
  const followed = await get(link, { headers: { forwarded: 'for=192.0.2.1' } });
  assert.equal(followed.status, 303);
  assert.equal(followed.headers['location'], '/shop/');
  const cookie = String(followed.headers['set-cookie']).split(';')[0]!;
  assert.equal((await see(`${host.url}shop/`, { cookie, forwarded: 'for=192.0.2.1' })).pid, own.pid);
  assert.equal((await get(link)).status, 403, 'once');
  const debug = await get(`${host.url}shop/debug/`, { headers: { cookie, forwarded: 'for=192.0.2.1' } });
  assert.equal(debug.status, 403, 'it does not open the debugger');
});

test('requests wait in the queue while the debuggee of everyone stands, and the status says why', async (t) => {
  const host = await hosted(t);
  assert.equal(await open(host), '');
  const { pid } = await see(`${host.url}shop/`);
  const viewer = await stopAtGreeting(host);
  const first = get(`${host.url}shop/`);
  await viewer.event((message) => message.method === 'Debugger.paused');
  await until('the pause is told', async () => {
    return (await statusOf(host)).debugger?.pauses.length === 1 ? true : undefined;
  });
  const waiting = [get(`${host.url}shop/`), get(`${host.url}shop/`), get(`${host.url}shop/`)];
  const app = await until('three requests wait', async () => {
    const found = await statusOf(host);
    return found.waiting === 3 ? found : undefined;
  });
  assert.equal(app.state, 'debug');
  assert.deepEqual(app.debugger, {
    state: 'debug', scope: 'everyone', viewers: 1,
    pauses: [{ pid, reason: 'other', place: `${join(host.root, 'shop/server.js')}:${GREETING_LINE + 1}` }],
  });
  const { stdout } = await runCli(['status'], host.home);
  assert.match(stdout, new RegExp(`pid ${pid} stands at \\S+server\\.js:4 \\(other\\); 3 requests wait`));
  const breakpoints = await viewer.send('Debugger.setBreakpointsActive', { active: false });
  assert.deepEqual(breakpoints, {});
  // A front that is started again knows of it too.
  const front = host.processes().find(({ role }) => role === 'front')!;
  process.kill(front.pid, 'SIGKILL');
  await Promise.allSettled([first, ...waiting]);
  const held = until('the new front answers', () => get(`${host.url}shop/`).catch(() => undefined));
  await until('it waits there', async () => ((await statusOf(host)).waiting === 1 ? true : undefined));
  const again = new PollViewer(`${host.url}shop/debug/`);
  await again.open();
  await again.send('Debugger.resume');
  assert.equal((await held).status, 200);
  await viewer.vanish();
  await again.vanish();
});

test('in scope mine a changed file starts the debuggee again, and its requests wait for it', async (t) => {
  const host = await hosted(t);
  await see(`${host.url}shop/`);
  const cookie = await open(host, '?mine');
  const before = await see(`${host.url}shop/`, { cookie });
  writeFileSync(join(host.root, 'shop/server.js'), APP.replace('hello ', 'good day '));
  const after = await until('another debuggee serves', async () => {
    // One that the debuggee was just answering ends with it.
    const got = await get(`${host.url}shop/`, { headers: { cookie } });
    assert.match(String(got.status), /^(?:200|502)$/);
    const seen = got.status === 200 ? (JSON.parse(got.text) as Seen) : before;
    return seen.pid === before.pid || !seen.isDebugged ? undefined : seen;
  });
  assert.equal(after.isDebugged, true);
  assert.equal((await see(`${host.url}shop/`)).isDebugged, false);
});

test('?everyone hands all requests to a debuggee of an app whose scope is mine', async (t) => {
  const host = await hosted(t, 'debuggerScope: mine\n');
  const regular = await see(`${host.url}shop/`);
  assert.equal(await open(host, '?everyone'), '', 'no cookie is needed');
  const seen = await see(`${host.url}shop/`);
  assert.deepEqual([seen.isDebugged, seen.pid === regular.pid], [true, false]);
  assert.equal((await statusOf(host)).debugger?.scope, 'everyone');
});

test('debuggerStart live attaches to what runs, and starts a debuggee where nothing does', async (t) => {
  const host = await hosted(t, 'debuggerStart: live\n');
  await open(host);
  const started = await see(`${host.url}shop/`);
  assert.equal(started.isDebugged, true);
  await get(`${host.url}shop/debug/?kill`);
  const regular = await see(`${host.url}shop/`);
  assert.equal(regular.isDebugged, false);
  await open(host);
  assert.deepEqual(await see(`${host.url}shop/`), { ...regular, isDebugged: true });
  await get(`${host.url}shop/debug/?kill`);
  await open(host, '?restart');
  const other = await see(`${host.url}shop/`);
  assert.notEqual(other.pid, regular.pid);
});
