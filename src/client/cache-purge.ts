// Purging from inside an app: asks every front that is linked and waits until each has done it. The preload
// and the library may be two copies of this code; they find each other by a symbol of the process.

import { HostError } from '../base/host-error.ts';
import type { CachePurge } from '../wire/cache-messages.ts';
import type { Purging } from '../wire/link-messages.ts';

/** How long the fronts may take, in ms. */
const PURGE_TIMEOUT_MS = 5000;
const PURGER = Symbol.for('slipstream.cache-purge');

/** Asks the fronts. */
export type Purge = (purge: CachePurge) => Promise<void>;

interface PendingPurge {
  /** Fronts that have not answered. */
  missing: number;
  resolve(): void;
  reject(error: Error): void;
}

/** The purges of this process that are under way. */
export class CachePurger {
  #send: (purging: Purging) => number;
  #pending = new Map<number, PendingPurge>();
  #nextId = 1;

  /** `send` tells every linked front and returns how many those are. */
  constructor(send: (purging: Purging) => number) {
    this.#send = send;
  }

  /** @throws HostError CACHE_UNREACHABLE, CACHE_TARGET_INVALID */
  purge(purge: CachePurge): Promise<void> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const missing = this.#send({ ...purge, id });
      if (missing === 0) {
        reject(new HostError('CACHE_UNREACHABLE', 'no front is linked'));
        return;
      }
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new HostError('CACHE_UNREACHABLE', `a front did not answer within ${PURGE_TIMEOUT_MS} ms`));
      }, PURGE_TIMEOUT_MS);
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.#pending.delete(id);
        act();
      };
      this.#pending.set(id, {
        missing,
        resolve: () => settle(resolve),
        reject: (error) => settle(() => reject(error)),
      });
    });
  }

  /** A front has done it, or says that the target is none. */
  purged({ id, isValid }: { id: number; isValid: boolean }): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (!isValid) {
      pending.reject(new HostError('CACHE_TARGET_INVALID', 'the target is neither a URL nor a path'));
      return;
    }
    pending.missing -= 1;
    if (pending.missing === 0) pending.resolve();
  }
}

/** Makes the purger of this process known to every copy of the library. */
export function offerPurge(purge: Purge): void {
  Object.defineProperty(process, PURGER, { value: purge, configurable: true });
}

/** What a program purges by: a URL or path, with everything below it if it is `recursive`, or a tag. */
export interface PurgeChoice {
  recursive?: boolean;
  tag?: string;
}

/**
 * Drops kept answers of this app: of one URL or path, of all with a tag, or all. Elsewhere nothing is kept and
 * nothing happens. When the promise resolves no front sends such an answer any more.
 * @throws HostError CACHE_UNREACHABLE, CACHE_TARGET_INVALID
 */
export async function purgeCache(target?: string | PurgeChoice, choice: PurgeChoice = {}): Promise<void> {
  const purge = (process as unknown as Record<symbol, Purge | undefined>)[PURGER];
  const { recursive, tag } = typeof target === 'object' ? target : choice;
  await purge?.({
    ...(typeof target === 'string' ? { target } : {}),
    ...(tag === undefined ? {} : { tag }),
    isRecursive: recursive === true,
  });
}
