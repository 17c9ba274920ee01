// What one-line mode keeps and what it sends, row by row, on a front with real sockets: the semantics of HTTP.SYS
// with our rulings.

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { LINK } from '../wire/link-messages.ts';
import type { RouteCache } from '../wire/cache-messages.ts';
import { withFront, type FakeProcess, type TestFront, type TestFrontOptions } from './front.test.support.ts';

const ONE_LINE: RouteCache = { mode: 'one-line', durationDefault: 0, objectBytesMax: 1000 };

function caching(cache: RouteCache = ONE_LINE): TestFrontOptions {
  return { routes: [{ prefix: '/', group: 'app', cache }] };
}

interface Sent {
  method?: string;
  fields?: string;
  body?: string;
  version?: string;
}

interface Row {
  what: string;
  /** Default: a plain GET. */
  first?: Sent;
  second?: Sent;
  /** Seconds that the program says; null: it says nothing. */
  duration?: number | null;
  status?: string;
  /** Fields of the answer in the place of the usual ones. */
  head?: string;
  body?: string;
  isKept: boolean;
}

const DATE = `Date: ${new Date().toUTCString()}\r\n`;
const TEXT = 'Content-Type: text/plain\r\n';

const ROWS: Row[] = [
  { what: 'a GET', isKept: true },
  { what: 'a GET of HTTP/1.0', first: { version: '1.0' }, isKept: true },
  { what: 'HEAD after GET', second: { method: 'HEAD' }, isKept: true },
  { what: 'HEAD', first: { method: 'HEAD' }, isKept: false },
  ...['OPTIONS', 'POST', 'PUT', 'DELETE', 'PATCH', 'PURGE'].flatMap((method): Row[] => [
    { what: `${method}`, first: { method }, isKept: false },
    { what: `${method} after GET`, second: { method }, isKept: false },
  ]),
  { what: 'a GET with a body', first: { fields: 'Content-Length: 2\r\n', body: 'ab' }, isKept: false },
  { what: 'a GET with a body after GET', second: { fields: 'Content-Length: 2\r\n', body: 'ab' }, isKept: false },
  { what: 'Translate: f', first: { fields: 'Translate: f\r\n' }, isKept: false },
  { what: 'Translate: f after GET', second: { fields: 'Translate: f\r\n' }, isKept: false },
  { what: 'Authorization', first: { fields: 'Authorization: Basic eDp5\r\n' }, isKept: false },
  { what: 'Authorization after GET', second: { fields: 'Authorization: Basic eDp5\r\n' }, isKept: false },
  { what: 'Range on a miss', first: { fields: 'Range: bytes=0-1\r\n' }, isKept: false },
  { what: 'If-Range on a miss', first: { fields: 'If-Range: "a"\r\n' }, isKept: false },
  ...['Cache-Control: no-cache', 'Cache-Control: max-age=0', 'Cache-Control: min-fresh=900', 'Pragma: no-cache']
    .flatMap((field): Row[] => [
      { what: `${field} on a miss`, first: { fields: `${field}\r\n` }, isKept: true },
      { what: `${field} on a hit`, second: { fields: `${field}\r\n` }, isKept: true },
    ]),
  { what: 'cookies of a request', second: { fields: 'Cookie: a=1\r\n' }, isKept: true },
  ...['200 OK', '201 Created', '301 Moved', '404 Not Found', '418 Teapot', '500 Bad', '599 Odd'].map(
    (status): Row => ({ what: `status ${status}`, status, isKept: true }),
  ),
  {
    what: 'status 206', status: '206 Partial Content',
    head: `${DATE}${TEXT}Content-Range: bytes 0-3/4\r\n`, isKept: false,
  },
  { what: 'no Content-Type', head: DATE, isKept: false },
  { what: 'no Date', head: TEXT, isKept: false },
  { what: 'a Last-Modified that is no date', head: `${DATE}${TEXT}Last-Modified: soon\r\n`, isKept: false },
  { what: 'Set-Cookie', head: `${DATE}${TEXT}Set-Cookie: a=1\r\n`, isKept: false },
  { what: 'Cache-Control: private', head: `${DATE}${TEXT}Cache-Control: private\r\n`, isKept: false },
  { what: 'Cache-Control: no-store', head: `${DATE}${TEXT}Cache-Control: no-store\r\n`, isKept: false },
  { what: 'Vary: *', head: `${DATE}${TEXT}Vary: *\r\n`, isKept: false },
  { what: 'Vary: Cookie', head: `${DATE}${TEXT}Vary: Cookie\r\n`, isKept: false },
  ...['Accept-Encoding', 'Accept', 'Accept-Language', 'Origin'].flatMap((name): Row[] => [
    { what: `Vary: ${name}, the same`, head: `${DATE}${TEXT}Vary: ${name}\r\n`, isKept: true },
    {
      what: `Vary: ${name}, another`, head: `${DATE}${TEXT}Vary: ${name}\r\n`,
      second: { fields: `${name}: x\r\n` }, isKept: false,
    },
  ]),
  { what: 'a body over the bound', body: 'x'.repeat(1001), isKept: false },
  { what: 'a body at the bound', body: 'x'.repeat(1000), isKept: true },
  { what: 'a program that says 0', duration: 0, isKept: false },
  { what: 'a program that says nothing', duration: null, isKept: false },
];

/** Sends a request on a connection of its own; everything that comes back. */
function send(front: TestFront, path: string, sent: Sent = {}): Promise<string> {
  const { method = 'GET', fields = '', body = '', version = '1.1' } = sent;
  const one = front.client();
  one.write(`${method} ${path} HTTP/${version}\r\nHost: localhost\r\nConnection: close\r\n${fields}\r\n${body}`);
  return one.rest();
}

/** Answers by itself as the row says; counts requests by path. */
function serve(app: FakeProcess, rowOf: (path: string) => Omit<Row, 'what' | 'isKept'>): Map<string, number> {
  const counts = new Map<string, number>();
  app.onRequest = (channel, request): void => {
    const count = (counts.get(request.target) ?? 0) + 1;
    counts.set(request.target, count);
    const { duration = 60, status = '200 OK', head = DATE + TEXT, body = `body${count}` } = rowOf(request.target);
    if (duration !== null) app.writer.json(LINK.META, channel, { duration });
    const start = `HTTP/1.1 ${status}\r\n${head}`;
    if (request.method !== 'HEAD') return app.answer(channel, body, start);
    app.data(channel, `${start}Content-Length: ${body.length}\r\n\r\n`);
    app.end(channel);
  };
  return counts;
}

test('one-line mode, row by row', () =>
  withFront(caching(), async (front) => {
    const app = await front.join();
    const counts = serve(app, (path) => ROWS[Number(path.slice(1))]!);
    for (const [index, { what, first = {}, second = {}, isKept }] of ROWS.entries()) {
      await send(front, `/${index}`, first);
      const got = await send(front, `/${index}`, second);
      assert.match(got, /^HTTP\/1\.1 /, what);
      assert.equal(counts.get(`/${index}`), isKept ? 1 : 2, what);
      const isUnsafe = second.method !== undefined && second.method !== 'HEAD';
      if (isUnsafe) assert.match(await send(front, `/${index}`), /body1$/, `${what} leaves the entry`);
    }
  }));

test('without a default of the process nothing is kept, whatever a program says', () =>
  withFront(caching({ mode: 'one-line', durationDefault: null }), async (front) => {
    const counts = serve(await front.join(), () => ({}));
    await send(front, '/');
    await send(front, '/');
    assert.equal(counts.get('/'), 2);
  }));

test('a default holds for answers that say nothing, and 0 takes one out', () =>
  withFront(caching({ mode: 'one-line', durationDefault: 60 }), async (front) => {
    const counts = serve(await front.join(), (path) => ({ duration: path === '/zero' ? 0 : null }));
    for (const path of ['/', '/', '/zero', '/zero']) await send(front, path);
    assert.deepEqual([...counts], [['/', 1], ['/zero', 2]]);
  }));

test('an entry ends with its seconds', () =>
  withFront(caching(), async (front) => {
    const counts = serve(await front.join(), () => ({}));
    await send(front, '/');
    front.clock.advance(59_999);
    assert.match(await send(front, '/'), /Age: +59\r\n[^]*body1$/);
    front.clock.advance(1);
    assert.match(await send(front, '/'), /body2$/);
    assert.equal(counts.get('/'), 2);
  }));

test('an Age of the program counts on', () =>
  withFront(caching(), async (front) => {
    serve(await front.join(), () => ({ head: `${DATE}${TEXT}Age: 100\r\n` }));
    await send(front, '/');
    front.clock.advance(5000);
    assert.match(await send(front, '/'), /Age: +105\r\n/);
  }));

test('a range of a hit is a part, several are multipart, and none in it is 416', () =>
  withFront(caching(), async (front) => {
    const counts = serve(await front.join(), () => ({ body: '0123456789' }));
    await send(front, '/');
    const part = await send(front, '/', { fields: 'Range: bytes=2-4\r\n' });
    assert.match(part, /^HTTP\/1\.1 206 [^]*Content-Range: bytes 2-4\/10\r\n[^]*\r\n\r\n234$/);
    const parts = await send(front, '/', { fields: 'Range: bytes=0-0,-1\r\n' });
    assert.match(parts, /^HTTP\/1\.1 206 [^]*multipart\/byteranges; boundary=/);
    assert.match(parts, /bytes 0-0\/10\r\n\r\n0\r\n[^]*bytes 9-9\/10\r\n\r\n9\r\n/);
    assert.match(await send(front, '/', { fields: 'Range: bytes=10-\r\n' }), /^HTTP\/1\.1 416 [^]*bytes \*\/10\r\n/);
    assert.equal(counts.get('/'), 1);
  }));

test('conditions on a hit are answered with 304', () =>
  withFront(caching(), async (front) => {
    const since = new Date(Date.now() - 86_400_000).toUTCString();
    const counts = serve(await front.join(), () => ({
      head: `${DATE}${TEXT}ETag: "a"\r\nLast-Modified: ${since}\r\n`,
    }));
    await send(front, '/');
    for (const field of ['If-None-Match: "a"', `If-Modified-Since: ${since}`]) {
      assert.match(await send(front, '/', { fields: `${field}\r\n` }), /^HTTP\/1\.1 304 [^]*\r\n\r\n$/, field);
    }
    assert.match(await send(front, '/', { fields: 'If-None-Match: "b"\r\n' }), /^HTTP\/1\.1 200 /);
    assert.equal(counts.get('/'), 1);
  }));

test('an answer in pieces is kept whole; one that breaks off is not', () =>
  withFront(caching(), async (front) => {
    const app = await front.join();
    const one = front.client();
    one.get('/');
    const { channel } = await app.request();
    app.writer.json(LINK.META, channel, { duration: 60 });
    app.data(channel, `HTTP/1.1 200 OK\r\n${DATE}${TEXT}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
    await one.until('abc');
    app.data(channel, '3\r\ndef\r\n0\r\n\r\n');
    app.end(channel);
    await one.until('0\r\n\r\n');
    assert.match(await send(front, '/'), /Content-Length: 6\r\n[^]*abcdef$/);
    const other = front.client();
    other.get('/broken');
    const broken = await app.request();
    app.writer.json(LINK.META, broken.channel, { duration: 60 });
    app.data(broken.channel, `HTTP/1.1 200 OK\r\n${DATE}${TEXT}Content-Length: 10\r\n\r\nabc`);
    await other.until('abc');
    app.close();
    await other.closed;
    const counters = front.front.report().cache.counters;
    assert.deepEqual([counters.stored, counters.refused['broken']], [1, 1]);
  }));

test('hits go on while the process is held and after it is gone', () =>
  withFront(caching(), async (front) => {
    const app = await front.join();
    serve(app, () => ({}));
    await send(front, '/');
    app.socket.pause();
    assert.match(await send(front, '/'), /body1$/);
    app.close();
    await front.events.next(({ kind }) => kind === 'unlinked');
    assert.match(await send(front, '/'), /body1$/);
  }));
