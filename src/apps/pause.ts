// Why an app is not started although requests come: a command stopped it, or its folder has an offline page.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { unreachable } from '../base/assert.ts';
import type { Failure } from '../wire/front-messages.ts';

/** While this file is in the app's folder, it is the answer to every request and nothing of the app runs. */
export const OFFLINE_FILE = 'app_offline.htm';
const PAGE_BYTES_MAX = 262_144;
const RETRY_AFTER_SECONDS = 5;

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

function offlinePage(folder: string): string | undefined {
  const file = join(folder, OFFLINE_FILE);
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats === undefined || !stats.isFile()) return undefined;
    return stats.size > PAGE_BYTES_MAX ? '' : readFileSync(file, 'utf8');
  } catch (error) {
    // It is there and cannot be read, or it went this moment: somebody is deploying.
    if (typeof (error as NodeJS.ErrnoException).code === 'string') return '';
    throw error;
  }
}

/** The answer to requests; undefined when they start the app. */
function pauseFailure(pause: Pause, app: string): Failure | undefined {
  switch (pause.kind) {
    case 'none':
      return undefined;
    case 'stopped':
      return { status: 503, code: 'APP_PAUSED', message: `app "${app}" was stopped`, developer: [] };
    case 'offline': {
      const failure: Failure = {
        status: 503,
        code: 'APP_OFFLINE',
        message: `app "${app}" is offline (${OFFLINE_FILE})`,
        developer: [],
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      };
      return pause.page === '' ? failure : { ...failure, page: pause.page };
    }
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
