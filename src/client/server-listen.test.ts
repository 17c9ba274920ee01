import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import { RESET_REASON } from '../wire/link-messages.ts';
import { join, serve } from './served-app.test.ts';
import { isHttpServer, planListen } from './server-listen.ts';

const callback = (): void => {};

test('planListen understands every form that means a TCP port', () => {
  const none = { port: 0, host: undefined, backlog: 0, signal: undefined, callback: undefined };
  const { signal } = new AbortController();
  const table: [unknown[], object][] = [
    [[], {}],
    [[callback], { callback }],
    [[null, callback], { callback }],
    [[undefined], {}],
    [[3000], { port: 3000 }],
    [['3000', callback], { port: 3000, callback }],
    [[3000, 'localhost', callback], { port: 3000, host: 'localhost', callback }],
    [[3000, '::1', 100, callback], { port: 3000, host: '::1', backlog: 100, callback }],
    [[3000, 100], { port: 3000, backlog: 100 }],
    [[{ port: 3000 }], { port: 3000 }],
    [[{ port: '3000', host: '', backlog: 5 }], { port: 3000, backlog: 5 }],
    [[{ port: undefined }], {}],
    [[{ port: 1, signal }, callback], { port: 1, signal, callback }],
  ];
  for (const [args, expected] of table) {
    assert.deepEqual(planListen(args), { ...none, ...expected }, JSON.stringify(args));
  }
});

test('planListen leaves everything else to node', () => {
  const table: unknown[][] = [
    ['/tmp/x.sock'], [''], [65_536], [-1], [1.5], [{ path: '/tmp/x.sock' }], [{ fd: 3 }], [{}],
    [{ handle: {}, port: 1 }], [{ port: 'x' }], [{ port: 1, signal: 'now' }], [true],
  ];
  for (const args of table) assert.equal(planListen(args), null, JSON.stringify(args));
});

test('isHttpServer knows http and https from other servers', () => {
  assert.equal(isHttpServer(http.createServer()), true);
  assert.equal(isHttpServer(https.createServer()), true);
  assert.equal(isHttpServer(net.createServer()), false);
  assert.equal(isHttpServer(tls.createServer()), false);
  assert.equal(isHttpServer(http2.createServer()), false);
  assert.equal(isHttpServer(http2.createSecureServer({ allowHTTP1: true })), false);
});

test('listening is emitted in the next tick, and address() says what was asked for', async (t) => {
  const { listen } = await join(t);
  const server = http.createServer();
  let called = false;
  listen.listen(server, planListen([3000, () => (called = true)])!);
  assert.equal(server.listening, true);
  assert.equal(called, false);
  await new Promise((resolve) => process.nextTick(resolve));
  assert.equal(called, true);
  assert.deepEqual(server.address(), { address: '::', family: 'IPv6', port: 3000 });
  server.close();
  assert.equal(server.address(), null);
  await once(server, 'close');
});

test('port 0 is the number in PORT', async (t) => {
  const { listen } = await join(t);
  const server = http.createServer();
  listen.listen(server, planListen([0, '127.0.0.1'])!);
  assert.deepEqual(server.address(), { address: '127.0.0.1', family: 'IPv4', port: 8080 });
  server.close();
});

test('close unregisters at once, and ends when the last exchange is over', async (t) => {
  let finish = (): void => {};
  const { front, link, server } = await serve(t, (request, response) => {
    if (request.url === '/') response.end('quick');
    else finish = () => response.end('slow');
  });
  const idle = link.open();
  await idle.request().answer();
  const busy = link.open().request({ target: '/slow' });
  await new Promise<void>((resolve) => server.once('request', () => resolve()));
  let isClosed = false;
  const closed = once(server, 'close');
  server.close(() => (isClosed = true));
  await front.until(() => link.unregistered.length === 1);
  await idle.until(() => idle.isOver);
  assert.deepEqual(idle.resets, [RESET_REASON.NO_SERVER]);
  assert.equal(isClosed, false);
  finish();
  assert.equal((await busy.answer()).body, 'slow');
  await busy.until(() => busy.isOver);
  await closed;
  const late = link.open().request();
  await late.until(() => late.isOver);
  assert.deepEqual(late.resets, [RESET_REASON.NO_SERVER]);
});

test('a closed server may listen again', async (t) => {
  const { front, link, server, listen } = await serve(t, (_, response) => response.end('again'));
  server.close();
  await once(server, 'close');
  listen.listen(server, planListen([3000])!);
  await front.until(() => link.registrations.length === 2);
  assert.equal((await link.open().request().answer()).body, 'again');
});

test('a second server on the same port of another address needs no socket', async (t) => {
  const { front, link, server, listen } = await serve(t, (_, response) => response.end('first'));
  const second = http.createServer((_, response) => response.end('second'));
  assert.equal(listen.listen(second, planListen([{ port: 3000, host: '127.0.0.1' }])!), true);
  await once(second, 'listening');
  assert.equal((await link.open().request().answer()).body, 'first');
  server.close();
  assert.equal((await link.open().request().answer()).body, 'second');
  const third = http.createServer();
  listen.listen(third, planListen([{ port: 3000, host: '127.0.0.1' }])!);
  const [error] = await once(third, 'error');
  assert.equal(error.code, 'EADDRINUSE');
  second.close();
  await front.until(() => link.unregistered.length === 1);
});

test('a server on a second port is left to node, with a warning', async (t) => {
  const { listen } = await serve(t, () => {});
  const warned = once(process, 'warning');
  assert.equal(listen.listen(http.createServer(), planListen([4000])!), false);
  assert.equal((await warned)[0].code, 'SLIPSTREAM_SECOND_SERVER');
});

test('an https server serves exchanges; its key is not used', async (t) => {
  const { front, listen } = await join(t);
  const server = https.createServer({}, (request, response) => {
    response.end(String((request.socket as tls.TLSSocket).encrypted));
  });
  const warned = once(process, 'warning');
  listen.listen(server, planListen([8443])!);
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  assert.equal((await warned)[0].code, 'SLIPSTREAM_TLS_UNUSED');
  const link = await front.registered();
  const answer = await link.open().request({}, { encrypted: true }).answer();
  assert.equal(answer.body, 'true');
});

test('an abort signal closes the server', async (t) => {
  const { listen } = await join(t);
  const controller = new AbortController();
  const server = http.createServer();
  listen.listen(server, planListen([{ port: 1, signal: controller.signal }])!);
  controller.abort();
  await once(server, 'close');
  const late = http.createServer();
  listen.listen(late, planListen([{ port: 1, signal: AbortSignal.abort() }])!);
  await once(late, 'close');
});

test('planListen takes the port of a URL prefix', () => {
  assert.equal(planListen(['https://*:8443/foo/'])?.port, 8443);
  assert.equal(planListen(['https://shop.test/'])?.port, 443);
  assert.equal(planListen(['http://[::1]:81/a/b/'])?.port, 81);
  assert.equal(planListen(['http:/tmp/x.sock']), null);
});
