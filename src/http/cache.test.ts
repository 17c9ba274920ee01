import { test } from 'node:test';
import assert from 'node:assert/strict';
import { JOINED_BYTES_MAX } from './cache-entry.ts';
import { CacheFixture, FixtureClient, readHit, request } from './cache.test.support.ts';
import type { CacheZoneOptions } from './cache.ts';

function standard(options: Partial<CacheZoneOptions> = {}): CacheFixture {
  return new CacheFixture({ ...options, mode: 'standard' });
}

const FRESH = { fields: ['Cache-Control', 'max-age=1000'] };

test('a hit is one piece of memory: head, Age and body', () => {
  const fixture = standard();
  fixture.fetch('/a', {}, { ...FRESH, body: 'hello' });
  fixture.clock.advance(12_345);
  const found = fixture.look('/a');
  assert.ok(found.kind === 'hit');
  assert.equal(found.head, '');
  const lines = found.bytes.toString('latin1').split('\r\n');
  assert.match(lines[2]!, /^Date: /);
  assert.deepEqual([...lines.slice(0, 2), ...lines.slice(3)], [
    'HTTP/1.1 200 OK', 'Cache-Control: max-age=1000', 'Content-Type: text/plain', 'Content-Length: 5',
    'Age: 12', '', 'hello',
  ]);
});

test('bytes that are on their way do not change when the Age does', () => {
  const fixture = standard();
  fixture.fetch('/a', {}, FRESH);
  const first = fixture.look('/a');
  assert.ok(first.kind === 'hit');
  const { bytes } = first;
  const before = bytes.toString('latin1');
  fixture.clock.advance(10_000);
  assert.equal(fixture.fetch('/a').fields['age'], '10');
  assert.equal(bytes.toString('latin1'), before);
});

test('head and body are two pieces where the connection has something to say, or the body is large', () => {
  const fixture = standard();
  fixture.fetch('/a', {}, { ...FRESH, body: 'hello' });
  assert.equal(fixture.fetch('/a', { keepAlive: false }).fields['connection'], 'close');
  assert.equal(fixture.fetch('/a', { version: 10 }).fields['connection'], 'keep-alive');
  assert.equal(fixture.fetch('/a', { version: 10, keepAlive: false }).fields['connection'], undefined);
  assert.equal(fixture.fetch('/a', { method: 'HEAD', keepAlive: false }).fields['connection'], 'close');
  const body = 'x'.repeat(JOINED_BYTES_MAX + 1);
  for (const isChunked of [false, true]) {
    const url = `/large/${isChunked}`;
    fixture.fetch(url, {}, { ...FRESH, body, isChunked });
    fixture.clock.advance(1000);
    const read = fixture.fetch(url);
    assert.deepEqual([read.from, read.body === body, read.fields['age']], ['cache', true, '1']);
    const part = fixture.fetch(url, { fields: ['Range', 'bytes=-3'] });
    assert.deepEqual([part.status, part.body], [206, 'xxx']);
  }
});

test('a 204 is kept without a length, and an answer without Date gets one', () => {
  const fixture = standard();
  fixture.fetch('/a', {}, { ...FRESH, status: 204, body: '' });
  const read = fixture.fetch('/a');
  assert.deepEqual([read.from, read.status, read.fields['content-length']], ['cache', 204, undefined]);
  fixture.fetch('/b', {}, { ...FRESH, isBare: true });
  assert.match(fixture.fetch('/b').fields['date']!, /GMT$/);
});

test('fields of the message are not kept, nor those that no-cache and private name', () => {
  const fixture = standard();
  const fields = [
    'Cache-Control', 'max-age=9, no-cache="X-A", private="X-B"', 'X-A', '1', 'X-B', '2', 'X-C', '3',
    'Keep-Alive', 'timeout=5', 'Proxy-Authenticate', 'x', 'Trailer', 'x', 'Age', '2',
  ];
  fixture.fetch('/a', {}, { fields });
  const read = fixture.fetch('/a');
  assert.deepEqual(Object.keys(read.fields).sort(), [
    'age', 'cache-control', 'content-length', 'content-type', 'date', 'x-c',
  ]);
  assert.equal(read.fields['age'], '2');
});

test('a stale answer is validated with both validators, and a 304 makes it fresh and changes its fields', () => {
  const fixture = standard();
  const modified = fixture.date(-5000);
  const fields = ['Cache-Control', 'max-age=2', 'ETag', 'W/"a"', 'Last-Modified', modified];
  fixture.fetch('/a', {}, { fields: [...fields, 'X-A', '1', 'X-B', '1'], body: 'kept' });
  fixture.clock.advance(3000);
  const asked = ['If-None-Match', '"other"', 'Range', 'bytes=0-1', 'Accept', '*/*'];
  const fresh = { status: 304, body: '', fields: ['Cache-Control', 'max-age=9', 'ETag', 'W/"a"', 'X-A', '2'] };
  const read = fixture.fetch('/a', { fields: asked }, fresh);
  assert.deepEqual(read.asked, ['Accept', '*/*', 'If-None-Match', 'W/"a"', 'If-Modified-Since', modified]);
  assert.deepEqual([read.from, read.status, read.body], ['validated', 206, 'ke']);
  fixture.clock.advance(8000);
  const later = fixture.fetch('/a');
  assert.deepEqual([later.from, later.body, later.fields['age']], ['cache', 'kept', '8']);
  assert.deepEqual([later.fields['x-a'], later.fields['x-b'], later.fields['content-length']], ['2', '1', '4']);
  assert.equal(fixture.cache.show().counters.revalidated, 1);
});

test('a client that asks on conditions gets a 304 when the app says so of what is kept', () => {
  const fixture = standard();
  fixture.fetch('/a', {}, { fields: ['Cache-Control', 'max-age=1', 'ETag', '"a"'] });
  fixture.clock.advance(2000);
  const read = fixture.fetch('/a', { fields: ['If-None-Match', '"a"'] }, { status: 304, body: '', fields: [] });
  assert.deepEqual([read.from, read.status], ['validated', 304]);
});

test('without an answer of ours the conditions of the client go to the app as they are', () => {
  const fixture = standard();
  const fields = ['If-None-Match', '"a"', 'Range', 'bytes=0-1'];
  const read = fixture.fetch('/a', { fields }, { status: 304, body: '', fields: ['ETag', '"a"'] });
  assert.deepEqual([read.from, read.status, read.asked], ['app', 304, fields]);
  assert.equal(fixture.cache.store.count, 0);
});

test('a 304 about another tag is not believed', () => {
  const fixture = standard();
  fixture.fetch('/a', {}, { fields: ['Cache-Control', 'max-age=1', 'ETag', '"a"'], body: 'old' });
  fixture.clock.advance(2000);
  const ticket = fixture.ticket('/a');
  assert.equal(ticket.head(fixture.head({ status: 304, body: '', fields: ['ETag', '"b"'] })).kind, 'again');
  assert.equal(ticket.isRevalidation, false);
  fixture.feed(ticket, { fields: ['Cache-Control', 'max-age=9', 'ETag', '"b"'], body: 'new' });
  assert.equal(fixture.fetch('/a').body, 'new');
});

test('a 304 that forbids keeping is obeyed, and the answer is sent once more', () => {
  const fixture = standard();
  fixture.fetch('/a', {}, { fields: ['Cache-Control', 'max-age=1', 'ETag', '"a"'], body: 'old' });
  fixture.clock.advance(2000);
  const read = fixture.fetch('/a', {}, { status: 304, body: '', fields: ['Cache-Control', 'no-store'] });
  assert.deepEqual([read.from, read.body], ['validated', 'old']);
  assert.equal(fixture.cache.store.count, 0);
});

test('a new answer takes the place of the old one, also when it may not be kept', () => {
  for (const [fields, count] of [[FRESH.fields, 1], [['Cache-Control', 'no-store'], 0]] as const) {
    const fixture = standard();
    fixture.fetch('/a', {}, { fields: ['Cache-Control', 'max-age=1', 'ETag', '"a"'], body: 'old' });
    fixture.clock.advance(2000);
    assert.equal(fixture.fetch('/a', {}, { fields: [...fields], body: 'new' }).body, 'new');
    assert.equal(fixture.cache.store.count, count);
  }
});

test('no-cache is kept and asked about every time', () => {
  const fixture = standard();
  fixture.fetch('/a', {}, { fields: ['Cache-Control', 'no-cache', 'ETag', '"a"'], body: 'kept' });
  for (let count = 0; count < 3; count++) {
    const read = fixture.fetch('/a', {}, { status: 304, body: '', fields: [] });
    assert.deepEqual([read.from, read.body], ['validated', 'kept']);
  }
  assert.equal(fixture.fetch('/a', {}, 'fail').from, 'unavailable');
});

test('stale-while-revalidate sends the old answer and fetches one new one behind it', () => {
  const fixture = standard();
  const fields = ['Cache-Control', 'max-age=1, stale-while-revalidate=60', 'ETag', '"a"'];
  fixture.fetch('/a', {}, { fields, body: 'old' });
  fixture.clock.advance(2000);
  const found = fixture.look('/a', { fields: ['Range', 'bytes=0-0', 'Accept', '*/*'] });
  assert.ok(found.kind === 'hit' && found.isStale);
  assert.equal(readHit(found).body, 'o');
  const { refresh } = found;
  assert.deepEqual(refresh!.requestFields(), ['Accept', '*/*', 'If-None-Match', '"a"']);
  const second = fixture.look('/a');
  assert.ok(second.kind === 'hit' && second.refresh === null);
  assert.equal(fixture.look('/a', { method: 'HEAD' }).kind, 'hit');
  fixture.feed(refresh!, { fields: [...FRESH.fields, 'ETag', '"b"'], body: 'new' });
  const third = fixture.look('/a');
  assert.ok(third.kind === 'hit' && !third.isStale);
  assert.equal(readHit(third).body, 'new');
});

test('a refresh that fails lets the next one try, and one that validates makes the answer fresh', () => {
  const fixture = standard();
  const fields = ['Cache-Control', 'max-age=1, stale-while-revalidate=60', 'ETag', '"a"'];
  fixture.fetch('/a', {}, { fields, body: 'old' });
  for (const end of ['abort', 'fail'] as const) {
    fixture.clock.advance(2000);
    const found = fixture.look('/a');
    assert.ok(found.kind === 'hit' && found.refresh !== null, end);
    if (end === 'fail') assert.equal(found.refresh.fail(), null);
    else found.refresh.abort();
  }
  const found = fixture.look('/a');
  assert.ok(found.kind === 'hit' && found.refresh !== null);
  assert.equal(fixture.feed(found.refresh, { status: 304, body: '', fields: ['X-A', '1'] }).kind, 'pass');
  const fresh = fixture.look('/a');
  assert.ok(fresh.kind === 'hit' && !fresh.isStale);
  assert.equal(readHit(fresh).fields['x-a'], '1');
  fixture.clock.advance(62_000);
  assert.equal(fixture.look('/a').kind, 'ask');
});

test('stale-if-error sends the old answer for 500, 502, 503, 504 and for none at all', () => {
  const kept = { fields: ['Cache-Control', 'max-age=1, stale-if-error=60'], body: 'old' };
  for (const [status, expected] of [[500, 'old'], [502, 'old'], [503, 'old'], [504, 'old'], [404, 'new']] as const) {
    const fixture = standard({ staleWhenDownMs: 0 });
    fixture.fetch('/a', {}, kept);
    fixture.clock.advance(30_000);
    const read = fixture.fetch('/a', {}, { status, body: 'new' });
    assert.equal(read.body, expected, String(status));
    if (expected === 'old') assert.equal(read.fields['age'], '30');
    fixture.clock.advance(31_000);
    assert.equal(fixture.fetch('/a', {}, { status, body: 'new' }).body, 'new');
  }
  const fixture = standard({ staleWhenDownMs: 0 });
  fixture.fetch('/a', {}, kept);
  fixture.clock.advance(30_000);
  const read = fixture.fetch('/a', {}, 'fail');
  assert.deepEqual([read.from, read.body], ['cache', 'old']);
  assert.equal(fixture.cache.show().counters.stale, 1);
});

test('while the app is down the old answer is sent for a while, unless it is strict', () => {
  const rows: [string, string][] = [
    ['max-age=1', 'cache'], ['max-age=1, must-revalidate', 'unavailable'], ['s-maxage=1', 'unavailable'],
    ['max-age=1, proxy-revalidate', 'unavailable'],
  ];
  for (const [text, expected] of rows) {
    const fixture = standard({ staleWhenDownMs: 5000 });
    fixture.fetch('/a', {}, { fields: ['Cache-Control', text] });
    fixture.clock.advance(4000);
    assert.equal(fixture.fetch('/a', {}, { status: 503 }).status, 503, 'an error is an answer');
    assert.equal(fixture.fetch('/a', {}, 'fail').from, expected, text);
    fixture.clock.advance(3000);
    assert.equal(fixture.fetch('/a', {}, 'fail').from, 'unavailable', text);
  }
});

test('HEAD is answered from what is kept and keeps nothing itself', () => {
  const fixture = standard();
  assert.equal(fixture.fetch('/a', { method: 'HEAD' }, FRESH).from, 'bypass');
  fixture.fetch('/a', {}, FRESH);
  assert.equal(fixture.source('/a', { method: 'HEAD' }), 'cache');
});

test('only-if-cached without anything kept is unavailable, and no app is asked', () => {
  const fixture = standard();
  const asked = { fields: ['Cache-Control', 'only-if-cached'] };
  assert.equal(fixture.source('/a', asked), 'unavailable');
  fixture.fetch('/a', {}, FRESH);
  assert.equal(fixture.source('/a', asked), 'cache');
});

test('a part is kept and sent to who wants no more than it, until the whole comes', () => {
  const fixture = standard();
  const fields = [...FRESH.fields, 'Content-Range', 'bytes 5-9/10', 'ETag', '"a"'];
  fixture.fetch('/a', { fields: ['Range', 'bytes=-5'] }, { status: 206, fields, body: '56789' });
  const read = fixture.fetch('/a', { fields: ['Range', 'bytes=6-7'] });
  assert.deepEqual([read.from, read.status, read.body], ['cache', 206, '67']);
  assert.equal(read.fields['content-range'], 'bytes 6-7/10');
  assert.equal(fixture.source('/a', { fields: ['Range', 'bytes=0-7'] }), 'app');
  assert.equal(fixture.source('/a'), 'app');
  fixture.fetch('/a', {}, { ...FRESH, body: '0123456789' });
  assert.equal(fixture.fetch('/a', { fields: ['Range', 'bytes=0-1'] }).body, '01');
  fixture.fetch('/b', { fields: ['Range', 'bytes=0-3'] }, {
    status: 206, fields: [...FRESH.fields, 'Content-Range', 'bytes 0-3/9'], body: 'two',
  });
  assert.equal(fixture.source('/b', { fields: ['Range', 'bytes=0-1'] }), 'app', 'its length contradicts it');
});

test('a part does not take the place of a whole', () => {
  const fixture = standard();
  fixture.fetch('/a', {}, { fields: ['Cache-Control', 'max-age=1', 'ETag', '"a"'], body: '0123456789' });
  const asked = { fields: ['Range', 'bytes=0-1', 'Cache-Control', 'no-cache'] };
  const ticket = fixture.ticket('/a', asked);
  fixture.feed(ticket, { status: 206, fields: [...FRESH.fields, 'Content-Range', 'bytes 0-1/10'], body: '01' });
  assert.equal(fixture.fetch('/a').body, '0123456789');
});

test('variants live side by side, and what the app compressed stays as it is', () => {
  const fixture = standard();
  const fields = ['Cache-Control', 'max-age=9', 'Vary', 'Accept-Encoding, X-A'];
  const asked = { fields: ['Accept-Encoding', 'gzip, br'] };
  fixture.fetch('/a', asked, { fields: [...fields, 'Content-Encoding', 'br'], body: 'B' });
  fixture.fetch('/a', {}, { fields, body: 'P' });
  assert.equal(fixture.fetch('/a', { fields: ['accept-encoding', 'BR,gzip'] }).body, 'B');
  assert.equal(fixture.fetch('/a').body, 'P');
  assert.equal(fixture.source('/a', { fields: ['Accept-Encoding', 'gzip, br', 'X-A', '1'] }), 'app');
});

test('a successful unsafe method voids its URL and those it names on its own site', () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'M-SEARCH']) {
    const fixture = standard();
    for (const url of ['/a', '/a?x', '/b', '/c', '/d']) fixture.fetch(url, {}, FRESH);
    const read = fixture.fetch('/a', { method, hasBody: true }, {
      fields: ['Location', '/b', 'Content-Location', 'http://shop.example/c'],
    });
    assert.equal(read.from, 'app');
    const left = ['/a', '/a?x', '/b', '/c', '/d'].map((url) => fixture.source(url));
    assert.deepEqual(left, ['app', 'cache', 'app', 'app', 'cache'], method);
  }
  const fixture = standard();
  fixture.fetch('/a', {}, FRESH);
  fixture.fetch('/a', { method: 'POST' }, { status: 500 });
  assert.equal(fixture.source('/a'), 'cache');
  fixture.fetch('/x', { method: 'POST', host: 'evil.example' }, { fields: ['Location', 'http://shop.example/a'] });
  assert.equal(fixture.source('/a'), 'cache');
  fixture.fetch('/a', { method: 'OPTIONS' });
  assert.equal(fixture.source('/a'), 'cache');
});

test('Cache-Status says what happened, where it is on', () => {
  const fixture = standard({ statusName: 'front' });
  const fields = ['Cache-Control', 'max-age=10, stale-if-error=9', 'ETag', '"a"'];
  const said = (read: { fields: Record<string, string> }): string | undefined => read.fields['cache-status'];
  assert.equal(said(fixture.fetch('/a', {}, { fields })), 'front; fwd=uri-miss; fwd-status=200; stored');
  fixture.clock.advance(4000);
  assert.equal(said(fixture.fetch('/a')), 'front; hit; ttl=6');
  fixture.clock.advance(7000);
  assert.equal(said(fixture.fetch('/a', {}, { status: 503 })), 'front; hit; fwd=stale; detail=error');
  assert.equal(said(fixture.fetch('/a', {}, { status: 304, body: '' })), 'front; hit; fwd=stale; fwd-status=304');
  assert.equal(said(fixture.fetch('/b', {}, { status: 404 })), 'front; fwd=uri-miss; fwd-status=404');
  assert.equal(said(fixture.fetch('/b', { method: 'PUT' })), 'front; fwd=method; fwd-status=200');
});

test('simultaneous misses become one request, and everybody gets its answer', () => {
  const fixture = standard();
  const ticket = fixture.ticket('/a');
  const clients = Array.from({ length: 20 }, () => new FixtureClient());
  const bodies: string[] = [];
  for (const client of clients) {
    assert.equal(fixture.cache.lookup(fixture.zone, request('/a'), client).kind, 'wait');
    client.onReady = () => {
      const found = fixture.cache.lookupAgain(fixture.zone, request('/a'), client);
      assert.ok(found.kind === 'hit');
      bodies.push(readHit(found).body);
    };
  }
  assert.equal(fixture.look('/b').kind, 'ask');
  assert.equal(fixture.look('/a', { fields: ['Authorization', 'x'] }).kind, 'ask');
  fixture.feed(ticket, { ...FRESH, body: 'shared', isChunked: true });
  assert.deepEqual(bodies, clients.map(() => 'shared'));
  const { counters } = fixture.cache.show();
  assert.deepEqual([counters.collapsed, counters.hits, counters.misses], [20, 20, 3]);
});

test('an answer that cannot be shared lets all others go at its head, and nobody waits for the URL soon', () => {
  const fixture = standard();
  const ticket = fixture.ticket('/a');
  const clients = [new FixtureClient(), new FixtureClient()];
  for (const client of clients) assert.equal(fixture.cache.lookup(fixture.zone, request('/a'), client).kind, 'wait');
  ticket.head(fixture.head({ fields: ['Cache-Control', 'private'] }));
  assert.deepEqual(clients.map(({ readyCount }) => readyCount), [1, 1]);
  for (const client of clients) {
    assert.equal(fixture.cache.lookupAgain(fixture.zone, request('/a'), client).kind, 'ask');
  }
  assert.equal(fixture.look('/a').kind, 'ask');
  assert.equal(fixture.look('/a').kind, 'ask');
  fixture.clock.advance(10_001);
  assert.equal(fixture.look('/a').kind, 'ask');
  assert.equal(fixture.look('/a').kind, 'wait');
});

test('a failed leader hands over to the first who waits; a slow one stalls nobody past the limit', () => {
  const fixture = standard({ collapseWaitMs: 1000 });
  const kinds: string[] = [];
  const enter = (name: string): FixtureClient => {
    const client = new FixtureClient();
    assert.equal(fixture.cache.lookup(fixture.zone, request('/a'), client).kind, 'wait');
    client.onReady = () => {
      kinds.push(`${name} ${fixture.cache.lookupAgain(fixture.zone, request('/a'), client).kind}`);
    };
    return client;
  };
  const ticket = fixture.ticket('/a');
  enter('first');
  enter('second');
  fixture.clock.advance(600);
  enter('third');
  ticket.abort();
  assert.deepEqual(kinds, ['first ask', 'second wait', 'third wait']);
  fixture.clock.advance(400);
  assert.deepEqual(kinds.slice(3), ['second ask']);
  fixture.clock.advance(600);
  assert.deepEqual(kinds.slice(4), ['third ask']);
});

test('nobody joins a leader that is late: another one leads', () => {
  const fixture = standard({ collapseWaitMs: 1000 });
  const slow = fixture.ticket('/a');
  fixture.clock.advance(1000);
  assert.equal(fixture.look('/a').kind, 'ask');
  const waiting = fixture.look('/a');
  assert.ok(waiting.kind === 'wait');
  waiting.leave();
  fixture.feed(slow, { ...FRESH, body: 'slow' });
  assert.equal(fixture.fetch('/a').body, 'slow');
});

test('who would get another variant does not wait for this one', () => {
  const fixture = standard();
  const ticket = fixture.ticket('/a', { fields: ['X-A', '1'] });
  const same = new FixtureClient();
  const other = new FixtureClient();
  fixture.cache.lookup(fixture.zone, request('/a', { fields: ['X-A', '1'] }), same);
  fixture.cache.lookup(fixture.zone, request('/a', { fields: ['X-A', '2'] }), other);
  ticket.head(fixture.head({ fields: [...FRESH.fields, 'Vary', 'X-A'] }));
  assert.deepEqual([same.readyCount, other.readyCount], [0, 1]);
  assert.equal(fixture.look('/a', { fields: ['X-A', '3'] }).kind, 'ask');
  assert.equal(fixture.look('/a', { fields: ['X-A', '1'] }).kind, 'wait');
  ticket.data(Buffer.from('body'));
  ticket.end();
  assert.equal(same.readyCount, 1);
});

test('a purge lets those go who wait for an older answer, and a client that leaves is not called', () => {
  const fixture = standard();
  const ticket = fixture.ticket('/a');
  const client = new FixtureClient();
  const gone = new FixtureClient();
  fixture.cache.lookup(fixture.zone, request('/a'), client);
  const waiting = fixture.cache.lookup(fixture.zone, request('/a'), gone);
  assert.ok(waiting.kind === 'wait');
  waiting.leave();
  fixture.cache.purge({ target: '/a' });
  assert.deepEqual([client.readyCount, gone.readyCount], [1, 0]);
  assert.equal(fixture.cache.lookupAgain(fixture.zone, request('/a'), client).kind, 'ask');
  ticket.abort();
});

test('requests with wishes of their own neither lead nor wait', () => {
  const fixture = standard();
  assert.equal(fixture.look('/a', { fields: ['Range', 'bytes=0-1'] }).kind, 'ask');
  assert.equal(fixture.look('/a', { fields: ['If-None-Match', '"a"'] }).kind, 'ask');
  assert.equal(fixture.look('/a', { fields: ['Cache-Control', 'no-cache'] }).kind, 'ask');
  assert.equal(fixture.look('/a').kind, 'ask');
  assert.equal(fixture.look('/a', { fields: ['If-None-Match', '"a"'] }).kind, 'wait');
  assert.equal(fixture.look('/a', { fields: ['Cache-Control', 'no-cache'] }).kind, 'ask');
});

test('dropping a prefix and closing the cache let go who waits', () => {
  for (const end of ['drop', 'close'] as const) {
    const fixture = standard();
    fixture.ticket('/a');
    const client = new FixtureClient();
    fixture.cache.lookup(fixture.zone, request('/a'), client);
    if (end === 'drop') fixture.cache.dropPrefix('/');
    else fixture.cache.close();
    assert.equal(client.readyCount, 1);
  }
});

test('show and list tell what is kept and what happened', () => {
  const fixture = standard();
  fixture.fetch('/a/1', {}, { fields: ['Cache-Control', 'max-age=9', 'Vary', 'X-A', 'Cache-Tag', 't'] });
  fixture.fetch('/b', { encrypted: true }, FRESH);
  fixture.fetch('/a/1');
  fixture.clock.advance(2500);
  const [listing] = fixture.cache.list('http://shop.example/a');
  assert.deepEqual({ ...listing, bytes: 0 }, {
    url: 'http://shop.example/a/1', status: 200, bytes: 0, ageSeconds: 2, freshSeconds: 9, hits: 1,
    vary: ['x-a'], tags: ['t'],
  });
  assert.deepEqual(fixture.cache.list().map(({ url }) => url), ['http://shop.example/a/1', 'https://shop.example/b']);
  assert.deepEqual(fixture.cache.list('none'), []);
  const { counters, entries, bytes, bytesMax } = fixture.cache.show();
  assert.deepEqual([counters.hits, counters.misses, counters.stored, entries], [1, 2, 2, 2]);
  assert.ok(bytes > 0 && bytes < bytesMax);
});
