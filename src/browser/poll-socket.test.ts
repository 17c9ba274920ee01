import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import { POLL_HOLD_MS } from '../wire/poll-messages.ts';
import type { CdpMessage } from '../wire/poll-messages.ts';
import { PollSocket } from './poll-socket.ts';
import type { PollRequest, PollResponse } from './poll-socket.ts';

const BASE = 'http://host/shop/debug/cdp/';

/** What the network does to the next request: nothing, loses it, loses its answer, or answers by itself. */
type Mishap = 'none' | 'lose-request' | 'lose-answer' | { status: number; text: string };

interface Seen {
  path: string;
  request: PollRequest;
}

/** A session proxy in memory that counts as the real one does, behind a network that can be told to fail. */
class ScriptedServer {
  readonly seen: Seen[] = [];
  readonly taken: CdpMessage[] = [];
  mishaps: Mishap[] = [];
  sessionLives = true;
  viewers = new Set<string>();
  #outgoing: CdpMessage[] = [];
  #first = 0;
  #next = 0;
  #opened = 0;
  #held: ((response: PollResponse) => void) | null = null;

  fetch = async (url: string, request: PollRequest): Promise<PollResponse> => {
    const path = url.slice(BASE.length);
    this.seen.push({ path, request });
    const mishap = this.mishaps.shift() ?? 'none';
    await Promise.resolve();
    if (mishap === 'lose-request') throw new TypeError('network');
    if (typeof mishap === 'object') return answer(mishap.status, mishap.text);
    const response = await this.#serve(path, request);
    if (mishap === 'lose-answer') throw new TypeError('network');
    return response;
  };

  /** Queues a message for the viewer. */
  push(message: CdpMessage): void {
    this.#outgoing.push(message);
    this.#release();
  }

  /** As if it had confirmed what the viewer never heard of. */
  skipTo(next: number): void {
    this.#next = next;
  }

  /** As after 30 s without a poll. */
  dropViewers(): void {
    this.viewers.clear();
    this.#held?.(answer(410, '{"code":"VIEWER_UNKNOWN","message":"away too long"}'));
    this.#held = null;
  }

  #release(): void {
    const held = this.#held;
    this.#held = null;
    held?.(answer(200, JSON.stringify(this.#outgoing)));
  }

  #serve(path: string, request: PollRequest): Promise<PollResponse> | PollResponse {
    if (path === '') {
      if (!this.sessionLives) return answer(410, '{"code":"DEBUGGER_NOT_RUNNING","message":"killed"}');
      const viewer = `viewer${++this.#opened}`;
      this.viewers.add(viewer);
      return answer(200, JSON.stringify({ viewer, app: 'shop', pid: 7 }));
    }
    const [, viewer, verb, number] = /^(\w+)\/(\w+)(?:\?\w+=(\d+))?$/.exec(path)!;
    if (!this.viewers.has(viewer!)) return answer(410, '{"code":"VIEWER_UNKNOWN","message":"unknown"}');
    if (verb === 'send') return this.#send(Number(number), JSON.parse(request.body!) as CdpMessage[]);
    if (verb === 'close') {
      this.viewers.delete(viewer!);
      return answer(204, '');
    }
    this.#outgoing.splice(0, Number(number) - this.#first);
    this.#first = Number(number);
    return new Promise((resolve, reject) => {
      this.#held = resolve;
      request.signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      if (this.#outgoing.length > 0) this.#release();
    });
  }

  #send(number: number, messages: CdpMessage[]): PollResponse {
    if (number > this.#next) return answer(409, JSON.stringify({ next: this.#next }));
    for (const message of messages.slice(this.#next - number)) {
      this.taken.push(message);
      this.#next += 1;
    }
    return answer(204, '');
  }
}

function answer(status: number, text: string): PollResponse {
  return { status, text: () => Promise.resolve(text) };
}

/** Lets everything that waits for nothing but promises happen. */
async function settle(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  await new Promise<void>((resolve) => setImmediate(resolve));
}

interface Scene {
  server: ScriptedServer;
  socket: PollSocket;
  clock: HandClock;
  got: CdpMessage[];
  said: string[];
  reach: boolean[];
}

function scene(): Scene {
  const server = new ScriptedServer();
  const clock = new HandClock();
  const got: CdpMessage[] = [];
  const said: string[] = [];
  const reach: boolean[] = [];
  const socket = new PollSocket({
    base: BASE,
    fetch: server.fetch,
    clock,
    onOpened: ({ viewer, app, pid }) => said.push(`opened ${viewer} ${app} ${pid}`),
    onMessage: (message) => got.push(message),
    onLost: (message) => said.push(`lost: ${message}`),
    onRenewed: () => said.push('renewed'),
    onReach: (isReached) => reach.push(isReached),
  });
  return { server, socket, clock, got, said, reach };
}

async function openScene(): Promise<Scene> {
  const made = scene();
  await made.socket.open();
  made.server.push({ method: 'hello' });
  await settle();
  made.got.length = 0;
  return made;
}

test('PollSocket opens with credentials, and sends and polls without', async () => {
  const { server, socket, said } = await openScene();
  socket.send('{"id":1}');
  await settle();
  assert.deepEqual(said, ['opened viewer1 shop 7']);
  const credentials = server.seen.map(({ path, request }) => [path.replace(/\?.*/, ''), request.credentials]);
  assert.deepEqual(
    new Map(credentials as [string, string][]),
    new Map([
      ['', 'same-origin'],
      ['viewer1/poll', 'omit'],
      ['viewer1/send', 'omit'],
    ]),
  );
  socket.leave();
});

test('PollSocket sends what was given before it had a viewer', async () => {
  const { server, socket } = scene();
  socket.send('{"id":1}');
  await socket.open();
  await settle();
  assert.deepEqual(server.taken, [{ id: 1 }]);
  socket.leave();
});

test('PollSocket sends the commands of one task together, with one send under way', async () => {
  const { server, socket } = await openScene();
  for (const id of [1, 2, 3]) socket.send(`{"id":${id}}`);
  await Promise.resolve();
  socket.send('{"id":4}');
  await settle();
  const sends = server.seen.filter(({ path }) => path.includes('/send'));
  assert.deepEqual(sends.map(({ path }) => path), ['viewer1/send?n=0', 'viewer1/send?n=3']);
  assert.deepEqual(server.taken.map(({ id }) => id), [1, 2, 3, 4]);
  socket.leave();
});

test('PollSocket acknowledges by number and delivers in order', async () => {
  const { server, socket, got } = await openScene();
  server.push({ id: 1 });
  await settle();
  server.push({ id: 2 });
  server.push({ id: 3 });
  await settle();
  assert.deepEqual(got.map(({ id }) => id), [1, 2, 3]);
  assert.equal(server.seen.at(-1)!.path, 'viewer1/poll?ack=4');
  socket.leave();
});

const MISHAPS = [
  'lose-request',
  'lose-answer',
  { status: 502, text: '<html>' },
  { status: 200, text: '<html>' },
] as const;

for (const mishap of MISHAPS) {
  const name = typeof mishap === 'string' ? mishap : `${mishap.status} ${mishap.text}`;
  test(`PollSocket delivers each message once, both ways, when the network answers ${name} at times`, async () => {
    const { server, socket, clock, got, said } = await openScene();
    for (let id = 1; id <= 12; id++) {
      server.mishaps = [mishap, mishap];
      socket.send(`{"id":${id}}`);
      server.push({ id });
      for (let round = 0; round < 8; round++) {
        await settle();
        clock.advance(3000);
      }
      await settle();
    }
    assert.deepEqual(server.taken.map(({ id }) => id), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert.deepEqual(got.map(({ id }) => id), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert.equal(said.length, 1, said.join());
    socket.leave();
  });
}

test('PollSocket outlives a minute without a server and then says why it gave up', async () => {
  const { server, socket, clock, said } = await openScene();
  server.mishaps = Array<Mishap>(1000).fill('lose-request');
  socket.send('{"id":1}');
  for (let second = 0; second < 60; second++) {
    await settle();
    clock.advance(1000);
  }
  assert.equal(said.length, 1);
  for (let second = 0; second < 120; second++) {
    await settle();
    clock.advance(1000);
  }
  assert.deepEqual(said.slice(1), ['lost: the server cannot be reached']);
});

test('PollSocket repeats a send that was lost with the same number and adds nothing to it', async () => {
  const { server, socket, clock } = await openScene();
  server.mishaps = ['lose-answer'];
  socket.send('{"id":1}');
  await settle();
  socket.send('{"id":2}');
  clock.advance(100);
  await settle();
  const sends = server.seen.filter(({ path }) => path.includes('/send'));
  assert.deepEqual(
    sends.map(({ path, request }) => [path, request.body]),
    [
      ['viewer1/send?n=0', '[{"id":1}]'],
      ['viewer1/send?n=0', '[{"id":1}]'],
      ['viewer1/send?n=1', '[{"id":2}]'],
    ],
  );
  assert.deepEqual(server.taken.map(({ id }) => id), [1, 2]);
  socket.leave();
});

test('PollSocket follows a server that has more than it said, and starts anew when numbers cannot meet', async () => {
  const { server, socket, said } = await openScene();
  server.skipTo(1);
  server.mishaps = [{ status: 409, text: '{"next":1}' }];
  socket.send('{"id":1}');
  socket.send('{"id":2}');
  await settle();
  assert.deepEqual(server.taken, [{ id: 2 }]);
  server.mishaps = [{ status: 409, text: '{"next":0}' }];
  socket.send('{"id":3}');
  await settle();
  assert.deepEqual(said.slice(1), ['opened viewer2 shop 7', 'renewed']);
});

test('PollSocket renews itself when its viewer was dropped but the session lives, and leaves none behind', async () => {
  const { server, socket, said } = await openScene();
  server.dropViewers();
  await settle();
  assert.deepEqual(said.slice(1), ['opened viewer2 shop 7', 'renewed']);
  assert.deepEqual(socket.state, { kind: 'closed', reason: 'renewed' });
  assert.equal(server.viewers.size, 0);
});

test('PollSocket says the reason when the session is over', async () => {
  const { server, said } = await openScene();
  server.sessionLives = false;
  server.dropViewers();
  await settle();
  assert.deepEqual(said.slice(1), ['lost: killed']);
});

test('PollSocket waits for a session proxy that dials a new front, but not for long', async () => {
  const { server, socket, clock, said } = await openScene();
  const absent: Mishap = { status: 410, text: 'The debugger of app "shop" is not running.' };
  server.mishaps = [absent, absent];
  socket.send('{"id":1}');
  for (const delayMs of [100, 200, 400]) {
    await settle();
    clock.advance(delayMs);
  }
  await settle();
  assert.deepEqual(server.taken, [{ id: 1 }]);
  server.mishaps = Array.from({ length: 6 }, () => absent);
  socket.send('{"id":2}');
  for (const delayMs of [100, 200, 400, 800, 1600]) {
    await settle();
    clock.advance(delayMs);
  }
  await settle();
  assert.deepEqual(said.slice(1), ['lost: the debugger is not running any more']);
});

test('PollSocket says the reason when it is not let in', async () => {
  const { server, socket, said } = scene();
  server.mishaps = [{ status: 403, text: '{"code":"DEBUGGER_FORBIDDEN","message":"not from there"}' }];
  await socket.open();
  assert.deepEqual(said, ['lost: not from there']);
  assert.equal(server.seen.length, 1);
});

test('PollSocket ends a poll that nobody answers and asks again with the same number', async () => {
  const { server, socket, clock } = await openScene();
  const before = server.seen.length;
  clock.advance(POLL_HOLD_MS + 20_000);
  await settle();
  clock.advance(100);
  await settle();
  assert.deepEqual(server.seen.slice(before).map(({ path }) => path), ['viewer1/poll?ack=1']);
  socket.leave();
});

test('PollSocket leaves: what is under way is aborted and the farewell is given back', async () => {
  const { server, socket, got, said } = await openScene();
  assert.equal(socket.leave(), `${BASE}viewer1/close`);
  assert.equal(server.seen.at(-1)!.request.signal.aborted, true);
  assert.equal(socket.leave(), undefined);
  socket.send('{"id":1}');
  server.push({ id: 1 });
  await settle();
  assert.deepEqual([got, server.taken, said.length], [[], [], 1]);
});

test('PollSocket goes on after a message that its owner chokes on', async (t) => {
  t.mock.method(console, 'error', () => {});
  const server = new ScriptedServer();
  const got: number[] = [];
  const socket = new PollSocket({
    base: BASE,
    fetch: server.fetch,
    clock: new HandClock(),
    onOpened: () => {},
    onMessage: ({ id }) => {
      got.push(id!);
      if (id === 1) throw new Error('choked');
    },
    onLost: () => {},
    onRenewed: () => {},
  });
  await socket.open();
  server.push({ id: 1 });
  await settle();
  server.push({ id: 2 });
  await settle();
  assert.deepEqual(got, [1, 2]);
  socket.leave();
});

test('PollSocket tells that the server is out of reach only after several failures, and that it is back', async () => {
  const { server, socket, clock, reach } = await openScene();
  server.mishaps = ['lose-request'];
  socket.send('{"id":1}');
  for (let round = 0; round < 10; round++) {
    await settle();
    clock.advance(500);
  }
  assert.deepEqual(reach, [], 'one cut is nobody’s business');
  server.mishaps = Array.from({ length: 4 }, () => 'lose-request' as const);
  socket.send('{"id":2}');
  for (let round = 0; round < 20; round++) {
    await settle();
    clock.advance(500);
  }
  assert.deepEqual(reach, [false, true]);
  socket.leave();
});
