// What an answer of the debugger's endpoints means for a viewer, and how long to wait before asking again.

import type { CdpMessage, Opened, PollError } from '../wire/poll-messages.ts';

export type Verdict =
  | { kind: 'ok' }
  | { kind: 'resync'; next: number } // The other side wants another number.
  | { kind: 'gone'; message: string } // No such viewer; its session may live.
  | { kind: 'refused'; message: string } // Asking again would not help.
  | { kind: 'absent'; message: string } // No session proxy is there: ended, or not yet back after a front.
  | { kind: 'retry'; message: string }; // A front or a host is being replaced, or a hop is broken.

/** Statuses that a hop in between, or a host that is being started again, answers for a while. */
const PASSING = new Set([404, 408, 421, 425, 429]);

const RETRIES_MAX = 40;
/** A proxy dials a new front within 50 ms; 3 s are for a machine with other things to do. */
const ABSENCES_MAX = 5;
const RETRY_FIRST_MS = 100;
const RETRY_LONGEST_MS = 3000;

/**
 * Ms to wait after so many failures in a row, the last one of this kind; null: give up. All waits together
 * are more than 100 s, or 3 s when nobody is there to ask.
 */
export function retryDelayMs(failures: number, kind: 'retry' | 'absent'): number | null {
  if (failures > (kind === 'absent' ? ABSENCES_MAX : RETRIES_MAX)) return null;
  return Math.min(RETRY_FIRST_MS * 2 ** (failures - 1), RETRY_LONGEST_MS);
}

/** JSON, or undefined when it is none: a proxy in between may answer with a page. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readError(text: string): Partial<PollError> {
  const value = parse(text);
  if (!isRecord(value)) return {};
  const { code, message } = value;
  return {
    ...(typeof code === 'string' && { code: code as PollError['code'] }),
    ...(typeof message === 'string' && { message }),
  };
}

/** Judges a status and the text that came with it. */
export function judge(status: number, text: string): Verdict {
  if (status >= 200 && status < 300) return { kind: 'ok' };
  if (status === 409) {
    const value = parse(text);
    const next = isRecord(value) ? value['next'] : undefined;
    if (typeof next === 'number' && Number.isSafeInteger(next)) return { kind: 'resync', next };
  }
  const { code, message = `the server answered ${status}` } = readError(text);
  if (status === 410) {
    // A session proxy always names a code; a front that has none answers in words.
    if (code === undefined) return { kind: 'absent', message: 'the debugger is not running any more' };
    return { kind: code === 'VIEWER_UNKNOWN' ? 'gone' : 'refused', message };
  }
  if (status >= 500 || PASSING.has(status)) return { kind: 'retry', message };
  return { kind: 'refused', message };
}

/** The answer to a poll; undefined when it is none. */
export function readMessages(text: string): CdpMessage[] | undefined {
  const value = parse(text);
  return Array.isArray(value) && value.every(isRecord) ? (value as CdpMessage[]) : undefined;
}

/** The answer to opening; undefined when it is none. */
export function readOpened(text: string): Opened | undefined {
  const value = parse(text);
  if (!isRecord(value)) return undefined;
  const { viewer, app, pid } = value;
  if (typeof viewer !== 'string' || viewer === '') return undefined;
  return { viewer, app: typeof app === 'string' ? app : '', pid: typeof pid === 'number' ? pid : 0 };
}
