// The cache by itself, without sockets: what a hit costs from the parsed head to the bytes to write, and what
// keeping and purging cost.

import { HandClock } from '../src/base/clock.ts';
import { createCache } from '../src/http/cache.ts';
import type { Cache, CacheClient, CacheRequest, CacheZone } from '../src/http/cache.ts';
import { markdownTable, median, type Benchmark } from './measure.ts';

const LOOKUPS = 300_000;
const STORES = 20_000;
const URLS = 1000;
const DATE_MS = Date.UTC(2026, 10, 21);

const CURL = ['Host', 'shop.example', 'User-Agent', 'curl/8.5.0', 'Accept', '*/*'];
const BROWSER = [
  'Host', 'shop.example', 'Upgrade-Insecure-Requests', '1', 'User-Agent', `Mozilla/5.0 ${'x'.repeat(80)}`,
  'Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Sec-Fetch-Site', 'same-origin', 'Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document',
  'Accept-Encoding', 'gzip, deflate, br, zstd', 'Accept-Language', 'en-GB,en;q=0.9',
  'Cookie', `session=${'0123456789abcdef'.repeat(8)}`,
];

const CLIENT: CacheClient = { encrypted: false, keepAlive: true, waitEndsMs: 0, cacheReady: () => {} };

function request(url: string, fields: string[]): CacheRequest {
  const [path = '', query] = url.split('?');
  return {
    method: 'GET', version: 11, target: url, fields, host: 'shop.example', path,
    query: query === undefined ? '' : `?${query}`, body: { kind: 'none' }, upgrade: false,
  };
}

interface Stage {
  cache: Cache;
  zone: CacheZone;
  clock: HandClock;
}

function stage(): Stage {
  const clock = new HandClock();
  const cache = createCache({ clock, wallMs: () => DATE_MS + clock.now() });
  return { cache, clock, zone: cache.zone('/', { mode: 'standard', collapses: false }) };
}

function keep({ cache, zone }: Stage, asked: CacheRequest, options: { bytes: number; vary: string }): void {
  const found = cache.lookup(zone, asked, CLIENT);
  if (found.kind !== 'ask') throw new Error(`nothing is kept yet, but the lookup says "${found.kind}"`);
  const date = new Date(DATE_MS).toUTCString();
  const fields = ['Content-Type', 'text/html', 'Cache-Control', 'max-age=3600', 'Date', date];
  if (options.vary !== '') fields.push('Vary', options.vary);
  const body = { kind: 'length' as const, length: options.bytes };
  found.ticket.head({ status: 200, reason: 'OK', fields, body, closes: false, upgraded: false });
  found.ticket.data(Buffer.alloc(options.bytes, 'x'));
  found.ticket.end();
}

function hitMicroseconds(fields: string[], vary: string): number {
  const set = stage();
  const requests = Array.from({ length: URLS }, (_, index) => request(`/items/${index}?page=2`, fields));
  for (const asked of requests) keep(set, asked, { bytes: 1024, vary });
  let bytes = 0;
  const startMs = performance.now();
  for (let count = 0; count < LOOKUPS; count++) {
    // A second passes now and then, as it does at this rate.
    if (count % 100_000 === 0) set.clock.advance(1000);
    const found = set.cache.lookup(set.zone, requests[count % URLS]!, CLIENT);
    if (found.kind !== 'hit') throw new Error(`what is kept is "${found.kind}"`);
    bytes += found.bytes.length;
  }
  const micros = ((performance.now() - startMs) * 1000) / LOOKUPS;
  if (bytes < LOOKUPS * 1024) throw new Error('hits without bodies');
  return micros;
}

function storeMicroseconds(): number {
  const set = stage();
  const startMs = performance.now();
  for (let count = 0; count < STORES; count++) {
    keep(set, request(`/items/${count}`, CURL), { bytes: 4096, vary: '' });
  }
  return ((performance.now() - startMs) * 1000) / STORES;
}

function purgeMicroseconds(): number {
  const set = stage();
  for (let count = 0; count < STORES; count++) keep(set, request(`/a/${count}`, CURL), { bytes: 16, vary: '' });
  const startMs = performance.now();
  set.cache.purge({ target: '/a/', isRecursive: true });
  const micros = (performance.now() - startMs) * 1000;
  set.cache.close();
  return micros;
}

/** Medians of the rounds; the first is for the compiler. */
export const benchCacheStore: Benchmark = async ({ rounds }) => {
  const measures: [string, () => number][] = [
    ['hit, request of curl', () => hitMicroseconds(CURL, '')],
    ['hit, request of a browser', () => hitMicroseconds(BROWSER, '')],
    ['hit, request of a browser, Vary: Accept-Encoding', () => hitMicroseconds(BROWSER, 'Accept-Encoding')],
    ['miss, 4 KiB kept, old ones evicted', storeMicroseconds],
    [`purge of a prefix, ${STORES} kept below it`, purgeMicroseconds],
  ];
  const rows = measures.map(([what, measure]) => {
    const values = Array.from({ length: rounds + 1 }, measure).slice(1);
    return [what, `${median(values).toFixed(2)} µs`];
  });
  return markdownTable(['what', 'median'], rows);
};
