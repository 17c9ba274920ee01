import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandClock } from '../base/clock.ts';
import { HeartbeatWatch, stepHeartbeat, type Heartbeat } from './heartbeat.ts';

const GAP_MS = 2000;
const LIMIT_MS = 10_000;

/** A process that answers while `isAwake`. */
function watched(limitMs = LIMIT_MS, isAwake = true) {
  const clock = new HandClock();
  const seen = { isAwake, pings: 0, hungAfterMs: [] as number[], limitMs };
  const watch = new HeartbeatWatch({
    clock,
    limitMs: () => seen.limitMs,
    ping() {
      seen.pings += 1;
      if (seen.isAwake) clock.after(1, () => watch.heard());
    },
    onHung: (silentMs) => seen.hungAfterMs.push(silentMs),
  });
  return { clock, watch, seen };
}

test('a process that answers is never hung, one that stops is within the limit and a gap', () => {
  const { clock, seen } = watched();
  clock.advance(100_000);
  assert.deepEqual(seen.hungAfterMs, []);
  seen.isAwake = false;
  clock.advance(LIMIT_MS - 2);
  assert.deepEqual(seen.hungAfterMs, []);
  clock.advance(2 * GAP_MS);
  assert.deepEqual(seen.hungAfterMs, [LIMIT_MS]);
  clock.advance(100_000);
  assert.equal(seen.hungAfterMs.length, 1);
});

test('a word in time starts the count anew', () => {
  const { clock, watch, seen } = watched();
  watch.heard();
  seen.isAwake = false;
  for (let times = 0; times < 20; times++) {
    clock.advance(LIMIT_MS - GAP_MS);
    watch.heard();
  }
  assert.deepEqual(seen.hungAfterMs, []);
});

test('stepHeartbeat counts nothing of a time in which the host itself was away or late', () => {
  const silent: Heartbeat = { kind: 'watching', silentMs: LIMIT_MS - 1, lookedMs: 0 };
  const slept = { kind: 'look', nowMs: 8 * 3_600_000, gapMs: GAP_MS } as const;
  assert.deepEqual(stepHeartbeat(silent, slept, LIMIT_MS), { kind: 'watching', silentMs: 0, lookedMs: slept.nowMs });
  const late = { kind: 'look', nowMs: GAP_MS * 1.6, gapMs: GAP_MS } as const;
  assert.deepEqual(stepHeartbeat(silent, late, LIMIT_MS), { kind: 'watching', silentMs: 0, lookedMs: late.nowMs });
  const onTime = { kind: 'look', nowMs: GAP_MS * 1.4, gapMs: GAP_MS } as const;
  const hung = stepHeartbeat(silent, onTime, LIMIT_MS);
  assert.equal(hung.kind, 'hung');
  assert.equal(stepHeartbeat(hung, { kind: 'heard' }, LIMIT_MS), hung);
});

test('a process that has not said a word yet is not hung, however long it takes', () => {
  const { clock, seen } = watched(LIMIT_MS, false);
  clock.advance(100_000);
  assert.deepEqual(seen.hungAfterMs, []);
});

test('a limit of 0 asks nothing, and a limit that is set later holds', () => {
  const { clock, watch, seen } = watched(0);
  watch.heard();
  seen.isAwake = false;
  clock.advance(100_000);
  assert.equal(seen.pings, 1);
  seen.limitMs = LIMIT_MS;
  clock.advance(LIMIT_MS + 2 * GAP_MS);
  assert.equal(seen.hungAfterMs.length, 1);
  watch.stop();
});

test('a watch that is stopped looks no more', () => {
  const { clock, watch, seen } = watched();
  watch.heard();
  seen.isAwake = false;
  watch.stop();
  clock.advance(100_000);
  assert.deepEqual(seen.hungAfterMs, []);
});
