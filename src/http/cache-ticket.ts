// One request that the cache lets go to the app, from the decision to the last byte of the answer. Whoever
// carries it feeds the ticket with what comes; the ticket says what the client gets, keeps what may be kept
// and lets go those who wait for the same.
//
//   asked ──head──▶ filling ──end──▶ closed: kept
//     │    └──not to be kept──▶ passing ──end──▶ closed
//     ├──head: 304, or an error behind a stale answer──▶ closed: the kept answer is sent
//     └──fail, abort──▶ closed

import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { CacheHit, prepareHit, publicFields } from './cache-answer.ts';
import { joinedField, parseTags } from './cache-control.ts';
import { CacheEntry } from './cache-entry.ts';
import type { EntryParts } from './cache-entry.ts';
import { CacheFill } from './cache-fill.ts';
import type { CacheClient, Flight } from './cache-flight.ts';
import { sameSiteUrl, variantKey } from './cache-key.ts';
import {
  ageMs, ageSeconds, invalidates, isServerError, mayStore, mergeRevalidated,
} from './cache-policy.ts';
import type { CacheRefusal, CacheResponse, CacheRules, CacheTerms, CacheWish } from './cache-policy.ts';
import { select } from './cache-range.ts';
import { CachingFields } from './cache-request.ts';
import type { CacheRequest } from './cache-request.ts';
import { isPurgedBy } from './cache-store.ts';
import type { CacheStore, Place, Purge } from './cache-store.ts';
import { areSafeFields } from './response-head.ts';
import type { ResponseHead } from './response-reader.ts';

/** Most tags of one answer, and the longest: the rest is left out. */
export const TAGS_MAX = 64;
const TAG_BYTES_MAX = 256;

/** What the program says beside its answer. */
export interface AppWish extends CacheWish {
  /** `res.cacheTags`. */
  tags?: readonly string[];
}

/** What the client gets. */
export type HeadVerdict =
  /** The answer that comes, with these fields. */
  | { kind: 'pass'; fields: readonly string[] }
  /** This instead; the body that comes is of no use. */
  | CacheHit
  /** Neither: send the request anew, with what `requestFields` says now, and feed this ticket again. */
  | { kind: 'again' };

/** What a ticket needs of the cache. */
export interface TicketContext {
  store: CacheStore;
  clock: Clock;
  /** The time of day in ms since 1970. */
  wallMs(): number;
  refused(reason: CacheRefusal): void;
  count(what: 'stale' | 'revalidated' | 'stored'): void;
  /** Voids a URL. */
  invalidate(place: Place): void;
  /** The answers of the flight cannot be shared. */
  unshare(flight: Flight): void;
  closed(ticket: CacheTicket): void;
}

/** What a ticket is about. */
export interface TicketOptions {
  rules: CacheRules;
  objectBytesMax: number;
  /** Name for Cache-Status; '' for none. */
  statusName: string;
  place: Place;
  request: CacheRequest;
  /** Who gets the answer; null: nobody, it is fetched in the background. */
  client: CacheClient | null;
  /** What is kept and cannot be sent as it is; null: nothing. */
  entry: CacheEntry | null;
  /** Who waits; null: nobody may. */
  flight: Flight | null;
  /** Only what it makes void concerns the cache. */
  isUnsafe: boolean;
}

type TicketState = 'asked' | 'filling' | 'passing' | 'closed';

const AGAIN: HeadVerdict = { kind: 'again' };
const CONDITIONS = new Set(['if-none-match', 'if-modified-since', 'range', 'if-range']);

/** See the file head. One of `end`, `abort` and `fail` must follow, except behind a verdict that is a hit. */
export class CacheTicket {
  readonly request: CacheRequest;
  #context: TicketContext;
  #options: TicketOptions;
  #place: Place;
  #caching = new CachingFields();
  #entry: CacheEntry | null;
  #flight: Flight | null;
  #state: TicketState = 'asked';
  #askedAtMs: number;
  #fill: CacheFill | null = null;
  #tags: readonly string[] | null = null;
  #isPurged = false;

  constructor(context: TicketContext, options: TicketOptions) {
    this.request = options.request;
    this.#context = context;
    this.#options = options;
    this.#place = options.place;
    this.#entry = options.entry;
    this.#flight = options.flight;
    this.#askedAtMs = context.clock.now();
    this.#caching.read(options.request.fields);
    if (options.client?.isAuthenticated === true) this.#caching.hasAuthorization = true;
    if (options.client === null && this.#entry !== null) this.#entry.isRefreshing = true;
  }

  /** The app is asked whether what is kept still holds. */
  get isRevalidation(): boolean {
    return this.#entry !== null && this.#entry.hasValidator;
  }

  /** The fields to ask the app with: those of the request, conditions by the cache. RFC 9111 4.3.1. */
  requestFields(): string[] {
    const { fields } = this.request;
    const entry = this.#entry;
    if (this.#options.client !== null && (entry === null || !entry.hasValidator)) return [...fields];
    const asked: string[] = [];
    for (let index = 0; index < fields.length; index += 2) {
      const name = fields[index]!;
      if (!CONDITIONS.has(name.toLowerCase())) asked.push(name, fields[index + 1]!);
    }
    if (entry !== null && entry.etag !== null) asked.push('If-None-Match', entry.etag);
    if (entry !== null && entry.lastModified !== null) asked.push('If-Modified-Since', entry.lastModified);
    return asked;
  }

  /** The final head of the answer came; interim ones are no business of the cache. */
  head(response: ResponseHead, wish: AppWish = {}): HeadVerdict {
    assert(this.#state === 'asked', 'an answer has one head');
    this.#state = 'passing';
    this.#tags = tagsOf(response.fields, wish);
    if (this.#options.isUnsafe) {
      this.#invalidate(response);
      return this.#pass(response, false);
    }
    const entry = this.#entry;
    if (entry !== null && entry.hasValidator && response.status === 304) {
      return this.#validated(entry, response, wish);
    }
    if (entry !== null && isServerError(response.status) && this.#mayBeSent(entry, entry.staleIfErrorMs)) {
      return this.#sendKept(entry, true);
    }
    const isStored = this.#startFill(response, wish);
    return this.#pass(response, isStored);
  }

  /** A piece of the body. */
  data(slice: Buffer): void {
    if (this.#fill === null) return;
    this.#fill.append(slice);
    if (this.#fill.refusal !== null) this.#giveUp(this.#fill.refusal);
  }

  /** The answer is whole. Trailers are not kept, RFC 9111 3.1. */
  end(): void {
    if (this.#state === 'closed') return;
    assert(this.#state !== 'asked', 'an answer begins before it ends');
    if (this.#fill !== null) this.#commit(this.#fill);
    this.#close();
    this.#flight?.land();
  }

  /** The answer broke off, or nobody wants it any more. */
  abort(): void {
    if (this.#state === 'closed') return;
    if (this.#fill !== null) this.#context.refused(this.#isPurged ? 'purged' : 'broken');
    this.#fill?.abort();
    this.#fill = null;
    this.#close();
    this.#flight?.crash();
  }

  /** No answer could be had. Returns what to send instead, or null. */
  fail(): CacheHit | null {
    assert(this.#state === 'asked', 'an answer that began cannot fail, only break off');
    const entry = this.#entry;
    const limitMs = entry === null ? 0 : Math.max(entry.staleIfErrorMs, entry.staleWhenDownMs);
    if (entry !== null && this.#options.client !== null && this.#mayBeSent(entry, limitMs)) {
      const verdict = this.#sendKept(entry, true);
      return verdict instanceof CacheHit ? verdict : null;
    }
    this.#close();
    this.#flight?.crash();
    return null;
  }

  /** A purge came. What is on its way may be older than it and is not kept. */
  purge(purge: Purge): void {
    // Until the head is there nobody knows the tags: any may be among them.
    const tags = this.#tags ?? (purge.tag === null ? [] : [purge.tag]);
    if (this.#isPurged || this.#state === 'closed' || !isPurgedBy(purge, { ...this.#place, tags })) return;
    this.#isPurged = true;
    const flight = this.#flight;
    this.#flight = null;
    flight?.crash();
  }

  #validated(entry: CacheEntry, response: ResponseHead, wish: AppWish): HeadVerdict {
    const etag = joinedField(response.fields, 'etag');
    const isOther = etag !== null && entry.etag !== null && etag !== entry.etag;
    // RFC 9111 4.3.4: a 304 about something else. And what was purged must not come back by it.
    if (isOther || this.#isPurged || this.#place.zone.isDropped) {
      if (isOther) this.#context.store.remove(entry, 'replaced');
      this.#forget();
      this.#isPurged = false;
      this.#state = 'asked';
      this.#tags = null;
      this.#askedAtMs = this.#context.clock.now();
      return AGAIN;
    }
    this.#context.count('revalidated');
    return this.#sendKept(this.#freshen(entry, response, wish), false);
  }

  /** RFC 9111 4.3.4. Returns what holds now: the same body with newer fields. */
  #freshen(entry: CacheEntry, response: ResponseHead, wish: AppWish): CacheEntry {
    const { rules } = this.#options;
    const fields = mergeRevalidated(entry.fields, response.fields, rules.keepsSetCookie);
    const merged: CacheResponse = { status: entry.status, reason: entry.reason, fields };
    const terms = this.#judge(merged, wish);
    this.#context.store.remove(entry, 'replaced');
    if (terms === null) return entry;
    const tags = this.#tags!.length > 0 ? this.#tags! : entry.tags;
    const freshened = new CacheEntry(this.#entryParts(merged, terms, tags), entry.body);
    freshened.hits = entry.hits;
    const { store } = this.#context;
    if (store.reserve(freshened.bytes)) store.put(freshened, this.#place, this.request.fields);
    return freshened;
  }

  /** Sends what is kept. In the background there is nobody to send it to. */
  #sendKept(entry: CacheEntry, isStale: boolean): HeadVerdict {
    const { client, statusName } = this.#options;
    this.#close();
    if (client === null) {
      this.#flight?.land();
      return { kind: 'pass', fields: [] };
    }
    if (isStale) this.#context.count('stale');
    const { method, version } = this.request;
    const nowMs = this.#context.clock.now();
    const status = isStale ? 'hit; fwd=stale; detail=error' : 'hit; fwd=stale; fwd-status=304';
    // One of its own: those who wait look up before this one is written.
    const hit = new CacheHit();
    hit.isStale = isStale;
    prepareHit(hit, {
      entry,
      selection: select(entry, this.#caching, method),
      method,
      version,
      keepAlive: client.keepAlive,
      ageSeconds: ageSeconds(entry, nowMs),
      cacheStatus: statusName === '' ? '' : `${statusName}; ${status}`,
    });
    this.#flight?.land();
    return hit;
  }

  #mayBeSent(entry: CacheEntry, limitMs: number): boolean {
    if (this.#isPurged || this.#place.zone.isDropped || entry.alwaysValidates) return false;
    if (select(entry, this.#caching, this.request.method).kind === 'missing') return false;
    return ageMs(entry, this.#context.clock.now()) - entry.freshForMs < limitMs;
  }

  /** Terms to keep the answer on, or null: counted as refused. */
  #judge(response: CacheResponse, wish: AppWish): CacheTerms | null {
    const { clock } = this.#context;
    const asked = { request: this.request, caching: this.#caching };
    const arrival = { wallMs: this.#context.wallMs(), delayMs: clock.now() - this.#askedAtMs };
    const decision = mayStore(this.#options.rules, asked, response, { ...arrival, duration: wish.duration });
    if (decision.store) return decision;
    this.#context.refused(decision.reason);
    return null;
  }

  /** True if the answer is being kept. */
  #startFill(response: ResponseHead, wish: AppWish): boolean {
    const isSafe = areSafeFields(response.fields) && areSafeFields(['reason', response.reason]);
    const terms = isSafe ? this.#judge(response, wish) : null;
    if (!isSafe) this.#context.refused('broken');
    if (terms === null) {
      this.#forgetOutdated(response.status);
      this.#giveUpFlight(response.status);
      return false;
    }
    const { objectBytesMax } = this.#options;
    const { body } = response;
    const length = body.kind === 'length' ? body.length : body.kind === 'none' ? 0 : null;
    const parts = this.#entryParts(response, terms, this.#tags!);
    this.#fill = new CacheFill({ store: this.#context.store, parts, length, objectBytesMax });
    if (this.#fill.refusal !== null) {
      this.#giveUp(this.#fill.refusal);
      return false;
    }
    this.#state = 'filling';
    this.#flight?.settle(terms.vary, parts.variantKey);
    return true;
  }

  #entryParts(response: CacheResponse, terms: CacheTerms, tags: readonly string[]): EntryParts {
    return {
      response,
      terms,
      tags,
      steering: this.#caching.steering,
      variantKey: variantKey(terms.vary, this.request.fields),
      storedAtMs: this.#context.clock.now(),
      wallMs: this.#context.wallMs(),
    };
  }

  #commit(fill: CacheFill): void {
    const { store } = this.#context;
    this.#fill = null;
    const entry = fill.commit();
    if (typeof entry === 'string') {
      this.#context.refused(entry);
      return;
    }
    const isShort = entry.part !== null && entry.body.length !== entry.part.last - entry.part.first + 1;
    if (this.#isPurged || this.#place.zone.isDropped || isShort) {
      store.release(entry.bytes);
      this.#context.refused(isShort ? 'range' : 'purged');
    } else if (store.put(entry, this.#place, this.request.fields)) {
      this.#context.count('stored');
    } else {
      this.#context.refused(entry.part === null ? 'full' : 'range');
    }
  }

  /** The fill takes no more. The answer goes on to its client. */
  #giveUp(refusal: CacheRefusal): void {
    this.#fill = null;
    this.#state = 'passing';
    this.#context.refused(refusal);
    this.#giveUpFlight(200);
  }

  /** Lets those go who wait. Nobody shall wait for such an answer again, unless it was an accident. */
  #giveUpFlight(status: number): void {
    const flight = this.#flight;
    if (flight === null) return;
    this.#flight = null;
    if (!isServerError(status) && status !== 304) this.#context.unshare(flight);
    flight.land();
  }

  /** A whole new answer that is not kept voids what it replaces. */
  #forgetOutdated(status: number): void {
    const isOutdated = status >= 200 && status < 500 && this.#caching.isPlain && status !== 304;
    if (this.#entry !== null && isOutdated) this.#context.store.remove(this.#entry, 'replaced');
  }

  #forget(): void {
    if (this.#entry !== null) this.#entry.isRefreshing = false;
    this.#entry = null;
  }

  /** RFC 9111 4.4. */
  #invalidate(response: ResponseHead): void {
    const { rules } = this.#options;
    if (!invalidates(rules, this.request.method, response.status)) return;
    this.#context.invalidate(this.#place);
    for (const name of ['location', 'content-location']) {
      const location = joinedField(response.fields, name);
      const url = location === null ? null : sameSiteUrl(location, this.#place);
      if (url !== null && url !== this.#place.url) this.#context.invalidate({ ...this.#place, url });
    }
  }

  #pass(response: ResponseHead, isStored: boolean): HeadVerdict {
    const fields = publicFields(response.fields);
    const { statusName } = this.#options;
    if (statusName === '') return { kind: 'pass', fields };
    const why = this.#options.isUnsafe ? 'method' : this.#entry === null ? 'uri-miss' : 'stale';
    const stored = isStored ? '; stored' : '';
    const value = `${statusName}; fwd=${why}; fwd-status=${response.status}${stored}`;
    return { kind: 'pass', fields: [...fields, 'Cache-Status', value] };
  }

  #close(): void {
    this.#state = 'closed';
    this.#forget();
    this.#context.closed(this);
  }
}

function tagsOf(fields: readonly string[], wish: AppWish): readonly string[] {
  const tags = [...parseTags(joinedField(fields, 'cache-tag')), ...(wish.tags ?? [])];
  return [...new Set(tags)].filter((tag) => tag.length <= TAG_BYTES_MAX).slice(0, TAGS_MAX);
}
