// Simultaneous misses on a front with real sockets, and what the counters say of everything that happens.

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { CacheCounts, RouteCache } from '../wire/cache-messages.ts';
import { withFront, type RawClient, type TestFront, type TestFrontOptions } from './front.test.support.ts';

const FRESH = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\n';
const SECRET = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n';

function caching(cache: Partial<RouteCache> = {}): TestFrontOptions {
  return { routes: [{ prefix: '/', group: 'app', cache: { mode: 'standard', ...cache } }] };
}

function counters({ front }: TestFront): CacheCounts {
  return front.report().cache.counters;
}

/** Waits until the front has seen that much; every wait is for a request that is on its way. */
async function seen(front: TestFront, name: 'collapsed' | 'misses', count: number): Promise<void> {
  while (counters(front)[name] < count) await new Promise(setImmediate);
}

/** Clients that all ask for `/m`; the first leads, the others wait for it. */
async function crowd(front: TestFront, count: number): Promise<RawClient[]> {
  const clients = Array.from({ length: count }, () => front.client());
  clients[0]!.get('/m');
  await seen(front, 'misses', 1);
  for (const each of clients.slice(1)) each.get('/m');
  await seen(front, 'collapsed', count - 1);
  return clients;
}

test('a slow leader stalls nobody past the limit', () =>
  withFront(caching(), async (front) => {
    const app = await front.join();
    const clients = await crowd(front, 4);
    const leading = await app.request();
    front.clock.advance(2999);
    assert.equal(counters(front).misses, 1);
    front.clock.advance(1);
    for (let index = 1; index < 4; index++) {
      const { channel } = await app.request();
      app.answer(channel, 'by itself', FRESH);
    }
    await Promise.all(clients.slice(1).map((each) => each.until('by itself')));
    app.answer(leading.channel, 'late', FRESH);
    await clients[0]!.until('late');
    assert.equal(counters(front).misses, 4);
  }));

test('a leader whose process dies leaves each of the others an answer', () =>
  withFront(caching(), async (front) => {
    const app = await front.join();
    const other = await front.join('p2');
    const clients = await crowd(front, 4);
    // Either may have it: processes take turns.
    const requests = [app, other].map(async (each) => ({ each, channel: (await each.request()).channel }));
    const first = await Promise.race(requests);
    first.each.close();
    const second = await (first.each === app ? requests[1]! : requests[0]!);
    second.each.answer(second.channel, 'second', FRESH);
    await Promise.all(clients.slice(1).map((each) => each.until('second')));
    assert.match(await clients[0]!.until('\r\n\r\n'), /^HTTP\/1\.1 502 /);
    assert.equal(counters(front).misses, 2);
  }));

test('an answer that may not be shared goes to the leader alone, and all others ask at once', () =>
  withFront(caching(), async (front) => {
    const app = await front.join();
    const clients = await crowd(front, 3);
    const { channel } = await app.request();
    // At its head: the others do not wait for its body.
    app.data(channel, `${SECRET}Content-Length: 6\r\n\r\n`);
    for (let index = 1; index < 3; index++) {
      const own = await app.request();
      app.answer(own.channel, `own ${index}`, SECRET);
    }
    await Promise.all(clients.slice(1).map((each) => each.until('own ')));
    app.data(channel, 'leader');
    app.end(channel);
    await clients[0]!.until('leader');
    // Remembered: the next two do not wait for each other.
    for (const each of clients.slice(0, 2)) each.get('/m');
    const both = [await app.request(), await app.request()];
    for (const own of both) app.answer(own.channel, 'apart', SECRET);
    await Promise.all(clients.slice(0, 2).map((each) => each.until('apart')));
  }));

test('a client that goes while it waits takes nothing from the others', () =>
  withFront(caching(), async (front) => {
    const app = await front.join();
    const clients = await crowd(front, 3);
    const { channel } = await app.request();
    clients[1]!.socket.resetAndDestroy();
    await clients[1]!.closed;
    app.answer(channel, 'shared', FRESH);
    await Promise.all([clients[0]!, clients[2]!].map((each) => each.until('shared')));
  }));

test('in one-line mode misses are not made one, unless the setting says so', () =>
  withFront(caching({ mode: 'one-line', durationDefault: 60 }), async (front) => {
    const app = await front.join();
    const clients = [front.client(), front.client()];
    for (const each of clients) each.get('/m');
    const both = [await app.request(), await app.request()];
    for (const { channel } of both) app.answer(channel, 'each', FRESH);
    await Promise.all(clients.map((each) => each.until('each')));
    assert.equal(counters(front).collapsed, 0);
  }));

test('the counters name what happened to each request and each answer', () =>
  withFront(caching({ objectBytesMax: 100 }), async (front) => {
    const app = await front.join();
    const one = front.client();
    const ask = async (path: string, head: string, body = 'body', fields = ''): Promise<void> => {
      app.onRequest = (channel): void => app.answer(channel, body, head);
      one.received = '';
      one.get(path, fields);
      await one.until(body);
    };
    const validated = `${FRESH}ETag: "1"\r\n`;
    await ask('/a', validated);
    await ask('/a', validated);
    front.clock.advance(61_000);
    app.onRequest = (channel): void => {
      app.data(channel, 'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=60\r\n\r\n');
      app.end(channel);
    };
    one.get('/a');
    await one.until('body');
    const refusals: [string, string, string?, string?][] = [
      ['no-store', SECRET],
      ['private', FRESH.replace('max-age', 'private, max-age')],
      ['set-cookie', `${FRESH}Set-Cookie: a=1\r\n`],
      ['vary', `${FRESH}Vary: *\r\n`],
      ['freshness', 'HTTP/1.1 200 OK\r\n'],
      ['stale', `${FRESH}Age: 100\r\n`],
      ['too-large', FRESH, 'x'.repeat(101)],
      ['authorization', FRESH, 'body', 'Authorization: Basic eDp5\r\n'],
      ['status', FRESH.replace('max-age', 'must-understand, max-age').replace('200 OK', '299 New')],
    ];
    for (const [index, [reason, head, body, fields]] of refusals.entries()) {
      await ask(`/${index}`, head, body, fields);
      assert.equal(counters(front).refused[reason], 1, reason);
    }
    one.get('/none', 'Cache-Control: only-if-cached\r\n');
    await one.until(' 504 ');
    one.write('OPTIONS /a HTTP/1.1\r\nHost: localhost\r\n\r\n');
    app.onRequest = (channel): void => app.answer(channel, 'options');
    await one.until('options');
    front.front.cache({ kind: 'purge', purge: { target: '/a' } });
    const { refused, ...counts } = counters(front);
    assert.equal(Object.keys(refused).length, refusals.length);
    assert.deepEqual(counts, {
      hits: 1, stale: 0, misses: 12, bypassed: 0, unavailable: 1, collapsed: 0, revalidated: 1, stored: 1,
      evicted: 0, expired: 0, purged: 1,
    });
  }));
