// The chunked transfer coding (RFC 9112 7.1), strictly: CR LF only, no white space, sizes below 2^53,
// extensions well formed and then dropped. Payload is handed on as views, never copied.

import type { ErrorCode } from '../base/host-error.ts';
import { CR, FieldScanner, LF, TOKEN_BYTES, VALUE_BYTES, fieldsOf } from './field-lines.ts';
import { HeldBytes } from './held-bytes.ts';

/** Most bytes of all chunk extensions of a body. More: 400. */
export const EXTENSION_BYTES_MAX = 16_384;
/** Most bytes of the trailers of a body. More: 431. */
export const TRAILER_BYTES_MAX = 16_384;
/** Most trailers of a body. More: 431. */
export const TRAILERS_MAX = 100;
/** Most digits of a chunk size, leading zeros included: 13 hexadecimal digits stay below 2^53. */
export const SIZE_DIGITS_MAX = 13;

/** `bytes`: how many of the pushed bytes belong to the body. `trailers` is flat. */
export type ChunkedResult =
  | { kind: 'more' }
  | { kind: 'end'; bytes: number; trailers: string[] }
  | { kind: 'bad'; status: number; code: ErrorCode; message: string };

const MORE: ChunkedResult = { kind: 'more' };

const EQUALS = 0x3d;
const SEMICOLON = 0x3b;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The value of a hexadecimal digit, 255 for any other byte. */
const HEX_DIGITS = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) {
  HEX_DIGITS[digit.toString(16).charCodeAt(0)] = digit;
  HEX_DIGITS[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** RFC 9110 5.6.4: what may stand between quotes, apart from the quote and the backslash. */
const QUOTED_BYTES = VALUE_BYTES.slice();
QUOTED_BYTES[QUOTE] = 0;
QUOTED_BYTES[BACKSLASH] = 0;

/** RFC 9110 6.5.1: as trailers these would frame, route or authenticate a message after the fact. */
const HEAD_ONLY = new Set([
  'content-length', 'transfer-encoding', 'host', 'connection', 'keep-alive', 'te', 'trailer', 'upgrade',
  'expect', 'authorization', 'proxy-connection', 'forwarded', 'content-encoding', 'content-type',
  'client-cert', 'client-cert-chain',
]);

/** True for a name that no trailer may have. */
export function isHeadOnly(name: string): boolean {
  const plain = name.toLowerCase().replaceAll('_', '-');
  return HEAD_ONLY.has(plain) || plain.startsWith('x-forwarded');
}

/** What is read next. */
type Reading =
  | 'size'
  | 'extension-name'
  | 'extension-value'
  | 'extension-quoted'
  | 'extension-pair'
  | 'extension-end'
  | 'size-line-feed'
  | 'data'
  | 'data-return'
  | 'data-line-feed'
  | 'trailers';

/** Decodes one chunked body after the other. */
export class ChunkedDecoder {
  #onData: (slice: Buffer) => void;
  #reading: Reading = 'size';
  /** Digits of the size so far; in an extension: bytes of the current token. */
  #digits = 0;
  /** While reading a size its value so far, in `data` the bytes that are missing. */
  #size = 0;
  #extensionBytes = 0;
  #scanner = new FieldScanner();
  #trailerBytes = new HeldBytes();

  /** `onData` gets each piece of payload: a view into the pushed buffer. */
  constructor(onData: (slice: Buffer) => void) {
    this.#onData = onData;
  }

  /** Decodes `buffer[start..end)`. After `end` the next push starts a new body; after `bad` none may come. */
  push(buffer: Buffer, start: number, end: number): ChunkedResult {
    let at = start;
    while (at < end) {
      if (this.#reading === 'data') {
        const sliceEnd = Math.min(end, at + this.#size);
        this.#size -= sliceEnd - at;
        if (this.#size === 0) this.#reading = 'data-return';
        this.#onData(buffer.subarray(at, sliceEnd));
        at = sliceEnd;
      } else if (this.#reading === 'trailers') {
        return this.#readTrailers(buffer, start, at, end);
      } else {
        const fault = this.#step(buffer[at]!);
        if (fault !== '') return bad(fault);
        at += 1;
      }
    }
    return MORE;
  }

  /** Reads one byte of framing. Returns what is wrong with it, or ''. */
  #step(byte: number): string {
    switch (this.#reading) {
      case 'size':
        return this.#stepSize(byte);
      case 'size-line-feed':
        if (byte !== LF) return 'a CR without its LF in a chunk size line';
        this.#reading = this.#size === 0 ? 'trailers' : 'data';
        this.#digits = 0;
        return '';
      case 'data-return':
        if (byte !== CR) return 'a chunk longer than its size';
        this.#reading = 'data-line-feed';
        return '';
      case 'data-line-feed':
        if (byte !== LF) return 'a chunk longer than its size';
        this.#reading = 'size';
        return '';
      default:
        this.#extensionBytes += 1;
        if (this.#extensionBytes > EXTENSION_BYTES_MAX) {
          return `chunk extensions longer than ${EXTENSION_BYTES_MAX} bytes`;
        }
        return this.#stepExtension(byte);
    }
  }

  #stepSize(byte: number): string {
    const digit = HEX_DIGITS[byte]!;
    if (digit < 16) {
      if (this.#digits === SIZE_DIGITS_MAX) return `a chunk size of more than ${SIZE_DIGITS_MAX} digits`;
      this.#digits += 1;
      this.#size = this.#size * 16 + digit;
      return '';
    }
    if (this.#digits === 0) return 'a chunk size that is no hexadecimal number';
    return this.#endToken(byte, 'a chunk size that is no hexadecimal number');
  }

  /** What may follow a size or a whole extension: another extension, or the end of the line. */
  #endToken(byte: number, fault: string): string {
    if (byte === SEMICOLON) this.#reading = 'extension-name';
    else if (byte === CR) this.#reading = 'size-line-feed';
    else return fault;
    this.#digits = 0;
    return '';
  }

  #stepExtension(byte: number): string {
    const fault = 'a malformed chunk extension';
    switch (this.#reading) {
      case 'extension-name':
      case 'extension-value':
        if (TOKEN_BYTES[byte] === 1) {
          this.#digits += 1;
          return '';
        }
        if (this.#reading === 'extension-value' && this.#digits === 0 && byte === QUOTE) {
          this.#reading = 'extension-quoted';
          return '';
        }
        if (this.#digits === 0) return fault;
        if (this.#reading === 'extension-value' || byte !== EQUALS) return this.#endToken(byte, fault);
        this.#reading = 'extension-value';
        this.#digits = 0;
        return '';
      case 'extension-quoted':
        if (byte === QUOTE) this.#reading = 'extension-end';
        else if (byte === BACKSLASH) this.#reading = 'extension-pair';
        else if (QUOTED_BYTES[byte] === 0) return fault;
        return '';
      case 'extension-pair':
        if (VALUE_BYTES[byte] === 0) return fault;
        this.#reading = 'extension-quoted';
        return '';
      default:
        return this.#endToken(byte, fault);
    }
  }

  /** Trailers stay where they are if they come in one piece; else they are put together. */
  #readTrailers(buffer: Buffer, start: number, at: number, end: number): ChunkedResult {
    const held = this.#trailerBytes;
    const heldBefore = held.length;
    const scanEnd = Math.min(end, at + TRAILER_BYTES_MAX - heldBefore);
    let source = buffer;
    let base = at;
    if (heldBefore > 0) {
      held.append(buffer, at, scanEnd);
      source = held.view();
      base = 0;
    }
    const sourceEnd = heldBefore > 0 ? source.length : scanEnd;
    const result = this.#scanner.scan(source, base, sourceEnd, TRAILERS_MAX);
    if (result === 'bad') return bad(`${this.#scanner.fault} (trailers)`);
    if (result === 'many') return large(`more than ${TRAILERS_MAX} trailers`);
    if (result === 'more') {
      if (heldBefore + scanEnd - at >= TRAILER_BYTES_MAX) {
        return large(`trailers longer than ${TRAILER_BYTES_MAX} bytes`);
      }
      if (heldBefore === 0) held.append(buffer, at, scanEnd);
      return MORE;
    }
    const position = this.#scanner.position;
    const trailers = this.#takeTrailers(source, base);
    this.#reset();
    if (typeof trailers === 'string') return bad(trailers);
    return { kind: 'end', bytes: at - start + position - heldBefore, trailers };
  }

  /** The scanned trailers, or what is wrong with them. */
  #takeTrailers(source: Buffer, base: number): string[] | string {
    const scanner = this.#scanner;
    if (scanner.count === 0) return [];
    const bytes = scanner.position;
    if (this.#trailerBytes.length > 0) {
      // The offsets are those of the last piece only.
      scanner.reset(0);
      scanner.scan(source, base, base + bytes, TRAILERS_MAX);
    }
    const trailers = fieldsOf(scanner, source.toString('latin1', base, base + bytes));
    for (let index = 0; index < trailers.length; index += 2) {
      if (isHeadOnly(trailers[index]!)) return 'a trailer that belongs into the head';
    }
    return trailers;
  }

  #reset(): void {
    this.#reading = 'size';
    this.#digits = 0;
    this.#size = 0;
    this.#extensionBytes = 0;
    this.#scanner.reset(0);
    this.#trailerBytes.clear();
  }
}

function bad(message: string): ChunkedResult {
  return { kind: 'bad', status: 400, code: 'REQUEST_INVALID', message };
}

function large(message: string): ChunkedResult {
  return { kind: 'bad', status: 431, code: 'REQUEST_HEAD_TOO_LARGE', message };
}

/** The line in front of a chunk of `size` bytes; behind the payload goes CR LF. `size` 0 ends the body. */
export function chunkHead(size: number): string {
  return `${size.toString(16)}\r\n`;
}

/** The end of a chunked body: last chunk, trailers (flat), empty line. */
export function chunkEnd(trailers: readonly string[]): string {
  let text = '0\r\n';
  for (let index = 0; index + 1 < trailers.length; index += 2) {
    text += `${trailers[index]}: ${trailers[index + 1]}\r\n`;
  }
  return `${text}\r\n`;
}
