// Which processes exist, to find what a test or a benchmark left behind. Reads /proc where there is one and
// asks ps elsewhere; ps does not tell environments, so marks are found on Linux only.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface ProcessEntry {
  pid: number;
  parent: number;
  /** Program and arguments with spaces between. */
  command: string;
  /** NAME=value; empty where it cannot be read. */
  environment: readonly string[];
  /** CPU time of all threads so far, user and system, in ticks of 10 ms; 0 where it cannot be read. */
  cpuTicks: number;
}

function readProc(pid: number): ProcessEntry | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may hold anything; what follows it has fixed places.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const words = (name: string): string[] =>
      readFileSync(`/proc/${pid}/${name}`, 'utf8').split('\0').filter(Boolean);
    return {
      pid,
      parent: Number(fields[1]),
      command: words('cmdline').join(' '),
      environment: words('environ'),
      cpuTicks: Number(fields[11]) + Number(fields[12]),
    };
  } catch (error) {
    // It ended while we looked, or belongs to another user.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
}

function readPs(): ProcessEntry[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,stat=,command='], { encoding: 'utf8' });
  const entries: ProcessEntry[] = [];
  for (const line of (stdout ?? '').split('\n')) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line);
    if (match === null || match[3]!.startsWith('Z')) continue;
    const [, pid, parent, , command = ''] = match;
    entries.push({ pid: Number(pid), parent: Number(parent), command, environment: [], cpuTicks: 0 });
  }
  return entries;
}

/** All processes that are not zombies. */
export function listProcesses(): ProcessEntry[] {
  if (!existsSync('/proc/self/stat')) return readPs();
  const entries = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return entries.map((name) => readProc(Number(name))).filter((entry) => entry !== undefined);
}

/** Processes whose environment holds `mark` (NAME=value), this one excepted. */
export function processesMarked(mark: string): ProcessEntry[] {
  return listProcesses().filter(({ pid, environment }) => pid !== process.pid && environment.includes(mark));
}

/** Children of `root`, their children and so on; `root` excepted. */
export function descendantsOf(root: number): ProcessEntry[] {
  const all = listProcesses();
  const found: ProcessEntry[] = [];
  const queue = [root];
  for (let parent = queue.pop(); parent !== undefined; parent = queue.pop()) {
    for (const entry of all) {
      if (entry.parent !== parent || entry.pid === root) continue;
      found.push(entry);
      queue.push(entry.pid);
    }
  }
  return found;
}

/** Sends SIGKILL; a process that is gone already is no failure. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
