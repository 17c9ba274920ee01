// The WebSocket of a viewer, where the network has one: frames of wire/poll-messages.ts. It may end at any moment and
// is tried again later; meanwhile, and where it never opens, there are polls and sends with the same numbers.

import type { Clock, Timer } from '../base/clock.ts';
import { SOCKET_SILENCE_MS, type CdpMessage, type SocketFrame } from '../wire/poll-messages.ts';

/** The part of a WebSocket that is used here. */
export interface SocketLike {
  addEventListener(type: 'open' | 'close', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  send(text: string): void;
  close(): void;
}

export interface FrameSocketOptions {
  clock: Clock;
  /** Makes a socket; throws where that is forbidden. */
  make(): SocketLike;
  /** Messages from the session proxy, maybe none, the first with this number; the number that comes next. */
  onMessages(first: number, messages: CdpMessage[]): number;
  /** It carries messages now, or does not any more. */
  onChange(isOpen: boolean): void;
}

/** When the next try follows, in ms, by how often it did not open or broke soon. */
const RETRY_FIRST_MS = 5000;
const RETRY_LONGEST_MS = 300_000;
/** One that carried messages for so long is worth another try at once. */
const STEADY_MS = 60_000;

/** Longest wait for the confirmation of commands, in ms: a line that died silently is noticed then. */
const CONFIRM_TIMEOUT_MS = 20_000;

type Batch = { first: number; count: number; body: string };

/** See the head of this file. */
export class FrameSocket {
  #options: FrameSocketOptions;
  #socket: SocketLike | null = null;
  #isOpen = false;
  #openedMs = 0;
  #failures = 0;
  #isOver = false;
  #retry: Timer | null = null;
  #silence: Timer | null = null;
  /** Who waits for the confirmation of what was sent. */
  #confirm: ((next: number | null) => void) | null = null;

  constructor(options: FrameSocketOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Tries now, and again by itself. */
  start(): void {
    if (this.#isOver || this.#socket !== null) return;
    let socket: SocketLike;
    try {
      socket = this.#options.make();
    } catch {
      // The page may not have one: it never will.
      this.#isOver = true;
      return;
    }
    this.#socket = socket;
    socket.addEventListener('open', () => {
      if (socket !== this.#socket) return;
      this.#isOpen = true;
      this.#openedMs = this.#options.clock.now();
      this.#heard();
      this.#options.onChange(true);
      this.#acknowledge(0, []);
    });
    socket.addEventListener('message', ({ data }) => {
      if (socket !== this.#socket) return;
      this.#heard();
      if (!this.#receive(String(data))) this.#drop();
    });
    socket.addEventListener('close', () => {
      if (socket === this.#socket) this.#closed();
    });
  }

  /** Sends commands; the number that the other side wants next, or null when it is not known to have them. */
  send({ first, body }: Batch): Promise<number | null> {
    return new Promise((resolve) => {
      if (!this.#isOpen) return resolve(null);
      const late = this.#options.clock.after(CONFIRM_TIMEOUT_MS, () => this.#drop());
      this.#confirm = (next) => {
        late.stop();
        resolve(next);
      };
      this.#socket?.send(`{"first":${first},"messages":${body}}`);
    });
  }

  /** No socket any more, for good. */
  stop(): void {
    this.#isOver = true;
    this.#retry?.stop();
    this.#drop();
  }

  #receive(text: string): boolean {
    try {
      const { first, messages, next } = JSON.parse(text) as SocketFrame;
      if (next !== undefined) this.#settle(next);
      else this.#acknowledge(first ?? 0, (messages ?? []) as CdpMessage[]);
      return true;
    } catch (error) {
      console.error(error);
      return false;
    }
  }

  #acknowledge(first: number, messages: CdpMessage[]): void {
    const ack = this.#options.onMessages(first, messages);
    if (this.#isOpen) this.#socket?.send(JSON.stringify({ ack }));
  }

  #heard(): void {
    this.#silence?.stop();
    this.#silence = this.#options.clock.after(SOCKET_SILENCE_MS, () => this.#drop());
  }

  #settle(next: number | null): void {
    const confirm = this.#confirm;
    this.#confirm = null;
    confirm?.(next);
  }

  /** A socket that is dead may take long to say so: it does not matter any more. */
  #drop(): void {
    this.#socket?.close();
    this.#closed();
  }

  #closed(): void {
    if (this.#socket === null) return;
    this.#socket = null;
    this.#silence?.stop();
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    this.#settle(null);
    if (wasOpen) this.#options.onChange(false);
    if (this.#isOver) return;
    const { clock } = this.#options;
    this.#failures = wasOpen && clock.now() - this.#openedMs >= STEADY_MS ? 0 : this.#failures + 1;
    const delayMs = this.#failures === 0 ? 0 : Math.min(RETRY_FIRST_MS * 2 ** (this.#failures - 1), RETRY_LONGEST_MS);
    this.#retry = clock.after(delayMs, () => this.start());
  }
}
