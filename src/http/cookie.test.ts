import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cookieOf } from './cookie.ts';

test('cookieOf finds a cookie among others, in any field and any case of the name of the field', () => {
  const rows: [string[], string | undefined][] = [
    [[], undefined],
    [['Cookie', 'a=1'], '1'],
    [['cookie', 'b=2; a=1; a=3'], '1'],
    [['COOKIE', 'b=2;a=x=y'], 'x=y'],
    [['Cookie', 'b=2', 'Host', 'a=9', 'Cookie', 'a=4'], '4'],
    [['Cookie', 'aa=1; xa=2; a'], undefined],
    [['Cookie', `${'z'.repeat(20_000)}; a=1`], undefined],
  ];
  for (const [fields, expected] of rows) assert.equal(cookieOf(fields, 'a'), expected, JSON.stringify(fields));
});
