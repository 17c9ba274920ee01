// What host, fronts, apps and the command line say about the output cache. No behaviour: src/http/cache.ts.

import type { SiteVerdict } from './site-messages.ts';

/** How the answers below a route are kept. What is left out has the default of its mode. */
export interface RouteCache {
  mode: 'one-line' | 'standard';
  /** One-line mode: seconds for answers that say nothing; null is off. */
  durationDefault?: number | null;
  /** Simultaneous misses become one request. */
  collapses?: boolean;
  /** Largest body, in bytes. */
  objectBytesMax?: number;
  /** Name of the cache in Cache-Status, RFC 9211; '': the field is not sent. */
  statusName?: string;
  /** Freshness is guessed from Last-Modified where an answer says nothing, RFC 9111 4.2.2. */
  guessesFreshness?: boolean;
  /** Answers with Set-Cookie may be kept. */
  keepsSetCookie?: boolean;
}

/** What to purge. Without `target` and `tag`: everything. */
export interface CachePurge {
  /** `http://host/path?query`, or a path for every host. */
  target?: string;
  /** Everything below the target too. */
  isRecursive?: boolean;
  tag?: string;
}

/** What a program says beside one answer: the payload of META. */
export interface AnswerMeta {
  /** `cacheDuration` of the response or its socket, in seconds. */
  duration?: number;
  /** `res.cacheTags`. */
  tags?: string[];
  /** Of a decider: what becomes of the request instead of an answer. */
  verdict?: SiteVerdict;
}

/** Counters of a cache since its front started. Each request counts once among the first five. */
export interface CacheCounts {
  hits: number;
  /** Hits past their time. */
  stale: number;
  /** Requests that the app was asked for. */
  misses: number;
  bypassed: number;
  unavailable: number;
  /** Misses that waited for another request. */
  collapsed: number;
  /** Answers of 304 that made a kept answer fresh again. */
  revalidated: number;
  stored: number;
  evicted: number;
  expired: number;
  purged: number;
  /** Answers that were not kept, by reason. */
  refused: Partial<Record<string, number>>;
}

/** Size and counters of a cache. */
export interface CacheReport {
  bytes: number;
  bytesMax: number;
  entries: number;
  counters: CacheCounts;
}

/** A kept answer, for people. */
export interface CacheRow {
  url: string;
  status: number;
  bytes: number;
  ageSeconds: number;
  freshSeconds: number;
  hits: number;
  vary: readonly string[];
  tags: readonly string[];
}

/** What a front is asked about its cache. */
export type CacheAsk = { kind: 'show'; target?: string } | { kind: 'purge'; purge: CachePurge };

/** `purged`: false when the target is neither a URL nor a path. */
export type CacheAnswer =
  | { kind: 'shown'; report: CacheReport; rows: CacheRow[] }
  | { kind: 'purged'; isValid: boolean };
