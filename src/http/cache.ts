// The cache of a front: decides for each request whether a kept answer is sent or the app is asked, and keeps
// what may be kept. Knows no sockets: a connection looks up, writes the hit, or carries a ticket to the app.
// A hit makes no promise, no closure and hardly an object. What a purge names is never sent again once the
// call returns, whatever is still on its way.

import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { CacheHit, prepareHit } from './cache-answer.ts';
import type { CacheEntry } from './cache-entry.ts';
import { Flight, UnsharedUrls } from './cache-flight.ts';
import type { CacheClient } from './cache-flight.ts';
import { parsePurgeTarget, siteHost, urlKey } from './cache-key.ts';
import { ageMs, ageSeconds, onRequest, requestRefusal } from './cache-policy.ts';
import type { CacheRefusal, CacheRules } from './cache-policy.ts';
import { select } from './cache-range.ts';
import { CachingFields } from './cache-request.ts';
import type { CacheRequest } from './cache-request.ts';
import { CacheStore } from './cache-store.ts';
import type { CacheSite, Leaving, Place, Purge, StoreZone } from './cache-store.ts';
import { CacheTicket } from './cache-ticket.ts';
import type { TicketContext, TicketOptions } from './cache-ticket.ts';
import type { CacheCounts } from '../wire/cache-messages.ts';

export { publicFields } from './cache-answer.ts';
export { parseDurationDefault } from './cache-policy.ts';
export type { CacheClient, CacheHit, CacheRequest, CacheTicket };
export type { AppWish, HeadVerdict } from './cache-ticket.ts';

/** How the answers of one prefix are kept. What is left out has the default of its mode. */
export interface CacheZoneOptions extends Partial<Omit<CacheRules, 'mode'>> {
  mode: 'one-line' | 'standard';
  /** Simultaneous misses become one request. Default: in standard mode. */
  collapses?: boolean;
  /** Longest wait for such a request, in ms. Default 3000. */
  collapseWaitMs?: number;
  /** Largest body, in bytes. Default 1 MiB in one-line mode, 8 MiB in standard mode. */
  objectBytesMax?: number;
  /** Name of this cache in Cache-Status, RFC 9211. Default '': the field is not sent. */
  statusName?: string;
}

/** What is kept for one prefix. */
export interface CacheZone extends StoreZone {
  readonly prefix: string;
  /** The options as a text to compare. */
  readonly terms: string;
  readonly rules: CacheRules;
  readonly collapses: boolean;
  readonly collapseWaitMs: number;
  readonly objectBytesMax: number;
  readonly statusName: string;
  readonly flights: Map<string, Flight>;
}

export interface CacheOptions {
  clock: Clock;
  /** Bound of everything kept and arriving, in bytes. Default 64 MiB. */
  bytesMax?: number;
  /** Most answers to one URL. Default 32. */
  variantsMax?: number;
  /** The time of day in ms since 1970. Default: the system's. */
  wallMs?: () => number;
}

/** Somebody else fetches the answer: `cacheReady` of the client follows, or the client leaves. */
export interface CacheWait {
  kind: 'wait';
  leave(): void;
}

/** What a request gets. A hit is valid until the next lookup. */
export type CacheLookup =
  | CacheHit
  /** Ask the app, with the fields that the ticket says, and feed the ticket. */
  | { kind: 'ask'; ticket: CacheTicket }
  | CacheWait
  /** Ask the app; the cache has nothing to do with it. `publicFields` still applies to the answer. */
  | { kind: 'bypass' }
  /** Nothing is kept and the client forbids to ask: 504, RFC 9111 5.2.1.7. */
  | { kind: 'unavailable' };

/** What happened so far, with the reasons of this engine. */
export interface CacheCounters extends CacheCounts {
  refused: Partial<Record<CacheRefusal, number>>;
}

/** A kept answer, for people. */
export interface CacheListing {
  url: string;
  status: number;
  bytes: number;
  ageSeconds: number;
  /** How long it is fresh in all. */
  freshSeconds: number;
  hits: number;
  vary: readonly string[];
  tags: readonly string[];
}

/** What to purge. Without `target` and `tag`: everything, of the prefix if one is given. */
export interface PurgeOrder {
  /** Only what is kept for this prefix: programs may purge no more than their own. */
  prefix?: string;
  /** `http://host/path?query`, or a path for every host. */
  target?: string;
  /** Everything below the target too. */
  isRecursive?: boolean;
  tag?: string;
}

const MEBIBYTE = 1_048_576;
const LISTINGS_MAX = 100;
const BYPASS: CacheLookup = { kind: 'bypass' };
const UNAVAILABLE: CacheLookup = { kind: 'unavailable' };

/** See the file head. */
export class Cache {
  /** What is kept. For listings and tests. */
  readonly store: CacheStore;
  #clock: Clock;
  #context: TicketContext;
  #zones = new Map<string, CacheZone>();
  #tickets = new Set<CacheTicket>();
  #unshared = new UnsharedUrls();
  #counters: CacheCounters = noCounts();
  /** Used again for every request. */
  #caching = new CachingFields();
  #hit = new CacheHit();

  constructor(options: CacheOptions) {
    this.#clock = options.clock;
    this.store = new CacheStore({
      clock: options.clock,
      bytesMax: options.bytesMax ?? 64 * MEBIBYTE,
      variantsMax: options.variantsMax ?? 32,
      left: (_entry, why) => this.#countLeaving(why),
    });
    this.#context = {
      store: this.store,
      clock: options.clock,
      wallMs: options.wallMs ?? Date.now,
      refused: (reason) => {
        this.#counters.refused[reason] = (this.#counters.refused[reason] ?? 0) + 1;
      },
      count: (what) => {
        this.#counters[what] += 1;
      },
      invalidate: ({ zone, encrypted, host, url }) => {
        this.#purge({ zone, encrypted, host, url, isRecursive: false, tag: null });
      },
      unshare: (flight) => this.#unshared.add(flight.key, this.#clock.now()),
      closed: (ticket) => this.#tickets.delete(ticket),
    };
  }

  /** Starts to keep answers of a prefix. On the same terms it goes on; what was kept on others is dropped. */
  zone(prefix: string, options: CacheZoneOptions): CacheZone {
    const terms = JSON.stringify(options, Object.keys(options).sort());
    const known = this.#zones.get(prefix);
    if (known?.terms === terms) return known;
    this.dropPrefix(prefix);
    const isStandard = options.mode === 'standard';
    const zone: CacheZone = {
      prefix,
      terms,
      rules: {
        mode: options.mode,
        durationDefault: options.durationDefault ?? null,
        guessesFreshness: options.guessesFreshness ?? false,
        keepsSetCookie: options.keepsSetCookie ?? false,
        staleWhenDownMs: options.staleWhenDownMs ?? 60_000,
      },
      collapses: options.collapses ?? isStandard,
      collapseWaitMs: options.collapseWaitMs ?? 3000,
      objectBytesMax: options.objectBytesMax ?? (isStandard ? 8 : 1) * MEBIBYTE,
      statusName: options.statusName ?? '',
      flights: new Map(),
      sites: [new Map<string, CacheSite>(), new Map<string, CacheSite>()],
      isDropped: false,
    };
    this.#zones.set(prefix, zone);
    return zone;
  }

  /** The prefix goes, and with it everything kept for it. Who waits is let go. */
  dropPrefix(prefix: string): void {
    const zone = this.#zones.get(prefix);
    if (zone === undefined) return;
    this.#zones.delete(prefix);
    this.store.dropZone(zone);
    for (const flight of [...zone.flights.values()]) flight.land();
  }

  /** Decides on a new request. */
  lookup(zone: CacheZone, request: CacheRequest, client: CacheClient): CacheLookup {
    client.waitEndsMs = 0;
    const found = this.#lookup(zone, request, client);
    if (found.kind === 'bypass') this.#counters.bypassed += 1;
    return found;
  }

  /** Decides again on a request that waited. */
  lookupAgain(zone: CacheZone, request: CacheRequest, client: CacheClient): CacheLookup {
    return this.#lookup(zone, request, client);
  }

  /** @returns false if `target` is neither a URL nor a path, or the prefix is not known. */
  purge(order: PurgeOrder): boolean {
    const zone = order.prefix === undefined ? null : this.#zones.get(order.prefix);
    const place = order.target === undefined ? null : parsePurgeTarget(order.target);
    if (zone === undefined || (order.target !== undefined && place === null)) return false;
    const isAll = place === null;
    const purge: Purge = {
      zone,
      encrypted: place?.encrypted ?? null,
      host: place?.host ?? null,
      url: place?.url ?? null,
      isRecursive: isAll || order.isRecursive === true,
      tag: order.tag ?? null,
    };
    const isOneUrl = zone === null && !purge.isRecursive && purge.tag === null;
    // One URL is looked up, prefix by prefix; everything else is recognised when it is found.
    if (!isOneUrl) this.#purge(purge);
    else for (const each of this.#zones.values()) this.#purge({ ...purge, zone: each });
    return true;
  }

  /** Numbers for people. */
  show(): { bytes: number; bytesMax: number; entries: number; counters: CacheCounters } {
    const { bytes, bytesMax, count } = this.store;
    const counters = { ...this.#counters, refused: { ...this.#counters.refused } };
    return { bytes, bytesMax, entries: count, counters };
  }

  /** What is kept, the last used first: at most 100. With `target` only of that URL, or of paths below it. */
  list(target?: string): CacheListing[] {
    const wanted = target === undefined ? undefined : parsePurgeTarget(target);
    if (wanted === null) return [];
    const listings: CacheListing[] = [];
    for (const entry of this.store.entries()) {
      if (listings.length === LISTINGS_MAX) break;
      const { site, url } = entry.slot!;
      if (this.store.isVoid(entry)) continue;
      if (wanted !== undefined && !url.startsWith(wanted.url)) continue;
      if (wanted !== undefined && wanted.host !== null && wanted.host !== site.host) continue;
      listings.push(this.#listing(entry));
    }
    return listings;
  }

  /** Stops what goes on in the background. */
  close(): void {
    for (const zone of this.#zones.values()) {
      for (const flight of [...zone.flights.values()]) flight.land();
    }
    this.store.close();
  }

  #lookup(zone: CacheZone, request: CacheRequest, client: CacheClient): CacheLookup {
    const { rules } = zone;
    if (zone.isDropped || (rules.mode === 'one-line' && rules.durationDefault === null)) return BYPASS;
    const caching = this.#caching;
    caching.read(request.fields);
    if (client.isAuthenticated === true) caching.hasAuthorization = true;
    const { encrypted } = client;
    const place = { zone, encrypted, host: siteHost(request.host, encrypted), url: urlKey(request) };
    const refusal = requestRefusal(request, caching);
    if (refusal !== null) return this.#leaveAlone(zone, place, request, client);
    const entry = this.store.find(place, caching.steering, request.fields);
    const nowMs = this.#clock.now();
    const decision = onRequest(rules, caching, entry, nowMs);
    switch (decision) {
      case 'hit':
      case 'stale-while-revalidate':
        assert(entry !== null, 'what is not there is no hit');
        return this.#answer({ zone, place, request, client, entry, nowMs });
      case 'only-if-cached-504':
        this.#counters.unavailable += 1;
        return UNAVAILABLE;
      case 'bypass':
        return BYPASS;
      default: {
        const isOthers = caching.hasAuthorization && entry?.servesAuthorized !== true;
        const behind = rules.mode === 'one-line' || isOthers ? null : entry;
        return this.#ask({ zone, place, request, client, entry: behind, nowMs });
      }
    }
  }

  /** An unsafe method may make void what is kept. Everything else passes by. */
  #leaveAlone(zone: CacheZone, place: Place, request: CacheRequest, client: CacheClient): CacheLookup {
    const { method } = request;
    const isRead = method === 'GET' || method === 'HEAD';
    if (zone.rules.mode === 'one-line' || isRead || request.upgrade) return BYPASS;
    this.#counters.misses += 1;
    const found: Found = { zone, place, request, client, entry: null, nowMs: 0 };
    return { kind: 'ask', ticket: this.#ticket(found, { isUnsafe: true }) };
  }

  #answer(found: Found & { entry: CacheEntry }): CacheLookup {
    const { zone, request, client, entry, nowMs } = found;
    const selection = select(entry, this.#caching, request.method);
    if (selection.kind === 'missing') return this.#ask({ ...found, entry: null });
    this.store.use(entry);
    entry.hits += 1;
    this.#counters.hits += 1;
    const age = ageSeconds(entry, nowMs);
    const hit = this.#hit;
    hit.isStale = ageMs(entry, nowMs) >= entry.freshForMs;
    hit.refresh = null;
    if (hit.isStale) this.#refresh(found, hit);
    const { method, version } = request;
    const ttl = Math.floor(entry.freshForMs / 1000) - age;
    const cacheStatus = zone.statusName === '' ? '' : `${zone.statusName}; hit; ttl=${ttl}`;
    const { keepAlive } = client;
    prepareHit(hit, { entry, selection, method, version, keepAlive, ageSeconds: age, cacheStatus });
    return hit;
  }

  /** RFC 5861 3: one request in the background, however many get the stale answer. */
  #refresh(found: Found & { entry: CacheEntry }, hit: CacheHit): void {
    this.#counters.stale += 1;
    const { entry, request } = found;
    // A client that takes stale answers (max-stale) does not ask for a new one.
    const isOnlyIts = request.method !== 'GET' || found.client.isAuthenticated === true;
    if (entry.staleWhileRevalidateMs === 0 || entry.isRefreshing || isOnlyIts) return;
    hit.refresh = this.#ticket(found, { client: null });
  }

  #ask(found: Found): CacheLookup {
    const { zone, request, client, entry } = found;
    // RFC 9111 4: an answer to HEAD is nothing to keep.
    if (request.method === 'HEAD') return BYPASS;
    const caching = this.#caching;
    const mayShare = zone.collapses && !caching.hasAuthorization && !caching.hasDirectives
      && caching.range === null && entry?.alwaysValidates !== true;
    let flight: Flight | null = null;
    if (mayShare) {
      const key = flightKey(found.place, caching.steering);
      const flying = zone.flights.get(key);
      if (flying !== undefined && flying.join(client, request.fields)) {
        this.#counters.collapsed += 1;
        return { kind: 'wait', leave: () => flying.leave(client) };
      }
      const isFree = flying === undefined || flying.isLate;
      const mayLead = isFree && (caching.isPlain || entry?.hasValidator === true);
      if (mayLead && !this.#unshared.has(key, found.nowMs)) {
        const { flights, collapseWaitMs } = zone;
        flight = new Flight({ clock: this.#clock, waitMsMax: collapseWaitMs, key, flights });
      }
    }
    this.#counters.misses += 1;
    return { kind: 'ask', ticket: this.#ticket(found, { flight }) };
  }

  #ticket(found: Found, special: Partial<TicketOptions>): CacheTicket {
    const { zone, place, request, client, entry } = found;
    const { rules, objectBytesMax, statusName } = zone;
    const usual = { rules, objectBytesMax, statusName, place, request, client, entry };
    const ticket = new CacheTicket(this.#context, { ...usual, flight: null, isUnsafe: false, ...special });
    this.#tickets.add(ticket);
    return ticket;
  }

  #purge(purge: Purge): void {
    this.store.purge(purge);
    for (const ticket of [...this.#tickets]) ticket.purge(purge);
  }

  #countLeaving(why: Leaving): void {
    if (why !== 'replaced') this.#counters[why] += 1;
  }

  #listing(entry: CacheEntry): CacheListing {
    const { site, url } = entry.slot!;
    return {
      url: `${site.encrypted ? 'https' : 'http'}://${site.host}${url}`,
      status: entry.status,
      bytes: entry.bytes,
      ageSeconds: ageSeconds(entry, this.#clock.now()),
      freshSeconds: Math.floor(entry.freshForMs / 1000),
      hits: entry.hits,
      vary: entry.vary,
      tags: entry.tags,
    };
  }
}

/** A request and what was found for it. */
interface Found {
  zone: CacheZone;
  place: Place;
  request: CacheRequest;
  client: CacheClient;
  entry: CacheEntry | null;
  nowMs: number;
}

function flightKey({ encrypted, host, url }: Place, steering: string): string {
  return `${encrypted ? 's' : ''} ${host} ${url}\n${steering}`;
}

function noCounts(): CacheCounters {
  return {
    hits: 0, stale: 0, misses: 0, bypassed: 0, unavailable: 0, collapsed: 0, revalidated: 0, stored: 0,
    evicted: 0, expired: 0, purged: 0, refused: {},
  };
}

/** Makes a cache. */
export function createCache(options: CacheOptions): Cache {
  return new Cache(options);
}
