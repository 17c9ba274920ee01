// What node keeps as the handle of a listening server, for servers whose connections come over a link: so
// 'listening', address(), close(), ref() and getConnections() stay node's own code.

import type { Server } from 'node:http';
import type net from 'node:net';

/** What node keeps on a listening server. */
export interface ListeningServer extends Server {
  _handle: unknown;
  /** Finishes `listen` with the handle that is there, and emits 'listening' in the next tick. */
  _listen2(host: string | null, port: number, family: number, backlog: number): void;
}

/** Who is told what the program does with its server. */
export interface HandleOwner {
  /** The program closed the server; once. */
  closed(handle: AppHandle): void;
  /** The server does or does not keep the process alive. */
  updateReference(): void;
}

/** See the head of the file. */
export class AppHandle {
  readonly server: ListeningServer;
  readonly #address: net.AddressInfo;
  #owner: HandleOwner;
  #isOpen = true;
  isReferenced = true;

  constructor(owner: HandleOwner, server: ListeningServer, address: net.AddressInfo) {
    this.#owner = owner;
    this.server = server;
    this.#address = address;
  }

  get host(): string {
    return this.#address.address;
  }

  get port(): number {
    return this.#address.port;
  }

  get family(): 4 | 6 {
    return this.#address.family === 'IPv6' ? 6 : 4;
  }

  listen(): number {
    return 0;
  }

  getsockname(out: Partial<net.AddressInfo>): number {
    Object.assign(out, this.#address);
    return 0;
  }

  close(callback?: () => void): void {
    if (this.#isOpen) {
      this.#isOpen = false;
      this.#owner.closed(this);
    }
    if (callback !== undefined) process.nextTick(callback);
  }

  ref(): void {
    this.isReferenced = true;
    this.#owner.updateReference();
  }

  unref(): void {
    this.isReferenced = false;
    this.#owner.updateReference();
  }

  hasRef(): boolean {
    return this.isReferenced;
  }
}
