// The timers that carry out restart-policy.ts and recycle-policy.ts. Each has at most one action waiting.

import { STREAK_FREE, STREAK_GAP_MS, recycleWaitMs } from './recycle-policy.ts';
import { NO_HISTORY, afterCrash, afterFailure, afterReady, isLooping, waitMs } from './restart-policy.ts';
import type { StartHistory } from './restart-policy.ts';
import type { Clock, Timer } from '../base/clock.ts';

/** Runs one action at a time, at once or later. */
class Waiting {
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isWaiting(): boolean {
    return this.#timer !== undefined;
  }

  run(delayMs: number, action: () => void): void {
    this.cancel();
    if (delayMs <= 0) {
      action();
      return;
    }
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined;
      action();
    });
  }

  cancel(): void {
    this.#timer?.stop();
    this.#timer = undefined;
  }
}

/** Starts after an end: later and later while the app keeps ending. */
export class StartPacer {
  readonly #clock: Clock;
  readonly #waiting: Waiting;
  #history: StartHistory = NO_HISTORY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#waiting = new Waiting(clock);
  }

  /** A start waits for its time. */
  get isWaiting(): boolean {
    return this.#waiting.isWaiting;
  }

  /** The latest start failed, or the app keeps ending. */
  get hasFailed(): boolean {
    return this.#history.failures > 0 || this.isLooping;
  }

  /** The app keeps ending; see restart-policy.ts. */
  get isLooping(): boolean {
    return isLooping(this.#history);
  }

  /** How long the next start has to wait. */
  get waitMs(): number {
    return waitMs(this.#history, this.#clock.now());
  }

  failed(): void {
    this.#history = afterFailure(this.#history, this.#clock.now());
  }

  crashed(servedMs: number): void {
    this.#history = afterCrash(this.#history, servedMs, this.#clock.now());
  }

  ready(): void {
    this.#history = afterReady(this.#history);
  }

  /** The files are others now, or all works. */
  forget(): void {
    this.#history = NO_HISTORY;
  }

  /** Calls `start` when it may be; in place of one that waits. */
  schedule(start: () => void): void {
    this.#waiting.run(this.waitMs, start);
  }

  cancel(): void {
    this.#waiting.cancel();
  }
}

/** Recycles after changes: at once, but not without end. */
export class RecyclePacer {
  readonly #clock: Clock;
  readonly #waiting: Waiting;
  #streak = 0;
  #lastMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#waiting = new Waiting(clock);
  }

  /** Calls `recycle` when it may be, unless one waits. True when this call is the first that is slowed. */
  schedule(recycle: () => void): boolean {
    if (this.#waiting.isWaiting) return false;
    if (this.#clock.now() - this.#lastMs > STREAK_GAP_MS) this.#streak = 0;
    const wait = recycleWaitMs(this.#streak);
    this.#streak += 1;
    this.#lastMs = this.#clock.now() + wait;
    this.#waiting.run(wait, recycle);
    return this.#streak === STREAK_FREE + 1;
  }

  cancel(): void {
    this.#waiting.cancel();
  }
}
