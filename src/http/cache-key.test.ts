import { test } from 'node:test';
import assert from 'node:assert/strict';
import { parsePurgeTarget, sameSiteUrl, siteHost, urlKey, variantKey } from './cache-key.ts';
import { CachingFields } from './cache-request.ts';

function read(...fields: string[]): CachingFields {
  const caching = new CachingFields();
  caching.read(fields);
  return caching;
}

test('siteHost leaves out the port that the scheme implies and no other', () => {
  assert.equal(siteHost('a.example:80', false), 'a.example');
  assert.equal(siteHost('a.example:443', false), 'a.example:443');
  assert.equal(siteHost('a.example:443', true), 'a.example');
  assert.equal(siteHost('a.example:8080', false), 'a.example:8080');
  assert.equal(siteHost('[::1]:80', false), '[::1]');
  assert.equal(siteHost('', false), '');
});

test('urlKey is path and query as the app gets them, whatever the form of the target', () => {
  assert.equal(urlKey({ target: '/a?b=1&b=2', path: '/a', query: '?b=1&b=2' }), '/a?b=1&b=2');
  assert.equal(urlKey({ target: 'http://x/a?b', path: '/a', query: '?b' }), '/a?b');
  assert.equal(urlKey({ target: 'http://x', path: '/', query: '' }), '/');
});

test('variantKey takes two spellings of the same wish for one', () => {
  const rows: [string, string, string, boolean][] = [
    ['accept-encoding', 'gzip, br', 'br,gzip', true],
    ['accept-encoding', 'gzip;q=1.0, br', 'BR ,\tgzip', true],
    ['accept-encoding', 'gzip', 'gzip;q=0', false],
    ['accept-encoding', 'gzip', '', false],
    ['accept-language', 'en, de', 'eN,De;q=1', true],
    ['accept-language', 'en, de', 'de, en', false],
    ['accept-language', 'en, de;q=0.5', 'de, en', false],
    ['accept', 'text/html, */*;q=0.8', 'TEXT/html,*/*; q=0.8', true],
    ['accept', 'text/html, */*;q=0.8', '*/*;q=0.8, text/html', false],
    ['accept', 'a/b;x="1, 2"', 'a/b;x="1,2"', false],
    ['origin', 'https://a.example', 'https://b.example', false],
    ['foo', '1,2', ' 1, 2'.trim(), true],
    ['foo', '1,2', '2,1', false],
    ['foo', 'A', 'a', false],
    ['foo', '"1, 2"', '"1,2"', false],
    ['cookie', 'a=1, b', 'a=1,b', false],
  ];
  for (const [name, left, right, same] of rows) {
    const keys = [variantKey([name], [name, left]), variantKey([name], [name.toUpperCase(), right])];
    assert.equal(keys[0] === keys[1], same, `${name}: ${left} / ${right}`);
  }
});

test('variantKey joins fields of a name, and tells absent from empty', () => {
  assert.equal(variantKey(['foo'], ['Foo', '1', 'foo', '2']), variantKey(['foo'], ['foo', '1, 2']));
  assert.notEqual(variantKey(['foo'], []), variantKey(['foo'], ['foo', '']));
  assert.notEqual(variantKey(['a', 'b'], ['a', '1']), variantKey(['a', 'b'], ['b', '1']));
});

test('variantKey stays right when more values come than are remembered', () => {
  for (let index = 0; index < 1200; index++) {
    const key = variantKey(['accept-language'], ['Accept-Language', `x${index}, EN`]);
    assert.equal(key, `=x${index},en\n`);
  }
});

test('CachingFields finds what concerns caches, in any case', () => {
  const caching = read(
    'RANGE', 'bytes=0-1', 'If-Range', '"a"', 'if-none-match', '"a"', 'If-None-Match', '"b"',
    'If-Modified-Since', 'x', 'AUTHORIZATION', 'Basic x', 'Expect', '100-Continue', 'Translate', 'F',
  );
  assert.equal(caching.range, 'bytes=0-1');
  assert.equal(caching.ifRange, '"a"');
  assert.equal(caching.ifNoneMatch, '"a", "b"');
  assert.equal(caching.ifModifiedSince, 'x');
  assert.equal(caching.hasAuthorization, true);
  assert.equal(caching.hasPrecondition, false);
  assert.equal(caching.isUnexpected, false);
  assert.equal(caching.isUntranslated, true);
  assert.equal(read('If-Match', '*').hasPrecondition, true);
  assert.equal(read('if-unmodified-since', 'x').hasPrecondition, true);
  assert.equal(read('Expect', 'x').isUnexpected, true);
  caching.read(['Accept', '*/*', 'X-Request-Id', '1', 'If', '1', 'From', 'a@b', 'i', '']);
  assert.deepEqual({ ...caching }, { ...new CachingFields() });
  assert.equal(caching.isPlain, true);
});

test('CachingFields takes Pragma for Cache-Control only where there is none', () => {
  assert.equal(read('Pragma', 'No-Cache').directives().noCache, true);
  assert.equal(read('Pragma', 'no-cache', 'Cache-Control', 'max-age=5').directives().noCache, false);
  assert.equal(read('Pragma', 'other').directives().noCache, false);
  assert.equal(read('cache-control', 'no-cache').directives().noCache, true);
  assert.equal(read().hasDirectives, false);
});

test('CachingFields gathers the fields that steer programs without being in Vary', () => {
  const names = [
    'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'X-Forwarded-Prefix', 'X-Host',
    'X-Original-URL', 'X-Rewrite-URL', 'X-HTTP-Method-Override', 'Front-End-Https',
  ];
  for (const name of names) {
    const { steering } = read(name, 'evil');
    assert.notEqual(steering, '', name);
    assert.notEqual(steering, read(name, 'other').steering, name);
    assert.equal(steering, read(name.toLowerCase(), 'evil').steering, name);
  }
  assert.equal(read('X-Forwarded-For', '1.2.3.4', 'X-Real-IP', '1.2.3.4').steering, '');
  assert.equal(read('Forwarded', 'for=1.2.3.4;by=x, For=5.6.7.8').steering, '');
  assert.notEqual(read('Forwarded', 'for=1.2.3.4;host=evil').steering, '');
});

test('parsePurgeTarget reads URLs and paths and nothing else', () => {
  const rows: [string, ReturnType<typeof parsePurgeTarget>][] = [
    ['/a?b', { encrypted: null, host: null, url: '/a?b' }],
    ['http://A.example:80', { encrypted: false, host: 'a.example', url: '/' }],
    ['HTTPS://a.example:8443/x#y', { encrypted: true, host: 'a.example:8443', url: '/x' }],
    ['http://a?x', { encrypted: false, host: 'a', url: '/?x' }],
    ['ftp://a/', null], ['a/b', null], ['', null], ['/a b', null], ['http://u@a/', null], ['http:///x', null],
  ];
  for (const [text, expected] of rows) assert.deepEqual(parsePurgeTarget(text), expected, text);
});

test('sameSiteUrl follows a location on its own site only', () => {
  const base = { encrypted: false, host: 'a.example', url: '/x/y?z' };
  const rows: [string, string | null][] = [
    ['w', '/x/w'], ['', '/x/y?z'], ['/w?q#f', '/w?q'], ['http://a.example:80/w', '/w'], ['//a.example/w', '/w'],
    ['https://a.example/w', null], ['http://b.example/w', null], ['//b.example/w', null], ['http://', null],
    ['http://a.example:81/', null], [`/${'x'.repeat(9000)}`, null],
  ];
  for (const [text, expected] of rows) assert.equal(sameSiteUrl(text, base), expected, text);
});
