// The one snapshot of a host: what the index page and the command line show.

import type { SessionPause } from './session-messages.ts';

export type AppState =
  /** The next request starts it. */
  | 'idle'
  | 'starting'
  | 'ready'
  /** The latest start failed. */
  | 'failed'
  /** It keeps ending and is tried seldom. */
  | 'crash-loop'
  /** By a command, until another one. */
  | 'stopped'
  /** While its app_offline.htm is there. */
  | 'offline'
  | 'debug';

/** One process of an app. */
export interface ProcessSnapshot {
  pid: number;
  /** A state of apps/process-state.ts. */
  state: string;
  ageMs: number;
  /** Requests so far, and those under way. */
  requests: number;
  active: number;
  /** Resident; absent where the system does not tell. */
  memoryBytes?: number;
}

/** The debugger of an app, while there is one. */
export interface DebuggerSnapshot {
  state: 'starting' | 'debug';
  /** Whose requests go to the debuggee. */
  scope: 'everyone' | 'mine';
  viewers: number;
  /** Processes that stand, and where; requests for them wait. */
  pauses: SessionPause[];
}

export interface AppSnapshot {
  name: string;
  /** `/shop/`: also its URL. */
  path: string;
  /** URL of the debugger, `/shop/debug/`; absent when debugging is off. */
  debuggerPath?: string;
  /** Where its logs are to be seen. */
  logPath?: string;
  state: AppState;
  pids: readonly number[];
  /** Processes that ended without being asked to. */
  restarts: number;
  /** Why the last start failed; absent once a start worked. */
  failure?: string;
  /** How its last process ended that did so by itself, while none has listened since. */
  lastEnd?: string;
  /** Why its configuration was not taken; the last good one holds. */
  problem?: string;
  debugger?: DebuggerSnapshot;
  /** Requests that wait for a process. */
  waiting?: number;
  /** All that live or end; only where the command line asks. */
  processes?: ProcessSnapshot[];
}

/** A server of a process that somebody else started. */
export interface JoinedSnapshot {
  /** `http://*:8080/shop/`. */
  prefix: string;
  pid: number;
  /** The name of its program. */
  title: string;
  /** Of its user, where that is not the host's. */
  uid?: number;
  /** `held`: requests come. `released`: it closed, the last ones go on. */
  state: 'held' | 'released';
  /** Below: only where the command line asks. */
  requests?: number;
  active?: number;
  /** Requests that wait for any process of the prefix. */
  waiting?: number;
  memoryBytes?: number;
}

/** One front process. */
export interface FrontSnapshot {
  pid: number;
  /** A state of host/front-process.ts: `serving` when its listeners answer. */
  state: string;
  /** How often it was replaced after its process had died. */
  restarts: number;
  /** Client connections now, and requests so far; absent where it did not answer in time. */
  connections?: number;
  requests?: number;
  /** Resident; absent where the system does not tell. */
  memoryBytes?: number;
}

/** A certificate in use, or a file that cannot be used. */
export interface CertificateSnapshot {
  names: string[];
  file: string;
  /** Listeners that show it. */
  listeners: string[];
  /** Absent, with what follows, when the file cannot be used. */
  kind?: string;
  issuer?: string;
  validTo?: string;
  fingerprint?: string;
  /** What its owner should know: errors and warnings. */
  findings: string[];
}

export interface HostSnapshot {
  version: string;
  apps: AppSnapshot[];
  /** Absent: none. */
  joined?: JoinedSnapshot[];
  /** Below: only where the command line asks. */
  pid?: number;
  root?: string;
  urls?: readonly string[];
  /** Where the debuggers are, if they have listeners of their own. */
  debuggerUrls?: readonly string[];
  uptimeMs?: number;
  /** Of all fronts: client connections now, requests so far. */
  connections?: number;
  requests?: number;
  fronts?: FrontSnapshot[];
  memoryBytes?: number;
  /** The configuration file, and why its latest edit was not taken. */
  configFile?: string;
  configProblem?: string;
  /** Those of https listeners, in use or refused. */
  certificates?: readonly CertificateSnapshot[];
  /** What the owner of certificates should know: `shop.example: expires on …`. */
  certificateWarnings?: string[];
}
