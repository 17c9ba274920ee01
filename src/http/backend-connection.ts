// One connection to a backend: dialled, used by one channel at a time, free between two requests. While nobody
// uses it, anything that happens on it ends it: a byte, an end, an error.

import * as net from 'node:net';
import type { BackendAddress } from '../wire/backend-address.ts';

/** Who has an exchange on a connection. */
export interface ConnectionUser {
  connected(): void;
  received(chunk: Buffer): void;
  /** The backend sends no more. */
  ended(): void;
  drained(): void;
  /** It is closed, after an error or not. */
  closed(error: Error | null): void;
}

/** See the file head. */
export class BackendConnection {
  /** Null: it is free. */
  user: ConnectionUser | null;
  /** When it became free, in ms of the clock. */
  freeSinceMs = 0;
  /** An exchange was answered on it before. */
  isReused = false;
  readonly socket: net.Socket;
  #error: Error | null = null;

  constructor(options: {
    address: BackendAddress;
    user: ConnectionUser;
    onClosed: (connection: BackendConnection) => void;
  }) {
    const { address, user, onClosed } = options;
    this.user = user;
    this.socket = address.kind === 'unix'
      ? net.connect({ path: address.path, allowHalfOpen: true })
      : net.connect({ host: address.host, port: address.port, allowHalfOpen: true, noDelay: true });
    this.socket.on('connect', () => this.user?.connected());
    this.socket.on('data', (chunk: Buffer) => {
      if (this.user === null) this.socket.destroy();
      else this.user.received(chunk);
    });
    this.socket.on('end', () => {
      if (this.user === null) this.socket.destroy();
      else this.user.ended();
    });
    this.socket.on('drain', () => this.user?.drained());
    this.socket.on('error', (error) => {
      this.#error = error;
    });
    this.socket.on('close', () => {
      onClosed(this);
      const last = this.user;
      this.user = null;
      last?.closed(this.#error);
    });
  }

  /** True until the connection is made. */
  get isDialing(): boolean {
    return this.socket.connecting;
  }

  /** Cuts it; nobody is told. */
  drop(): void {
    this.user = null;
    this.socket.destroy();
  }
}
