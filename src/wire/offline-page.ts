// The page that takes a folder off the network while it is there: what it says, and the answer that it makes.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Failure } from './front-messages.ts';

/** While this file is in the app's folder, it is the answer to every request and nothing of the app runs. */
export const OFFLINE_FILE = 'app_offline.htm';
const PAGE_BYTES_MAX = 262_144;
const RETRY_AFTER_SECONDS = 5;

/** The page in the folder; empty for one that is too large or cannot be read; undefined where there is none. */
export function offlinePage(folder: string): string | undefined {
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

/** 503 with the page, or with that of the front where it is empty. `what` is offline. */
export function offlineFailure(page: string, what: string): Failure {
  const failure: Failure = {
    status: 503,
    code: 'APP_OFFLINE',
    message: `${what} is offline (${OFFLINE_FILE})`,
    developer: [],
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
  return page === '' ? failure : { ...failure, page };
}
