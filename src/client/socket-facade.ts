// What a socket of node's has of its server and its addresses, for sockets without a handle.

import type { Server } from 'node:http';
import net from 'node:net';
import { Duplex, type DuplexOptions } from 'node:stream';
import type { Origin } from '../wire/link-messages.ts';

/** As net.Socket names the family of an address. */
export function familyOf(address: string): string {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

/** The option of the server that its sockets, and with them requests and responses, take over. */
export function highWaterMarkOf(server: Server): { highWaterMark?: number } {
  const { highWaterMark } = server as Server & { highWaterMark?: number };
  return typeof highWaterMark === 'number' ? { highWaterMark } : {};
}

/** The members of net.Socket that depend on nothing but where the connection comes from. */
export class SocketFacade extends Duplex {
  #origin: Origin;

  constructor(origin: Origin, options: DuplexOptions) {
    super(options);
    this.#origin = origin;
  }

  address(): net.AddressInfo {
    const { localAddress, localPort } = this.#origin;
    return { address: localAddress, port: localPort, family: familyOf(localAddress) };
  }

  get remoteAddress(): string {
    return this.#origin.remoteAddress;
  }

  get remotePort(): number {
    return this.#origin.remotePort;
  }

  get remoteFamily(): string {
    return familyOf(this.#origin.remoteAddress);
  }

  get localAddress(): string {
    return this.#origin.localAddress;
  }

  get localPort(): number {
    return this.#origin.localPort;
  }

  get localFamily(): string {
    return familyOf(this.#origin.localAddress);
  }

  get encrypted(): boolean {
    return this.#origin.encrypted;
  }

  /** A plain field of node's sockets, which programs set; the addresses are getters there, too. */
  set encrypted(value: boolean) {
    Object.defineProperty(this, 'encrypted', { value, writable: true, enumerable: true, configurable: true });
  }

  get bufferSize(): number {
    return this.writableLength;
  }

  get pending(): boolean {
    return false;
  }

  // The client's connection is the front's business: these change nothing.

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

// Programs ask `socket instanceof net.Socket` and call what it inherits (destroySoon, readyState). Its
// constructor, which wants a handle, is not run.
Object.setPrototypeOf(SocketFacade.prototype, net.Socket.prototype);
