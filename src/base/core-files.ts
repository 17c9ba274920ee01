// Core files without memory: private keys of certificates, above all, do not come to the disk when a process crashes.
// Linux has a filter of what is written for each process (core(5)), which children inherit. Elsewhere nothing is done.

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
