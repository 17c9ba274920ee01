// From an accepted socket to a TLS connection: one door for each https listener. Bounds the time of a handshake
// and the number of those under way. What becomes of a secure connection is decided by its caller.
//
// Sockets are handed to node as they are. Only where the name that a client asks for has to be known before (see
// tls-servers.ts), its first bytes are read here: node's SNICallback takes over only one certificate of a context
// and would mix it with the default's.

import type * as tls from 'node:tls';
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { FrontLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { readClientHello } from './client-hello.ts';
import type { Door } from './preface-door.ts';
import { TlsServers } from './tls-servers.ts';
import type { TlsStore } from './tls-store.ts';

/** For those who speak HTTP to an https listener. */
const PLAIN_ANSWER = [
  'HTTP/1.1 400 Bad Request', 'Content-Type: text/plain', 'Connection: close', 'Content-Length: 34', '',
  'This port speaks https, not http.\n',
].join('\r\n');

/** What OpenSSL says of first bytes that are no TLS. */
const NOT_TLS = new Set(['ERR_SSL_HTTP_REQUEST', 'ERR_SSL_HTTPS_PROXY_REQUEST', 'ERR_SSL_WRONG_VERSION_NUMBER']);

export interface TlsDoorOptions {
  /** `https://host:port` as the host named the listener. */
  origin: string;
  store: TlsStore;
  clock: Clock;
  log: Log;
  limits(): FrontLimits;
}

/** A handshake under way. */
interface Handshake {
  deadlineMs: number;
  /** Gets the connection, once. */
  onSecure: (socket: tls.TLSSocket, isHttp2: boolean) => void;
}

/** The accepted socket below a secure one: node has no public name for it. */
function rawOf(secure: tls.TLSSocket): Socket | undefined {
  return (secure as unknown as { _parent?: Socket })._parent;
}

/** The reason does not matter: `close` follows. */
function destroy(this: Socket): void {
  this.destroy();
}

/** See the file head. */
export class TlsDoor implements Door {
  #options: TlsDoorOptions;
  #servers: TlsServers;
  /** By their accepted sockets; the oldest first. */
  #handshakes = new Map<Socket, Handshake>();
  #isTimed = false;
  readonly #onClose: (this: Socket) => void;

  constructor(options: TlsDoorOptions) {
    this.#options = options;
    const { origin, store, log } = options;
    this.#servers = new TlsServers({
      origin, store, log,
      onSecure: (socket, isStrict) => this.#secured(socket, isStrict),
      onFailed: (error, socket) => this.#failed(error, socket),
    });
    const handshakes = this.#handshakes;
    this.#onClose = function (): void {
      handshakes.delete(this);
    };
  }

  /** Begins a handshake. `onSecure` is not called when it fails: the socket closes then. */
  accept(socket: Socket, onSecure: (socket: tls.TLSSocket, isHttp2: boolean) => void): void {
    const { clock, log, origin } = this.#options;
    const { tlsHandshakesMax, tlsHandshakeTimeoutMs } = this.#options.limits();
    socket.on('error', destroy);
    if (this.#handshakes.size >= tlsHandshakesMax) {
      log.debug('handshake-refused', { origin, handshakes: this.#handshakes.size });
      socket.destroy();
      return;
    }
    this.#handshakes.set(socket, { deadlineMs: clock.now() + tlsHandshakeTimeoutMs, onSecure });
    socket.on('close', this.#onClose);
    if (!this.#isTimed) this.#time(tlsHandshakeTimeoutMs);
    // Who ends before the handshake does wants nothing.
    socket.allowHalfOpen = false;
    const server = this.#servers.shared;
    if (server === undefined) this.#readHello(socket);
    else begin(socket, server);
  }

  /** One timer for all handshakes: it is set for the oldest. */
  #time(afterMs: number): void {
    const { clock } = this.#options;
    this.#isTimed = true;
    clock.after(afterMs, () => {
      this.#isTimed = false;
      this.#cutOverdue(clock.now());
      const [oldest] = this.#handshakes.values();
      if (oldest !== undefined) this.#time(Math.max(1, oldest.deadlineMs - clock.now()));
    });
  }

  #cutOverdue(nowMs: number): void {
    const { log, origin } = this.#options;
    for (const [socket, { deadlineMs }] of [...this.#handshakes]) {
      if (deadlineMs > nowMs) continue;
      log.debug('handshake-timed-out', { origin, client: socket.remoteAddress });
      this.#handshakes.delete(socket);
      socket.destroy();
    }
  }

  #readHello(socket: Socket): void {
    let bytes: Buffer | null = null;
    const onData = (chunk: Buffer): void => {
      bytes = bytes === null ? chunk : Buffer.concat([bytes, chunk]);
      const result = readClientHello(bytes);
      if (result.kind === 'more') return;
      socket.off('data', onData);
      socket.off('end', destroy);
      socket.pause();
      if (result.kind === 'not-tls') {
        socket.end(PLAIN_ANSWER, () => socket.destroy());
        return;
      }
      socket.unshift(bytes);
      begin(socket, this.#servers.ofName(result.servername));
    };
    socket.on('data', onData);
    socket.on('end', destroy);
    // It is paused when a PROXY header was read before.
    socket.resume();
  }

  #secured(socket: tls.TLSSocket, isStrict: boolean): void {
    const raw = rawOf(socket);
    const handshake = raw === undefined ? undefined : this.#handshakes.get(raw);
    if (raw !== undefined) this.#handshakes.delete(raw);
    // OpenSSL still holds its complaint about a forged signature and would take it for a failure of the next read:
    // node forgets it when a certificate was asked for.
    if ((socket.authorizationError as Error | null) !== null) socket.getPeerCertificate();
    // A session that was made without a certificate says "authorized" when it is resumed in TLS 1.3.
    const isAnonymous = isStrict && socket.getPeerX509Certificate() === undefined;
    if (handshake === undefined || isAnonymous) {
      socket.destroy();
      return;
    }
    socket.allowHalfOpen = true;
    handshake.onSecure(socket, socket.alpnProtocol === 'h2');
  }

  #failed(error: Error, socket: tls.TLSSocket): void {
    const { log, origin } = this.#options;
    const { code } = error as NodeJS.ErrnoException;
    log.debug('handshake-failed', { origin, client: socket.remoteAddress, code, message: error.message });
    if (code !== undefined && NOT_TLS.has(code)) rawOf(socket)?.write(PLAIN_ANSWER, 'latin1');
    socket.destroy();
  }
}

/** Without a server the client's connection is cut. */
function begin(socket: Socket, server: tls.Server | null): void {
  if (server === null) socket.destroy();
  else server.emit('connection', socket);
}
