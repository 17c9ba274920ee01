// When the use of an app's processes makes them be replaced or rest. Pure.

import type { AppSettings } from './app-config.ts';

/** What is known of a process that serves. */
export interface ProcessUsage {
  ageMs: number;
  /** Requests so far, and under way. */
  requests: number;
  active: number;
  /** Undefined where the system does not tell. */
  memoryBytes: number | undefined;
}

export type UsageVerdict =
  | { kind: 'none' }
  /** New processes take over. */
  | { kind: 'recycle'; reason: string }
  /** Nobody needs them: stop until the next request. */
  | { kind: 'rest' };

type Limits = Pick<AppSettings, 'memoryMbMax' | 'ageMaxMs' | 'requestsMax' | 'idleStopAfterMs' | 'start'>;

/** True when somebody has to look at the use of the app at all. */
export function isUsageLimited(limits: Limits): boolean {
  const { memoryMbMax, ageMaxMs, requestsMax, idleStopAfterMs } = limits;
  return memoryMbMax > 0 || ageMaxMs > 0 || requestsMax > 0 || idleStopAfterMs > 0;
}

const BYTES_PER_MB = 1_048_576;

/** Decides. `idleMs` is how long no request came and none was under way. */
export function usageVerdict(
  limits: Limits,
  processes: readonly ProcessUsage[],
  idleMs: number,
): UsageVerdict {
  const { memoryMbMax, ageMaxMs, requestsMax, idleStopAfterMs } = limits;
  if (processes.length === 0) return { kind: 'none' };
  if (idleStopAfterMs > 0 && limits.start !== 'always' && idleMs >= idleStopAfterMs) return { kind: 'rest' };
  for (const { ageMs, requests, memoryBytes = 0 } of processes) {
    const memoryMb = Math.round(memoryBytes / BYTES_PER_MB);
    if (memoryMbMax > 0 && memoryMb > memoryMbMax) {
      return { kind: 'recycle', reason: `memory ${memoryMb} MiB, at most ${memoryMbMax} (memoryMbMax)` };
    }
    if (ageMaxMs > 0 && ageMs >= ageMaxMs) {
      return { kind: 'recycle', reason: `age ${Math.round(ageMs)} ms, at most ${ageMaxMs} (ageMaxMs)` };
    }
    if (requestsMax > 0 && requests >= requestsMax) {
      return { kind: 'recycle', reason: `${requests} requests, at most ${requestsMax} (requestsMax)` };
    }
  }
  return { kind: 'none' };
}
