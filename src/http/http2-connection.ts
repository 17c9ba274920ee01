// One client connection, HTTP/2: streams become exchanges. Bounds what a client can make the front do without
// asking for anything: streams at a time, resets, pings, settings, idle time.

import type * as http2 from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import type { Origin } from '../wire/link-messages.ts';
import { watchPeer } from './client-socket.ts';
import type { FrontContext } from './front-context.ts';
import { Http2Exchange, type Http2ExchangeOwner } from './http2-exchange.ts';
import { readHttp2Head } from './http2-head.ts';
import { originOf } from './socket-origin.ts';
import { NEVER, type Ticked } from './ticker.ts';

/** Exchanges that are kept for further streams. */
const IDLE_EXCHANGES_MAX = 16;
/** What a client may send before it is told to go on: of a stream, of all. */
const STREAM_WINDOW_BYTES = 262_144;
const CONNECTION_WINDOW_BYTES = 1_048_576;
/** Memory that nghttp2 may take for one connection, in MB: node's default. */
const SESSION_MEMORY_MB = 10;
/** How long a client that was told goodbye may keep its half of the connection open. */
const LINGER_MS = 5000;
/** Of the nuisances allowed at a time, so many are forgiven each second. */
const FORGIVEN_SHARE = 10;

/** Heads that are too large by less than this are answered with 431; others are reset. */
const HEAD_ROOM_BYTES = 16_384;
const HEAD_ROOM_FIELDS = 50;

type HandshakeOptions = http2.ServerOptions & { maxSettings?: number };
/** Node's way to HTTP/2 on a socket that was accepted elsewhere; its types come with later versions. */
interface Handshakes {
  performServerHandshake(socket: Duplex, options: HandshakeOptions): http2.ServerHttp2Session;
}
/** Loaded with the first such connection: it costs 4 MB, and fronts without TLS never need it. */
const handshakes = (): Handshakes => process.getBuiltinModule('node:http2') as unknown as Handshakes;
const FLAG_END_STREAM = 0x1;
/** RFC 9113 7. */
const PROTOCOL_ERROR = 0x1;
const ENHANCE_YOUR_CALM = 0xb;

/** See the file head. */
export class Http2Connection implements Http2ExchangeOwner, Ticked {
  #socket: Socket;
  #context: FrontContext;
  #onClosed: (connection: Http2Connection) => void;
  #session: http2.ServerHttp2Session;
  #origin: Origin | null = null;
  #active = new Set<Http2Exchange>();
  #idle: Http2Exchange[] = [];
  #requests = 0;
  #nuisances = 0;
  #idleDeadline: number;
  #isOver = false;
  #isLetGo = false;
  #isWatched = false;

  constructor(socket: Socket, context: FrontContext, onClosed: (connection: Http2Connection) => void) {
    this.#socket = socket;
    this.#context = context;
    this.#onClosed = onClosed;
    const { headBytesMax, headFieldsMax, http2StreamsMax, keepAliveTimeoutMs } = context.limits;
    this.#idleDeadline = context.ticker.deadline(keepAliveTimeoutMs);
    this.#session = handshakes().performServerHandshake(socket, {
      maxHeaderListPairs: headFieldsMax + HEAD_ROOM_FIELDS,
      maxSessionMemory: SESSION_MEMORY_MB,
      settings: {
        maxConcurrentStreams: http2StreamsMax,
        maxHeaderListSize: headBytesMax + HEAD_ROOM_BYTES,
        initialWindowSize: STREAM_WINDOW_BYTES,
        enableConnectProtocol: true,
        enablePush: false,
      },
    });
    this.#listen(this.#session);
    // Listeners let clients close their half first; one that does so asks for nothing more.
    socket.on('end', () => this.drain());
    context.ticker.add(this);
  }

  get origin(): Origin {
    this.#origin ??= originOf(this.#socket);
    return this.#origin;
  }

  #listen(session: http2.ServerHttp2Session): void {
    this.#destroyGently(session);
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.on('stream', (stream: http2.ServerHttp2Stream, ...rest: unknown[]) => {
      // Untyped: the fields as they came are the fourth argument.
      const [, flags, raw] = rest as [unknown, number, string[]];
      this.#stream(stream, flags, raw);
    });
    session.on('ping', () => this.#nuisance());
    session.on('remoteSettings', () => this.#nuisance());
    // The reason does not matter: `close` follows.
    session.on('error', () => session.destroy());
    session.on('close', () => this.#closed());
    // After some errors of the session only its socket says that it is over.
    this.#socket.on('close', () => this.#closed());
  }

  /** Whoever asks for it, node itself too. */
  #destroyGently(session: http2.ServerHttp2Session): void {
    const destroy = session.destroy.bind(session);
    const leave = (error: Error, code?: number): void => {
      this.#socket.destroy();
      setImmediate(destroy, error, code);
    };
    const perform = (error?: Error, code?: number): void => {
      if (!(error instanceof Error) || session.destroyed) {
        destroy(error, code);
        return;
      }
      // Node keeps a session for ever that fails when its client is gone, unless its socket goes first. Before that the
      // client hears why: a further word of ours has nghttp2 send its own, which is right and stands in line.
      session.goaway(code ?? PROTOCOL_ERROR);
      setImmediate(() => setImmediate(leave, error, code));
    };
    // Never while nghttp2 reads a frame: with a frame of a wrong size behind it nghttp2 would end the whole process.
    session.destroy = (error?: Error, code?: number) => void setImmediate(perform, error, code);
  }

  #stream(stream: http2.ServerHttp2Stream, flags: number, raw: string[]): void {
    const { limits } = this.#context;
    if (this.#isLetGo) {
      stream.destroy();
      return;
    }
    this.#context.requests += 1;
    this.#requests += 1;
    this.#idleDeadline = NEVER;
    const exchange = this.#idle.pop() ?? new Http2Exchange(this.#context, this);
    this.#active.add(exchange);
    const result = readHttp2Head(raw, (flags & FLAG_END_STREAM) !== 0, limits);
    if (result.kind === 'bad') exchange.refuse(stream, result);
    else exchange.begin(stream, result.head);
    if (this.#requests === limits.requestsPerConnectionMax) this.drain();
  }

  streamOver(exchange: Http2Exchange, outcome: { isReusable: boolean; isNuisance: boolean }): void {
    this.#active.delete(exchange);
    if (outcome.isReusable && this.#idle.length < IDLE_EXCHANGES_MAX) this.#idle.push(exchange);
    else exchange.leave();
    if (this.#active.size === 0) {
      this.#idleDeadline = this.#context.ticker.deadline(this.#context.limits.keepAliveTimeoutMs);
    }
    if (outcome.isNuisance) this.#nuisance();
  }

  /** RFC 9113 10.5: who makes work for nothing is let go. */
  #nuisance(): void {
    this.#nuisances += 1;
    if (this.#nuisances <= this.#context.limits.http2NuisancesMax || this.#isLetGo) return;
    this.#isLetGo = true;
    this.#context.log.debug('http2-nuisance', { client: this.origin.remoteAddress });
    this.#session.destroy(undefined, ENHANCE_YOUR_CALM);
  }

  #closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#context.ticker.remove(this);
    for (const exchange of [...this.#active, ...this.#idle]) exchange.leave();
    this.#active.clear();
    this.#idle = [];
    this.#socket.destroy();
    this.#onClosed(this);
  }

  /** Says that nothing new is taken (GOAWAY); ends when the streams under way do. */
  drain(): void {
    if (!this.#session.closed && !this.#session.destroyed) this.#session.close();
  }

  abort(): void {
    this.#session.destroy();
  }

  tick(now: number): void {
    const { http2NuisancesMax } = this.#context.limits;
    if (!this.#isWatched) watchPeer(this.#socket);
    this.#isWatched = true;
    this.#nuisances = Math.max(0, this.#nuisances - Math.ceil(http2NuisancesMax / FORGIVEN_SHARE));
    for (const exchange of [...this.#active]) exchange.tick(now);
    if (now < this.#idleDeadline) return;
    if (this.#session.closed || this.#session.destroyed) {
      this.#socket.destroy();
      return;
    }
    this.#idleDeadline = this.#context.ticker.deadline(LINGER_MS);
    this.drain();
  }
}
