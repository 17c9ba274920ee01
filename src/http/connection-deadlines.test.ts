import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import { FRONT_LIMITS, type FrontLimits } from '../base/limits.ts';
import { defaultsOf } from '../base/setting.ts';
import {
  ConnectionDeadlines, HALF_CLOSED_MS, LINGER_MS, type Awaited, type ClientProgress, type Overdue,
} from './connection-deadlines.ts';
import { Ticker } from './ticker.ts';

const CALM: ClientProgress = { payloadBytes: 1e9, hasUnsent: false, sendProgress: 0, isHalfClosed: false };

interface Run {
  clock: HandClock;
  deadlines: ConnectionDeadlines;
  progress: ClientProgress;
  overdue: { at: number; what: Overdue }[];
}

function run(limits: Partial<FrontLimits> = {}): Run {
  const clock = new HandClock();
  const ticker = new Ticker(clock);
  const deadlines = new ConnectionDeadlines({ ...defaultsOf(FRONT_LIMITS), ...limits }, ticker);
  const made: Run = { clock, deadlines, progress: { ...CALM }, overdue: [] };
  ticker.add({
    tick(now) {
      const what = deadlines.tick(now, made.progress);
      if (what !== 'nothing') made.overdue.push({ at: clock.now(), what });
    },
  });
  return made;
}

test('each wait has its own limit and is told once', () => {
  const limits: [Awaited, number][] = [
    ['request', 75_000], ['head', 60_000], ['body', 120_000], ['close', LINGER_MS],
  ];
  for (const [awaited, limitMs] of limits) {
    const { clock, deadlines, overdue } = run();
    deadlines.await(awaited);
    clock.advance(limitMs);
    assert.deepEqual(overdue, [], awaited);
    clock.advance(limitMs * 2);
    assert.deepEqual(overdue.map(({ what }) => what), [awaited]);
  }
});

test('awaiting the same again does not begin a new wait', () => {
  const { clock, deadlines, overdue } = run({ headTimeoutMs: 10_000 });
  for (let second = 0; second < 15; second++) {
    deadlines.await('head');
    clock.advance(1000);
    if (overdue.length > 0) break;
  }
  assert.deepEqual(overdue.map(({ what }) => what), ['head']);
});

test('nothing is overdue while nothing is awaited', () => {
  const { clock, deadlines, overdue } = run();
  deadlines.await('request');
  deadlines.await('nothing');
  clock.advance(1e6);
  assert.deepEqual(overdue, []);
});

test('a keep-alive timeout of 0 never passes', () => {
  const { clock, deadlines, overdue } = run({ keepAliveTimeoutMs: 0 });
  deadlines.await('request');
  clock.advance(1e6);
  assert.deepEqual(overdue, []);
});

test('bytes of a body begin its wait anew', () => {
  const { clock, deadlines, overdue } = run({ bodyIdleTimeoutMs: 5000 });
  deadlines.await('body');
  for (let count = 0; count < 10; count++) {
    clock.advance(4000);
    deadlines.restartBody();
  }
  assert.deepEqual(overdue, []);
  clock.advance(8000);
  assert.deepEqual(overdue.map(({ what }) => what), ['body']);
});

test('a body slower than bodyRateMin is overdue after its grace, waits for others not counted', () => {
  const { clock, deadlines, overdue, progress } = run({ bodyRateMin: 100 });
  deadlines.startBody();
  progress.payloadBytes = 1000;
  deadlines.await('body');
  clock.advance(5000);
  deadlines.await('nothing');
  clock.advance(60_000);
  deadlines.await('body');
  clock.advance(5000);
  assert.deepEqual(overdue, []);
  clock.advance(1000);
  assert.deepEqual(overdue.map(({ what }) => what), ['body']);
});

test('a client that takes nothing is stalled, one that takes a little is not', () => {
  const { clock, overdue, progress } = run({ writeStallTimeoutMs: 10_000 });
  progress.hasUnsent = true;
  for (let count = 0; count < 10; count++) {
    progress.sendProgress += 1;
    clock.advance(8000);
  }
  assert.equal(overdue.length, 0);
  clock.advance(13_000);
  assert.deepEqual(overdue.map(({ what }) => what).slice(0, 1), ['stalled']);
});

test('a client that ended its half and gets nothing is stalled at last', () => {
  const { clock, overdue, progress } = run();
  progress.isHalfClosed = true;
  clock.advance(HALF_CLOSED_MS);
  assert.equal(overdue.length, 0);
  clock.advance(4000);
  assert.deepEqual(overdue.map(({ what }) => what).slice(0, 1), ['stalled']);
});
