// Whole programs under the preload: real processes, real frameworks, a scripted front.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { buildSync } from 'esbuild';
import { ScriptedFront } from './scripted-front.test.ts';
import type { FrontLink } from './scripted-front.test.ts';

const require = createRequire(import.meta.url);
const here = import.meta.dirname;
const extension = extname(import.meta.filename);
let folder: string;
let preload: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipstream-register-'));
  preload = join(folder, 'register.cjs');
  const entryPoints = [join(here, `register${extension}`)];
  const common = { bundle: true, platform: 'node', format: 'cjs', target: 'node20', logLevel: 'error' } as const;
  buildSync({ ...common, entryPoints, outfile: preload });
  const modules = dirname(dirname(require.resolve('express/package.json')));
  await symlink(modules, join(folder, 'node_modules'));
});

after(() => rm(folder, { recursive: true, force: true }));

interface App {
  front: ScriptedFront;
  child: ChildProcess;
  stdout: string;
  stderr: string;
  exited: Promise<unknown>;
}

interface RunOptions {
  env?: NodeJS.ProcessEnv;
  /** Flags of node in the place of the preload's. */
  flags?: string[];
}

let programs = 0;

/** Runs a program as the host would. */
async function run(t: TestContext, name: string, source: string, options: RunOptions = {}): Promise<App> {
  const file = join(folder, `${programs++}-${name}`);
  await writeFile(file, source);
  const front = await ScriptedFront.start();
  const child = spawn(process.execPath, [...(options.flags ?? ['--require', preload]), file], {
    env: {
      ...process.env,
      NODE_TEST_CONTEXT: undefined,
      NODE_OPTIONS: '',
      SLIPSTREAM_FRONTS: front.path,
      SLIPSTREAM_KEY: 'secret',
      PORT: '8080',
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const app: App = { front, child, stdout: '', stderr: '', exited: once(child, 'exit') };
  child.stdout!.on('data', (piece) => (app.stdout += piece));
  child.stderr!.on('data', (piece) => (app.stderr += piece));
  t.after(async () => {
    child.kill('SIGKILL');
    await app.exited;
    await front.stop();
  });
  return app;
}

/** Runs a program and waits until its server is registered. */
async function serving(
  t: TestContext,
  name: string,
  source: string,
  options: RunOptions = {},
): Promise<App & { link: FrontLink }> {
  const app = await run(t, name, source, options);
  const ended = app.exited.then(() => Promise.reject(new Error(`the app ended: ${app.stderr}`)));
  ended.catch(() => {});
  const link = await Promise.race([app.front.registered(), ended]);
  return Object.assign(app, { link });
}

/** A port of this machine that nobody listens on. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('a CommonJS program on a fixed port is served without opening the port', async (t) => {
  const port = await freePort();
  const source = `
    const http = require('node:http');
    const server = http.createServer((request, response) => {
      response.end(JSON.stringify({
        address: server.address(), key: process.env.SLIPSTREAM_KEY, from: request.socket.remoteAddress,
      }));
    });
    server.listen(${port});`;
  const { link } = await serving(t, 'app.cjs', source);
  assert.equal(link.hello?.key, 'secret');
  const answer = await link.open().request().answer();
  assert.deepEqual(JSON.parse(answer.body), {
    address: { address: '::', family: 'IPv6', port },
    from: '203.0.113.7',
  });
  const probe = net.connect(port, '127.0.0.1');
  const [error] = await once(probe, 'error');
  assert.equal(error.code, 'ECONNREFUSED');
});

test('an ES module with top-level await that uses PORT is served', async (t) => {
  const source = `
    import { createServer } from 'node:http';
    import { setTimeout } from 'node:timers/promises';
    await setTimeout(1);
    const server = createServer((request, response) => response.end('esm ' + server.address().port));
    await new Promise((resolve) => server.listen(process.env.PORT, resolve));
    console.log('listening');`;
  const app = await serving(t, 'app.mjs', source);
  assert.equal((await app.link.open().request().answer()).body, 'esm 8080');
  assert.match(app.stdout, /listening/);
});

test('the preload works as an ES module too', async (t) => {
  const flags = ['--import', join(here, `register${extension}`)];
  const source = `require('http').createServer((_, response) => response.end('imported')).listen();`;
  const { link } = await serving(t, 'app.cjs', source, { flags });
  assert.equal((await link.open().request().answer()).body, 'imported');
});

test('Express 5 is served', async (t) => {
  const source = `
    const express = require('express');
    const app = express();
    app.use(express.json());
    app.get('/hello/:name', (request, response) => {
      response.json({ name: request.params.name, ip: request.ip, secure: request.secure });
    });
    app.post('/echo', (request, response) => response.status(201).json(request.body));
    app.get('/file', (request, response) => response.sendFile(__filename));
    app.get('/fail', () => { throw new Error('failed here'); });
    app.listen(3000);`;
  const { link } = await serving(t, 'app.cjs', source);
  const channel = link.open();
  const hello = await channel.request({ target: '/hello/you' }).answer();
  assert.deepEqual(JSON.parse(hello.body), { name: 'you', ip: '203.0.113.7', secure: false });
  const body = Buffer.from('{"a":[1,2]}');
  const fields = [
    'Host', 'a', 'Content-Type', 'application/json', 'Content-Length', String(body.length),
  ];
  channel.request({ method: 'POST', target: '/echo', fields, ended: false });
  await channel.send(body);
  channel.end();
  const echo = await channel.answer();
  assert.equal(echo.status, 201);
  assert.equal(echo.body, '{"a":[1,2]}');
  assert.equal((await channel.request({ target: '/file' }).answer()).body, source);
  assert.match((await channel.request({ target: '/fail' }).answer()).body, /failed here/);
  assert.equal((await channel.request({ target: '/none' }).answer()).status, 404);
});

test('Fastify 5 is served, and closes', async (t) => {
  const source = `
    const app = require('fastify')();
    app.get('/', async (request) => ({ ip: request.ip, host: request.host }));
    app.get('/stop', async () => { setImmediate(() => app.close()); return 'stopping'; });
    app.listen({ port: 3000 });`;
  const { link, exited, front } = await serving(t, 'app.cjs', source);
  const channel = link.open();
  assert.deepEqual(JSON.parse((await channel.request().answer()).body), {
    ip: '203.0.113.7',
    host: 'app.test',
  });
  assert.equal((await channel.request({ target: '/stop' }).answer()).body, 'stopping');
  await front.until(() => link.unregistered.length === 1);
  assert.deepEqual(await exited, [0, null]);
});

test('Koa 3 is served', async (t) => {
  const source = `
    const Koa = require('koa');
    const app = new Koa();
    app.use((context) => { context.body = { ip: context.ip, path: context.path }; });
    app.listen(3000);`;
  const { link } = await serving(t, 'app.cjs', source);
  const answer = await link.open().request({ target: '/p' }).answer();
  assert.deepEqual(JSON.parse(answer.body), { ip: '203.0.113.7', path: '/p' });
});

test('ws echoes through an upgrade', async (t) => {
  const source = `
    const { WebSocketServer } = require('ws');
    const server = require('http').createServer();
    new WebSocketServer({ server }).on('connection', (socket, request) => {
      socket.send('hello ' + request.socket.remoteAddress);
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    server.listen(3000);`;
  const { link } = await serving(t, 'app.cjs', source);
  const fields = [
    'Host', 'a', 'Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13',
    'Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==',
  ];
  const channel = link.open().request({ fields, upgrade: true });
  await channel.until(() => channel.text.includes('hello 203.0.113.7'));
  assert.match(channel.text, /^HTTP\/1.1 101 [^]*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
  channel.received = [];
  // A masked text frame of "echo", then a close frame.
  await channel.send(Buffer.from('8184000000006563686f', 'hex'));
  await channel.until(() => channel.text === '\x81\x04echo');
  await channel.send(Buffer.from('88820000000003e8', 'hex'));
  await channel.until(() => channel.ends === 1);
  channel.end();
  await channel.until(() => channel.closes === 1);
  const refused = await link.open().request({ fields: fields.slice(0, 6), upgrade: true }).answer();
  assert.equal(refused.status, 400);
});

test('server-sent events arrive one by one, until the client goes', async (t) => {
  const source = `
    require('http').createServer((request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.flushHeaders();
      let count = 0;
      const timer = setInterval(() => response.write('data: ' + count++ + '\\n\\n'), 5);
      response.on('close', () => { clearInterval(timer); console.log('client gone'); });
    }).listen(3000);`;
  const app = await serving(t, 'app.cjs', source);
  const channel = app.link.open().request();
  await channel.until(() => channel.text.includes('data: 2'));
  channel.close();
  const [text] = await once(app.child.stdout!, 'data');
  assert.match(String(text), /client gone/);
});

test('200 MB up and down stay within bounded memory', { timeout: 60_000 }, async (t) => {
  const source = `
    const { Readable } = require('stream');
    let peak = process.memoryUsage().rss;
    setInterval(() => { peak = Math.max(peak, process.memoryUsage().rss); }, 5);
    const piece = Buffer.alloc(65536, 'd');
    require('http').createServer((request, response) => {
      if (request.url === '/peak') return response.end(String(peak));
      if (request.method === 'POST') {
        let bytes = 0;
        request.on('data', (chunk) => { bytes += chunk.length; });
        request.on('end', () => response.end(String(bytes)));
        return;
      }
      let left = 3200;
      new Readable({ read() { this.push(left-- > 0 ? piece : null); } }).pipe(response);
    }).listen(3000);`;
  const { link } = await serving(t, 'app.cjs', source);
  const channel = link.open();
  const before = Number((await channel.request({ target: '/peak' }).answer()).body);
  channel.request({ method: 'POST', ended: false });
  const piece = Buffer.alloc(1 << 20, 'u');
  for (let index = 0; index < 200; index++) await channel.send(piece);
  channel.end();
  assert.equal((await channel.answer()).body, String(200 << 20));
  const start = channel.receivedBytes;
  channel.request();
  await channel.until(() => channel.ends === 3);
  assert.ok(channel.receivedBytes - start > 3200 * 65_536);
  await channel.answer();
  const peak = Number((await channel.request({ target: '/peak' }).answer()).body);
  // Well below what went through: what is left is garbage that was not worth collecting yet.
  assert.ok(peak < before + 120_000_000, `${before} -> ${peak}`);
});

test('a handler that throws is an uncaught exception, and the next frames are served', async (t) => {
  const source = `
    process.on('uncaughtException', (error) => console.log('uncaught', error.message));
    require('http').createServer((request, response) => {
      if (request.url === '/throw') throw new Error('thrown here');
      response.end('alive');
    }).listen(3000);`;
  const app = await serving(t, 'app.cjs', source);
  app.link.open().request({ target: '/throw' });
  const others = [1, 2, 3].map(() => app.link.open().request().answer());
  for (const answer of await Promise.all(others)) assert.equal(answer.body, 'alive');
  assert.match(app.stdout, /uncaught thrown here/);
});

test('a handler that throws ends a program that does not catch it', async (t) => {
  const source = `require('http').createServer(() => { throw new Error('thrown here'); }).listen(3000);`;
  const app = await serving(t, 'app.cjs', source);
  app.link.open().request();
  assert.deepEqual(await app.exited, [1, null]);
  assert.match(app.stderr, /thrown here/);
});

test('what was answered before process.exit arrives', async (t) => {
  const source = `
    require('http').createServer((_, response) => {
      response.end('last words');
      process.exit(0);
    }).listen(3000);`;
  const { link } = await serving(t, 'app.cjs', source);
  assert.equal((await link.open().request().answer()).body, 'last words');
});

test('a program serves on after its front was killed', async (t) => {
  const source = `require('http').createServer((_, response) => response.end('here')).listen(3000);`;
  const { front, link } = await serving(t, 'app.cjs', source);
  assert.equal((await link.open().request().answer()).body, 'here');
  await front.kill();
  await front.listen();
  await front.until(() => front.links.length > 1 && front.link.registrations.length === 1);
  assert.equal((await front.link.open().request().answer()).body, 'here');
});

test('a program ends when no front comes back within the grace time', async (t) => {
  const source = `require('http').createServer(() => {}).listen(3000);`;
  const env = { SLIPSTREAM_GRACE_MS: '100' };
  const app = await serving(t, 'app.cjs', source, { env });
  await app.front.kill();
  assert.deepEqual(await app.exited, [0, null]);
  assert.match(app.stderr, /slipstream: no front reachable for 100 ms/);
});

test('a program that never listens ends without its front, and ends by itself with one', async (t) => {
  const env = { SLIPSTREAM_FRONTS: '/nowhere/front.sock', SLIPSTREAM_GRACE_MS: '100' };
  const lost = await run(t, 'lost.cjs', 'setInterval(() => {}, 1000)', { env });
  assert.deepEqual(await lost.exited, [0, null]);
  assert.match(lost.stderr, /no front reachable/);
  const script = await run(t, 'script.cjs', 'console.log("done")');
  assert.deepEqual(await script.exited, [0, null]);
  assert.equal(script.stdout, 'done\n');
});

test('without the variables of a hosted process, and in worker threads, listen is untouched', async (t) => {
  const source = `
    const { Worker, isMainThread } = require('worker_threads');
    const server = require('http').createServer().listen(0, '127.0.0.1', () => {
      console.log(isMainThread ? 'main' : 'worker', server._handle.constructor.name);
      server.close();
    });
    if (isMainThread) new Worker(__filename);`;
  const app = await run(t, 'app.cjs', source);
  await app.exited;
  assert.deepEqual(app.stdout.trim().split('\n').sort(), ['main AppHandle', 'worker TCP']);
  const alone = await run(t, 'alone.cjs', source, { env: { SLIPSTREAM_FRONTS: undefined, SLIPSTREAM_JOIN: 'off' } });
  await alone.exited;
  assert.deepEqual(alone.stdout.trim().split('\n').sort(), ['main TCP', 'worker TCP']);
});

test('a debuggee whose inspector port is taken ends before the first line of its program', async (t) => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const { port } = other.address() as net.AddressInfo;
  for (const kind of ['wait', 'brk']) {
    const flags = [`--inspect-${kind}=127.0.0.1:${port}`, '--require', preload];
    const app = await run(t, 'taken.js', `console.log('the first line');`, { flags });
    assert.deepEqual(await app.exited, [1, null]);
    assert.equal(app.stdout, '');
    assert.match(app.stderr, new RegExp(`^Starting inspector on 127.0.0.1:${port} failed: address already in`, 'm'));
  }
});

test('an unreferenced server does not keep the program alive', async (t) => {
  const app = await run(t, 'app.cjs', `require('http').createServer().listen(3000).unref();`);
  assert.deepEqual(await app.exited, [0, null]);
});
