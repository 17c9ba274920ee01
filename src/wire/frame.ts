// Length-prefixed frames on a stream: what every link between our processes is made of.
//
//   0        4      5         9
//   +--------+------+---------+---------------
//   | length | type | channel | payload …        length: bytes of the payload, u32 big endian
//   +--------+------+---------+---------------   type: u8; channel: u32 big endian
//
// The reader keeps at most one unfinished frame. The writer makes one write per turn of the event loop.

import { FRAME_PAYLOAD_BYTES_MAX } from '../base/limits.ts';
import { HostError } from '../base/host-error.ts';
import { assert } from '../base/assert.ts';

/** Length, type and channel. */
export const FRAME_HEAD_BYTES = 9;

/**
 * Gets each whole frame. The payload is `buffer.subarray(start, end)`; it is valid during the call only
 * unless the receiver keeps the buffer alive by slicing it (slices are views, not copies).
 */
export type OnFrame = (
  type: number,
  channel: number,
  buffer: Buffer,
  start: number,
  end: number,
) => void;

/** Cuts a byte stream into frames. Holds the bytes of one unfinished frame at most. */
export class FrameReader {
  #onFrame: OnFrame;
  /** The unfinished frame: filled up to `#filled`. Null between frames. */
  #partial: Buffer | null = null;
  #filled = 0;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  /** @throws HostError LINK_FRAME_INVALID when a frame is longer than the limit. */
  push(chunk: Buffer): void {
    let offset = 0;
    if (this.#partial !== null) {
      offset = this.#continuePartial(chunk);
      if (this.#partial !== null) return;
    }
    while (chunk.length - offset >= FRAME_HEAD_BYTES) {
      const start = offset + FRAME_HEAD_BYTES;
      const end = start + payloadLength(chunk, offset);
      if (end > chunk.length) break;
      this.#onFrame(chunk[offset + 4]!, chunk.readUInt32BE(offset + 5), chunk, start, end);
      offset = end;
    }
    if (offset < chunk.length) this.#keep(chunk, offset);
  }

  /** Starts an unfinished frame with the rest of `chunk`. */
  #keep(chunk: Buffer, offset: number): void {
    const available = chunk.length - offset;
    const size =
      available >= FRAME_HEAD_BYTES
        ? FRAME_HEAD_BYTES + payloadLength(chunk, offset)
        : FRAME_HEAD_BYTES;
    this.#partial = Buffer.allocUnsafeSlow(size);
    chunk.copy(this.#partial, 0, offset);
    this.#filled = available;
  }

  /** Adds bytes to the unfinished frame; returns how many of `chunk` it took. */
  #continuePartial(chunk: Buffer): number {
    let partial = this.#partial!;
    let taken = chunk.copy(partial, this.#filled, 0, partial.length - this.#filled);
    this.#filled += taken;
    if (this.#filled < partial.length) return taken;
    if (partial.length === FRAME_HEAD_BYTES) {
      const length = payloadLength(partial, 0);
      if (length > 0) {
        const whole = Buffer.allocUnsafeSlow(FRAME_HEAD_BYTES + length);
        partial.copy(whole, 0);
        const more = chunk.copy(whole, FRAME_HEAD_BYTES, taken, taken + length);
        taken += more;
        this.#filled += more;
        this.#partial = whole;
        partial = whole;
        if (this.#filled < whole.length) return taken;
      }
    }
    this.#partial = null;
    this.#onFrame(partial[4]!, partial.readUInt32BE(5), partial, FRAME_HEAD_BYTES, partial.length);
    return taken;
  }
}

function payloadLength(buffer: Buffer, offset: number): number {
  const length = buffer.readUInt32BE(offset);
  if (length > FRAME_PAYLOAD_BYTES_MAX) {
    throw new HostError(
      'LINK_FRAME_INVALID',
      `a frame of ${length} bytes is longer than ${FRAME_PAYLOAD_BYTES_MAX}`,
    );
  }
  return length;
}

/** What a frame writer writes to; net.Socket has this shape. */
export interface FrameSink {
  cork(): void;
  uncork(): void;
  write(chunk: Buffer): boolean;
}

const BATCH_BYTES = 65_536;
/** A payload from this size on goes out as a buffer of its own instead of being copied. */
const COPY_BYTES_MAX = 4096;

/**
 * Collects frames and writes them once per turn of the event loop: small ones are copied together,
 * large payloads are handed over as they are, and the socket sends all with one writev.
 */
export class FrameWriter {
  #sink: FrameSink;
  #batch: Buffer = Buffer.allocUnsafeSlow(BATCH_BYTES);
  #batchStart = 0;
  #batchEnd = 0;
  #chunks: Buffer[] = [];
  /** Where the head of the last frame is in the batch; -1: it is there no more, or its payload is not. */
  #lastHead = -1;
  #scheduled = false;
  #closed = false;
  readonly #flushBound = (): void => this.flush();

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** A frame without payload. */
  empty(type: number, channel: number): void {
    this.#head(type, channel, 0);
  }

  /** A frame whose payload is one number. */
  number(type: number, channel: number, value: number): void {
    const at = this.#head(type, channel, 4);
    this.#batch.writeUInt32BE(value, at);
  }

  /** A frame whose payload is `prefix` bytes, then `text` in latin1 (all of HTTP's field octets). */
  latin1(type: number, channel: number, prefix: readonly number[], text: string): void {
    const length = prefix.length + text.length;
    if (FRAME_HEAD_BYTES + length > BATCH_BYTES) {
      const payload = Buffer.allocUnsafeSlow(length);
      payload.set(prefix, 0);
      payload.write(text, prefix.length, 'latin1');
      this.bytes(type, channel, payload);
      return;
    }
    let at = this.#head(type, channel, length);
    for (let index = 0; index < prefix.length; index++) this.#batch[at++] = prefix[index]!;
    this.#batch.write(text, at, 'latin1');
  }

  /** A frame whose payload is a JSON value. */
  json(type: number, channel: number, value: unknown): void {
    this.bytes(type, channel, Buffer.from(JSON.stringify(value)));
  }

  /** A frame of bytes. The buffer belongs to the writer from now on. */
  bytes(type: number, channel: number, payload: Buffer): void {
    assert(payload.length <= FRAME_PAYLOAD_BYTES_MAX, 'payload fits a frame');
    if (payload.length <= COPY_BYTES_MAX) {
      const at = this.#head(type, channel, payload.length);
      this.#batch.set(payload, at);
      return;
    }
    this.#head(type, channel, payload.length, 0);
    this.#cut();
    this.#chunks.push(payload);
  }

  /** Makes another type of the last frame, if that is one of `from` on this channel and has not left yet. */
  retype(from: number, channel: number, to: number): boolean {
    const [batch, at] = [this.#batch, this.#lastHead];
    if (at < 0 || batch[at + 4] !== from || batch.readUInt32BE(at + 5) !== channel) return false;
    batch[at + 4] = to;
    return true;
  }

  /** Writes all that was collected now. */
  flush(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    this.#cut();
    const chunks = this.#chunks;
    if (chunks.length === 0) return;
    this.#chunks = [];
    if (chunks.length === 1) {
      this.#sink.write(chunks[0]!);
      return;
    }
    this.#sink.cork();
    for (const chunk of chunks) this.#sink.write(chunk);
    this.#sink.uncork();
  }

  /** Drops what was collected and ignores what comes. */
  close(): void {
    this.#closed = true;
    this.#chunks = [];
    this.#batchStart = this.#batchEnd;
    this.#lastHead = -1;
  }

  /** Writes a frame head, reserves `reserve` bytes behind it and returns where they start. */
  #head(type: number, channel: number, length: number, reserve: number = length): number {
    if (this.#batchEnd + FRAME_HEAD_BYTES + reserve > BATCH_BYTES) {
      this.#cut();
      this.#batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
      this.#batchStart = 0;
      this.#batchEnd = 0;
    }
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#flushBound);
    }
    const batch = this.#batch;
    const at = this.#batchEnd;
    this.#lastHead = at;
    batch.writeUInt32BE(length, at);
    batch[at + 4] = type;
    batch.writeUInt32BE(channel, at + 5);
    this.#batchEnd = at + FRAME_HEAD_BYTES + reserve;
    return at + FRAME_HEAD_BYTES;
  }

  /** Moves the batch's bytes to the list of chunks. The socket may hold them: never written again. */
  #cut(): void {
    this.#lastHead = -1;
    if (this.#batchEnd === this.#batchStart) return;
    this.#chunks.push(this.#batch.subarray(this.#batchStart, this.#batchEnd));
    this.#batchStart = this.#batchEnd;
  }
}
