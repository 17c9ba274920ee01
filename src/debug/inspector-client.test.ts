// Commands, answers and events over a transport in memory.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import { InspectorClient, PENDING_MAX, readTail, type InspectorEvent } from './inspector-client.ts';
import type { InspectorTransport } from './inspector-socket.ts';

class MemoryTransport implements InspectorTransport {
  readonly sent: { id: number; method: string; params: unknown }[] = [];
  isClosed = false;
  #listener: { onMessage(text: string): void; onEnd(reason: string): void } | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as { id: number; method: string; params: unknown });
  }

  close(): void {
    this.isClosed = true;
  }

  pause(): void {}
  resume(): void {}

  listen(listener: { onMessage(text: string): void; onEnd(reason: string): void }): void {
    this.#listener = listener;
  }

  say(text: string): void {
    this.#listener!.onMessage(text);
  }

  end(reason: string): void {
    this.#listener!.onEnd(reason);
  }
}

function make(): {
  transport: MemoryTransport;
  client: InspectorClient;
  clock: HandClock;
  events: InspectorEvent[];
  ends: string[];
} {
  const transport = new MemoryTransport();
  const clock = new HandClock();
  const events: InspectorEvent[] = [];
  const ends: string[] = [];
  const client = new InspectorClient(transport, clock, {
    onEvent: (event) => events.push(event),
    onEnd: (reason) => ends.push(reason),
  });
  return { transport, client, clock, events, ends };
}

test('answers find their commands, in any order and with the id at either end', async () => {
  const { transport, client } = make();
  const [first, second] = [client.call('A.one', { x: 1 }), client.call('A.two')];
  assert.deepEqual(transport.sent[0], { id: 1, method: 'A.one', params: { x: 1 } });
  transport.say('{"id":2,"result":{"two":2}}');
  transport.say('{"error":{"code":-32601,"message":"not found"},"id":1}');
  transport.say('{"id":77,"result":{}}');
  assert.deepEqual(await second, { two: 2 });
  await assert.rejects(first, { code: 'DEBUGGEE_UNREACHABLE', message: 'A.one failed: not found' });
});

test('a forwarded answer goes on as text', () => {
  const { transport, client } = make();
  const tails: string[] = [];
  client.forward('A.one', {}, (tail) => tails.push(tail));
  client.forward('A.two', {}, (tail) => tails.push(tail));
  transport.say('{"id":1,"result":{"a":[1, 2]}}');
  transport.say('{"error":{"code":1,"message":"m"},"id":2}');
  assert.equal(tails[0], '"result":{"a":[1, 2]}}');
  assert.deepEqual(readTail(tails[1]!).error, { code: 1, message: 'm' });
});

test('events carry their text, and their parameters when asked', () => {
  const { transport, events } = make();
  transport.say('{"method":"A.happened","params":{"x":1}}');
  transport.say('{"method":"A.again"}');
  assert.equal(events[0]!.method, 'A.happened');
  assert.equal(events[0]!.tail, '"method":"A.happened","params":{"x":1}}');
  assert.deepEqual(events[0]!.params(), { x: 1 });
  assert.deepEqual(events[1]!.params(), {});
});

test('the end of the session fails what waits and what comes later', async () => {
  const { transport, client, ends } = make();
  const pending = client.call('A.one');
  transport.end('gone');
  await assert.rejects(pending, { message: /Debug Session Ended/ });
  await assert.rejects(client.call('A.two'), { message: /Debug Session Ended/ });
  assert.deepEqual(ends, ['gone']);
  assert.equal(transport.sent.length, 1);
});

test('close fails what waits at once', async () => {
  const { transport, client } = make();
  const pending = client.call('A.one');
  client.close();
  await assert.rejects(pending, { message: /Debug Session Ended/ });
  assert.equal(transport.isClosed, true);
});

test('a call may have a time limit; a late answer is nobody’s', async () => {
  const { transport, client, clock } = make();
  const pending = client.call('A.slow', {}, 100);
  clock.advance(100);
  await assert.rejects(pending, { message: /no answer after 100 ms/ });
  transport.say('{"id":1,"result":{}}');
});

test('there is a bound to commands without an answer', () => {
  const { transport, client } = make();
  for (let count = 0; count < PENDING_MAX; count++) client.forward('A.b', {}, () => {});
  const tails: string[] = [];
  client.forward('A.b', {}, (tail) => tails.push(tail));
  assert.match(readTail(tails[0]!).error!.message, /more than 20000/);
  assert.equal(transport.sent.length, PENDING_MAX);
});
