// What programs and clients of iisnode's get when something fails or is set otherwise: the sub-statuses, settings that
// mean nothing here, names in values. One host, a folder for each.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { runCli, startHost, type RunningHost } from './host-fixture.ts';
import { get, until, type Got } from './http-client.ts';

const HTTP = `const server = require('http').createServer(answer).listen(process.env.PORT);`;
const TELL = `${HTTP} function answer(request, response) {
  response.end(JSON.stringify({ url: request.url, env: process.env.NODE_ENV }));
}`;
const HELD = `${HTTP} function answer(request, response) {
  if (request.url.includes('hold')) console.log('held'); else response.end('up');
}`;

/** A folder `name` with one script, as IIS has it. */
function folder(name: string, program: string, iisnode = ''): Record<string, string> {
  const handlers = '<handlers><add name="i" path="app.js" verb="*" modules="iisnode"/></handlers>';
  return {
    [`${name}/web.config`]:
      `<configuration><system.webServer>${handlers}<iisnode ${iisnode}/></system.webServer></configuration>`,
    [`${name}/app.js`]: program,
  };
}

/** All that is about named pipes, buffers and IIS itself. */
const WITHOUT_MEANING = 'asyncCompletionThreadCount="2" maxNamedPipeConnectionPoolSize="9" ' +
  'maxNamedPipePooledConnectionAge="9" initialRequestBufferSize="9" maxRequestBufferSize="99999" ' +
  'debuggerVirtualDir="x" flushResponse="true" idlePageOutTimePeriod="9" ' +
  'debuggerPortRange="6000-6001" interceptor="x" debuggerExtensionDll="iisnode-inspector.dll"';

const FILES = {
  ...folder('names', TELL, `node_env="%SHOP_PLACE%" debuggerPathSegment="%SHOP_DEBUG%" ${WITHOUT_MEANING}`),
  ...folder('yml', TELL),
  'yml/iisnode.yml': 'node_env: a-%SHOP_PLACE% # name\nDebugPortRange: 20000-20010\n',
  ...folder('cores', TELL, 'nodeProcessCountPerApplication="0"'),
  ...folder('nonode', TELL, 'nodeProcessCommandLine="/etc/passwd"'),
  ...folder('late', 'setInterval(() => {}, 1000);',
    'maxNamedPipeConnectionRetry="3" namedPipeConnectionRetryDelay="100"'),
  ...folder('ends', `console.error('<why> \\u0001'); process.exit(3);`),
  ...folder('bare', 'process.exit(3);', 'devErrorsEnabled="false"'),
  ...folder('bad', `${HTTP} function answer(request) { request.socket.end('nonsense\\r\\n\\r\\n'); }`),
  ...folder('full', HELD, 'maxConcurrentRequestsPerProcess="1"'),
  ...folder('cut', HELD, 'gracefulShutdownTimeout="0"'),
  'slipstream.yml': 'limits: { queueTimeoutMs: 1500 }\n',
};

async function hostFor(t: TestContext): Promise<RunningHost> {
  const host = await startHost({ files: FILES, env: { SHOP_PLACE: 'attic', SHOP_DEBUG: 'look' } });
  t.after(() => host.stop());
  return host;
}

function assertPage(page: Got, status: number, subStatus: number): void {
  assert.deepEqual([page.status, page.headers['content-type'], page.headers['cache-control']],
    [200, 'text/html', 'no-cache'], page.text);
  assert.match(page.text, /^<p>iisnode encountered an error when processing the request\.<\/p><pre>HRESULT: 0x/);
  assert.match(page.text, new RegExp(`HTTP status: ${status}\nHTTP subStatus: ${subStatus}\nHTTP reason: `));
}

test('each sub-status has its page, or its status without a body', async (t) => {
  const host = await hostFor(t);
  const ask = (name: string, query = ''): Promise<Got> => get(`${host.url}${name}/app.js${query}`);
  const [nonode, late, ends, bare, bad] = await Promise.all([
    ask('nonode'), ask('late'), ask('ends'), ask('bare'), ask('bad'),
  ]);
  assertPage(nonode, 500, 1000);
  assert.match(nonode.text, /The iisnode module is unable to start the node\.exe process\./);
  assertPage(late, 500, 1001);
  assertPage(ends, 500, 1002);
  assert.match(ends.text, /node\.exe process to stderr is shown below:<\/p><pre>&lt;why&gt; \[x01\]<\/pre>$/);
  assert.deepEqual([bare.status, bare.text], [500, '']);
  assertPage(bad, 500, 1014);

  const leave = new AbortController();
  const holding = get(`${host.url}full/app.js?hold`, { signal: leave.signal });
  await host.line(/app-output app=full .*held/);
  assertPage(await ask('full'), 503, 1003);
  leave.abort();
  await assert.rejects(holding);

  const held = ask('cut', '?hold');
  await host.line(/app-output app=cut .*held/);
  assert.equal((await runCli(['reload', 'cut'], host.home)).code, 0);
  assertPage(await held, 500, 1013);
});

test('names in values, both spellings of the port range, a process for each core, what means nothing', async (t) => {
  const host = await hostFor(t);
  const told = async (path: string): Promise<unknown> => JSON.parse((await get(`${host.url}${path}`)).text) as unknown;
  assert.deepEqual(await told('names/app.js/debug'), { url: '/names/app.js/debug', env: 'attic' });
  const moved = await get(`${host.url}names/APP.js/LOOK?x=1`);
  assert.deepEqual([moved.status, String(moved.headers.location).endsWith('/LOOK/?x=1')], [301, true]);
  const named = await host.line(/compat-ignored .*names/);
  for (const [name] of WITHOUT_MEANING.matchAll(/\w+(?==)/g)) assert.ok(named.includes(name), `${name}: ${named}`);
  assert.deepEqual(await told('yml/app.js'), { url: '/yml/app.js', env: 'a-attic' });
  const check = await runCli(['check', `${host.root}/yml`]);
  assert.match(check.stdout, /ignored +debuggerportrange +debuggerPortRange is a setting of the host .*iisnode\.yml:2/);
  await told('cores/app.js');
  const running = await until('all of them', async () => {
    const { stdout } = await runCli(['status', '--json'], host.home);
    const { apps } = JSON.parse(stdout) as { apps: { name: string; pids: number[] }[] };
    const count = apps.find(({ name }) => name === 'cores')?.pids.length ?? 0;
    return count >= availableParallelism() ? count : undefined;
  });
  assert.equal(running, availableParallelism());
});

test('who waits for an app while the host stops gets 503.1001: the status, no body, Retry-After', async (t) => {
  const host = await startHost({ files: {
    ...folder('late', `console.log('began'); setInterval(() => {}, 1000);`),
    ...folder('idle', HELD, 'devErrorsEnabled="true"'),
    'plain/server.js': HELD,
    'slipstream.yml': 'drainTimeoutMs: 1000\n',
  } });
  t.after(() => host.stop());
  const waiting = get(`${host.url}late/app.js`);
  await host.line(/app-output app=late .*began/);
  // Heads that are half there when the host is told to stop are read to their ends.
  const sockets = ['idle/app.js', 'plain/'].map((path) => {
    const socket = connect(host.port, '127.0.0.1').setEncoding('latin1');
    socket.write(`GET /${path} HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n`);
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  // Answered behind those bytes: the front has them.
  assert.equal((await get(`${host.url}nothing-here`)).status, 404);
  const stopped = host.stop();
  await host.line(/ stopping signal=SIGTERM/);
  const [idle, plain] = await Promise.all(sockets.map(async (socket) => {
    socket.write('\r\n');
    let answer = '';
    for await (const text of socket) answer += text as string;
    return answer;
  }));
  assert.match(idle!, /^HTTP\/1\.1 503 [^]*Retry-After: 5\r\nContent-Length: 0\r\n[^<]*\r\n\r\n$/);
  assert.match(plain!, /^HTTP\/1\.1 503 [^]*Retry-After: 5\r\n[^]*"code":"APP_STOPPED"/);
  const late = await waiting;
  assert.deepEqual([late.status, late.text, late.headers['retry-after']], [503, '', '5']);
  await stopped;
  assert.doesNotMatch(host.output(), /app-starting app=(?:idle|plain)/);
});

test('a debugger that finds no port, or is asked for what it does not know, says so with the status 200', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const host = await startHost({ files: {
    ...folder('old', HELD),
    'new/server.js': HELD,
    'slipstream.yml': `debuggerTransport: port\ndebuggerPortRange: ${port}-${port}\n`,
  } });
  t.after(() => host.stop());
  const old = await get(`${host.url}old/app.js/debug/`);
  assert.equal(old.status, 200, old.text);
  assert.match(old.text, /The debugger was unable to acquire a TCP port to establish communication with the debugee\./);
  assert.equal((await get(`${host.url}new/debug/`)).status, 503);
  assert.equal((await get(`${host.url}old/app.js`)).text, 'up', 'the app runs on');
  const unknown = await get(`${host.url}old/app.js/debug/?stop`);
  assert.equal(unknown.status, 200);
  assert.equal((await get(`${host.url}new/debug/?stop`)).status, 400);
  assert.equal(unknown.text,
    'Unrecognized debugging command. Supported commands are ?debug (default), ?brk, and ?kill.');
});
