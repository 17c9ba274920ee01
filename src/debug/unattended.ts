// What happens when a program stands and nobody looks: by default on a machine's own loopback it is held, so
// that somebody finds it as it is; where others wait for it, it goes on after a while, or at once, leaving a
// snapshot behind.

import type { Clock, Timer } from '../base/clock.ts';
import type { UnattendedPolicy } from '../wire/session-messages.ts';

/** A viewer that left a pause behind may only be loading its page again: so long it is waited for, in ms. */
export const LEFT_GRACE_MS = 30_000;

/** Watches one thread. */
export class Unattended {
  #clock: Clock;
  #policy: UnattendedPolicy;
  #release: () => void;
  #isPaused = false;
  #isWatched = false;
  #timer: Timer | null = null;

  /** `release` lets the thread go on. */
  constructor(clock: Clock, policy: UnattendedPolicy, release: () => void) {
    this.#clock = clock;
    this.#policy = policy;
    this.#release = release;
  }

  /**
   * The thread stands, or runs again. A new pause is a new wait. `isStart`: before its first line, where somebody
   * wanted it to wait for a viewer that is still to come.
   */
  setPaused(isPaused: boolean, isStart = false): void {
    this.#isPaused = isPaused;
    this.#stopTimer();
    this.#decide(isStart ? 'start' : 'hit');
  }

  /** Somebody looks at the thread, or nobody does. */
  setWatched(isWatched: boolean): void {
    this.#isWatched = isWatched;
    this.#decide('left');
  }

  #decide(occasion: 'start' | 'hit' | 'left'): void {
    const waitMs = this.#waitMs(occasion);
    if (!this.#isPaused || this.#isWatched || waitMs === null) {
      this.#stopTimer();
    } else if (waitMs === 0) {
      this.#release();
    } else {
      this.#timer ??= this.#clock.after(waitMs, () => {
        this.#timer = null;
        this.#release();
      });
    }
  }

  /** Null: for ever. */
  #waitMs(occasion: 'start' | 'hit' | 'left'): number | null {
    switch (this.#policy.kind) {
      case 'hold':
        return null;
      case 'resume':
        return this.#policy.afterMs;
      case 'snapshot':
        if (occasion === 'start') return null;
        return occasion === 'hit' ? 0 : LEFT_GRACE_MS;
    }
  }

  #stopTimer(): void {
    this.#timer?.stop();
    this.#timer = null;
  }
}
