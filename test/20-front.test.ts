// The way of a request through the real processes: permissions, drop-in programs, streams, resets, upgrades.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';

test('host, front and app are processes of their own with private sockets', async (t) => {
  const host = await startHost({
    files: { 'shop/server.js': `require('http').createServer((req, res) => res.end('x')).listen(0)` },
  });
  t.after(() => host.stop());
  await get(`${host.url}shop/`);
  const star = request({ port: host.port, method: 'OPTIONS', path: '*', agent: false }).end();
  assert.equal(((await once(star, 'response')) as [IncomingMessage])[0].statusCode, 204);
  assert.deepEqual(host.processes().map(({ role }) => role).sort(), ['app', 'front']);
  assert.equal(statSync(host.home).mode & 0o777, 0o700);
  assert.equal(statSync(host.runFolder).mode & 0o777, 0o700);
  const sockets = readdirSync(host.runFolder).filter((name) => name.endsWith('.sock'));
  assert.ok(sockets.length >= 1);
  for (const name of sockets) assert.equal(statSync(join(host.runFolder, name)).mode & 0o777, 0o600, name);
});

test('unchanged programs run: Koa, top-level await, a port of their own, TypeScript', async (t) => {
  const host = await startHost({
    files: {
      'koa/index.mjs': `import Koa from 'koa';
        const app = new Koa();
        app.use(async (context) => { context.body = { path: context.path, ip: context.ip }; });
        app.listen(process.env.PORT);`,
      'await/main.mjs': `import { createServer } from 'node:http';
        const word = await new Promise((resolve) => setTimeout(resolve, 20, 'later'));
        const server = createServer((req, res) => res.end(word));
        await new Promise((resolve) => server.listen({ port: 0 }, resolve));
        if (server.address() === null || !server.listening) throw new Error('no address');`,
      'fixed/server.js': `const net = require('net');
        const server = require('http').createServer((req, res) => {
          net.connect(server.address().port, '127.0.0.1')
            .on('connect', () => res.end('open'))
            .on('error', (error) => res.end(error.code));
        }).listen(39473);`,
      'typed/app.ts': `import { createServer, type IncomingMessage } from 'node:http';
        const target = (request: IncomingMessage): string => request.url ?? '';
        createServer((request, response) => { response.end(target(request)); }).listen(0);`,
    },
  });
  t.after(() => host.stop());
  const koa = JSON.parse((await get(`${host.url}koa/a`)).text) as { path: string; ip: string };
  assert.deepEqual(koa, { path: '/koa/a', ip: '127.0.0.1' });
  assert.equal((await get(`${host.url}await/`)).text, 'later');
  assert.equal((await get(`${host.url}fixed/`)).text, 'ECONNREFUSED');
  assert.equal((await get(`${host.url}typed/x?y`)).text, '/typed/x?y');
});

const STREAMS = `
const aborted = [];
const server = require('http').createServer((req, res) => {
  if (req.url.endsWith('/aborted')) return res.end(JSON.stringify(aborted));
  if (req.url.endsWith('/hang')) { req.on('close', () => aborted.push(req.url)); return res.write('.'); }
  if (req.url.endsWith('/echo')) return req.pipe(res);
  res.end(req.method + ' ' + req.url);
});
server.on('upgrade', (req, socket, head) => {
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n');
  if (head.length > 0) socket.write(head);
  socket.pipe(socket);
});
server.listen(0);
`;

test('an answer that a client gives up on reaches the app as a close', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': STREAMS } });
  t.after(() => host.stop());
  const sent = request(`${host.url}shop/hang`, { agent: false });
  sent.on('error', () => {});
  sent.end();
  await once(sent, 'response');
  sent.destroy();
  await until('the app hears of it', async () => {
    const { text } = await get(`${host.url}shop/aborted`);
    return text === '["/shop/hang"]' ? true : undefined;
  });
});

test('pipelined requests are answered in their order', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': STREAMS } });
  t.after(() => host.stop());
  const socket = connect(host.port, '127.0.0.1');
  const heads = [1, 2, 3].map((count) => `GET /shop/${count} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  socket.write(`${heads.join('')}GET /shop/4 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  assert.deepEqual(text.match(/GET \/shop\/\d/g), ['GET /shop/1', 'GET /shop/2', 'GET /shop/3', 'GET /shop/4']);
});

test('an upgrade becomes a tunnel, early bytes and half close included', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': STREAMS } });
  t.after(() => host.stop());
  const socket = connect({ port: host.port, host: '127.0.0.1', allowHalfOpen: true });
  const head = 'GET /shop/ HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n';
  socket.write(`${head}early`);
  let text = '';
  socket.on('data', (chunk) => (text += String(chunk)));
  await until('the early bytes', () => (text.endsWith('early') ? true : undefined));
  socket.end('last');
  await once(socket, 'end');
  assert.match(text, /^HTTP\/1\.1 101 /);
  assert.match(text, /\r\n\r\nearlylast$/);
});

test('a request body comes back while it is still being sent', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': STREAMS } });
  t.after(() => host.stop());
  const sent = request(`${host.url}shop/echo`, { method: 'POST', agent: false });
  sent.write('one');
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  const [first] = (await once(response, 'data')) as [Buffer];
  assert.equal(first.toString(), 'one');
  sent.end('two');
  const [second] = (await once(response, 'data')) as [Buffer];
  assert.equal(second.toString(), 'two');
});

test('a second SIGINT stops at once what the first one drains', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': STREAMS } });
  t.after(() => host.stop());
  const sent = request(`${host.url}shop/hang`, { agent: false });
  sent.on('error', () => {});
  sent.end();
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  response.on('error', () => {});
  const pids = host.processes().map(({ pid }) => pid);
  process.kill(host.pid, 'SIGINT');
  await host.line(/stopping signal=SIGINT/);
  process.kill(host.pid, 'SIGINT');
  const { code } = await host.exited;
  assert.equal(code, 1);
  await until('all children ended', () => (pids.some(isAlive) ? undefined : true));
});
