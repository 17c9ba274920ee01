// slipstream start <app>, slipstream stop <app>.

import { askHost } from '../process/control-client.ts';
import type { AppSnapshot } from '../wire/status.ts';
import { appOf, HOST_OPTIONS, hostPid, parseWords, printJson } from './options.ts';
import { printable } from './text-table.ts';

/** What `slipstream start --help` prints. */
export const START_HELP = `Usage: slipstream start <app> [--json] [--host PID]

Starts the processes of the app now, also after "slipstream stop" and in a crash loop, and
waits until they listen. Needed only then: otherwise the first request starts them.
`;

/** What `slipstream stop --help` prints. */
export const STOP_HELP = `Usage: slipstream stop <app> [--json] [--host PID]

Ends the processes of the app after the requests that they have. Until "slipstream start",
requests are answered with 503 APP_PAUSED. Does not stop the host: end that with SIGTERM.
`;

async function run(verb: 'start' | 'stop', words: string[]): Promise<void> {
  const { values, positionals } = parseWords(verb, words, HOST_OPTIONS, 1);
  const app = appOf(verb, positionals);
  const snapshot = (await askHost({ verb, app }, { pid: hostPid(values.host) })) as AppSnapshot | null;
  if (values.json) printJson(snapshot);
  else if (snapshot !== null) {
    const pids = snapshot.pids.length === 0 ? '' : `, pid ${snapshot.pids.join(' ')}`;
    process.stdout.write(`${printable(snapshot.name)}: ${snapshot.state}${pids}\n`);
  }
}

/** Runs the verb. */
export function start(words: string[]): Promise<void> {
  return run('start', words);
}

/** Runs the verb. */
export function stop(words: string[]): Promise<void> {
  return run('stop', words);
}
