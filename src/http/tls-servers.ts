// The servers of node that make secure connections of what one listener accepts; they never listen themselves. Where
// all certificates of a listener are alike one server is enough, and node reads the client's first bytes; else each
// certificate has one, and who gives it a socket has to know the name that the client asks for.

import * as tls from 'node:tls';
import { messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { TlsCertificate } from '../wire/tls-messages.ts';
import type { TlsStore } from './tls-store.ts';

/** Node has a deadline of its own, which each byte puts off; this one never comes. */
const NODE_HANDSHAKE_TIMEOUT_MS = 0x7fffffff;

export interface TlsServersOptions {
  /** `https://host:port` as the host named the listener. */
  origin: string;
  store: TlsStore;
  log: Log;
  /** `isStrict`: only clients with a trusted certificate may come in. */
  onSecure(socket: tls.TLSSocket, isStrict: boolean): void;
  onFailed(error: Error, socket: tls.TLSSocket): void;
}

/** See the file head. What cannot be used is null; the log says why, once. */
export class TlsServers {
  readonly #options: TlsServersOptions;
  #generation = -1;
  #byCertificate = new Map<TlsCertificate, tls.Server | null>();
  #contexts = new Map<TlsCertificate, tls.SecureContext | null>();
  /** Undefined: there is none, the name decides. */
  #shared: tls.Server | null | undefined;

  constructor(options: TlsServersOptions) {
    this.#options = options;
  }

  /** The one for all clients; undefined where the name that they ask for has to be known. */
  get shared(): tls.Server | null | undefined {
    this.#renew();
    return this.#shared;
  }

  /** The one for clients that ask for `servername`, '' for nobody. */
  ofName(servername: string): tls.Server | null {
    this.#renew();
    const { store, origin } = this.#options;
    const certificate = store.certificateFor(origin, servername);
    if (certificate === undefined) return null;
    return once(this.#byCertificate, certificate, () => this.#server(certificate, {}));
  }

  /** Forgets everything when the store has something new. */
  #renew(): void {
    const { store, origin } = this.#options;
    if (this.#generation === store.generation) return;
    this.#generation = store.generation;
    this.#byCertificate.clear();
    this.#contexts.clear();
    const certificate = store.certificateFor(origin, '');
    if (certificate === undefined) this.#shared = null;
    else if (!store.hasNames(origin)) this.#shared = this.#server(certificate, {});
    else if (store.hasAlike(origin)) this.#shared = this.#server(certificate, { SNICallback: this.#choose });
    else this.#shared = undefined;
  }

  readonly #choose = (servername: string, done: (error: Error | null, context?: tls.SecureContext) => void): void => {
    const { store, origin } = this.#options;
    const certificate = store.certificateFor(origin, servername)!;
    const context = once(this.#contexts, certificate, () =>
      this.#usable(certificate, () => tls.createSecureContext(store.optionsFor(origin, certificate))));
    if (context === null) done(new Error('the certificate cannot be used'));
    else done(null, context);
  };

  #server(certificate: TlsCertificate, more: tls.TlsOptions): tls.Server | null {
    const { store, origin, onSecure, onFailed } = this.#options;
    return this.#usable(certificate, () => {
      const options = store.optionsFor(origin, certificate);
      const isStrict = options.rejectUnauthorized === true;
      const server = tls.createServer({ ...options, ...more, handshakeTimeout: NODE_HANDSHAKE_TIMEOUT_MS });
      server.on('secureConnection', (socket) => onSecure(socket, isStrict));
      server.on('tlsClientError', onFailed);
      return server;
    });
  }

  #usable<Made>(certificate: TlsCertificate, make: () => Made): Made | null {
    try {
      return make();
    } catch (error) {
      const names = certificate.names.join(' ');
      this.#options.log.error('certificate-unusable', { names, message: messageOf(error) });
      return null;
    }
  }
}

function once<Key, Value>(made: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = made.get(key);
  if (value === undefined) {
    value = make();
    made.set(key, value);
  }
  return value;
}
