// From an accepted socket to a TLS connection: one door for each https listener. Bounds the time of a handshake
// and the number of those under way. What becomes of a secure connection is decided by its caller.
//
// The name that a client asks for is read before the handshake begins, so that a name has a whole context of its
// own: node's SNICallback takes over only one certificate of a context and would mix it with the default's.

import * as tls from 'node:tls';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { FrontLimits } from '../base/limits.ts';
import { messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { TlsCertificate } from '../wire/tls-messages.ts';
import { readClientHello } from './client-hello.ts';
import type { Door } from './preface-door.ts';
import type { TlsStore } from './tls-store.ts';

/** Node has a deadline of its own, which each byte puts off; this one never comes. */
const NODE_HANDSHAKE_TIMEOUT_MS = 0x7fffffff;

/** For those who speak HTTP to an https listener. */
const PLAIN_ANSWER = [
  'HTTP/1.1 400 Bad Request', 'Content-Type: text/plain', 'Connection: close', 'Content-Length: 34', '',
  'This port speaks https, not http.\n',
].join('\r\n');

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
  socket: Socket;
  timer: Timer;
  /** Gets the connection, once. */
  onSecure: (socket: tls.TLSSocket, isHttp2: boolean) => void;
}

/** The name of a client on both its sockets, the plain one and the secure one. */
function clientKey(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress}`;
}

/** See the file head. */
export class TlsDoor implements Door {
  #options: TlsDoorOptions;
  /** Servers that never listen: they are given sockets. Null: the certificate cannot be used. */
  #servers = new Map<TlsCertificate, tls.Server | null>();
  #generation = -1;
  #handshakes = new Map<string, Handshake>();

  constructor(options: TlsDoorOptions) {
    this.#options = options;
  }

  /** Begins a handshake. `onSecure` is not called when it fails: the socket closes then. */
  accept(socket: Socket, onSecure: (socket: tls.TLSSocket, isHttp2: boolean) => void): void {
    const { clock, log, origin } = this.#options;
    const { tlsHandshakesMax, tlsHandshakeTimeoutMs } = this.#options.limits();
    // The reason does not matter: `close` follows.
    socket.on('error', () => socket.destroy());
    if (this.#handshakes.size >= tlsHandshakesMax || socket.remoteAddress === undefined) {
      log.debug('handshake-refused', { origin, handshakes: this.#handshakes.size });
      socket.destroy();
      return;
    }
    const key = clientKey(socket);
    const timer = clock.after(tlsHandshakeTimeoutMs, () => {
      log.debug('handshake-timed-out', { origin, client: socket.remoteAddress });
      socket.destroy();
    });
    this.#handshakes.set(key, { socket, timer, onSecure });
    socket.on('close', () => this.#take(key));
    this.#readHello(socket);
  }

  #take(key: string): Handshake | undefined {
    const handshake = this.#handshakes.get(key);
    if (handshake === undefined) return undefined;
    this.#handshakes.delete(key);
    handshake.timer.stop();
    return handshake;
  }

  #readHello(socket: Socket): void {
    let bytes: Buffer | null = null;
    const onEnd = (): unknown => socket.destroy();
    const onData = (chunk: Buffer): void => {
      bytes = bytes === null ? chunk : Buffer.concat([bytes, chunk]);
      const result = readClientHello(bytes);
      if (result.kind === 'more') return;
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.pause();
      if (result.kind === 'not-tls') {
        socket.end(PLAIN_ANSWER, () => socket.destroy());
        return;
      }
      socket.unshift(bytes);
      this.#begin(socket, result.servername);
    };
    socket.on('data', onData);
    socket.on('end', onEnd);
    // It is paused when a PROXY header was read before.
    socket.resume();
  }

  #begin(socket: Socket, servername: string): void {
    const { store, origin } = this.#options;
    const certificate = store.certificateFor(origin, servername);
    const server = certificate === undefined ? null : this.#serverFor(certificate);
    if (server === null) socket.destroy();
    else server.emit('connection', socket);
  }

  #serverFor(certificate: TlsCertificate): tls.Server | null {
    const { store, log, origin } = this.#options;
    if (this.#generation !== store.generation) {
      this.#generation = store.generation;
      this.#servers.clear();
    }
    let server = this.#servers.get(certificate);
    if (server !== undefined) return server;
    try {
      server = this.#makeServer(store.optionsFor(origin, certificate));
    } catch (error) {
      log.error('certificate-unusable', { names: certificate.names.join(' '), message: messageOf(error) });
      server = null;
    }
    this.#servers.set(certificate, server);
    return server;
  }

  #makeServer(options: tls.TlsOptions): tls.Server {
    const server = tls.createServer({ ...options, handshakeTimeout: NODE_HANDSHAKE_TIMEOUT_MS });
    const mustHaveCertificate = options.rejectUnauthorized === true;
    server.on('secureConnection', (socket) => this.#secured(socket, mustHaveCertificate));
    server.on('tlsClientError', (error, socket) => this.#failed(error, socket));
    return server;
  }

  #secured(socket: tls.TLSSocket, mustHaveCertificate: boolean): void {
    const handshake = this.#take(clientKey(socket));
    // OpenSSL still holds its complaint about a forged signature and would take it for a failure of the next read:
    // node forgets it when a certificate was asked for.
    if ((socket.authorizationError as Error | null) !== null) socket.getPeerCertificate();
    // A session that was made without a certificate says "authorized" when it is resumed in TLS 1.3.
    const isAnonymous = mustHaveCertificate && socket.getPeerX509Certificate() === undefined;
    if (handshake === undefined || isAnonymous) socket.destroy();
    else handshake.onSecure(socket, socket.alpnProtocol === 'h2');
  }

  #failed(error: Error, socket: tls.TLSSocket): void {
    const { log, origin } = this.#options;
    const { code } = error as NodeJS.ErrnoException;
    log.debug('handshake-failed', { origin, client: socket.remoteAddress, code, message: error.message });
    socket.destroy();
  }
}
