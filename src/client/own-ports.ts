// Ports that a hosted program listens on by itself, beside the app's server. New processes of an app start beside the
// old ones, which have the port still: such a `listen` does not fail, it waits until they are gone. Only the host knows
// whose port it is; one that somebody else has is EADDRINUSE as ever.

import { connect, type Server, type Socket } from 'node:net';
import { PORT_WAIT, portLine } from '../wire/own-ports.ts';

type Listen = (this: Server, ...args: unknown[]) => Server;
type Emit = (event: string | symbol, ...values: unknown[]) => boolean;

/** From one attempt to the next. */
const RETRY_MS = 50;

function isTaken(error: unknown): boolean {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return code === 'EADDRINUSE' && syscall === 'listen';
}

/** What a program asks for. */
export interface OwnListen {
  port: number;
  /** Of `listen`, without the callback, which is a listener already at a second attempt. */
  args: readonly unknown[];
}

/** One `listen` of the program, until it listens, fails or is given up. Node has not begun yet. */
export class OwnPort {
  readonly #socketPath: string;
  readonly #server: Server;
  readonly #listen: Listen;
  readonly #plan: OwnListen;
  readonly #emit: Emit;
  readonly #close: Server['close'];
  #retry: NodeJS.Timeout | undefined;
  #asked: Socket | undefined;
  #isRefused = false;

  constructor(socketPath: string, server: Server, listen: Listen, plan: OwnListen) {
    this.#socketPath = socketPath;
    this.#server = server;
    this.#listen = listen;
    this.#plan = plan;
    this.#emit = server.emit as Emit;
    this.#close = server.close;
    server.emit = (event: string | symbol, ...values: unknown[]) => this.#onEmit(event, values);
    server.close = (...values: Parameters<Server['close']>) => {
      this.#settle();
      return server.close(...values);
    };
  }

  #onEmit(event: string | symbol, values: unknown[]): boolean {
    if (event === 'error' && isTaken(values[0])) {
      this.#ask(values[0]);
      return true;
    }
    if (event === 'listening') {
      this.#settle();
      this.#tell();
    } else if (event === 'error') this.#settle();
    return this.#emit.call(this.#server, event, ...values);
  }

  /** The server is as it was. */
  #settle(): void {
    clearTimeout(this.#retry);
    this.#asked?.destroy();
    this.#server.emit = this.#emit;
    this.#server.close = this.#close;
  }

  #ask(error: unknown): void {
    const { port } = this.#plan;
    const socket = connect(this.#socketPath);
    this.#asked = socket;
    let answer = '';
    socket.write(portLine({ kind: 'wants', pid: process.pid, port }));
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    // Why there is no answer does not matter.
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#asked !== socket || this.#server.emit === this.#emit) return;
      // Who had the port may have gone since: it is somebody else's only when that is said twice.
      if (answer === PORT_WAIT || !this.#isRefused) {
        this.#isRefused = answer !== PORT_WAIT;
        this.#retry = setTimeout(() => this.#listen.apply(this.#server, [...this.#plan.args]), RETRY_MS);
        return;
      }
      this.#settle();
      this.#emit.call(this.#server, 'error', error);
    });
  }

  /** The host knows from now on whose port it is. */
  #tell(): void {
    const { port } = this.#plan;
    const socket = connect(this.#socketPath);
    socket.on('error', () => {});
    socket.write(portLine({ kind: 'holds', pid: process.pid, port }));
    socket.unref();
    this.#server.once('close', () => socket.destroy());
  }
}
