// Those who wait for an app: requests at the front, which get an answer when there will be no process, and commands,
// which are told the outcome of what they asked for.

import { Outcome } from './outcome.ts';
import type { App } from './app-config.ts';
import type { PoolOptions } from './pool-options.ts';
import type { Failure } from '../wire/front-messages.ts';

/** See the head of this file. */
export class Callers {
  /** Tells the end of a start or a recycling: the failure, if it is one. */
  readonly outcome = new Outcome<Failure | undefined>();
  /** The front waits for `ready` or `failed`. */
  isAsked = false;
  /** Of the latest start or recycling that failed; undefined once a later one worked. */
  lastFailure: Failure | undefined;
  readonly #options: Pick<PoolOptions, 'log' | 'failed'>;

  constructor(options: Pick<PoolOptions, 'log' | 'failed'>) {
    this.#options = options;
  }

  /** The requests that wait get this. */
  answer(app: App, failure: Failure): void {
    this.isAsked = false;
    this.#options.failed(app.group, failure);
  }

  /** Remembers a failure, says it in the log and to commands. */
  note(app: App, event: string, failure: Failure): void {
    this.lastFailure = failure;
    const { code, message } = failure;
    this.#options.log.warn(event, { app: app.name, code, reason: message });
    this.outcome.tell(failure);
  }

  /** Within the back-off requests are told the last failure, and when it is worth to come again. */
  answerAgain(app: App, waitMs: number): boolean {
    if (waitMs <= 0 || this.lastFailure === undefined) return false;
    this.answer(app, { ...this.lastFailure, retryAfterSeconds: Math.ceil(waitMs / 1000) });
    return true;
  }
}
