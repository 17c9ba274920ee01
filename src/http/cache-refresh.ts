// A kept answer fetched anew while clients still get the old one: a request without a client. It waits for a
// process like any other, reads the answer into its ticket and gives up after a bound of time.

import type { AnswerMeta } from '../wire/cache-messages.ts';
import type { Origin } from '../wire/link-messages.ts';
import { RESET_REASON } from '../wire/link-messages.ts';
import type { CacheTicket } from './cache.ts';
import type { FrontContext } from './front-context.ts';
import type { ProcessGroup, Waiter } from './group.ts';
import { ResponseReader, type ResponseHead, type ResponseSink } from './response-reader.ts';
import type { Ticked } from './ticker.ts';
import type { ExchangeOwner, Upstream, UpstreamChannel } from './upstream.ts';

/** Longest time from the start to the last byte, in ms. */
export const REFRESH_TIMEOUT_MS = 60_000;

/** See the file head. `start` it once. */
export class CacheRefresh implements Waiter, ExchangeOwner, ResponseSink, Ticked {
  #context: FrontContext;
  #ticket: CacheTicket;
  #group: ProcessGroup;
  #origin: Origin;
  #reader = new ResponseReader(this);
  #channel: UpstreamChannel | null = null;
  #deadline: number;
  #meta: AnswerMeta = {};
  #hasHead = false;
  #isOver = false;

  constructor(options: { context: FrontContext; ticket: CacheTicket; group: ProcessGroup; origin: Origin }) {
    this.#context = options.context;
    this.#ticket = options.ticket;
    this.#group = options.group;
    this.#origin = options.origin;
    this.#deadline = options.context.ticker.deadline(REFRESH_TIMEOUT_MS);
  }

  /** Begins. Ends by itself. */
  start(): void {
    this.#context.ticker.add(this);
    this.#group.enter(this);
  }

  tick(now: number): void {
    if (now < this.#deadline) return;
    this.#group.leave(this);
    this.#finish();
  }

  serve(link: Upstream): void {
    const { method, version, target } = this.#ticket.request;
    this.#channel = link.open(this);
    this.#reader.start(method);
    const fields = this.#ticket.requestFields();
    const request = { version, method, target, fields, ended: true, upgrade: false, local: false };
    this.#channel.request(request, this.#origin);
  }

  refuse(): void {
    this.#finish();
  }

  informational(): void {
    // Nobody waits for it.
  }

  head(head: ResponseHead): void {
    this.#hasHead = true;
    const { duration, tags = [] } = this.#meta;
    const verdict = this.#ticket.head(head, { duration, tags });
    // Once more would be a second request that no client asked for.
    if (verdict.kind === 'again') this.#hasHead = false;
  }

  data(slice: Buffer): void {
    this.#ticket.data(slice);
  }

  end(): void {
    if (this.#hasHead) this.#ticket.end();
  }

  channelData(buffer: Buffer, start: number, end: number): void {
    const result = this.#reader.push(buffer, start, end);
    this.#channel?.consumed(end - start);
    if (typeof result === 'object' || result === 'upgraded') this.#finish();
  }

  channelEnded(): void {
    this.#reader.finish();
    this.#finish();
  }

  channelClosed(): void {
    this.#reader.finish();
    this.#finish();
  }

  channelMeta(meta: AnswerMeta): void {
    this.#meta = meta;
  }

  channelReset(): void {
    this.#finish();
  }

  channelFailed(): void {
    this.#finish();
  }

  channelLost(): void {
    this.#finish();
  }

  channelWritable(): void {
    // It sends no body.
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#context.ticker.remove(this);
    this.#channel?.close(RESET_REASON.CLIENT_GONE);
    // Nothing happens to one that has ended.
    if (this.#hasHead) this.#ticket.abort();
    else this.#ticket.fail();
  }
}
