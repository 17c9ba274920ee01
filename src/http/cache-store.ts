// Kept answers in the order of their use, bounded in bytes: whatever is counted in, entries, their places and
// bodies that are still arriving, never exceeds the bound; the least recently used go first. Nothing is
// scanned on behalf of a request: what a purge by prefix or tag hits is recognised when it is found, and swept out
// in small steps meanwhile.

import { assert } from '../base/assert.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { CacheEntry } from './cache-entry.ts';
import { TEXT_BYTES } from './cache-entry.ts';
import { ownText, variantKey } from './cache-key.ts';

/** What a URL costs besides its text. */
export const SLOT_BYTES = 320;
/** What a host costs besides its text. */
export const SITE_BYTES = 320;
/** Entries looked at in one step of a sweep. */
export const SWEEP_STEP = 256;
/** Pause between two steps, in ms: requests come first. */
export const SWEEP_PAUSE_MS = 1;
/** Most purges that a sweep has not finished with; one more voids everything that is kept. */
export const PURGES_MAX = 1000;
/** Most hosts that a purge of a path looks at by itself; with more it is left to a sweep. */
const SITES_MAX = 256;
/** Old entries that are looked at whenever one is added. */
const TAIL_STEP = 2;

/** The answers to one URL. */
export interface CacheSlot {
  readonly site: CacheSite;
  readonly url: string;
  /** The last one stored comes first. */
  entries: CacheEntry[];
}

/** The URLs of one scheme and host. */
export interface CacheSite {
  readonly zone: StoreZone;
  readonly encrypted: boolean;
  readonly host: string;
  readonly slots: Map<string, CacheSlot>;
}

/** What is kept for one prefix. */
export interface StoreZone {
  /** By host, for http and for https. */
  readonly sites: readonly [Map<string, CacheSite>, Map<string, CacheSite>];
  /** Its prefix went: nothing of it is found any more. */
  isDropped: boolean;
}

/** Where something is kept. `host` as {@link siteHost} has it. */
export interface Place {
  zone: StoreZone;
  encrypted: boolean;
  host: string;
  url: string;
}

/** What a purge is about. Null: whatever. */
export interface Purge {
  zone: StoreZone | null;
  encrypted: boolean | null;
  host: string | null;
  /** Path and query; null: whatever. */
  url: string | null;
  /** Everything below `url` too. */
  isRecursive: boolean;
  tag: string | null;
}

interface PendingPurge extends Purge {
  serial: number;
}

/** What is compared with a purge. */
export interface Purgeable extends Place {
  tags: readonly string[];
}

/** Why an entry left: for the counters. */
export type Leaving = 'replaced' | 'evicted' | 'expired' | 'purged';

export interface StoreOptions {
  clock: Clock;
  /** Bound of everything counted, in bytes. */
  bytesMax: number;
  /** Most answers to one URL. */
  variantsMax: number;
  /** An entry left. */
  left?: (entry: CacheEntry, why: Leaving) => void;
}

function isBelow(url: string, prefix: string): boolean {
  if (!url.startsWith(prefix)) return false;
  if (url.length === prefix.length || prefix.endsWith('/')) return true;
  const next = url[prefix.length];
  return next === '/' || next === '?';
}

/** True if the purge is about it. */
export function isPurgedBy(purge: Purge, { zone, encrypted, host, url, tags }: Purgeable): boolean {
  if (purge.zone !== null && purge.zone !== zone) return false;
  if (purge.tag !== null && !tags.includes(purge.tag)) return false;
  if (purge.encrypted !== null && purge.encrypted !== encrypted) return false;
  if (purge.host !== null && purge.host !== host) return false;
  if (purge.url === null) return true;
  return purge.isRecursive ? isBelow(url, purge.url) : url === purge.url;
}

function purgeableOf(entry: CacheEntry): Purgeable {
  const { site, url } = entry.slot!;
  const { zone, encrypted, host } = site;
  return { zone, encrypted, host, url, tags: entry.tags };
}

function sameNames(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((name, index) => name === right[index]);
}

/** See the file head. */
export class CacheStore {
  readonly bytesMax: number;
  #clock: Clock;
  #variantsMax: number;
  #left: (entry: CacheEntry, why: Leaving) => void;
  #bytes = 0;
  #count = 0;
  #newest: CacheEntry | null = null;
  #oldest: CacheEntry | null = null;
  #uses = 0;
  /** Purges that may still concern kept entries, oldest first. */
  #purges: PendingPurge[] = [];
  #purgeSerial = 0;
  /** The next entry of the sweep; it moves towards the newest. */
  #cursor: CacheEntry | null = null;
  /** The last purge that the sweep under way will be done with. */
  #sweepSerial = 0;
  #sweepTimer: Timer | null = null;
  #hasDropped = false;

  constructor(options: StoreOptions) {
    this.bytesMax = options.bytesMax;
    this.#clock = options.clock;
    this.#variantsMax = options.variantsMax;
    this.#left = options.left ?? (() => {});
  }

  /** Bytes in use, never more than `bytesMax`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Entries that are held, also those that a sweep has still to take. */
  get count(): number {
    return this.#count;
  }

  /** From the most recently used on. For listings and tests. */
  *entries(): Generator<CacheEntry> {
    for (let entry = this.#newest; entry !== null; entry = entry.older) yield entry;
  }

  // --- finding

  /** The answer kept for a request with these steering and other fields. It does not count as used yet. */
  find(place: Place, steering: string, fields: readonly string[]): CacheEntry | null {
    const site = place.zone.sites[place.encrypted ? 1 : 0].get(place.host);
    if (site === undefined) return null;
    const slot = site.slots.get(place.url);
    if (slot === undefined) return null;
    const entry = this.#select(slot, steering, fields);
    if (entry === null || entry.purgeSeen === this.#purgeSerial) return entry;
    return this.#isPurged(entry) ? this.#findNext(place, steering, fields, entry) : entry;
  }

  /** Marks an entry as just used. */
  use(entry: CacheEntry): void {
    this.#uses += 1;
    entry.usedAt = this.#uses;
    if (entry === this.#newest) return;
    if (entry === this.#cursor) this.#cursor = entry.newer;
    this.#unlink(entry);
    this.#link(entry);
  }

  #select(slot: CacheSlot, steering: string, fields: readonly string[]): CacheEntry | null {
    let names: readonly string[] | null = null;
    let key = '';
    for (const entry of slot.entries) {
      if (entry.steering !== steering) continue;
      if (entry.vary.length === 0) return entry;
      if (entry.vary !== names) {
        names = entry.vary;
        key = variantKey(names, fields);
      }
      if (entry.variantKey === key) return entry;
    }
    return null;
  }

  #findNext(
    place: Place,
    steering: string,
    fields: readonly string[],
    purged: CacheEntry,
  ): CacheEntry | null {
    this.remove(purged, 'purged');
    return this.find(place, steering, fields);
  }

  // --- keeping

  /**
   * Counts `bytes` in, making room for them. False if there is no room even then. Whoever reserves gives back
   * with {@link release}.
   */
  reserve(bytes: number): boolean {
    if (bytes > this.bytesMax) return false;
    while (this.#bytes + bytes > this.bytesMax) {
      if (this.#oldest === null) return false;
      this.remove(this.#oldest, 'evicted');
    }
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
    assert(this.#bytes >= 0, 'what is given back was counted in before');
  }

  /**
   * Keeps an entry whose `bytes` are reserved, in place of those that the same request would get. `fields`
   * are those of the request. False, and given back, if a whole answer is there and this one is only a part.
   */
  put(entry: CacheEntry, place: Place, fields: readonly string[]): boolean {
    assert(entry.slot === null, 'an entry is kept once');
    const isAdded = !place.zone.isDropped && this.#mayPut(entry, place, fields) && this.#makePlace(place);
    if (!isAdded) {
      this.release(entry.bytes);
      return false;
    }
    const slot = place.zone.sites[place.encrypted ? 1 : 0].get(place.host)!.slots.get(place.url)!;
    for (const other of slot.entries) {
      if (sameNames(other.vary, entry.vary)) entry.vary = other.vary;
    }
    slot.entries.unshift(entry);
    entry.slot = slot;
    entry.purgeSeen = this.#purgeSerial;
    this.#uses += 1;
    entry.usedAt = this.#uses;
    this.#count += 1;
    this.#link(entry);
    this.#limitVariants(slot);
    this.#trimTail();
    return true;
  }

  /** Lets an entry go. */
  remove(entry: CacheEntry, why: Leaving): void {
    const { slot } = entry;
    if (slot === null) return;
    entry.slot = null;
    slot.entries.splice(slot.entries.indexOf(entry), 1);
    if (entry === this.#cursor) this.#cursor = entry.newer;
    this.#unlink(entry);
    this.#count -= 1;
    this.release(entry.bytes);
    if (slot.entries.length === 0) this.#removeSlot(slot);
    this.#left(entry, why);
  }

  /** Lets go what a request with these fields would get. */
  #mayPut(entry: CacheEntry, place: Place, fields: readonly string[]): boolean {
    for (;;) {
      const before = this.find(place, entry.steering, fields);
      if (before === null) return true;
      if (entry.part !== null && before.part === null) return false;
      this.remove(before, 'replaced');
    }
  }

  /** Makes site and slot; may evict. False without room for them. */
  #makePlace({ zone, encrypted, host, url }: Place): boolean {
    const sites = zone.sites[encrypted ? 1 : 0];
    const siteBytes = SITE_BYTES + host.length + TEXT_BYTES;
    const slotBytes = SLOT_BYTES + url.length + TEXT_BYTES;
    // Making room may remove the very site or slot: look again behind it.
    if (sites.get(host)?.slots.get(url) !== undefined) return true;
    if (!this.reserve(siteBytes + slotBytes)) return false;
    let site = sites.get(host);
    if (site === undefined) {
      site = { zone, encrypted, host: ownText(host), slots: new Map() };
      sites.set(site.host, site);
    } else {
      this.release(siteBytes);
    }
    if (site.slots.has(url)) {
      this.release(slotBytes);
      return true;
    }
    const slot: CacheSlot = { site, url: ownText(url), entries: [] };
    site.slots.set(slot.url, slot);
    return true;
  }

  #removeSlot(slot: CacheSlot): void {
    const { site } = slot;
    site.slots.delete(slot.url);
    this.release(SLOT_BYTES + slot.url.length + TEXT_BYTES);
    if (site.slots.size > 0) return;
    site.zone.sites[site.encrypted ? 1 : 0].delete(site.host);
    this.release(SITE_BYTES + site.host.length + TEXT_BYTES);
  }

  #limitVariants(slot: CacheSlot): void {
    while (slot.entries.length > this.#variantsMax) {
      let least = slot.entries[0]!;
      for (const entry of slot.entries) {
        if (entry.usedAt < least.usedAt) least = entry;
      }
      this.remove(least, 'evicted');
    }
  }

  /** What can never be sent again goes before what is merely old. */
  #trimTail(): void {
    for (let step = 0; step < TAIL_STEP && this.#oldest !== null; step++) {
      const entry = this.#oldest;
      if (entry === this.#newest || !this.#isUseless(entry)) return;
      this.remove(entry, 'expired');
    }
  }

  #isUseless(entry: CacheEntry): boolean {
    if (entry.slot!.site.zone.isDropped) return true;
    if (entry.hasValidator) return false;
    const lateMs = entry.initialAgeMs + this.#clock.now() - entry.storedAtMs - entry.freshForMs;
    const { staleWhileRevalidateMs, staleIfErrorMs, staleWhenDownMs } = entry;
    return lateMs > Math.max(0, staleWhileRevalidateMs, staleIfErrorMs, staleWhenDownMs);
  }

  #link(entry: CacheEntry): void {
    entry.newer = null;
    entry.older = this.#newest;
    if (this.#newest !== null) this.#newest.newer = entry;
    this.#newest = entry;
    this.#oldest ??= entry;
  }

  #unlink(entry: CacheEntry): void {
    if (entry.newer === null) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    if (entry.older === null) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
    entry.newer = null;
    entry.older = null;
  }

  // --- purging

  /** Voids what the purge is about, at once for everybody who looks. What is held goes now or soon. */
  purge(purge: Purge): void {
    if (this.#purgeNow(purge)) return;
    const isMany = this.#purges.length >= PURGES_MAX;
    // Better too much than too little: the one thing that must not happen is to send what was purged.
    const wide: Purge = { zone: null, encrypted: null, host: null, url: null, isRecursive: true, tag: null };
    this.#purgeSerial += 1;
    if (isMany) this.#purges = [];
    this.#purges.push({ ...(isMany ? wide : purge), serial: this.#purgeSerial });
    this.#startSweep();
  }

  /** True if a purge or its prefix has made it void, though it is still held. */
  isVoid(entry: CacheEntry): boolean {
    return entry.slot === null || entry.slot.site.zone.isDropped || this.#isPurged(entry);
  }

  /** Nothing of the zone is found any more. */
  dropZone(zone: StoreZone): void {
    zone.isDropped = true;
    this.#hasDropped = true;
    this.#startSweep();
  }

  /** Stops sweeping. */
  close(): void {
    this.#sweepTimer?.stop();
    this.#sweepTimer = null;
  }

  /** A URL is looked up rather than waited for. False if a sweep has to do it. */
  #purgeNow(purge: Purge): boolean {
    const { zone, url, host, isRecursive, tag } = purge;
    if (zone === null || url === null || isRecursive || tag !== null) return false;
    for (const scheme of [0, 1] as const) {
      if (purge.encrypted !== null && purge.encrypted !== (scheme === 1)) continue;
      const sites = zone.sites[scheme];
      if (host === null && sites.size > SITES_MAX) return false;
      const found = host === null ? [...sites.values()] : [sites.get(host)];
      for (const site of found) {
        for (const entry of [...(site?.slots.get(url)?.entries ?? [])]) this.remove(entry, 'purged');
      }
    }
    return true;
  }

  /** True if a purge came since the entry was compared last that is about it. */
  #isPurged(entry: CacheEntry): boolean {
    const purgeable = purgeableOf(entry);
    for (let index = this.#purges.length - 1; index >= 0; index--) {
      const purge = this.#purges[index]!;
      if (purge.serial <= entry.purgeSeen) break;
      if (isPurgedBy(purge, purgeable)) return true;
    }
    entry.purgeSeen = this.#purgeSerial;
    return false;
  }

  #startSweep(): void {
    if (this.#sweepTimer !== null) return;
    this.#cursor = this.#oldest;
    this.#sweepSerial = this.#purgeSerial;
    this.#hasDropped = false;
    this.#sweepTimer = this.#clock.after(SWEEP_PAUSE_MS, () => this.#sweep());
  }

  #sweep(): void {
    this.#sweepTimer = null;
    for (let step = 0; step < SWEEP_STEP && this.#cursor !== null; step++) {
      const entry = this.#cursor;
      this.#cursor = entry.newer;
      if (this.isVoid(entry)) this.remove(entry, 'purged');
    }
    if (this.#cursor !== null) {
      this.#sweepTimer = this.#clock.after(SWEEP_PAUSE_MS, () => this.#sweep());
      return;
    }
    this.#purges = this.#purges.filter(({ serial }) => serial > this.#sweepSerial);
    if (this.#purges.length > 0 || this.#hasDropped) this.#startSweep();
  }
}
