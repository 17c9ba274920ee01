// The WebSocket of a viewer, where it works: frames of wire/poll-messages.ts on it take the place of polls and sends,
// with the same numbers, so that either side may go back to those at any moment. One frame is on its way at a time;
// a line that has been silent for long counts as broken.

import type { WebSocket } from 'ws';
import type { Clock, Timer } from '../base/clock.ts';
import { SOCKET_BEAT_MS, SOCKET_SILENCE_MS, type SocketFrame } from '../wire/poll-messages.ts';

/** What a viewer hears of its socket. */
export interface ViewerSocketEvents {
  /** Everything before this number has arrived. */
  acknowledged(ack: number): void;
  /** Commands from this number on; returns the number that comes next. */
  commands(first: number, messages: readonly unknown[]): number;
  /** The last frame is on its way: there is room for another one. */
  writable(): void;
  closed(): void;
}

/** See the head of this file. */
export class ViewerSocket {
  #socket: WebSocket;
  #clock: Clock;
  #events: ViewerSocketEvents;
  #isBusy = false;
  #beat: Timer;
  #silence: Timer;

  constructor(socket: WebSocket, clock: Clock, events: ViewerSocketEvents) {
    this.#socket = socket;
    this.#clock = clock;
    this.#events = events;
    this.#beat = this.#startBeat();
    this.#silence = this.#startSilence();
    socket.on('message', (data: Buffer) => this.#receive(data.toString()));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      this.#beat.stop();
      this.#silence.stop();
      events.closed();
    });
  }

  /** True while a frame may be sent. */
  get hasRoom(): boolean {
    return !this.#isBusy && this.#socket.readyState === this.#socket.OPEN;
  }

  /** Sends messages (texts of JSON), the first with number `first`. Only while there is room. */
  send(first: number, messages: readonly string[]): void {
    this.#isBusy = true;
    this.#socket.send(`{"first":${first},"messages":[${messages.join(',')}]}`, (error) => {
      this.#isBusy = false;
      if (!error) this.#events.writable();
    });
  }

  /** The viewer polls again, or is gone. */
  close(): void {
    this.#socket.close(1000);
    // Whoever does not answer has gone already.
    this.#clock.after(1000, () => this.#socket.terminate());
  }

  #receive(text: string): void {
    this.#silence.stop();
    this.#silence = this.#startSilence();
    const frame = parsed(text);
    if (frame === null) {
      this.#socket.close(1008, 'not a frame');
      return;
    }
    if (frame.ack !== undefined) this.#events.acknowledged(frame.ack);
    if (frame.first === undefined || frame.messages === undefined) return;
    const next = this.#events.commands(frame.first, frame.messages);
    this.#socket.send(JSON.stringify({ next } satisfies SocketFrame));
  }

  /** A browser tells its page nothing of pings: an empty frame shows that the line is there, and is acknowledged. */
  #startBeat(): Timer {
    return this.#clock.after(SOCKET_BEAT_MS, () => {
      if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send('{}');
      this.#beat = this.#startBeat();
    });
  }

  #startSilence(): Timer {
    return this.#clock.after(SOCKET_SILENCE_MS, () => this.#socket.terminate());
  }
}

function parsed(text: string): SocketFrame | null {
  try {
    const { ack, first, messages } = JSON.parse(text) as SocketFrame;
    const isNumber = (value: unknown): boolean => value === undefined || Number.isSafeInteger(value);
    const isArray = messages === undefined || Array.isArray(messages);
    const isPaired = (first === undefined) === (messages === undefined);
    if (!isNumber(ack) || !isNumber(first) || !isArray || !isPaired) return null;
    return {
      ...(ack === undefined ? {} : { ack }),
      ...(first === undefined || messages === undefined ? {} : { first, messages }),
    };
  } catch {
    // Told to the sender by the way it is closed.
    return null;
  }
}
