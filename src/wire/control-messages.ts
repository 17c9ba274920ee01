// Command line <-> host, over the Unix socket <run folder>/control.sock (mode 0600, in a folder with mode
// 0700): who may open it may do everything. One JSON object a line. A connection carries one request; the
// host answers with any number of `progress` and `output` lines and then exactly one `done` or `failed`,
// and hangs up. A client that hangs up first ends what it asked for, unless that changes the host: a reload
// that has begun goes on.

import type { CacheReport, CacheRow } from './cache-messages.ts';
import type { ErrorCode } from '../base/host-error.ts';

/** Name of the socket in the run folder. */
export const CONTROL_SOCKET = 'control.sock';

/** Longest line of either side, in bytes. */
export const CONTROL_LINE_BYTES_MAX = 8_388_608;

/** What the command line asks. Apps are named by their name or their path. */
export type ControlRequest =
  /** -> HostSnapshot */
  | { verb: 'status' }
  /** The last `lines` lines, as `output`; with `follow` the ones to come too. -> null */
  | { verb: 'logs'; app: string; lines: number; follow: boolean }
  /** New processes take over from the old ones. All apps that run when `app` is absent. -> ReloadResult */
  | { verb: 'reload'; app?: string }
  /** Starts the processes, and lets requests start them again. -> AppSnapshot */
  | { verb: 'start'; app: string }
  /** Ends the processes; requests get 503 until `start`. -> AppSnapshot */
  | { verb: 'stop'; app: string }
  /** What is kept, the last used first, at most 100; with `target` only there and below. -> CacheShown */
  | { verb: 'cache-show'; target?: string }
  /** Drops kept answers: see CachePurge. Nothing named: all. -> null */
  | { verb: 'cache-purge'; target?: string; isRecursive?: boolean; tag?: string }
  /** Each setting, its value and where that came from. -> Explanation */
  | { verb: 'explain'; app?: string };

/** The request with this verb. */
export type ControlRequestOf<Verb extends ControlRequest['verb']> = Extract<ControlRequest, { verb: Verb }>;

export type ControlReply =
  /** What is going on, for a person who waits. */
  | { kind: 'progress'; text: string }
  /** A line that an app printed. */
  | { kind: 'output'; stream: 'stdout' | 'stderr'; pid: number; line: string }
  | { kind: 'done'; result: unknown }
  | { kind: 'failed'; code: ErrorCode | 'INTERNAL'; message: string };

/** What the output cache holds. */
export interface CacheShown {
  report: CacheReport;
  rows: CacheRow[];
}

/** What became of each app that was reloaded. */
export interface ReloadResult {
  apps: { name: string; outcome: 'reloaded' | 'not-running' | 'failed'; message?: string }[];
}

/** A setting as it holds. */
export interface ExplainedSetting {
  section: 'host' | 'limits' | 'app';
  name: string;
  value: unknown;
  /** `default`, `file:line`, or the name of an environment variable. */
  source: string;
}

export interface Explanation {
  /** Absent: the host's own settings. */
  app?: string;
  /** The configuration file of the host. */
  file?: string;
  /** Why an edit of a configuration file was not taken. */
  problem?: string;
  settings: ExplainedSetting[];
}
