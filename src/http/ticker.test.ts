import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import { NEVER, Ticker } from './ticker.ts';

test('a deadline never passes early and at most two ticks late', () => {
  for (const offsetMs of [0, 1, 999]) {
    for (const delayMs of [1, 100, 1000, 1001, 60_000]) {
      const clock = new HandClock();
      const ticker = new Ticker(clock);
      clock.advance(offsetMs);
      const deadline = ticker.deadline(delayMs);
      let passedMs = -1;
      ticker.add({ tick: (now) => { if (now >= deadline && passedMs < 0) passedMs = clock.now() - offsetMs; } });
      clock.advance(delayMs + 3000);
      assert.ok(passedMs >= delayMs && passedMs <= delayMs + 2000, `${offsetMs} ${delayMs}: ${passedMs}`);
      ticker.stop();
    }
  }
});

test('a deadline of 0 is none', () => {
  const ticker = new Ticker(new HandClock());
  assert.equal(ticker.deadline(0), NEVER);
  ticker.stop();
});

test('a member may leave while it is called, and a stopped ticker calls nobody', () => {
  const clock = new HandClock();
  const ticker = new Ticker(clock);
  let calls = 0;
  const member = { tick: (): void => { calls += 1; ticker.remove(member); } };
  ticker.add(member);
  clock.advance(3000);
  assert.equal(calls, 1);
  ticker.add({ tick: () => assert.fail('stopped') });
  ticker.stop();
  clock.advance(3000);
});
