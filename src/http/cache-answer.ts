// What goes to a client out of a kept answer: the whole, its head, a part, or the news that nothing changed.
// The usual hit is the memory of the entry itself; only what differs from it is written anew.

import { randomBytes } from 'node:crypto';
import type { CacheEntry } from './cache-entry.ts';
import { joinedField } from './cache-control.ts';
import { contentRange, multipartBody } from './cache-range.ts';
import type { ByteRange, Selection } from './cache-range.ts';
import type { CacheTicket } from './cache-ticket.ts';
import { httpDate } from './response-head.ts';

const NOTHING = Buffer.alloc(0);

/** An answer to write: `head`, if it is not empty, and then `bytes`. Used again for the next. */
export class CacheHit {
  readonly kind = 'hit';
  status = 200;
  /** Latin-1, or '' if the head stands at the start of `bytes`. */
  head = '';
  /** Not to be changed. */
  bytes: Buffer = NOTHING;
  /** The answer is past its time. */
  isStale = false;
  /** To be fetched in the background, by its own request. Null: nothing to do. */
  refresh: CacheTicket | null = null;
}

/** How an answer is sent. */
export interface HitOptions {
  entry: CacheEntry;
  /** Never `missing`. */
  selection: Selection;
  method: string;
  version: 10 | 11;
  keepAlive: boolean;
  ageSeconds: number;
  /** Value of Cache-Status; '' without one. */
  cacheStatus: string;
}

/** Fields about the body: a 304 goes without. */
function isAboutBody(name: string): boolean {
  return name.startsWith('content-') && name !== 'content-location' && name !== 'content-security-policy';
}

function endLines({ version, keepAlive, cacheStatus }: HitOptions): string {
  let lines = cacheStatus === '' ? '' : `Cache-Status: ${cacheStatus}\r\n`;
  // RFC 9112 9.3: only what differs from the habit of the version has to be said.
  if (!keepAlive && version === 11) lines += 'Connection: close\r\n';
  else if (keepAlive && version === 10) lines += 'Connection: keep-alive\r\n';
  return lines;
}

function fieldLines(entry: CacheEntry, isLeftOut: (name: string) => boolean): string {
  let lines = '';
  for (let index = 0; index < entry.fields.length; index += 2) {
    const name = entry.fields[index]!;
    if (!isLeftOut(name.toLowerCase())) lines += `${name}: ${entry.fields[index + 1]!}\r\n`;
  }
  return lines;
}

function ageLine({ ageSeconds }: HitOptions): string {
  return `Age: ${ageSeconds}\r\n`;
}

/** RFC 9110 15.4.5. */
function notModified(hit: CacheHit, options: HitOptions): void {
  const lines = fieldLines(options.entry, isAboutBody) + ageLine(options) + endLines(options);
  hit.status = 304;
  hit.head = `HTTP/1.1 304 Not Modified\r\n${lines}\r\n`;
  hit.bytes = NOTHING;
}

/** RFC 9110 15.5.17. */
function unsatisfiable(hit: CacheHit, options: HitOptions): void {
  const range = `Content-Range: bytes */${options.entry.length}`;
  const lines = `Date: ${httpDate()}\r\n${range}\r\nContent-Length: 0\r\n`;
  hit.status = 416;
  hit.head = `HTTP/1.1 416 Range Not Satisfiable\r\n${lines}${endLines(options)}\r\n`;
  hit.bytes = NOTHING;
}

/** RFC 9110 15.3.7. */
function partial(hit: CacheHit, options: HitOptions, ranges: readonly ByteRange[]): void {
  const { entry } = options;
  const offset = entry.part?.first ?? 0;
  let lines: string;
  if (ranges.length === 1) {
    const range = ranges[0]!;
    lines = fieldLines(entry, (name) => name === 'content-range');
    lines += `Content-Range: ${contentRange(range, entry.length)}\r\n`;
    hit.bytes = entry.body.subarray(range.first - offset, range.last + 1 - offset);
  } else {
    const boundary = randomBytes(18).toString('hex');
    const contentType = joinedField(entry.fields, 'content-type');
    lines = fieldLines(entry, (name) => name === 'content-range' || name === 'content-type');
    lines += `Content-Type: multipart/byteranges; boundary=${boundary}\r\n`;
    const { body, length } = entry;
    hit.bytes = multipartBody({ ranges, body, offset, length, contentType, boundary });
  }
  lines += `Content-Length: ${hit.bytes.length}\r\n${ageLine(options)}${endLines(options)}`;
  hit.status = 206;
  hit.head = `HTTP/1.1 206 Partial Content\r\n${lines}\r\n`;
}

function whole(hit: CacheHit, options: HitOptions): void {
  const { entry, ageSeconds, method } = options;
  const lines = endLines(options);
  hit.status = entry.status;
  if (lines === '' && method === 'GET' && entry.isJoined) {
    hit.head = '';
    hit.bytes = entry.stamped(ageSeconds);
    return;
  }
  hit.head = entry.headText(ageSeconds, lines);
  hit.bytes = method === 'HEAD' ? NOTHING : entry.body;
}

/** Makes the answer ready in `hit`. */
export function prepareHit(hit: CacheHit, options: HitOptions): void {
  const { selection } = options;
  switch (selection.kind) {
    case 'not-modified':
      notModified(hit, options);
      break;
    case 'unsatisfiable':
      unsatisfiable(hit, options);
      break;
    case 'ranges':
      partial(hit, options, selection.ranges);
      break;
    default:
      whole(hit, options);
  }
}

/** A hit taken apart, for a protocol that writes heads otherwise. */
export function hitParts(hit: CacheHit): { fields: string[]; body: Buffer } {
  const end = hit.head === '' ? hit.bytes.indexOf('\r\n\r\n') : 0;
  const head = hit.head === '' ? hit.bytes.toString('latin1', 0, end) : hit.head;
  const fields: string[] = [];
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.push(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return { fields, body: hit.head === '' ? hit.bytes.subarray(end + 4) : hit.bytes };
}

/** The fields without those that are for the cache alone: `Cache-Tag`. The same array if there is none. */
export function publicFields(fields: readonly string[]): readonly string[] {
  let hasTags = false;
  for (let index = 0; index < fields.length && !hasTags; index += 2) hasTags = isCacheTag(fields[index]!);
  if (!hasTags) return fields;
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    if (!isCacheTag(fields[index]!)) kept.push(fields[index]!, fields[index + 1]!);
  }
  return kept;
}

function isCacheTag(name: string): boolean {
  return name.length === 9 && name.toLowerCase() === 'cache-tag';
}
