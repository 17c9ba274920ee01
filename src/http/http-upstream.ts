// Exchanges with a backend that speaks HTTP/1.1, over pooled connections. Only a request that may be repeated goes
// on a connection that was used before: the backend may be closing it at that moment, and then the request is sent
// once more, on a fresh one. Whatever waits for the backend has a deadline.
//
//   connection   dialing ──▶ used ──answer whole, both keep it──▶ free ──request──▶ used
//                any ──end, error, a byte while free, idle for too long──▶ closed

import { assert } from '../base/assert.ts';
import type { ErrorCode } from '../base/host-error.ts';
import { CREDIT_WINDOW_BYTES } from '../base/limits.ts';
import type { BackendAddress } from '../wire/backend-address.ts';
import type { ClientCertificate, LinkRequest, Origin } from '../wire/link-messages.ts';
import { BackendConnection, type ConnectionUser } from './backend-connection.ts';
import { backendRequest, clientCertFields, isRepeatable, type ClientCertMode } from './backend-request.ts';
import { chunkEnd, chunkHead } from './chunked.ts';
import type { FrontContext } from './front-context.ts';
import { stepChannel, type ChannelEvent, type ChannelState } from './link-upstream.ts';
import { ResponseReader, type PushResult, type ResponseHead } from './response-reader.ts';
import { NEVER, type Ticked } from './ticker.ts';
import type { ExchangeOwner, Upstream, UpstreamChannel } from './upstream.ts';

type BackendContext = Pick<FrontContext, 'limits' | 'clock' | 'ticker'>;

/** How a request to a backend ended without a whole answer. */
type Breach = 'unreachable' | 'lost' | 'timed-out';

const BREACHES: Record<Breach, { status: number; code: ErrorCode; message: string }> = {
  unreachable: {
    status: 502, code: 'UPSTREAM_UNREACHABLE', message: 'The backend cannot be reached.',
  },
  lost: {
    status: 502, code: 'UPSTREAM_LOST', message: 'The backend closed the connection before it answered.',
  },
  'timed-out': {
    status: 504, code: 'UPSTREAM_TIMED_OUT', message: 'The backend did not answer in time.',
  },
};

/** One client connection, as far as the backend is concerned. Holds a connection only during an exchange. */
class HttpChannel implements UpstreamChannel, ConnectionUser {
  readonly link: HttpUpstream;
  #owner: ExchangeOwner;
  /** The certificate of the client whose exchange this is. */
  #client: ClientCertificate | undefined;
  #state: ChannelState = 'idle';
  #connection: BackendConnection | null = null;
  /** Kept while it may have to be sent again. */
  #request: LinkRequest | null = null;
  #reader: ResponseReader;
  #isChunked = false;
  #isSent = false;
  #hasAnswered = false;
  /** The backend ends its connection behind this answer. */
  #closes = false;
  /** Bytes that the client has not taken yet. */
  #unconsumed = 0;
  #isPaused = false;
  #deadline = NEVER;

  constructor(link: HttpUpstream, owner: ExchangeOwner) {
    this.link = link;
    this.#owner = owner;
    this.#reader = this.#newReader();
  }

  get state(): ChannelState {
    return this.#state;
  }

  get isFull(): boolean {
    return this.#connection !== null && this.#connection.socket.writableNeedDrain;
  }

  request(request: LinkRequest, origin: Origin): void {
    this.#step('request');
    this.#client = origin.tls?.client;
    this.#isSent = request.ended;
    this.#unconsumed = 0;
    const free = isRepeatable(request) ? this.link.take(this) : null;
    this.#request = free === null ? null : request;
    this.#send(request, free ?? this.link.dial(this));
  }

  #send(request: LinkRequest, connection: BackendConnection): void {
    this.#connection = connection;
    this.#hasAnswered = false;
    this.#closes = false;
    this.#reader = this.#newReader();
    this.#reader.start(request.method);
    const { address, clientCert } = this.link;
    const certificate = clientCertFields(this.#client, clientCert);
    const { head, isChunked } = backendRequest(request, address.authority, certificate);
    this.#isChunked = isChunked;
    connection.socket.write(head, 'latin1');
    this.#restartDeadline();
  }

  data(piece: Buffer, isShared = false): void {
    const socket = this.#connection?.socket;
    if (socket === undefined || piece.length === 0) return;
    const slice = isShared ? Buffer.from(piece) : piece;
    if (this.#state === 'busy' && this.#isChunked) {
      socket.cork();
      socket.write(chunkHead(slice.length), 'latin1');
      socket.write(slice);
      socket.write('\r\n', 'latin1');
      socket.uncork();
    } else {
      socket.write(slice);
    }
    this.#restartDeadline();
  }

  end(trailers: readonly string[] = []): void {
    if (this.#connection === null) return;
    if (this.#state === 'tunnel') {
      this.#connection.socket.end();
      return;
    }
    this.#isSent = true;
    if (this.#isChunked) this.#connection.socket.write(chunkEnd([...trailers]), 'latin1');
    this.#restartDeadline();
  }

  consumed(bytes: number): void {
    this.#unconsumed = Math.max(0, this.#unconsumed - bytes);
    if (!this.#isPaused || this.#unconsumed > CREDIT_WINDOW_BYTES / 2) return;
    this.#isPaused = false;
    this.#connection?.socket.resume();
    this.#restartDeadline();
  }

  upgrade(): void {
    this.#step('upgraded');
    this.#deadline = NEVER;
  }

  close(): void {
    if (this.#state !== 'gone') this.#leave();
  }

  // --- from the connection

  connected(): void {
    this.#restartDeadline();
  }

  received(chunk: Buffer): void {
    this.#hasAnswered = true;
    this.#request = null;
    // Read before the owner does: it may hang up inside.
    const result: PushResult = this.#state === 'tunnel' ? 'upgraded' : this.#reader.push(chunk);
    this.#unconsumed += chunk.length;
    if (this.#unconsumed > CREDIT_WINDOW_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#connection!.socket.pause();
    }
    this.#restartDeadline();
    this.#owner.channelData(chunk, 0, chunk.length);
    if (result === 'ended' && this.#state === 'busy') this.#finish();
  }

  ended(): void {
    if (this.#state === 'tunnel') this.#owner.channelEnded();
    else if (this.#reader.finish() === 'ended') this.#finish();
    else this.#broken('lost');
  }

  drained(): void {
    this.#restartDeadline();
    this.#owner.channelWritable();
  }

  closed(error: Error | null): void {
    const isTunnel = this.#state === 'tunnel';
    const wasDialing = this.#connection!.socket.bytesRead === 0 && isRefused(error);
    if (!isTunnel) {
      this.#broken(wasDialing ? 'unreachable' : 'lost');
      return;
    }
    this.#leave();
    // Without an error both halves have ended, and the client knows.
    if (error !== null) this.#owner.channelLost();
  }

  /** Looks at the deadline. */
  tick(now: number): void {
    if (this.#state !== 'busy' || this.#isPaused) return;
    const { socket } = this.#connection!;
    // It is the client that is waited for, and it has deadlines of its own.
    if (!this.#isSent && socket.writableLength === 0) this.#restartDeadline();
    if (now >= this.#deadline) this.#fail('timed-out');
  }

  /** The answer is whole. */
  #finish(): void {
    const connection = this.#connection!;
    this.#connection = null;
    this.#deadline = NEVER;
    if (this.#isPaused) connection.socket.resume();
    this.#isPaused = false;
    // A request that was not sent whole leaves the backend in the midst of a body.
    if (this.#isSent && !this.#closes) this.link.give(connection);
    else connection.drop();
    this.#step('app-ended');
    this.#owner.channelEnded();
  }

  #broken(breach: Breach): void {
    const request = this.#request;
    const isRepeated = request !== null && this.#connection!.isReused && !this.#hasAnswered;
    if (!isRepeated) {
      this.#fail(breach);
      return;
    }
    this.#request = null;
    this.#connection!.drop();
    this.#send(request, this.link.dial(this));
  }

  #fail(breach: Breach): void {
    this.#leave();
    this.#owner.channelFailed({ ...BREACHES[breach], developer: [] });
  }

  #leave(): void {
    const connection = this.#connection;
    this.#connection = null;
    this.#request = null;
    this.#deadline = NEVER;
    connection?.drop();
    this.#step('gone');
  }

  #restartDeadline(): void {
    if (this.#state !== 'busy') return;
    this.#deadline = this.link.deadline(this.#connection!.isDialing);
  }

  /** Watches the answer pass: where it ends, and whether the connection can be kept. */
  #newReader(): ResponseReader {
    return new ResponseReader({
      informational() {},
      head: (head: ResponseHead) => {
        this.#closes = head.closes || head.body.kind === 'close';
      },
      data() {},
      end() {},
    });
  }

  #step(event: ChannelEvent): void {
    const before = this.#state;
    this.#state = stepChannel(before, event);
    if (before !== this.#state) this.link.channelMoved(this, before, this.#state);
  }
}

/** The connection was never made. */
function isRefused(error: Error | null): boolean {
  return error !== null && (error as NodeJS.ErrnoException).syscall !== 'read'
    && (error as NodeJS.ErrnoException).syscall !== 'write';
}

/** A backend and the connections to it. */
export class HttpUpstream implements Upstream, Ticked {
  readonly isHop = true;
  readonly address: BackendAddress;
  readonly clientCert: ClientCertMode;
  /** Exchanges under way, tunnels not counted. */
  active = 0;
  #context: BackendContext;
  #onRoom: () => void;
  readonly isHeld = false;
  #isRetired = false;
  /** The one that was used last is the last. */
  #free: BackendConnection[] = [];
  #connections = new Set<BackendConnection>();
  #busy = new Set<HttpChannel>();

  /** `onRoom`: an exchange is over. */
  constructor(options: {
    address: BackendAddress;
    clientCert?: ClientCertMode;
    context: BackendContext;
    onRoom: () => void;
  }) {
    this.address = options.address;
    this.clientCert = options.clientCert ?? 'off';
    this.#context = options.context;
    this.#onRoom = options.onRoom;
    this.#context.ticker.add(this);
  }

  /** Connections that wait for a request. */
  get freeConnections(): number {
    return this.#free.length;
  }

  hasRoom(concurrencyMax: number): boolean {
    return !this.#isRetired && this.active < concurrencyMax;
  }

  open(owner: ExchangeOwner): UpstreamChannel {
    return new HttpChannel(this, owner);
  }

  /** Gets nothing new; what is under way may finish. */
  retire(): void {
    this.#isRetired = true;
    for (const connection of this.#free) connection.drop();
    this.#free = [];
    if (this.#busy.size === 0) this.#context.ticker.remove(this);
  }

  /** Cuts everything. */
  close(): void {
    this.#isRetired = true;
    this.#context.ticker.remove(this);
    for (const connection of [...this.#connections]) connection.socket.destroy();
  }

  // --- from the channels

  /** The freshest of the free connections, if one is fresh enough. */
  take(user: ConnectionUser): BackendConnection | null {
    const { clock, limits } = this.#context;
    const connection = this.#free.pop();
    if (connection === undefined) return null;
    if (connection.socket.destroyed || clock.now() - connection.freeSinceMs >= limits.upstreamIdleTimeoutMs) {
      // Those before it are older still.
      this.#free.push(connection);
      this.#dropFree(0);
      return null;
    }
    connection.user = user;
    return connection;
  }

  dial(user: ConnectionUser): BackendConnection {
    const connection = new BackendConnection({
      address: this.address,
      user,
      onClosed: (closed) => {
        this.#connections.delete(closed);
        const index = this.#free.indexOf(closed);
        if (index >= 0) this.#free.splice(index, 1);
      },
    });
    this.#connections.add(connection);
    return connection;
  }

  give(connection: BackendConnection): void {
    const { clock, limits } = this.#context;
    if (this.#isRetired || connection.socket.destroyed) {
      connection.drop();
      return;
    }
    assert(!this.#free.includes(connection), 'a connection is given back once');
    connection.user = null;
    connection.isReused = true;
    connection.freeSinceMs = clock.now();
    this.#free.push(connection);
    this.#dropFree(limits.upstreamIdleMax);
  }

  deadline(isDialing: boolean): number {
    const { limits, ticker } = this.#context;
    return ticker.deadline(isDialing ? limits.upstreamConnectTimeoutMs : limits.upstreamAnswerTimeoutMs);
  }

  channelMoved(channel: HttpChannel, before: ChannelState, after: ChannelState): void {
    if (after === 'busy') {
      this.active += 1;
      this.#busy.add(channel);
      return;
    }
    if (before !== 'busy') return;
    this.active -= 1;
    this.#busy.delete(channel);
    if (this.#isRetired && this.#busy.size === 0) this.#context.ticker.remove(this);
    this.#onRoom();
  }

  tick(now: number): void {
    for (const channel of [...this.#busy]) channel.tick(now);
    const { clock, limits } = this.#context;
    const oldestMs = clock.now() - limits.upstreamIdleTimeoutMs;
    while (this.#free.length > 0 && this.#free[0]!.freeSinceMs <= oldestMs) this.#free.shift()!.drop();
  }

  /** Closes the oldest free connections until no more than that many are left. */
  #dropFree(countMax: number): void {
    while (this.#free.length > countMax) this.#free.shift()!.drop();
  }
}
