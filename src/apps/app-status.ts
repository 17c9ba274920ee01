// One app as people see it: what the index page, the dashboard and the CLI show.

import type { AppState } from '../wire/status.ts';
import type { Failure } from '../wire/front-messages.ts';

/** One app as people see it. */
export interface AppStatus {
  readonly name: string;
  readonly path: string;
  readonly state: AppState;
  /** Of the processes that serve it or are about to. */
  readonly pids: readonly number[];
  /** Processes that ended without being asked to, debuggees excepted. */
  readonly restarts: number;
  /** How the last of them ended, while none has listened since: "exited with code 1". */
  readonly lastLoss?: string;
  /** All that live or end. */
  readonly processes: readonly { id: string; pid: number | undefined; state: string; ageMs: number }[];
  /** Why the latest start failed; absent once a later one worked. */
  readonly lastFailure?: Failure;
}
