// slipstream logs <app>: what the processes of an app printed, and print.

import { askHost } from '../process/control-client.ts';
import { HostError } from '../base/host-error.ts';
import { appOf, HOST_OPTIONS, hostPid, parseWords } from './options.ts';

/** What `slipstream logs --help` prints. */
export const LOGS_HELP = `Usage: slipstream logs <app> [-f] [-n LINES] [--json] [--host PID]

Prints the last lines of the app's stdout and stderr, oldest first; stderr goes to stderr.

  -f, --follow     goes on with the lines to come, until Ctrl+C
  -n, --lines N    how many lines; default 100
  --json           each line as an object: stream, pid, line
`;

const OPTIONS = {
  ...HOST_OPTIONS,
  follow: { type: 'boolean', short: 'f', default: false },
  lines: { type: 'string', short: 'n', default: '100' },
} as const;

/** Runs the verb. */
export async function logs(words: string[]): Promise<void> {
  const { values, positionals } = parseWords('logs', words, OPTIONS, 1);
  const app = appOf('logs', positionals);
  const lines = Number(values.lines);
  if (!Number.isInteger(lines) || lines < 0) {
    throw new HostError('OPTION_INVALID', `--lines takes a whole number, not "${values.lines}"`);
  }
  const stop = new AbortController();
  // Whoever reads may have enough: "slipstream logs shop | head".
  process.stdout.on('error', () => stop.abort());
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  await askHost(
    { verb: 'logs', app, lines, follow: values.follow },
    {
      pid: hostPid(values.host),
      signal: stop.signal,
      onReply(reply) {
        if (reply.kind !== 'output') return;
        const { stream, pid, line } = reply;
        if (values.json) process.stdout.write(`${JSON.stringify({ stream, pid, line })}\n`);
        else process[stream].write(`${line}\n`);
      },
    },
  );
}
