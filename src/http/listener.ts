// Accepts client connections: counts them in all and by address, turns away what is too much, lets all go at
// the end. One per front; it may listen on several sockets.

import * as net from 'node:net';
import { Connection } from './connection.ts';
import type { FrontContext } from './front-context.ts';
import { Http2Connection } from './http2-connection.ts';
import type { Door } from './preface-door.ts';
import { readProxyHeader } from './proxy-door.ts';
import { clientAddressOf, inheritEnds } from './socket-origin.ts';
import { TlsDoor } from './tls-door.ts';

/** Connections above connectionsMax that are still answered with 503 before those behind are just cut. */
const TURNED_AWAY_MAX = 256;
/** How long the last answers of a front may take to leave. */
const LAST_WORDS_MS = 250;

/** A client, whatever it speaks. */
interface ClientConnection {
  drain(): void;
  abort(): void;
}

/** See the file head. */
export class Listener {
  #context: FrontContext;
  #servers: net.Server[] = [];
  /** Listeners by their origin: see `unlisten`. */
  #byOrigin = new Map<string, net.Server>();
  #originOf = new WeakMap<net.Server, string>();
  /** With the accepted socket of each, which under TLS is not the one that it speaks on. */
  #connections = new Map<ClientConnection, net.Socket>();
  /** Clients that are not yet a connection: their handshake is under way. */
  #handshakes = new Set<net.Socket>();
  #turnedAway = new Set<Connection>();
  /** Connections by address, and the address of each; kept only while a limit asks for it. */
  #byAddress = new Map<string, number>();
  #counted = new Map<net.Socket, string>();
  #onEmpty: (() => void) | null = null;
  /** One function for all connections: a closure for each would cost more than the counting. */
  readonly #closedBound = (connection: ClientConnection): void => {
    const raw = this.#connections.get(connection);
    this.#connections.delete(connection);
    if (raw !== undefined) this.#leave(raw);
  };

  constructor(context: FrontContext) {
    this.#context = context;
  }

  /** Client connections, without those that are being turned away. */
  get connections(): number {
    return this.#connections.size + this.#handshakes.size;
  }

  /**
   * Listens on a handle that another process bound, or on whatever net.Server.listen takes. Clients come
   * through the door that `doorOf` names, asked for each. `origin` is its name for `unlisten`. `isProxied`, also
   * asked for each: connections begin with a PROXY header.
   * @throws the system's error, with nothing left open.
   */
  listen(
    target: unknown,
    doorOf: () => Door | undefined = () => undefined,
    origin = '',
    isProxied: () => boolean = () => false,
  ): Promise<{ port: number }> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    server.on('connection', (socket: net.Socket) => {
      if (isProxied()) this.#awaitProxy(socket, doorOf());
      else this.#accept(socket, doorOf());
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      // Typed for options only; a raw handle is what child_process passes on.
      server.listen(target as net.ListenOptions, () => {
        server.off('error', reject);
        server.on('error', (error) => this.#context.log.error('accept-failed', { message: error.message }));
        this.#servers.push(server);
        this.#byOrigin.set(origin, server);
        this.#originOf.set(server, origin);
        const address = server.address();
        resolve({ port: typeof address === 'object' && address !== null ? address.port : 0 });
      });
    });
  }

  /** Accepts nothing more at `origin`; its connections end when their answers are given. */
  unlisten(origin: string): void {
    const server = this.#byOrigin.get(origin);
    if (server === undefined) return;
    this.#byOrigin.delete(origin);
    this.#servers = this.#servers.filter((other) => other !== server);
    server.close();
    for (const [connection, raw] of [...this.#connections]) {
      if (serverOf(raw) === server) connection.drain();
    }
  }

  /**
   * Accepts nothing new, lets what is under way finish; after `timeoutMs` cuts what is left. Just before, `lastWords`
   * may answer somebody; when it says so the answer has a moment to leave.
   */
  async drain(timeoutMs: number, lastWords: () => boolean): Promise<void> {
    this.#closeServers();
    for (const connection of [...this.#connections.keys()]) connection.drain();
    if (this.#isEmpty()) return;
    await new Promise<void>((resolve) => {
      const { clock } = this.#context;
      const cut = (): void => {
        this.#cutAll();
        resolve();
      };
      let timer = clock.after(timeoutMs, () => {
        if (lastWords()) timer = clock.after(LAST_WORDS_MS, cut);
        else cut();
      });
      this.#onEmpty = () => {
        timer.stop();
        resolve();
      };
    });
    this.#onEmpty = null;
  }

  /** Cuts everything now. */
  close(): void {
    this.#closeServers();
    this.#cutAll();
  }

  #closeServers(): void {
    for (const server of this.#servers) server.close();
    this.#servers = [];
  }

  #cutAll(): void {
    for (const socket of [...this.#handshakes]) socket.destroy();
    for (const connection of [...this.#connections.keys(), ...this.#turnedAway]) connection.abort();
  }

  #isEmpty(): boolean {
    return this.connections + this.#turnedAway.size === 0;
  }

  /** Learns from the proxy for whom it connects. */
  #awaitProxy(socket: net.Socket, door: Door | undefined): void {
    if (this.connections >= this.#context.limits.connectionsMax) {
      socket.destroy();
      return;
    }
    this.#handshakes.add(socket);
    socket.once('close', () => {
      if (this.#handshakes.delete(socket)) this.#leave(socket);
    });
    readProxyHeader(socket, this.#context, () => {
      this.#handshakes.delete(socket);
      // What counted for the proxy counts for its client from now on.
      this.#uncount(socket);
      this.#accept(socket, door);
      // What TLS is given it reads by itself.
      if (door === undefined) socket.resume();
    });
  }

  #accept(socket: net.Socket, door: Door | undefined): void {
    const { connectionsMax, connectionsPerClientMax } = this.#context.limits;
    if (this.connections >= connectionsMax) {
      this.#turnAway(socket, door, `There are ${connectionsMax} connections (connectionsMax).`);
      return;
    }
    if (connectionsPerClientMax === 0) {
      this.#forgetAddresses();
    } else if (!this.#count(socket, connectionsPerClientMax)) {
      const limit = `${connectionsPerClientMax} connections (connectionsPerClientMax)`;
      this.#turnAway(socket, door, `There are ${limit} from your address.`);
      return;
    }
    this.#keep(socket, door);
  }

  #keep(socket: net.Socket, door: Door | undefined): void {
    if (door === undefined) {
      this.#connect(socket, { raw: socket, isHttp2: false });
      return;
    }
    this.#handshakes.add(socket);
    socket.once('close', () => {
      if (this.#handshakes.delete(socket)) this.#leave(socket);
    });
    door.accept(socket, (secure, isHttp2) => {
      if (!this.#handshakes.delete(socket)) secure.destroy();
      else {
        if (secure !== socket) inheritEnds(secure, socket);
        this.#connect(secure, { raw: socket, isHttp2 });
      }
    });
  }

  /** `raw` is the accepted socket: under TLS another one. */
  #connect(socket: net.Socket, { raw, isHttp2 }: { raw: net.Socket; isHttp2: boolean }): void {
    const isLenient = this.#isLenient(serverOf(raw));
    const connection: ClientConnection = isHttp2
      ? new Http2Connection(socket, this.#context, this.#closedBound)
      : new Connection(socket, this.#context, this.#closedBound, isLenient);
    this.#connections.set(connection, raw);
  }

  #isLenient(server: net.Server | undefined): boolean {
    const { lenientListeners } = this.#context;
    return lenientListeners.size > 0 && server !== undefined && lenientListeners.has(this.#originOf.get(server) ?? '');
  }

  /** Counts one more from its address, unless there are `max`. Those from before there was a limit count, too. */
  #count(socket: net.Socket, max: number): boolean {
    if (this.#counted.size === 0) {
      for (const raw of [...this.#connections.values(), ...this.#handshakes]) this.#enter(raw, clientAddressOf(raw));
    }
    const address = clientAddressOf(socket);
    if ((this.#byAddress.get(address) ?? 0) >= max) return false;
    this.#enter(socket, address);
    return true;
  }

  #enter(raw: net.Socket, address: string): void {
    this.#counted.set(raw, address);
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
  }

  /** Nobody asks any more; whoever sets a limit again begins with a count of all. */
  #forgetAddresses(): void {
    if (this.#counted.size === 0) return;
    this.#counted.clear();
    this.#byAddress.clear();
  }

  #uncount(raw: net.Socket): void {
    const address = this.#counted.get(raw);
    if (address === undefined) return;
    this.#counted.delete(raw);
    const count = this.#byAddress.get(address)! - 1;
    if (count > 0) this.#byAddress.set(address, count);
    else this.#byAddress.delete(address);
  }

  #leave(raw: net.Socket): void {
    this.#uncount(raw);
    this.#gone();
  }

  #turnAway(socket: net.Socket, door: Door | undefined, message: string): void {
    // A handshake costs more than the answer is worth.
    if (door instanceof TlsDoor || this.#turnedAway.size >= TURNED_AWAY_MAX) {
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, this.#context, () => {
      this.#turnedAway.delete(connection);
      this.#gone();
    });
    this.#turnedAway.add(connection);
    connection.turnAway(message);
  }

  #gone(): void {
    if (this.#isEmpty()) this.#onEmpty?.();
  }
}

/** The server that accepted a socket: node's own, untyped member. */
function serverOf(raw: net.Socket): net.Server | undefined {
  return (raw as net.Socket & { server?: net.Server }).server;
}
