// How requests wait, by the environment of a program, as httpsys reads it: SLIPSTREAM_REQUEST_QUEUE_LENGTH,
// SLIPSTREAM_PENDING_READ_COUNT, SLIPSTREAM_BUFFER_SIZE, or the same with HTTPSYS_. Pure.

const COUNT_MAX = 1_000_000;
const BUFFER_BYTES_MAX = 1_048_576;

/** Absent: the host's own settings hold. */
export interface QueueSettings {
  /** Most requests that wait for a process. */
  queueMax?: number;
  /** Most requests of one process at a time. */
  concurrencyMax?: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A whole number above 0, at most `max`; else undefined, as for 0 and text. */
function countOf(environment: Environment, name: string, max: number): number | undefined {
  const value = Math.trunc(Number(environment[`SLIPSTREAM_${name}`] ?? environment[`HTTPSYS_${name}`]));
  return value > 0 ? Math.min(value, max) : undefined;
}

/** What the environment says of a program's queue. */
export function queueSettings(environment: Environment): QueueSettings {
  const queueMax = countOf(environment, 'REQUEST_QUEUE_LENGTH', COUNT_MAX);
  const concurrencyMax = countOf(environment, 'PENDING_READ_COUNT', COUNT_MAX);
  return { ...(queueMax !== undefined && { queueMax }), ...(concurrencyMax !== undefined && { concurrencyMax }) };
}

/** Largest piece of a request body that the program gets at a time, in bytes; default as it comes. */
export function bodyPieceBytesMax(environment: Environment): number {
  return countOf(environment, 'BUFFER_SIZE', BUFFER_BYTES_MAX) ?? Number.POSITIVE_INFINITY;
}
