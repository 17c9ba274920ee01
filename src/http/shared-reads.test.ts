import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { made } from '../../test/made-certificates.ts';
import { withFront } from './front.test.support.ts';
import { onBytes } from './shared-reads.ts';

/** A server that collects what comes, and a client of it. */
async function withServer(
  prepare: (socket: net.Socket) => void,
  body: (pair: { client: net.Socket; socket: net.Socket }) => Promise<void>,
): Promise<void> {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  server.on('connection', prepare);
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [socket] = await accepted;
  try {
    await body({ client, socket });
  } finally {
    client.destroy();
    socket.destroy();
    server.close();
  }
}

test('reads of accepted sockets are shared in this version of node, and their ends are told', async () => {
  let text = '';
  let first: Buffer | null = null;
  const prepare = (socket: net.Socket): void => {
    const isShared = onBytes(socket, (buffer, length, shared) => {
      assert.equal(shared, true);
      first ??= buffer;
      assert.equal(buffer, first);
      text += buffer.toString('latin1', 0, length);
    });
    assert.equal(isShared, true);
  };
  await withServer(prepare, async ({ client, socket }) => {
    const ended = once(socket, 'end');
    client.write('abc');
    client.end('def');
    await ended;
    assert.equal(text, 'abcdef');
    assert.ok(socket.writable, 'a half-closed client still gets its answer');
  });
});

test('reads of TLS sockets are shared in this version of node, as those of plain ones', async () => {
  const { cert, key } = made('localhost');
  const server = tls.createServer({ cert, key, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let bytes = 0;
  const secured = new Promise<tls.TLSSocket>((resolve) => {
    server.on('secureConnection', (socket) => {
      const isShared = onBytes(socket, (buffer, length, shared) => {
        assert.equal(shared, true);
        assert.ok(buffer.subarray(0, length).every((byte) => byte === 0x61));
        bytes += length;
      });
      assert.equal(isShared, true);
      resolve(socket);
    });
  });
  const client = tls.connect({ port: (server.address() as net.AddressInfo).port, rejectUnauthorized: false });
  try {
    client.end('a'.repeat(300_000));
    const socket = await secured;
    await once(socket, 'end');
    assert.equal(bytes, 300_000);
    socket.destroy();
  } finally {
    client.destroy();
    server.close();
  }
});

test('a paused socket whose reads are shared gets nothing until it is resumed', async () => {
  let bytes = 0;
  const prepare = (socket: net.Socket): void => {
    onBytes(socket, (_, length) => {
      bytes += length;
      socket.pause();
      socket.emit('taken');
    });
  };
  await withServer(prepare, async ({ client, socket }) => {
    const taken = once(socket, 'taken');
    const size = 8_388_608;
    client.end(Buffer.alloc(size));
    await taken;
    const before = bytes;
    // Others are read meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(bytes, before);
    const ended = once(socket, 'end');
    socket.on('taken', () => socket.resume());
    socket.resume();
    await ended;
    assert.equal(bytes, size);
  });
});

test('a socket that was read from before goes on with data events', async () => {
  let isShared = true;
  const pieces: string[] = [];
  await withServer(() => {}, async ({ client, socket }) => {
    client.write('abc');
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    socket.pause();
    socket.unshift(chunk);
    isShared = onBytes(socket, (buffer, length) => pieces.push(buffer.toString('latin1', 0, length)));
    const ended = once(socket, 'end');
    socket.resume();
    client.end('def');
    await ended;
    assert.equal(isShared, false);
    assert.equal(pieces.join(''), 'abcdef');
  });
});

test('what clients send in pieces, by turns, stays theirs: heads, bodies and pipelined requests', () =>
  withFront({}, async ({ client, join }) => {
    const app = await join();
    const size = 5000;
    const clients = Array.from({ length: 8 }, (_, index) => {
      const letter = String.fromCharCode(0x61 + index);
      const body = letter.repeat(size);
      const fields = `Host: a\r\nX-Of: ${letter.repeat(20)}\r\n`;
      const first = `POST /${letter} HTTP/1.1\r\n${fields}Content-Length: ${size}\r\n\r\n${body}`;
      const text = `${first}GET /${letter}2 HTTP/1.1\r\n${fields}\r\n`;
      return { letter, body, text, made: client() };
    });
    const ends = [10, 60, 120, 121, 4096, size, size + 100, Infinity];
    let start = 0;
    for (const end of ends) {
      for (const { made, text } of clients) made.write(text.slice(start, end));
      // Each client is read before the next piece goes out: somebody else's bytes are where its own were.
      await new Promise((resolve) => setImmediate(resolve));
      start = end;
    }
    const bodies = new Map(clients.map(({ letter, body }) => [letter, body]));
    for (let count = 0; count < clients.length * 2; count++) {
      const { channel, request } = await app.request();
      const letter = request.target[1]!;
      assert.equal(request.fields[3], letter.repeat(20));
      if (request.target.length === 2) assert.equal((await app.body(channel)).text, bodies.get(letter));
      app.answer(channel, letter);
    }
  }));
