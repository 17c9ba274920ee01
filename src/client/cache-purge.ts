// Purging from inside an app: asks every front and waits until each has done it; one that is away, or is replaced
// meanwhile, is asked when it is back. The preload and the library may be two copies of this code; they find each
// other by a symbol of the process.

import { HostError } from '../base/host-error.ts';
import type { CachePurge } from '../wire/cache-messages.ts';
import type { Purging } from '../wire/link-messages.ts';

/** How long the fronts may take, in ms. */
const PURGE_TIMEOUT_MS = 5000;
const PURGER = Symbol.for('slipstream.cache-purge');

/** Asks the fronts. */
export type Purge = (purge: CachePurge) => Promise<void>;

/** To one front. Sends nothing while there is no link. */
export interface PurgeLink {
  sendPurge(purging: Purging): void;
}

interface PendingPurge {
  purging: Purging;
  /** Fronts that have not answered. */
  missing: Set<PurgeLink>;
  resolve(): void;
  reject(error: Error): void;
}

/** The purges of this process that are under way. */
export class CachePurger {
  #links: () => readonly PurgeLink[];
  #pending = new Map<number, PendingPurge>();
  #nextId = 1;

  /** `links` leads to every front. */
  constructor(links: () => readonly PurgeLink[]) {
    this.#links = links;
  }

  /** @throws HostError CACHE_UNREACHABLE, CACHE_TARGET_INVALID */
  purge(purge: CachePurge): Promise<void> {
    const id = this.#nextId++;
    const purging: Purging = { ...purge, id };
    const missing = new Set(this.#links());
    return new Promise((resolve, reject) => {
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
        purging,
        missing,
        resolve: () => settle(resolve),
        reject: (error) => settle(() => reject(error)),
      });
      for (const link of missing) link.sendPurge(purging);
    });
  }

  /** A front is there, maybe another than before: what is under way concerns it too. */
  welcomed(link: PurgeLink): void {
    for (const { purging, missing } of this.#pending.values()) {
      if (missing.has(link)) link.sendPurge(purging);
    }
  }

  /** A front has done it, or says that the target is none. */
  purged({ id, isValid }: { id: number; isValid: boolean }, link: PurgeLink): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (!isValid) {
      pending.reject(new HostError('CACHE_TARGET_INVALID', 'the target is neither a URL nor a path'));
      return;
    }
    pending.missing.delete(link);
    if (pending.missing.size === 0) pending.resolve();
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
