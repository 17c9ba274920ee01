import { test } from 'node:test';
import assert from 'node:assert/strict';
import { CacheFixture } from './cache.test.support.ts';
import type { Answered, Asked } from './cache.test.support.ts';

const KEPT: Answered = { wish: { duration: 60 } };

function oneLine(durationDefault: number | null = 0): CacheFixture {
  return new CacheFixture({ mode: 'one-line', durationDefault });
}

/** Is the answer to the first request sent to the second one? */
function isShared(answered: Answered, first: Asked = {}, second: Asked = first, url = '/a'): boolean {
  const fixture = oneLine();
  fixture.fetch(url, first, { ...KEPT, ...answered });
  return fixture.source(url, second) === 'cache';
}

test('one-line mode keeps an answer for its duration and says its Age', () => {
  const fixture = oneLine();
  fixture.fetch('/a', {}, { ...KEPT, body: 'hello' });
  fixture.clock.advance(59_999);
  const read = fixture.fetch('/a');
  assert.equal(read.from, 'cache');
  assert.equal(read.body, 'hello');
  assert.equal(read.fields['age'], '59');
  assert.equal(read.fields['content-length'], '5');
  assert.equal(read.fields['content-type'], 'text/plain');
  fixture.clock.advance(1);
  assert.equal(fixture.source('/a'), 'app');
});

test('one-line mode does nothing where caching is off', () => {
  const fixture = oneLine(null);
  fixture.fetch('/a', {}, KEPT);
  assert.equal(fixture.source('/a'), 'bypass');
});

test('one-line mode takes the default where the answer says nothing', () => {
  const fixture = oneLine(5);
  fixture.fetch('/a');
  assert.equal(fixture.source('/a'), 'cache');
  fixture.fetch('/b', {}, { wish: { duration: 0 } });
  assert.equal(fixture.source('/b'), 'app');
});

test('one-line mode: an answer to GET is sent to GET and HEAD, and to nobody else', () => {
  for (const method of ['HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'PATCH', 'CUSTOM']) {
    assert.equal(isShared({}, { method }, {}), false, method);
  }
  for (const method of ['OPTIONS', 'POST', 'PUT', 'DELETE', 'PATCH', 'CUSTOM']) {
    assert.equal(isShared({}, {}, { method }), false, method);
  }
  const fixture = oneLine();
  fixture.fetch('/a', {}, { ...KEPT, body: 'hello' });
  const read = fixture.fetch('/a', { method: 'HEAD' });
  assert.deepEqual([read.from, read.status, read.body], ['cache', 200, '']);
  assert.equal(read.fields['content-length'], '5');
});

test('one-line mode: unsafe methods leave what is kept alone', () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    const fixture = oneLine();
    fixture.fetch('/a', {}, KEPT);
    assert.equal(fixture.fetch('/a', { method, hasBody: true }).from, 'bypass');
    assert.equal(fixture.source('/a'), 'cache', method);
  }
});

test('one-line mode: requests that take no part', () => {
  const rows: Asked[] = [
    { hasBody: true }, { fields: ['Translate', 'f'] }, { fields: ['Expect', 'x'] }, { fields: ['If-Match', '*'] },
    { fields: ['Authorization', 'Basic x'] },
  ];
  for (const asked of rows) {
    assert.equal(isShared({}, asked, {}), false, `stored for ${JSON.stringify(asked)}`);
    assert.equal(isShared({}, {}, asked), false, `sent to ${JSON.stringify(asked)}`);
  }
  assert.equal(isShared({}, { fields: ['Expect', '100-continue'] }), true);
});

test('one-line mode: Range and If-Range on a miss keep nothing, a 206 neither', () => {
  assert.equal(isShared({}, { fields: ['Range', 'bytes=0-1'] }, {}), false);
  assert.equal(isShared({}, { fields: ['If-Range', '"a"'] }, {}), false);
  assert.equal(isShared({ status: 206, fields: ['Content-Range', 'bytes 0-3/9'] }), false);
});

test('one-line mode: Range on a hit gets its part, several ranges get several', () => {
  const fixture = oneLine();
  fixture.fetch('/a', {}, { ...KEPT, body: '0123456789', fields: ['ETag', '"a"'] });
  const one = fixture.fetch('/a', { fields: ['Range', 'bytes=2-4'] });
  assert.deepEqual([one.from, one.status, one.body], ['cache', 206, '234']);
  assert.equal(one.fields['content-range'], 'bytes 2-4/10');
  assert.equal(one.fields['content-length'], '3');
  assert.equal(one.fields['etag'], '"a"');
  const two = fixture.fetch('/a', { fields: ['Range', 'bytes=0-1,-2'] });
  const boundary = /^multipart\/byteranges; boundary=([0-9a-f]{36})$/.exec(two.fields['content-type']!)![1]!;
  assert.equal(two.status, 206);
  assert.equal(two.body.split(`--${boundary}`).length, 4);
  assert.match(two.body, /Content-Type: text\/plain\r\nContent-Range: bytes 8-9\/10\r\n\r\n89\r\n/);
  assert.equal(two.fields['content-length'], String(two.body.length));
  assert.equal(two.fields['content-range'], undefined);
  const behind = fixture.fetch('/a', { fields: ['Range', 'bytes=10-'] });
  assert.deepEqual([behind.status, behind.fields['content-range'], behind.body], [416, 'bytes */10', '']);
  const changed = fixture.fetch('/a', { fields: ['Range', 'bytes=0-1', 'If-Range', '"b"'] });
  assert.deepEqual([changed.status, changed.body], [200, '0123456789']);
});

test('one-line mode ignores Cache-Control, Pragma and cookies of requests', () => {
  for (const fields of [
    ['Cache-Control', 'no-cache'], ['Cache-Control', 'max-age=0'], ['Cache-Control', 'min-fresh=9999'],
    ['Cache-Control', 'no-store'], ['Pragma', 'no-cache'], ['Cookie', 'a=b'],
  ]) {
    assert.equal(isShared({}, { fields }), true, fields.join(': '));
    assert.equal(isShared({}, {}, { fields }), true, fields.join(': '));
  }
});

test('one-line mode keeps almost any status', () => {
  for (const status of [200, 201, 204, 301, 302, 400, 404, 418, 500, 503, 599]) {
    assert.equal(isShared({ status, body: status === 204 ? '' : 'x' }), true, String(status));
  }
});

test('one-line mode: what an answer may not have', () => {
  const rows: [Answered, boolean][] = [
    [{ isBare: true, fields: ['Content-Type', 'a/b', 'Date', new Date().toUTCString()] }, true],
    [{ isBare: true, fields: ['Date', new Date().toUTCString()] }, false],
    [{ isBare: true, fields: ['Content-Type', 'a/b'] }, false],
    [{ fields: ['Last-Modified', 'x'] }, false],
    [{ fields: ['Set-Cookie', 'a=b'] }, false],
    [{ fields: ['Cache-Control', 'private'] }, false],
    [{ fields: ['Cache-Control', 'no-store'] }, false],
    [{ fields: ['Vary', 'User-Agent'] }, false],
    [{ fields: ['Vary', '*'] }, false],
    [{ body: 'x'.repeat(1_048_576) }, true],
    [{ body: 'x'.repeat(1_048_577) }, false],
  ];
  for (const [answered, expected] of rows) {
    const shown = JSON.stringify(answered).slice(0, 90);
    assert.equal(isShared(answered), expected, shown);
  }
});

test('one-line mode: an answer sent in many pieces is kept, one that breaks off is not', () => {
  assert.equal(isShared({ isChunked: true, body: 'many small pieces' }), true);
  const fixture = oneLine();
  const ticket = fixture.ticket('/a');
  ticket.head({ ...fixture.head({ isChunked: true }), body: { kind: 'close' }, closes: true }, { duration: 60 });
  ticket.data(Buffer.from('half'));
  ticket.abort();
  assert.equal(fixture.source('/a'), 'app');
  assert.equal(fixture.cache.show().counters.refused.broken, 1);
  const short = fixture.ticket('/a');
  short.head(fixture.head({ body: 'four' }), { duration: 60 });
  short.data(Buffer.from('fo'));
  short.end();
  assert.equal(fixture.source('/a'), 'app');
});

test('one-line mode: the four fields of Vary are part of the key', () => {
  for (const name of ['Accept-Encoding', 'Accept', 'Accept-Language', 'Origin']) {
    const vary = { fields: ['Vary', name] };
    assert.equal(isShared(vary, { fields: [name, 'a'] }), true, name);
    assert.equal(isShared(vary, { fields: [name, 'a'] }, { fields: [name, 'b'] }), false, name);
    assert.equal(isShared(vary, { fields: [name, 'a'] }, {}), false, name);
  }
});

test('one-line mode: the key is scheme, host with port, path and query', () => {
  const fixture = oneLine();
  fixture.fetch('/a?x=1', { host: 'shop.example' }, KEPT);
  const rows: [string, Asked, string][] = [
    ['/a?x=1', {}, 'cache'], ['/a?x=1', { host: 'shop.example:80' }, 'cache'], ['/a?x=2', {}, 'app'],
    ['/a', {}, 'app'], ['/a?', {}, 'app'], ['/A?x=1', {}, 'app'], ['/%61?x=1', {}, 'app'],
    ['/a?x=1', { host: 'other.example' }, 'app'], ['/a?x=1', { host: 'shop.example:8080' }, 'app'],
    ['/a?x=1', { encrypted: true }, 'app'],
  ];
  for (const [url, asked, expected] of rows) {
    assert.equal(fixture.source(url, asked), expected, `${url} ${JSON.stringify(asked)}`);
  }
});

test('one-line mode: conditions on a hit get a 304', () => {
  const fixture = oneLine();
  const lastModified = fixture.date(-1000);
  const fields = ['ETag', '"a"', 'Last-Modified', lastModified, 'X-A', '1'];
  fixture.fetch('/a', {}, { ...KEPT, fields });
  for (const condition of [['If-None-Match', '"x", W/"a"'], ['If-Modified-Since', lastModified]]) {
    const read = fixture.fetch('/a', { fields: condition });
    assert.deepEqual([read.from, read.status, read.body], ['cache', 304, ''], condition.join());
    assert.equal(read.fields['etag'], '"a"');
    assert.equal(read.fields['x-a'], '1');
    assert.equal(read.fields['content-length'], undefined);
    assert.equal(read.fields['content-type'], undefined);
  }
  assert.equal(fixture.fetch('/a', { fields: ['If-None-Match', '"b"'] }).status, 200);
});

test('one-line mode: what the app said of Age counts on, and its duration from now', () => {
  const fixture = oneLine();
  fixture.fetch('/a', {}, { ...KEPT, fields: ['Age', '100'] });
  fixture.clock.advance(59_000);
  assert.equal(fixture.fetch('/a').fields['age'], '159');
  fixture.clock.advance(1000);
  assert.equal(fixture.source('/a'), 'app');
});

test('one-line mode asks the app anew for what is over, without conditions', () => {
  const fixture = oneLine();
  fixture.fetch('/a', {}, { ...KEPT, fields: ['ETag', '"a"'] });
  fixture.clock.advance(60_000);
  const read = fixture.fetch('/a', {}, { ...KEPT, body: 'newer' });
  assert.deepEqual([read.from, read.asked], ['app', []]);
  assert.equal(fixture.fetch('/a').body, 'newer');
});

test('one-line mode does not make simultaneous misses one, unless it is told to', () => {
  const fixture = oneLine();
  assert.equal(fixture.look('/a').kind, 'ask');
  assert.equal(fixture.look('/a').kind, 'ask');
  const collapsing = new CacheFixture({ mode: 'one-line', durationDefault: 0, collapses: true });
  assert.equal(collapsing.look('/a').kind, 'ask');
  assert.equal(collapsing.look('/a').kind, 'wait');
});

test('an entry goes when its prefix goes, and what arrives then is not kept', () => {
  const fixture = oneLine();
  fixture.fetch('/a', {}, KEPT);
  const ticket = fixture.ticket('/b');
  fixture.cache.dropPrefix('/');
  assert.equal(fixture.source('/a'), 'bypass');
  fixture.feed(ticket, KEPT);
  fixture.clock.advance(1);
  assert.equal(fixture.cache.store.bytes, 0);
  const again = fixture.cache.zone('/', { mode: 'one-line', durationDefault: 0 });
  assert.notEqual(again, fixture.zone);
  assert.equal(fixture.cache.zone('/', { durationDefault: 0, mode: 'one-line' }), again);
  assert.notEqual(fixture.cache.zone('/', { durationDefault: 1, mode: 'one-line' }), again);
});
