// What happens when a program stands and nobody looks: by default on a machine's own loopback it is held, so
// that somebody finds it as it is; where others wait for it, it goes on after a while.

import type { Clock, Timer } from '../base/clock.ts';

/** Watches one thread. */
export class Unattended {
  #clock: Clock;
  #afterMs: number | null;
  #release: () => void;
  #isPaused = false;
  #isWatched = false;
  #timer: Timer | null = null;

  /** `afterMs`: how long a pause without a viewer lasts; null holds it. `release` lets the thread go on. */
  constructor(clock: Clock, afterMs: number | null, release: () => void) {
    this.#clock = clock;
    this.#afterMs = afterMs;
    this.#release = release;
  }

  /** The thread stands, or runs again. A new pause is a new wait. */
  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#timer?.stop();
    this.#timer = null;
    this.#decide();
  }

  /** Somebody looks at the thread, or nobody does. */
  setWatched(isWatched: boolean): void {
    this.#isWatched = isWatched;
    this.#decide();
  }

  #decide(): void {
    if (!this.#isPaused || this.#isWatched || this.#afterMs === null) {
      this.#timer?.stop();
      this.#timer = null;
      return;
    }
    this.#timer ??= this.#clock.after(this.#afterMs, () => {
      this.#timer = null;
      this.#release();
    });
  }
}
