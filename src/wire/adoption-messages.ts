// How a debugging session goes on under another host (docs/ARCHITECTURE.md §4). The session proxy listens at
// `<run folder>/session-<pid>.sock` (0600, in a folder of 0700), one JSON object a line:
//
//   host -> proxy   first AdoptAsk; then AdoptedWord
//   proxy -> host   first AdoptAnswer; then SessionReport, SessionOutput, and pong
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

/** What another host needs to know. It holds secrets. */
export interface AdoptableSession {
  /** The folder that is served. */
  root: string;
  appPath: string;
  /** Paths at which debuggee and proxy dial their fronts, one a front. */
  links: string[];
  proxy: { pid: number; key: string };
  debuggee: { pid: number; key: string; start: string };
  inspector: InspectorAddress;
  breakAtStart: boolean;
  scope: 'everyone' | 'mine';
  /** Leads requests to the debuggee in scope `mine`. */
  secret: string;
  /** What the files of the app were when the debuggee started. */
  stamp: string;
}

/** A host that starts asks. */
export interface AdoptAsk {
  kind: 'adopt';
  root: string;
  hostPid: number;
}

/** What the host that has it says. `end`: debuggee and proxy go. */
export type AdoptedWord = SessionAddition | SessionLastWords | { kind: 'ping' } | { kind: 'end' };

export type AdoptAnswer =
  | { kind: 'adopted'; session: AdoptableSession; report: SessionReport | null }
  /** Another host has it, or it is of another root. `hostPid`: who has it; 0 when nobody has. */
  | { kind: 'refused'; hostPid: number };

/** Proxy -> host: what the debuggee printed. */
export interface SessionOutput {
  kind: 'output';
  stream: 'stdout' | 'stderr';
  text: string;
}
