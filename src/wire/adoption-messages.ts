// How a debugging session goes on under another host (docs/ARCHITECTURE.md §4). The session proxy listens at
// `<run folder>/session-<pid>.sock` (0600, in a folder of 0700), one JSON object a line:
//
//   host -> proxy   first AdoptAsk; then AdoptedWord
//   proxy -> host   first AdoptAnswer; then SessionReport, SessionOutput, SessionOver, and pong
//
// The end of the connection is the end of the proxy, or of the host.

import { dirname, join } from 'node:path';
import type { InspectorAddress } from './inspector-messages.ts';
import type { SessionAddition, SessionLastWords, SessionReport } from './session-messages.ts';

/** Where the proxy with this pid listens; undefined where links are no files. */
export function adoptionSocket(linkSocket: string, pid: number): string | undefined {
  return process.platform === 'win32' ? undefined : join(dirname(linkSocket), `session-${pid}.sock`);
}

/** Names of such sockets. */
export const ADOPTION_SOCKET = /^session-\d+\.sock$/;

/** A process of the app that goes on. */
export interface KeptProcess {
  pid: number;
  /** Its SLIPSTREAM_KEY. */
  key: string;
  /** Tells it from others that have this pid later; see base/process-identity.ts. */
  start: string;
  /** Of its inspector, where the session was attached to processes that serve. */
  port?: number;
}

/** What another host needs to know. It holds secrets. */
export interface AdoptableSession {
  /** The folder that is served. */
  root: string;
  appPath: string;
  /** Paths at which debuggee and proxy dial their fronts, one a front. */
  links: string[];
  /** The same for the debuggee of an app that another user runs. */
  userLinks?: { uid: number; paths: string[] };
  proxy: { pid: number; key: string };
  /** The debuggee; or, where the session was attached to what serves, all of those. */
  processes: KeptProcess[];
  /** It was attached to processes that serve: to the one with this pid, or to all. They outlive the session. */
  live?: { pid?: number };
  inspector: InspectorAddress;
  breakAtStart: boolean;
  scope: 'everyone' | 'mine';
  /** Leads requests to the debuggee in scope `mine`. */
  secret: string;
  /** What the files of the app were when the processes started. */
  stamp: string;
}

/** A host that starts asks. */
export interface AdoptAsk {
  kind: 'adopt';
  root: string;
  hostPid: number;
}

/** What the host that has it says. `end`: the session is over; a debuggee and the proxy go. */
export type AdoptedWord = SessionAddition | SessionLastWords | { kind: 'ping' } | { kind: 'end' };

export type AdoptAnswer =
  | { kind: 'adopted'; session: AdoptableSession; report: SessionReport | null }
  /** Another host has it, or it is of another root. `hostPid`: who has it; 0 when nobody has. */
  | { kind: 'refused'; hostPid: number };

/** Proxy -> host: what a process of the session printed. */
export interface SessionOutput {
  kind: 'output';
  pid: number;
  stream: 'stdout' | 'stderr';
  text: string;
}

/** Proxy -> host: the session is over. The proxy stays to read what processes print that outlive it. */
export interface SessionOver {
  kind: 'over';
}
