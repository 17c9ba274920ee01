// When an app that keeps ending may be started again. Pure: the caller says what happened and when.

/** What is known of the starts of an app with its present files. */
export interface StartHistory {
  /** Starts in a row that failed before the program listened. */
  readonly failures: number;
  /** Ends in a row that came soon after the program listened. */
  readonly crashes: number;
  /** Ends in a row of either kind: an app may fail and crash in turn. */
  readonly ends: number;
  /** Not before this time, on the caller's clock. */
  readonly notBeforeMs: number;
}

/** Nothing against a start: the app is new, its files changed, or it has worked. */
export const NO_HISTORY: StartHistory = { failures: 0, crashes: 0, ends: 0, notBeforeMs: 0 };

/** Shortest time between a failure and the next start. Doubles with each further failure. */
export const BACK_OFF_MIN_MS = 200;
/** The time stops growing here, unless the app is in a crash loop. */
export const BACK_OFF_MAX_MS = 5000;
/** So many ends in a row, without steady service between them, make a crash loop … */
export const LOOP_COUNT = 8;
/** … in which this is the time between two starts. Changed files and commands end it. */
export const LOOP_WAIT_MS = 30_000;
/** A process that served for this long has worked: what came before it is forgotten. */
export const STEADY_MS = 2000;
/** So many early crashes in a row are answered by a start at once: a process may be killed by hand. */
const CRASHES_FREE = 3;

function delayMs(count: number): number {
  if (count <= 0) return 0;
  return Math.min(BACK_OFF_MIN_MS * 2 ** Math.min(count - 1, 16), BACK_OFF_MAX_MS);
}

function delayAfter(ends: number, count: number): number {
  return ends >= LOOP_COUNT ? LOOP_WAIT_MS : delayMs(count);
}

/** After a process ended, or was given up, before it listened. */
export function afterFailure(history: StartHistory, nowMs: number): StartHistory {
  const failures = history.failures + 1;
  const ends = history.ends + 1;
  return { failures, crashes: history.crashes, ends, notBeforeMs: nowMs + delayAfter(ends, failures) };
}

/** After a process ended by itself that had listened for `servedMs`. */
export function afterCrash(history: StartHistory, servedMs: number, nowMs: number): StartHistory {
  if (servedMs >= STEADY_MS) return NO_HISTORY;
  const crashes = history.crashes + 1;
  const ends = history.ends + 1;
  return { failures: 0, crashes, ends, notBeforeMs: nowMs + delayAfter(ends, crashes - CRASHES_FREE) };
}

/** After a process listened: earlier failures to start are over, early crashes may go on. */
export function afterReady(history: StartHistory): StartHistory {
  return { failures: 0, crashes: history.crashes, ends: history.ends, notBeforeMs: 0 };
}

/** True when the app keeps ending: it is tried seldom, and requests are answered at once. */
export function isLooping(history: StartHistory): boolean {
  return history.ends >= LOOP_COUNT;
}

/** How long to wait with the next start, in ms; 0 means start now. */
export function waitMs(history: StartHistory, nowMs: number): number {
  return Math.max(0, history.notBeforeMs - nowMs);
}
