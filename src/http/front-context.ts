// What all connections of a front share: limits, routes, time, and the list of those that have something to
// write at the end of the turn.

import type { Clock } from '../base/clock.ts';
import type { FrontLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { AskedRequest, Decision, Route } from '../wire/front-messages.ts';
import type { Cache, CacheZone } from './cache.ts';
import { isDiverted } from './diversion.ts';
import type { ProcessGroup } from './group.ts';
import type { LocalClients } from './local-clients.ts';
import type { RouteTable } from './route-table.ts';
import type { SecureHosts } from './secure-hosts.ts';
import type { Ticker } from './ticker.ts';

/** What a route leads to. */
export interface RouteTarget {
  group: ProcessGroup;
  ask: Route['ask'] | 'never';
  /** See Route. */
  staysPlain: boolean;
  /** Where its answers are kept; null: they are not. */
  zone: CacheZone | null;
  /** Says what becomes of a request before the group gets it: see deciding.ts. */
  decider: ProcessGroup | null;
}

export interface FrontContext {
  readonly limits: FrontLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly ticker: Ticker;
  readonly turn: Turn;
  /** Replaced as a whole. */
  routes: RouteTable<RouteTarget>;
  /** Replaced when it gets another size. */
  cache: Cache;
  /** Null: no host asks for it. */
  secureHosts: SecureHosts | null;
  /** Requests so far. */
  requests: number;
  /** No connection is kept for another request. */
  isDraining: boolean;
  /** Origins of listeners that take raw bytes in targets: docs/refusals.md. */
  lenientListeners: ReadonlySet<string>;
  readonly localClients: LocalClients;
  /** What the peer at this address says about others is believed. */
  trusts(address: string): boolean;
  /** A field that others may not say, in lower case; ''. */
  userField: string;
  groupOf(id: string): ProcessGroup | undefined;
  ask(ask: { group: string; prefix: string; request: AskedRequest }): Promise<Decision>;
}

/** Who gets a request, and where the answer is kept. */
export type Destination = Pick<RouteTarget, 'group' | 'zone'>;

/** Where a request with these fields (flat) goes: where the route leads, or aside, past the cache. */
export function divertedTarget(
  target: RouteTarget,
  fields: readonly string[],
  context: FrontContext,
): Destination {
  const { diversion } = target.group;
  if (diversion === undefined || !isDiverted(diversion, fields)) return target;
  const group = context.groupOf(diversion.group);
  return group === undefined ? target : { group, zone: null };
}

/** Has work that is best done once, when everything that came in together was looked at. */
export interface TurnMember {
  finishTurn(): void;
}

/** Calls each member once behind the callback that is running, however often it asked. */
export class Turn {
  #members: TurnMember[] = [];
  readonly #runBound = (): void => this.#run();

  /** The member asks only once until it is called. */
  add(member: TurnMember): void {
    if (this.#members.length === 0) process.nextTick(this.#runBound);
    this.#members.push(member);
  }

  #run(): void {
    const members = this.#members;
    this.#members = [];
    for (const member of members) member.finishTurn();
  }
}
