import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BACK_OFF_MAX_MS, LOOP_COUNT, LOOP_WAIT_MS, NO_HISTORY, STEADY_MS } from './restart-policy.ts';
import { afterCrash, afterFailure, afterReady, isLooping, waitMs } from './restart-policy.ts';

test('restart-policy doubles the wait with each failure, up to a bound', () => {
  let history = NO_HISTORY;
  const waits: number[] = [];
  for (let count = 1; count < LOOP_COUNT; count++) {
    history = afterFailure(history, 1000);
    waits.push(waitMs(history, 1000));
    assert.equal(isLooping(history), false);
  }
  assert.deepEqual(waits.slice(0, 6), [200, 400, 800, 1600, 3200, 5000]);
  assert.equal(Math.max(...waits), BACK_OFF_MAX_MS);
});

test('restart-policy calls it a crash loop after many failures or early crashes, and then waits long', () => {
  let failing = NO_HISTORY;
  for (let count = 0; count < LOOP_COUNT; count++) failing = afterFailure(failing, 0);
  assert.ok(isLooping(failing));
  assert.equal(waitMs(failing, 0), LOOP_WAIT_MS);
  let crashing = NO_HISTORY;
  for (let count = 0; count < LOOP_COUNT / 2; count++) {
    crashing = afterCrash(afterReady(afterFailure(crashing, 0)), 1, 0);
  }
  assert.ok(isLooping(crashing), 'failures and crashes in turn');
  assert.ok(isLooping(afterReady(crashing)), 'listening for a moment is no recovery');
  assert.equal(isLooping(afterCrash(crashing, STEADY_MS, 0)), false);
});

test('restart-policy lets a start go when its time has come', () => {
  const history = afterFailure(NO_HISTORY, 1000);
  assert.equal(waitMs(history, 1150), 50);
  assert.equal(waitMs(history, 1200), 0);
  assert.equal(waitMs(NO_HISTORY, 0), 0);
});

test('restart-policy forgets failures when the program listened', () => {
  const { failures, notBeforeMs } = afterReady(afterFailure(NO_HISTORY, 5));
  assert.deepEqual({ failures, notBeforeMs }, { failures: 0, notBeforeMs: 0 });
});

test('restart-policy slows down a program that keeps crashing soon after it listened', () => {
  let history = NO_HISTORY;
  const waits: number[] = [];
  for (let count = 0; count < 5; count++) {
    history = afterCrash(afterReady(history), STEADY_MS - 1, 0);
    waits.push(waitMs(history, 0));
  }
  assert.deepEqual(waits, [0, 0, 0, 200, 400]);
  assert.deepEqual(afterCrash(history, STEADY_MS, 0), NO_HISTORY);
});
