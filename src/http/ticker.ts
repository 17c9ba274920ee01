// Coarse time for everything that the front waits for: one timer a second instead of one per request.
// A deadline never passes early; it passes at most two ticks late.

import type { Clock, Timer } from '../base/clock.ts';

/** Distance of two ticks, in ms. */
export const TICK_MS = 1000;

/** No deadline. */
export const NEVER = Number.POSITIVE_INFINITY;

/** Looks at its deadlines. May remove itself or others from the ticker. */
export interface Ticked {
  tick(now: number): void;
}

/** Counts ticks and calls its members at each. */
export class Ticker {
  /** Ticks so far: what deadlines compare with. */
  now = 0;
  #clock: Clock;
  #members = new Set<Ticked>();
  #timer: Timer;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = clock.after(TICK_MS, () => this.#tick());
  }

  /** The tick at which `delayMs` have surely passed; `NEVER` for 0. */
  deadline(delayMs: number): number {
    return delayMs === 0 ? NEVER : this.now + Math.ceil(delayMs / TICK_MS) + 1;
  }

  add(member: Ticked): void {
    this.#members.add(member);
  }

  remove(member: Ticked): void {
    this.#members.delete(member);
  }

  /** Calls nobody any more. */
  stop(): void {
    this.#timer.stop();
    this.#members.clear();
  }

  #tick(): void {
    this.now += 1;
    this.#timer = this.#clock.after(TICK_MS, () => this.#tick());
    for (const member of this.#members) member.tick(this.now);
  }
}
