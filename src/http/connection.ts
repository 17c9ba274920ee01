// One client connection, HTTP/1.x: performs on its socket what connection-state.ts decides. Requests are read
// one after the other and answered in order; while one is under way, what follows waits in a bounded buffer.
// Nothing here lasts for ever: see the deadlines. Everything of a turn is written at once.

import type { Socket } from 'node:net';
import type { ErrorCode } from '../base/host-error.ts';
import type { Origin } from '../wire/link-messages.ts';
import { ClientInput } from './client-input.ts';
import { ClientProbe } from './client-probe.ts';
import { ownSocket, watchPeer, type SocketOwner } from './client-socket.ts';
import { ConnectionDeadlines, type Awaited } from './connection-deadlines.ts';
import { ClientOutput } from './client-output.ts';
import {
  afterAnswer, stepKeepAlive, stepReading, stepWriting,
  type ConnectionEvent, type KeepAlive, type Reading, type Writing,
} from './connection-state.ts';
import { Exchange, type ExchangeClient } from './exchange.ts';
import type { FrontContext, TurnMember } from './front-context.ts';
import type { UpstreamChannel } from './upstream.ts';
import { BODY_TOO_SLOW, BODY_TRUNCATED, RequestBody, type BodyFault } from './request-body.ts';
import type { RequestHead, RequestHeadParser } from './request-head.ts';
import type { Ticked } from './ticker.ts';
import { giveParser, takeParser } from './spare-parsers.ts';
import { cutSocket, originOf } from './socket-origin.ts';
import { Tunnel } from './upgrade.ts';

/** Bytes behind a request under way that are read ahead; more stay in the kernel. */
export const HELD_BYTES_MAX = 65_536;
/** Bytes that are read and thrown away: the rest of a body to keep the connection, what comes after our end. */
export const DISCARD_BYTES_MAX = 67_108_864;
/** See the file head. */
export class Connection implements ExchangeClient, SocketOwner, Ticked, TurnMember {
  #socket: Socket;
  #context: FrontContext;
  #onClosed: (connection: Connection) => void;
  #input = new ClientInput();
  #output: ClientOutput;
  /** While inside a head. */
  #parser: RequestHeadParser | null = null;
  #isLenient: boolean;
  #body: RequestBody;
  #exchange: Exchange;
  #tunnel: Tunnel | null = null;
  #reading: Reading = 'head';
  #writing: Writing = 'idle';
  #keepAlive: KeepAlive = 'keep';
  #origin: Origin | null = null;
  #requests = 0;
  /** Payload of the body when the rest of it began to be thrown away. */
  #discardedFrom = 0;
  #lingeredBytes = 0;
  #isUpgradeAsked = false;
  #isPaused = false;
  #isAdvancing = false;
  #isFinishingSoon = false;
  #isWatched = false;
  #deadlines: ConnectionDeadlines;
  #probe: ClientProbe | null = null;

  /** `isLenient`: see docs/refusals.md. */
  constructor(socket: Socket, context: FrontContext, onClosed: (connection: Connection) => void, isLenient = false) {
    this.#socket = socket;
    this.#context = context;
    this.#onClosed = onClosed;
    this.#output = new ClientOutput(socket);
    this.#deadlines = new ConnectionDeadlines(context.limits, context.ticker);
    this.#isLenient = isLenient;
    this.#exchange = new Exchange(context, this, this.#output);
    this.#body = new RequestBody(context.limits.bodyBytesMax, this);
    ownSocket(socket, this);
    context.ticker.add(this);
    this.#settle();
  }

  /** Where the client is; told once, since asking the socket costs. */
  get origin(): Origin {
    return (this.#origin ??= originOf(this.#socket));
  }

  get isBodyWhole(): boolean {
    return this.#body.isWhole;
  }
  get keepsAlive(): boolean {
    return this.#keepAlive === 'keep' && !this.#context.isDraining;
  }
  get isBodyTooLong(): boolean {
    return this.#body.isTooLong;
  }
  get #isAnswerDue(): boolean {
    return this.#writing === 'waiting' || this.#writing === 'answering';
  }

  /** Answers what is under way, then closes; at once if nothing is. */
  drain(): void {
    this.#step('last');
    if (this.#reading === 'head' && this.#input.length === 0) this.#finish();
  }

  /** Answers without reading anything, then closes. */
  turnAway(message: string): void {
    this.#refuseUnread(503, 'CONNECTIONS_EXHAUSTED', message);
  }

  // --- from the socket

  socketBytes(buffer: Buffer, length: number, isShared: boolean): void {
    if (this.#reading === 'linger') {
      this.#lingeredBytes += length;
      if (this.#lingeredBytes > DISCARD_BYTES_MAX) this.#socket.destroy();
      return;
    }
    this.#deadlines.restartBody();
    this.#input.append(buffer, length, isShared);
    // Pieces of a head are never kept, and of a body the channel takes copies; pieces of all else are.
    if (this.#reading !== 'head' && this.#reading !== 'body') this.#input.own();
    this.#advance();
    this.#input.own();
  }

  socketEnded(): void {
    this.#input.isEnded = true;
    this.#advance();
    if (!this.#isAnswerDue) return;
    (this.#probe ??= new ClientProbe(this.#context.clock, () => this.#sendProbe())).start();
  }

  socketDrained(): void {
    this.#exchange.settleCredit();
    this.#advance();
  }

  socketFinished(): void {
    this.#settle();
  }

  socketClosed(): void {
    this.#probe?.stop();
    this.#context.ticker.remove(this);
    this.#input.clear();
    this.#exchange.clientGone();
    this.#onClosed(this);
  }

  // --- reading

  /** Reads as far as it goes. */
  #advance(): void {
    // An answer made inside calls back: the loop goes on by itself then.
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    while (this.#readOn());
    this.#isAdvancing = false;
    this.#settle();
  }

  /** One step. False: nothing more can be done now. */
  #readOn(): boolean {
    switch (this.#reading) {
      case 'head':
        return this.#readHead();
      case 'body':
        return !this.#exchange.isFull && this.#readBody();
      case 'discard':
        return this.#readBody();
      case 'tunnel':
        return this.#readTunnel();
      case 'hold':
        return false;
      case 'linger':
        this.#input.clear();
        return false;
    }
  }

  #readHead(): boolean {
    const input = this.#input;
    // A client that takes no answers gets no more of them made.
    if (this.#output.isStalled) return false;
    if (input.length === 0) {
      if (input.isEnded) this.#finish();
      return false;
    }
    const parser = this.#parser ?? takeParser(this.#context.limits, this.#isLenient);
    const result = parser.parse(input.buffer, input.start, input.end);
    switch (result.kind) {
      case 'more':
        this.#parser = parser;
        if (input.isEnded) this.#finish();
        return false;
      case 'bad':
        this.#refuseUnread(result.status, result.code, `The request cannot be served: ${result.message}.`);
        return true;
      case 'head':
        this.#parser = null;
        giveParser(parser, this.#isLenient);
        input.consume(result.bytes);
        input.own();
        this.#begin(result.head);
        return true;
    }
  }

  #begin(head: RequestHead): void {
    this.#context.requests += 1;
    this.#requests += 1;
    this.#step('request');
    const isLast = this.#requests === this.#context.limits.requestsPerConnectionMax || !head.keepAlive;
    if (isLast || this.#context.isDraining) this.#step('last');
    this.#isUpgradeAsked = head.upgrade;
    this.#body.start(head.body);
    this.#deadlines.startBody();
    this.#exchange.begin(head);
  }

  #readBody(): boolean {
    const input = this.#input;
    if (input.length === 0) {
      if (input.isEnded) this.#failBody(BODY_TRUNCATED);
      return false;
    }
    const result = this.#body.push(input.buffer, input.start, input.end);
    switch (result.kind) {
      case 'more':
        input.clear();
        if (this.#reading !== 'discard') return true;
        if (this.#body.payloadBytes - this.#discardedFrom > DISCARD_BYTES_MAX) this.#finish();
        return true;
      case 'bad':
        this.#failBody(result);
        return true;
      case 'whole':
        input.consume(result.bytes);
        this.#bodyIsWhole(result.trailers);
        return true;
    }
  }

  #bodyIsWhole(trailers: string[]): void {
    const wasDiscarded = this.#reading === 'discard';
    this.#step('body-ended');
    if (wasDiscarded) this.#step('next');
    else this.#exchange.bodyEnded(trailers);
  }

  /** The body is wrong, too long or too slow. */
  #failBody(fault: BodyFault): void {
    this.#step('last');
    if (this.#writing !== 'waiting') {
      // What has been said or is being said cannot be taken back.
      if (this.#writing === 'idle') this.#finish();
      else this.abort();
      return;
    }
    this.#exchange.fail({ ...fault, message: `The request cannot be served: ${fault.message}.`, developer: [] });
  }

  #readTunnel(): boolean {
    const tunnel = this.#tunnel!;
    if (tunnel.isFull) return false;
    if (this.#input.length > 0) tunnel.fromClient(this.#input.take());
    else if (this.#input.isEnded) tunnel.clientEnded();
    return false;
  }

  /** From the body: a piece of payload. */
  bodyData(slice: Buffer): void {
    if (this.#reading === 'body') this.#exchange.bodyData(slice, this.#input.isShared);
  }

  // --- from the exchange

  bodyWanted(): void {
    this.#step('body-wanted');
    this.#advance();
  }

  channelWritable(): void {
    this.#advance();
  }

  answerStarts(closes: boolean): boolean {
    // What is not going to be read cannot be followed by a request: the client has to know.
    if (closes || this.#body.restBytes > DISCARD_BYTES_MAX || this.#context.isDraining) this.#step('last');
    this.#step('answer');
    return this.#keepAlive === 'keep';
  }

  answered(): void {
    this.#step('answered');
    // Bytes for a protocol that did not come about could be taken for a request: RFC 9931.
    if (this.#isUpgradeAsked && this.#input.length > 0) this.#step('last');
    const { restBytes } = this.#body;
    const after = afterAnswer({ keepAlive: this.#keepAlive, restBytes, discardBytesMax: DISCARD_BYTES_MAX });
    if (after === 'finish') {
      this.#finish();
    } else if (after === 'discard') {
      this.#discardedFrom = this.#body.payloadBytes;
      this.#step('body-unwanted');
    } else {
      this.#step('next');
    }
    this.finishSoon();
  }

  upgraded(channel: UpstreamChannel): void {
    this.#step('upgraded');
    this.#tunnel = new Tunnel(channel, this.#output);
    this.finishSoon();
  }

  tunnelData(slice: Buffer): void {
    this.#tunnel!.fromApp(slice);
  }

  tunnelEnded(): void {
    this.#tunnel!.appEnded();
    this.finishSoon();
  }

  closeBehind(): void {
    this.#step('last');
    const isBetween = this.#writing === 'idle' && this.#reading !== 'linger';
    if (isBetween || this.#writing === 'tunnel') this.#finish();
  }

  breakOff(): void {
    this.#step('finish');
    this.#input.clear();
    this.#output.flush();
    this.#socket.destroySoon();
    this.#exchange.clientGone();
  }

  /** A reset, so that a body that ends with the connection does not seem whole. */
  abort(): void {
    this.#step('finish');
    this.#input.clear();
    cutSocket(this.#socket);
    this.#exchange.clientGone();
  }

  finishSoon(): void {
    if (!this.#isFinishingSoon) this.#context.turn.add(this);
    this.#isFinishingSoon = true;
  }

  finishTurn(): void {
    this.#isFinishingSoon = false;
    this.#flush();
    // Only now: an app may close behind an answer, and its word came in the same turn.
    this.#advance();
    this.#flush();
  }

  #flush(): void {
    this.#output.flush();
    if (!this.#output.isStalled) this.#exchange.settleCredit();
  }

  // --- state, deadlines, ends

  #step(event: ConnectionEvent): void {
    this.#reading = stepReading(this.#reading, event);
    this.#writing = stepWriting(this.#writing, event);
    this.#keepAlive = stepKeepAlive(this.#keepAlive, event);
  }

  #refuseUnread(status: number, code: ErrorCode, message: string): void {
    this.#step('request');
    this.#step('last');
    this.#body.start({ kind: 'none' });
    this.#exchange.refuseUnread({ status, code, message, developer: [] });
  }

  /** Sends what waits, then our end; then waits for the client's. */
  #finish(): void {
    if (this.#writing === 'ended') return;
    this.#step('finish');
    this.#input.clear();
    this.#output.end();
    this.finishSoon();
  }

  /** Brings flow and deadline in line with the state. */
  #settle(): void {
    const pause = this.#mustPause();
    if (pause !== this.#isPaused) {
      this.#isPaused = pause;
      if (pause) this.#socket.pause();
      else this.#socket.resume();
    }
    this.#deadlines.await(this.#awaits());
  }

  #mustPause(): boolean {
    switch (this.#reading) {
      case 'hold':
      case 'head':
        return this.#input.length > HELD_BYTES_MAX && (this.#reading === 'hold' || this.#output.isStalled);
      case 'body':
        return this.#exchange.isFull;
      case 'tunnel':
        return this.#tunnel!.isFull;
      default:
        return false;
    }
  }

  #awaits(): Awaited {
    switch (this.#reading) {
      case 'head':
        if (this.#output.isStalled) return 'nothing';
        return this.#input.length === 0 ? 'request' : 'head';
      case 'body':
      case 'discard':
        return this.#isPaused ? 'nothing' : 'body';
      case 'linger':
        // Until all is sent the write stall counts.
        return this.#socket.writableFinished ? 'close' : 'nothing';
      default:
        return 'nothing';
    }
  }

  tick(now: number): void {
    if (!this.#isWatched) watchPeer(this.#socket);
    this.#isWatched = true;
    this.#exchange.tick(now);
    const overdue = this.#deadlines.tick(now, {
      payloadBytes: this.#body.payloadBytes,
      hasUnsent: this.#output.hasUnsent,
      sendProgress: this.#output.sendProgress,
      isHalfClosed: this.#input.isEnded && this.#isAnswerDue,
    });
    if (overdue === 'nothing') return;
    if (overdue === 'head') {
      this.#refuseUnread(408, 'REQUEST_TIMED_OUT', 'The head of the request did not arrive in time.');
    } else if (overdue === 'body') this.#failBody(BODY_TOO_SLOW);
    else if (overdue === 'request') this.#finish();
    else if (overdue === 'close') this.#socket.destroy();
    else this.abort();
    this.#settle();
  }

  #sendProbe(): boolean {
    if (!this.#isAnswerDue || this.#output.isStalled || !this.#exchange.probe()) return false;
    this.finishSoon();
    return true;
  }
}
