import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readWish } from './recycle-wishes.ts';

test('a wish is the word alone, in any case and in pieces', () => {
  for (const text of ['recycle', 'RECYCLE', 'Recycle\r\n', '\nrecycle', 'recycle\0\0']) {
    assert.equal(readWish(text), 'wish', JSON.stringify(text));
  }
  for (const text of ['', 'r', 'RECYC', '\n']) assert.equal(readWish(text), 'incomplete', JSON.stringify(text));
  for (const text of ['recycled', 're cycle', 'GET / HTTP/1.1', ' '.repeat(64), 'recyclerecycle']) {
    assert.equal(readWish(text), 'other', JSON.stringify(text));
  }
  // Hours, were it looked at.
  assert.equal(readWish(`x${' '.repeat(10_000_000)}x`), 'other');
});
