import { test } from 'node:test';
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import {
  DELTA_SECONDS_MAX, deltaSeconds, joinedField, parseAge, parseCacheControl, parseTags,
  parseTargetedCacheControl, parseVary,
} from './cache-control.ts';
import type { CacheDirectives } from './cache-control.ts';

const NONE = parseCacheControl(null);

/** Only what differs from nothing said. */
function said(directives: Readonly<CacheDirectives> | null): Partial<CacheDirectives> | null {
  if (directives === null) return null;
  const entries = Object.entries(directives).filter(([name, value]) => {
    return !isDeepStrictEqual(value, NONE[name as keyof CacheDirectives]);
  });
  return Object.fromEntries(entries) as Partial<CacheDirectives>;
}

test('parseCacheControl reads directives in any case, with spaces and empty parts', () => {
  const rows: [string | null, Partial<CacheDirectives>][] = [
    [null, {}],
    ['', {}],
    [',, ,', {}],
    ['nothing-to-see-here', {}],
    ['max-age=60', { maxAge: 60 }],
    ['MaX-aGe=003600 ,\tS-MAXAGE=1', { maxAge: 3600, sharedMaxAge: 1 }],
    ['max-age="3600"', { maxAge: 3600 }],
    ['No-StOrE, No-Cache, PRIVATE', { noStore: true, noCache: true, isPrivate: true }],
    ['public, must-revalidate, proxy-revalidate, must-understand',
      { isPublic: true, mustRevalidate: true, proxyRevalidate: true, mustUnderstand: true }],
    ['stale-while-revalidate=5, stale-if-error=6', { staleWhileRevalidate: 5, staleIfError: 6 }],
    ['only-if-cached, min-fresh=9, max-stale', { onlyIfCached: true, minFresh: 9, maxStale: Infinity }],
    ['max-stale=7', { maxStale: 7 }],
    ['extension="max-age=3600, no-store", max-age=1', { maxAge: 1 }],
    ['max-age=1, extension="max-age=3600"', { maxAge: 1 }],
    ['extension="a\\", max-age=3", max-age=2', { maxAge: 2 }],
    ['no-cache="Set-Cookie, X-A"', { unstoredFields: ['set-cookie', 'x-a'] }],
    ['private="a", no-cache="b"', { unstoredFields: ['a', 'b'] }],
  ];
  for (const [text, expected] of rows) assert.deepEqual(said(parseCacheControl(text)), expected, String(text));
});

test('parseCacheControl takes what is unclear for the most restrictive reading', () => {
  const rows: [string, Partial<CacheDirectives>][] = [
    ['max-age=1800, max-age=1', { maxAge: 1 }],
    ['max-age=1, max-age=1800', { maxAge: 1 }],
    ['min-fresh=1, min-fresh=5, max-stale, max-stale=3', { minFresh: 5, maxStale: 3 }],
    ['max-age', { maxAge: 0 }],
    ['max-age=', { maxAge: 0 }],
    ['max-age=-5', { maxAge: 0 }],
    ['max-age=3600.5', { maxAge: 0 }],
    ['max-age=3600a', { maxAge: 0 }],
    ["max-age='3600'", { maxAge: 0 }],
    ['max-age =3600', { maxAge: 0 }],
    ['max-age= 3600', { maxAge: 0 }],
    ['s-maxage=x, max-age=5', { sharedMaxAge: 0, maxAge: 5 }],
    ['stale-if-error=x', { staleIfError: 0 }],
    ['no-store=1', { noStore: true }],
    ['no-cache=set-cookie', { noCache: true }],
    ['no-cache=""', { noCache: true }],
    ['no-cache="a b"', { noCache: true }],
    ['private="', { maxAge: 0, sharedMaxAge: 0, isPrivate: true }],
    ['public=1', {}],
    ['max-age=60, x="open, no-store, public', { maxAge: 0, sharedMaxAge: 0, noStore: true }],
    ['max-age=99999999999999999999', { maxAge: DELTA_SECONDS_MAX }],
  ];
  for (const [text, expected] of rows) assert.deepEqual(said(parseCacheControl(text)), expected, text);
});

test('parseTargetedCacheControl reads a dictionary and ignores the field when it is none', () => {
  const rows: [string | null, Partial<CacheDirectives> | null][] = [
    [null, null],
    ['', null],
    ['max-age=10000, &&&&&', null],
    ['MaX-aGe=3600', null],
    ['max-age =100', null],
    ['max-age=60;x=1, no-store', { maxAge: 60, noStore: true }],
    ['max-age=99999999999', { maxAge: DELTA_SECONDS_MAX }],
    ['max-age=-1', { maxAge: 0 }],
    ['max-age="10000"', { maxAge: 0 }],
    ['no-store=?0, private=?1', { isPrivate: true }],
    ['no-cache="a"', { noCache: true }],
    ['foobar', {}],
  ];
  for (const [text, expected] of rows) {
    assert.deepEqual(said(parseTargetedCacheControl(text)), expected, String(text));
  }
});

test('parseAge takes the first number and ignores what is none', () => {
  const rows: [string | null, number][] = [
    [null, 0], ['', 0], ['abc', 0], ['-7200', 0], ['7200.0', 0], ['7200;a=b', 0], ['7200', 7200],
    ['7200, 0', 7200], ['0, 7200', 0], ['2147483649', DELTA_SECONDS_MAX],
  ];
  for (const [text, expected] of rows) assert.equal(parseAge(text), expected, String(text));
});

test('parseVary lists each name once and takes a broken list for "*"', () => {
  const rows: [string | null, readonly string[] | '*'][] = [
    [null, []], ['', []], ['Accept', ['accept']], ['A, b,,a ', ['a', 'b']], ['*', '*'], [', *', '*'],
    ['a, *', '*'], ['a b', '*'],
  ];
  for (const [text, expected] of rows) assert.deepEqual(parseVary(text), expected, String(text));
});

test('the small parsers read what they should', () => {
  assert.equal(deltaSeconds(''), -1);
  assert.equal(deltaSeconds('+1'), -1);
  assert.deepEqual(parseTags('a, b  a\tc,,'), ['a', 'b', 'c']);
  assert.deepEqual(parseTags(null), []);
  assert.equal(joinedField(['A', '1', 'b', 'x', 'a', '2'], 'a'), '1, 2');
  assert.equal(joinedField(['A', '1'], 'b'), null);
});
