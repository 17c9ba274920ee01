// A front and an app without sockets, for tests of the cache: requests go in, what a client would read comes
// out, and it says where that came from. The clock is turned by hand.

import { assert } from '../base/assert.ts';
import { HandClock } from '../base/clock.ts';
import { createCache } from './cache.ts';
import type {
  AppWish, Cache, CacheClient, CacheHit, CacheLookup, CacheOptions, CacheRequest, CacheTicket, CacheZone,
  CacheZoneOptions, HeadVerdict,
} from './cache.ts';
import type { ResponseHead } from './response-reader.ts';

/** The time of day when the clock says 0. */
export const START_MS = Date.UTC(2026, 10, 21, 12);

/** A request as a test writes it. */
export interface Asked {
  method?: string;
  version?: 10 | 11;
  host?: string;
  /** Flat. */
  fields?: string[];
  hasBody?: boolean;
  encrypted?: boolean;
  keepAlive?: boolean;
}

/** An answer of the app as a test writes it. */
export interface Answered {
  status?: number;
  /** Flat. A Date and a Content-Type are added unless `isBare`. */
  fields?: string[];
  body?: string;
  /** The length is not known before the end. */
  isChunked?: boolean;
  isBare?: boolean;
  wish?: AppWish;
}

/** What a client reads. */
export interface Read {
  /** `cache`: the app was not asked. `validated`: it was, and sent no body. */
  from: 'cache' | 'app' | 'validated' | 'bypass' | 'unavailable' | 'wait';
  status: number;
  /** By name in lower case; several values joined. */
  fields: Record<string, string>;
  body: string;
  /** What the app was asked with. */
  asked: string[];
}

/** A client that may wait. */
export class FixtureClient implements CacheClient {
  readonly encrypted: boolean;
  readonly keepAlive: boolean;
  waitEndsMs = 0;
  readyCount = 0;
  onReady: () => void = () => {};

  constructor({ encrypted = false, keepAlive = true }: Asked = {}) {
    this.encrypted = encrypted;
    this.keepAlive = keepAlive;
  }

  cacheReady(): void {
    this.readyCount += 1;
    this.onReady();
  }
}

/** The fields of a flat list by name in lower case. */
export function fieldsByName(fields: readonly string[]): Record<string, string> {
  const byName: Record<string, string> = {};
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!.toLowerCase();
    byName[name] = name in byName ? `${byName[name]!}, ${fields[index + 1]!}` : fields[index + 1]!;
  }
  return byName;
}

/** Takes apart what a hit would write. */
export function readHit(hit: CacheHit): Omit<Read, 'from' | 'asked'> {
  const text = hit.head + hit.bytes.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const [line = '', ...lines] = text.slice(0, end).split('\r\n');
  assert(line.startsWith(`HTTP/1.1 ${hit.status} `), 'the status is that of the head');
  const fields = lines.flatMap((each) => {
    const colon = each.indexOf(':');
    const value = each.slice(colon + 1).trim();
    // RFC 9110 5.6.3: one space, where any is allowed.
    assert(each === `${each.slice(0, colon)}: ${value}`, `the field is written plainly: "${each}"`);
    return [each.slice(0, colon), value];
  });
  return { status: hit.status, fields: fieldsByName(fields), body: text.slice(end + 4) };
}

/** The request of a test as a parser gives it. */
export function request(url: string, asked: Asked = {}): CacheRequest {
  const [path = '', ...query] = url.split('?');
  const { method = 'GET', version = 11, host = 'shop.example', fields = [], hasBody = false } = asked;
  return {
    method, version, target: url, fields, host, path, upgrade: false,
    query: url.includes('?') ? `?${query.join('?')}` : '',
    body: hasBody ? { kind: 'length', length: 3 } : { kind: 'none' },
  };
}

/** See the file head. */
export class CacheFixture {
  readonly clock = new HandClock();
  readonly cache: Cache;
  readonly zone: CacheZone;

  constructor(zone: CacheZoneOptions, options: Partial<CacheOptions> = {}) {
    const wallMs = (): number => START_MS + this.clock.now();
    this.cache = createCache({ clock: this.clock, wallMs, ...options });
    this.zone = this.cache.zone('/', zone);
  }

  /** The time of day as a date, `offsetSeconds` from now. */
  date(offsetSeconds = 0): string {
    return new Date(START_MS + this.clock.now() + offsetSeconds * 1000).toUTCString();
  }

  /** The head that the app sends. */
  head(answered: Answered): ResponseHead {
    const { status = 200, body = 'body', isChunked = false, isBare = false } = answered;
    const { length } = body;
    const usual = isBare ? [] : ['Date', this.date(), 'Content-Type', 'text/plain'];
    const fields = [...(answered.fields ?? []), ...usual];
    const isEmpty = length === 0 || status === 204 || status === 304;
    if (!isChunked && !isEmpty) fields.push('Content-Length', String(length));
    const framing = isEmpty ? { kind: 'none' as const } : { kind: 'length' as const, length };
    const sent = isChunked ? { kind: 'chunked' as const } : framing;
    return { status, reason: '', fields, body: sent, closes: false, upgraded: false };
  }

  look(url: string, asked: Asked = {}): CacheLookup {
    return this.cache.lookup(this.zone, request(url, asked), new FixtureClient(asked));
  }

  /** Looks up; must be told to ask. */
  ticket(url: string, asked: Asked = {}): CacheTicket {
    const found = this.look(url, asked);
    assert(found.kind === 'ask', `the lookup says "${found.kind}"`);
    return found.ticket;
  }

  /** Feeds a ticket with an answer, byte by byte if its length is not known. */
  feed(ticket: CacheTicket, answered: Answered = {}): HeadVerdict {
    const verdict = ticket.head(this.head(answered), answered.wish);
    if (verdict.kind !== 'pass') return verdict;
    const body = Buffer.from(answered.body ?? 'body', 'latin1');
    const step = answered.isChunked === true ? 1 : Math.max(1, body.length);
    for (let at = 0; at < body.length; at += step) ticket.data(body.subarray(at, at + step));
    ticket.end();
    return verdict;
  }

  /** A whole exchange. `answered` is what the app says if it is asked; `fail`: it cannot be asked. */
  fetch(url: string, asked: Asked = {}, answered: Answered | 'fail' = {}): Read {
    const found = this.look(url, asked);
    if (found.kind === 'hit') return { from: 'cache', asked: [], ...readHit(found) };
    if (found.kind !== 'ask') return { from: found.kind, status: 0, fields: {}, body: '', asked: [] };
    const { ticket } = found;
    const fields = ticket.requestFields();
    if (answered === 'fail') {
      const hit = ticket.fail();
      if (hit === null) return { from: 'unavailable', status: 502, fields: {}, body: '', asked: fields };
      return { from: 'cache', asked: fields, ...readHit(hit) };
    }
    const verdict = this.feed(ticket, answered);
    if (verdict.kind === 'hit') return { from: 'validated', asked: fields, ...readHit(verdict) };
    if (verdict.kind === 'again') return this.fetch(url, asked, answered);
    const { status = 200, body = 'body' } = answered;
    return { from: 'app', status, fields: fieldsByName(verdict.fields), body, asked: fields };
  }

  /** Where the answer to a plain request comes from. The app, if asked, says nothing that may be kept. */
  source(url: string, asked: Asked = {}): Read['from'] {
    return this.fetch(url, asked, { fields: ['Cache-Control', 'no-store'], status: 500 }).from;
  }
}
