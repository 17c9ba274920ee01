// Parts and conditions of a kept answer: Range, If-Range, multipart/byteranges (RFC 9110 14), If-None-Match
// and If-Modified-Since (RFC 9110 13). What is malformed or unreasonable is ignored, as the RFC wants it:
// then the client gets the whole.

import type { CachingFields } from './cache-request.ts';
import { parseHttpDate } from './http-date.ts';

/** Most ranges in one request; with more the whole is sent. */
export const RANGES_MAX = 16;

/** Bytes of a body, both ends included. */
export interface ByteRange {
  first: number;
  last: number;
}

/** A part of a body of `length` bytes. */
export interface StoredPart extends ByteRange {
  length: number;
}

/** What is known of a kept body and its validators. */
export interface StoredBody {
  status: number;
  /** As the app wrote it; null without one. */
  etag: string | null;
  lastModified: string | null;
  /** When it was made, in ms since 1970: its Date, or when it came. */
  dateMs: number;
  /** Bytes of the whole body. */
  length: number;
  /** What of it is kept; null: all. */
  part: StoredPart | null;
}

/** What to send of a kept answer. */
export type Selection =
  | { kind: 'whole' }
  | { kind: 'not-modified' }
  | { kind: 'ranges'; ranges: ByteRange[] }
  | { kind: 'unsatisfiable' }
  /** It is not kept: the app has to be asked. */
  | { kind: 'missing' };

const WHOLE: Selection = { kind: 'whole' };
const NOT_MODIFIED: Selection = { kind: 'not-modified' };
const UNSATISFIABLE: Selection = { kind: 'unsatisfiable' };
const MISSING: Selection = { kind: 'missing' };

const DIGITS_MAX = 15;

/** A number of bytes from `text[start..end)`; -1 if it is none. */
function numberAt(text: string, start: number, end: number): number {
  if (end === start || end - start > DIGITS_MAX) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** `bytes 0-4/10`; null for anything else, an unknown length too. RFC 9110 14.4. */
export function parseContentRange(value: string | null): StoredPart | null {
  const match = value === null ? null : /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(value);
  if (match === null) return null;
  const [first, last, length] = match.slice(1).map(Number) as [number, number, number];
  return first <= last && last < length ? { first, last, length } : null;
}

/** One range-spec, or null if it lies behind the body, or `bad`. */
function parseRange(text: string, length: number): ByteRange | null | 'bad' {
  const dash = text.indexOf('-');
  if (dash < 0) return 'bad';
  if (dash === 0) {
    const suffix = numberAt(text, 1, text.length);
    if (suffix < 0) return 'bad';
    return suffix === 0 || length === 0 ? null : { first: Math.max(0, length - suffix), last: length - 1 };
  }
  const first = numberAt(text, 0, dash);
  const isOpen = dash === text.length - 1;
  const last = isOpen ? length - 1 : numberAt(text, dash + 1, text.length);
  if (first < 0 || (!isOpen && (last < 0 || last < first))) return 'bad';
  return first >= length ? null : { first, last: Math.min(last, length - 1) };
}

/**
 * The ranges of a Range field in a body of `length` bytes, in the order asked for. `ignore`: another unit,
 * malformed, more than {@link RANGES_MAX}, or more bytes than the whole (RFC 9110 14.2 and 17.15).
 */
export function parseRanges(value: string, length: number): ByteRange[] | 'ignore' | 'unsatisfiable' {
  if (value.slice(0, 6).toLowerCase() !== 'bytes=') return 'ignore';
  const ranges: ByteRange[] = [];
  let count = 0;
  let bytes = 0;
  for (const part of value.slice(6).split(',', RANGES_MAX * 4)) {
    const text = part.trim();
    if (text === '') continue;
    count += 1;
    const range = parseRange(text, length);
    if (range === 'bad' || count > RANGES_MAX) return 'ignore';
    if (range === null) continue;
    bytes += range.last - range.first + 1;
    ranges.push(range);
  }
  if (count === 0) return 'ignore';
  if (ranges.length === 0) return 'unsatisfiable';
  // Ranges that overlap ask for the same bytes again and again.
  return ranges.length > 1 && bytes > length ? 'ignore' : ranges;
}

function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}

/** True if a list of If-None-Match names the tag: weak comparison, RFC 9110 8.8.3.2. */
export function matchesTag(list: string, etag: string): boolean {
  const wanted = opaque(etag);
  let at = 0;
  while (at < list.length) {
    const character = list[at]!;
    if (character === ' ' || character === '\t' || character === ',') {
      at += 1;
      continue;
    }
    const start = list.startsWith('W/"', at) ? at + 2 : at;
    const isQuoted = list[start] === '"';
    const close = isQuoted ? list.indexOf('"', start + 1) : list.indexOf(',', start);
    const end = close < 0 ? list.length : close + (isQuoted ? 1 : 0);
    const tag = list.slice(start, end).trim();
    // The star stands for any only by itself.
    if (tag === wanted || (tag === '*' && list.trim() === '*')) return true;
    at = end;
  }
  return false;
}

/** True if what the client has still holds. RFC 9110 13.2.2: If-None-Match goes before If-Modified-Since. */
function isNotModified(body: StoredBody, caching: CachingFields): boolean {
  if (caching.ifNoneMatch !== null) {
    if (body.etag === null) return caching.ifNoneMatch.trim() === '*';
    return matchesTag(caching.ifNoneMatch, body.etag);
  }
  if (caching.ifModifiedSince === null) return false;
  const sinceMs = parseHttpDate(caching.ifModifiedSince);
  const modifiedMs = body.lastModified === null ? body.dateMs : parseHttpDate(body.lastModified);
  // RFC 9111 4.3.2. A comparison with what is no date is false.
  return modifiedMs <= sinceMs;
}

/** RFC 9110 13.1.5: may parts be sent? Only a strong tag, or exactly the date, will do. */
function mayRange(body: StoredBody, caching: CachingFields): boolean {
  const condition = caching.ifRange;
  if (condition === null) return true;
  if (condition.startsWith('"')) return body.etag === condition;
  return body.lastModified === condition && !Number.isNaN(parseHttpDate(condition));
}

function isKept(part: StoredPart | null, ranges: readonly ByteRange[]): boolean {
  if (part === null) return true;
  return ranges.every(({ first, last }) => first >= part.first && last <= part.last);
}

/** What of a kept answer a request gets. */
export function select(body: StoredBody, caching: CachingFields, method: string): Selection {
  const { status, part } = body;
  if (caching.isPlain) return part === null ? WHOLE : MISSING;
  // RFC 9110 13.2.1: conditions are for answers that would be 2xx.
  if (status >= 200 && status < 300 && isNotModified(body, caching)) return NOT_MODIFIED;
  const isRanged = caching.range !== null && method === 'GET' && (status === 200 || part !== null);
  const ranges = isRanged && mayRange(body, caching) ? parseRanges(caching.range!, body.length) : 'ignore';
  if (ranges === 'ignore') return part === null ? WHOLE : MISSING;
  if (ranges === 'unsatisfiable') return UNSATISFIABLE;
  return isKept(part, ranges) ? { kind: 'ranges', ranges } : MISSING;
}

/** The value of Content-Range. */
export function contentRange(range: ByteRange, length: number): string {
  return `bytes ${range.first}-${range.last}/${length}`;
}

/** What a multipart answer is made of. */
export interface Multipart {
  ranges: readonly ByteRange[];
  /** What is kept of the body, from byte `offset` on. */
  body: Buffer;
  offset: number;
  /** Of the whole body. */
  length: number;
  /** Of each part; null: it says none. */
  contentType: string | null;
  /** Must not occur in the body: chosen at random for each answer. */
  boundary: string;
}

/** The body of a multipart/byteranges answer, RFC 9110 14.6. */
export function multipartBody(multipart: Multipart): Buffer {
  const { ranges, body, offset, length, contentType, boundary } = multipart;
  const type = contentType === null ? '' : `Content-Type: ${contentType}\r\n`;
  const pieces: Buffer[] = [];
  for (const range of ranges) {
    const head = `--${boundary}\r\n${type}Content-Range: ${contentRange(range, length)}\r\n\r\n`;
    pieces.push(Buffer.from(pieces.length === 0 ? head : `\r\n${head}`, 'latin1'));
    pieces.push(body.subarray(range.first - offset, range.last + 1 - offset));
  }
  pieces.push(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'));
  return Buffer.concat(pieces);
}
