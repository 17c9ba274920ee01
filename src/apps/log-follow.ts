// Who reads along in the last lines of an app by asking again and again. A question that finds no line yet is answered
// when one comes, or after a while; how many wait at a time is bounded.

import type { PrintedLine } from './app-logs.ts';

/** Longest wait for a line. Less than fronts and proxies wait for an answer. */
export const FOLLOW_WAIT_MS = 15_000;
/** Questions of one app that wait at a time; more are answered at once. */
export const FOLLOWERS_MAX = 64;

/** The kept lines of an app, numbered from 0 since its first one. */
export interface NumberedLines {
  lines: readonly PrintedLine[];
  /** The number of the line to come. */
  next: number;
}

/** Lines after those that somebody has. */
export interface FollowedLines {
  next: number;
  lines: PrintedLine[];
  /** Lines between that are not kept any more, or are too many. */
  missed: number;
}

/** The newest at most `max` of the lines from number `after` on. A number that never was means all of them. */
export function linesAfter({ lines, next }: NumberedLines, after: number, max: number): FollowedLines {
  const isKnown = after >= 0 && after <= next;
  const wanted = isKnown ? next - after : lines.length;
  const given = Math.min(wanted, lines.length, max);
  return { next, lines: given === 0 ? [] : lines.slice(-given), missed: isKnown ? wanted - given : 0 };
}
