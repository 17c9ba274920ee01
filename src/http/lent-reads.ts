// What processes send is read into large buffers that are used again: node would make a buffer of 64 kB for each read.
// A buffer is lent: whoever wants bytes of it for longer than the call has to `keep` them, which copies the few and
// holds the buffer for the many. A link reads on into another one meanwhile. There are few of those: when all
// are held, by clients that do not take their bytes, what is kept is copied (docs/decisions/0006-shared-reads.md).

import type * as net from 'node:net';
import { readInto } from './shared-reads.ts';

/** More than a Unix socket holds: all that is there comes with one read. */
export const LENT_BYTES = 262_144;
/** Buffers of the front that are held, or wait to be used again, beside one for each link. */
export const SPARE_BUFFERS_MAX = 8;
/** Smaller pieces are copied: many clients could hold a buffer each for little. */
const HELD_BYTES_MIN = 16_384;

/** Bytes that stay as they are. `release` is to be called once, when they are not wanted any more. */
export interface KeptBytes {
  bytes: Buffer;
  /** Null: nobody waits for it. */
  release: (() => void) | null;
}

class LentBuffer {
  readonly bytes = Buffer.allocUnsafeSlow(LENT_BYTES);
  holders = 0;
  /** A link reads into it. */
  isCurrent = true;

  constructor() {
    lent.set(this.bytes.buffer, this);
  }

  readonly release = (): void => {
    this.holders -= 1;
    if (this.holders === 0 && !this.isCurrent) spare.push(this);
  };
}

const lent = new Map<ArrayBufferLike, LentBuffer>();
const spare: LentBuffer[] = [];
/** Spare ones, and those that are held and will be. */
let spareCount = 0;

/** For the pieces of a read: `slice` itself where that stays as it is, else a copy. */
export function keep(slice: Buffer): KeptBytes {
  const owner = lent.get(slice.buffer);
  if (owner === undefined) return { bytes: slice, release: null };
  const mayHold = owner.holders > 0 || spare.length > 0 || spareCount < SPARE_BUFFERS_MAX;
  if (slice.length < HELD_BYTES_MIN || !mayHold) return { bytes: Buffer.from(slice), release: null };
  owner.holders += 1;
  return { bytes: slice, release: owner.release };
}

/** The buffer for the next read behind one into `current`. */
function nextBehind(current: LentBuffer): LentBuffer {
  if (current.holders === 0) return current;
  current.isCurrent = false;
  const next = spare.pop();
  if (next !== undefined) {
    next.isCurrent = true;
    return next;
  }
  spareCount += 1;
  return new LentBuffer();
}

/** Calls with all that a fresh socket reads, `buffer[0..length)`. Returns if it is lent: as with `onBytes`. */
export function readLent(socket: net.Socket, take: (buffer: Buffer, length: number) => void): boolean {
  let current = new LentBuffer();
  const isLent = readInto(socket, {
    first: current.bytes,
    take: (length) => take(current.bytes, length),
    next: () => (current = nextBehind(current)).bytes,
  });
  if (!isLent) socket.on('data', (chunk: Buffer) => take(chunk, chunk.length));
  // Nobody reads into it any more: who still holds it has it alone.
  socket.on('close', () => lent.delete(current.bytes.buffer));
  return isLent;
}
