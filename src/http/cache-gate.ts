// Between an exchange and the cache: looks up before the request goes to a process, waits where somebody else
// fetches the same answer, feeds the ticket with the answer on its way to the client, and sends a kept one in
// the place of a failure.
//
//   idle ──ask, visit──▶ answered
//          ├──────────▶ waiting ──ready──▶ visit again
//          └──────────▶ asked ──head──▶ passing | replaced: the kept answer went out | repeating: ask anew

import type { AnswerMeta } from '../wire/cache-messages.ts';
import type { AnswerOutput } from './answer-writer.ts';
import { publicFields, type AppWish, type CacheClient, type CacheRequest } from './cache.ts';
import type { CacheLookup, CacheTicket, CacheWait, CacheZone } from './cache.ts';
import { CacheRefresh } from './cache-refresh.ts';
import type { ExchangeClient } from './exchange-client.ts';
import type { FrontContext } from './front-context.ts';
import type { ProcessGroup } from './group.ts';
import { withFields, type ResponseHead } from './received-head.ts';
import type { ResponseSink } from './response-reader.ts';

/** What becomes of a request. `waiting`: `ready` follows. */
export type CacheVisit = 'answered' | 'waiting' | 'unavailable' | 'ask';

/** Whose requests pass the gate. */
export interface CacheGateOwner {
  /** The wait is over: visit again. */
  visitCache(): void;
}

/** What the cache is asked about. */
interface Asked {
  zone: CacheZone;
  group: ProcessGroup;
  request: CacheRequest;
}

/** What happens to the answer of the app. */
type Passing =
  | 'plain' // It goes to the client; a ticket may watch.
  | 'replaced' // The client has a kept answer instead.
  | 'repeating'; // Neither: the app is asked once more.

const NO_WISH: AppWish = {};
const TAGS_MAX = 64;

/** See the file head. One an exchange object, for one request after the other. */
export class CacheGate implements CacheClient, ResponseSink {
  /** The cache's. */
  waitEndsMs = 0;
  readonly #context: FrontContext;
  readonly #client: ExchangeClient;
  readonly #writer: AnswerOutput;
  readonly #owner: CacheGateOwner;
  #asked: Asked | null = null;
  #hasWaited = false;
  #wait: CacheWait | null = null;
  #ticket: CacheTicket | null = null;
  #isHeadOut = false;
  #passing: Passing = 'plain';
  #wish: AppWish = NO_WISH;

  constructor(options: { context: FrontContext; client: ExchangeClient; writer: AnswerOutput; owner: CacheGateOwner }) {
    this.#context = options.context;
    this.#client = options.client;
    this.#writer = options.writer;
    this.#owner = options.owner;
  }

  get encrypted(): boolean {
    return this.#client.origin.encrypted;
  }

  get isAuthenticated(): boolean {
    return this.#client.origin.tls?.client !== undefined;
  }

  get keepAlive(): boolean {
    return this.#client.keepsAlive;
  }

  /** A request begins. What it asks the cache, if anything, comes with `ask`. */
  start(): void {
    this.#asked = null;
    this.#ticket = null;
    this.#hasWaited = false;
    this.#isHeadOut = false;
    this.#passing = 'plain';
    this.#wish = NO_WISH;
  }

  /** The request is one for the cache. `request` has the fields that the app would see. */
  ask(zone: CacheZone, group: ProcessGroup, request: CacheRequest): void {
    this.#asked = { zone, group, request };
  }

  /** Looks the request up. A kept answer is written; the exchange is over then. */
  visit(): CacheVisit {
    const asked = this.#asked!;
    // It is on its way for the second time, with the same ticket.
    if (this.#ticket !== null) return 'ask';
    const found = this.#lookUp(asked);
    switch (found.kind) {
      case 'hit':
        if (found.refresh !== null) this.#refresh(found.refresh, asked.group);
        this.#writer.kept(found);
        return 'answered';
      case 'wait':
        this.#wait = found;
        return 'waiting';
      case 'unavailable':
        return 'unavailable';
      case 'ask':
        this.#ticket = found.ticket;
        return 'ask';
      case 'bypass':
        return 'ask';
    }
  }

  #lookUp({ zone, request }: Asked): CacheLookup {
    const { cache } = this.#context;
    if (this.#hasWaited) return cache.lookupAgain(zone, request, this);
    this.#hasWaited = true;
    return cache.lookup(zone, request, this);
  }

  #refresh(ticket: CacheTicket, group: ProcessGroup): void {
    const { origin } = this.#client;
    new CacheRefresh({ context: this.#context, ticket, group, origin }).start();
  }

  cacheReady(): void {
    this.#wait = null;
    this.#owner.visitCache();
  }

  /** The fields to ask the app with, if the cache has a say in them. */
  requestFields(): string[] | null {
    return this.#ticket?.requestFields() ?? null;
  }

  /** What the program says beside the answer that follows. */
  tell(meta: AnswerMeta): void {
    const { duration, tags } = meta;
    const texts = Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [];
    this.#wish = { duration, tags: texts.slice(0, TAGS_MAX) };
  }

  /** There is no answer of the app. True: a kept one was written instead. */
  answerInstead(): boolean {
    const ticket = this.#ticket;
    this.#ticket = null;
    if (ticket === null) return false;
    if (this.#isHeadOut) {
      ticket.abort();
      return false;
    }
    const hit = ticket.fail();
    if (hit === null) return false;
    this.#writer.kept(hit);
    return true;
  }

  /** True if the app has to be asked once more, with the fields of now: once. */
  takeRepeat(): boolean {
    if (this.#passing !== 'repeating') return false;
    this.#passing = 'plain';
    this.#isHeadOut = false;
    this.#wish = NO_WISH;
    return true;
  }

  /** The client is gone, or gets nothing of this. */
  leave(): void {
    this.#wait?.leave();
    this.#wait = null;
    this.#ticket?.abort();
    this.#ticket = null;
  }

  // --- the answer on its way from the app to the client

  informational(head: ResponseHead): void {
    this.#writer.informational(head);
  }

  head(head: ResponseHead): void {
    const writer = this.#writer;
    const ticket = this.#ticket;
    this.#isHeadOut = true;
    if (this.#asked === null) {
      writer.head(head);
    } else if (ticket === null) {
      writer.head(withFields(head, publicFields(head.fields)));
    } else {
      const verdict = ticket.head(head, this.#wish);
      if (verdict.kind === 'pass') {
        writer.head(withFields(head, verdict.fields));
      } else if (verdict.kind === 'hit') {
        this.#passing = 'replaced';
        writer.kept(verdict);
      } else {
        this.#passing = 'repeating';
      }
    }
  }

  get takesWhole(): boolean {
    return this.#asked === null;
  }

  /** The cache has no say in it. */
  whole(head: ResponseHead, body: string): void {
    this.#isHeadOut = true;
    this.#writer.whole(head, body);
  }

  data(slice: Buffer): void {
    if (this.#passing !== 'plain') return;
    this.#ticket?.data(slice);
    this.#writer.data(slice);
  }

  end(trailers: string[]): void {
    if (this.#passing !== 'plain') return;
    this.#writer.end(trailers);
    // Last: it wakes those who wait for the same.
    const ticket = this.#ticket;
    this.#ticket = null;
    ticket?.end();
  }
}
