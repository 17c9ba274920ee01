// A lock file that one living process holds. It appears whole (a link), so nobody reads half of it; what a
// killed process left behind is taken over by exactly one.

import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';

const TRIES_MAX = 10;

/** A lock that is held. */
export interface HostLock {
  /** False once somebody else took it, by accident or by hand. */
  isHeld(): boolean;
  release(): void;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

function holderOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Links `source` to `path`; false when something is there. */
function linked(source: string, path: string): boolean {
  try {
    linkSync(source, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Takes the lock, or gives null when a living process has it. `isOfOther` says whether a process with the pid
 * that holds it is something else: numbers come again. It is asked of locks older than `doubtAfterMs` only.
 */
export function takeHostLock(
  path: string,
  isOfOther: (pid: number) => boolean = () => false,
  doubtAfterMs = 15_000,
): HostLock | null {
  const own = String(process.pid);
  const aside = `${path}.${own}`;
  writeFileSync(aside, `${own}\n`, { mode: 0o600 });
  try {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (linked(aside, path)) return held(path, own);
      const holder = holderOf(path);
      if (holder === null) continue;
      const ageMs = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      const pid = Number(holder);
      if (holder === own) return held(path, own);
      if (pid > 0 && isAlive(pid) && !(ageMs > doubtAfterMs && isOfOther(pid))) return null;
      removeStale(path, holder, own);
    }
    return null;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Takes a dead holder's lock away, unless another one did so and has its own there by now. */
function removeStale(path: string, holder: string, own: string): void {
  const stale = `${path}.${own}.stale`;
  try {
    renameSync(path, stale);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if (holderOf(stale) !== holder) linked(stale, path);
  rmSync(stale, { force: true });
}

function held(path: string, own: string): HostLock {
  const isHeld = (): boolean => holderOf(path) === own;
  return {
    isHeld,
    release() {
      if (isHeld()) rmSync(path, { force: true });
    },
  };
}
