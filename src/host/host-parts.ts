// What a host is made of and made with: the interfaces at its edges.

import type { Apps } from '../apps/apps.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { AskedRequest, Decision } from '../wire/front-messages.ts';
import type { InspectorAddress } from '../wire/inspector-messages.ts';
import type { SignIns } from '../wire/sign-ins.ts';
import type { HostSnapshot } from '../wire/status.ts';
import type { JoinPrefix } from './claims.ts';
import type { HostConfig } from './host-config.ts';
import type { SessionProcess } from './session-process.ts';

/** Who may debug besides people at this machine. */
export type DebuggerAuth = 'link' | 'none';

/** What is shown of a debugger. */
export interface DebuggerShown {
  state: 'idle' | 'starting' | 'debug';
  scope?: 'everyone' | 'mine';
  /** Processes that come later belong to the session too. */
  isLive?: boolean;
}

/** Whether a request may read logs and developer pages; see debug/reader-access.ts. */
export type ReaderVerdict =
  | { kind: 'allowed'; key?: string }
  | { kind: 'signed-in'; decision: Decision }
  | { kind: 'refused'; reason: string };

/** The debugger of all apps, as the host needs it; made by `parts.createDebugger`. */
export interface HostDebugger {
  status(app: string): DebuggerShown;
  /** Requests for the app that show this go to its debuggee; null: none do. */
  secretOf(app: string): string | null;
  ask(app: string, request: AskedRequest): Promise<Decision>;
  /** Goes on with what a host before this one has started. */
  adopt(app: string, pair: AdoptedPair): void;
  reader(app: string, request: AskedRequest): ReaderVerdict;
  /** Files of the app changed. */
  changed(app: string): void;
  stop(): Promise<void>;
}

/** What holds for a session under whichever host. */
export interface SessionTerms {
  inspector: InspectorAddress;
  breakAtStart: boolean;
  scope: 'everyone' | 'mine';
  secret: string;
  live?: { pid?: number };
}

/** A session of a host before this one. */
export interface AdoptedPair {
  debuggee: ReturnType<Apps['adoptDebuggee' | 'adoptServing']>;
  proxy: SessionProcess;
  terms: SessionTerms;
}

/** What the debugger needs of the host. Apps are named by their path. */
export interface DebuggerHost {
  isRunning(app: string): boolean;
  startDebuggee(
    app: string,
    options: { inspector: InspectorAddress; breakAtStart: boolean; waits: boolean; isAside: boolean },
  ): ReturnType<Apps['startDebuggee']>;
  openInspector(app: string, pid: number | undefined): ReturnType<Apps['openInspector']>;
  startSessionProxy(
    app: string,
    options: {
      inspector: InspectorAddress;
      pid: number;
      others: readonly { pid: number; port: number }[];
      breakAtStart: boolean;
      isLive: boolean;
      scope: 'everyone' | 'mine';
    },
  ): Promise<SessionProcess>;
  sessionStarted(app: string, terms: SessionTerms): void;
  settingsOf(app: string): {
    scope: 'everyone' | 'mine';
    start: 'restart' | 'live';
    retries: number;
    retryDelayMs: number;
    masksFailures: boolean;
  };
  scopeChanged(app: string): void;
}

/** Files and makers of the other processes: the host knows none by import. */
export interface HostParts {
  frontMainPath: string;
  sessionMainPath: string;
  siteMainPath: string;
  /** The bundled preload. */
  registerPath: string;
  /** The built DevTools UI. */
  uiFolder: string;
  version: string;
  /** @throws HostError PREFIX_INVALID */
  parsePrefix(text: string): JoinPrefix;
  createDebugger(options: {
    host: DebuggerHost;
    portRange: { start: number; end: number };
    /** Where inspectors get sockets instead of ports. */
    socketFolder?: string;
    /** Links and sessions of visitors, and the audit log. */
    folder: string;
    auth: DebuggerAuth;
    signIns(): SignIns;
    auditMask: readonly string[];
    clock: Clock;
    log: Log;
  }): HostDebugger;
}

/** How a host is started. */
export interface HostOptions {
  /** The folder to serve. */
  root: string;
  config: HostConfig;
  /** Where an edited configuration listens. Default: where its file says; else edits of that may not count. */
  listenOf?: ((config: HostConfig) => readonly string[]) | undefined;
  /** The file that `config` was read from, if the command line named it. Edits of it are taken over. */
  configFile?: string | undefined;
  /** The home whose stored certificates are used. Default: the host's own. */
  tlsHome?: string;
  json: boolean;
  clock: Clock;
  log: Log;
  parts: HostParts;
  /** No process has joined for `joinedIdleTimeoutMs`: only for hosts that were started for such. */
  onJoinedIdle?: () => void;
}

/** A running host. */
export interface Host {
  /** Where it answers: the text given, with real ports. */
  readonly urls: readonly string[];
  snapshot(): HostSnapshot;
  /** Drains, then stops every process. Calling again does nothing. */
  stop(): Promise<void>;
  /** Kills every process, synchronously. */
  stopNow(): void;
}
