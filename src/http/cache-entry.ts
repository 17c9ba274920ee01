// One kept answer: its head and body ready to be written, small ones in one piece of memory, and what the
// policy and the store know of it. The head says its Age; as long as that second lasts a hit copies nothing.
// All sizes that count against the bound of the store are computed here.

import { STATUS_CODES } from 'node:http';
import { assert } from '../base/assert.ts';
import { joinedField } from './cache-control.ts';
import { ownText } from './cache-key.ts';
import type { CacheResponse, CacheTerms, StoredTerms } from './cache-policy.ts';
import type { StoredBody, StoredPart } from './cache-range.ts';
import type { CacheSlot } from './cache-store.ts';
import { parseHttpDate } from './http-date.ts';
import { httpDate } from './response-head.ts';

/** What an entry costs besides its texts and bytes: the object, its arrays and its places in maps. */
export const ENTRY_BYTES = 640;
/** What a text costs besides its letters. */
export const TEXT_BYTES = 24;
/** Up to this size a body stands right behind its head. */
export const JOINED_BYTES_MAX = 65_536;
/** RFC 9111 1.2.2: larger ages are said as this one. */
const AGE_MAX = 2_147_483_648;
/** Bytes of the longest number in Age, and of what ends a head behind it. */
const AGE_BYTES_MAX = String(AGE_MAX).length;
const HEAD_END = '\r\n\r\n';

/** Fields that are of the message that came and not of the answer: RFC 9111 3.1. */
const UNSTORED = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
  'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization', 'content-length', 'age',
  'cache-tag',
]);

/** What an entry is made from. */
export interface EntryParts {
  response: CacheResponse;
  terms: CacheTerms;
  tags: readonly string[];
  /** Steering fields of the request, see CachingFields. */
  steering: string;
  /** See variantKey. */
  variantKey: string;
  /** When the head came: on the cache's clock, and in ms since 1970. */
  storedAtMs: number;
  wallMs: number;
}

/** The fields to keep, each in memory of its own. Adds Date if there is none, RFC 9110 6.6.1. */
function keptFields(response: CacheResponse, terms: CacheTerms): string[] {
  const { fields } = response;
  const kept: string[] = [];
  let hasDate = false;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!.toLowerCase();
    if (UNSTORED.has(name) || terms.unstoredFields.includes(name)) continue;
    if (name === 'date') hasDate = true;
    kept.push(ownText(fields[index]!), ownText(fields[index + 1]!));
  }
  if (!hasDate) kept.push('Date', httpDate());
  return kept;
}

function textBytes(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += text.length + TEXT_BYTES;
  return bytes;
}

/** See the file head. The body is written into `body` before the entry is kept. */
export class CacheEntry implements StoredTerms, StoredBody {
  readonly status: number;
  readonly reason: string;
  /** Flat; no Content-Length and no Age. */
  readonly fields: readonly string[];
  readonly tags: readonly string[];
  readonly steering: string;
  /** Shared with other entries of the slot where the names are the same. */
  vary: readonly string[];
  readonly variantKey: string;

  readonly freshForMs: number;
  readonly initialAgeMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly staleWhenDownMs: number;
  readonly mayBeStale: boolean;
  readonly alwaysValidates: boolean;
  readonly servesAuthorized: boolean;
  readonly storedAtMs: number;
  readonly hasValidator: boolean;

  readonly etag: string | null;
  readonly lastModified: string | null;
  readonly dateMs: number;
  readonly length: number;
  readonly part: StoredPart | null;

  /** Of the head at the most: the number in Age grows. */
  readonly headBytes: number;
  /** Head and body are one piece. */
  readonly isJoined: boolean;
  /** What it counts against the bound, without its slot. */
  readonly bytes: number;

  /** Where it is kept; null: not yet, or no longer. */
  slot: CacheSlot | null = null;
  /** Neighbours in the order of use. */
  newer: CacheEntry | null = null;
  older: CacheEntry | null = null;
  /** Counts up with every use of any entry. */
  usedAt = 0;
  /** The last purge that it was compared with. */
  purgeSeen = 0;
  /** Somebody fetches it anew. */
  isRefreshing = false;
  hits = 0;
  /** Head and body of a small answer; of a large one only the head. */
  #wire: Buffer;
  /** What is kept of the body; of a small answer a view into the wire. */
  #body: Buffer;
  #stampedAge = 0;
  /** Bytes of the head up to the number in Age. */
  #beforeAge: number;

  /** `body`: what is kept of the body, or how many bytes it will have. A large body is shared, not copied. */
  constructor(parts: EntryParts, body: number | Buffer) {
    const { response, terms } = parts;
    const bodyBytes = typeof body === 'number' ? body : body.length;
    this.status = response.status;
    this.reason = ownText(response.reason === '' ? STATUS_CODES[this.status] ?? '' : response.reason);
    this.fields = keptFields(response, terms);
    this.tags = parts.tags.map(ownText);
    this.steering = ownText(parts.steering);
    this.vary = terms.vary;
    this.variantKey = ownText(parts.variantKey);
    this.freshForMs = terms.freshForMs;
    this.initialAgeMs = terms.initialAgeMs;
    this.staleWhileRevalidateMs = terms.staleWhileRevalidateMs;
    this.staleIfErrorMs = terms.staleIfErrorMs;
    this.staleWhenDownMs = terms.staleWhenDownMs;
    this.mayBeStale = terms.mayBeStale;
    this.alwaysValidates = terms.alwaysValidates;
    this.servesAuthorized = terms.servesAuthorized;
    this.storedAtMs = parts.storedAtMs;
    this.part = terms.part;
    this.etag = joinedField(this.fields, 'etag');
    this.lastModified = joinedField(this.fields, 'last-modified');
    this.hasValidator = this.part === null && (this.etag !== null || this.lastModified !== null);
    const dateMs = parseHttpDate(joinedField(this.fields, 'date') ?? '', parts.wallMs);
    this.dateMs = Number.isNaN(dateMs) ? parts.wallMs : dateMs;
    this.length = this.part?.length ?? bodyBytes;
    const head = this.#headBeforeAge(bodyBytes);
    this.#beforeAge = head.length;
    this.isJoined = bodyBytes <= JOINED_BYTES_MAX;
    this.#wire = this.#makeWire('0', this.isJoined ? bodyBytes : 0);
    this.#wire.write(head, 0, 'latin1');
    if (this.isJoined) this.#body = this.#wire.subarray(this.#wire.length - bodyBytes);
    else this.#body = typeof body === 'number' ? Buffer.allocUnsafeSlow(body) : body;
    if (this.isJoined && typeof body !== 'number') body.copy(this.#body);
    this.headBytes = head.length + AGE_BYTES_MAX + HEAD_END.length;
    this.bytes = ENTRY_BYTES + this.headBytes + bodyBytes + textBytes(this.fields) + textBytes(this.tags)
      + textBytes([this.reason, this.steering, this.variantKey, ...this.vary]);
  }

  /** What is kept of the body. Writable until the entry is kept. */
  get body(): Buffer {
    return this.#body;
  }

  /** Head and body with this Age, of a joined answer. Nobody may change the bytes. */
  stamped(age: number): Buffer {
    if (age !== this.#stampedAge) this.#stamp(Math.min(age, AGE_MAX));
    return this.#wire;
  }

  /** The head with this Age, whatever `lines` say, each with its CRLF, and the empty line. */
  headText(age: number, lines: string): string {
    const before = this.#wire.toString('latin1', 0, this.#beforeAge);
    return `${before}${Math.min(age, AGE_MAX)}\r\n${lines}\r\n`;
  }

  #headBeforeAge(bodyBytes: number): string {
    let head = `HTTP/1.1 ${this.status} ${this.reason}\r\n`;
    for (let index = 0; index < this.fields.length; index += 2) {
      head += `${this.fields[index]!}: ${this.fields[index + 1]!}\r\n`;
    }
    // RFC 9110 8.6: a 204 has none.
    if (this.status !== 204) head += `Content-Length: ${bodyBytes}\r\n`;
    return `${head}Age: `;
  }

  /** With this Age in its place; the head before it and the body behind it are still to be written. */
  #makeWire(age: string, bodyBytes: number): Buffer {
    const headBytes = this.#beforeAge + age.length + HEAD_END.length;
    // Memory of its own: a piece of the shared pool would keep the pool alive.
    const wire = Buffer.allocUnsafeSlow(headBytes + bodyBytes);
    wire.write(age + HEAD_END, this.#beforeAge, 'latin1');
    return wire;
  }

  #stamp(age: number): void {
    assert(age >= 0, 'no answer comes from the future');
    // The old bytes may still be on their way out: changed under way they would say a third age.
    const bodyBytes = this.isJoined ? this.#body.length : 0;
    const wire = this.#makeWire(String(age), bodyBytes);
    this.#wire.copy(wire, 0, 0, this.#beforeAge);
    if (this.isJoined) {
      this.#body.copy(wire, wire.length - bodyBytes);
      this.#body = wire.subarray(wire.length - bodyBytes);
    }
    this.#wire = wire;
    this.#stampedAge = age;
  }
}
