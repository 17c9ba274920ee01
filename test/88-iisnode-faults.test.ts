// What clients of iisnode's see of answers that go wrong, on the wire; an inspector that does not come;
// X-Forwarded-For; a recycling that comes to nothing, and one whose old process does not want to go. One folder of
// iisnode for each.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { INSPECTOR_DOOR_VARIABLE } from '../src/wire/inspector-messages.ts';
import { runCli, startCli, startHost, type RunningHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';

const HTTP = `require('http').createServer(answer).listen(process.env.PORT);`;
const PID = `${HTTP} function answer(request, response) { response.end(String(process.pid)); }`;

/** A folder `name` with one script, as IIS has it. */
function folder(name: string, program: string, iisnode = ''): Record<string, string> {
  const handlers = '<handlers><add name="i" path="app.js" verb="*" modules="iisnode"/></handlers>';
  return {
    [`${name}/web.config`]:
      `<configuration><system.webServer>${handlers}<iisnode ${iisnode}/></system.webServer></configuration>`,
    [`${name}/app.js`]: program,
  };
}

async function hostWith(t: TestContext, files: Record<string, string>): Promise<RunningHost> {
  const host = await startHost({ files });
  t.after(() => host.stop());
  return host;
}

interface Wire {
  head: string;
  body: string;
  /** The front ended the connection in an orderly way, instead of breaking it off. */
  isOrderly: boolean;
}

/** A request on a connection that the client keeps; all that comes until the front ends it. */
async function onWire(
  port: number,
  path: string,
  { fields = [], has }: { fields?: readonly string[]; has?: (body: string) => void } = {},
): Promise<Wire> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  socket.write(['GET /' + path + ' HTTP/1.1', 'Host: h', ...fields, '', ''].join('\r\n'));
  let text = '';
  socket.on('data', (bytes: string) => {
    text += bytes;
    has?.(text);
  });
  const isOrderly = await new Promise<boolean>((resolve) => {
    socket.on('end', () => resolve(true));
    socket.on('error', () => resolve(false));
  });
  socket.destroy();
  const at = text.indexOf('\r\n\r\n');
  return { head: text.slice(0, at), body: text.slice(at + 4), isOrderly };
}

/** Answers by the bytes of its own. */
const FAULTY = `let goOn; ${HTTP} function answer(request, response) {
  const fault = request.url.split('?')[1];
  const send = (...parts) => request.socket.write(parts.join('\\r\\n'), 'latin1');
  if (fault === 'head') return send('HTTP/1.1 200 OK', 'X-Large: ' + 'x'.repeat(300000), 'Content-Length: 0', '', '');
  if (fault === 'chunk') {
    goOn = () => send('zz', 'cd', '');
    return send('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '2', 'ab', '');
  }
  if (fault === 'on') goOn();
  if (fault === 'beyond') return send('HTTP/1.1 200 OK', 'Content-Length: 2', '', 'abcdef');
  if (fault === 'short') {
    send('HTTP/1.1 200 OK', 'Content-Length: 9', '', 'ab');
    return setImmediate(() => process.exit(1));
  }
  response.end(String(process.pid));
}`;

test('answers that go wrong: a head that is too large, a bad chunk, bytes beyond the length, an end too soon', {
  timeout: 60_000,
}, async (t) => {
  const host = await hostWith(t, {
    ...folder('pages', FAULTY, 'devErrorsEnabled="true"'),
    ...folder('bare', FAULTY, 'devErrorsEnabled="false"'),
  });
  const pid = (await get(`${host.url}pages/app.js`)).text;
  const large = await get(`${host.url}pages/app.js?head`);
  assert.deepEqual([large.status, large.headers['content-type'], large.headers['cache-control'], large.text],
    [200, 'text/html', 'no-cache', '<p>iisnode encountered an error when processing the request.</p>' +
      '<pre>HRESULT: 0x718\nHTTP status: 500\nHTTP subStatus: 1012\nHTTP reason: Internal Server Error</pre>']);
  const bare = await get(`${host.url}bare/app.js?head`);
  assert.deepEqual([bare.status, bare.text], [500, '']);
  await host.line(/response-bad .*target=\/bare\/app\.js\?head message="a head of more than 262144 bytes/);

  // The head is out: its status stands, and the client can tell that the body is not whole.
  let isSeen = false;
  const chunk = await onWire(host.port, 'pages/app.js?chunk', { has(text) {
    if (isSeen || !text.endsWith('ab\r\n')) return;
    isSeen = true;
    void get(`${host.url}pages/app.js?on`);
  } });
  assert.match(chunk.head, /^HTTP\/1\.1 200 OK\r\n/);
  assert.deepEqual([chunk.body, chunk.isOrderly], ['2\r\nab\r\n', false], 'no last chunk, and a reset');
  await host.line(/response-bad .*target=\/pages\/app\.js\?chunk/);

  const beyond = await onWire(host.port, 'pages/app.js?beyond');
  assert.match(beyond.head, /^HTTP\/1\.1 200 OK\r\n[^]*Content-Length: 2/);
  assert.equal(beyond.body, 'ab', 'what is beyond does not reach the client');
  await host.line(/response-bad .*target=\/pages\/app\.js\?beyond message="more bytes than the response has/);
  assert.equal((await get(`${host.url}pages/app.js`)).text, pid, 'the process serves on');

  const short = await onWire(host.port, 'pages/app.js?short');
  assert.match(short.head, /^HTTP\/1\.1 200 OK\r\n[^]*Content-Length: 9/);
  assert.deepEqual([short.body, short.isOrderly], ['ab', false]);
});

test('an inspector that does not come: a page with the status 200 names what was tried, and the app runs on', {
  timeout: 60_000,
}, async (t) => {
  // A debuggee alone is told of a door for its inspector; it stands before the preload that would open that.
  const stuck = `if (process.env.DOOR !== undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`
    .replace('DOOR', INSPECTOR_DOOR_VARIABLE);
  const host = await hostWith(t, {
    ...folder('slow', PID, 'maxNamedPipeConnectionRetry="3" namedPipeConnectionRetryDelay="200"'),
    'slow/slipstream.yml': "nodeArgs: ['--require=./stuck.cjs']\n",
    'slow/stuck.cjs': stuck,
  });
  const pid = (await get(`${host.url}slow/app.js`)).text;
  const page = await get(`${host.url}slow/app.js/debug/`);
  assert.deepEqual([page.status, page.headers['content-type']], [200, 'text/html; charset=utf-8']);
  assert.match(page.text, /<h1>The debugger of \/slow\/ did not start<\/h1>/);
  assert.match(page.text, /did not answer on .* after 3 tries, 200 ms apart[^<]* <code>DEBUGGEE_UNREACHABLE<\/code>/);
  assert.match((await get(`${host.url}slow/app.js`)).text, /^\d+$/, `served before by ${pid}`);
});

const FIELDS = `${HTTP} function answer(request, response) {
  const lines = request.rawHeaders.map((word, index) => (index % 2 === 0 ? word + ': ' : word + '\\n'));
  response.end(lines.join(''));
}`;

test('enableXFF: the client is added behind those that are named already, as X-Forwarded-Proto where there is none', {
  timeout: 60_000,
}, async (t) => {
  const host = await hostWith(t, { ...folder('on', FIELDS, 'enableXFF="true"'), ...folder('off', FIELDS) });
  const forwarded = async (name: string, ...fields: string[]): Promise<string[]> => {
    const { body } = await onWire(host.port, `${name}/app.js`, { fields: [...fields, 'Connection: close'] });
    return body.split('\n').filter((line) => /^x-(?:forwarded|iisnode)-/i.test(line));
  };
  assert.deepEqual(await forwarded('on'), ['X-Forwarded-For: 127.0.0.1', 'X-Forwarded-Proto: http']);
  assert.deepEqual(await forwarded('off'), []);
  assert.deepEqual(await forwarded('on', 'X-Forwarded-For: 192.0.2.7', 'X-Forwarded-Proto: https'),
    ['X-Forwarded-For: 192.0.2.7, 127.0.0.1', 'X-Forwarded-Proto: https']);
  assert.deepEqual(await forwarded('on', 'X-Forwarded-For: 192.0.2.7', 'X-iisnode-AUTH_USER: admin', 'x-IISNODE-a: b'),
    ['X-Forwarded-For: 192.0.2.7, 127.0.0.1', 'X-Forwarded-Proto: http']);
});

interface Snapshot {
  apps: { name: string; state: string; pids: number[]; failure?: string }[];
}

async function appOf(host: RunningHost, name: string): Promise<Snapshot['apps'][number]> {
  const { stdout } = await runCli(['status', '--json'], host.home);
  return (JSON.parse(stdout) as Snapshot).apps.find((app) => app.name === name)!;
}

const OPENED = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'none' };

test('a recycling that comes to nothing: the old process serves on, and everybody who asks is told why', {
  timeout: 60_000,
}, async (t) => {
  const host = await hostWith(t, folder('shop', PID));
  const pid = (await get(`${host.url}shop/app.js`)).text;
  writeFileSync(join(host.root, 'shop/app.js'), 'throw new Error("no basket");');
  const line = await host.line(/app-recycle-failed app=shop code=APP_EXITED reason=.*before it listened/);
  assert.doesNotMatch(line, /app-start-failed/);
  assert.equal((await get(`${host.url}shop/app.js`)).text, pid);
  const { state, pids, failure } = await appOf(host, 'shop');
  assert.deepEqual([state, pids], ['ready', [Number(pid)]]);
  assert.match(failure!, /app "shop" .*before it listened/);
  const { stdout } = await runCli(['status'], host.home);
  assert.match(stdout, new RegExp(`^shop +/shop/ +ready +${pid} `, 'm'));
  assert.ok(stdout.includes(`! app "shop": ${failure}`) || stdout.includes(`! ${failure}`), stdout);
  const index = await get(host.url, { headers: OPENED });
  assert.match(index.text, /before it listened/);
  assert.match((await runCli(['logs', 'shop'], host.home)).stderr, /Error: no basket/);
  writeFileSync(join(host.root, 'shop/app.js'), `${PID}// mended`);
  await host.line(/app-recycled app=shop/);
  const mended = await appOf(host, 'shop');
  assert.deepEqual([mended.failure, mended.pids.includes(Number(pid))], [undefined, false]);
  assert.doesNotMatch((await get(host.url, { headers: OPENED })).text, /before it listened/);
});

/** Listens when there is a file `go`; fails when there is one `fail`. */
const WAITING = `const { existsSync } = require('fs');
const timer = setInterval(() => {
  if (existsSync('fail')) process.exit(3);
  if (!existsSync('go')) return;
  clearInterval(timer);
  ${PID}
}, 20);`;

test('reload says what it waits for, and how it ended; with --json only that', {
  timeout: 60_000,
}, async (t) => {
  const host = await hostWith(t, {
    ...folder('shop', WAITING, 'watchedFiles="none.txt"'), 'shop/go': '', 'idle/server.js': PID,
  });
  const [go, fail] = [join(host.root, 'shop/go'), join(host.root, 'shop/fail')];
  const first = (await get(`${host.url}shop/app.js`)).text;
  const begin = (...words: string[]): { said: () => string; ended: Promise<unknown[]> } => {
    const child = startCli(['reload', ...words], host.home);
    let text = '';
    child.stdout!.setEncoding('utf8').on('data', (part: string) => (text += part));
    return { said: () => text, ended: once(child, 'close') };
  };
  rmSync(go);
  const plain = begin('--all');
  await until('what it waits for', () => (plain.said().includes('are starting\n') ? true : undefined));
  assert.equal(plain.said(), 'idle: not running\nshop: new processes are starting\n', 'nothing yet of an end');
  assert.equal((await get(`${host.url}shop/app.js`)).text, first, 'the old one serves meanwhile');
  writeFileSync(go, '');
  assert.deepEqual([(await plain.ended)[0], plain.said()], [0,
    'idle: not running\nshop: new processes are starting\nshop: new processes have taken over\n']);
  const second = (await get(`${host.url}shop/app.js`)).text;
  assert.notEqual(second, first);

  rmSync(go);
  const json = begin('--all', '--json');
  await until('it has begun', () =>
    (host.processes().filter(({ role }) => role === 'app').length > 1 ? true : undefined));
  assert.equal(json.said(), '');
  writeFileSync(go, '');
  assert.equal((await json.ended)[0], 0);
  assert.deepEqual(JSON.parse(json.said()),
    { apps: [{ name: 'idle', outcome: 'not-running' }, { name: 'shop', outcome: 'reloaded' }] });

  const third = (await get(`${host.url}shop/app.js`)).text;
  writeFileSync(fail, '');
  const failing = await runCli(['reload', 'shop'], host.home);
  assert.deepEqual([failing.code, failing.stdout],
    [1, 'shop: new processes are starting\nshop: failed, the old processes go on\n']);
  assert.match(failing.stderr, /app "shop" .*code 3.* \[RELOAD_FAILED\]/);
  const told = await runCli(['reload', 'shop', '--json'], host.home);
  const { apps: [app] } = JSON.parse(told.stdout) as { apps: { name: string; outcome: string; message: string }[] };
  assert.deepEqual([told.code, app!.name, app!.outcome, /code 3/.test(app!.message)], [1, 'shop', 'failed', true]);
  assert.equal((await get(`${host.url}shop/app.js`)).text, third);
});

/** Neither it nor what it started goes by SIGTERM. */
const STUBBORN = `const { spawn } = require('child_process');
process.on('SIGTERM', () => console.log('asked to go'));
const script = "process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000);";
const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
child.stdout.once('data', () => require('http').createServer((request, response) => {
  if (request.url.includes('hold')) return console.log('held');
  response.end(process.pid + ' ' + child.pid);
}).listen(process.env.PORT));`;

test('a recycled process that wants to stay: SIGTERM behind gracefulShutdownTimeout, then SIGKILL to its whole group', {
  timeout: 60_000,
}, async (t) => {
  const host = await hostWith(t, folder('deaf', STUBBORN, 'gracefulShutdownTimeout="300" devErrorsEnabled="true"'));
  const pids = async (): Promise<number[]> => (await get(`${host.url}deaf/app.js`)).text.split(' ').map(Number);
  const old = await pids();
  assert.deepEqual(old.map(isAlive), [true, true]);
  const held = get(`${host.url}deaf/app.js?hold`);
  await host.line(/app-output app=deaf .*held/);
  writeFileSync(join(host.root, 'deaf/app.js'), `${STUBBORN}// changed`);
  await host.line(/app-output app=deaf .*asked to go/);
  const fresh = await pids();
  assert.equal(fresh.some((pid) => old.includes(pid)), false, 'the new ones serve');
  const { text } = await held;
  assert.match(text, /HTTP status: 500\nHTTP subStatus: 1013/);
  await until('the whole group is gone', () => (old.some(isAlive) ? undefined : true));
  assert.deepEqual(fresh.map(isAlive), [true, true], 'the new group is another');
});

test('the debugger\'s commands and a script that is not there, to the byte', async (t) => {
  const host = await hostWith(t, { ...folder('shop', PID), 'none/web.config': folder('none', '')['none/web.config']! });
  const app = `${host.url}shop/app.js`;
  for (const query of ['', '?brk', '?kill', '?x=1&y=%20']) {
    const moved = await get(`${app}/debug${query}`);
    assert.deepEqual([moved.status, moved.headers.location], [301, `/shop/app.js/debug/${query}`]);
  }
  const kill = async (): Promise<unknown[]> => {
    const { status, headers, text } = await get(`${app}/debug/?kill`);
    return [status, headers['content-length'], text];
  };
  const idle = 'The debugger for the application is not running.';
  assert.deepEqual(await kill(), [200, String(idle.length), idle]);
  assert.equal((await get(`${app}/debug/`)).status, 200);
  const killed = 'The debugger and debugee processes have been killed.';
  assert.deepEqual(await kill(), [200, String(killed.length), killed]);
  assert.equal((await get(`${host.url}none/app.js`)).status, 404);
});
