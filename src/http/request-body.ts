// The body of one request: raw bytes -> payload, its end, what is wrong with it. Payload is handed on as
// views. Knows the largest body allowed.

import type { ErrorCode } from '../base/host-error.ts';
import type { BodyFraming } from './body-length.ts';
import { ChunkedDecoder } from './chunked.ts';

/** Why a request whose body began cannot be served. */
export interface BodyFault {
  kind: 'bad';
  status: number;
  code: ErrorCode;
  message: string;
}

/** `bytes`: how many of the given bytes were read. */
export type BodyResult =
  | { kind: 'more' }
  | { kind: 'whole'; bytes: number; trailers: string[] }
  | BodyFault;

/** The client ended its half too soon. */
export const BODY_TRUNCATED: BodyFault = {
  kind: 'bad', status: 400, code: 'REQUEST_INVALID', message: 'the connection ended inside its body',
};

/** bodyIdleTimeoutMs or bodyRateMin. */
export const BODY_TOO_SLOW: BodyFault = {
  kind: 'bad', status: 408, code: 'REQUEST_TIMED_OUT', message: 'its body did not arrive in time',
};

const MORE: BodyResult = { kind: 'more' };

/** Gets the pieces of a body. */
export interface BodySink {
  bodyData(slice: Buffer): void;
}

/** Reads one body after the other; `start` begins each. */
export class RequestBody {
  #sink: BodySink;
  #bytesMax: number;
  /** Bytes that are missing where the length is known. */
  #missing = 0;
  #isChunked = false;
  #isWhole = true;
  #payloadBytes = 0;
  #chunked: ChunkedDecoder | null = null;

  /** `bytesMax` 0 is no limit. */
  constructor(bytesMax: number, sink: BodySink) {
    this.#bytesMax = bytesMax;
    this.#sink = sink;
  }

  /** Nothing of it is to come. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Payload so far. */
  get payloadBytes(): number {
    return this.#payloadBytes;
  }

  /** How many bytes are to come at least; 0 when it is whole. */
  get restBytes(): number {
    if (this.#isWhole) return 0;
    return this.#isChunked ? 1 : this.#missing;
  }

  /** Expects such a body. */
  start(framing: BodyFraming): void {
    this.#isWhole = framing.kind === 'none';
    this.#isChunked = framing.kind === 'chunked';
    this.#missing = framing.kind === 'length' ? framing.length : 0;
    this.#payloadBytes = 0;
    // A body that was given up leaves its decoder somewhere inside.
    this.#chunked = this.#isChunked ? new ChunkedDecoder((slice) => this.#take(slice)) : null;
  }

  /** The length that the head says is over the limit. */
  get isTooLong(): boolean {
    return this.#bytesMax > 0 && Math.max(this.#missing, this.#payloadBytes) > this.#bytesMax;
  }

  /** Reads `buffer[start..end)`. Not to be called when it is whole or was bad. */
  push(buffer: Buffer, start: number, end: number): BodyResult {
    if (this.#chunked !== null) return this.#pushChunked(this.#chunked, buffer, start, end);
    const bytes = Math.min(this.#missing, end - start);
    if (bytes === 0) return MORE;
    this.#missing -= bytes;
    this.#take(buffer.subarray(start, start + bytes));
    if (this.#missing > 0) return MORE;
    this.#isWhole = true;
    return { kind: 'whole', bytes, trailers: [] };
  }

  #pushChunked(decoder: ChunkedDecoder, buffer: Buffer, start: number, end: number): BodyResult {
    const result = decoder.push(buffer, start, end);
    if (result.kind === 'bad') return result;
    if (this.isTooLong) return tooLong(this.#bytesMax);
    if (result.kind === 'more') return MORE;
    this.#isWhole = true;
    return { kind: 'whole', bytes: result.bytes, trailers: result.trailers };
  }

  #take(slice: Buffer): void {
    this.#payloadBytes += slice.length;
    // A piece that is already too much is not passed on.
    if (this.#isChunked && this.isTooLong) return;
    this.#sink.bodyData(slice);
  }
}

/** The answer to a body over the limit. */
export function tooLong(bytesMax: number): BodyFault {
  return {
    kind: 'bad',
    status: 413,
    code: 'REQUEST_BODY_TOO_LARGE',
    message: `a body of more than ${bytesMax} bytes (bodyBytesMax)`,
  };
}
