import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesAfter } from './log-follow.ts';

const line = (text: string) => ({ pid: 1, stream: 'stdout' as const, line: text });

test('linesAfter gives what came since, and says how many are gone', () => {
  const kept = { lines: ['c', 'd', 'e'].map(line), next: 5 };
  const texts = (after: number, max = 10): [string, number] => {
    const { lines, missed, next } = linesAfter(kept, after, max);
    assert.equal(next, 5);
    return [lines.map((one) => one.line).join(''), missed];
  };
  assert.deepEqual(texts(-1), ['cde', 0], 'somebody new');
  assert.deepEqual(texts(99), ['cde', 0], 'a number of another host');
  assert.deepEqual(texts(5), ['', 0]);
  assert.deepEqual(texts(4), ['e', 0]);
  assert.deepEqual(texts(2), ['cde', 0]);
  assert.deepEqual(texts(0), ['cde', 2], 'no longer kept');
  assert.deepEqual(texts(2, 1), ['e', 2], 'too many for one answer');
});
