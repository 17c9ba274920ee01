// The light socket under node's own request and response: one per channel, for all its exchanges. While it
// carries HTTP, `write` turns what ServerResponse wrote straight into DATA frames and bodies go into the
// request; after an upgrade it is an ordinary Duplex of raw bytes.

import { AsyncResource } from 'node:async_hooks';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import { bodyPieceBytesMax } from '../base/queue-settings.ts';
import { CREDIT_WINDOW_BYTES } from '../base/limits.ts';
import { LINK, RESET_REASON, type Origin } from '../wire/link-messages.ts';
import { asBuffer, isByteText } from './byte-text.ts';
import { highWaterMarkOf, SocketFacade } from './socket-facade.ts';
import { answerMeta } from './answer-meta.ts';
import { stepChannel, type ChannelEvent, type ChannelState } from './channel-state.ts';
import { ChannelWriter, destroyedError } from './channel-writer.ts';
import type { ExchangeLink, WriteCallback } from './channel-writer.ts';

/** The parts of node's HTTP parser that node's own connection listener leaves on a socket. */
export interface NodeParser {
  incoming: IncomingMessage | null;
  /** Most items of the flat field list; 0 means no limit. */
  maxHeaderPairs: number;
  /** Node's handling of a request head. 2 means that the app wants the change of protocols. */
  onIncoming(incoming: IncomingMessage, keepAlive: boolean): number;
}

/** A request with the members that node's own modules use. */
export type NodeRequest = IncomingMessage & {
  joinDuplicateHeaders: boolean;
  upgrade: boolean | null;
  _dumped: boolean;
  _addHeaderLines(fields: string[], count: number): void;
};

type NodeResponse = ServerResponse & { _last: boolean };

/** What node's modules reach into: plain fields of the stream states. */
interface StreamStates {
  _writableState: { corked: number; length: number; needDrain: boolean };
  _readableState: { ended: boolean };
}

/** Node's `server.keepAliveTimeout` of a program that sets none. */
const KEEP_ALIVE_DEFAULT_MS = 5000;
const CREDIT_PORTION_BYTES = CREDIT_WINDOW_BYTES / 2;

function onResponsePrefinish(this: ServerResponse): void {
  (this.socket as ExchangeSocket | null)?.responseWhole(this);
}

/** See the head of the file. Made by serve-exchange.ts, which hands it the frames of its channel. */
export class ExchangeSocket extends SocketFacade {
  readonly channel: number;
  /** User code that a frame sets off runs in here, as node runs it in the scope of its parser. */
  readonly scope = new AsyncResource('HTTPINCOMINGMESSAGE', { requireManualDestroy: true });
  /** Called behind the listeners of 'close'. */
  onClosed: (() => void) | null = null;
  /** Listeners that node put on for HTTP: event, listener, …; an upgrade takes them off. */
  httpListeners: unknown[] = [];
  // Node's connection listener, request and response keep these on a socket.
  server: Server;
  parser: NodeParser | null = null;
  connecting = false;
  timeout = 0;
  _paused = false;
  /** Set by the program, for the answer under way. */
  cacheDuration: unknown = undefined;

  #link: ExchangeLink;
  #writer: ChannelWriter;
  #state: ChannelState = 'idle';
  /** Bytes mean nothing to us any more: set by an upgrade, also true when the tunnel is gone. */
  #isRaw = false;
  #response: NodeResponse | null = null;
  /** The request whose body comes. */
  #request: NodeRequest | null = null;
  /** Bytes that came off the wire and were not given back as credit. */
  #owed = 0;
  #bytesRead = 0;
  #timer: NodeJS.Timeout | null = null;
  #isTimeoutForIdle = false;
  /** The head of the answer has not gone out. */
  #isMetaDue = false;
  /** When the request began whose body still comes, as performance.now(); Infinity where none does. */
  #bodySinceMs = Number.POSITIVE_INFINITY;
  /** Bytes that were sent before this exchange. */
  #sentBefore = 0;
  /** What the front hears when the program destroys the socket. */
  #abortReason: number = RESET_REASON.APP_ABORTED;

  constructor(server: Server, link: ExchangeLink, channel: number, origin: Origin) {
    super(origin, { allowHalfOpen: true, ...highWaterMarkOf(server) });
    this.server = server;
    this.channel = channel;
    this.#link = link;
    this.#writer = new ChannelWriter(link, channel);
  }

  // Exchanges.

  /** It carries, or carried, a tunnel. */
  get isRaw(): boolean {
    return this.#isRaw;
  }

  /** No exchange is under way and nothing of the last one waits. */
  get isIdle(): boolean {
    return this.#state === 'idle' && this.#writer.isEmpty;
  }

  /** True, once, when the body under way takes longer than that. */
  isBodyOverdue(limitMs: number): boolean {
    if (performance.now() - this.#bodySinceMs < limitMs) return false;
    this.#bodySinceMs = Number.POSITIVE_INFINITY;
    return true;
  }

  /** A request starts; `isWhole` when no body follows. */
  begin(request: NodeRequest, isWhole: boolean): void {
    // What the app left unread of the last body holds up this exchange no longer.
    this.#settle(0);
    this.#request = request;
    this.cacheDuration = undefined;
    this.#isMetaDue = true;
    this.#sentBefore = this.#writer.sentBytes;
    this.#step('request');
    if (isWhole) this.#step('request-whole');
    else this.#bodySinceMs = performance.now();
    if (this.timeout > 0 && !this.#isTimeoutForIdle) this.#arm();
  }

  /** Node puts the response here that may write, and takes it off when it is finished. */
  get _httpMessage(): ServerResponse | null {
    return this.#response;
  }

  set _httpMessage(response: ServerResponse | null) {
    this.#response = response as NodeResponse | null;
    if (response !== null) {
      response.on('prefinish', onResponsePrefinish);
      return;
    }
    // Node threw away a body that nobody read: the front may stop sending it.
    if (this.#state === 'answered' && this.#request!._dumped) {
      this.#requestWhole([]);
      this.#step('body-dropped');
    }
    this.leaveIfClosing();
  }

  /** Everything of the response was written. A last one ends with the connection: see `_final`. */
  responseWhole(response: ServerResponse): void {
    if (response !== this.#response || this.#response._last) return;
    this.#step('response-whole');
  }

  /** A server that stopped listening gives its idle channels up; their clients are the front's. */
  leaveIfClosing(): void {
    if (this.isIdle && !this.server.listening) this.leave();
  }

  /** Gives the idle channel up and leaves the client connected. */
  leave(): void {
    this.#link.writer.number(LINK.RESET, this.channel, RESET_REASON.NO_SERVER);
    this.gone();
  }

  /** The channel is over: nothing more is sent. */
  gone(): void {
    this.#step('gone');
    // Bytes that arrived before a half close come before the close.
    const states = this as unknown as StreamStates;
    const isRead = !this.#isRaw || !states._readableState.ended || this.readableLength === 0;
    if (isRead) this.destroy();
    else this.once('end', () => this.destroy());
  }

  /** The request becomes a tunnel. */
  upgrade(): void {
    this.#writer.flush();
    this.#step('upgraded');
    this.#isRaw = true;
    this.#request = null;
  }

  #step(event: ChannelEvent): void {
    const before = this.#state;
    this.#state = stepChannel(before, event);
    if (this.#state !== 'idle' || before === 'idle') return;
    this.#writer.whenEmpty(this.#sendEnd);
  }

  readonly #sendEnd = (): void => {
    const { writer } = this.#link;
    if (!writer.retype(LINK.DATA, this.channel, LINK.LAST)) writer.empty(LINK.END, this.channel);
  };

  // Bytes from the front.

  /** DATA: a piece of the request body or of the tunnel. The buffer is the socket's. */
  receive(bytes: Buffer): void {
    this.#owed += bytes.length;
    this.#bytesRead += bytes.length;
    this.#timer?.refresh();
    const request = this.#request;
    if (this.#state === 'tunnel') this.push(bytes);
    else if (request !== null && !request.complete && !request._dumped) pushPieces(request, bytes);
    this.#settle();
  }

  /** END: the request is whole, or the client half-closed the tunnel. */
  receiveEnd(trailers: string[]): void {
    if (this.#state === 'tunnel') {
      this.push(null);
      // As a socket of node's does: 'end' comes without a reader when nothing is left to read.
      this.read(0);
    } else if (this.#state === 'receiving' || this.#state === 'answered') {
      this.#requestWhole(trailers);
      this.#step('request-whole');
      if (this.#response === null) this.leaveIfClosing();
    }
  }

  #requestWhole(trailers: string[]): void {
    const request = this.#request!;
    this.#bodySinceMs = Number.POSITIVE_INFINITY;
    request.complete = true;
    if (trailers.length > 0) request._addHeaderLines(trailers, trailers.length);
    request.push(null);
  }

  /** CREDIT: the front takes that many bytes more. */
  receiveCredit(bytes: number): void {
    const state = (this as unknown as StreamStates)._writableState;
    const writer = this.#writer;
    if (!writer.receiveCredit(bytes) || this.#isRaw || !state.needDrain) return;
    // Node passes 'drain' on only when nothing at all is left, collected text included.
    writer.flush();
    if (!writer.isEmpty) return;
    state.needDrain = false;
    this.emit('drain');
  }

  /** Gives back what the app took, in portions. `unread` bytes wait for the app. */
  #settle(unread: number = this.#unread()): void {
    const taken = this.#owed - unread;
    if (taken < CREDIT_PORTION_BYTES || this.#state === 'gone') return;
    this.#owed -= taken;
    this.#link.writer.number(LINK.CREDIT, this.channel, taken);
  }

  #unread(): number {
    if (this.#isRaw) return this.readableLength;
    return this.#request === null || this.#request.destroyed ? 0 : this.#request.readableLength;
  }

  override _read(): void {
    this.#settle();
  }

  /** Node resumes the socket when the app wants more of the request. */
  override resume(): this {
    if (this.#isRaw) Duplex.prototype.resume.call(this);
    else this.#settle();
    return this;
  }

  /** While it carries HTTP, the credit window is the bound and nothing here is stopped. */
  override pause(): this {
    if (this.#isRaw) Duplex.prototype.pause.call(this);
    return this;
  }

  // Bytes to the front.

  override write(
    chunk: unknown,
    encodingOrCallback?: BufferEncoding | WriteCallback | null,
    callback?: WriteCallback | null,
  ): boolean {
    if (this.#isRaw || this.writableEnded) {
      return Duplex.prototype.write.call(this, chunk, encodingOrCallback as never, callback as never);
    }
    const isCallback = typeof encodingOrCallback === 'function';
    const encoding = isCallback ? undefined : encodingOrCallback;
    const done = (isCallback ? encodingOrCallback : callback) ?? null;
    if (this.#state === 'gone') {
      if (done !== null) process.nextTick(done, destroyedError());
      return false;
    }
    const state = (this as unknown as StreamStates)._writableState;
    const writer = this.#writer;
    const collect = state.corked > 0;
    this.#timer?.refresh();
    if (this.#isMetaDue) this.#sendMeta();
    if (typeof chunk !== 'string') writer.bytes(asBuffer(chunk as Uint8Array), collect, done);
    else if (isByteText(chunk, encoding)) writer.text(chunk, collect, done);
    else writer.bytes(Buffer.from(chunk, encoding ?? 'utf8'), collect, done);
    if (writer.isEmpty) return true;
    state.needDrain = true;
    return false;
  }

  /** Ahead of the final head; interim ones are written before there is any. */
  #sendMeta(): void {
    const response = this.#response;
    if (response === null || !response.headersSent) return;
    this.#isMetaDue = false;
    const meta = answerMeta(response, this);
    if (meta !== null) this.#link.writer.json(LINK.META, this.channel, meta);
  }

  override uncork(): void {
    Duplex.prototype.uncork.call(this);
    if ((this as unknown as StreamStates)._writableState.corked === 0) this.#writer.flush();
  }

  /** Bytes that wait for credit, or to be uncorked. */
  get unsentBytes(): number {
    return this.#writer.length + (this as unknown as StreamStates)._writableState.length;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#timer?.refresh();
    if (this.#state === 'gone') callback(destroyedError());
    else this.#writer.bytes(chunk, false, callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: WriteCallback): void {
    this._write(Buffer.concat(chunks.map((item) => item.chunk)), 'latin1', callback);
  }

  /** The app ended the socket: a half close of a tunnel, else the end of the connection. */
  override _final(callback: WriteCallback): void {
    this.#writer.whenEmpty(() => {
      if (this.#state === 'tunnel') this.#sendEnd();
      else if (this.#state !== 'gone') this.#close();
      callback();
    });
  }

  #close(): void {
    if (this.#state !== 'idle') this.#sendEnd();
    this.#link.writer.empty(LINK.CLOSE, this.channel);
    this.#step('gone');
    process.nextTick(() => this.destroy());
  }

  // The end.

  override _destroy(error: Error | null, callback: WriteCallback): void {
    const writer = this.#link.writer;
    const isFinished = this.#state === 'tunnel' && this.writableFinished;
    const isRawAnswer = this.#isRawAnswer;
    if (isRawAnswer) this.#sendEnd();
    if (this.isIdle || isFinished || isRawAnswer) writer.empty(LINK.CLOSE, this.channel);
    else if (this.#state !== 'gone') writer.number(LINK.RESET, this.channel, this.#abortReason);
    this.#step('gone');
    this.#link.release(this.channel);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#writer.drop();
    callback(error);
    if (this.onClosed !== null) process.nextTick(this.onClosed);
  }

  /** The program wrote an answer to the socket itself, as handlers of 'clientError' do: it ends with the socket. */
  get #isRawAnswer(): boolean {
    const isBusy = this.#state === 'receiving' || this.#state === 'answering';
    const isUntouched = this.#response === null || !this.#response.headersSent;
    return isBusy && isUntouched && this.#writer.sentBytes > this.#sentBefore && this.#writer.isEmpty;
  }

  /** The client's connection is reset, too. */
  resetAndDestroy(): this {
    this.#abortReason = RESET_REASON.APP_RESET;
    return this.destroy();
  }

  // What programs ask a socket.

  /** Ms without traffic until 'timeout'. */
  setTimeout(timeoutMs: number, callback?: () => void): this {
    if (callback !== undefined) {
      if (timeoutMs === 0) this.removeListener('timeout', callback);
      else this.once('timeout', callback);
    }
    if (this.timeout !== timeoutMs && this.#timer !== null) {
      clearTimeout(this.#timer);
      this.#timer = null;
    }
    this.timeout = timeoutMs;
    // Node sets its keep-alive time between exchanges, and the server's own before the first.
    this.#isTimeoutForIdle = this.#state === 'idle' && this.#request !== null;
    if (timeoutMs > 0 && this.#mayExpire) this.#arm();
    return this;
  }

  #arm(): void {
    if (this.#timer === null) this.#timer = setTimeout(this.#expire, this.timeout).unref();
    else this.#timer.refresh();
  }

  /** Between exchanges the front's limit holds, unless the program chose one other than node's default. */
  get #mayExpire(): boolean {
    if (this.#state === 'idle') return this.#request !== null && this.server.keepAliveTimeout !== KEEP_ALIVE_DEFAULT_MS;
    return this.#state !== 'gone';
  }

  readonly #expire = (): void => {
    if (this.#mayExpire) this.emit('timeout');
  };

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get bytesWritten(): number {
    return this.#writer.sentBytes;
  }
}

Object.defineProperty(ExchangeSocket.prototype, 'writableLength', {
  configurable: true,
  get(this: ExchangeSocket) {
    return this.unsentBytes;
  },
});

/** HTTPSYS_BUFFER_SIZE: what programs got at most at a time. */
const PIECE_BYTES_MAX = bodyPieceBytesMax(process.env);

function pushPieces(request: IncomingMessage, bytes: Buffer): void {
  if (bytes.length <= PIECE_BYTES_MAX) {
    request.push(bytes);
    return;
  }
  for (let start = 0; start < bytes.length; start += PIECE_BYTES_MAX) {
    request.push(bytes.subarray(start, start + PIECE_BYTES_MAX));
  }
}
