// What joined processes hold: places on listeners, and the prefixes that lead to them. A table without effects:
// join-server.ts binds, tells the fronts and answers the processes.

import { randomUUID } from 'node:crypto';
import { HostError } from '../base/host-error.ts';
import type { QueueSettings } from '../base/queue-settings.ts';
import type { ExpectedProcess, Group, Route } from '../wire/front-messages.ts';
import type { ClaimPlace } from '../wire/join-messages.ts';
import type { BoundListener } from './listen-origin.ts';

/** Groups of joined processes begin so; no other group does. */
export const JOINED_GROUPS = 'joined:';

/** Prefixes that are answered with 503 because their processes are gone, kept for their listener's life. */
const FORMER_MAX = 1000;
/** Most places of all joined processes. */
const CLAIMS_MAX = 10_000;

/** A URL prefix as the host has to know it; the front's parser makes it. */
export interface JoinPrefix {
  /** In its one canonical form. */
  text: string;
  scheme: string;
  category: string;
  host: string;
  port: number;
  path: string;
}

/** A listener that processes use: one of the configuration, or one bound for them. */
export interface JoinListener {
  bound: BoundListener;
  /** '' means all addresses. */
  address: string;
  isOnDemand: boolean;
}

/** `held`: requests come. `released`: the server closed; the last exchanges go on. */
export type HoldState = 'held' | 'released';

/** A place of one process. */
export interface Hold {
  readonly process: ExpectedProcess;
  /** The connection that it came by. */
  readonly owner: object;
  readonly claim: number;
  readonly pid: number;
  /** Its user, where that is not the host's. */
  readonly uid: number | null;
  readonly title: string;
  readonly place: ClaimPlace;
  readonly prefix: JoinPrefix;
  readonly listener: JoinListener;
  readonly queue: QueueSettings;
  state: HoldState;
}

/** The prefix of `listen(port, address)`, of an http or https server. */
export function portPrefix(port: number, address: string, scheme: 'http' | 'https' = 'http'): JoinPrefix {
  const isAny = address === '' || address === '::' || address === '0.0.0.0';
  const host = isAny ? '*' : address;
  const shown = host.includes(':') ? `[${host}]` : host;
  const category = isAny ? 'weak' : 'ip';
  return { text: `${scheme}://${shown}:${port}/`, scheme, category, host, port, path: '/' };
}

/** The whole table of a front. */
export interface Tables {
  routes: Route[];
  groups: Group[];
}

/**
 * Adds joined processes to the apps' tables. `ports` are those of the configuration: where listeners for
 * joined processes exist, what has a mere path is kept to these.
 */
export function withJoined(apps: Tables, joined: Tables, ports: readonly number[]): Tables {
  if (joined.routes.length === 0) return apps;
  const schemes = ['http', 'https'];
  const places = ports.flatMap((port) => schemes.map((scheme) => `${scheme}://*:${port}`));
  const own = apps.routes.flatMap((route) => {
    if (!route.prefix.startsWith('/')) return [route];
    return places.map((place) => ({ ...route, prefix: `${place}${route.prefix}` }));
  });
  return { routes: [...own, ...joined.routes], groups: [...apps.groups, ...joined.groups] };
}

/** The tables where the case of letters in paths does not matter, if `ignoreCase`. */
export function withPathCase({ routes, groups }: Tables, ignoreCase: boolean): Tables {
  return { routes: ignoreCase ? routes.map((route) => ({ ...route, ignoreCase })) : routes, groups };
}

/** The prefix in one spelling, if `ignoreCase`, so that two spellings are one prefix. */
export function spelled(prefix: JoinPrefix, ignoreCase: boolean): JoinPrefix {
  return ignoreCase ? { ...prefix, text: prefix.text.toLowerCase(), path: prefix.path.toLowerCase() } : prefix;
}

/** See the head of the file. */
export class Claims {
  #holds: Hold[] = [];
  #former = new Map<string, Hold>();
  #made = 0;

  get all(): readonly Hold[] {
    return this.#holds;
  }

  /** The ones that requests come to. */
  get held(): Hold[] {
    return this.#holds.filter((hold) => hold.state === 'held');
  }

  /** Who shares the place with this claim of a cluster's worker. */
  clusterMate(place: ClaimPlace, uid: number | null): Hold | undefined {
    if (place.kind !== 'port' || place.cluster === undefined) return undefined;
    return this.held.find((hold) => {
      return hold.uid === uid && hold.place.kind === 'port' && hold.place.cluster === place.cluster;
    });
  }

  /** @throws HostError PREFIX_TAKEN when a process holds the prefix and does not share it. */
  checkFree(prefix: JoinPrefix, place: ClaimPlace, uid: number | null): void {
    const other = this.held.find((hold) => hold.prefix.text === prefix.text);
    if (other === undefined || this.clusterMate(place, uid) === other) return;
    if (place.kind === 'prefix' && other.place.kind === 'prefix' && other.uid === uid) return;
    const holder = `process ${other.pid} (${other.title})`;
    throw new HostError('PREFIX_TAKEN', `the prefix ${prefix.text} is held by ${holder}`);
  }

  /** Adds a place. @throws HostError PREFIX_TAKEN as above; LISTEN_FAILED when there are too many. */
  add(hold: Omit<Hold, 'process' | 'state'>): Hold {
    this.checkFree(hold.prefix, hold.place, hold.uid);
    if (this.#holds.length >= CLAIMS_MAX) {
      throw new HostError('LISTEN_FAILED', `there are ${CLAIMS_MAX} joined servers already`);
    }
    this.#made += 1;
    const group = `${JOINED_GROUPS}${hold.prefix.text}`;
    const id = `${JOINED_GROUPS}${hold.pid}:${this.#made}`;
    const made: Hold = { ...hold, process: { key: randomUUID(), id, group }, state: 'held' };
    this.#holds.push(made);
    this.#former.delete(hold.prefix.text);
    return made;
  }

  /** Takes a place out. */
  remove(hold: Hold): void {
    this.#holds = this.#holds.filter((other) => other !== hold);
  }

  /** The process wants nothing new for this place. Returns whether its listener is unused now. */
  release(hold: Hold): { isListenerUnused: boolean } {
    hold.state = 'released';
    const held = this.held;
    const isListenerUnused =
      hold.listener.isOnDemand && !held.some((other) => other.listener === hold.listener);
    if (isListenerUnused) {
      for (const [text, former] of this.#former) {
        if (former.listener === hold.listener) this.#former.delete(text);
      }
    } else if (!held.some((other) => other.prefix.text === hold.prefix.text)) {
      if (this.#former.size < FORMER_MAX) this.#former.set(hold.prefix.text, hold);
    }
    return { isListenerUnused };
  }

  /** What the fronts must know. `reserved` prefixes are known without a process, too. */
  tables(reserved: readonly { text: string; name: string }[] = []): Tables {
    const rows = new Map<string, Group>();
    for (const { text, name } of reserved) rows.set(text, { id: `${JOINED_GROUPS}${text}`, name, onDemand: false });
    for (const hold of [...this.#former.values(), ...this.held]) {
      const { group } = hold.process;
      // Requests wait while a process links itself again; without any, they are told to come later.
      const isFirst = rows.get(hold.prefix.text)?.onDemand !== true;
      if (!isFirst) continue;
      const row: Group = { id: group, name: hold.title, onDemand: hold.state === 'held', ...hold.queue };
      // As with HTTP.SYS, where processes fetch their requests: who has least to do gets the next one.
      rows.set(hold.prefix.text, { ...row, balance: 'least-busy' });
    }
    return {
      routes: [...rows].map(([prefix, { id }]) => ({ prefix, group: id })),
      groups: [...rows.values()],
    };
  }
}
