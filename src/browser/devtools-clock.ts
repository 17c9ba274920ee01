// Time in the page. (The clock of base unrefs its timers, which only Node knows.)

import type { Clock } from '../base/clock.ts';

/** The real time of a page. */
export const pageClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return { stop: () => clearTimeout(timer) };
  },
};
