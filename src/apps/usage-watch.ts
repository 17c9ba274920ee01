// Looks at the use of processes now and then, and does what usage-policy.ts decides. It costs nothing while no
// app that runs has such a limit.

import { isUsageLimited, usageVerdict } from './usage-policy.ts';
import { messageOf } from '../base/host-error.ts';
import type { Pool } from './pool.ts';
import type { ProcessUsage } from './usage-policy.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';

/** From one look to the next. */
export const LOOK_MS = 1000;
/** New processes that are too large at once must not be replaced without end. */
const RECYCLE_GAP_MS = 10_000;

/** Requests of a process, as the front counts them. */
export interface RequestCounts {
  requests: number;
  active: number;
}

export interface UsageWatchOptions {
  clock: Clock;
  log: Log;
  pools(): Iterable<Pool>;
  /** By process id. */
  requestCounts(): Promise<ReadonlyMap<string, RequestCounts>>;
  residentBytes(pid: number): Promise<number | undefined>;
}

interface Seen {
  requests: number;
  /** Since when no request was seen. */
  sinceMs: number;
  recycledMs: number;
}

/** See the head of this file. */
export class UsageWatch {
  readonly #options: UsageWatchOptions;
  readonly #seen = new WeakMap<Pool, Seen>();
  #timer: Timer | undefined;
  #isLooking = false;

  constructor(options: UsageWatchOptions) {
    this.#options = options;
  }

  /** To be called when a process starts. */
  wake(): void {
    if (this.#timer !== undefined || this.#isLooking || this.#limited().length === 0) return;
    this.#timer = this.#options.clock.after(LOOK_MS, () => {
      this.#timer = undefined;
      this.#isLooking = true;
      this.#look()
        .catch((error: unknown) => this.#options.log.warn('usage-failed', { reason: messageOf(error) }))
        .finally(() => {
          this.#isLooking = false;
          this.wake();
        });
    });
  }

  close(): void {
    this.#timer?.stop();
    this.#timer = undefined;
  }

  #limited(): Pool[] {
    return [...this.#options.pools()].filter(
      (pool) => pool.processes.length > 0 && isUsageLimited(pool.app.settings),
    );
  }

  async #look(): Promise<void> {
    const counts = await this.#options.requestCounts();
    await Promise.all(this.#limited().map((pool) => this.#lookAt(pool, counts)));
  }

  async #lookAt(pool: Pool, counts: ReadonlyMap<string, RequestCounts>): Promise<void> {
    const { clock } = this.#options;
    const processes = pool.status().processes;
    // While some start, what is going on is to be waited for.
    if (processes.some(({ state }) => state === 'starting')) return;
    const serving = processes.filter(({ state }) => state === 'ready');
    const usages = await Promise.all(
      serving.map(async ({ id, pid, ageMs }): Promise<ProcessUsage> => {
        const { requests, active } = counts.get(id) ?? { requests: 0, active: 0 };
        const isMemoryLimited = pool.app.settings.memoryMbMax > 0 && pid !== undefined;
        const memoryBytes = isMemoryLimited ? await this.#options.residentBytes(pid) : undefined;
        return { ageMs, requests, active, memoryBytes };
      }),
    );
    const now = clock.now();
    const seen = this.#seen.get(pool) ?? { requests: -1, sinceMs: now, recycledMs: -Infinity };
    this.#seen.set(pool, seen);
    const requests = usages.reduce((sum, usage) => sum + usage.requests, 0);
    if (requests !== seen.requests || usages.some((usage) => usage.active > 0)) seen.sinceMs = now;
    seen.requests = requests;
    const verdict = usageVerdict(pool.app.settings, usages, now - seen.sinceMs);
    if (verdict.kind === 'rest') pool.rest();
    if (verdict.kind !== 'recycle' || now - seen.recycledMs < RECYCLE_GAP_MS) return;
    seen.recycledMs = now;
    pool.reload(verdict.reason);
  }
}
