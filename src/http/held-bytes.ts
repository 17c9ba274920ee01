// The bytes of something unfinished, in one piece. Grows by doubling, so that adding one byte at a time
// stays linear. Who adds sees to the bound.

const FIRST_BYTES = 1024;

/** Collects bytes that arrive in pieces. Holds no memory while empty. */
export class HeldBytes {
  #buffer: Buffer | null = null;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Copies `source[start..end)` to the end. */
  append(source: Buffer, start: number, end: number): void {
    const length = this.#length + end - start;
    if (this.#buffer === null || this.#buffer.length < length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, length, this.#length * 2));
      if (this.#buffer !== null) this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    source.copy(this.#buffer, this.#length, start, end);
    this.#length = length;
  }

  /** What was collected: a view, valid until the next `append`. Slices of it stay valid after `clear`. */
  view(): Buffer {
    return this.#buffer === null ? Buffer.alloc(0) : this.#buffer.subarray(0, this.#length);
  }

  /** Empties it and lets the memory go. */
  clear(): void {
    this.#buffer = null;
    this.#length = 0;
  }
}
