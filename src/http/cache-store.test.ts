import { test } from 'node:test';
import assert from 'node:assert/strict';
import { ENTRY_BYTES, TEXT_BYTES } from './cache-entry.ts';
import type { CacheEntry } from './cache-entry.ts';
import { CacheFixture, readHit, request } from './cache.test.support.ts';
import { PURGES_MAX, SITE_BYTES, SLOT_BYTES, SWEEP_STEP } from './cache-store.ts';
import type { CacheSite, CacheSlot, CacheStore } from './cache-store.ts';

const FRESH = { fields: ['Cache-Control', 'max-age=1000'] };

function texts(values: readonly string[]): number {
  return values.reduce((bytes, text) => bytes + text.length + TEXT_BYTES, 0);
}

function entryBytes(entry: CacheEntry): number {
  const own = texts([...entry.fields, ...entry.tags, entry.reason, entry.steering, entry.variantKey, ...entry.vary]);
  return ENTRY_BYTES + entry.headBytes + entry.body.length + own;
}

/** Everything that is held, measured anew; the maps must agree with the order of use. */
function recount(store: CacheStore): number {
  const sites = new Set<CacheSite>();
  const slots = new Set<CacheSlot>();
  let bytes = 0;
  let count = 0;
  for (const entry of store.entries()) {
    const slot = entry.slot!;
    assert.ok(slot.entries.includes(entry));
    assert.equal(slot.site.slots.get(slot.url), slot);
    slots.add(slot);
    sites.add(slot.site);
    bytes += entryBytes(entry);
    count += 1;
  }
  for (const slot of slots) bytes += SLOT_BYTES + texts([slot.url]);
  for (const site of sites) {
    bytes += SITE_BYTES + texts([site.host]);
    assert.equal(site.slots.size, [...slots].filter((slot) => slot.site === site).length);
  }
  assert.equal(count, store.count);
  return bytes;
}

test('10 000 keys over the bound never exceed it, and every byte is accounted for', () => {
  const bytesMax = 200_000;
  const fixture = new CacheFixture({ mode: 'standard' }, { bytesMax });
  const { store } = fixture.cache;
  for (let index = 0; index < 10_000; index++) {
    const isChunked = index % 3 === 0;
    const body = 'x'.repeat(index % 900);
    fixture.fetch(`/items/${index}`, { host: `h${index % 7}.example` }, { ...FRESH, body, isChunked });
    assert.ok(store.bytes <= bytesMax, `${store.bytes} after ${index}`);
    if (index % 500 === 0) assert.equal(recount(store), store.bytes);
  }
  assert.equal(recount(store), store.bytes);
  assert.ok(store.bytes > bytesMax * 0.9);
  const { counters } = fixture.cache.show();
  assert.equal(counters.stored, 10_000);
  assert.equal(counters.stored - counters.evicted, store.count);
});

test('the least recently used go first', () => {
  const fixture = new CacheFixture({ mode: 'standard' }, { bytesMax: 40_000 });
  const body = 'x'.repeat(2000);
  fixture.fetch('/kept', {}, { ...FRESH, body });
  for (let index = 0; index < 50; index++) {
    fixture.fetch(`/${index}`, {}, { ...FRESH, body });
    assert.equal(fixture.source('/kept'), 'cache');
  }
  assert.equal(fixture.source('/49'), 'cache');
  assert.equal(fixture.source('/0'), 'app');
});

test('a body over the bound of one object is not kept, whether its length is known or not', () => {
  for (const isChunked of [false, true]) {
    const fixture = new CacheFixture({ mode: 'standard', objectBytesMax: 1000 });
    const read = fixture.fetch('/a', {}, { ...FRESH, body: 'x'.repeat(1001), isChunked });
    assert.equal(read.from, 'app');
    assert.deepEqual(fixture.cache.show().counters.refused, { 'too-large': 1 });
    assert.equal(fixture.cache.store.bytes, 0);
    fixture.fetch('/a', {}, { ...FRESH, body: 'x'.repeat(1000), isChunked });
    assert.equal(fixture.source('/a'), 'cache');
  }
});

test('bodies that arrive count against the bound, and are given back when they break off', () => {
  const fixture = new CacheFixture({ mode: 'standard' }, { bytesMax: 60_000 });
  const { store } = fixture.cache;
  const tickets = Array.from({ length: 10 }, (_, index) => fixture.ticket(`/${index}`));
  for (const ticket of tickets) {
    ticket.head(fixture.head({ ...FRESH, isChunked: true }));
    for (let step = 0; step < 10; step++) ticket.data(Buffer.alloc(1000, 'x'));
    assert.ok(store.bytes <= store.bytesMax);
  }
  assert.ok(store.bytes >= 30_000);
  for (const ticket of tickets) ticket.abort();
  assert.equal(store.bytes, 0);
  assert.equal(store.count, 0);
});

test('an answer that takes more than everything is refused and nothing leaks', () => {
  const fixture = new CacheFixture({ mode: 'standard' }, { bytesMax: 5000 });
  fixture.fetch('/small', {}, { ...FRESH, body: 'x' });
  fixture.fetch('/large', {}, { ...FRESH, body: 'x'.repeat(10_000) });
  fixture.fetch('/chunked', {}, { ...FRESH, body: 'x'.repeat(10_000), isChunked: true });
  assert.equal(fixture.cache.show().counters.refused.full, 2);
  assert.equal(recount(fixture.cache.store), fixture.cache.store.bytes);
});

test('variants of a URL have a bound, and the one in use survives', () => {
  const fixture = new CacheFixture({ mode: 'standard' }, { variantsMax: 4 });
  const answer = { fields: ['Cache-Control', 'max-age=1000', 'Vary', 'X-Key'] };
  fixture.fetch('/a', { fields: ['X-Key', 'mine'] }, answer);
  for (let index = 0; index < 100; index++) {
    fixture.fetch('/a', { fields: ['X-Key', `other${index}`] }, answer);
    assert.equal(fixture.source('/a', { fields: ['X-Key', 'mine'] }), 'cache');
    assert.ok(fixture.cache.store.count <= 4);
  }
  assert.equal(recount(fixture.cache.store), fixture.cache.store.bytes);
});

test('what can never be sent again leaves before what is merely old', () => {
  const fixture = new CacheFixture({ mode: 'standard', staleWhenDownMs: 0 });
  fixture.fetch('/short', {}, { fields: ['Cache-Control', 'max-age=1'] });
  fixture.fetch('/long', {}, FRESH);
  fixture.clock.advance(2000);
  fixture.fetch('/next', {}, FRESH);
  const { counters, entries } = fixture.cache.show();
  assert.deepEqual([counters.expired, counters.evicted, entries], [1, 0, 2]);
});

test('a purge by prefix voids whole segments at once, and a sweep takes them out step by step', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  const { cache } = fixture;
  const count = SWEEP_STEP * 3;
  for (let index = 0; index < count; index++) fixture.fetch(`/a/${index}`, {}, FRESH);
  for (const url of ['/a', '/a?x', '/ab', '/b']) fixture.fetch(url, {}, FRESH);
  assert.equal(cache.purge({ target: '/a', isRecursive: true }), true);
  assert.equal(cache.store.count, count + 4);
  for (const url of ['/a', '/a?x', '/a/0', `/a/${count - 1}`]) assert.equal(fixture.source(url), 'app', url);
  for (const url of ['/ab', '/b']) assert.equal(fixture.source(url), 'cache', url);
  for (let step = 0; step < 10; step++) fixture.clock.advance(1);
  assert.equal(cache.store.count, 2);
  assert.equal(recount(cache.store), cache.store.bytes);
});

test('a sweep survives that its next entry is used, replaced or evicted meanwhile', () => {
  const fixture = new CacheFixture({ mode: 'standard' }, { bytesMax: 400_000 });
  const { cache, clock } = fixture;
  for (let index = 0; index < 400; index++) fixture.fetch(`/${index % 2 === 0 ? 'a' : 'b'}/${index}`, {}, FRESH);
  cache.purge({ target: '/a/', isRecursive: true });
  for (let index = 399; index >= 0; index--) {
    const url = `/${index % 2 === 0 ? 'a' : 'b'}/${index}`;
    const from = fixture.source(url);
    assert.ok(from !== 'cache' || url.startsWith('/b/'), url);
    if (index % 10 === 0) fixture.fetch(`/c/${index}`, {}, { ...FRESH, body: 'x'.repeat(20_000) });
    if (index % 40 === 0) clock.advance(1);
  }
  for (let step = 0; step < 10; step++) clock.advance(1);
  assert.equal([...cache.store.entries()].filter(({ slot }) => slot!.url.startsWith('/a/')).length, 0);
  assert.equal(recount(cache.store), cache.store.bytes);
});

test('a sweep goes on where it was when its next entry becomes the newest', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  const { cache, clock } = fixture;
  for (let index = 0; index < SWEEP_STEP * 2; index++) fixture.fetch(`/${index}`, {}, FRESH);
  fixture.fetch('/tagged', {}, { ...FRESH, wish: { tags: ['red'] } });
  fixture.fetch('/last', {}, FRESH);
  cache.purge({ tag: 'red' });
  clock.advance(1);
  assert.equal(fixture.source(`/${SWEEP_STEP}`), 'cache');
  for (let step = 0; step < 5; step++) clock.advance(1);
  assert.equal(cache.store.count, SWEEP_STEP * 2 + 1);
  assert.equal(fixture.source('/tagged'), 'app');
});

test('more purges than can wait for a sweep void everything rather than forget one', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  fixture.fetch('/a/1', {}, FRESH);
  fixture.fetch('/b', {}, FRESH);
  fixture.cache.purge({ target: '/a/', isRecursive: true });
  for (let index = 0; index < PURGES_MAX; index++) fixture.cache.purge({ tag: `t${index}` });
  assert.equal(fixture.source('/a/1'), 'app');
  assert.equal(fixture.source('/b'), 'app');
  fixture.fetch('/b', {}, FRESH);
  assert.equal(fixture.source('/b'), 'cache');
});

test('a purge of one URL takes all its variants, on every host unless it names one', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  const answer = { fields: ['Cache-Control', 'max-age=1000', 'Vary', 'X-Key'] };
  // Three variants on one host, one on another: how many are left?
  const rows: [string, number][] = [
    ['http://shop.example/a', 1], ['http://SHOP.example:80/a', 1], ['http://other.example/a', 3], ['/a', 0],
    ['https://shop.example/a', 4], ['/a?x', 4], ['/', 4], ['http://shop.example/', 4],
  ];
  for (const [target, left] of rows) {
    fixture.cache.purge({});
    for (const fields of [['X-Key', '1'], ['X-Key', '2'], ['X-Key', '3', 'X-Forwarded-Host', 'x']]) {
      fixture.fetch('/a', { fields }, answer);
    }
    fixture.fetch('/a', { host: 'other.example' }, answer);
    assert.equal(fixture.cache.list().length, 4);
    fixture.cache.purge({ target });
    assert.equal(fixture.cache.list().length, left, target);
  }
});

test('a purge by tag takes every answer that has it', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  fixture.fetch('/a', {}, { fields: [...FRESH.fields, 'Cache-Tag', 'red, blue'] });
  fixture.fetch('/b', {}, { ...FRESH, wish: { tags: ['red'] } });
  fixture.fetch('/c', {}, { fields: [...FRESH.fields, 'cache-tag', 'blue'] });
  fixture.cache.purge({ tag: 'red' });
  assert.deepEqual(['/a', '/b', '/c'].map((url) => fixture.source(url)), ['app', 'app', 'cache']);
});

test('a program purges no more than its own prefix', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  const { cache } = fixture;
  const other = cache.zone('/shop/', { mode: 'standard' });
  fixture.fetch('/shop/a', {}, FRESH);
  assert.equal(cache.purge({ prefix: '/shop/', target: '/shop/a' }), true);
  assert.equal(cache.purge({ prefix: '/shop/', target: '/', isRecursive: true }), true);
  assert.equal(cache.purge({ prefix: '/shop/' }), true);
  assert.equal(fixture.source('/shop/a'), 'cache');
  assert.equal(cache.purge({ prefix: '/none/' }), false);
  assert.equal(cache.purge({ target: 'no url' }), false);
  assert.equal(other.isDropped, false);
});

/** mulberry32: the same numbers for the same seed. */
function randomSource(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface Kept {
  body: string;
  tag: string;
  freshUntilMs: number;
}

/** What a naive cache without a bound would hold. */
class Model {
  kept = new Map<string, Kept>();

  purge(matches: (key: string, kept: Kept) => boolean): void {
    for (const [key, kept] of this.kept) if (matches(key, kept)) this.kept.delete(key);
  }
}

test('the store agrees with a naive model, whatever is done to it', (context) => {
  const seed = Number(process.env['CACHE_SEED'] ?? Date.now() % 1_000_000);
  context.diagnostic(`CACHE_SEED=${seed}`);
  const random = randomSource(seed);
  const fixture = new CacheFixture({ mode: 'standard', staleWhenDownMs: 0 }, { bytesMax: 120_000, variantsMax: 8 });
  const { cache, clock } = fixture;
  const model = new Model();
  for (let step = 0; step < 6000; step++) {
    const url = `/${'ab'[random(2)]!}/${random(15)}`;
    const host = `h${random(2)}`;
    const key = String(random(3));
    const place = `${host}${url} ${key}`;
    const choice = random(100);
    if (choice < 4) clock.advance(random(1000));
    else if (choice < 6) {
      cache.purge({ target: '/a/', isRecursive: true });
      model.purge((each) => each.includes('/a/'));
    } else if (choice < 8) {
      cache.purge({ tag: `t${key}` });
      model.purge((_, { tag }) => tag === `t${key}`);
    } else if (choice < 12) {
      cache.purge({ target: `http://${host}${url}` });
      model.purge((each) => each.startsWith(`${host}${url} `));
    } else {
      const found = cache.lookup(fixture.zone, request(url, { host, fields: ['X-Key', key] }), {
        encrypted: false, keepAlive: true, waitEndsMs: 0, cacheReady: () => {},
      });
      const expected = model.kept.get(place);
      if (found.kind === 'hit') {
        assert.equal(readHit(found).body, expected?.body, place);
        assert.ok(clock.now() < expected!.freshUntilMs, place);
      } else {
        assert.ok(found.kind === 'ask');
        const body = `${step} ${'x'.repeat(random(3000))}`;
        const maxAge = 1 + random(40);
        const fields = ['Cache-Control', `max-age=${maxAge}`, 'Vary', 'X-Key', 'Cache-Tag', `t${key}`];
        fixture.feed(found.ticket, { body, fields, isChunked: random(20) === 0 });
        model.kept.set(place, { body, tag: `t${key}`, freshUntilMs: clock.now() + maxAge * 1000 });
      }
    }
    assert.ok(cache.store.bytes <= cache.store.bytesMax);
    if (step % 100 === 0) assert.equal(recount(cache.store), cache.store.bytes);
  }
  assert.ok(cache.show().counters.hits > 300 && cache.show().counters.evicted > 100);
});
