// A viewer that goes from polls to a WebSocket and back, over real connections: the numbers go on, so nothing is
// lost and nothing comes twice.

import { afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import WebSocket, { WebSocketServer } from 'ws';
import { HandClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { SOCKET_BEAT_MS, SOCKET_SILENCE_MS, VIEWER_AWAY_MS, type SocketFrame } from '../wire/poll-messages.ts';
import { PollTransport, type Viewer } from './poll-transport.ts';
import { ViewerSocket } from './viewer-socket.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Scene {
  clock: HandClock;
  transport: PollTransport;
  viewer: Viewer;
  /** Messages of the viewer, as the owner got them. */
  taken: unknown[];
  closed: string[];
  poll(ack: number): Promise<{ status: number; text: string }>;
  send(number: number, messages: unknown[]): Promise<number>;
  connect(ack: number): Promise<Line>;
}

/** The viewer's end of a socket. */
class Line {
  readonly socket: WebSocket;
  readonly frames: SocketFrame[] = [];
  readonly closed: Promise<unknown>;
  #waiting = new Set<() => void>();

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = once(socket, 'close');
    socket.on('error', () => {});
    socket.on('message', (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString()) as SocketFrame);
      for (const wake of this.#waiting) wake();
    });
  }

  async frame(matches: (frame: SocketFrame) => boolean): Promise<SocketFrame> {
    for (;;) {
      const found = this.frames.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  say(frame: SocketFrame): void {
    this.socket.send(JSON.stringify(frame));
  }
}

async function scene(): Promise<Scene> {
  const clock = new HandClock();
  const taken: unknown[] = [];
  const closed: string[] = [];
  const transport = new PollTransport({ clock, log: silentLog, pressure: () => {} });
  const sockets = new WebSocketServer({ noServer: true });
  const parse = (url: string): [string, URLSearchParams] => {
    const { pathname, searchParams } = new URL(url, 'http://x');
    return [pathname.slice(1), searchParams];
  };
  const server = createServer((request, response) => transport.handle(...parse(request.url!), request, response));
  server.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (opened) => {
      const [path] = parse(request.url!);
      const isOpen = transport.upgrade(path, (events) => new ViewerSocket(opened, clock, events));
      if (!isOpen) opened.close(1008);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    transport.close('the test is over');
    for (const client of sockets.clients) client.terminate();
    server.closeAllConnections();
    server.close();
  });
  const viewer = transport.open(() => ({
    message: (message) => taken.push(message),
    closed: (reason) => closed.push(reason),
  }))!;
  const base = `127.0.0.1:${(server.address() as AddressInfo).port}/${viewer.id}`;
  return {
    clock, transport, viewer, taken, closed,
    async poll(ack) {
      const response = await fetch(`http://${base}/poll?ack=${ack}`);
      return { status: response.status, text: await response.text() };
    },
    async send(number, messages) {
      const body = JSON.stringify(messages);
      const response = await fetch(`http://${base}/send?n=${number}`, { method: 'POST', body });
      await response.text();
      return response.status;
    },
    async connect(ack) {
      const line = new Line(new WebSocket(`ws://${base}/socket`));
      await once(line.socket, 'open');
      line.say({ ack });
      return line;
    },
  };
}

test('messages go on with their numbers from a poll to a socket and back', async () => {
  const { viewer, poll, send, connect, taken } = await scene();
  viewer.send('"zero"');
  assert.equal((await poll(0)).text, '["zero"]');
  const held = poll(1);
  const line = await connect(1);
  assert.deepEqual(await held, { status: 200, text: '[]' }, 'the socket takes the place of the poll');
  viewer.send('"one"');
  viewer.send('"two"');
  assert.deepEqual(await line.frame(({ first }) => first === 1), { first: 1, messages: ['one', 'two'] });
  line.say({ ack: 2, first: 0, messages: ['a', 'b'] });
  assert.deepEqual(await line.frame(({ next }) => next !== undefined), { next: 2 });
  line.say({ first: 1, messages: ['b', 'c'] });
  await line.frame(({ next }) => next === 3);
  line.say({ first: 7, messages: ['far'] });
  line.socket.terminate();
  // "two" was not acknowledged: it comes again.
  assert.equal((await poll(2)).text, '["two"]');
  assert.equal(await send(2, ['c', 'd']), 204);
  assert.deepEqual(taken, ['a', 'b', 'c', 'd']);
});

test('a poll ends the socket, and a socket with a wrong number is refused', async () => {
  const { viewer, poll, connect } = await scene();
  const line = await connect(0);
  viewer.send('"zero"');
  await line.frame(({ first }) => first === 0);
  assert.equal((await poll(0)).text, '["zero"]');
  await line.closed;
  const wrong = await connect(5);
  await wrong.closed;
  viewer.send('"one"');
  assert.equal((await poll(1)).text, '["one"]');
});

test('a line that is silent for long is cut, and its viewer is away from then on', async () => {
  const { clock, connect, closed } = await scene();
  const line = await connect(0);
  line.say({ first: 0, messages: [] });
  await line.frame(({ next }) => next === 0);
  line.frames.length = 0;
  clock.advance(SOCKET_BEAT_MS);
  await line.frame((frame) => Object.keys(frame).length === 0);
  line.say({ ack: 0, first: 0, messages: [] });
  await line.frame(({ next }) => next === 0);
  clock.advance(SOCKET_SILENCE_MS - 1);
  assert.deepEqual(closed, []);
  clock.advance(1);
  await line.closed;
  while (closed.length === 0) {
    clock.advance(VIEWER_AWAY_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.match(closed[0]!, /not polled/);
});

test('what is no frame ends the line, and the end of the session leads to a poll', async () => {
  const { viewer, transport, connect, poll } = await scene();
  for (const text of ['{', '[]x', '{"ack":"1"}', '{"first":0}', '{"first":0,"messages":{}}']) {
    const line = await connect(0);
    line.socket.send(text);
    await line.closed;
  }
  const line = await connect(0);
  viewer.send('"first"');
  await line.frame(({ messages }) => messages?.[0] === 'first');
  viewer.send('"last"');
  transport.finish({ code: 'DEBUGGER_NOT_RUNNING', message: 'over' });
  await line.frame(({ messages }) => messages?.[0] === 'last');
  await line.closed;
  assert.equal((await poll(0)).text, '["first","last"]');
  const end = await poll(2);
  assert.equal(end.status, 410);
  assert.match(end.text, /DEBUGGER_NOT_RUNNING/);
});
