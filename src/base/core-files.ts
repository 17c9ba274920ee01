// Core files without memory: private keys of certificates, above all, do not come to the disk when a process crashes.
// Linux has a filter of what is written for each process (core(5)), which children inherit. Its registers are written
// for all that, and one of a vector holds a whole private key of P-256: a process that works with keys is started with
// no core file at all, which Unix has a limit for (setrlimit(2)). Windows has neither.

import { readFileSync, writeFileSync } from 'node:fs';

const FILTER = '/proc/self/coredump_filter';
/** Registers and the list of threads stay. */
const NO_MEMORY = '0';

/** What the process began with; null while nothing was changed. */
let usual: string | null = null;

/** From now on a core file of this process holds nothing of its memory. */
export function keepMemoryOutOfCores(): void {
  try {
    usual = `0x${readFileSync(FILTER, 'latin1').trim()}`;
    writeFileSync(FILTER, NO_MEMORY);
  } catch {
    // There is no such filter here, or it cannot be changed.
    usual = null;
  }
}

/** `execPath` and `execArgv` of a fork() that starts node by `flags`, and whose process leaves no core file. */
export function withoutCore(flags: readonly string[]): { execPath: string; execArgv: string[] } {
  if (process.platform === 'win32') return { execPath: process.execPath, execArgv: [...flags] };
  // Node cannot set a limit. A system that refuses it starts the process nevertheless.
  const limited = ['-c', 'ulimit -c 0 2>/dev/null; exec "$@"', 'sh', process.execPath, ...flags];
  return { execPath: '/bin/sh', execArgv: limited };
}

/** Starts a child by `start`, which must not wait: its core files are as if this process had changed nothing. */
export function withUsualCores<Child>(start: () => Child): Child {
  if (usual === null) return start();
  writeFileSync(FILTER, usual);
  try {
    return start();
  } finally {
    writeFileSync(FILTER, NO_MEMORY);
  }
}
