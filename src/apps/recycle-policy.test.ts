import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STREAK_FREE, afterChange, recycleWaitMs } from './recycle-policy.ts';

test('afterChange decides in each situation', () => {
  const table = {
    idle: ['forget-failures', 'forget-failures'],
    starting: ['recycle-later', 'note'],
    serving: ['recycle', 'note'],
    recycling: ['recycle-later', 'note'],
    debug: ['note', 'note'],
  } as const;
  for (const [situation, [wanted, unwanted]] of Object.entries(table)) {
    assert.equal(afterChange(situation as keyof typeof table, true), wanted, situation);
    assert.equal(afterChange(situation as keyof typeof table, false), unwanted, situation);
  }
});

test('recycleWaitMs grows only in a long streak, up to a bound', () => {
  assert.equal(recycleWaitMs(0), 0);
  assert.equal(recycleWaitMs(STREAK_FREE - 1), 0);
  assert.equal(recycleWaitMs(STREAK_FREE), 250);
  assert.equal(recycleWaitMs(STREAK_FREE + 1), 500);
  assert.equal(recycleWaitMs(10_000), 5000);
});
