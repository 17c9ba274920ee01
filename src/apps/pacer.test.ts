import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecyclePacer, StartPacer } from './pacer.ts';
import { STREAK_FREE, STREAK_GAP_MS } from './recycle-policy.ts';
import { HandClock } from '../base/clock.ts';

test('StartPacer starts at once when nothing is against it', () => {
  const pacer = new StartPacer(new HandClock());
  let starts = 0;
  pacer.schedule(() => (starts += 1));
  assert.equal(starts, 1);
  assert.equal(pacer.isWaiting, false);
});

test('StartPacer waits after a failure, and not after it is forgotten', () => {
  const clock = new HandClock();
  const pacer = new StartPacer(clock);
  let starts = 0;
  pacer.failed();
  assert.ok(pacer.hasFailed);
  pacer.schedule(() => (starts += 1));
  pacer.schedule(() => (starts += 1));
  clock.advance(199);
  assert.equal(starts, 0);
  assert.ok(pacer.isWaiting);
  clock.advance(1);
  assert.equal(starts, 1);
  pacer.failed();
  pacer.forget();
  pacer.schedule(() => (starts += 1));
  assert.equal(starts, 2);
  pacer.failed();
  pacer.schedule(() => (starts += 1));
  pacer.cancel();
  clock.advance(10_000);
  assert.equal(starts, 2);
});

test('RecyclePacer slows a streak down and forgets it after a pause', () => {
  const clock = new HandClock();
  const pacer = new RecyclePacer(clock);
  let recycles = 0;
  const recycle = (): void => void (recycles += 1);
  for (let count = 0; count < STREAK_FREE; count++) assert.equal(pacer.schedule(recycle), false);
  assert.equal(recycles, STREAK_FREE);
  assert.equal(pacer.schedule(recycle), true);
  assert.equal(pacer.schedule(recycle), false);
  assert.equal(recycles, STREAK_FREE);
  clock.advance(250);
  assert.equal(recycles, STREAK_FREE + 1);
  clock.advance(STREAK_GAP_MS + 1);
  pacer.schedule(recycle);
  assert.equal(recycles, STREAK_FREE + 2);
});
