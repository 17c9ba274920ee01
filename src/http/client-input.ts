// What a client has sent and nobody has read yet, in one piece, and whether its end came behind it.
// Bytes once handed out as slices are never written again, so slices stay valid.

const EMPTY = Buffer.alloc(0);
const GROWN_BYTES_MIN = 1024;

/** The unread bytes of one connection: `buffer[start..end)`. Who appends sees to the bound. */
export class ClientInput {
  buffer: Buffer = EMPTY;
  start = 0;
  end = 0;
  /** The client will send no more. */
  isEnded = false;
  /** The space behind `end` is ours. */
  #isGrown = false;
  /** The buffer is that of all clients: see shared-reads.ts. */
  #isShared = false;

  /** The unread bytes are there until the call of the socket returns: see shared-reads.ts. */
  get isShared(): boolean {
    return this.#isShared;
  }

  get length(): number {
    return this.end - this.start;
  }

  /**
   * Adds the first `length` bytes of `chunk`, which is taken over without copying when there are none. If it
   * is shared, `own` has to be called before somebody else reads into it.
   */
  append(chunk: Buffer, length: number = chunk.length, isShared = false): void {
    if (this.start === this.end) {
      this.buffer = chunk;
      this.start = 0;
      this.end = length;
      this.#isGrown = false;
      this.#isShared = isShared;
      return;
    }
    if (!this.#isGrown || this.end + length > this.buffer.length) this.#grow(length);
    chunk.copy(this.buffer, this.end, 0, length);
    this.end += length;
  }

  /** From now on the unread bytes stay: slices of them may be kept. */
  own(): void {
    if (!this.#isShared) return;
    this.#isShared = false;
    const { length } = this;
    if (length === 0) return;
    const owned = Buffer.allocUnsafeSlow(length);
    this.buffer.copy(owned, 0, this.start, this.end);
    this.buffer = owned;
    this.start = 0;
    this.end = length;
  }

  /** The first `bytes` were read. */
  consume(bytes: number): void {
    this.start += bytes;
    if (this.start === this.end) this.clear();
  }

  /** Everything, which counts as read. */
  take(): Buffer {
    const all = this.buffer.subarray(this.start, this.end);
    this.clear();
    return all;
  }

  /** Drops everything and lets the memory go. */
  clear(): void {
    this.buffer = EMPTY;
    this.start = 0;
    this.end = 0;
    this.#isGrown = false;
    this.#isShared = false;
  }

  /** Doubles, so that adding one byte at a time stays linear. */
  #grow(bytes: number): void {
    const length = this.length;
    const grown = Buffer.allocUnsafeSlow(Math.max(GROWN_BYTES_MIN, (length + bytes) * 2));
    this.buffer.copy(grown, 0, this.start, this.end);
    this.buffer = grown;
    this.start = 0;
    this.end = length;
    this.#isGrown = true;
    this.#isShared = false;
  }
}
