// Time as a parameter: production passes `systemClock`, tests turn a clock by hand.

/** A timer that can be stopped. Stopping twice is harmless. */
export interface Timer {
  stop(): void;
}

/** Where the time comes from. All times in ms. */
export interface Clock {
  /** Monotonic, from an arbitrary origin. */
  now(): number;
  /** Calls once after `delayMs`; does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
}

/** The real time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return { stop: () => clearTimeout(timer) };
  },
};

/** Resolves after `ms`. */
export function pause(ms: number, clock: Clock): Promise<void> {
  return new Promise((resolved) => clock.after(ms, resolved));
}

/** A clock that stands still until `advance` is called. For tests. */
export class HandClock implements Clock {
  #nowMs = 0;
  #timers = new Set<{ atMs: number; callback: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return { stop: () => this.#timers.delete(timer) };
  }

  /** Moves time on by `ms`, firing due timers in their order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      let next: { atMs: number; callback: () => void } | undefined;
      for (const timer of this.#timers) {
        if (timer.atMs <= endMs && (next === undefined || timer.atMs < next.atMs)) next = timer;
      }
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = next.atMs;
      next.callback();
    }
    this.#nowMs = endMs;
  }
}
