// The socket as programs hold it; its exchanges are tested in serve-exchange.test.ts.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { RESET_REASON } from '../wire/link-messages.ts';
import { serve } from './served-app.test.ts';

test('the socket of a request says where the client is', async (t) => {
  const { link } = await serve(t, (request, response) => {
    const { remoteAddress, remotePort, remoteFamily, localAddress, localPort } = request.socket;
    const encrypted = (request.socket as unknown as { encrypted: boolean }).encrypted;
    const address = request.socket.address();
    const found = [remoteAddress, remotePort, remoteFamily, localAddress, localPort, encrypted];
    response.end(JSON.stringify({ found, address, state: request.socket.readyState }));
  });
  const answer = await link.open().request({}, { encrypted: true, remoteAddress: '2001:db8::1' }).answer();
  assert.deepEqual(JSON.parse(answer.body), {
    found: ['2001:db8::1', 50123, 'IPv6', '192.0.2.1', 8080, true],
    address: { address: '192.0.2.1', port: 8080, family: 'IPv4' },
    state: 'open',
  });
});

test('the socket of a request takes assignments as net.Socket does', async (t) => {
  const names = ['encrypted', 'remoteAddress', 'remotePort', 'remoteFamily', 'localAddress', 'localPort'];
  const outcomes = (socket: object): string[] =>
    [...names, 'localFamily', 'bytesRead', 'bytesWritten', 'readyState', 'pending', 'bufferSize'].map((name) =>
      Reflect.set(socket, name, 'set') ? `${name} ${Reflect.get(socket, name)}` : `${name} refused`,
    );
  const { link } = await serve(t, (request, response) => response.end(JSON.stringify(outcomes(request.socket))));
  const answer = await link.open().request().answer();
  const found = JSON.parse(answer.body);
  assert.deepEqual(found, outcomes(new net.Socket()));
  assert.equal(found[0], 'encrypted set');
});

test('ExchangeSocket answers raw bytes of the app and closes behind them', async (t) => {
  const { link } = await serve(t, (request) => {
    request.socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
  });
  const channel = link.open().request();
  assert.equal((await channel.answer()).status, 400);
  await channel.until(() => channel.closes === 1);
  assert.deepEqual(channel.resets, []);
});

test('ExchangeSocket closes the client of an idle channel when the app destroys it', async (t) => {
  const { link, server } = await serve(t, (_, response) => response.end('x'));
  const connected = once(server, 'connection');
  const channel = link.open();
  await channel.request().answer();
  const [socket] = await connected;
  assert.equal(socket.destroyed, false);
  socket.destroy();
  await channel.until(() => channel.closes === 1);
  assert.deepEqual(channel.resets, []);
  assert.equal(socket.destroyed, true);
});

test('ExchangeSocket fails writes after it was destroyed', async (t) => {
  const { link, server } = await serve(t, (request) => {
    request.socket.destroy();
    const isTaken = request.socket.write('late', (error) => server.emit('failed', error));
    assert.equal(isTaken, false);
  });
  link.open().request();
  const [error] = await once(server, 'failed');
  assert.equal(error.code, 'ERR_STREAM_DESTROYED');
});

test('ExchangeSocket.setTimeout counts from the last traffic and can be taken back', async (t) => {
  let fired = 0;
  const { link, server } = await serve(t, (request, response) => {
    const onTimeout = (): void => void (fired += 1);
    request.socket.setTimeout(5, onTimeout);
    if (request.url === '/cancel') {
      request.socket.setTimeout(0, onTimeout);
      assert.equal(request.socket.listenerCount('timeout'), 1);
      response.end('cancelled');
    } else {
      request.socket.once('timeout', () => response.end('timed out'));
    }
  });
  // Without it, node destroys a socket that timed out.
  server.on('timeout', () => {});
  const channel = link.open();
  assert.equal((await channel.request({ target: '/cancel' }).answer()).body, 'cancelled');
  assert.equal(fired, 0);
  assert.equal((await channel.request().answer()).body, 'timed out');
  assert.equal(fired, 1);
});

test('keepAliveTimeout other than the default ends an idle channel and its client', async (t) => {
  const { link, server } = await serve(t, (_, response) => response.end('done'));
  server.keepAliveTimeout = 5;
  const channel = link.open();
  assert.equal((await channel.request().answer()).body, 'done');
  await channel.until(() => channel.closes === 1);
  assert.deepEqual(channel.resets, []);
});

test('resetAndDestroy tells the front to reset the client', async (t) => {
  const { link } = await serve(t, (request) => request.socket.resetAndDestroy());
  const channel = link.open().request();
  await channel.until(() => channel.resets.length === 1);
  assert.deepEqual(channel.resets, [RESET_REASON.APP_RESET]);
});

test('ExchangeSocket counts bytes and takes the calls that mean nothing here', async (t) => {
  const { link } = await serve(t, (request, response) => {
    const { socket } = request;
    socket.setNoDelay(true).setKeepAlive(true, 1).ref().unref();
    request.resume();
    request.on('end', () => response.end(`${socket.bytesRead} ${socket.pending} ${socket.connecting}`));
  });
  const channel = link.open().request({ method: 'POST', ended: false });
  await channel.send(Buffer.alloc(1000));
  channel.end();
  assert.equal((await channel.answer()).body, '1000 false false');
});

test('ExchangeSocket half-closes a tunnel and still reads', async (t) => {
  const { link, server } = await serve(t, () => {});
  const heard = new Promise<string>((resolve) => {
    server.on('upgrade', async (_: IncomingMessage, socket: Duplex) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\nbye');
      let text = '';
      for await (const piece of socket) text += piece;
      resolve(text);
    });
  });
  const channel = link.open().request({ upgrade: true });
  await channel.until(() => channel.ends === 1);
  assert.equal(channel.closes, 0);
  await channel.send(Buffer.from('still here'));
  channel.end();
  assert.equal(await heard, 'still here');
  await channel.until(() => channel.closes === 1);
});

test('ExchangeSocket resets a tunnel that the app destroys', async (t) => {
  const { link, server } = await serve(t, () => {});
  server.on('upgrade', (_: IncomingMessage, socket: Duplex) => socket.destroy());
  const channel = link.open().request({ upgrade: true });
  await channel.until(() => channel.isOver);
  assert.deepEqual(channel.resets, [RESET_REASON.APP_ABORTED]);
});

test('an upgrade hands the socket over as a Duplex', async (t) => {
  const { link, server } = await serve(t, (_, response) => response.end('plain'));
  const refused = await link.open().request({ upgrade: true }).answer();
  assert.equal(refused.body, 'plain');
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    assert.equal((request as { upgrade?: boolean }).upgrade, true);
    assert.equal(head.length, 0);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n');
    socket.pipe(socket);
  });
  const channel = link.open().request({ upgrade: true, fields: ['Host', 'a', 'Upgrade', 'x'] });
  await channel.until(() => channel.text.includes('\r\n\r\n'));
  channel.received = [];
  const sent = Buffer.alloc(1_000_000, 'abcdefg');
  await Promise.all([channel.send(sent), channel.until(() => channel.text.length >= sent.length)]);
  assert.equal(channel.text, sent.toString('latin1'));
  channel.end();
  await channel.until(() => channel.ends === 1);
  await channel.until(() => channel.closes === 1);
});

test('a tunnel delivers what came before the client went', async (t) => {
  const { link, server } = await serve(t, () => {});
  let text = '';
  let closed: () => void;
  const over = new Promise<void>((resolve) => (closed = resolve));
  server.on('upgrade', (_: IncomingMessage, socket: Duplex) => {
    socket.on('close', closed);
    setImmediate(() => socket.on('data', (piece) => (text += piece)));
  });
  const channel = link.open().request({ upgrade: true });
  await channel.send(Buffer.from('last words'));
  channel.end();
  channel.close();
  await over;
  assert.equal(text, 'last words');
});

test('CONNECT needs a listener', async (t) => {
  const { link, server } = await serve(t, () => {});
  const channel = link.open().request({ method: 'CONNECT', target: 'a:1', upgrade: true });
  await channel.until(() => channel.isOver);
  server.on('connect', (_: IncomingMessage, socket: Duplex) => {
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  const refused = link.open().request({ method: 'CONNECT', target: 'a:1', upgrade: true });
  assert.equal((await refused.answer()).status, 403);
});
