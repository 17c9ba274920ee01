// Finds out whether a client that has ended its half still waits for its answer or is gone altogether, which
// look the same from here. It is sent bytes that change nothing (AnswerWriter.probe): who is gone resets the
// connection on them, so that the app hears of it. A fast answer needs no probe.

import type { Clock, Timer } from '../base/clock.ts';

/**
 * When probes go out after the client's end, each behind the one before, in ms. The second one finds out who has
 * reset the connection on the first: so it follows soon, and programs hear almost at once of a client that left.
 */
export const PROBES_MS: readonly number[] = [25, 15, 60, 200, 400, 800, 1600];

/** Sends the probes of one connection. */
export class ClientProbe {
  #clock: Clock;
  #send: () => boolean;
  #timer: Timer | null = null;

  /** `send` sends one probe; false: no more are wanted or possible. */
  constructor(clock: Clock, send: () => boolean) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Starts over. */
  start(): void {
    this.#schedule(0);
  }

  stop(): void {
    this.#timer?.stop();
    this.#timer = null;
  }

  #schedule(index: number): void {
    this.stop();
    const delayMs = PROBES_MS[index];
    if (delayMs === undefined) return;
    this.#timer = this.#clock.after(delayMs, () => {
      if (this.#send()) this.#schedule(index + 1);
    });
  }
}
