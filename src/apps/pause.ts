// Why an app is not started although requests come: a command stopped it, or its folder has an offline page.

import { unreachable } from '../base/assert.ts';
import type { Failure } from '../wire/front-messages.ts';
import { offlineFailure, offlinePage } from '../wire/offline-page.ts';

export type Pause =
  /** Requests start the app. */
  | { kind: 'none' }
  /** By a command, until another one. */
  | { kind: 'stopped' }
  /** By its offline page, until that goes. */
  | { kind: 'offline'; page: string };

/** What the folder says: the command's pause is stronger and stays. */
function pauseAt(pause: Pause, folder: string): Pause {
  if (pause.kind === 'stopped') return pause;
  const page = offlinePage(folder);
  return page === undefined ? { kind: 'none' } : { kind: 'offline', page };
}

/** The answer to requests; undefined when they start the app. */
function pauseFailure(pause: Pause, app: string): Failure | undefined {
  switch (pause.kind) {
    case 'none':
      return undefined;
    case 'stopped':
      return { status: 503, code: 'APP_PAUSED', message: `app "${app}" was stopped`, developer: [] };
    case 'offline':
      return offlineFailure(pause.page, `app "${app}"`);
    default:
      return unreachable(pause);
  }
}

/** Whether an app may run. */
export class PauseGate {
  #pause: Pause = { kind: 'none' };
  /** The kind that `isNew` was last asked about. */
  #told: Pause['kind'] = 'none';

  get kind(): Pause['kind'] {
    return this.#pause.kind;
  }

  /** A command stops the app, or lets it run again. */
  set(kind: 'stopped' | 'none'): void {
    if (kind === 'stopped' || this.#pause.kind === 'stopped') this.#pause = { kind };
  }

  /** Looks at the app's folder: the answer to requests, or undefined when the app may run. */
  look(folder: string, app: string): Failure | undefined {
    this.#pause = pauseAt(this.#pause, folder);
    if (this.#pause.kind === 'none') this.#told = 'none';
    return pauseFailure(this.#pause, app);
  }

  /** True once for each pause: many requests may meet the same. */
  isNew(): boolean {
    const isNew = this.#told !== this.#pause.kind;
    this.#told = this.#pause.kind;
    return isNew;
  }
}
