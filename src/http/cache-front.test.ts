// The cache joined with the front: what clients read and what the process is asked, over real sockets.

import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { LINK } from '../wire/link-messages.ts';
import type { RouteCache } from '../wire/cache-messages.ts';
import { withFront, type FakeProcess, type TestFrontOptions } from './front.test.support.ts';

const FRESH = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\n';

/** A front that keeps answers below `/`. */
function caching(cache: RouteCache = { mode: 'standard' }): TestFrontOptions {
  return { routes: [{ prefix: '/', group: 'app', cache }] };
}

/** The next request gets this answer. */
async function answer(app: FakeProcess, body: string, head = FRESH): Promise<string[]> {
  const { channel, request } = await app.request();
  app.answer(channel, body, head);
  return request.fields;
}

describe('the cache of a front', () => {
  test('a hit is answered without a process', () =>
    withFront(caching(), async ({ client, join, front }) => {
      const app = await join();
      const one = client();
      one.get('/a');
      await answer(app, 'first');
      assert.match(await one.until('first'), /HTTP\/1.1 200/);
      front.forget('p1');
      one.get('/a');
      assert.match(await one.until('first'), /^HTTP\/1\.1 200 OK\r\n[^]*Age: +0\r\n\r\nfirst$/);
      assert.equal(front.report().cache.counters.hits, 1);
    }));

  test('a body that is streamed is kept, byte for byte', () =>
    withFront(caching(), async ({ client, join }) => {
      const app = await join();
      const one = client();
      one.get('/s');
      const { channel } = await app.request();
      app.data(channel, `${FRESH}Transfer-Encoding: chunked\r\n\r\n`);
      app.data(channel, '3\r\nabc\r\n');
      await one.until('abc');
      app.data(channel, '3\r\ndef\r\n0\r\n\r\n');
      app.end(channel);
      await one.until('0\r\n\r\n');
      one.get('/s');
      assert.match(await one.until('abcdef'), /Content-Length: 6\r\n/);
    }));

  test('HEAD, Range and conditions are answered out of a kept GET', () =>
    withFront(caching(), async ({ client, join }) => {
      const app = await join();
      const one = client();
      one.get('/h');
      await answer(app, '0123456789', `${FRESH}ETag: "v1"\r\n`);
      await one.until('0123456789');
      one.write('HEAD /h HTTP/1.1\r\nHost: localhost\r\n\r\n');
      const head = await one.until('\r\n\r\n');
      assert.match(head, /Content-Length: 10\r\n/);
      one.get('/h', 'Range: bytes=2-4\r\n');
      assert.match(await one.until('234'), /^HTTP\/1\.1 206 [^]*Content-Range: bytes 2-4\/10\r\n/);
      one.get('/h', 'If-None-Match: "v1"\r\n');
      assert.match(await one.until('\r\n\r\n'), /^HTTP\/1\.1 304 /);
    }));

  test('requests in one packet are answered in their order', () =>
    withFront(caching(), async ({ client, join }) => {
      const app = await join();
      const one = client();
      one.get('/p');
      await answer(app, 'kept!');
      await one.until('kept!');
      const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      one.write(get('/p') + get('/other') + get('/p'));
      await answer(app, 'other', FRESH);
      const text = await one.until('other') + await one.until('kept!');
      assert.deepEqual(text.match(/kept!|other/g), ['kept!', 'other', 'kept!']);
    }));

  test('Connection: close and HTTP/1.0 hold on hits', () =>
    withFront(caching(), async ({ client, join }) => {
      const app = await join();
      const one = client();
      one.get('/c');
      await answer(app, 'closing');
      await one.until('closing');
      one.get('/c', 'Connection: close\r\n');
      assert.match(await one.rest(), /Connection: close\r\n[^]*closing$/);
      const old = client();
      old.write('GET /c HTTP/1.0\r\nHost: localhost\r\n\r\n');
      assert.match(await old.rest(), /closing$/);
    }));

  test('a stale answer is asked about, and 304 makes it fresh', () =>
    withFront(caching(), async ({ client, join, clock }) => {
      const app = await join();
      const one = client();
      one.get('/v');
      await answer(app, 'valid', `${FRESH}ETag: "v1"\r\n`);
      await one.until('valid');
      clock.advance(61_000);
      one.get('/v');
      const { channel, request } = await app.request();
      assert.equal(request.fields[request.fields.indexOf('If-None-Match') + 1], '"v1"');
      app.data(channel, 'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nCache-Control: max-age=60\r\n\r\n');
      app.end(channel);
      assert.match(await one.until('valid'), /^HTTP\/1\.1 200 OK/);
      one.get('/v');
      assert.match(await one.until('valid'), /^HTTP\/1\.1 200 OK/);
    }));

  test('a 304 about something else makes the app be asked anew', () =>
    withFront(caching(), async ({ client, join, clock }) => {
      const app = await join();
      const one = client();
      one.get('/v');
      await answer(app, 'older', `${FRESH}ETag: "v1"\r\n`);
      await one.until('older');
      clock.advance(61_000);
      one.get('/v');
      const first = await app.request();
      app.data(first.channel, 'HTTP/1.1 304 Not Modified\r\nETag: "v2"\r\n\r\n');
      app.end(first.channel);
      const fields = await answer(app, 'newer');
      assert.equal(fields.includes('If-None-Match'), false);
      assert.match(await one.until('newer'), /^HTTP\/1\.1 200 OK/);
    }));

  test('when the process dies a stale answer is sent instead of 502', () =>
    withFront(caching(), async ({ client, join, clock }) => {
      const app = await join();
      const one = client();
      one.get('/d');
      await answer(app, 'saved', `${FRESH}ETag: "v1"\r\n`);
      await one.until('saved');
      clock.advance(61_000);
      one.get('/d');
      await app.request();
      app.close();
      assert.match(await one.until('saved'), /^HTTP\/1\.1 200 OK/);
    }));

  test('while a stale answer is sent one request fetches it anew', () =>
    withFront(caching(), async ({ client, join, clock, front }) => {
      const app = await join();
      const one = client();
      const head = 'HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nCache-Control: max-age=1, stale-while-revalidate=60\r\n';
      one.get('/w');
      await answer(app, 'old', head);
      await one.until('old');
      clock.advance(2000);
      one.get('/w');
      await one.until('old');
      one.get('/w');
      await one.until('old');
      await answer(app, 'new', head);
      await app.frame(LINK.CLOSE);
      one.get('/w');
      await one.until('new');
      assert.equal(front.report().cache.counters.stale, 2);
    }));

  test('simultaneous misses become one request', () =>
    withFront(caching(), async ({ client, join, front }) => {
      const app = await join();
      const clients = Array.from({ length: 5 }, () => client());
      clients[0]!.get('/m');
      const { channel } = await app.request();
      for (const each of clients.slice(1)) each.get('/m');
      while (front.report().cache.counters.collapsed < 4) await new Promise(setImmediate);
      app.answer(channel, 'shared', FRESH);
      await Promise.all(clients.map((each) => each.until('shared')));
      assert.equal(front.report().cache.counters.misses, 1);
    }));

  test('a leader that goes away leaves the others an answer', () =>
    withFront(caching(), async ({ client, join, front }) => {
      const app = await join();
      const leader = client();
      leader.get('/m');
      await app.request();
      const other = client();
      other.get('/m');
      while (front.report().cache.counters.collapsed < 1) await new Promise(setImmediate);
      leader.socket.resetAndDestroy();
      await answer(app, 'second try');
      assert.match(await other.until('second try'), /^HTTP\/1\.1 200 OK/);
    }));

  test('what a program says beside its answer counts in one-line mode', () =>
    withFront(caching({ mode: 'one-line', durationDefault: 0 }), async ({ client, join, front }) => {
      const app = await join();
      const one = client();
      one.get('/o');
      const { channel } = await app.request();
      app.writer.json(LINK.META, channel, { duration: 30, tags: ['t1'] });
      const date = new Date().toUTCString();
      app.answer(channel, 'timed', `HTTP/1.1 200 OK\r\nDate: ${date}\r\nContent-Type: a/b\r\nCache-Tag: t2\r\n`);
      assert.doesNotMatch(await one.until('timed'), /cache-tag/i);
      one.get('/o');
      assert.match(await one.until('timed'), /Age: +0\r\n/);
      const shown = front.cache({ kind: 'show' });
      assert(shown.kind === 'shown' && shown.rows.length === 1);
      const { url, freshSeconds, hits, tags } = shown.rows[0]!;
      assert.deepEqual({ url, freshSeconds, hits, tags }, {
        url: 'http://localhost/o', freshSeconds: 30, hits: 1, tags: ['t2', 't1'],
      });
      app.writer.json(LINK.PURGE, 0, { id: 7, tag: 't1' });
      const purged = await app.frame(LINK.PURGED);
      assert.deepEqual(JSON.parse(purged.payload.toString()), { id: 7, isValid: true });
      one.get('/o');
      await answer(app, 'again');
      await one.until('again');
    }));

  test('what is kept goes with its prefix', () =>
    withFront(caching(), async ({ client, join, front }) => {
      const app = await join();
      const one = client();
      one.get('/z');
      await answer(app, 'zone');
      await one.until('zone');
      const groups = [{ id: 'app', name: 'shop', onDemand: true }];
      front.routes([{ prefix: '/', group: 'app' }], groups);
      const shown = front.cache({ kind: 'show' });
      assert.deepEqual(shown.kind === 'shown' ? shown.rows : null, []);
      front.routes([{ prefix: '/', group: 'app', cache: { mode: 'standard' } }], groups);
      one.get('/z');
      await answer(app, 'anew');
      await one.until('anew');
    }));

  test('only-if-cached is answered with 504', () =>
    withFront(caching(), async ({ client }) => {
      const one = client();
      one.get('/n', 'Cache-Control: only-if-cached\r\n');
      assert.match(await one.until('\r\n\r\n'), /^HTTP\/1\.1 504 /);
    }));
});
