import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import { Unattended } from './unattended.ts';

function scene(afterMs: number | null): { clock: HandClock; watch: Unattended; released: () => number } {
  const clock = new HandClock();
  let released = 0;
  return { clock, watch: new Unattended(clock, afterMs, () => (released += 1)), released: () => released };
}

test('a pause that nobody looks at ends after its time, each one anew', () => {
  const { clock, watch, released } = scene(1000);
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
  const { clock, watch, released } = scene(1000);
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
  const { clock, watch, released } = scene(null);
  watch.setPaused(true);
  clock.advance(28_800_000);
  assert.equal(released(), 0);
});
