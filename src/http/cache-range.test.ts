import { test } from 'node:test';
import assert from 'node:assert/strict';
import {
  RANGES_MAX, contentRange, matchesTag, multipartBody, parseContentRange, parseRanges, select,
} from './cache-range.ts';
import type { StoredBody } from './cache-range.ts';
import { CachingFields } from './cache-request.ts';

const MODIFIED = 'Sun, 06 Nov 1994 08:49:37 GMT';
const BODY: StoredBody = {
  status: 200, etag: '"a"', lastModified: MODIFIED, dateMs: Date.UTC(2000, 0, 1), length: 10, part: null,
};

function selected(body: Partial<StoredBody>, fields: string[], method = 'GET'): string {
  const caching = new CachingFields();
  caching.read(fields);
  const selection = select({ ...BODY, ...body }, caching, method);
  if (selection.kind !== 'ranges') return selection.kind;
  return selection.ranges.map(({ first, last }) => `${first}-${last}`).join(',');
}

test('parseRanges reads ranges and leaves out those behind the end', () => {
  const rows: [string, number, string][] = [
    ['bytes=0-4', 10, '0-4'],
    ['BYTES=0-0', 10, '0-0'],
    ['bytes=5-', 10, '5-9'],
    ['bytes=-3', 10, '7-9'],
    ['bytes=-30', 10, '0-9'],
    ['bytes=8-99', 10, '8-9'],
    ['bytes= 0-1 ,, 4-5', 10, '0-1,4-5'],
    ['bytes=9-9,0-0', 10, '9-9,0-0'],
    ['bytes=0-1,10-11', 10, '0-1'],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-5', 0, 'unsatisfiable'],
    ['items=0-1', 10, 'ignore'],
    ['bytes 0-1', 10, 'ignore'],
    ['bytes=', 10, 'ignore'],
    ['bytes=,', 10, 'ignore'],
    ['bytes=a-b', 10, 'ignore'],
    ['bytes=4-1', 10, 'ignore'],
    ['bytes=-', 10, 'ignore'],
    ['bytes=--1', 10, 'ignore'],
    ['bytes=0-1,x', 10, 'ignore'],
    ['bytes=0-1;q', 10, 'ignore'],
    ['bytes=0-1234567890123456', 10, 'ignore'],
    ['bytes=0-9,0-9', 10, 'ignore'],
    [`bytes=${'0-0,'.repeat(RANGES_MAX + 1)}`, 100, 'ignore'],
  ];
  for (const [value, length, expected] of rows) {
    const ranges = parseRanges(value, length);
    const shown = typeof ranges === 'string'
      ? ranges
      : ranges.map(({ first, last }) => `${first}-${last}`).join(',');
    assert.equal(shown, expected, value);
  }
});

test('parseContentRange reads a known part of a known whole', () => {
  assert.deepEqual(parseContentRange('bytes 4-9/10'), { first: 4, last: 9, length: 10 });
  for (const value of [null, '', 'bytes 4-9/*', 'bytes */10', 'bytes 9-4/10', 'bytes 4-10/10', 'items 0-1/2']) {
    assert.equal(parseContentRange(value), null, String(value));
  }
});

test('matchesTag compares weakly, in lists of any form', () => {
  const rows: [string, string, boolean][] = [
    ['"a"', '"a"', true], ['W/"a"', '"a"', true], ['"a"', 'W/"a"', true], ['"b", "a"', '"a"', true],
    ['"b","c" , W/"a"', 'W/"a"', true], ['*', '"a"', true], ['"a, b"', '"a, b"', true],
    ['"b"', '"a"', false], ['"a', '"a"', false], ['a', '"a"', false], ['', '"a"', false],
    ['"*"', '"a"', false], ['"b", *', '"a"', false], ['abc', 'abc', true], ['x, abc', 'abc', true],
    ['"a, b"', '"b"', false], ['"A"', '"a"', false],
  ];
  for (const [list, tag, expected] of rows) assert.equal(matchesTag(list, tag), expected, `${list} / ${tag}`);
});

test('select answers conditions before ranges, and tags before dates', () => {
  const later = 'Mon, 07 Nov 1994 08:49:37 GMT';
  const earlier = 'Sat, 05 Nov 1994 08:49:37 GMT';
  const rows: [Partial<StoredBody>, string[], string][] = [
    [{}, [], 'whole'],
    [{}, ['If-None-Match', '"a"'], 'not-modified'],
    [{}, ['If-None-Match', '"b"'], 'whole'],
    [{}, ['If-None-Match', '"b"', 'If-Modified-Since', later], 'whole'],
    [{}, ['If-None-Match', '"a"', 'If-Modified-Since', earlier], 'not-modified'],
    [{}, ['If-Modified-Since', MODIFIED], 'not-modified'],
    [{}, ['If-Modified-Since', 'Sunday, 06-Nov-94 08:49:37 GMT'], 'not-modified'],
    [{}, ['If-Modified-Since', later], 'not-modified'],
    [{}, ['If-Modified-Since', earlier], 'whole'],
    [{}, ['If-Modified-Since', 'x'], 'whole'],
    [{ lastModified: null }, ['If-Modified-Since', later], 'whole'],
    [{ lastModified: null }, ['If-Modified-Since', 'Sun, 02 Jan 2000 00:00:00 GMT'], 'not-modified'],
    [{ lastModified: 'x' }, ['If-Modified-Since', later], 'whole'],
    [{ etag: null }, ['If-None-Match', '"a"'], 'whole'],
    [{ etag: null }, ['If-None-Match', '*'], 'not-modified'],
    [{ status: 404 }, ['If-None-Match', '"a"'], 'whole'],
    [{}, ['Range', 'bytes=0-1'], '0-1'],
    [{}, ['Range', 'bytes=0-1', 'If-None-Match', '"a"'], 'not-modified'],
    [{}, ['Range', 'bytes=0-1', 'If-None-Match', '"b"'], '0-1'],
    [{}, ['Range', 'bytes=20-'], 'unsatisfiable'],
    [{}, ['Range', 'lines=1'], 'whole'],
    [{ status: 404 }, ['Range', 'bytes=0-1'], 'whole'],
    [{}, ['Range', 'bytes=0-1', 'If-Range', '"a"'], '0-1'],
    [{}, ['Range', 'bytes=0-1', 'If-Range', '"b"'], 'whole'],
    [{ etag: 'W/"a"' }, ['Range', 'bytes=0-1', 'If-Range', 'W/"a"'], 'whole'],
    [{}, ['Range', 'bytes=0-1', 'If-Range', MODIFIED], '0-1'],
    [{}, ['Range', 'bytes=0-1', 'If-Range', later], 'whole'],
    [{ lastModified: 'x' }, ['Range', 'bytes=0-1', 'If-Range', 'x'], 'whole'],
  ];
  for (const [body, fields, expected] of rows) assert.equal(selected(body, fields), expected, fields.join(' '));
});

test('select gives HEAD the whole head, whatever range it asks for', () => {
  assert.equal(selected({}, ['Range', 'bytes=0-1'], 'HEAD'), 'whole');
  assert.equal(selected({}, ['If-None-Match', '"a"'], 'HEAD'), 'not-modified');
});

test('select serves from a part what lies in it', () => {
  const part = { first: 4, last: 9, length: 10 };
  const rows: [string[], string][] = [
    [[], 'missing'],
    [['Range', 'bytes=-5'], '5-9'],
    [['Range', 'bytes=6-8'], '6-8'],
    [['Range', 'bytes=4-'], '4-9'],
    [['Range', 'bytes=3-5'], 'missing'],
    [['Range', 'bytes=0-0,9-9'], 'missing'],
    [['Range', 'bytes=10-'], 'unsatisfiable'],
    [['Range', 'x=1'], 'missing'],
    [['If-None-Match', '"a"'], 'not-modified'],
  ];
  for (const [fields, expected] of rows) {
    assert.equal(selected({ status: 206, part }, fields), expected, fields.join(' '));
  }
});

test('multipartBody frames each part with its type and place', () => {
  const ranges = [{ first: 5, last: 6 }, { first: 9, last: 9 }];
  const body = Buffer.from('456789');
  const made = multipartBody({ ranges, body, offset: 4, length: 10, contentType: 'text/plain', boundary: 'B' });
  assert.equal(
    made.toString(),
    '--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-6/10\r\n\r\n56'
      + '\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 9-9/10\r\n\r\n9\r\n--B--\r\n',
  );
  const bare = multipartBody({ ranges: [], body, offset: 0, length: 6, contentType: null, boundary: 'B' });
  assert.equal(bare.toString(), '\r\n--B--\r\n');
  assert.equal(contentRange(ranges[0]!, 10), 'bytes 5-6/10');
});
