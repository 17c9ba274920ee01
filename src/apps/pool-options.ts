// What a pool needs from the room, and what it gives for a debugger.

import { HostError } from '../base/host-error.ts';
import type { DebugOptions } from './app-command.ts';
import type { App } from './app-config.ts';
import { startOf } from '../base/process-identity.ts';
import type { AdoptedProcess } from './adopted-child.ts';
import type { AppProcess, ExitReport, OutputPipe, ProcessWatcher } from './app-process.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Failure } from '../wire/front-messages.ts';

/** The process that has an app while it is debugged. */
export interface Debuggee {
  readonly pid: number;
  /** Names it to the front. */
  readonly process: string;
  /** Resolves when nothing of it is left. Never rejects. */
  readonly exited: Promise<ExitReport>;
  /** Resolves when it listens for the first time; of one that never does, never. */
  readonly listened: Promise<void>;
  /** SIGTERM, then SIGKILL to its group after 500 ms. Resolves when it is gone. */
  kill(): Promise<void>;
  /** What another host needs to take it over; undefined: it cannot. */
  adoptable(): Promise<Pick<AdoptedProcess, 'pid' | 'key' | 'start' | 'stamp' | 'port'> | undefined>;
  /** Where its output can be read after the host is gone. */
  readonly pipes: OutputPipe[];
  /** Its session proxy sees to its end, should the host be gone. */
  keep(): void;
}

export type OnProcessChanged = ProcessWatcher['changed'];

/** What a pool needs from the room. */
export interface PoolOptions {
  clock: Clock;
  log: Log;
  /** Starts a process and makes it known to the front. */
  launch(app: App, changed: OnProcessChanged, debug?: DebugOptions, adopted?: AdoptedProcess): AppProcess;
  /** The requests that wait for the app get this. */
  failed(group: string, failure: Failure): void;
  /** The process lives on, without further requests. */
  shelve(process: AppProcess): void;
  /** Files changed that the debuggee of the app was started with. */
  debuggeeOutdated?(app: App): void;
  /** The app as its folder is now; undefined: it is no app any more. */
  rediscover(app: App): App | undefined;
  /** The folder says otherwise than before how the app is run; undefined: it is no app any more. */
  altered(app: App | undefined): void;
}

/** Regular processes whose inspectors are open; they go on as such. */
export interface LiveProcesses extends Debuggee {
  /** Of the first one, whose pid it is. */
  port: number;
  others: { pid: number; port: number }[];
  /** Each of them; `kill` leaves it running. */
  processes: Debuggee[];
}

/**
 * Opens the inspectors of regular processes: of the one with this pid, or of all that serve. `exited` is that of the
 * last of them. @throws HostError DEBUGGER_NOT_RUNNING when there is none, DEBUGGEE_UNREACHABLE
 */
export async function openLive(
  app: string,
  regular: Iterable<AppProcess>,
  pid: number | undefined,
  stamp: Promise<string>,
): Promise<LiveProcesses> {
  const asked = [...regular].filter((process) => {
    return process.state.kind === 'ready' && (pid === undefined || process.pid === pid);
  });
  const tried = await Promise.allSettled(
    asked.map(async (process) => ({ process, pid: process.pid!, port: await process.inspector.open(process.pid!) })),
  );
  const opened = tried.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (opened.length === 0) {
    for (const result of tried) if (result.status === 'rejected') throw result.reason;
    const which = pid === undefined ? '' : ` with pid ${pid}`;
    throw new HostError('DEBUGGER_NOT_RUNNING', `app "${app}" has no process${which} that serves requests`);
  }
  return liveOf(opened, stamp);
}

/** Regular processes, at least one, whose inspectors are open at these ports. */
export function liveOf(
  opened: readonly { process: AppProcess; pid: number; port: number }[],
  stamp: Promise<string>,
): LiveProcesses {
  const processes = opened.map(({ process, pid, port }): Debuggee => {
    const debuggee = debuggeeOf(process, pid, stamp);
    process.inspected(true);
    return {
      ...debuggee,
      async adoptable() {
        const ids = await debuggee.adoptable();
        return ids && { ...ids, port };
      },
      // What was attached to a running process leaves it running.
      async kill() {
        process.inspector.forget();
        process.inspected(false);
        process.keep(false);
      },
    };
  });
  const [first, ...others] = opened;
  return {
    ...processes[0]!,
    port: first!.port,
    others: others.map((other) => ({ pid: other.pid, port: other.port })),
    processes,
    exited: Promise.all(opened.map(({ process }) => process.exited)).then((reports) => reports.at(-1)!),
    async kill() {
      await Promise.all(processes.map((process) => process.kill()));
    },
  };
}

const DEBUGGEE_KILL_AFTER_MS = 500;

/** A process with its inspector open, as a debugger has it. */
export function debuggeeOf(process: AppProcess, pid: number, stamp: Promise<string>): Debuggee {
  const start = startOf(pid);
  return {
    pid,
    pipes: process.pipes,
    keep: () => process.keep(true),
    async adoptable() {
      // What it prints would fill its pipe, or fail, where nobody can read on.
      if (start === undefined || process.pipes.length === 0) return undefined;
      return { pid, key: process.key, start, stamp: await stamp };
    },
    process: process.id,
    exited: process.exited,
    listened: process.listened,
    kill: () => process.stop(DEBUGGEE_KILL_AFTER_MS),
  };
}
