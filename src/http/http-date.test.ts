import { test } from 'node:test';
import assert from 'node:assert/strict';
import { parseHttpDate } from './http-date.ts';

const NOW = Date.UTC(2026, 10, 21);

test('parseHttpDate reads the three forms, whatever the case', () => {
  const expected = Date.UTC(1994, 10, 6, 8, 49, 37);
  const texts = [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'SUN, 06 NOV 1994 08:49:37 gmt',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
  ];
  for (const text of texts) assert.equal(parseHttpDate(text, NOW), expected, text);
  assert.equal(parseHttpDate('Thursday, 18-Aug-50 02:01:18 GMT', NOW), Date.UTC(2050, 7, 18, 2, 1, 18));
  assert.equal(parseHttpDate('Friday, 18-Aug-77 02:01:18 GMT', NOW), Date.UTC(1977, 7, 18, 2, 1, 18));
  assert.equal(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT', NOW), Date.UTC(2017, 0, 1));
});

test('parseHttpDate takes nothing else for a date', () => {
  const texts = [
    '', '0', '-1', 'now', '2050-08-18T02:01:18Z',
    'Thu, 18 Aug 2050 02:01:18 UTC', 'Thu, 18 Aug 2050 02:01:18 AEST', 'Thu, 18 Aug 50 02:01:18 GMT',
    'Thu 18 Aug 2050 02:01:18 GMT', 'Thu, 18  Aug  2050 02:01:18 GMT', 'Thu, 18-Aug-2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 02.01.18 GMT', 'Thu, 18 Aug 2050 2:01:18 GMT', 'Thu, 31 Feb 2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 24:01:18 GMT', 'Thu, 00 Aug 2050 02:01:18 GMT', 'Thu, 18 Aug 2050 02:01:18 GMT ',
    'Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:18 GMT',
  ];
  for (const text of texts) assert.ok(Number.isNaN(parseHttpDate(text, NOW)), text);
});
