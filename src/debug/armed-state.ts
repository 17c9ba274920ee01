// What is armed in a program and holds for the next one too: breakpoints by URL, pause on exceptions, ignored
// files. Kept in a file with the app, so that a debuggee that is started again, or much later, stops where it
// should before its first line runs.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';

/** Largest file, in bytes; what is more is not kept. */
export const ARMED_BYTES_MAX = 4_194_304;

type Params = Record<string, unknown>;

/** What to arm. */
export interface ArmedState {
  /** Commands whose last value holds, with their parameters. */
  remembered: [string, Params][];
  /** Parameters of Debugger.setBreakpointByUrl. */
  breakpoints: Params[];
}

/** Reads what was kept; nothing when there is nothing that makes sense. */
export function readArmed(file: string, log: Log): ArmedState {
  const empty: ArmedState = { remembered: [], breakpoints: [] };
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') warn(log, file, error);
    return empty;
  }
  try {
    const { remembered, breakpoints } = JSON.parse(text) as Partial<ArmedState>;
    if (!Array.isArray(remembered) || !Array.isArray(breakpoints)) return empty;
    return {
      remembered: remembered.filter((row) => Array.isArray(row) && typeof row[0] === 'string' && isObject(row[1])),
      breakpoints: breakpoints.filter(isObject),
    };
  } catch (error) {
    warn(log, file, error);
    return empty;
  }
}

/** Keeps what is armed now. A disk that refuses is logged. */
export function writeArmed(file: string, state: ArmedState, log: Log): void {
  const text = JSON.stringify(state);
  if (Buffer.byteLength(text) > ARMED_BYTES_MAX) {
    log.warn('armed-not-saved', { file, reason: `more than ${ARMED_BYTES_MAX} bytes` });
    return;
  }
  const draft = `${file}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(draft, text, { mode: 0o600 });
    renameSync(draft, file);
  } catch (error) {
    warn(log, file, error);
  }
}

function isObject(value: unknown): value is Params {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function warn(log: Log, file: string, error: unknown): void {
  log.warn('armed-unreadable', { file, reason: messageOf(error) });
}
