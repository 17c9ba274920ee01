// How new processes of an app take the place of old ones: beside them, behind them, or at the next request (setting
// recycleMode). The pool says when; a request that waits meanwhile stays in the queue of the front.
//
//   beside   new ones start ──all ready──▶ they serve, the old ones finish what they have and go
//                           └─one fails──▶ the old ones stay
//            one waits for a port of the old ones: these go first, see `mayWaitForPort`
//   replace  the old ones finish what they have and go ──all gone──▶ new ones start
//   lazy     the old ones live on without requests ──a request──▶ as beside, and if one fails the request fails

import { availableParallelism } from 'node:os';
import { RecyclePacer } from './pacer.ts';
import { failureOf, lossOf } from './process-failure.ts';
import { isLive } from './process-state.ts';
import type { App } from './app-config.ts';
import type { AppProcess } from './app-process.ts';
import type { Callers } from './callers.ts';
import type { Crew } from './crew.ts';
import type { StartPacer } from './pacer.ts';
import type { PoolOptions } from './pool-options.ts';
import type { ProcessState } from './process-state.ts';
import type { Failure } from '../wire/front-messages.ts';

/** How long a new process may wait for a port of the old ones before these go first. */
const HANDOVER_MS = 1000;
/** So many new processes boot at a time: a core is left for the front and those that serve. */
const STARTS_MAX = Math.max(1, availableParallelism() - 1);

/** The pool, as far as it is needed here. */
export interface SuccessionParts {
  options: Pick<PoolOptions, 'clock' | 'log' | 'shelve'>;
  crew: Crew;
  callers: Callers;
  restarts: StartPacer;
  app(): App;
  isStopped(): boolean;
  /** Looks at the folder again. A failure when it cannot be started as it is. */
  refresh(): Failure | undefined;
  /** Starts what a set lacks, `startsMax` at a time. */
  fill(set: Set<AppProcess>, startsMax: number): void;
  /** A process ended at its start, and is to be started in another way. */
  startsAgain(process: AppProcess): boolean;
  /** Starts what the regular ones lack. */
  refill(): void;
}

/** See the head of this file. */
export class Succession {
  /** Files changed after the latest start, and new processes should meet them. */
  isOutdated = false;
  #isReplacing = false;
  #isShelved = false;
  readonly #parts: SuccessionParts;
  readonly #recycles: RecyclePacer;

  constructor(parts: SuccessionParts) {
    this.#parts = parts;
    this.#recycles = new RecyclePacer(parts.options.clock);
  }

  /** The old processes are on their way out; new ones start when the last one is gone. */
  get isReplacing(): boolean {
    return this.#isReplacing;
  }

  /** The moment for that has come. */
  get isOldGone(): boolean {
    const { leaving, hasLive } = this.#parts.crew;
    return this.#isReplacing && leaving.size === 0 && !hasLive;
  }

  /** The old processes get no request any more. */
  get isShelved(): boolean {
    return this.#isShelved;
  }

  /** All processes start anew. */
  begin(): void {
    this.isOutdated = false;
    this.#isReplacing = false;
  }

  /** The processes go, or belong to a debugger. */
  cancel(): void {
    this.#recycles.cancel();
    this.#isReplacing = false;
    this.#isShelved = false;
  }

  /** A request waits. True when it is for the successors of processes that still live. */
  activate(): boolean {
    const { crew, callers, restarts, app } = this.#parts;
    if (!this.#isShelved || crew.situation !== 'serving') return false;
    if (!callers.answerAgain(app(), restarts.waitMs)) this.#recycle();
    return true;
  }

  /** Files changed while the processes serve. */
  recycleSoon(): void {
    const { app, crew, options } = this.#parts;
    if (app().settings.recycleMode === 'lazy') return this.#shelve();
    const isSlowed = this.#recycles.schedule(() => {
      if (crew.situation === 'serving') this.#recycle();
    });
    if (!isSlowed) return;
    options.log.warn('app-changes-often', { app: app().name, hint: 'does it write watched files?' });
  }

  /** Somebody wants it now. */
  recycleNow(): void {
    this.#recycles.cancel();
    this.#recycle();
  }

  /**
   * A process of the app asks for a port that others of it (`holders`) listen on. True: these go, it shall wait and ask
   * again. If it waits before it listens for the app, the old ones go at once.
   */
  mayWaitForPort(pid: number, holders: readonly number[]): boolean {
    const asker = this.#parts.crew.waiterWith(pid, holders);
    if (asker === undefined || this.#parts.isStopped()) return false;
    const isNew = asker.state.kind === 'starting' && asker.state.isPatient !== true;
    asker.handle('waits');
    if (isNew) this.#parts.options.clock.after(HANDOVER_MS, () => this.#handOver(asker));
    return true;
  }

  /** One of the new processes changed its state. */
  changed(process: AppProcess, next: Set<AppProcess>, from: ProcessState): void {
    const { crew, callers, restarts, fill, refill, startsAgain } = this.#parts;
    const app = this.#parts.app();
    if (isLive(process.state)) {
      if (process.state.kind === 'ready') fill(next, STARTS_MAX);
      if ([...next].every((member) => member.state.kind === 'ready')) this.#takeOver(next);
      return;
    }
    if (from.kind === 'starting' && startsAgain(process)) {
      next.delete(process);
      crew.lose(process);
      fill(next, STARTS_MAX);
      return;
    }
    crew.giveUpNext(process);
    const failure = failureOf(process, app);
    if (from.kind !== 'starting') failure.message = `app "${app.name}" ${lossOf(process)}`;
    callers.note(app, 'app-recycle-failed', failure);
    if (this.#isShelved) {
      restarts.failed();
      if (callers.isAsked) callers.answer(app, failure);
    }
    if (this.isOutdated) this.recycleSoon();
    else restarts.schedule(refill);
  }

  /** Tells commands that a start or a recycling is over. */
  tellSuccess(): void {
    // One that is out of date already is followed by another.
    if (!this.isOutdated) this.#parts.callers.outcome.tell(undefined);
  }

  #recycle(): void {
    const { options, crew, callers, restarts, fill, refresh, isStopped } = this.#parts;
    this.isOutdated = false;
    const failure = refresh();
    if (isStopped()) return;
    const app = this.#parts.app();
    if (failure !== undefined) {
      callers.note(app, 'app-recycle-failed', failure);
      if (this.#isShelved && callers.isAsked) callers.answer(app, failure);
      return;
    }
    restarts.cancel();
    if (app.settings.recycleMode === 'replace') {
      options.log.info('app-replacing', { app: app.name, reason: 'recycleMode' });
      this.#isReplacing = true;
      crew.retireRegular();
      return;
    }
    options.log.info('app-recycling', { app: app.name });
    crew.next = new Set();
    fill(crew.next, STARTS_MAX);
  }

  #takeOver(next: Set<AppProcess>): void {
    const { options, crew, callers, restarts, app } = this.#parts;
    const old = [...crew.regular];
    restarts.forget();
    callers.lastFailure = undefined;
    this.#isShelved = false;
    crew.promote(next);
    if (crew.isServing) callers.isAsked = false;
    crew.leave(old);
    const pids = [...next].map((process) => process.pid).join(' ');
    options.log.info('app-recycled', { app: app().name, pids });
    this.tellSuccess();
    if (this.isOutdated) this.recycleSoon();
  }

  #shelve(): void {
    const { options, crew, restarts } = this.#parts;
    this.isOutdated = false;
    restarts.forget();
    if (this.#isShelved) return;
    this.#isShelved = true;
    for (const process of crew.regular) options.shelve(process);
  }

  #handOver(waiter: AppProcess): void {
    const { options, crew, app, isStopped, refill } = this.#parts;
    const { next, regular } = crew;
    if (isStopped() || next?.has(waiter) !== true || waiter.state.kind !== 'starting') return;
    options.log.info('app-replacing', { app: app().name, reason: 'a port that the old processes have' });
    this.#isShelved = false;
    crew.promote(next);
    crew.leave([...regular]);
    refill();
  }
}
