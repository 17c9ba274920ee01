// How the latest processes of an app ended: for a client whose request was lost with one, and for the status.

import { describeExit, lastLines } from './start-failure.ts';
import { pause, type Clock } from '../base/clock.ts';
import type { AppProcess } from './app-process.ts';
import type { Failure } from '../wire/front-messages.ts';

/** So many are remembered. */
const ENDS_MAX = 8;
/** A link breaks before its process is gone; one that lives on tells nothing. */
const END_TIMEOUT_MS = 1000;

/** See the head of this file. */
export class LastEnds {
  readonly #clock: Clock;
  readonly #ends = new Map<string, Failure['developer']>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The process has ended. */
  note(process: AppProcess): void {
    this.#ends.delete(process.id);
    this.#ends.set(process.id, partsOf(process));
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > ENDS_MAX) this.#ends.delete(oldest!);
  }

  /** What is known of the end of the process with this id, once it is there; `alive` are those that may be about to. */
  async of(id: string, alive: readonly AppProcess[]): Promise<Failure['developer'] | undefined> {
    const process = alive.find((one) => one.id === id);
    if (process !== undefined) await Promise.race([process.exited, pause(END_TIMEOUT_MS, this.#clock)]);
    return this.#ends.get(id);
  }
}

function partsOf({ exit, describedCommand, stderrTail }: AppProcess): Failure['developer'] {
  const stderr = lastLines(stderrTail);
  const how = exit === undefined ? 'ended' : describeExit(exit.code, exit.signal);
  return [
    { heading: 'Reason', text: `The process ${how} while it had this request.` },
    { heading: 'Command', text: describedCommand },
    { heading: 'Last lines of stderr', text: stderr === '' ? '(nothing)' : stderr },
  ];
}
