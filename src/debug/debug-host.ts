// What the debugger needs of the host: processes of apps, session proxies, settings.

import type { InspectorAddress } from '../wire/inspector-messages.ts';
import type { DebugScope } from './debug-state.ts';

/** A process whose inspector is open. */
export interface Debuggee {
  pid: number;
  exited: Promise<{ code: number | null; signal: string | null; stderrTail: string }>;
  /** Its server listens, for the first time; of one that never does, never. */
  listened: Promise<void>;
  /** Ends it, also when it stands at a breakpoint; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Processes that serve, with their inspectors open. */
export interface LiveProcesses extends Debuggee {
  /** Of the first one, whose pid it is. */
  port: number;
  others: readonly { pid: number; port: number }[];
}

/** Which processes that serve a session is about: that with this pid, or all, later ones too. */
export interface LiveChoice {
  pid?: number;
}

/** A session proxy process. */
export interface SessionProxyProcess {
  pid: number;
  /** It serves `<app>/debug/`. */
  ready: Promise<void>;
  exited: Promise<void>;
  /** The debuggee is gone by itself: what it printed last on stderr, for the viewers. {@link kill} follows. */
  hearLastWords(stderr: string): void;
  kill(): Promise<void>;
}

/** How a debuggee starts. */
export interface DebuggeeStart {
  inspector: InspectorAddress;
  breakAtStart: boolean;
  /** It waits before its first line until the session has armed its breakpoints. */
  waits: true;
  /** The regular processes stay: it gets only the requests that show the secret of the session. */
  isAside: boolean;
}

/** Settings of an app that are about its debugger. */
export interface DebugSettings {
  scope: DebugScope;
  start: 'restart' | 'live';
  /** How often the inspector is asked before the start is given up, and the longest pause between two tries, in ms. */
  retries: number;
  retryDelayMs: number;
  /** A folder of iisnode: pages about failures have the status 200. */
  masksFailures: boolean;
}

/** What the debugger needs of the host. */
export interface DebuggerHost {
  /** True while regular processes of the app run. */
  isRunning(app: string): boolean;
  /** Starts the app with its inspector there; regular processes are retired, or it is aside. */
  startDebuggee(app: string, options: DebuggeeStart): Promise<Debuggee>;
  /** Opens the inspectors of processes that run, and go on running: of one, or of all; `kill` leaves them alone. */
  openInspector(app: string, pid: number | undefined): Promise<LiveProcesses>;
  startSessionProxy(app: string, options: SessionProxyStart): Promise<SessionProxyProcess>;
  /**
   * Both serve: the session may outlive the host, if it has what another one needs (see {@link SessionTerms}).
   */
  sessionStarted(app: string, terms: SessionTerms): void;
  /** What the settings of the app say about sessions. */
  settingsOf(app: string): DebugSettings;
  /** Other requests than before go to a debuggee of the app. */
  scopeChanged(app: string): void;
}

/** What holds for a session under whichever host. */
export interface SessionTerms {
  inspector: InspectorAddress;
  breakAtStart: boolean;
  scope: DebugScope;
  /** Leads requests to the debuggee in scope `mine`. */
  secret: string;
  /** It was attached to processes that serve. */
  live?: LiveChoice;
}

/** A session of a host before this one. */
export interface AdoptedPair {
  debuggee: Debuggee;
  proxy: SessionProxyProcess;
  terms: SessionTerms;
}

/** Which debuggee a session proxy is for. */
export interface SessionProxyStart {
  inspector: InspectorAddress;
  pid: number;
  /** Processes of the app that are attached to as well. */
  others: readonly { pid: number; port: number }[];
  breakAtStart: boolean;
  isLive: boolean;
  scope: DebugScope;
}
