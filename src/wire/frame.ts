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
 * Gets each frame. The payload is `buffer.subarray(start, end)`; it is valid during the call only
 * unless the receiver keeps the buffer alive by slicing it (slices are views, not copies).
 */
export type OnFrame = (
  type: number,
  channel: number,
  buffer: Buffer,
  start: number,
  end: number,
) => void;

const NEVER_IN_PARTS = (): number => 0;

/** Cuts a byte stream into frames. Holds the bytes of one unfinished frame at most, none of one that comes in parts. */
export class FrameReader {
  #onFrame: OnFrame;
  #partType: (type: number) => number;
  /** The unfinished frame: filled up to `#filled`. Null between frames. */
  #partial: Buffer | null = null;
  #filled = 0;
  /** Bytes that are missing of a frame whose first part was given. */
  #missing = 0;
  #type = 0;
  #channel = 0;

  /**
   * Frames of a type for which `partType` names one are given as they come: each part but the last as a frame of
   * the type that it names, none of them empty. 0: whole only.
   */
  constructor(onFrame: OnFrame, partType: (type: number) => number = NEVER_IN_PARTS) {
    this.#onFrame = onFrame;
    this.#partType = partType;
  }

  /** Reads `chunk[0..length)`. @throws HostError LINK_FRAME_INVALID when a frame is longer than the limit. */
  push(chunk: Buffer, length: number = chunk.length): void {
    let offset = this.#missing > 0 ? this.#givePart(chunk, 0, length) : 0;
    if (this.#partial !== null) {
      offset = this.#continuePartial(chunk, length);
      if (this.#partial !== null) return;
    }
    while (length - offset >= FRAME_HEAD_BYTES) {
      const start = offset + FRAME_HEAD_BYTES;
      const end = start + payloadLength(chunk, offset);
      if (end > length) {
        if (!this.#beginParts(chunk, offset)) break;
        offset = this.#givePart(chunk, start, length);
        continue;
      }
      this.#onFrame(chunk[offset + 4]!, chunk.readUInt32BE(offset + 5), chunk, start, end);
      offset = end;
    }
    if (offset < length) this.#keep(chunk, offset, length);
  }

  /** The frame whose head is at `offset` comes in parts from now on, if it may. */
  #beginParts(chunk: Buffer, offset: number): boolean {
    if (this.#partType(chunk[offset + 4]!) === 0) return false;
    this.#missing = payloadLength(chunk, offset);
    this.#type = chunk[offset + 4]!;
    this.#channel = chunk.readUInt32BE(offset + 5);
    return true;
  }

  /** Gives what `chunk[start..length)` has of the frame in parts; returns where that ends. */
  #givePart(chunk: Buffer, start: number, length: number): number {
    const end = Math.min(length, start + this.#missing);
    if (end === start) return end;
    this.#missing -= end - start;
    const type = this.#missing > 0 ? this.#partType(this.#type) : this.#type;
    this.#onFrame(type, this.#channel, chunk, start, end);
    return end;
  }

  /** Starts an unfinished frame with the rest of `chunk`. */
  #keep(chunk: Buffer, offset: number, length: number): void {
    const available = length - offset;
    const size =
      available >= FRAME_HEAD_BYTES
        ? FRAME_HEAD_BYTES + payloadLength(chunk, offset)
        : FRAME_HEAD_BYTES;
    this.#partial = Buffer.allocUnsafeSlow(size);
    chunk.copy(this.#partial, 0, offset, length);
    this.#filled = available;
  }

  /** Adds bytes to the unfinished frame; returns how many of `chunk` it took. */
  #continuePartial(chunk: Buffer, length: number): number {
    let partial = this.#partial!;
    let taken = chunk.copy(partial, this.#filled, 0, Math.min(length, partial.length - this.#filled));
    this.#filled += taken;
    if (this.#filled < partial.length) return taken;
    if (partial.length === FRAME_HEAD_BYTES) {
      const payload = payloadLength(partial, 0);
      if (payload > 0) {
        if (this.#beginParts(partial, 0)) {
          this.#partial = null;
          return this.#givePart(chunk, taken, length);
        }
        const whole = Buffer.allocUnsafeSlow(FRAME_HEAD_BYTES + payload);
        partial.copy(whole, 0);
        const more = chunk.copy(whole, FRAME_HEAD_BYTES, taken, Math.min(length, taken + payload));
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
  write(chunk: Buffer, callback?: WrittenCallback): boolean;
  /** Bytes that were written and have not left. Absent: not known. */
  readonly writableLength?: number;
}

/** Called when bytes have left the process, or with why they cannot. */
export type WrittenCallback = (error?: Error | null) => void;

const BATCH_BYTES = 131_072;
/** A payload from this size on goes out as a buffer of its own instead of being copied. */
const COPY_BYTES_MAX = 4096;
/** At a time, of `streamCopy`. */
const COPIED_BYTES_MAX = 65_536;
const NOTHING = Buffer.alloc(0);

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
  /** Where the head of the last frame is in `#lastBatch`; -1: it has left. */
  #lastHead = -1;
  #lastBatch = this.#batch;
  #written: WrittenCallback[] = [];
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

  /**
   * Bytes that may share a frame with what comes before and behind them: of one turn they become one frame, so
   * that the other end has them in one piece. The buffer belongs to the writer from now on.
   */
  stream(type: number, channel: number, payload: Buffer): void {
    if (!this.#grow(type, channel, payload.length)) {
      this.bytes(type, channel, payload);
    } else if (payload.length <= COPY_BYTES_MAX) {
      const at = this.#reserve(payload.length);
      this.#batch.set(payload, at);
      this.#batchEnd = at + payload.length;
    } else {
      this.#cut();
      this.#chunks.push(payload);
    }
  }

  /** As `stream`, of bytes that are the writer's during the call only. */
  streamCopy(type: number, channel: number, bytes: Buffer): void {
    if (bytes.length > COPIED_BYTES_MAX) {
      this.stream(type, channel, Buffer.from(bytes));
      return;
    }
    const at = this.#grow(type, channel, bytes.length)
      ? this.#reserve(bytes.length)
      : this.#head(type, channel, bytes.length);
    this.#batch.set(bytes, at);
    this.#batchEnd = at + bytes.length;
  }

  /** Adds that many bytes to the last frame, if that is of this type, on this channel and here. */
  #grow(type: number, channel: number, bytes: number): boolean {
    if (!this.#isLast(type, channel)) return false;
    const [batch, at] = [this.#lastBatch, this.#lastHead];
    const length = batch.readUInt32BE(at) + bytes;
    if (length > FRAME_PAYLOAD_BYTES_MAX) return false;
    batch.writeUInt32BE(length, at);
    return true;
  }

  /** Makes another type of the last frame, if that is one of `from` on this channel and has not left yet. */
  retype(from: number, channel: number, to: number): boolean {
    if (!this.#isLast(from, channel)) return false;
    this.#lastBatch[this.#lastHead + 4] = to;
    return true;
  }

  #isLast(type: number, channel: number): boolean {
    const [batch, at] = [this.#lastBatch, this.#lastHead];
    return at >= 0 && batch[at + 4] === type && batch.readUInt32BE(at + 5) === channel;
  }

  /** Calls back when all that was collected so far has left the process; not at all behind `close`. */
  afterWrite(callback: WrittenCallback): void {
    this.#written.push(callback);
    this.#schedule();
  }

  /** Writes all that was collected now. */
  flush(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    this.#cut();
    this.#lastHead = -1;
    const [chunks, written, sink] = [this.#chunks, this.#written, this.#sink];
    if (chunks.length === 0) {
      if (written.length === 0) return;
      chunks.push(NOTHING);
    }
    this.#chunks = [];
    let callback: WrittenCallback | undefined;
    if (written.length > 0) {
      this.#written = [];
      callback = (error) => {
        for (const each of written) each(error ?? null);
      };
    }
    const last = chunks.length - 1;
    if (last > 0) sink.cork();
    for (let index = 0; index < last; index++) sink.write(chunks[index]!);
    sink.write(chunks[last]!, callback);
    if (last > 0) sink.uncork();
    // The system has all of it: the batch can be used anew.
    if (sink.writableLength === 0) this.#batchStart = this.#batchEnd = 0;
  }

  /** Drops what was collected and ignores what comes. */
  close(): void {
    this.#closed = true;
    this.#chunks = [];
    this.#written = [];
    this.#batchStart = this.#batchEnd;
    this.#lastHead = -1;
  }

  /** Writes a frame head, reserves `reserve` bytes behind it and returns where they start. */
  #head(type: number, channel: number, length: number, reserve: number = length): number {
    const at = this.#reserve(FRAME_HEAD_BYTES + reserve);
    this.#schedule();
    const batch = this.#batch;
    this.#lastBatch = batch;
    this.#lastHead = at;
    batch.writeUInt32BE(length, at);
    batch[at + 4] = type;
    batch.writeUInt32BE(channel, at + 5);
    this.#batchEnd = at + FRAME_HEAD_BYTES + reserve;
    return at + FRAME_HEAD_BYTES;
  }

  /** Sees to room in the batch; returns where it starts. */
  #reserve(bytes: number): number {
    // What the system takes at once leaves room.
    if (this.#batchEnd + bytes > BATCH_BYTES) this.flush();
    if (this.#batchEnd + bytes > BATCH_BYTES) {
      this.#cut();
      this.#batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
      this.#batchStart = 0;
      this.#batchEnd = 0;
    }
    return this.#batchEnd;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flushBound);
  }

  /** Moves the batch's bytes to the list of chunks. The socket may hold them: not written again unless they left. */
  #cut(): void {
    if (this.#batchEnd === this.#batchStart) return;
    this.#chunks.push(this.#batch.subarray(this.#batchStart, this.#batchEnd));
    this.#batchStart = this.#batchEnd;
  }
}
