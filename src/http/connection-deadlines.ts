// How long one connection waits for its client: for bytes, for room, for an end. Compares ticks, touches no
// socket: the connection tells what it waits for and acts on what comes out of `tick`.

import type { FrontLimits } from '../base/limits.ts';
import { NEVER, type Ticker } from './ticker.ts';

/** How long a client may take to close after our end. */
export const LINGER_MS = 5000;
/** How long a client that has ended its half may wait without a byte of its answer. */
export const HALF_CLOSED_MS = 120_000;
/** bodyRateMin holds after so many ticks of waiting. */
export const RATE_GRACE_TICKS = 10;

/** What the client is expected to do. */
export type Awaited =
  | 'nothing'
  | 'request' // Send the first byte of a head: keepAliveTimeoutMs.
  | 'head' // Send its last byte: headTimeoutMs.
  | 'body' // Send the next bytes of a body: bodyIdleTimeoutMs, bodyRateMin.
  | 'close'; // Send its end, after ours: LINGER_MS.

/** What is over: the wait for what was awaited, or the patience with a client that takes nothing. */
export type Overdue = Awaited | 'stalled';

/** What the deadlines look at, each tick. */
export interface ClientProgress {
  /** Payload of the body so far. */
  payloadBytes: number;
  /** Bytes wait for the client. */
  hasUnsent: boolean;
  /** Changes whenever the client takes bytes. */
  sendProgress: number;
  /** The client has ended its half and waits for an answer. */
  isHalfClosed: boolean;
}

/** The deadlines of one connection. */
export class ConnectionDeadlines {
  #limits: FrontLimits;
  #ticker: Ticker;
  #awaited: Awaited = 'nothing';
  #deadline = NEVER;
  #bodyTicks = 0;
  #sendProgress = 0;
  #sendDeadline = NEVER;

  constructor(limits: FrontLimits, ticker: Ticker) {
    this.#limits = limits;
    this.#ticker = ticker;
  }

  get awaited(): Awaited {
    return this.#awaited;
  }

  /** A new wait begins, unless it is the one under way. */
  await(awaited: Awaited): void {
    if (awaited === this.#awaited) return;
    this.#awaited = awaited;
    this.#deadline = awaited === 'nothing' ? NEVER : this.#ticker.deadline(this.#limitOf(awaited));
  }

  /** Bytes of the body came: the wait for the next ones begins. */
  restartBody(): void {
    if (this.#awaited === 'body') this.#deadline = this.#ticker.deadline(this.#limits.bodyIdleTimeoutMs);
  }

  /** Another body is expected. */
  startBody(): void {
    this.#bodyTicks = 0;
  }

  /** What is overdue; each is told once. */
  tick(now: number, progress: ClientProgress): Overdue {
    if (this.#isStalled(now, progress)) return 'stalled';
    if (this.#awaited === 'body' && this.#isTooSlow(progress.payloadBytes)) return this.#overdue();
    return now >= this.#deadline ? this.#overdue() : 'nothing';
  }

  #overdue(): Overdue {
    const awaited = this.#awaited;
    this.#awaited = 'nothing';
    this.#deadline = NEVER;
    return awaited;
  }

  #isTooSlow(payloadBytes: number): boolean {
    this.#bodyTicks += 1;
    return this.#bodyTicks > RATE_GRACE_TICKS && payloadBytes < this.#limits.bodyRateMin * this.#bodyTicks;
  }

  #isStalled(now: number, progress: ClientProgress): boolean {
    if (!progress.hasUnsent && !progress.isHalfClosed) {
      this.#sendDeadline = NEVER;
      return false;
    }
    if (this.#sendDeadline === NEVER || progress.sendProgress !== this.#sendProgress) {
      const limitMs = progress.hasUnsent ? this.#limits.writeStallTimeoutMs : HALF_CLOSED_MS;
      this.#sendDeadline = this.#ticker.deadline(limitMs);
      this.#sendProgress = progress.sendProgress;
      return false;
    }
    return now >= this.#sendDeadline;
  }

  #limitOf(awaited: Exclude<Awaited, 'nothing'>): number {
    switch (awaited) {
      case 'request':
        return this.#limits.keepAliveTimeoutMs;
      case 'head':
        return this.#limits.headTimeoutMs;
      case 'body':
        return this.#limits.bodyIdleTimeoutMs;
      case 'close':
        return LINGER_MS;
    }
  }
}
