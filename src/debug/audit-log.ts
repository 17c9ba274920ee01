// The audit log: who came, from where, and what they did to programs; JSON lines, appended by the host and by
// every session proxy. Bounded: a file that is full moves aside, once. Secrets are masked before they are
// written. What cannot be written is told to the log, and the debugger goes on.

import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HostError, messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';

/** Largest file, in bytes; one older file of the same size is kept beside it. */
export const AUDIT_BYTES_MAX = 16_777_216;
/** Longest text of a command, in characters; more is cut off with a mark. */
export const AUDIT_TEXT_MAX = 4096;
/** Refusals that are written in a minute: whoever is refused must not push out what others did. */
export const REFUSED_PER_MINUTE_MAX = 10;
const MINUTE_MS = 60_000;
const MASK = '***';

/** One line. `time` is added. */
export interface AuditEntry {
  event: 'signed-in' | 'refused' | 'opened' | 'killed' | 'attached' | 'left' | 'command' | 'revoked' | 'role';
  /** Path or name of the app. */
  app: string;
  /** The visitor: `local`, `anyone` or the beginning of a session's id. */
  who: string;
  role?: string;
  from?: string;
  method?: string;
  text?: string;
  /** Refusals before this one that are not in the log. */
  unwritten?: number;
}

/** Takes entries. */
export interface AuditLog {
  write(entry: AuditEntry): void;
}

/**
 * Appends to `file`. `maskPatterns` are regular expressions; what one of them matches in a text is masked.
 * `now` is the wall clock in ms; replaced in tests.
 * @throws HostError CONFIG_INVALID for a pattern that is none.
 */
export function createAuditLog(options: {
  file: string;
  maskPatterns: readonly string[];
  log: Log;
  now?: () => number;
}): AuditLog {
  const { file, log, now = Date.now } = options;
  const masks = options.maskPatterns.map(maskOf);
  let hasFailed = false;
  let [minute, refused, unwritten] = [0, 0, 0];
  /** Undefined: there were too many. */
  const counted = (entry: AuditEntry): AuditEntry | undefined => {
    if (entry.event !== 'refused') return entry;
    const nowMinute = Math.floor(now() / MINUTE_MS);
    if (nowMinute !== minute) [minute, refused] = [nowMinute, 0];
    refused += 1;
    if (refused > REFUSED_PER_MINUTE_MAX) {
      unwritten += 1;
      return undefined;
    }
    const before = unwritten;
    unwritten = 0;
    return before === 0 ? entry : { ...entry, unwritten: before };
  };
  return {
    write(given) {
      const entry = counted(given);
      if (entry === undefined) return;
      const { text } = entry;
      const shown = text === undefined ? {} : { text: masked(text, masks) };
      const line = `${JSON.stringify({ time: new Date().toISOString(), ...entry, ...shown })}\n`;
      try {
        append(file, line);
        hasFailed = false;
      } catch (error) {
        if (!hasFailed) log.warn('audit-failed', { file, reason: messageOf(error) });
        hasFailed = true;
      }
    },
  };
}

/** Where the audit log is in the folder of the debugger. */
export function auditFile(folder: string): string {
  return join(folder, 'audit.jsonl');
}

function maskOf(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'g');
  } catch (error) {
    throw new HostError('CONFIG_INVALID', `debuggerAuditMask: ${messageOf(error)}`, { cause: error });
  }
}

function masked(text: string, masks: readonly RegExp[]): string {
  // Cut only afterwards: half a secret would match no pattern.
  let shown = text.slice(0, 4 * AUDIT_TEXT_MAX);
  for (const mask of masks) shown = shown.replace(mask, MASK);
  return shown.length > AUDIT_TEXT_MAX ? `${shown.slice(0, AUDIT_TEXT_MAX)}… (${text.length})` : shown;
}

function append(file: string, line: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const found = statSync(file, { throwIfNoEntry: false });
  if (found !== undefined && found.size + line.length > AUDIT_BYTES_MAX) renameSync(file, `${file}.1`);
  appendFileSync(file, line, { mode: 0o600 });
}
