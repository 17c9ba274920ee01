// Between two debuggees of an app: the one before is gone and the next is about to come. Requests wait for it,
// but not for ever.

import type { Clock, Timer } from '../base/clock.ts';

/** How long requests wait for a debuggee that is started again, in ms. */
export const DEBUGGEE_WAIT_MS = 5000;

/** See the head of this file. */
export class DebuggeeWait {
  #clock: Clock;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The next one is about to come. */
  get isOn(): boolean {
    return this.#timer !== undefined;
  }

  /** Begins, or begins anew; `givenUp` is called when none came. */
  begin(givenUp: () => void): void {
    this.end();
    this.#timer = this.#clock.after(DEBUGGEE_WAIT_MS, () => {
      this.#timer = undefined;
      givenUp();
    });
  }

  /** It came, or nobody waits any more. */
  end(): void {
    this.#timer?.stop();
    this.#timer = undefined;
  }
}
