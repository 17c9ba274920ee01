// What clients and programs of iisnode's see here, as it is documented of the original; docs/compatibility-iisnode.md
// has the table of its behaviours with the tests that hold them.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { runCli, startHost, type HostOptions, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

async function hostWith(t: TestContext, options: HostOptions): Promise<RunningHost> {
  const host = await startHost(options);
  t.after(() => host.stop());
  return host;
}

/** A folder `name` with one script, as IIS has it. */
function folder(name: string, program: string, iisnode = '', more = ''): Record<string, string> {
  const handlers = '<handlers><add name="i" path="app.js" verb="*" modules="iisnode"/></handlers>';
  return {
    [`${name}/web.config`]:
      `<configuration><system.webServer>${handlers}<iisnode ${iisnode}/></system.webServer>${more}</configuration>`,
    [`${name}/app.js`]: program,
  };
}

const HTTP = `const server = require('http').createServer(answer).listen(process.env.PORT);`;

/** Sends bytes, reads all that comes until the peer ends. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  let answer = '';
  for await (const bytes of socket.setEncoding('latin1')) answer += bytes as string;
  return answer;
}

const TELL = `${HTTP}
function answer(request, response) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(203, 'As it was said', [['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2'], ['X-Empty', '']]);
    response.end(JSON.stringify({
      url: request.url, raw: request.rawHeaders, headers: request.headers, body: Buffer.concat(chunks).toString(),
      isMain: require.main === module, script: process.argv[1], cwd: process.cwd(), port: process.env.PORT,
      env: ['IISNODE_VERSION', 'NODE_ENV', 'EMPTY', 'COLOUR', 'NODE_PENDING_PIPE_INSTANCES'].map((n) => process.env[n]),
    }));
  });
}
server.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: echo\\r\\nConnection: Upgrade\\r\\n\\r\\n');
  socket.pipe(socket);
});
`;

interface Told {
  url: string;
  raw: string[];
  headers: Record<string, string>;
  body: string;
  isMain: boolean;
  script: string;
  cwd: string;
  port: string;
  env: (string | null)[];
}

test('a program sees the request, its environment and itself as under plain node', async (t) => {
  const settings = `<appSettings><add key="EMPTY" value=""/><add key="COLOUR" value="red"/><add key="" value="x"/>
    </appSettings>`;
  const host = await hostWith(t, {
    files: folder('tell', TELL, 'node_env="staging" enableXFF="true"', settings),
    env: { NODE_PENDING_PIPE_INSTANCES: '77', NODE_ENV: 'other' },
  });
  const answer = await exchange(host.port, [
    'POST /tell/app.js/more/%41?x=%20y HTTP/1.1', 'Host: h', 'X-Twice: 1', 'x-twice: 2', 'X-None:',
    'Expect: 100-continue', 'X-iisnode-AUTH_USER: me', 'Transfer-Encoding: chunked', 'Connection: close', '',
    '3\r\nabc\r\n0\r\n\r\n',
  ].join('\r\n'));
  const final = answer.slice(answer.indexOf('HTTP/1.1 203'));
  assert.match(final, /^HTTP\/1\.1 203 As it was said\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Empty: ?\r\n/);
  const told = JSON.parse(/\{.*\}/s.exec(final)![0]) as Told;
  assert.equal(told.url, '/tell/app.js/more/%41?x=%20y');
  assert.equal(told.body, 'abc');
  const names = told.raw.filter((_, index) => index % 2 === 0);
  assert.deepEqual(names.slice(0, 4), ['Host', 'X-Twice', 'x-twice', 'X-None']);
  assert.equal(told.headers['transfer-encoding'], 'chunked');
  assert.equal(told.headers['x-iisnode-auth_user'], undefined);
  assert.deepEqual([told.headers['x-forwarded-for'], told.headers['x-forwarded-proto']], ['127.0.0.1', 'http']);
  assert.deepEqual([told.isMain, told.script], [true, join(host.root, 'tell/app.js')]);
  assert.deepEqual([told.cwd, told.port], [join(host.root, 'tell'), String(host.port)]);
  assert.deepEqual(told.env, ['0.2.21', 'staging', '', 'red', '77']);
  const headers = { Connection: 'keep-alive, Upgrade', Upgrade: 'echo' };
  const upgrade = request(`${host.url}tell/app.js`, { headers });
  upgrade.end();
  const [response, socket] = (await once(upgrade, 'upgrade')) as [{ statusCode: number }, import('node:net').Socket];
  assert.equal(response.statusCode, 101, 'as Firefox asks');
  socket.write('bytes');
  assert.equal(String((await once(socket, 'data'))[0]), 'bytes');
  socket.destroy();
});

test('a process that has all the requests it may have: 503 without a body, and Retry-After', async (t) => {
  const hold = `${HTTP} const held = []; function answer(request, response) {
    if (!request.url.includes('free')) return held.push(response);
    for (const other of held) other.end('held'); response.end(); }`;
  const host = await hostWith(t, {
    files: {
      ...folder('busy', hold, 'maxConcurrentRequestsPerProcess="1"'),
      'slipstream.yml': 'limits: { queueMax: 0 }\n',
    },
  });
  // The first request of all needs the queue: it starts the app.
  assert.equal((await runCli(['start', 'busy'], host.home)).code, 0);
  const leave = new AbortController();
  const first = get(`${host.url}busy/app.js`, { signal: leave.signal });
  const second = await until('the process has it', async () => {
    const got = await get(`${host.url}busy/app.js`, { signal: AbortSignal.timeout(5000) });
    return got.status === 503 ? got : undefined;
  });
  assert.deepEqual([second.text, second.headers['content-length']], ['', '0']);
  assert.match(String(second.headers['retry-after']), /^\d+$/);
  leave.abort();
  await assert.rejects(first);
});

test('output is kept whatever ends a process: an error, an abort, a write of native code', async (t) => {
  const program = `process.on('exit', () => {}); ${HTTP}
function answer(request, response) {
  console.error('seen ' + request.url);
  if (request.url.endsWith('throw')) setImmediate(() => { throw new Error('nobody caught me'); });
  if (request.url.endsWith('abort')) { require('fs').writeSync(2, 'native\\n'); process.abort(); }
}`;
  const host = await hostWith(t, { files: folder('crash', program) });
  const logs = join(host.root, 'crash/iisnode');
  const written = (): string => readdirSync(logs).filter((name) => /^[^-].*-\d+-stderr-\d{13}\.txt$/.test(name))
    .map((name) => readFileSync(join(logs, name), 'utf8')).join('');
  for (const [path, expected] of [['throw', /Error: nobody caught me\r\n/], ['abort', /native\r\n/]] as const) {
    const lost = await get(`${host.url}crash/app.js/${path}`);
    assert.deepEqual([lost.status, lost.text.includes('HTTP subStatus: 1013')], [200, true], lost.text);
    await until(`what ${path} wrote`, () => (expected.test(written()) ? true : undefined));
  }
  assert.match(written(), /seen \/crash\/app\.js\/throw\r\n/);
});

test('variables of the host are over web.config, and a value that is none is a configuration error', async (t) => {
  const host = await hostWith(t, {
    files: folder('app', TELL, 'debuggingEnabled="true" node_env="one"'),
    env: { IISNODE_debuggingEnabled: 'False', iisnode_NODE_ENV: 'two' },
  });
  const told = JSON.parse((await get(`${host.url}app/app.js/debug`)).text) as Told;
  assert.deepEqual([told.url, told.env[1]], ['/app/app.js/debug', 'two']);
  const overrides = '# over both\nNODE_ENV: three # here\nunknown: 1\nloggingEnabled:\n';
  writeFileSync(join(host.root, 'app/iisnode.yml'), overrides);
  await until('the file holds', async () => {
    const { text } = await get(`${host.url}app/app.js`);
    return (JSON.parse(text) as Told).env[1] === 'three' ? true : undefined;
  });
  rmSync(join(host.root, 'app/iisnode.yml'));
  await until('and does not when it is gone', async () => {
    const { text } = await get(`${host.url}app/app.js`);
    return (JSON.parse(text) as Told).env[1] === 'two' ? true : undefined;
  });
  const broken = await hostWith(t, { files: folder('app', TELL), env: { IISNODE_loggingEnabled: 'maybe' } });
  const page = await get(`${broken.url}app/app.js`);
  assert.deepEqual([page.status, page.headers['cache-control']], [200, 'no-cache']);
  assert.match(page.text, /^iisnode was unable to read the configuration file/);
});

test('watchedFiles as the original writes them: folders with a backslash, only files of those names', async (t) => {
  const program = `${HTTP} function answer(request, response) { response.end(String(process.pid)); }`;
  const host = await hostWith(t, {
    files: {
      ...folder('watch', program, 'watchedFiles="sub\\*.txt;none\\none.js;;web.config"'),
      'watch/sub/a.txt': '1',
    },
  });
  const pid = async (): Promise<string> => (await get(`${host.url}watch/app.js`)).text;
  const changed = async (what: string, act: () => void): Promise<void> => {
    const before = await pid();
    act();
    await until(what, async () => ((await pid()) === before ? undefined : true));
  };
  const first = await pid();
  writeFileSync(join(host.root, 'watch/app.js'), `${program}// not watched`);
  await changed('a change', () => writeFileSync(join(host.root, 'watch/sub/a.txt'), '22'));
  await changed('a new file', () => writeFileSync(join(host.root, 'watch/sub/b.txt'), '1'));
  await changed('a file that goes', () => rmSync(join(host.root, 'watch/sub/b.txt')));
  assert.equal(host.output().match(/app-recycled/g)?.length, 3, `once for each, from ${first}`);
});

test('nodeProcessCommandLine may be another program; a script that is missing is 404', async (t) => {
  const host = await hostWith(t, { files: { ...folder('other', TELL.replace("'COLOUR'", "'MARK'")), 'none/web.config':
    folder('none', '')['none/web.config']! } });
  const program = join(host.root, 'other/my node');
  writeFileSync(program, `#!/bin/sh\nMARK=mine exec "${process.execPath}" "$@"\n`);
  chmodSync(program, 0o755);
  writeFileSync(join(host.root, 'other/iisnode.yml'), `nodeProcessCommandLine: "${program}" --stack-size=900\n`);
  const told = await until('the program', async () => {
    const { text } = await get(`${host.url}other/app.js`);
    return (JSON.parse(text) as Told).env[3] === 'mine' ? true : undefined;
  });
  assert.equal(told, true);
  assert.equal((await get(`${host.url}none/app.js`)).status, 404);
});

test('limits hold where the kernel keeps them; elsewhere the log says so, or the app does not start', async (t) => {
  const program = `${HTTP} function answer(request, response) {
    response.end(require('fs').readFileSync('/proc/self/cgroup', 'utf8')); }`;
  const host = await hostWith(t, { files: {
    'lax/server.js': program, 'strict/server.js': program,
    'slipstream.yml': 'defaults: { memoryLimitMb: 300 }\napps: { strict: { limitsRequired: true } }\n',
  } });
  const [lax, strict] = [await get(`${host.url}lax/`), await get(`${host.url}strict/`)];
  assert.equal(lax.status, 200);
  const check = await runCli(['check', host.root]);
  const group = /^0::(\/.*app-lax-\d+)$/m.exec(lax.text)?.[1];
  if (group === undefined) {
    assert.equal(host.output().match(/app-limits-unavailable app=lax/g)?.length, 1);
    assert.deepEqual([strict.status, /limitsRequired/.test(strict.text)], [500, true], strict.text);
    assert.match(check.stdout, /! memoryLimitMb and cpuLimitPercent are not kept here: /);
  } else {
    assert.deepEqual([strict.status, /app-strict-\d+/.test(strict.text)], [200, true]);
    assert.doesNotMatch(host.output(), /app-limits-unavailable/);
    assert.equal(check.code, 0, check.stdout);
  }
});

test('programs that fork, have threads, or never listen', async (t) => {
  const host = await hostWith(t, { files: {
    'forks/server.js': `
const child = require('child_process').fork(__filename + '.child');
const { Worker } = require('worker_threads');
new Worker("require('worker_threads').parentPort.postMessage('thread')", { eval: true })
  .on('message', (thread) => child.on('message', (fork) => {
    require('http').createServer((request, response) => response.end([thread, fork, child.pid].join()))
      .listen(process.env.PORT);
  }));
`,
    'forks/server.js.child': `
const server = require('http').createServer();
server.listen(0, '127.0.0.1', () => process.send('fork ' + server.address().port));
`,
    'job/server.js': `setInterval(() => {}, 1000);`,
    'slipstream.yml': 'apps: { job: { startTimeoutMs: 300 } }\n',
  } });
  const [thread, fork, pid] = (await get(`${host.url}forks/`)).text.split(',');
  assert.equal(thread, 'thread');
  assert.notEqual(fork, `fork ${host.port}`, 'a fork listens by itself');
  const never = await get(`${host.url}job/`, { headers: { accept: 'application/json' } });
  assert.deepEqual([never.status, JSON.parse(never.text).error.code], [500, 'APP_START_TIMED_OUT']);
  assert.equal((await runCli(['stop', 'forks'], host.home)).code, 0);
  await until('the fork goes too', () => (existsSync(`/proc/${pid}`) ? undefined : true));
});
