// What the end of a process means to the requests that wait for its app.

import { describeExit, lastLines, startFailure } from './start-failure.ts';
import type { App } from './app-config.ts';
import type { AppProcess } from './app-process.ts';
import type { StartEnd } from './start-failure.ts';
import type { Failure } from '../wire/front-messages.ts';

/** For a process that never listened. */
export function failureOf(process: AppProcess, app: App): Failure {
  const { exit } = process;
  let end: StartEnd = { kind: 'start-late', startTimeoutMs: app.settings.startTimeoutMs };
  if (exit?.spawnFailure !== undefined) end = { kind: 'spawn-failed', reason: exit.spawnFailure };
  else if (exit !== undefined) end = { kind: 'exited', code: exit.code, signal: exit.signal };
  const command = process.describedCommand;
  return startFailure({ app: app.name, command, stderr: process.stderrTail, end });
}

/** How a process that served was lost: "exited with code 1". */
export function lossOf(process: AppProcess): string {
  const { exit, state } = process;
  if (exit !== undefined) return describeExit(exit.code, exit.signal);
  return state.kind === 'stopping' && state.reason === 'away-late' ? 'did not come back' : 'was ended';
}

/** For an app whose processes keep ending soon after they listened. `waitMs`: until it is tried again. */
export function crashLoopFailure(process: AppProcess, app: App, waitMs: number): Failure {
  const stderr = lastLines(process.stderrTail);
  return {
    status: 503,
    code: 'APP_CRASH_LOOP',
    message: `app "${app.name}" keeps ending soon after its start; the last process ${lossOf(process)}`,
    developer: [
      { heading: 'Command', text: process.describedCommand },
      { heading: 'Last lines of stderr', text: stderr === '' ? '(nothing)' : stderr },
    ],
    retryAfterSeconds: Math.ceil(waitMs / 1000),
  };
}

/** For an app whose folder says that it cannot work; undefined when nothing is known against it. */
export function unusableFailure({ name, problem }: App): Failure | undefined {
  if (problem === undefined) return undefined;
  return startFailure({ app: name, command: '', stderr: '', end: { kind: 'unusable', reason: problem } });
}
