// How node processes that a debuggee starts become part of its session. The debuggee's preload puts itself into
// NODE_OPTIONS and names a folder; a process below lets a thread listen there (`<pid>.sock`, inspector-messages.ts),
// leaves a file `<pid>.json` (ChildOffer), and waits until the session proxy, having armed its breakpoints, takes the
// file away. The folder is the proxy's: while it is not there, nobody waits.

import { dirname, join } from 'node:path';

/** Names the folder to the processes below a debuggee. */
export const CHILDREN_VARIABLE = 'SLIPSTREAM_DEBUG_CHILDREN';

/** How long a process waits for its breakpoints, in ms. */
export const CHILD_WAIT_MS = 5000;

/** What a process says of itself. */
export interface ChildOffer {
  pid: number;
  /** The socket of its inspector. */
  path: string;
  /** What it runs: a file, or `-e`. */
  title: string;
}

/** The folder of a debuggee: beside the link socket, which both sides know. Undefined where links are no files. */
export function childrenFolder(linkSocket: string, pid: number): string | undefined {
  return process.platform === 'win32' ? undefined : join(dirname(linkSocket), `children-${pid}`);
}
