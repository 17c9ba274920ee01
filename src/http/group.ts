// The processes behind the same prefixes, and the requests that wait for one of them. Processes take turns;
// one that is full, retired or not ready is passed over. Waiting has a bound in number and in time.

import { createHmac } from 'node:crypto';
import { assert } from '../base/assert.ts';
import type { FrontLimits } from '../base/limits.ts';
import type { Diversion, Failure, Group } from '../wire/front-messages.ts';
import type { Ticker } from './ticker.ts';
import type { Upstream } from './upstream.ts';

/** A request that wants a process. Gets exactly one of the two calls, maybe before `enter` returns. */
export interface Waiter {
  /** `cookie` is to be set, where the group has sticky sessions: the value of Set-Cookie without Secure. */
  serve(link: Upstream, cookie?: string): void;
  refuse(failure: Failure): void;
  /** The value of a cookie of the request. Asked only where the group has sticky sessions. */
  cookie?(name: string): string | undefined;
}

/** When to come again after a 503, in s. */
const RETRY_AFTER_SECONDS = 1;
/** The same while the host stops. */
const RETRY_AFTER_STOP_SECONDS = 5;

/** Whether the host was asked for a process. */
type Activation =
  | 'none' // Nobody waits for a start.
  | 'asked'; // `activate` was sent; neither `ready` nor `failed` came.

/** What a group needs of the front. */
export interface GroupOptions {
  group: Group;
  limits: FrontLimits;
  ticker: Ticker;
  /** Asks the host for a process. */
  activate: (group: string) => void;
}

/** One group: its ready links and its queue. */
export class ProcessGroup {
  #options: GroupOptions;
  #links: Upstream[] = [];
  /** What the cookie of a client that belongs to the process says. */
  #tokens = new Map<Upstream, string>();
  #turn = 0;
  /** In order of arrival, with the tick at which the wait is over. */
  #queue = new Map<Waiter, number>();
  #activation: Activation = 'none';
  /** Processes that stand still, also before their first line. */
  #held = new Set<string>();

  constructor(options: GroupOptions) {
    this.#options = options;
  }

  get id(): string {
    return this.#options.group.id;
  }

  /** Which requests are not for this group after all. */
  get diversion(): Diversion | undefined {
    return this.#options.group.diversion;
  }

  /** Its processes want to know who is at this machine. */
  get tellsLocal(): boolean {
    return this.#options.group.tellsLocal === true;
  }

  get errorPages(): Group['errorPages'] {
    return this.#options.group.errorPages;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** The host described the group anew. */
  update(group: Group, limits: FrontLimits): void {
    assert(group.id === this.id, 'a group keeps its id');
    this.#options = { ...this.#options, group, limits };
    if (!group.onDemand && !this.#hasProcess()) this.#refuseAll(this.#absent());
  }

  /** Hands the request to a process, now or later, or refuses it. */
  enter(waiter: Waiter): void {
    if (this.#queue.size === 0) {
      const link = this.#pick(waiter);
      if (link !== null) {
        this.#hand(waiter, link);
        return;
      }
    }
    const { limits, ticker, group } = this.#options;
    if (!group.onDemand && !this.#hasProcess()) {
      waiter.refuse(this.#absent());
      return;
    }
    const queueMax = group.queueMax ?? limits.queueMax;
    if (this.#queue.size >= queueMax) {
      waiter.refuse(this.#busy('QUEUE_FULL', `has ${queueMax} requests waiting (queueMax)`));
      return;
    }
    this.#queue.set(waiter, ticker.deadline(limits.queueTimeoutMs));
    this.#activateIfNeeded();
  }

  /** The request is of no interest any more. */
  leave(waiter: Waiter): void {
    this.#queue.delete(waiter);
  }

  /** A process is ready. */
  add(link: Upstream, process = ''): void {
    if (!this.#links.includes(link)) this.#links.push(link);
    const { sticky } = this.#options.group;
    if (sticky !== undefined) {
      // Only the host's key makes it, so that a client can neither choose nor guess a process.
      this.#tokens.set(link, createHmac('sha256', sticky.key).update(process).digest('base64url').slice(0, 22));
    }
    this.#activation = 'none';
    this.dispatch();
  }

  /** The process serves no more: retired, not ready or lost. */
  remove(link: Upstream): void {
    const index = this.#links.indexOf(link);
    if (index < 0) return;
    this.#links.splice(index, 1);
    this.#tokens.delete(link);
    if (this.#hasProcess() || this.#queue.size === 0) return;
    if (this.#options.group.onDemand) this.#activateIfNeeded();
    else this.#refuseAll(this.#absent());
  }

  /** The process stands still, and its links with it; or it goes on. */
  setHeld(process: string, isHeld: boolean): void {
    if (isHeld) this.#held.add(process);
    else if (this.#held.delete(process)) this.dispatch();
  }

  /** Gives waiting requests to processes that have room. */
  dispatch(): void {
    while (this.#queue.size > 0) {
      const waiter = this.#queue.keys().next().value!;
      const link = this.#pick(waiter);
      if (link === null) return;
      this.#queue.delete(waiter);
      this.#hand(waiter, link);
    }
  }

  /** No process could be started: all that wait are told why. */
  failed(failure: Failure): void {
    this.#activation = 'none';
    this.#refuseAll(failure);
  }

  /** No process will come any more: the host stops, or is gone. True when somebody waited. */
  stop(): boolean {
    const hasWaiting = this.waiting > 0;
    const message = `app "${this.#options.group.name}" is not started: the host is stopping`;
    const retryAfterSeconds = RETRY_AFTER_STOP_SECONDS;
    this.failed({ status: 503, code: 'APP_STOPPED', message, developer: [], retryAfterSeconds });
    return hasWaiting;
  }

  /** The group is no more. */
  dissolve(): void {
    this.#links = [];
    this.#tokens.clear();
    this.#refuseAll(this.#absent());
  }

  /** Refuses those that have waited too long. */
  tick(now: number): void {
    // At a breakpoint nobody can say how long it takes; clients that have enough of it leave.
    if (this.#held.size > 0 && this.#links.every((link) => link.isHeld)) return;
    for (const [waiter, deadline] of this.#queue) {
      if (deadline > now) return;
      this.#queue.delete(waiter);
      const { queueTimeoutMs } = this.#options.limits;
      waiter.refuse(this.#busy('QUEUE_TIMED_OUT', `had no process for ${queueTimeoutMs} ms (queueTimeoutMs)`));
    }
  }

  #hand(waiter: Waiter, link: Upstream): void {
    const { sticky } = this.#options.group;
    const token = this.#tokens.get(link);
    if (sticky === undefined || token === undefined || waiter.cookie?.(sticky.name) === token) {
      waiter.serve(link);
    } else {
      waiter.serve(link, `${sticky.name}=${token}; Path=${sticky.path}; HttpOnly; SameSite=Lax`);
    }
  }

  /** The process that the client belongs to, the least busy one, or the next in turn; one that has room. */
  #pick(waiter: Waiter): Upstream | null {
    const { group, limits } = this.#options;
    const concurrencyMax = Math.min(group.concurrencyMax ?? Infinity, limits.concurrencyMax);
    if (group.sticky !== undefined) {
      const token = waiter.cookie?.(group.sticky.name);
      const own = this.#links.find((link) => this.#tokens.get(link) === token);
      if (token !== undefined && own?.hasRoom(concurrencyMax) === true) return own;
    }
    return group.balance === 'least-busy' ? this.#leastBusy(concurrencyMax) : this.#nextInTurn(concurrencyMax);
  }

  #leastBusy(concurrencyMax: number): Upstream | null {
    // Begins at the next in turn, so that equals take turns.
    const first = this.#nextInTurn(concurrencyMax);
    if (first === null) return null;
    let best = first;
    for (const link of this.#links) {
      if (link.active < best.active && link.hasRoom(concurrencyMax)) best = link;
    }
    return best;
  }

  #nextInTurn(concurrencyMax: number): Upstream | null {
    const count = this.#links.length;
    for (let tried = 0; tried < count; tried++) {
      if (this.#turn >= count) this.#turn = 0;
      const link = this.#links[this.#turn]!;
      this.#turn += 1;
      if (link.hasRoom(concurrencyMax)) return link;
    }
    return null;
  }

  #hasProcess(): boolean {
    return this.#links.length > 0;
  }

  #activateIfNeeded(): void {
    if (this.#activation === 'asked' || this.#hasProcess() || !this.#options.group.onDemand) return;
    this.#activation = 'asked';
    this.#options.activate(this.id);
  }

  #refuseAll(failure: Failure): void {
    const waiters = [...this.#queue.keys()];
    this.#queue.clear();
    for (const waiter of waiters) waiter.refuse(failure);
  }

  /** What a client hears whose process ended. The host has what the program wrote about it. */
  lost(link?: Upstream): Failure {
    const { name, onDemand } = this.#options.group;
    const text = `slipstream logs ${/\s/.test(name) ? JSON.stringify(name) : name}`;
    return {
      status: 502,
      code: 'UPSTREAM_LOST',
      message: 'The process of the app ended before it answered.',
      developer: onDemand ? [{ heading: 'This prints its last lines', text }] : [],
      ...(onDemand && typeof link?.processId === 'string' && { ended: link.processId }),
    };
  }

  #absent(): Failure {
    const { group } = this.#options;
    if (group.absent !== undefined) return { ...group.absent, developer: [] };
    return {
      status: 503,
      code: 'UPSTREAM_NONE',
      message: `No process serves "${group.name}" now.`,
      developer: [],
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    };
  }

  #busy(code: 'QUEUE_FULL' | 'QUEUE_TIMED_OUT', what: string): Failure {
    return {
      status: 503,
      code,
      message: `The app "${this.#options.group.name}" ${what}.`,
      developer: [],
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    };
  }
}
