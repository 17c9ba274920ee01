// What a debuggee printed last on stderr, for its viewers: the host knows it a moment after the inspector is gone.
// The end of a session waits for it so long, and no longer.

import { pause, type Clock } from '../base/clock.ts';

/** Most characters that viewers get; the last ones. */
export const LAST_WORDS_MAX = 16_384;
/** A session that is closed on purpose has no reason to tell; words that were sent before may still be on the way. */
const CLOSED_WAIT_MS = 50;
/** Where other processes go on, the words of one are soon no reason any more. */
const FRESH_MS = 2000;

/** Of the inspector, not of the program. */
const INSPECTOR_LINE = /^(?:Waiting for the debugger to disconnect\.\.\.|Debugger attached\.)\n?/gm;

/** The end of what a program printed on stderr. */
export function lastWordsOf(stderr: string): string {
  return stderr.replace(INSPECTOR_LINE, '').slice(-LAST_WORDS_MAX);
}

/** The last words of one debuggee. */
export class LastWords {
  #clock: Clock;
  #text: string | null = null;
  #heard: Promise<void>;
  #settle: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#heard = new Promise((resolve) => (this.#settle = resolve));
  }

  /** The host says them. */
  hear(stderr: string): void {
    this.#text = lastWordsOf(stderr);
    this.#settle();
    this.#clock.after(FRESH_MS, () => (this.#text = null));
  }

  /** The session is closed: nobody waits for long any more. */
  close(): void {
    this.#clock.after(CLOSED_WAIT_MS, this.#settle);
  }

  /** Waits at most so long; empty when nothing was said. */
  async wait(limitMs: number): Promise<string> {
    if (this.#text === null && limitMs > 0) await Promise.race([this.#heard, pause(limitMs, this.#clock)]);
    return this.#text ?? '';
  }
}
