import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import { SOCKET_SILENCE_MS, type CdpMessage } from '../wire/poll-messages.ts';
import { FrameSocket, type SocketLike } from './frame-socket.ts';

/** A socket that the test moves by hand. */
class HandSocket implements SocketLike {
  readonly sent: string[] = [];
  isClosed = false;
  #listeners = new Map<string, (event: { data: unknown }) => void>();

  addEventListener(type: string, listener: (event: { data: unknown }) => void): void {
    this.#listeners.set(type, listener);
  }

  tell(type: 'open' | 'close' | 'message', data: unknown = ''): void {
    this.#listeners.get(type)!({ data });
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.isClosed = true;
  }
}

interface Scene {
  frames: FrameSocket;
  clock: HandClock;
  sockets: HandSocket[];
  got: CdpMessage[];
  changes: boolean[];
  start(): void;
}

function scene(): Scene {
  const clock = new HandClock();
  const sockets: HandSocket[] = [];
  const got: CdpMessage[] = [];
  const changes: boolean[] = [];
  const frames = new FrameSocket({
    clock,
    make() {
      const socket = new HandSocket();
      sockets.push(socket);
      return socket;
    },
    onMessages(first, messages) {
      if (messages.length > 0 && first > got.length) throw new Error('a gap');
      got.push(...messages.slice(got.length - first));
      return got.length;
    },
    onChange: (isOpen) => changes.push(isOpen),
  });
  return { frames, clock, sockets, got, changes, start: () => frames.start() };
}

const say = (socket: HandSocket, frame: object): void => socket.tell('message', JSON.stringify(frame));

test('messages are acknowledged, also by an answer to an empty frame, and commands confirmed', async () => {
  const { frames, sockets, got, changes, start } = scene();
  start();
  const [socket] = sockets;
  assert.equal(await frames.send({ first: 0, count: 1, body: '[{"id":1}]' }), null, 'it is not open yet');
  socket!.tell('open');
  assert.deepEqual(changes, [true]);
  say(socket!, { first: 0, messages: [{ id: 1 }, { id: 2 }] });
  say(socket!, { first: 1, messages: [{ id: 2 }, { id: 3 }] });
  say(socket!, {});
  assert.deepEqual(socket!.sent, ['{"ack":0}', '{"ack":2}', '{"ack":3}', '{"ack":3}']);
  assert.deepEqual(got.map(({ id }) => id), [1, 2, 3]);
  const sent = frames.send({ first: 4, count: 1, body: '[{"id":9}]' });
  assert.equal(socket!.sent.at(-1), '{"first":4,"messages":[{"id":9}]}');
  say(socket!, { next: 5 });
  assert.equal(await sent, 5);
});

test('a socket that ends is tried again, later each time, from where it stopped', async () => {
  const { frames, clock, sockets, changes, start } = scene();
  start();
  sockets[0]!.tell('open');
  say(sockets[0]!, { first: 0, messages: [{ id: 1 }] });
  const sent = frames.send({ first: 0, count: 1, body: '[]' });
  sockets[0]!.tell('close');
  assert.equal(await sent, null, 'whether it arrived nobody knows: it is sent again another way');
  assert.deepEqual(changes, [true, false]);
  clock.advance(4999);
  assert.equal(sockets.length, 1);
  clock.advance(1);
  sockets[1]!.tell('open');
  assert.deepEqual(sockets[1]!.sent, ['{"ack":1}']);
  sockets[1]!.tell('close');
  clock.advance(9999);
  assert.equal(sockets.length, 2);
  clock.advance(1);
  assert.equal(sockets.length, 3);
  sockets[2]!.tell('open');
  clock.advance(40_000);
  say(sockets[2]!, {});
  clock.advance(30_000);
  sockets[2]!.tell('close');
  clock.advance(0);
  assert.equal(sockets.length, 4, 'one that lasted is tried again at once');
});

test('a line that is silent, or says nonsense, is given up', () => {
  for (const spoil of [
    ({ clock }: Scene): void => clock.advance(SOCKET_SILENCE_MS),
    ({ sockets }: Scene): void => sockets[0]!.tell('message', '{'),
    ({ sockets }: Scene): void => say(sockets[0]!, { first: 5, messages: [{}] }),
    ({ frames, clock }: Scene): void => {
      void frames.send({ first: 0, count: 1, body: '[]' });
      clock.advance(20_000);
    },
  ]) {
    const made = scene();
    made.start();
    made.sockets[0]!.tell('open');
    const { error } = console;
    console.error = () => {};
    spoil(made);
    console.error = error;
    assert.equal(made.sockets[0]!.isClosed, true);
    assert.deepEqual(made.changes, [true, false]);
  }
});

test('where sockets are forbidden, or after the end, none is tried', () => {
  const clock = new HandClock();
  let count = 0;
  const frames = new FrameSocket({
    clock,
    make() {
      count += 1;
      throw new Error('forbidden');
    },
    onMessages: () => 0,
    onChange: () => {},
  });
  frames.start();
  frames.start();
  clock.advance(1_000_000);
  assert.equal(count, 1);
  const made = scene();
  made.start();
  made.frames.stop();
  made.start();
  assert.equal(made.sockets.length, 1);
  assert.equal(made.sockets[0]!.isClosed, true);
});
