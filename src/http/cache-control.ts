// What the fields around caching say: Cache-Control (RFC 9111 5.2), CDN-Cache-Control (RFC 9213), Age, Vary.
// Tolerant in form and strict in meaning: what is unclear, doubled or broken counts as the most restrictive
// reading (RFC 9111 4.2.1). Pure functions on field values; nothing is decided here.

import { TOKEN_BYTES, joinValues } from './field-lines.ts';
import { parseDictionary } from './structured-field.ts';

/** What a Cache-Control says. Times in seconds; null: not said. */
export interface CacheDirectives {
  maxAge: number | null;
  sharedMaxAge: number | null;
  staleWhileRevalidate: number | null;
  staleIfError: number | null;
  minFresh: number | null;
  /** Infinity: any staleness will do. */
  maxStale: number | null;
  noStore: boolean;
  /** Without a list of fields. */
  noCache: boolean;
  /** Without a list of fields. */
  isPrivate: boolean;
  isPublic: boolean;
  mustRevalidate: boolean;
  proxyRevalidate: boolean;
  mustUnderstand: boolean;
  onlyIfCached: boolean;
  /** Fields that `no-cache` and `private` name, in lower case. */
  unstoredFields: readonly string[];
}

/** RFC 9111 1.2.2: more counts as this. */
export const DELTA_SECONDS_MAX = 2_147_483_648;

const NO_FIELDS: readonly string[] = [];

const NONE: Readonly<CacheDirectives> = {
  maxAge: null,
  sharedMaxAge: null,
  staleWhileRevalidate: null,
  staleIfError: null,
  minFresh: null,
  maxStale: null,
  noStore: false,
  noCache: false,
  isPrivate: false,
  isPublic: false,
  mustRevalidate: false,
  proxyRevalidate: false,
  mustUnderstand: false,
  onlyIfCached: false,
  unstoredFields: NO_FIELDS,
};

/** The values of all fields of a name as one, RFC 9110 5.3; null if there is none. `name` is lower case. */
export function joinedField(fields: readonly string[], name: string): string | null {
  let joined: string | null = null;
  for (let index = 0; index < fields.length; index += 2) {
    const candidate = fields[index]!;
    if (candidate.length !== name.length) continue;
    if (candidate === name || candidate.toLowerCase() === name) {
      joined = joinValues(joined, fields[index + 1]!);
    }
  }
  return joined;
}

/** A number of seconds, RFC 9111 1.2.2; -1 if the text is none. At most {@link DELTA_SECONDS_MAX}. */
export function deltaSeconds(text: string): number {
  if (text.length === 0) return -1;
  let seconds = 0;
  for (let index = 0; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    seconds = Math.min(seconds * 10 + digit, DELTA_SECONDS_MAX);
  }
  return seconds;
}

/** The comma-separated parts of a list; commas in quoted strings do not separate. Null: an open quote. */
function splitList(value: string): string[] | null {
  const parts: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < value.length; at++) {
    const unit = value.charCodeAt(at);
    if (unit === 0x22) isQuoted = !isQuoted;
    else if (isQuoted && unit === 0x5c) at += 1;
    else if (!isQuoted && unit === 0x2c) {
      parts.push(value.slice(start, at).trim());
      start = at + 1;
    }
  }
  parts.push(value.slice(start).trim());
  return isQuoted ? null : parts;
}

function isToken(text: string): boolean {
  if (text === '') return false;
  for (let index = 0; index < text.length; index++) {
    if (TOKEN_BYTES[text.charCodeAt(index)] !== 1) return false;
  }
  return true;
}

/** Names in lower case; null unless each is one. */
function fieldNames(argument: string): string[] | null {
  const names: string[] = [];
  for (const part of argument.split(',')) {
    const name = part.trim().toLowerCase();
    if (name === '') continue;
    if (!isToken(name)) return null;
    names.push(name);
  }
  return names.length === 0 ? null : names;
}

function smaller(left: number | null, right: number): number {
  return left === null ? right : Math.min(left, right);
}

/** An argument as the directive has it. `isQuoted`: it came as a quoted string and was unquoted. */
interface Argument {
  text: string;
  isQuoted: boolean;
}

function argumentOf(text: string): Argument {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return { text, isQuoted: false };
  return { text: text.slice(1, -1).replace(/\\(.)/g, '$1'), isQuoted: true };
}

/** RFC 9111 5.2.2.4 and 5.2.2.7: with names it is about these fields only. */
function restrict(
  directives: CacheDirectives,
  which: 'noCache' | 'isPrivate',
  argument: Argument | null,
): void {
  const names = argument?.isQuoted === true ? fieldNames(argument.text) : null;
  if (names === null) directives[which] = true;
  else directives.unstoredFields = [...directives.unstoredFields, ...names];
}

function take(directives: CacheDirectives, name: string, argument: Argument | null): void {
  const seconds = argument === null ? -1 : deltaSeconds(argument.text);
  switch (name) {
    // RFC 9111 4.2.1: a broken lifetime is none, and of two the shorter one holds.
    case 'max-age':
      directives.maxAge = smaller(directives.maxAge, Math.max(seconds, 0));
      break;
    case 's-maxage':
      directives.sharedMaxAge = smaller(directives.sharedMaxAge, Math.max(seconds, 0));
      break;
    case 'stale-while-revalidate':
      directives.staleWhileRevalidate = smaller(directives.staleWhileRevalidate, Math.max(seconds, 0));
      break;
    case 'stale-if-error':
      directives.staleIfError = smaller(directives.staleIfError, Math.max(seconds, 0));
      break;
    case 'min-fresh':
      if (seconds >= 0) directives.minFresh = Math.max(directives.minFresh ?? 0, seconds);
      break;
    case 'max-stale':
      if (argument === null) directives.maxStale = smaller(directives.maxStale, Number.POSITIVE_INFINITY);
      else directives.maxStale = smaller(directives.maxStale, Math.max(seconds, 0));
      break;
    case 'no-store':
      directives.noStore = true;
      break;
    case 'no-cache':
      restrict(directives, 'noCache', argument);
      break;
    case 'private':
      restrict(directives, 'isPrivate', argument);
      break;
    case 'public':
      // The directives that allow something are taken only as they should look.
      if (argument === null) directives.isPublic = true;
      break;
    case 'must-revalidate':
      directives.mustRevalidate = true;
      break;
    case 'proxy-revalidate':
      directives.proxyRevalidate = true;
      break;
    case 'must-understand':
      if (argument === null) directives.mustUnderstand = true;
      break;
    case 'only-if-cached':
      directives.onlyIfCached = true;
      break;
  }
}

/** Reads the joined values of Cache-Control, of a request or a response. Unknown directives are left out. */
export function parseCacheControl(value: string | null): Readonly<CacheDirectives> {
  if (value === null || value === '') return NONE;
  const directives = { ...NONE };
  const parts = splitList(value);
  if (parts === null) {
    // Nobody knows what an open quote swallows: nothing is fresh, and every restriction holds.
    directives.maxAge = 0;
    directives.sharedMaxAge = 0;
  }
  for (const part of parts ?? value.replaceAll('"', ',').split(',')) {
    const text = part.trim();
    const equals = text.indexOf('=');
    if (equals < 0) {
      take(directives, text.toLowerCase(), null);
      continue;
    }
    // With white space around the "=" the argument is broken; the name still says what was meant.
    const name = text.slice(0, equals);
    const argument = argumentOf(name.trimEnd() === name ? text.slice(equals + 1) : ' ');
    take(directives, name.trim().toLowerCase(), argument);
  }
  if (parts === null) directives.isPublic = false;
  return directives;
}

/**
 * Reads the joined values of CDN-Cache-Control. Null where RFC 9213 2.1 wants the field ignored: it is empty
 * or no dictionary. A lifetime of another type is none, a restriction of another type still is one.
 */
export function parseTargetedCacheControl(value: string | null): Readonly<CacheDirectives> | null {
  if (value === null) return null;
  const members = parseDictionary(value);
  if (members === null || members.size === 0) return null;
  const directives = { ...NONE };
  for (const [name, item] of members) {
    if (item.type === 'boolean') {
      if (item.value) take(directives, name, null);
    } else if (item.type === 'integer') {
      take(directives, name, { text: String(item.value), isQuoted: false });
    } else {
      take(directives, name, { text: '', isQuoted: false });
    }
  }
  return directives;
}

/** The Age of a response in seconds: of several the first, RFC 9111 5.1. 0 if there is none that holds. */
export function parseAge(value: string | null): number {
  if (value === null) return 0;
  const comma = value.indexOf(',');
  return Math.max(0, deltaSeconds((comma < 0 ? value : value.slice(0, comma)).trim()));
}

/** The names that a Vary lists, in lower case, each once; `*` where it says so or cannot be read. */
export function parseVary(value: string | null): readonly string[] | '*' {
  if (value === null) return NO_FIELDS;
  const names: string[] = [];
  for (const part of value.split(',')) {
    const name = part.trim().toLowerCase();
    if (name === '') continue;
    if (name === '*' || !isToken(name)) return '*';
    if (!names.includes(name)) names.push(name);
  }
  return names;
}

/** The words of Cache-Tag, which commas and spaces separate, each once. */
export function parseTags(value: string | null): string[] {
  if (value === null) return [];
  return [...new Set(value.split(/[\s,]+/))].filter((tag) => tag !== '');
}
