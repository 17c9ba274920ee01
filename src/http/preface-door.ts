// Plain connections that may begin with HTTP/2 (RFC 9113 3.3: prior knowledge). Looks at the first bytes: the
// preface of HTTP/2 is no request of HTTP/1.x, so the first one that differs decides.

import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { FrontLimits } from '../base/limits.ts';

/** RFC 9113 3.4. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** What a listener has between an accepted socket and a connection. */
export interface Door {
  /** `onReady` is not called when nothing comes of the socket: it closes then. */
  accept(socket: Socket, onReady: (socket: Socket, isHttp2: boolean) => void): void;
}

/** See the file head. */
export class PrefaceDoor implements Door {
  #clock: Clock;
  #limits: () => FrontLimits;

  constructor(options: { clock: Clock; limits(): FrontLimits }) {
    this.#clock = options.clock;
    this.#limits = () => options.limits();
  }

  accept(socket: Socket, onReady: (socket: Socket, isHttp2: boolean) => void): void {
    let held: Buffer | null = null;
    const cut = (): unknown => socket.destroy();
    const timer = this.#clock.after(this.#limits().headTimeoutMs, cut);
    const stop = (): void => timer.stop();
    const onData = (chunk: Buffer): void => {
      held = held === null ? chunk : Buffer.concat([held, chunk]);
      const length = Math.min(held.length, PREFACE.length);
      const isAlike = PREFACE.compare(held, 0, length, 0, length) === 0;
      if (isAlike && length < PREFACE.length) return;
      timer.stop();
      socket.off('data', onData).off('end', cut).off('error', cut).off('close', stop);
      socket.pause();
      socket.unshift(held);
      onReady(socket, isAlike);
      // What HTTP/2 is given it reads by itself.
      if (!isAlike) socket.resume();
    };
    socket.on('data', onData).on('end', cut).on('error', cut).on('close', stop);
  }
}
