import { test } from 'node:test';
import assert from 'node:assert/strict';
import { CacheFixture, request } from './cache.test.support.ts';
import type { Asked } from './cache.test.support.ts';

const FRESH = { fields: ['Cache-Control', 'max-age=1000'] };

/** Keeps an answer to an attacker's request; true if a victim would get it. */
function isPoisoned(attack: Asked, victim: Asked = {}, url = '/a'): boolean {
  const fixture = new CacheFixture({ mode: 'standard' });
  fixture.fetch(url, attack, { ...FRESH, body: 'poison' });
  return fixture.fetch(url, victim, { body: 'sound' }).body === 'poison';
}

test('a field that steers the app but is in no key poisons nobody', () => {
  for (const name of [
    'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'X-Forwarded-Scheme', 'X-Forwarded-Prefix',
    'X-Host', 'X-Original-URL', 'X-Rewrite-URL', 'X-HTTP-Method-Override', 'X-Method-Override',
  ]) {
    assert.equal(isPoisoned({ fields: [name, 'evil'] }), false, name);
    assert.equal(isPoisoned({ fields: [name, 'evil'] }, { fields: [name, 'good'] }), false, name);
  }
  assert.equal(isPoisoned({ fields: ['Forwarded', 'host=evil;proto=http'] }), false);
});

test('another Host, another port or a trailing dot is another site', () => {
  for (const host of ['evil.example', 'shop.example:8080', 'shop.example.', 'shop.example:443', '']) {
    assert.equal(isPoisoned({ host }), false, host);
  }
});

test('the absolute form of a target shares the key of its path, and no more than that', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  const absolute = { ...request('/a?b'), target: 'http://shop.example/a?b' };
  const client = { encrypted: false, keepAlive: true, waitEndsMs: 0, cacheReady: () => {} };
  const found = fixture.cache.lookup(fixture.zone, absolute, client);
  assert.ok(found.kind === 'ask');
  fixture.feed(found.ticket, FRESH);
  assert.equal(fixture.source('/a?b'), 'cache');
  assert.equal(fixture.source('/a'), 'app');
  const other = { ...absolute, host: 'evil.example', target: 'http://evil.example/a?b' };
  assert.equal(fixture.cache.lookup(fixture.zone, other, client).kind, 'ask');
});

test('a query is compared as it is: order, repetition and separators count', () => {
  const urls = [
    '/a?x=1&x=2', '/a?x=2&x=1', '/a?x=1', '/a?x=2', '/a?x=1;x=2', '/a?x=1&x=2&', '/a?X=1&x=2', '/a?x=%31&x=2',
  ];
  for (const first of urls) {
    const fixture = new CacheFixture({ mode: 'standard' });
    fixture.fetch(first, {}, FRESH);
    for (const second of urls) {
      assert.equal(fixture.source(second), first === second ? 'cache' : 'app', `${first} ${second}`);
    }
  }
});

test('a GET with a body is neither kept nor answered from what is kept', () => {
  assert.equal(isPoisoned({ hasBody: true }), false);
  const fixture = new CacheFixture({ mode: 'standard' });
  fixture.fetch('/a', {}, FRESH);
  assert.equal(fixture.source('/a', { hasBody: true }), 'bypass');
});

test('an answer with a line break in a field or in its reason is not kept', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  for (const [fields, reason] of [
    [['X-A', 'a\r\nX-B: b'], 'OK'], [['X-A\r\nX-B', 'a'], 'OK'], [['X-A', 'a\nb'], 'OK'], [['X-A', 'a\0'], 'OK'],
    [['X-A', 'a\u0141'], 'OK'], [['X-A', 'a'], 'OK\r\nX-B: b'],
  ] as const) {
    const ticket = fixture.ticket('/a');
    const head = fixture.head({ fields: [...FRESH.fields, ...fields] });
    ticket.head({ ...head, reason });
    ticket.data(Buffer.from('body'));
    ticket.end();
    assert.equal(fixture.source('/a'), 'app', JSON.stringify(fields));
  }
  assert.equal(fixture.cache.store.bytes, 0);
});

test('the end of a path decides nothing: a private page stays private under any suffix', () => {
  const urls = ['/account', '/account/x.css', '/account;x.js', '/account%2fx.png', '/account?.css'];
  for (const url of urls) {
    const fixture = new CacheFixture({ mode: 'standard', guessesFreshness: true });
    const victim = { fields: ['Cookie', 'session=victim'] };
    fixture.fetch(url, victim, { body: 'secret' });
    fixture.fetch(url, victim, { body: 'secret', fields: ['Cache-Control', 'private, max-age=60'] });
    fixture.fetch(url, victim, { body: 'secret', fields: ['Cache-Control', 'max-age=60', 'Set-Cookie', 'a=b'] });
    fixture.fetch(url, victim, { body: 'secret', fields: ['ETag', '"a"'] });
    assert.equal(fixture.source(url), 'app', url);
    assert.equal(fixture.cache.store.count, 0, url);
  }
});

test('an answer to a request with Authorization is for nobody else, unless it says so', () => {
  const secret = { fields: ['Authorization', 'Basic x'] };
  assert.equal(isPoisoned(secret), false);
  assert.equal(isPoisoned(secret, { fields: ['Authorization', 'Basic y'] }), false);
  const fixture = new CacheFixture({ mode: 'standard' });
  fixture.fetch('/a', {}, { fields: ['Cache-Control', 'max-age=9', 'ETag', '"a"'] });
  const read = fixture.fetch('/a', secret, { body: 'mine' });
  assert.deepEqual([read.body, read.asked], ['mine', secret.fields]);
});

test('a Vary without end fills no memory and costs nobody else his place', () => {
  const fixture = new CacheFixture({ mode: 'standard', objectBytesMax: 2000 }, { bytesMax: 100_000 });
  fixture.fetch('/other', {}, FRESH);
  for (let index = 0; index < 3000; index++) {
    const fields = ['Cache-Control', 'max-age=1000', 'Vary', 'User-Agent'];
    fixture.fetch('/a', { fields: ['User-Agent', `agent ${index}`] }, { fields });
    assert.ok(fixture.cache.store.count <= 33);
  }
  assert.equal(fixture.source('/other'), 'cache');
  const names = Array.from({ length: 50 }, (_, index) => `X-${index}`).join(', ');
  fixture.fetch('/b', {}, { fields: ['Cache-Control', 'max-age=1000', 'Vary', names] });
  assert.equal(fixture.source('/b'), 'app');
});

test('hosts without end stay within the bound', () => {
  const fixture = new CacheFixture({ mode: 'standard' }, { bytesMax: 50_000 });
  for (let index = 0; index < 2000; index++) {
    fixture.fetch('/', { host: `h${index}.example` }, FRESH);
    assert.ok(fixture.cache.store.bytes <= 50_000);
  }
  const sites = fixture.zone.sites[0].size;
  assert.equal(sites, fixture.cache.store.count);
});

test('a purge during an answer keeps the old one from being kept', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  const orders = [
    { target: '/a' }, { target: 'http://shop.example/a' }, { target: '/', isRecursive: true }, { tag: 'x' }, {},
  ];
  for (const order of orders) {
    const ticket = fixture.ticket('/a');
    fixture.cache.purge(order);
    fixture.feed(ticket, FRESH);
    assert.equal(fixture.source('/a'), 'app', `before the head: ${JSON.stringify(order)}`);
    const filling = fixture.ticket('/a');
    filling.head(fixture.head({ fields: [...FRESH.fields, 'Cache-Tag', 'x'] }));
    filling.data(Buffer.from('bo'));
    fixture.cache.purge(order);
    filling.data(Buffer.from('dy'));
    filling.end();
    assert.equal(fixture.source('/a'), 'app', `during the body: ${JSON.stringify(order)}`);
  }
  const unconcerned = fixture.ticket('/a');
  fixture.cache.purge({ target: '/b' });
  fixture.feed(unconcerned, FRESH);
  assert.equal(fixture.source('/a'), 'cache');
});

test('a purge during a revalidation makes the request go out anew', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  const fields = ['Cache-Control', 'max-age=1', 'ETag', '"a"'];
  fixture.fetch('/a', {}, { fields, body: 'old' });
  fixture.clock.advance(2000);
  const ticket = fixture.ticket('/a');
  assert.ok(ticket.isRevalidation);
  fixture.cache.purge({ target: '/a' });
  assert.equal(ticket.head(fixture.head({ status: 304, fields, body: '' })).kind, 'again');
  assert.deepEqual(ticket.requestFields(), []);
  fixture.feed(ticket, { ...FRESH, body: 'new' });
  assert.equal(fixture.fetch('/a').body, 'new');
});

test('purges under load: nobody gets afterwards what was kept or asked for before', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  let version = 0;
  const open: { ticket: ReturnType<CacheFixture['ticket']>; body: string }[] = [];
  for (let step = 0; step < 3000; step++) {
    const found = fixture.look('/a');
    if (found.kind === 'hit') assert.match(found.bytes.toString(), new RegExp(`version ${version}$`));
    else if (found.kind === 'ask') open.push({ ticket: found.ticket, body: `version ${version}` });
    if (step % 7 === 3) {
      version += 1;
      fixture.cache.purge(step % 2 === 0 ? { target: '/a' } : { target: '/', isRecursive: true });
    }
    if (step % 5 === 0) {
      const { ticket, body } = open.shift() ?? {};
      if (ticket !== undefined) fixture.feed(ticket, { ...FRESH, body: body! });
    }
    if (step % 50 === 0) fixture.clock.advance(1);
  }
  assert.ok(fixture.cache.show().counters.hits > 100);
});

test('Cache-Tag never reaches a client, kept or not', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  const fields = ['Cache-Tag', 'secret-name', 'X-A', '1'];
  assert.equal(fixture.fetch('/a', {}, { fields: [...fields, ...FRESH.fields] }).fields['cache-tag'], undefined);
  assert.equal(fixture.fetch('/a').fields['cache-tag'], undefined);
  const read = fixture.fetch('/b', { method: 'POST' }, { fields });
  assert.deepEqual([read.fields['cache-tag'], read.fields['x-a']], [undefined, '1']);
  assert.deepEqual(fixture.cache.list()[0]?.tags, ['secret-name']);
});
