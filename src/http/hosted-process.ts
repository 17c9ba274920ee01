// A process that the host told the front of, and its links.

import type { ExpectedProcess } from '../wire/front-messages.ts';
import type { LinkUpstream } from './link-upstream.ts';

/** See the head of this file. */
export interface HostedProcess {
  readonly expected: ExpectedProcess;
  /** Its link, and those of the workers that it forked (cluster), which dial with the same key. */
  readonly links: Map<LinkUpstream, { pid: number; isReady: boolean }>;
  /** `drained`: told the host so. */
  retirement: 'none' | 'retired' | 'drained';
  /** It stands at a breakpoint: requests wait in the group instead of in the process. */
  isHeld: boolean;
}

/** Whether a server of the process, or of one of its workers, listens. */
export function isReady(process: HostedProcess): boolean {
  for (const link of process.links.values()) {
    if (link.isReady) return true;
  }
  return false;
}
