// What a changed file means to an app. Pure: the pool tells its situation and does what is decided.

import { unreachable } from '../base/assert.ts';

/** What the pool of an app is doing. */
export type PoolSituation =
  /** No process lives. */
  | 'idle'
  /** Processes live, none is ready yet. */
  | 'starting'
  /** At least one process is ready. */
  | 'serving'
  /** New processes start beside ready ones. */
  | 'recycling'
  /** A debuggee has the app. */
  | 'debug';

export type ChangeDecision =
  /** Nothing runs with the old files; an earlier failure says nothing about the new ones. */
  | 'forget-failures'
  /** Start new processes beside the old ones now. */
  | 'recycle'
  /** Do that when what is going on is over; several changes until then count once. */
  | 'recycle-later'
  /** Only say that the running program is older than its files. */
  | 'note';

/** Decides what a change of watched files leads to. */
export function afterChange(situation: PoolSituation, recycleOnChange: boolean): ChangeDecision {
  switch (situation) {
    case 'idle':
      return 'forget-failures';
    case 'debug':
      return 'note';
    case 'serving':
      return recycleOnChange ? 'recycle' : 'note';
    case 'starting':
    case 'recycling':
      return recycleOnChange ? 'recycle-later' : 'note';
    default:
      return unreachable(situation);
  }
}

/** Recycles that follow each other sooner than this belong to one streak. */
export const STREAK_GAP_MS = 10_000;
/** Recycles of a streak that happen at once. */
export const STREAK_FREE = 5;
const STREAK_WAIT_MIN_MS = 250;
const STREAK_WAIT_MAX_MS = 5000;

/**
 * How long the next recycle of a streak waits, in ms, after `streak` of them. A program that writes a
 * watched file when it starts would otherwise be started over and over.
 */
export function recycleWaitMs(streak: number): number {
  if (streak < STREAK_FREE) return 0;
  return Math.min(STREAK_WAIT_MIN_MS * 2 ** Math.min(streak - STREAK_FREE, 16), STREAK_WAIT_MAX_MS);
}
