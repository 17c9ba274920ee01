// What the host tells a session proxy at its start, as one JSON argument. Afterwards the front says when the
// proxy serves, a signal ends the session (SIGTERM), and over IPC the proxy tells how it stands.

import type { AdoptableSession } from './adoption-messages.ts';
import type { SignIns } from './sign-ins.ts';
import type { InspectorAddress } from './inspector-messages.ts';

/** A program that stands while nobody is there. */
export type UnattendedPolicy =
  | { kind: 'hold' } // Stands until somebody comes.
  | { kind: 'resume'; afterMs: number } // Goes on then.
  | { kind: 'snapshot' }; // Goes on at once; stack and variables are kept.

export interface SessionOptions {
  /** Name of the app, for titles. */
  app: string;
  /** The debuggee. */
  pid: number;
  /** Its inspector. */
  inspector: InspectorAddress;
  /** Processes of the app that are attached to as well, by the ports of their inspectors. */
  others: { pid: number; port: number }[];
  /** The debuggee waits for the session before its first user line. */
  breakAtStart: boolean;
  /** The debuggee ran before and goes on: its inspector is closed at the end. */
  isLive: boolean;
  /** Whose requests the debuggee gets. */
  scope: 'everyone' | 'mine';
  /** What becomes of a pause that nobody looks at. */
  unattended: UnattendedPolicy;
  /** Who runs the app, where that is not the host's user. */
  user?: { uid: number; gid: number };
  /** Paths that end in a slash and mean the debugger: `/shop/debug/`, `/shop/server.js/debug/`. */
  basePaths: string[];
  /** Path of the app, `/shop/`. */
  appPath: string;
  /** Links and sessions of visitors, and the audit log. */
  debuggerFolder: string;
  /** `none` lets everybody in. */
  auth: 'link' | 'none';
  /** Who may debug by who they are. */
  signIns: SignIns;
  /** Regular expressions; what they match is masked in the audit log. */
  auditMask: string[];
  /** Where the DevTools settings of the app are kept. */
  settingsFile: string;
  /** The built DevTools UI. */
  uiFolder: string;
  /** Log lines are JSON. */
  json: boolean;
}

/** Host -> session proxy: a process of the app that came later. */
export interface SessionAddition {
  kind: 'add';
  pid: number;
  port: number;
}

/** Host -> session proxy: the debuggee is gone by itself; what it printed last. */
export interface SessionLastWords {
  kind: 'last-words';
  stderr: string;
}

/**
 * Host -> session proxy: comes with the reading end of a pipe that a process of the app prints to. It is read there
 * should the host be gone.
 */
export interface SessionPipe {
  kind: 'pipe';
  pid: number;
  stream: 'stdout' | 'stderr';
}

/** Host -> session proxy: the session is to outlive the host. It answers {@link SessionKept}. */
export interface SessionKeep {
  kind: 'keep';
  session: AdoptableSession;
}

/** Session proxy -> host: another host finds the session from now on. */
export interface SessionKept {
  kind: 'kept';
}

/** Host -> session proxy; `ping` is answered with `pong` (host/heartbeat.ts). */
export type HostToSession = SessionAddition | SessionLastWords | SessionKeep | SessionPipe | { kind: 'ping' };
export type SessionToHost = SessionReport | SessionKept | { kind: 'pong' };

/** A program that stands. */
export interface SessionPause {
  pid: number;
  /** V8's word: `other`, `exception`, `Break on start`, … */
  reason: string;
  /** `file:line` of the top frame; empty when there is none. */
  place: string;
}

/** Session proxy -> host: how the session stands, whenever that changed. */
export interface SessionReport {
  kind: 'report';
  viewers: number;
  /** Processes whose main thread stands. */
  pauses: SessionPause[];
}
