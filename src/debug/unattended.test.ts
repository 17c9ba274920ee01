import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import type { UnattendedPolicy } from '../wire/session-messages.ts';
import { LEFT_GRACE_MS, Unattended } from './unattended.ts';

const AFTER_1000: UnattendedPolicy = { kind: 'resume', afterMs: 1000 };

function scene(policy: UnattendedPolicy): { clock: HandClock; watch: Unattended; released: () => number } {
  const clock = new HandClock();
  let released = 0;
  return { clock, watch: new Unattended(clock, policy, () => (released += 1)), released: () => released };
}

test('a pause that nobody looks at ends after its time, each one anew', () => {
  const { clock, watch, released } = scene(AFTER_1000);
  watch.setPaused(true);
  clock.advance(999);
  assert.equal(released(), 0);
  watch.setPaused(true);
  clock.advance(999);
  assert.equal(released(), 0, 'a new pause waits from its own start');
  clock.advance(1);
  assert.equal(released(), 1);
  watch.setPaused(false);
  clock.advance(5000);
  assert.equal(released(), 1);
});

test('a pause that somebody looks at is held, until the time after that one left', () => {
  const { clock, watch, released } = scene(AFTER_1000);
  watch.setWatched(true);
  watch.setPaused(true);
  clock.advance(10_000);
  watch.setWatched(false);
  clock.advance(500);
  watch.setWatched(true);
  clock.advance(5000);
  watch.setWatched(false);
  clock.advance(999);
  assert.equal(released(), 0);
  clock.advance(1);
  assert.equal(released(), 1);
});

test('without a limit a pause is held for as long as it takes', () => {
  const { clock, watch, released } = scene({ kind: 'hold' });
  watch.setPaused(true);
  clock.advance(28_800_000);
  assert.equal(released(), 0);
});

test('for a snapshot nothing waits, but for the start, and for a viewer that may come back', () => {
  const { clock, watch, released } = scene({ kind: 'snapshot' });
  watch.setPaused(true, true);
  clock.advance(28_800_000);
  assert.equal(released(), 0, 'it waits for its first viewer');
  watch.setPaused(false);
  watch.setPaused(true);
  assert.equal(released(), 1);
  watch.setWatched(true);
  watch.setPaused(true);
  watch.setWatched(false);
  clock.advance(LEFT_GRACE_MS - 1);
  watch.setWatched(true);
  watch.setWatched(false);
  clock.advance(LEFT_GRACE_MS - 1);
  assert.equal(released(), 1);
  clock.advance(1);
  assert.equal(released(), 2);
});
