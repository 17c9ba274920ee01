// A process that somebody started <-> host, over <run folder>/joined.sock (mode 0600 in a folder with mode
// 0700: who can open it may claim). One JSON object a line. The process asks, the host answers each line
// with one line and in order; what is claimed is held until it is released or the connection ends. Requests
// do not come this way: each claim gets a key with which the process dials the fronts (link-messages.ts).
//
//   process                                   host
//     hello ───────────────────────────────────▶ version checked
//     ◀──────────────────────────────── welcome
//     claim {port | prefix} ───────────────────▶ binds if nothing listens there yet, tells the fronts
//     ◀──────────────── claimed {port, key, …}   or refused
//     release ─────────────────────────────────▶ the last one on a listener closes it
//     ◀─────────────────────────────── released   connections are refused from here on

import type { ErrorCode } from '../base/host-error.ts';
import type { QueueSettings } from '../base/queue-settings.ts';

/** Name of the socket in the run folder. */
export const JOIN_SOCKET = 'joined.sock';

/** Both ends say it; they must agree. */
export const JOIN_VERSION = 2;

/** Longest line of either side, in bytes. */
export const JOIN_LINE_BYTES_MAX = 65_536;

/** What a server wants to listen on. */
export type ClaimPlace =
  /**
   * `listen(port, address)`: held by one process. `address` is an IP address, '' means all; port 0 takes a
   * free one. Workers of one cluster say the same `cluster` and share the place. `isSecure`: of an https server.
   */
  | { kind: 'port'; port: number; address: string; isSecure: boolean; cluster?: string }
  /** A URL prefix such as `http://*:8080/shop/`: shared by all that claim the same one. */
  | { kind: 'prefix'; prefix: string };

export type JoinRequest =
  | { kind: 'hello'; version: number; pid: number; title: string }
  /** `claim` is chosen by the process, unique on its connection. The first one for a prefix sets its queue. */
  | { kind: 'claim'; claim: number; place: ClaimPlace; queue?: QueueSettings }
  | { kind: 'release'; claim: number };

export type JoinReply =
  | { kind: 'welcome'; version: number; hostPid: number }
  /** The fronts listen; they know the key. `address` is what `server.address()` tells. */
  | { kind: 'claimed'; claim: number; port: number; address: string; key: string; fronts: string[] }
  | { kind: 'released'; claim: number }
  /** `errno` where node's own listen would have failed so: EADDRINUSE, EACCES, … */
  | { kind: 'refused'; claim?: number; code: ErrorCode; errno?: string; message: string };
