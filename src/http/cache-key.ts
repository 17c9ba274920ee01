// Under what an answer is kept: scheme and host (the site), path and query exactly as the app gets them, and
// among the answers of one URL the request fields that Vary names. Values are normalised only where two
// spellings mean the same to every program (RFC 9111 4.1); no two requests that differ more share an answer.

import { joinedField } from './cache-control.ts';
import type { CacheRequest } from './cache-request.ts';

/** Most names in a Vary; a response with more is not stored. */
export const VARY_NAMES_MAX = 8;
/** Longest value that is normalised, in bytes; a longer one is taken as it is. */
const NORMALISED_BYTES_MAX = 1024;
/** Most normalised values that are remembered. */
const REMEMBERED_MAX = 512;

/** Fields of elements with weights: case and white space do not count. RFC 9110 12.5. */
const WEIGHTED = new Set(['accept', 'accept-encoding', 'accept-language']);
/**
 * Of these the one whose elements may stand in any order: every coding carries the same content. Programs
 * built on "negotiator" take the first of two languages or types with the same weight.
 */
const UNORDERED = 'accept-encoding';
/** Fields that are no lists: not a byte of them is without meaning. */
const EXACT = new Set(['authorization', 'cookie', 'origin', 'user-agent', 'referer']);

/** Where `request` goes, without the usual port: `example.com`, `example.com:8080`, '' if it does not say. */
export function siteHost(host: string, encrypted: boolean): string {
  const port = encrypted ? ':443' : ':80';
  return host.endsWith(port) ? host.slice(0, -port.length) : host;
}

/** Path and query. Makes no new text for a target in origin form. */
export function urlKey(request: Pick<CacheRequest, 'target' | 'path' | 'query'>): string {
  if (request.target.charCodeAt(0) === 0x2f) return request.target;
  return request.path + request.query;
}

/** The text in memory of its own: a part of a head would keep the whole head alive. */
export function ownText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

const remembered = new Map<string, Map<string, string>>(
  [...WEIGHTED].map((name) => [name, new Map<string, string>()]),
);

/** An element without white space around its parts and without a `q=1`, which is what absent means. */
function plainElement(element: string): string {
  const parts = element.toLowerCase().split(';').map((part) => part.trim());
  return parts.filter((part) => !/^q=1(?:\.0{0,3})?$/.test(part)).join(';');
}

function weighted(name: string, value: string): string {
  const known = remembered.get(name)!;
  const found = known.get(value);
  if (found !== undefined) return found;
  const isCut = value.length > NORMALISED_BYTES_MAX || value.includes('"');
  if (isCut) return value;
  const elements = value.split(',').map(plainElement).filter((element) => element !== '');
  if (name === UNORDERED) elements.sort();
  const normalised = elements.join(',');
  // The values come from clients: what is remembered has a bound, and forgetting costs little.
  if (known.size >= REMEMBERED_MAX) known.clear();
  known.set(ownText(value), normalised);
  return normalised;
}

/** White space around the commas of a list does not count, RFC 9110 5.6.1. In quoted strings it does. */
function tightened(value: string): string {
  if (value.includes('"') || !value.includes(',')) return value;
  return value.split(',').map((element) => element.trim()).join(',');
}

/** What a value of the field means, in a form to compare. `name` is lower case. */
export function normalisedValue(name: string, value: string): string {
  if (WEIGHTED.has(name)) return weighted(name, value);
  if (EXACT.has(name)) return value;
  return tightened(value);
}

/**
 * The values that `names` have in a request, as one text to compare: two requests with the same text may
 * share an answer that varies by these names. Absent and empty differ.
 */
export function variantKey(names: readonly string[], fields: readonly string[]): string {
  let key = '';
  for (const name of names) {
    const value = joinedField(fields, name);
    // No value holds a line break, so none can look like two.
    key += value === null ? '-\n' : `=${normalisedValue(name, value)}\n`;
  }
  return key;
}

/** A URL that was typed or sent, taken apart for a purge. */
export interface PurgeTarget {
  /** Null: both. */
  encrypted: boolean | null;
  /** Null: all. */
  host: string | null;
  /** Path and query as in a request target. */
  url: string;
}

/** Reads `http://host/path?query` or `/path?query`; null if the text is neither. */
export function parsePurgeTarget(text: string): PurgeTarget | null {
  if (/[^\u0021-\u007e]/.test(text)) return null;
  const plain = text.split('#', 1)[0]!;
  if (plain.startsWith('/')) return { encrypted: null, host: null, url: plain };
  const match = /^(https?):\/\/([^/?#@]+)(\/[^#]*|\?[^#]*)?$/i.exec(plain);
  if (match === null) return null;
  const encrypted = match[1]!.toLowerCase() === 'https';
  const rest = match[3] ?? '/';
  const url = rest.startsWith('/') ? rest : `/${rest}`;
  return { encrypted, host: siteHost(match[2]!.toLowerCase(), encrypted), url };
}

/** What a Location or Content-Location means on a site: path and query, or null if it leads elsewhere. */
export function sameSiteUrl(
  location: string,
  base: { encrypted: boolean; host: string; url: string },
): string | null {
  const scheme = base.encrypted ? 'https' : 'http';
  if (location.length > 8192 || !URL.canParse(location, `${scheme}://${base.host}${base.url}`)) return null;
  const url = new URL(location, `${scheme}://${base.host}${base.url}`);
  // RFC 9111 4.4: another origin must not be able to empty this one.
  if (url.protocol !== `${scheme}:` || siteHost(url.host, base.encrypted) !== base.host) return null;
  return url.pathname + url.search;
}
