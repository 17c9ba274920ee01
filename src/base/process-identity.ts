// Which process a number means: numbers come again, and a process that was not started here tells nobody its end.

import { readFileSync } from 'node:fs';

/** Stands for the start of a process where the system does not tell it cheaply. */
const UNKNOWN = 'unknown';

/**
 * A word that no other process with this number ever has, on Linux; undefined when the process is gone, a zombie
 * included. Elsewhere the word is the same for all that live.
 */
export function startOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return isAlive(pid) ? UNKNOWN : undefined;
  try {
    // The name in parentheses may hold anything; state and start are the 1st and the 20th word behind it.
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const words = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return words[0] === 'Z' || words[0] === 'X' ? undefined : words[19];
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code === 'string') return undefined;
    throw error;
  }
}

/** SIGKILL to the group of the process, if it is the one that started so. */
export function killGroupOf(pid: number, start: string): void {
  if (startOf(pid) !== start) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch (error) {
    // Gone this moment.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
