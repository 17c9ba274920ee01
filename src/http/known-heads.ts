// Heads of responses that were read lately. A program writes few different heads, and the same one again and again
// within the second of its Date: then a comparison takes the place of reading it. What was read of the same bytes
// holds again, since reading a head depends on nothing else. Bounded in number and size; shared by all readers.

import type { ReceivedHead } from './received-head.ts';

/** Longest head that is kept, in bytes. */
const KNOWN_HEAD_BYTES_MAX = 1024;
/** A power of two. */
const PLACES = 64;

/** A final head that is no answer to HEAD or CONNECT, where the same bytes mean something else. */
export interface KnownHead {
  /** Its bytes, with the empty line. */
  readonly text: string;
  readonly head: ReceivedHead;
  /** It was seen again, and its lines are one flat text. */
  isSeenAgain: boolean;
}

/** By the length of what it came in: small answers of one kind have the same. */
const places: (KnownHead | undefined)[] = Array.from({ length: PLACES });

/** The head at the start of `text`, which is what came in one piece, if it is known. */
export function knownHeadOf(text: string): KnownHead | undefined {
  const known = places[text.length & (PLACES - 1)];
  if (known === undefined || !text.startsWith(known.text)) return undefined;
  if (!known.isSeenAgain) {
    known.isSeenAgain = true;
    // A text that was put together is walked through at each write, a flat one is copied.
    known.head.lines.text = Buffer.from(known.head.lines.text, 'latin1').toString('latin1');
  }
  return known;
}

/** Keeps the head of `bytes` at the start of `text`, in the place of another one. */
export function rememberHead(text: string, bytes: number, head: ReceivedHead): void {
  if (bytes > KNOWN_HEAD_BYTES_MAX) return;
  places[text.length & (PLACES - 1)] = { text: text.slice(0, bytes), head, isSeenAgain: false };
}
