// Simultaneous misses for one URL as one request. The first leads; the others wait for its answer, each for
// no longer than the limit. What cannot be kept lets them all go at once; when the leader fails the first that
// waits leads anew. A URL whose answers cannot be kept is remembered, so that nobody waits for it again soon.
//
//   flying ──stored──▶ over: look again, do not wait again
//     ├──not stored──▶ over: the same
//     └──failed, purged──▶ over: look again, may wait for the rest of the limit

import type { Clock, Timer } from '../base/clock.ts';
import { variantKey } from './cache-key.ts';

/** Who may wait for an answer that somebody else fetches. One object a connection. */
export interface CacheClient {
  /** The request came by https. */
  readonly encrypted: boolean;
  /** The connection may go on behind the answer. */
  readonly keepAlive: boolean;
  /** It showed a certificate: what it gets may be for it alone, as with Authorization. */
  readonly isAuthenticated?: boolean;
  /** The wait is over: look up again, see Cache.lookupAgain. Called in the turn of whoever ended it. */
  cacheReady(): void;
  /** The cache's: until when it may wait, in ms; 0: it has not waited, -1: it must not wait again. */
  waitEndsMs: number;
}

/** How long a URL is remembered whose answer could not be kept, in seconds. */
export const UNSHARED_SECONDS = 10;
const UNSHARED_PLACES = 4096;

/** URLs that are not worth waiting for, by a hash: a mistake costs a request, and the memory is fixed. */
export class UnsharedUrls {
  #hashes = new Uint32Array(UNSHARED_PLACES);
  #untilSeconds = new Float64Array(UNSHARED_PLACES);

  add(key: string, nowMs: number): void {
    const hash = hashOf(key);
    this.#hashes[hash % UNSHARED_PLACES] = hash;
    this.#untilSeconds[hash % UNSHARED_PLACES] = nowMs / 1000 + UNSHARED_SECONDS;
  }

  has(key: string, nowMs: number): boolean {
    const hash = hashOf(key);
    const place = hash % UNSHARED_PLACES;
    return this.#hashes[place] === hash && this.#untilSeconds[place]! > nowMs / 1000;
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

export interface FlightOptions {
  clock: Clock;
  /** Longest wait of one request, in ms. */
  waitMsMax: number;
  key: string;
  flights: Map<string, Flight>;
}

/** A leader's request and those who wait for it. */
export class Flight {
  readonly key: string;
  #clock: Clock;
  #waitMsMax: number;
  #flights: Map<string, Flight>;
  /** With the fields of their requests. */
  #waiters = new Map<CacheClient, readonly string[]>();
  #startedAtMs: number;
  #timer: Timer | null = null;
  #timerAtMs = 0;
  /** What the answer varies by, once its head is there. */
  #vary: readonly string[] | null = null;
  #variantKey = '';

  constructor({ clock, waitMsMax, key, flights }: FlightOptions) {
    this.#clock = clock;
    this.#waitMsMax = waitMsMax;
    this.key = key;
    this.#flights = flights;
    this.#startedAtMs = clock.now();
    flights.set(key, this);
  }

  /** The leader takes longer than anybody may wait: another may lead instead. */
  get isLate(): boolean {
    return this.#clock.now() - this.#startedAtMs >= this.#waitMsMax;
  }

  /** The answer will be kept, for requests with these values. The others need not wait. */
  settle(vary: readonly string[], key: string): void {
    this.#vary = vary;
    this.#variantKey = key;
    if (vary.length === 0) return;
    const others = [...this.#waiters].filter(([, fields]) => variantKey(vary, fields) !== key);
    this.#release(others.map(([client]) => client));
  }

  /** Lets a client wait. False if the answer would not be for it, or it has waited enough. */
  join(client: CacheClient, fields: readonly string[]): boolean {
    const nowMs = this.#clock.now();
    if (client.waitEndsMs < 0 || this.isLate) return false;
    if (client.waitEndsMs === 0) client.waitEndsMs = nowMs + this.#waitMsMax;
    if (client.waitEndsMs <= nowMs) return false;
    if (this.#vary !== null && variantKey(this.#vary, fields) !== this.#variantKey) return false;
    this.#waiters.set(client, fields);
    if (this.#timer === null || client.waitEndsMs < this.#timerAtMs) this.#arm(client.waitEndsMs, nowMs);
    return true;
  }

  /** The client waits no more. */
  leave(client: CacheClient): void {
    this.#waiters.delete(client);
  }

  /** The answer is there, or will not be kept: nobody has a reason to wait again. */
  land(): void {
    this.#release(this.#close());
  }

  /** There will be no answer. */
  crash(): void {
    for (const client of this.#close()) client.cacheReady();
  }

  #close(): CacheClient[] {
    this.#timer?.stop();
    this.#timer = null;
    if (this.#flights.get(this.key) === this) this.#flights.delete(this.key);
    const waiters = [...this.#waiters.keys()];
    this.#waiters.clear();
    return waiters;
  }

  #release(clients: readonly CacheClient[]): void {
    for (const client of clients) {
      this.#waiters.delete(client);
      client.waitEndsMs = -1;
    }
    for (const client of clients) client.cacheReady();
  }

  #arm(atMs: number, nowMs: number): void {
    this.#timer?.stop();
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.after(atMs - nowMs, () => this.#wakeLate());
  }

  /** Those whose time is over ask for themselves. */
  #wakeLate(): void {
    this.#timer = null;
    const nowMs = this.#clock.now();
    const late: CacheClient[] = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (const client of this.#waiters.keys()) {
      if (client.waitEndsMs <= nowMs) late.push(client);
      else nextMs = Math.min(nextMs, client.waitEndsMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#arm(nextMs, nowMs);
    this.#release(late);
  }
}
