// Decides, with no store and no clock of its own: may an answer be kept, may what is kept be sent, what does
// a 304 change, what does a POST make void. Two modes: `one-line` obeys a number of seconds that the program
// sets beside its answer; `standard` is a shared cache by RFC 9111.

import {
  joinedField, parseAge, parseCacheControl, parseTargetedCacheControl, parseVary,
} from './cache-control.ts';
import type { CacheDirectives } from './cache-control.ts';
import { VARY_NAMES_MAX } from './cache-key.ts';
import type { CacheRequest, CachingFields } from './cache-request.ts';
import { parseContentRange } from './cache-range.ts';
import type { StoredPart } from './cache-range.ts';
import { parseHttpDate } from './http-date.ts';
import type { ResponseHead } from './response-reader.ts';

/** How the answers below one prefix are kept. Times in ms. */
export interface CacheRules {
  mode: 'one-line' | 'standard';
  /** One-line mode: seconds for answers that say none; null: nothing is kept, whatever they say. */
  durationDefault: number | null;
  /** Standard mode: guess a lifetime from Last-Modified, RFC 9111 4.2.2. */
  guessesFreshness: boolean;
  /** Standard mode: keep answers that set cookies, as RFC 9111 7.3 lets a cache do. */
  keepsSetCookie: boolean;
  /** Standard mode: how long past its time an answer may be sent while no process answers. RFC 9111 4.2.4. */
  staleWhenDownMs: number;
}

/** The part of a response head that is judged. */
export type CacheResponse = Pick<ResponseHead, 'status' | 'reason' | 'fields'>;

/** Why an answer is not kept. */
export type CacheRefusal =
  | 'method' // Only answers to GET are kept.
  | 'request-body' // A GET with a body.
  | 'request-field' // Translate: f, another Expect, If-Match, If-Unmodified-Since.
  | 'request-no-store'
  | 'authorization'
  | 'range' // A part was asked for, and what came is none that can be kept.
  | 'status'
  | 'no-store'
  | 'private'
  | 'no-cache'
  | 'set-cookie'
  | 'vary'
  | 'content-type' // One-line mode: there is none.
  | 'date' // One-line mode: no Date, or a Last-Modified that is no date.
  | 'duration' // One-line mode: no positive number of seconds, or caching is off.
  | 'freshness' // Nothing says how long it may be sent.
  | 'stale' // It could never be sent.
  | 'too-large'
  | 'full' // Everything else is in use.
  | 'purged' // A purge came while it arrived.
  | 'broken'; // It did not arrive whole.

/** On what terms an answer is kept. Times in ms. */
export interface CacheTerms {
  store: true;
  /** How long it is fresh, counted from its age of 0. */
  freshForMs: number;
  /** Its age on arrival, RFC 9111 4.2.3. */
  initialAgeMs: number;
  /** Past its time by no more than this it may be sent while a new one is fetched, RFC 5861 3. */
  staleWhileRevalidateMs: number;
  /** … when the new one is an error, RFC 5861 4. */
  staleIfErrorMs: number;
  /** … when there is nobody to ask. */
  staleWhenDownMs: number;
  /** It may be sent past its time to clients that ask for that, RFC 9111 5.2.1.2. */
  mayBeStale: boolean;
  /** It is never sent without asking the app: `no-cache`. */
  alwaysValidates: boolean;
  /** It may be sent to requests with Authorization, RFC 9111 3.5. */
  servesAuthorized: boolean;
  /** Names from Vary, in lower case. */
  vary: readonly string[];
  /** Fields that must not be kept, in lower case. */
  unstoredFields: readonly string[];
  /** It is this part of a body. */
  part: StoredPart | null;
}

export type StoreDecision = CacheTerms | { store: false; reason: CacheRefusal };

/** When an answer came. */
export interface Arrival {
  /** The time of day, in ms since 1970. */
  wallMs: number;
  /** From the request to the head, in ms. */
  delayMs: number;
}

/** What the program says beside its answer. */
export interface CacheWish {
  /** `res.cacheDuration`: only an unsigned 32-bit number counts. */
  duration?: unknown;
}

const UINT32_MAX = 4_294_967_295;
const GUESS_SECONDS_MAX = 86_400;

/** Statuses whose meaning for a cache is known here: RFC 9111 5.2.2.3 asks for it. */
const UNDERSTOOD = new Set([
  200, 203, 204, 206, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 409, 410, 414, 415,
  421, 422, 429, 451, 500, 501, 502, 503, 504,
]);
/** RFC 9110 15.1: these may be kept without being told to. */
const GUESSABLE = new Set([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501]);
/** Methods that change nothing, RFC 9110 9.2.1 and the registry of methods. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH', 'QUERY', 'PRI']);
const ONE_LINE_VARY = new Set(['accept', 'accept-encoding', 'accept-language', 'origin']);

function refuse(reason: CacheRefusal): { store: false; reason: CacheRefusal } {
  return { store: false, reason };
}

/**
 * Seconds by SLIPSTREAM_CACHE_DURATION or its forerunner. Null is off: unset, not a number, negative. An
 * empty text counts as 0: caching is on, and only answers that say so are kept.
 */
export function parseDurationDefault(text: string | undefined): number | null {
  if (text === undefined) return null;
  const seconds = Number(text);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(Math.trunc(seconds), UINT32_MAX) : null;
}

function isUint32(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= UINT32_MAX;
}

/** Why a request takes no part in caching at all, or null. RFC 9111 3. */
export function requestRefusal(request: CacheRequest, caching: CachingFields): CacheRefusal | null {
  if (request.method !== 'GET' && request.method !== 'HEAD') return 'method';
  if (request.body.kind !== 'none' || request.upgrade) return 'request-body';
  if (caching.hasPrecondition || caching.isUntranslated || caching.isUnexpected) return 'request-field';
  return null;
}

/** May the answer be kept, and on what terms? `request` is known to take part, see {@link requestRefusal}. */
export function mayStore(
  rules: CacheRules,
  asked: { request: CacheRequest; caching: CachingFields },
  response: CacheResponse,
  came: Arrival & CacheWish,
): StoreDecision {
  const { request, caching } = asked;
  if (request.method !== 'GET') return refuse('method');
  // A 304 has no body to keep; a 412 or 416 is about the conditions of one client.
  const { status } = response;
  if (status < 200 || status === 304 || status === 412 || status === 416) return refuse('status');
  if (rules.mode === 'one-line') return mayStoreOneLine(rules, caching, response, came);
  return mayStoreStandard(rules, caching, response, came);
}

function mayStoreOneLine(
  rules: CacheRules,
  caching: CachingFields,
  response: CacheResponse,
  came: Arrival & CacheWish,
): StoreDecision {
  const { fields, status } = response;
  if (rules.durationDefault === null) return refuse('duration');
  const isExplicit = isUint32(came.duration);
  const seconds = isExplicit ? (came.duration as number) : rules.durationDefault;
  if (seconds === 0) return refuse('duration');
  if (caching.hasAuthorization) return refuse('authorization');
  if (caching.range !== null || caching.ifRange !== null) return refuse('range');
  if (status === 206 || status > 599) return refuse('status');
  const directives = parseCacheControl(joinedField(fields, 'cache-control'));
  const targeted = parseTargetedCacheControl(joinedField(fields, 'cdn-cache-control'));
  if (directives.noStore || targeted?.noStore === true) return refuse('no-store');
  if (directives.isPrivate || targeted?.isPrivate === true) return refuse('private');
  // What the program says for this very answer holds; a default does not overrule it.
  if (!isExplicit && directives.noCache) return refuse('no-cache');
  if (joinedField(fields, 'set-cookie') !== null) return refuse('set-cookie');
  if (joinedField(fields, 'content-type') === null) return refuse('content-type');
  const lastModified = joinedField(fields, 'last-modified');
  if (joinedField(fields, 'date') === null) return refuse('date');
  if (lastModified !== null && Number.isNaN(parseHttpDate(lastModified, came.wallMs))) return refuse('date');
  const vary = parseVary(joinedField(fields, 'vary'));
  if (vary === '*' || !vary.every((name) => ONE_LINE_VARY.has(name))) return refuse('vary');
  const initialAgeMs = parseAge(joinedField(fields, 'age')) * 1000;
  return {
    store: true,
    freshForMs: initialAgeMs + seconds * 1000,
    initialAgeMs,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    staleWhenDownMs: 0,
    mayBeStale: false,
    alwaysValidates: false,
    servesAuthorized: false,
    vary,
    unstoredFields: directives.unstoredFields,
    part: null,
  };
}

function mayStoreStandard(
  rules: CacheRules,
  caching: CachingFields,
  response: CacheResponse,
  came: Arrival,
): StoreDecision {
  const { fields, status } = response;
  if (caching.hasDirectives && caching.directives().noStore) return refuse('request-no-store');
  const targeted = parseTargetedCacheControl(joinedField(fields, 'cdn-cache-control'));
  const directives = targeted ?? parseCacheControl(joinedField(fields, 'cache-control'));
  const isUnderstood = UNDERSTOOD.has(status);
  if (directives.mustUnderstand && !isUnderstood) return refuse('status');
  if (directives.noStore && !directives.mustUnderstand) return refuse('no-store');
  if (directives.isPrivate) return refuse('private');
  const { isPublic, mustRevalidate, sharedMaxAge, noCache } = directives;
  const servesAuthorized = isPublic || mustRevalidate || sharedMaxAge !== null;
  if (caching.hasAuthorization && !servesAuthorized) return refuse('authorization');
  if (!rules.keepsSetCookie && joinedField(fields, 'set-cookie') !== null) return refuse('set-cookie');
  const vary = parseVary(joinedField(fields, 'vary'));
  if (vary === '*' || vary.length > VARY_NAMES_MAX) return refuse('vary');
  const part = status === 206 ? parseContentRange(joinedField(fields, 'content-range')) : null;
  // RFC 9111 3.3: only what is known to be one part of a known whole can be used again.
  if (status === 206 ? part === null || caching.range === null : caching.range !== null && status !== 200) {
    return refuse('range');
  }
  const freshForMs = freshness(rules, { directives, isTargeted: targeted !== null, response, came });
  const initialAgeMs = initialAge(fields, came);
  const mayValidate = hasValidator(fields) && part === null;
  if (freshForMs === null && !(noCache || isPublic) || (noCache && !mayValidate)) return refuse('freshness');
  const isStrict = mustRevalidate || directives.proxyRevalidate || noCache;
  const staleWhileRevalidateMs = isStrict ? 0 : (directives.staleWhileRevalidate ?? 0) * 1000;
  const staleIfErrorMs = isStrict ? 0 : (directives.staleIfError ?? 0) * 1000;
  const isUsable = (freshForMs ?? 0) > initialAgeMs || staleWhileRevalidateMs > 0 || staleIfErrorMs > 0;
  if (!isUsable && !mayValidate) return refuse('stale');
  // RFC 9111 5.2.2.10: s-maxage says proxy-revalidate too, but not against what is said in so many words.
  const mayBeStale = !isStrict && sharedMaxAge === null;
  return {
    store: true,
    freshForMs: freshForMs ?? 0,
    initialAgeMs,
    staleWhileRevalidateMs,
    staleIfErrorMs,
    staleWhenDownMs: mayBeStale ? rules.staleWhenDownMs : 0,
    mayBeStale,
    alwaysValidates: noCache,
    servesAuthorized,
    vary,
    unstoredFields: directives.unstoredFields,
    part,
  };
}

function hasValidator(fields: readonly string[]): boolean {
  return joinedField(fields, 'etag') !== null || joinedField(fields, 'last-modified') !== null;
}

/** RFC 9111 4.2.1, in ms; null if nothing says it. */
function freshness(
  rules: CacheRules,
  said: { directives: CacheDirectives; isTargeted: boolean; response: CacheResponse; came: Arrival },
): number | null {
  const { directives, isTargeted, came } = said;
  const { fields, status } = said.response;
  const seconds = directives.sharedMaxAge ?? directives.maxAge;
  if (seconds !== null) return seconds * 1000;
  // RFC 9213 2.2: with a targeted field the others are not there.
  if (isTargeted) return null;
  const dateMs = dateOf(fields, came);
  const expires = joinedField(fields, 'expires');
  if (expires !== null) {
    const expiresMs = parseHttpDate(expires, came.wallMs);
    // RFC 9111 5.3: what is no date, "0" above all, is the past. Of two there is none that holds.
    return Number.isNaN(expiresMs) ? 0 : Math.max(0, expiresMs - dateMs);
  }
  if (!rules.guessesFreshness || !(GUESSABLE.has(status) || directives.isPublic)) return null;
  const lastModified = joinedField(fields, 'last-modified');
  const sinceMs = lastModified === null ? Number.NaN : dateMs - parseHttpDate(lastModified, came.wallMs);
  return sinceMs > 0 ? Math.min(sinceMs / 10, GUESS_SECONDS_MAX * 1000) : null;
}

/** RFC 9110 6.6.1: without a date of its own it is of now. */
function dateOf(fields: readonly string[], came: Arrival): number {
  const date = joinedField(fields, 'date');
  const dateMs = date === null ? Number.NaN : parseHttpDate(date, came.wallMs);
  return Number.isNaN(dateMs) ? came.wallMs : dateMs;
}

/** RFC 9111 4.2.3: corrected_initial_age, in ms. */
function initialAge(fields: readonly string[], came: Arrival): number {
  // Dates have whole seconds: a second that has just begun is not an age.
  const apparentMs = Math.floor(came.wallMs / 1000) * 1000 - dateOf(fields, came);
  const saidMs = parseAge(joinedField(fields, 'age')) * 1000 + came.delayMs;
  return Math.max(0, apparentMs, saidMs);
}

/** A kept answer, as far as the policy reads it. Times in ms; see {@link CacheTerms}. */
export interface StoredTerms {
  freshForMs: number;
  initialAgeMs: number;
  staleWhileRevalidateMs: number;
  mayBeStale: boolean;
  alwaysValidates: boolean;
  servesAuthorized: boolean;
  /** When it arrived, on the clock that `nowMs` is of. */
  storedAtMs: number;
  hasValidator: boolean;
}

/** The age of a kept answer in ms, RFC 9111 4.2.3. */
export function ageMs(stored: StoredTerms, nowMs: number): number {
  return stored.initialAgeMs + (nowMs - stored.storedAtMs);
}

/** The age of a kept answer as Age says it: whole seconds. */
export function ageSeconds(stored: StoredTerms, nowMs: number): number {
  return Math.floor(ageMs(stored, nowMs) / 1000);
}

export type RequestDecision =
  | 'hit' // Send what is kept.
  | 'stale-while-revalidate' // Send it, and fetch anew behind it.
  | 'revalidate' // Ask the app whether it still holds.
  | 'miss' // Ask the app.
  | 'only-if-cached-504' // The client forbids to ask: 504, RFC 9111 5.2.1.7.
  | 'bypass'; // Ask the app, and have nothing to do with it.

/**
 * What to do with a request that takes part, see {@link requestRefusal}. `stored` is what was found for it,
 * null for nothing.
 */
export function onRequest(
  rules: CacheRules,
  caching: CachingFields,
  stored: StoredTerms | null,
  nowMs: number,
): RequestDecision {
  if (rules.mode === 'one-line') {
    if (rules.durationDefault === null || caching.hasAuthorization) return 'bypass';
    if (stored === null) return 'miss';
    return ageMs(stored, nowMs) < stored.freshForMs ? 'hit' : 'miss';
  }
  const usable = stored !== null && caching.hasAuthorization && !stored.servesAuthorized ? null : stored;
  if (caching.hasDirectives) return onDirectives(caching.directives(), usable, nowMs);
  if (usable === null) return 'miss';
  return onAge(usable, ageMs(usable, nowMs) - usable.freshForMs);
}

/** `lateMs`: how far past its time; negative while fresh. */
function onAge(stored: StoredTerms, lateMs: number): RequestDecision {
  if (!stored.alwaysValidates) {
    if (lateMs < 0) return 'hit';
    if (lateMs < stored.staleWhileRevalidateMs) return 'stale-while-revalidate';
  }
  return stored.hasValidator ? 'revalidate' : 'miss';
}

/** RFC 9111 5.2.1. */
function onDirectives(
  directives: Readonly<CacheDirectives>,
  stored: StoredTerms | null,
  nowMs: number,
): RequestDecision {
  if (directives.noStore) return 'bypass';
  const decision = stored === null ? 'miss' : onWishes(directives, stored, nowMs);
  const mustAsk = decision === 'miss' || decision === 'revalidate';
  return mustAsk && directives.onlyIfCached ? 'only-if-cached-504' : decision;
}

function onWishes(
  directives: Readonly<CacheDirectives>,
  stored: StoredTerms,
  nowMs: number,
): RequestDecision {
  const { maxAge, minFresh, maxStale, noCache } = directives;
  const age = ageMs(stored, nowMs);
  const lateMs = age - stored.freshForMs;
  const isUnwanted = noCache || (maxAge !== null && age >= maxAge * 1000)
    || (minFresh !== null && -lateMs < minFresh * 1000);
  if (isUnwanted) return stored.hasValidator ? 'revalidate' : 'miss';
  const isTolerated = maxStale !== null && stored.mayBeStale && lateMs >= 0 && lateMs <= maxStale * 1000;
  return isTolerated ? 'hit' : onAge(stored, lateMs);
}

/** Fields that describe the body that is kept, or only the message that came: a 304 does not change them. */
const UNCHANGED = new Set([
  'content-length', 'content-encoding', 'content-range', 'transfer-encoding', 'connection', 'keep-alive',
  'te', 'trailer', 'upgrade', 'proxy-connection', 'proxy-authenticate', 'proxy-authentication-info', 'age',
]);

/** The fields of a kept answer after a 304, RFC 9111 3.2. `keepsSetCookie`: see {@link CacheRules}. */
export function mergeRevalidated(
  stored: readonly string[],
  fresh: readonly string[],
  keepsSetCookie: boolean,
): string[] {
  const added: string[] = [];
  const names = new Set<string>();
  for (let index = 0; index < fresh.length; index += 2) {
    const name = fresh[index]!.toLowerCase();
    if (UNCHANGED.has(name) || (name === 'set-cookie' && !keepsSetCookie)) continue;
    names.add(name);
    added.push(fresh[index]!, fresh[index + 1]!);
  }
  const kept: string[] = [];
  for (let index = 0; index < stored.length; index += 2) {
    if (!names.has(stored[index]!.toLowerCase())) kept.push(stored[index]!, stored[index + 1]!);
  }
  return [...kept, ...added];
}

/** True if what is kept of the URL is void after this answer: RFC 9111 4.4. Never in one-line mode. */
export function invalidates(rules: CacheRules, method: string, status: number): boolean {
  return rules.mode === 'standard' && !SAFE.has(method) && status >= 200 && status < 400;
}

/** RFC 5861 4: the statuses that count as an error. */
export function isServerError(status: number): boolean {
  return status === 500 || status === 502 || status === 503 || status === 504;
}
