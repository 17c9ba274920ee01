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

  get length(): number {
    return this.end - this.start;
  }

  /** Adds bytes. Takes `chunk` over without copying when there are none. */
  append(chunk: Buffer): void {
    if (this.start === this.end) {
      this.buffer = chunk;
      this.start = 0;
      this.end = chunk.length;
      this.#isGrown = false;
      return;
    }
    if (!this.#isGrown || this.end + chunk.length > this.buffer.length) this.#grow(chunk.length);
    chunk.copy(this.buffer, this.end);
    this.end += chunk.length;
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
  }
}
