// The body of an answer on its way into the cache. With a known length it is written straight to its place;
// else into pieces that become one at the end. All of it is counted against the bound of the store from the
// moment it takes memory.
//
//   open ──append──▶ open ──commit──▶ closed: an entry, counted in
//     └──too large, no room, abort──▶ closed: given back

import { assert } from '../base/assert.ts';
import { CacheEntry } from './cache-entry.ts';
import type { EntryParts } from './cache-entry.ts';
import type { CacheStore } from './cache-store.ts';

const PIECE_BYTES_MIN = 4096;
const PIECE_BYTES_MAX = 65_536;

/** Why a body cannot be kept. */
export type FillRefusal = 'too-large' | 'full' | 'broken';

export interface FillOptions {
  store: CacheStore;
  parts: EntryParts;
  /** Content-Length; null: not known. */
  length: number | null;
  /** Bound of one body, in bytes. */
  objectBytesMax: number;
}

/** One body that arrives. */
export class CacheFill {
  #store: CacheStore;
  #parts: EntryParts;
  #bytesMax: number;
  /** Made at once if the length is known. */
  #entry: CacheEntry | null = null;
  #pieces: Buffer[] = [];
  /** Bytes used of the last piece. */
  #lastBytes = 0;
  #received = 0;
  /** What is counted in for it. */
  #reserved = 0;
  #refusal: FillRefusal | null = null;
  #isOpen = true;

  constructor({ store, parts, length, objectBytesMax }: FillOptions) {
    this.#store = store;
    this.#parts = parts;
    this.#bytesMax = objectBytesMax;
    if (length === null) return;
    if (length > objectBytesMax) {
      this.#refuse('too-large');
      return;
    }
    const entry = new CacheEntry(parts, length);
    if (this.#reserve(entry.bytes)) this.#entry = entry;
  }

  /** Why nothing more is taken; null while all is well. */
  get refusal(): FillRefusal | null {
    return this.#refusal;
  }

  /** Takes a piece of the body; it is copied. */
  append(slice: Buffer): void {
    if (!this.#isOpen) return;
    const received = this.#received + slice.length;
    if (received > (this.#entry?.body.length ?? this.#bytesMax)) {
      this.#refuse(this.#entry === null ? 'too-large' : 'broken');
      return;
    }
    if (this.#entry === null) this.#appendPieces(slice);
    else slice.copy(this.#entry.body, this.#received);
    this.#received = received;
  }

  /** The body is whole: the entry, whose bytes stay counted in, or why there is none. */
  commit(): CacheEntry | FillRefusal {
    if (!this.#isOpen) return this.#refusal ?? 'broken';
    const entry = this.#entry ?? this.#join();
    if (entry === null) return this.#refusal!;
    if (this.#received !== entry.body.length) {
      this.#refuse('broken');
      return 'broken';
    }
    this.#isOpen = false;
    this.#reserved = 0;
    return entry;
  }

  /** Nothing will come of it. Harmless when it is closed. */
  abort(): void {
    if (this.#isOpen) this.#refuse('broken');
  }

  #appendPieces(slice: Buffer): void {
    let at = 0;
    while (at < slice.length) {
      const last = this.#pieces.at(-1);
      if (last === undefined || this.#lastBytes === last.length) {
        const doubled = Math.max(this.#received, slice.length - at);
        const bytes = Math.min(PIECE_BYTES_MAX, Math.max(PIECE_BYTES_MIN, doubled));
        if (!this.#reserve(bytes)) return;
        this.#pieces.push(Buffer.allocUnsafeSlow(bytes));
        this.#lastBytes = 0;
        continue;
      }
      const copied = slice.copy(last, this.#lastBytes, at);
      this.#lastBytes += copied;
      at += copied;
    }
  }

  /** The pieces as one. For the moment of the copy both are counted in. */
  #join(): CacheEntry | null {
    const entry = new CacheEntry(this.#parts, this.#received);
    const pieceBytes = this.#reserved;
    if (!this.#reserve(entry.bytes)) return null;
    let at = 0;
    for (const piece of this.#pieces) at += piece.copy(entry.body, at, 0, entry.body.length - at);
    this.#pieces = [];
    this.#store.release(pieceBytes);
    this.#reserved -= pieceBytes;
    return entry;
  }

  #reserve(bytes: number): boolean {
    if (!this.#store.reserve(bytes)) {
      this.#refuse('full');
      return false;
    }
    this.#reserved += bytes;
    return true;
  }

  #refuse(refusal: FillRefusal): void {
    assert(this.#isOpen, 'a fill is refused once');
    this.#isOpen = false;
    this.#refusal = refusal;
    this.#entry = null;
    this.#pieces = [];
    this.#store.release(this.#reserved);
    this.#reserved = 0;
  }
}
