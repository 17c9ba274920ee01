// WebSockets by the ws library, through a host and with node alone: what goes through, what is refused, who gets which
// handshake by its prefix, and what a program does that has no listener for upgrades.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { until } from './http-client.ts';
import { hostFor, run, type Program } from './join-program.ts';

const WS = JSON.stringify(createRequire(import.meta.url).resolve('ws'));

/** Echoes, but refuses `/refused`; says what it listens on. Its word is where. */
const ECHOES = `
const http = require('http');
const { WebSocketServer } = require(${WS});
const server = http.createServer((request, response) => response.end('plain ' + request.url));
const sockets = new WebSocketServer({ noServer: true, maxPayload: 1 << 30 });
server.on('upgrade', (request, socket, head) => {
  if (request.url.endsWith('/refused')) {
    const fields = 'X-Why: because\\r\\nContent-Length: 2\\r\\nConnection: close';
    return socket.end('HTTP/1.1 401 Unauthorized\\r\\n' + fields + '\\r\\n\\r\\nno');
  }
  sockets.handleUpgrade(request, socket, head, (client) => {
    client.send('at ' + process.argv[2] + ' ' + request.url);
    client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    client.on('ping', () => client.send('pinged'));
    client.on('close', (code, reason) => console.log('closed ' + code + ' ' + reason));
  });
});
const word = process.argv[2];
server.listen(/^http/.test(word) ? word : Number(word), () => console.log('listens on ' + server.address().port));
`;
/** No listener for upgrades: node hands such a request to the program as any other, and ends a CONNECT. */
const BARE = `
const server = require('http').createServer((request, response) => {
  response.end('plain ' + request.headers.upgrade + ' ' + request.method);
});
server.listen(0, () => console.log('listens on ' + server.address().port));
`;

interface Peer {
  socket: WebSocket;
  /** The next message, as text or bytes. */
  next(): Promise<string | Buffer>;
}

async function open(t: TestContext, url: string): Promise<Peer> {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 1 << 30 });
  t.after(() => socket.terminate());
  const messages: (string | Buffer)[] = [];
  let wake = (): void => {};
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    messages.push(isBinary ? data : data.toString());
    wake();
  });
  await once(socket, 'open');
  const next = async (): Promise<string | Buffer> => {
    while (messages.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return messages.shift()!;
  };
  return { socket, next };
}

/** What a raw client gets until the connection ends. */
async function raw(port: number, words: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(words, 'latin1');
  let text = '';
  socket.on('error', () => {}).on('data', (piece: Buffer) => (text += piece.toString('latin1')));
  await new Promise((resolve) => socket.on('close', resolve));
  return text;
}

async function portOf(program: Program): Promise<number> {
  return Number((await program.line(/listens on (\d+)/))[1]);
}

const HANDSHAKE = 'Host: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  `Sec-WebSocket-Key: ${Buffer.alloc(16, 1).toString('base64')}\r\n`;
/** A masked text frame `early`, with a mask of zeros. */
const EARLY_FRAME = '\x81\x85\0\0\0\0early';

test('WebSockets echo, large messages whole, with pings, early bytes, and close codes both ways', async (t) => {
  const host = await hostFor(t);
  const program = run(t, host, ECHOES, ['0']);
  const port = await portOf(program);
  const { socket, next } = await open(t, `ws://127.0.0.1:${port}/chat?a`);
  assert.equal(await next(), 'at 0 /chat?a');
  socket.send('hello');
  assert.equal(await next(), 'hello');
  for (const size of [0, 125, 126, 65_535, 65_536, 5_000_001]) {
    const bytes = randomBytes(size);
    socket.send(bytes);
    assert.ok(bytes.equals((await next()) as Buffer), `${size} bytes`);
  }
  socket.ping();
  assert.equal(await next(), 'pinged');
  socket.close(4001, 'enough');
  await program.line(/closed 4001 enough/);

  const early = connect({ port, host: '127.0.0.1' });
  t.after(() => early.destroy());
  early.write(`GET /early HTTP/1.1\r\n${HANDSHAKE}\r\n${EARLY_FRAME}`, 'latin1');
  let text = '';
  early.on('data', (piece: Buffer) => (text += piece.toString('latin1')));
  await until('the echo of the early frame', () => (text.endsWith('\x81\x05early') ? true : undefined));
  assert.match(text, /^HTTP\/1\.1 101 /);
  // A half close without a closing handshake is told as such, and the other half ends, too.
  early.end();
  await program.line(/closed 1006 /);
  await once(early, 'close');
});

test('64 MB each way at once pass a WebSocket whole, in order', async (t) => {
  const host = await hostFor(t);
  const port = await portOf(run(t, host, ECHOES, ['0']));
  const { socket, next } = await open(t, `ws://127.0.0.1:${port}/`);
  await next();
  const piece = randomBytes(1 << 20);
  for (let index = 0; index < 64; index += 1) socket.send(Buffer.concat([Buffer.from([index]), piece]));
  for (let index = 0; index < 64; index += 1) {
    const got = (await next()) as Buffer;
    assert.equal(got[0], index);
    assert.ok(piece.equals(got.subarray(1)), `piece ${index}`);
  }
});

test('a handshake goes to the program of its prefix; elsewhere it is answered without one', async (t) => {
  const host = await hostFor(t);
  const words = ['one', 'one/two'].map((path) => `http://*:${host.port}/${path}/`);
  for (const word of words) await portOf(run(t, host, ECHOES, [word]));
  const base = `ws://127.0.0.1:${host.port}`;
  for (const [path, word] of [['/one/x', words[0]], ['/one/two/x', words[1]], ['/one/two', words[1]]] as const) {
    const { next } = await open(t, base + path);
    assert.equal(await next(), `at ${word} ${path}`);
  }
  const lost = new WebSocket(`${base}/nowhere`);
  const [error] = (await once(lost, 'error')) as [Error];
  assert.match(error.message, /Unexpected server response: 404/);
});

test('a refused handshake, and one that nobody listens for, end as with node alone', async (t) => {
  const host = await hostFor(t);
  const alone = { home: '/nonexistent' };
  const env = { SLIPSTREAM_JOIN: 'off' };
  const seen: string[][] = [];
  for (const [home, options] of [[alone, { env }], [host, {}]] as const) {
    const echoes = await portOf(run(t, home, ECHOES, ['0'], options));
    const bare = await portOf(run(t, home, BARE, [], options));
    const texts = [
      await raw(echoes, `GET /refused HTTP/1.1\r\n${HANDSHAKE}\r\n`),
      await raw(bare, `GET / HTTP/1.1\r\n${HANDSHAKE.replace('keep-alive', 'close')}\r\n`),
      await raw(bare, 'CONNECT b:1 HTTP/1.1\r\nHost: a\r\n\r\n'),
    ];
    seen.push(texts.map((text) => text.replace(/^(?:Date|Connection|Keep-Alive): .*\r\n/gm, '')));
  }
  assert.deepEqual(seen[1], seen[0]);
  assert.match(seen[0]![0]!, /^HTTP\/1\.1 401 .*\r\n\r\nno$/s);
  assert.match(seen[0]![1]!, /plain /);
});
