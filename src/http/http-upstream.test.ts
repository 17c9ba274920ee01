import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Inbox, withFront, type TestFront, type TestFrontOptions } from './front.test.support.ts';

/** A connection as the backend sees it, by hand. */
class BackendPeer {
  readonly socket: net.Socket;
  received = '';
  #changed: (() => void)[] = [];

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      for (const look of this.#changed.splice(0)) look();
    });
    socket.on('error', () => socket.destroy());
  }

  /** Takes everything up to the end of `text`. */
  async until(text: string): Promise<string> {
    while (!this.received.includes(text)) await new Promise<void>((resolve) => this.#changed.push(resolve));
    const end = this.received.indexOf(text) + text.length;
    const taken = this.received.slice(0, end);
    this.received = this.received.slice(end);
    return taken;
  }

  /** Takes a request without a body and answers it. */
  async serve(body: string, fields = ''): Promise<string> {
    const head = await this.until('\r\n\r\n');
    this.socket.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`);
    return head;
  }
}

interface TestBackend extends TestFront {
  /** Connections in the order in which they came. */
  peers: Inbox<BackendPeer>;
  server: net.Server;
}

async function withBackend(
  body: (test: TestBackend) => Promise<void>,
  options: TestFrontOptions & { kind?: 'tcp' | 'unix' } = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'slip-backend-'));
  const peers = new Inbox<BackendPeer>();
  const made: BackendPeer[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    made.push(new BackendPeer(socket));
    peers.push(made.at(-1)!);
  });
  const path = join(folder, 'backend.sock');
  server.listen(options.kind === 'unix' ? { path } : { port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const address = server.address();
  const backend = typeof address === 'string' ? `unix:${address}` : `http://127.0.0.1:${address!.port}`;
  try {
    await withFront(
      {
        ...options,
        groups: [{ id: 'app', name: 'shop', onDemand: true }, { id: 'old', name: 'old', onDemand: false, backend }],
        routes: [{ prefix: '/', group: 'app' }, { prefix: '/old/', group: 'old' }],
      },
      (front) => body({ ...front, peers, server }),
    );
  } finally {
    for (const { socket } of made) socket.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

test('a backend gets the request in origin form and its connection is used again', () =>
  withBackend(async ({ client, peers }) => {
    const browser = client();
    browser.write('GET http://shop/old/a?b HTTP/1.1\r\nHost: shop\r\nX-One: 1\r\nConnection: keep-alive\r\n\r\n');
    const peer = await peers.next();
    const head = 'GET /old/a?b HTTP/1.1\r\nHost: shop\r\nX-One: 1\r\nVia: 1.1 slipstream\r\n\r\n';
    assert.equal(await peer.serve('one'), head);
    await browser.until('one');
    browser.get('/old/b');
    await peer.serve('two');
    await browser.until('two');
    const other = client();
    other.get('/old/c');
    await peer.serve('three');
    await other.until('three');
    assert.equal(peers.rest.length, 0);
  }));

test('a backend behind a Unix socket answers', () =>
  withBackend(async ({ client, peers }) => {
    const browser = client();
    browser.write('GET /old/ HTTP/1.0\r\n\r\n');
    const head = await (await peers.next()).serve('one', 'Connection: close\r\n');
    assert.match(head, /\r\nHost: localhost\r\nVia: 1.0 slipstream\r\n/);
    assert.match(await browser.rest(), /one$/);
  }, { kind: 'unix' }));

test('bodies pass in both framings, with trailers, each on a connection of its own', () =>
  withBackend(async ({ client, peers }) => {
    const browser = client();
    browser.write('POST /old/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel');
    const first = await peers.next();
    await first.until('hel');
    browser.write('lo');
    await first.until('lo');
    first.socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nDigest: x\r\n\r\n');
    await browser.until('2\r\nab\r\n0\r\nDigest: x\r\n\r\n');
    browser.write('POST /old/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n');
    const second = await peers.next();
    assert.match(await second.until('T: 1\r\n\r\n'), /chunked\r\n.*\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n$/s);
    second.socket.write('HTTP/1.1 204 No Content\r\n\r\n');
    await browser.until('204 No Content');
  }));

test('a connection that the backend closes is not used again; neither is one that it says it closes', () =>
  withBackend(async ({ client, peers }) => {
    const browser = client();
    browser.get('/old/');
    const first = await peers.next();
    await first.serve('one', 'Connection: close\r\n');
    assert.doesNotMatch(await browser.until('one'), /Connection: close/, 'the connection of the client stays');
    browser.get('/old/');
    const second = await peers.next();
    await second.serve('two');
    await browser.until('two');
    second.socket.end();
    await once(second.socket, 'close');
    browser.get('/old/');
    await (await peers.next()).serve('three');
    await browser.until('three');
  }));

test('a request that may be repeated is sent once more when a used connection breaks', () =>
  withBackend(async ({ client, peers }) => {
    const browser = client();
    browser.get('/old/');
    const first = await peers.next();
    await first.serve('one');
    await browser.until('one');
    browser.get('/old/again');
    await first.until('\r\n\r\n');
    first.socket.resetAndDestroy();
    const second = await peers.next();
    assert.match(await second.until('\r\n\r\n'), /^GET \/old\/again /);
    second.socket.resetAndDestroy();
    assert.match(await browser.until('UPSTREAM_LOST'), /^HTTP\/1.1 502/);
    assert.equal(peers.rest.length, 0);
  }));

test('a request that may not be repeated gets a fresh connection and is sent once', () =>
  withBackend(async ({ client, peers }) => {
    const browser = client();
    browser.get('/old/');
    await (await peers.next()).serve('one');
    await browser.until('one');
    browser.write('POST /old/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx');
    const second = await peers.next();
    await second.until('\r\n\r\nx');
    second.socket.end();
    assert.match(await browser.until('UPSTREAM_LOST'), /^HTTP\/1.1 502/);
    assert.equal(peers.rest.length, 0);
  }));

test('free connections are closed after upstreamIdleTimeoutMs', () =>
  withBackend(async ({ client, peers, clock }) => {
    const browser = client();
    browser.get('/old/');
    const first = await peers.next();
    await first.serve('one');
    await browser.until('one');
    const closed = once(first.socket, 'end');
    clock.advance(5000);
    await closed;
  }));

test('a backend that is not there answers 502, one that says nothing 504', () =>
  withBackend(async ({ client, peers, server, pass }) => {
    const browser = client();
    browser.get('/old/');
    const peer = await peers.next();
    await peer.until('\r\n\r\n');
    pass(120_000);
    assert.match(await browser.until('UPSTREAM_TIMED_OUT'), /^HTTP\/1.1 504/);
    server.close();
    const other = client();
    other.get('/old/');
    assert.match(await other.until('UPSTREAM_UNREACHABLE'), /^HTTP\/1.1 502/);
  }));

test('what is no HTTP, too much or too little of an answer is refused or cut', () =>
  withBackend(async ({ client, peers }) => {
    const cases = [
      ['SSH-2.0\r\n', 'UPSTREAM_BAD_RESPONSE'],
      ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 'UPSTREAM_BAD_RESPONSE'],
      ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab', '\r\n\r\na'],
    ] as const;
    for (const [bytes, expected] of cases) {
      const browser = client();
      browser.get('/old/');
      const peer = await peers.next();
      await peer.until('\r\n\r\n');
      peer.socket.write(bytes);
      await browser.until(expected);
    }
    const browser = client();
    browser.get('/old/');
    const peer = await peers.next();
    await peer.until('\r\n\r\n');
    peer.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab');
    await browser.until('ab');
    peer.socket.end();
    await browser.closed;
  }));

test('a body that ends with the connection becomes chunks', () =>
  withBackend(async ({ client, peers }) => {
    const browser = client();
    browser.get('/old/');
    const peer = await peers.next();
    await peer.until('\r\n\r\n');
    peer.socket.end('HTTP/1.0 200 OK\r\n\r\nab');
    assert.match(await browser.until('0\r\n\r\n'), /chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n$/);
  }));

test('an upgrade becomes a tunnel, each half ended alone', () =>
  withBackend(async ({ client, peers }) => {
    const browser = client();
    browser.get('/old/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n');
    const peer = await peers.next();
    assert.match(await peer.until('\r\n\r\n'), /Connection: Upgrade\r\nUpgrade: websocket\r\n/);
    peer.socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi');
    await browser.until('\r\n\r\nhi');
    browser.write('there');
    await peer.until('there');
    const ended = once(peer.socket, 'end');
    browser.socket.end();
    await ended;
    peer.socket.end('bye');
    assert.equal(await browser.rest(), 'bye');
    assert.equal(await browser.closed, 'end');
  }));

test('a client that reads slowly stops the backend, and gets everything', () =>
  withBackend(async ({ client, peers }) => {
    const length = 20_000_000;
    const browser = client();
    browser.socket.pause();
    browser.get('/old/');
    const peer = await peers.next();
    await peer.until('\r\n\r\n');
    let isTaken = false;
    peer.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
    peer.socket.write(Buffer.alloc(length, 'x'), () => {
      isTaken = true;
    });
    const other = client();
    other.get('/old/');
    await (await peers.next()).serve('other');
    await other.until('other');
    assert.equal(isTaken, false);
    browser.socket.resume();
    await browser.bytes(length);
  }));

test('a client that goes away takes its connection to the backend along', () =>
  withBackend(async ({ client, peers }) => {
    const browser = client();
    browser.get('/old/');
    const peer = await peers.next();
    await peer.until('\r\n\r\n');
    const closed = once(peer.socket, 'end');
    browser.socket.resetAndDestroy();
    await closed;
  }));
