import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from './clock.ts';

test('HandClock fires due timers in the order of their times', () => {
  const clock = new HandClock();
  const fired: string[] = [];
  clock.after(20, () => fired.push(`b at ${clock.now()}`));
  clock.after(10, () => {
    fired.push(`a at ${clock.now()}`);
    clock.after(5, () => fired.push(`c at ${clock.now()}`));
  });
  clock.after(31, () => fired.push('never'));
  clock.advance(30);
  assert.deepEqual(fired, ['a at 10', 'c at 15', 'b at 20']);
  assert.equal(clock.now(), 30);
});

test('HandClock does not fire a stopped timer', () => {
  const clock = new HandClock();
  const timer = clock.after(1, () => assert.fail('stopped'));
  timer.stop();
  timer.stop();
  clock.advance(5);
});
