// One HTTP/2 stream after the other, joined with exchanges: what connection.ts does for HTTP/1.x. The exchange is
// kept between streams and with it its channel, so that an app sees one connection for many of them.

import type { ServerHttp2Stream } from 'node:http2';
import type { ErrorCode } from '../base/host-error.ts';
import type { Origin } from '../wire/link-messages.ts';
import { ConnectionDeadlines } from './connection-deadlines.ts';
import { Exchange, type ExchangeClient } from './exchange.ts';
import { isHeadOnly } from './chunked.ts';
import type { FrontContext, TurnMember } from './front-context.ts';
import { Http2Answer } from './http2-answer.ts';
import type { Channel } from './link-upstream.ts';
import { BODY_TOO_SLOW, BODY_TRUNCATED, tooLong, type BodyFault } from './request-body.ts';
import type { RequestHead } from './request-head.ts';
import { NEVER } from './ticker.ts';
import { Tunnel } from './upgrade.ts';

const TRAILER_BAD: BodyFault = {
  kind: 'bad', status: 400, code: 'REQUEST_INVALID', message: 'a trailer that belongs into the head',
};
/** How long a stream may stay open behind its whole answer. */
const STUCK_MS = 5000;
/** RFC 9113 7. */
const NO_ERROR = 0;

/** What a stream tells its connection. */
export interface Http2ExchangeOwner {
  readonly origin: Origin;
  /** The stream is over. `isReusable`: the exchange may serve another one. */
  streamOver(exchange: Http2Exchange, outcome: { isReusable: boolean; isNuisance: boolean }): void;
}

/** See the file head. */
export class Http2Exchange implements ExchangeClient, TurnMember {
  #context: FrontContext;
  #owner: Http2ExchangeOwner;
  #answer = new Http2Answer();
  #exchange: Exchange;
  #deadlines: ConnectionDeadlines;
  #stream: ServerHttp2Stream | null = null;
  #tunnel: Tunnel | null = null;
  #isBodyWhole = true;
  /** The request ended with its head. */
  #isBodiless = false;
  #isBodyTooLong = false;
  #isBodyWanted = false;
  #bodyBytes = 0;
  #trailers: string[] = [];
  #isFinishingSoon = false;
  #isReusable = true;
  #stuckDeadline: number = NEVER;

  constructor(context: FrontContext, owner: Http2ExchangeOwner) {
    this.#context = context;
    this.#owner = owner;
    this.#exchange = new Exchange(context, this, this.#answer);
    this.#deadlines = new ConnectionDeadlines(context.limits, context.ticker);
  }

  get origin(): Origin {
    return this.#owner.origin;
  }

  get isBodyWhole(): boolean {
    return this.#isBodyWhole;
  }

  get keepsAlive(): boolean {
    return true;
  }

  get isBodyTooLong(): boolean {
    return this.#isBodyTooLong;
  }

  /** Takes a stream with its request. */
  begin(stream: ServerHttp2Stream, head: RequestHead): void {
    const { bodyBytesMax } = this.#context.limits;
    const { body } = head;
    this.#attach(stream);
    this.#isBodyWhole = body.kind === 'none';
    this.#isBodiless = this.#isBodyWhole && !head.upgrade;
    this.#isBodyTooLong = bodyBytesMax > 0 && body.kind === 'length' && body.length > bodyBytesMax;
    if (!this.#isBodyWhole) {
      // Untyped: the fields as they came are the third argument.
      stream.on('trailers', (...given: unknown[]) => this.#noteTrailers(stream, given[2] as string[]));
      this.#deadlines.startBody();
    }
    this.#exchange.begin(head);
  }

  /** Answers what cannot be served. */
  refuse(
    stream: ServerHttp2Stream,
    fault: { status: number; code: ErrorCode; message: string },
  ): void {
    this.#attach(stream);
    this.#isBodyWhole = true;
    const message = `The request cannot be served: ${fault.message}.`;
    this.#exchange.refuseUnread({ status: fault.status, code: fault.code, message, developer: [] });
  }

  #attach(stream: ServerHttp2Stream): void {
    this.#stream = stream;
    this.#tunnel = null;
    this.#isBodyWanted = false;
    this.#isBodiless = false;
    this.#isBodyTooLong = false;
    this.#bodyBytes = 0;
    this.#stuckDeadline = NEVER;
    this.#trailers = [];
    this.#answer.attach(stream);
    stream.on('drain', () => this.#drained(stream));
    // The code of the reset does not matter: `close` follows.
    stream.on('error', () => stream.destroy());
    stream.on('close', () => this.#closed(stream));
  }

  #drained(stream: ServerHttp2Stream): void {
    if (stream !== this.#stream) return;
    this.#answer.drained(stream);
    this.#exchange.settleCredit();
  }

  #closed(stream: ServerHttp2Stream): void {
    if (stream !== this.#stream) return;
    this.#stream = null;
    this.#deadlines.await('nothing');
    const isOver = this.#exchange.state === 'idle' && this.#answer.state === 'ended';
    // Resets of what is under way cost an app its work: RFC 9113 10.5.
    const isNuisance = !isOver && stream.rstCode !== NO_ERROR;
    const isReusable = isOver && this.#isReusable && this.#tunnel === null;
    if (!isReusable) this.#exchange.clientGone();
    else this.#exchange.settleCredit();
    this.#owner.streamOver(this, { isReusable, isNuisance });
  }

  /** Gives the channel up. */
  leave(): void {
    this.#exchange.clientGone();
  }

  // --- the request's body

  bodyWanted(): void {
    const stream = this.#stream;
    if (stream === null || this.#isBodyWanted) return;
    this.#isBodyWanted = true;
    this.#deadlines.await('body');
    stream.on('data', (chunk: Buffer) => this.#bodyData(stream, chunk));
    stream.on('end', () => this.#bodyEnded(stream));
    stream.on('aborted', () => this.#failBody(stream, BODY_TRUNCATED));
  }

  #bodyData(stream: ServerHttp2Stream, chunk: Buffer): void {
    if (stream !== this.#stream) return;
    const { bodyBytesMax } = this.#context.limits;
    this.#bodyBytes += chunk.length;
    this.#deadlines.restartBody();
    if (this.#tunnel !== null) this.#tunnel.fromClient(chunk);
    else if (this.#exchange.state !== 'served' || this.#isBodyWhole) return;
    else if (bodyBytesMax > 0 && this.#bodyBytes > bodyBytesMax) this.#failBody(stream, tooLong(bodyBytesMax));
    else this.#exchange.bodyData(chunk);
    this.#settleFlow(stream);
  }

  #bodyEnded(stream: ServerHttp2Stream): void {
    if (stream !== this.#stream) return;
    if (this.#tunnel !== null) {
      this.#tunnel.clientEnded();
      return;
    }
    if (this.#isBodyWhole) return;
    this.#isBodyWhole = true;
    this.#deadlines.await('nothing');
    if (this.#exchange.state === 'served') this.#exchange.bodyEnded(this.#trailers);
  }

  #noteTrailers(stream: ServerHttp2Stream, raw: string[]): void {
    if (stream !== this.#stream) return;
    this.#trailers = raw;
    if (raw.some((name, index) => index % 2 === 0 && isHeadOnly(name))) this.#failBody(stream, TRAILER_BAD);
  }

  #failBody(stream: ServerHttp2Stream, fault: BodyFault): void {
    if (stream !== this.#stream || this.#isBodyWhole) return;
    this.#isBodyWhole = true;
    const { status, code, message } = fault;
    const text = `The request cannot be served: ${message}.`;
    this.#exchange.fail({ status, code, message: text, developer: [] });
  }

  /** Reads on only while the channel takes more: the window of the stream does the rest. */
  #settleFlow(stream: ServerHttp2Stream): void {
    const isFull = this.#tunnel === null ? this.#exchange.isFull : this.#tunnel.isFull;
    if (isFull) stream.pause();
    else if (stream.isPaused()) stream.resume();
    if (this.#tunnel === null && !this.#isBodyWhole) this.#deadlines.await(isFull ? 'nothing' : 'body');
  }

  channelWritable(): void {
    if (this.#stream !== null && this.#isBodyWanted) this.#settleFlow(this.#stream);
  }

  // --- the answer

  answerStarts(): boolean {
    return true;
  }

  answered(): void {
    this.finishSoon();
  }

  upgraded(channel: Channel): void {
    this.#tunnel = new Tunnel(channel, {
      bytes: (slice) => this.#answer.bytes(slice),
      end: () => this.#answer.end([]),
    });
    this.#isBodyWanted = false;
    this.bodyWanted();
    this.#deadlines.await('nothing');
    this.finishSoon();
  }

  tunnelData(slice: Buffer): void {
    this.#tunnel!.fromApp(slice);
  }

  tunnelEnded(): void {
    this.#tunnel!.appEnded();
    this.finishSoon();
  }

  /** The app gave its connection up; the client's carries other streams. */
  closeBehind(): void {
    this.#isReusable = false;
    if (this.#tunnel !== null) this.tunnelEnded();
  }

  /** A reset. Closing with a code would end the body first, and the part that is out would seem whole. */
  abort(): void {
    const stream = this.#stream;
    this.#isReusable = false;
    this.#exchange.clientGone();
    stream?.destroy(new Error('the answer cannot be completed'));
  }

  breakOff(): void {
    this.abort();
  }

  finishSoon(): void {
    if (this.#isFinishingSoon) return;
    this.#isFinishingSoon = true;
    this.#context.turn.add(this);
  }

  finishTurn(): void {
    this.#isFinishingSoon = false;
    this.#answer.flush();
    if (!this.#answer.isStalled) this.#exchange.settleCredit();
    const stream = this.#stream;
    const isOver = this.#answer.state === 'ended' && this.#exchange.state === 'idle';
    if (stream === null || !isOver || this.#tunnel !== null || stream.readableEnded) return;
    // Node takes the end of a request without a body by itself, and then ends the stream without making errors.
    if (this.#isBodiless) return;
    // RFC 9113 8.1: the rest of the body is of no use to anybody.
    if (this.#isBodyWhole) stream.resume();
    else stream.once('finish', () => stream.close(NO_ERROR));
  }

  tick(now: number): void {
    this.#exchange.tick(now);
    const stream = this.#stream;
    if (stream === null) return;
    const overdue = this.#deadlines.tick(now, {
      payloadBytes: this.#bodyBytes,
      hasUnsent: this.#answer.hasUnsent,
      sendProgress: this.#answer.sendProgress,
      isHalfClosed: false,
    });
    this.#endStuck(stream, now);
    if (overdue === 'body') this.#failBody(stream, BODY_TOO_SLOW);
    else if (overdue === 'stalled') this.abort();
  }

  /** An answer that is out ends its stream, unless nghttp2 gave the connection up: it does not say so. */
  #endStuck(stream: ServerHttp2Stream, now: number): void {
    if (!stream.writableFinished || this.#tunnel !== null) this.#stuckDeadline = NEVER;
    else if (this.#stuckDeadline === NEVER) this.#stuckDeadline = this.#context.ticker.deadline(STUCK_MS);
    else if (now >= this.#stuckDeadline) this.abort();
  }
}
