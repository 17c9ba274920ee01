// The sending half of a channel: text and buffers become DATA frames, in order and under credit; what is
// beyond the credit waits here. How much waits is the app's choice, as with any socket: see `isEmpty`.

import { CREDIT_WINDOW_BYTES } from '../base/limits.ts';
import type { FrameWriter } from '../wire/frame.ts';
import { LINK } from '../wire/link-messages.ts';

/** What a channel needs of its link. */
export interface ExchangeLink {
  readonly writer: FrameWriter;
  /** Calls back when everything given to the writer so far has left the process, or with why it cannot. */
  afterWrite(callback: WriteCallback): void;
  /** The channel is over on this side. */
  release(channel: number): void;
}

export type WriteCallback = (error?: Error | null) => void;

interface Waiting {
  bytes: Buffer;
  callback: WriteCallback | null;
}

const NO_PREFIX: readonly number[] = [];
/** Smaller buffers are copied when a frame is made of them (wire/frame.ts). */
const COPIED_BYTES_MAX = 4096;
/** Smaller pieces join the text that is being collected. */
const JOINED_BYTES_MAX = 64;
const COLLECTED_TEXT_MAX = 16_384;

/** What writes to a destroyed socket fail with, as node's do. */
export function destroyedError(): Error {
  return Object.assign(new Error('Cannot call write after a stream was destroyed'), {
    code: 'ERR_STREAM_DESTROYED',
  });
}

/** See the head of the file. */
export class ChannelWriter {
  #link: ExchangeLink;
  #channel: number;
  /** Bytes that the front still takes. */
  #credit = CREDIT_WINDOW_BYTES;
  /** Text that is collected for one frame, a byte per character. */
  #text = '';
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #onEmpty: (() => void) | null = null;
  /** Buffers of the app that are with the link: not the app's again before they are written. */
  #held = 0;
  /** Bytes sent so far. */
  sentBytes = 0;

  constructor(link: ExchangeLink, channel: number) {
    this.#link = link;
    this.#channel = channel;
  }

  /** Nothing waits for credit. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Bytes that have not been sent. */
  get length(): number {
    return this.#waitingBytes + this.#text.length;
  }

  /** Takes text whose characters are bytes. `collect`: more is about to follow. */
  text(text: string, collect: boolean, callback: WriteCallback | null): void {
    this.#text += text;
    if (!collect || this.#text.length > COLLECTED_TEXT_MAX) this.flush();
    if (callback !== null) this.#afterAll(callback);
  }

  /** Takes bytes; they must not change until the callback. */
  bytes(bytes: Buffer, collect: boolean, callback: WriteCallback | null): void {
    if (bytes.length <= JOINED_BYTES_MAX) {
      this.text(bytes.toString('latin1'), collect, callback);
      return;
    }
    this.flush();
    this.#sendOrWait(bytes, callback);
  }

  /** Makes a frame of the collected text. */
  flush(): void {
    const text = this.#text;
    if (text === '') return;
    this.#text = '';
    const length = text.length;
    if (this.#waiting.length > 0 || length > this.#credit) {
      this.#sendOrWait(Buffer.from(text, 'latin1'), null);
      return;
    }
    this.#credit -= length;
    this.sentBytes += length;
    this.#link.writer.latin1(LINK.DATA, this.#channel, NO_PREFIX, text);
  }

  /** Acts behind everything taken so far: at once when nothing waits. */
  whenEmpty(act: () => void): void {
    this.flush();
    if (this.#waiting.length === 0) act();
    else this.#onEmpty = act;
  }

  /** The front takes `bytes` more. Returns true when this emptied what waited. */
  receiveCredit(bytes: number): boolean {
    this.#credit += bytes;
    if (this.#waiting.length === 0) return false;
    let index = 0;
    for (; index < this.#waiting.length && this.#credit > 0; index++) {
      const waiting = this.#waiting[index]!;
      const sent = this.#send(waiting.bytes);
      this.#waitingBytes -= sent;
      if (sent < waiting.bytes.length) {
        waiting.bytes = waiting.bytes.subarray(sent);
        break;
      }
      this.#hold(waiting.callback);
    }
    this.#waiting.splice(0, index);
    if (this.#waiting.length > 0) return false;
    const onEmpty = this.#onEmpty;
    this.#onEmpty = null;
    onEmpty?.();
    return true;
  }

  /** Drops what waits; its callbacks fail. */
  drop(): void {
    const waiting = this.#waiting;
    this.#text = '';
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#onEmpty = null;
    for (const { callback } of waiting) {
      if (callback !== null) process.nextTick(callback, destroyedError());
    }
  }

  /** Reports a write whose bytes were copied, behind the writes before it. */
  #afterAll(callback: WriteCallback): void {
    const last = this.#waiting.at(-1);
    if (last !== undefined) {
      const before = last.callback;
      last.callback = (error) => {
        before?.(error);
        callback(error);
      };
    } else if (this.#held > 0) {
      this.#link.afterWrite(callback);
    } else {
      process.nextTick(callback);
    }
  }

  #sendOrWait(bytes: Buffer, callback: WriteCallback | null): void {
    const sent = this.#waiting.length > 0 ? 0 : this.#send(bytes);
    if (sent < bytes.length) {
      const rest = sent === 0 ? bytes : bytes.subarray(sent);
      this.#waiting.push({ bytes: rest, callback });
      this.#waitingBytes += rest.length;
    } else if (bytes.length > COPIED_BYTES_MAX) {
      this.#hold(callback);
    } else if (callback !== null) {
      this.#afterAll(callback);
    }
  }

  #hold(callback: WriteCallback | null): void {
    this.#held += 1;
    this.#link.afterWrite((error) => {
      this.#held -= 1;
      callback?.(error);
    });
  }

  /** Sends as much as there is credit for; returns how much that was. */
  #send(bytes: Buffer): number {
    const end = Math.min(bytes.length, this.#credit);
    const piece = end < bytes.length ? bytes.subarray(0, end) : bytes;
    if (end > 0) this.#link.writer.stream(LINK.DATA, this.#channel, piece);
    this.#credit -= end;
    this.sentBytes += end;
    return end;
  }
}
