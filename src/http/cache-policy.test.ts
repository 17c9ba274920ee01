import { test } from 'node:test';
import assert from 'node:assert/strict';
import {
  ageSeconds, invalidates, isServerError, mayStore, mergeRevalidated, onRequest, parseDurationDefault, requestRefusal,
} from './cache-policy.ts';
import type { CacheRules, CacheTerms, RequestDecision, StoredTerms } from './cache-policy.ts';
import { request } from './cache.test.support.ts';
import type { Asked } from './cache.test.support.ts';
import { CachingFields } from './cache-request.ts';

const STANDARD: CacheRules = {
  mode: 'standard', durationDefault: null, guessesFreshness: false, keepsSetCookie: false, staleWhenDownMs: 60_000,
};
const ONE_LINE: CacheRules = { ...STANDARD, mode: 'one-line', durationDefault: 0 };
const NOW = Date.UTC(2026, 10, 21, 12);

function date(offsetSeconds: number): string {
  return new Date(NOW + offsetSeconds * 1000).toUTCString();
}

function reading(fields: readonly string[]): CachingFields {
  const caching = new CachingFields();
  caching.read(fields);
  return caching;
}

interface Case {
  rules?: Partial<CacheRules>;
  asked?: Asked;
  status?: number;
  delayMs?: number;
  duration?: unknown;
}

function decide(rules: CacheRules, fields: string[], { asked = {}, status = 200, ...more }: Case): CacheTerms | string {
  const made = request('/', asked);
  const response = { status, reason: '', fields };
  const came = { wallMs: NOW, delayMs: more.delayMs ?? 0, duration: more.duration };
  const judged = { request: made, caching: reading(made.fields) };
  const decision = mayStore({ ...rules, ...more.rules }, judged, response, came);
  return decision.store ? decision : decision.reason;
}

/** Seconds of freshness left on arrival, or the refusal. */
function standard(fields: string[], options: Case = {}): number | string {
  const terms = decide(STANDARD, fields, options);
  return typeof terms === 'string' ? terms : (terms.freshForMs - terms.initialAgeMs) / 1000;
}

function oneLine(fields: string[], options: Case = {}): number | string {
  const usual = ['Content-Type', 'text/plain', 'Date', date(0)];
  const terms = decide(ONE_LINE, [...usual, ...fields], options);
  return typeof terms === 'string' ? terms : (terms.freshForMs - terms.initialAgeMs) / 1000;
}

test('parseDurationDefault means what its forerunner meant', () => {
  const rows: [string | undefined, number | null][] = [
    [undefined, null], ['', 0], [' ', 0], ['0', 0], ['1', 1], ['1.5', 1], ['abc', null], ['-1', null], ['60', 60],
    ['Infinity', null], ['1e3', 1000], ['99999999999', 4_294_967_295],
  ];
  for (const [text, expected] of rows) assert.equal(parseDurationDefault(text), expected, String(text));
});

test('one-line mode: the duration of the answer, else the default, if caching is on', () => {
  const OFF = 'duration';
  const defaults: [string | undefined, (number | string)[]][] = [
    // cacheDuration: absent, 0, 5, '5', 1.5, -1
    [undefined, [OFF, OFF, OFF, OFF, OFF, OFF]],
    ['', [OFF, OFF, 5, OFF, OFF, OFF]],
    ['0', [OFF, OFF, 5, OFF, OFF, OFF]],
    ['1', [1, OFF, 5, 1, 1, 1]],
    ['abc', [OFF, OFF, OFF, OFF, OFF, OFF]],
    ['-1', [OFF, OFF, OFF, OFF, OFF, OFF]],
  ];
  for (const [text, expected] of defaults) {
    const rules = { durationDefault: parseDurationDefault(text) };
    const got = [undefined, 0, 5, '5', 1.5, -1].map((duration) => oneLine([], { rules, duration }));
    assert.deepEqual(got, expected, String(text));
  }
  assert.equal(oneLine([], { duration: 4_294_967_296 }), OFF);
  assert.equal(oneLine([], { duration: Number.NaN }), OFF);
});

test('one-line mode refuses what is unsafe to share, by name', () => {
  const rows: [string[], Case, number | string][] = [
    [[], {}, 5],
    [['Set-Cookie', 'a=b'], {}, 'set-cookie'],
    [['Cache-Control', 'private'], {}, 'private'],
    [['Cache-Control', 'no-store'], {}, 'no-store'],
    [['CDN-Cache-Control', 'no-store'], {}, 'no-store'],
    [['Cache-Control', 'no-cache'], {}, 5],
    [['Cache-Control', 'no-cache'], { duration: undefined, rules: { durationDefault: 5 } }, 'no-cache'],
    [['Cache-Control', 'max-age=0'], {}, 5],
    [['Pragma', 'no-cache'], {}, 5],
    [['Vary', 'Accept-Encoding, accept, Accept-Language, ORIGIN'], {}, 5],
    [['Vary', 'Cookie'], {}, 'vary'],
    [['Vary', '*'], {}, 'vary'],
    [[], { asked: { fields: ['Authorization', 'x'] } }, 'authorization'],
    [[], { asked: { fields: ['Range', 'bytes=0-1'] } }, 'range'],
    [[], { asked: { fields: ['If-Range', '"a"'] } }, 'range'],
    [[], { asked: { fields: ['Cookie', 'a=b'] } }, 5],
    [[], { asked: { fields: ['Cache-Control', 'no-cache, no-store'] } }, 5],
    [[], { status: 206 }, 'status'],
    [[], { status: 304 }, 'status'],
    [[], { status: 404 }, 5],
    [[], { status: 500 }, 5],
    [[], { status: 599 }, 5],
    [[], { status: 600 }, 'status'],
    [['Last-Modified', 'yesterday'], {}, 'date'],
    [['Last-Modified', date(-9)], {}, 5],
    [['Age', '100'], {}, 5],
    [[], { asked: { method: 'HEAD' } }, 'method'],
    [[], { asked: { method: 'POST' } }, 'method'],
  ];
  for (const [fields, options, expected] of rows) {
    const got = oneLine(fields, { duration: 5, ...options });
    assert.equal(got, expected, `${fields.join(' ')} ${JSON.stringify(options)}`);
  }
  assert.equal(decide(ONE_LINE, ['Date', date(0)], { duration: 5 }), 'content-type');
  assert.equal(decide(ONE_LINE, ['Content-Type', 'text/plain'], { duration: 5 }), 'date');
});

test('requestRefusal keeps out what is no plain reading', () => {
  const rows: [Asked, string | null][] = [
    [{}, null], [{ method: 'HEAD' }, null], [{ method: 'POST' }, 'method'], [{ method: 'get' }, 'method'],
    [{ hasBody: true }, 'request-body'],
    [{ fields: ['Translate', 'f'] }, 'request-field'], [{ fields: ['Translate', 't'] }, null],
    [{ fields: ['Expect', '100-continue'] }, null], [{ fields: ['Expect', 'x'] }, 'request-field'],
    [{ fields: ['If-Match', '"a"'] }, 'request-field'], [{ fields: ['If-Unmodified-Since', 'x'] }, 'request-field'],
  ];
  for (const [asked, expected] of rows) {
    const made = request('/', asked);
    assert.equal(requestRefusal(made, reading(made.fields)), expected, JSON.stringify(asked));
  }
  assert.equal(requestRefusal({ ...request('/'), upgrade: true }, reading([])), 'request-body');
});

test('standard mode: freshness by s-maxage, max-age, Expires, in this order', () => {
  const rows: [string[], number | string][] = [
    [['Cache-Control', 'max-age=60'], 60],
    [['Cache-Control', 'max-age=60, s-maxage=5'], 5],
    [['Cache-Control', 's-maxage=60', 'Cache-Control', 'max-age=5'], 60],
    [['Cache-Control', 'max-age=60', 'Expires', date(-5)], 60],
    [['Cache-Control', 'max-age=60', 'Expires', '0'], 60],
    [['Expires', date(30), 'Date', date(0)], 30],
    [['Expires', date(30), 'Date', 'foo'], 30],
    [['Expires', date(30)], 30],
    [['Expires', '0', 'Date', date(0)], 'stale'],
    [['Expires', date(30), 'Expires', date(30)], 'stale'],
    [['Expires', date(300), 'Date', date(400)], 'stale'],
    [['Expires', date(-30), 'Date', date(0), 'ETag', '"a"'], 0],
    [['Cache-Control', 'max-age=0'], 'stale'],
    [['Cache-Control', 'max-age=0', 'ETag', '"a"'], 0],
    [['Cache-Control', 'max-age=0, stale-while-revalidate=5'], 0],
    [['Cache-Control', 'max-age=x'], 'stale'],
    [[], 'freshness'],
    [['ETag', '"a"'], 'freshness'],
    [['Cache-Control', 'no-cache', 'ETag', '"a"'], 0],
    [['Cache-Control', 'no-cache'], 'freshness'],
    [['Cache-Control', 'public', 'Last-Modified', date(-1000)], 0],
    [['Cache-Control', 'max-age=60', 'Pragma', 'no-cache'], 60],
  ];
  for (const [fields, expected] of rows) assert.equal(standard(fields), expected, fields.join(' '));
});

test('standard mode: the age on arrival counts, RFC 9111 4.2.3', () => {
  const maxAge = ['Cache-Control', 'max-age=100'];
  assert.equal(standard([...maxAge, 'Age', '30']), 70);
  assert.equal(standard([...maxAge, 'Date', date(-40)]), 60);
  assert.equal(standard([...maxAge, 'Date', date(40)]), 100);
  assert.equal(standard([...maxAge, 'Date', date(-40), 'Age', '50']), 50);
  assert.equal(standard([...maxAge, 'Age', '30'], { delayMs: 20_000 }), 50);
  assert.equal(standard([...maxAge, 'Age', '100']), 'stale');
  assert.equal(standard([...maxAge, 'Age', '2147483649']), 'stale');
  assert.equal(standard(['Expires', date(20), 'Date', date(10), 'Age', '15']), 'stale');
});

test('standard mode: a guessed lifetime is a tenth of the age, if guessing is on', () => {
  const rules = { guessesFreshness: true };
  const modified = ['Last-Modified', date(-1000), 'Date', date(0)];
  assert.equal(standard(modified), 'freshness');
  assert.equal(standard(modified, { rules }), 100);
  assert.equal(standard(['Last-Modified', date(-1e8)], { rules }), 86_400);
  assert.equal(standard(['Last-Modified', date(5), 'Date', date(0)], { rules }), 'freshness');
  for (const status of [201, 202, 302, 403, 502, 503, 504, 599]) {
    assert.equal(standard(modified, { rules, status }), 'freshness', String(status));
  }
  for (const status of [203, 204, 301, 308, 404, 405, 410, 414, 501]) {
    assert.equal(standard(modified, { rules, status }), 100, String(status));
  }
  assert.equal(standard([...modified, 'Cache-Control', 'public'], { rules, status: 599 }), 100);
});

test('standard mode: what must not be kept is refused by name', () => {
  const fresh = ['Cache-Control', 'max-age=60'];
  const manyNames = Array.from({ length: 9 }, (_, index) => `n${index}`).join(',');
  const rows: [string[], Case, number | string][] = [
    [[...fresh, 'Cache-Control', 'no-store'], {}, 'no-store'],
    [['Cache-Control', 'No-StOrE, max-age=10', 'Expires', date(9)], {}, 'no-store'],
    [['Cache-Control', 'private, max-age=60'], {}, 'private'],
    [['Cache-Control', 'private="a", max-age=60'], {}, 60],
    [[...fresh, 'Set-Cookie', 'a=b'], {}, 'set-cookie'],
    [[...fresh, 'Set-Cookie', 'a=b'], { rules: { keepsSetCookie: true } }, 60],
    [[...fresh, 'Vary', '*'], {}, 'vary'],
    [[...fresh, 'Vary', manyNames], {}, 'vary'],
    [[...fresh, 'Vary', 'Cookie'], {}, 60],
    [fresh, { asked: { fields: ['Authorization', 'x'] } }, 'authorization'],
    [['Cache-Control', 'max-age=60, public'], { asked: { fields: ['Authorization', 'x'] } }, 60],
    [['Cache-Control', 'max-age=60, must-revalidate'], { asked: { fields: ['Authorization', 'x'] } }, 60],
    [['Cache-Control', 's-maxage=60'], { asked: { fields: ['Authorization', 'x'] } }, 60],
    [fresh, { asked: { fields: ['Cache-Control', 'no-store'] } }, 'request-no-store'],
    [fresh, { asked: { method: 'POST' } }, 'method'],
    [fresh, { status: 101 }, 'status'],
    [fresh, { status: 304 }, 'status'],
    [fresh, { status: 412 }, 'status'],
    [fresh, { status: 416 }, 'status'],
    [fresh, { status: 299 }, 60],
    [fresh, { status: 599 }, 60],
    [['Cache-Control', 'max-age=60, no-store, must-understand'], {}, 60],
    [['Cache-Control', 'max-age=60, no-store, must-understand'], { status: 599 }, 'status'],
    [fresh, { asked: { fields: ['Range', 'bytes=0-1'] } }, 60],
    [fresh, { asked: { fields: ['Range', 'bytes=0-1'] }, status: 404 }, 'range'],
    [fresh, { status: 206 }, 'range'],
    [[...fresh, 'Content-Range', 'bytes 0-1/9'], { asked: { fields: ['Range', 'bytes=0-1'] }, status: 206 }, 60],
    [[...fresh, 'Content-Range', 'bytes 0-1/*'], { asked: { fields: ['Range', 'bytes=0-1'] }, status: 206 }, 'range'],
    [[...fresh, 'Content-Range', 'bytes 0-1/9'], { status: 206 }, 'range'],
  ];
  for (const [fields, options, expected] of rows) {
    assert.equal(standard(fields, options), expected, `${fields.join(' ')} ${JSON.stringify(options)}`);
  }
});

test('standard mode: CDN-Cache-Control takes the place of Cache-Control and Expires, RFC 9213', () => {
  const rows: [string[], number | string][] = [
    [['CDN-Cache-Control', 'max-age=60', 'Cache-Control', 'no-store'], 60],
    [['CDN-Cache-Control', 'max-age=60', 'Cache-Control', 'max-age=5'], 60],
    [['CDN-Cache-Control', 'max-age=60', 'Expires', date(-5)], 60],
    [['CDN-Cache-Control', 'no-store', 'Cache-Control', 'max-age=5'], 'no-store'],
    [['CDN-Cache-Control', 'private', 'Cache-Control', 'max-age=5'], 'private'],
    [['CDN-Cache-Control', 'no-cache', 'Cache-Control', 'max-age=5'], 'freshness'],
    [['CDN-Cache-Control', 'foo', 'Expires', date(9)], 'freshness'],
    [['CDN-Cache-Control', '&&', 'Cache-Control', 'max-age=5'], 5],
    [['CDN-Cache-Control', '', 'Cache-Control', 'max-age=5'], 5],
    [['CDN-Cache-Control', 'max-age="60"', 'Cache-Control', 'max-age=5'], 'stale'],
  ];
  for (const [fields, expected] of rows) assert.equal(standard(fields), expected, fields.join(' '));
});

test('standard mode: stale answers are allowed by name, and forbidden by the strict directives', () => {
  const rows: [string, Partial<CacheTerms>][] = [
    ['max-age=9, stale-while-revalidate=5, stale-if-error=6',
      { staleWhileRevalidateMs: 5000, staleIfErrorMs: 6000, staleWhenDownMs: 60_000, mayBeStale: true }],
    ['max-age=9, stale-while-revalidate=5, must-revalidate',
      { staleWhileRevalidateMs: 0, staleIfErrorMs: 0, staleWhenDownMs: 0, mayBeStale: false }],
    ['max-age=9, stale-if-error=5, proxy-revalidate',
      { staleWhileRevalidateMs: 0, staleIfErrorMs: 0, staleWhenDownMs: 0, mayBeStale: false }],
    ['s-maxage=9, stale-while-revalidate=5',
      { staleWhileRevalidateMs: 5000, staleIfErrorMs: 0, staleWhenDownMs: 0, mayBeStale: false }],
  ];
  for (const [text, expected] of rows) {
    const terms = decide(STANDARD, ['Cache-Control', text], {}) as CacheTerms;
    for (const [name, value] of Object.entries(expected)) {
      assert.equal(terms[name as keyof CacheTerms], value, `${text}: ${name}`);
    }
  }
  const listed = decide(STANDARD, ['Cache-Control', 'max-age=9, no-cache="X-A"'], {}) as CacheTerms;
  assert.deepEqual([listed.unstoredFields, listed.alwaysValidates], [['x-a'], false]);
});

const STORED: StoredTerms = {
  freshForMs: 10_000, initialAgeMs: 0, staleWhileRevalidateMs: 0, mayBeStale: true, alwaysValidates: false,
  servesAuthorized: false, storedAtMs: 1000, hasValidator: true,
};

test('ageSeconds counts from arrival and rounds down', () => {
  assert.equal(ageSeconds(STORED, 1000), 0);
  assert.equal(ageSeconds(STORED, 2999), 1);
  assert.equal(ageSeconds({ ...STORED, initialAgeMs: 30_500 }, 1500), 31);
});

test('onRequest in standard mode', () => {
  const bare = { hasValidator: false };
  const rows: [Partial<StoredTerms> | null, number, string[], RequestDecision][] = [
    // stored, age in s, fields, decision
    [null, 0, [], 'miss'],
    [{}, 9.999, [], 'hit'],
    [{}, 10, [], 'revalidate'],
    [bare, 10, [], 'miss'],
    [{ staleWhileRevalidateMs: 5000 }, 14.9, [], 'stale-while-revalidate'],
    [{ staleWhileRevalidateMs: 5000 }, 15, [], 'revalidate'],
    [{ alwaysValidates: true }, 0, [], 'revalidate'],
    [{ alwaysValidates: true, staleWhileRevalidateMs: 5000 }, 11, [], 'revalidate'],
    [{}, 0, ['Cache-Control', 'no-cache'], 'revalidate'],
    [bare, 0, ['Cache-Control', 'no-cache'], 'miss'],
    [{}, 0, ['Pragma', 'no-cache'], 'revalidate'],
    [{}, 0, ['Pragma', 'x'], 'hit'],
    [{}, 0, ['Cache-Control', 'no-store'], 'bypass'],
    [null, 0, ['Cache-Control', 'no-store'], 'bypass'],
    [{}, 0, ['Cache-Control', 'max-age=0'], 'revalidate'],
    [{}, 3, ['Cache-Control', 'max-age=4'], 'hit'],
    [{}, 5, ['Cache-Control', 'max-age=4'], 'revalidate'],
    [{}, 4, ['Cache-Control', 'min-fresh=6'], 'hit'],
    [{}, 5, ['Cache-Control', 'min-fresh=6'], 'revalidate'],
    [{}, 99, ['Cache-Control', 'max-stale'], 'hit'],
    [{}, 15, ['Cache-Control', 'max-stale=5'], 'hit'],
    [{}, 16, ['Cache-Control', 'max-stale=5'], 'revalidate'],
    [{ mayBeStale: false }, 11, ['Cache-Control', 'max-stale'], 'revalidate'],
    [{}, 0, ['Cache-Control', 'only-if-cached'], 'hit'],
    [{}, 10, ['Cache-Control', 'only-if-cached'], 'only-if-cached-504'],
    [{}, 10, ['Cache-Control', 'only-if-cached, max-stale'], 'hit'],
    [null, 0, ['Cache-Control', 'only-if-cached'], 'only-if-cached-504'],
    [{}, 0, ['Authorization', 'x'], 'miss'],
    [{ servesAuthorized: true }, 0, ['Authorization', 'x'], 'hit'],
  ];
  for (const [stored, age, fields, expected] of rows) {
    const terms = stored === null ? null : { ...STORED, ...stored };
    const got = onRequest(STANDARD, reading(fields), terms, 1000 + age * 1000);
    assert.equal(got, expected, `${JSON.stringify(stored)} ${age} ${fields.join(' ')}`);
  }
});

test('onRequest in one-line mode ignores what the client wants, but for Authorization', () => {
  const rows: [StoredTerms | null, number, string[], RequestDecision][] = [
    [STORED, 0, [], 'hit'], [STORED, 10, [], 'miss'], [null, 0, [], 'miss'],
    [STORED, 0, ['Cache-Control', 'no-cache'], 'hit'], [STORED, 0, ['Cache-Control', 'max-age=0'], 'hit'],
    [STORED, 0, ['Cache-Control', 'min-fresh=99'], 'hit'], [STORED, 0, ['Pragma', 'no-cache'], 'hit'],
    [STORED, 0, ['Cookie', 'a=b'], 'hit'], [STORED, 0, ['Authorization', 'x'], 'bypass'],
  ];
  for (const [stored, age, fields, expected] of rows) {
    assert.equal(onRequest(ONE_LINE, reading(fields), stored, 1000 + age * 1000), expected, fields.join(' '));
  }
  assert.equal(onRequest({ ...ONE_LINE, durationDefault: null }, reading([]), STORED, 1000), 'bypass');
});

test('mergeRevalidated takes over the fields of a 304, but for those about the body', () => {
  const stored = ['ETag', '"a"', 'Content-Encoding', 'gzip', 'X-A', '1', 'x-a', '2', 'X-B', '1'];
  const fresh = [
    'etag', '"a"', 'X-a', '3', 'Content-Length', '0', 'Content-Encoding', 'br', 'Set-Cookie', 's', 'Age', '5',
    'X-C', '4',
  ];
  assert.deepEqual(
    mergeRevalidated(stored, fresh, false),
    ['Content-Encoding', 'gzip', 'X-B', '1', 'etag', '"a"', 'X-a', '3', 'X-C', '4'],
  );
  assert.ok(mergeRevalidated(stored, fresh, true).includes('Set-Cookie'));
});

test('invalidates after a successful unsafe method, in standard mode only', () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH', 'whatever']) {
    assert.equal(invalidates(STANDARD, method, 204), true, method);
    assert.equal(invalidates(STANDARD, method, 302), true, method);
    assert.equal(invalidates(STANDARD, method, 400), false, method);
    assert.equal(invalidates(STANDARD, method, 500), false, method);
    assert.equal(invalidates(ONE_LINE, method, 200), false, method);
  }
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    assert.equal(invalidates(STANDARD, method, 200), false, method);
  }
  assert.deepEqual([500, 501, 502, 503, 504, 404].map(isServerError), [true, false, true, true, true, false]);
});
