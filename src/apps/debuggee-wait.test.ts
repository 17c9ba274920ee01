import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import { DEBUGGEE_WAIT_MS, DebuggeeWait } from './debuggee-wait.ts';

test('the wait for the next debuggee ends when it comes, or after a while', () => {
  const clock = new HandClock();
  const wait = new DebuggeeWait(clock);
  let givenUp = 0;
  wait.begin(() => (givenUp += 1));
  assert.equal(wait.isOn, true);
  wait.end();
  assert.equal(wait.isOn, false);
  clock.advance(DEBUGGEE_WAIT_MS);
  assert.equal(givenUp, 0);
  wait.begin(() => (givenUp += 1));
  clock.advance(DEBUGGEE_WAIT_MS - 1);
  wait.begin(() => (givenUp += 1));
  clock.advance(DEBUGGEE_WAIT_MS);
  assert.equal(givenUp, 1);
  assert.equal(wait.isOn, false);
});
