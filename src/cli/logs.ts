// slipstream logs <app>: what the processes of an app printed, and print.

import { join } from 'node:path';
import { homeFolder } from '../base/home-folder.ts';
import { AccessGrants, readersFolder } from '../debug/access-grants.ts';
import { askHost } from '../process/control-client.ts';
import { HostError } from '../base/host-error.ts';
import { findSnapshot, linksTo, urlsAt } from './debug.ts';
import { appOf, HOST_OPTIONS, hostPid, parseWords, printJson } from './options.ts';

/** What `slipstream logs --help` prints. */
export const LOGS_HELP = `Usage: slipstream logs <app> [-f] [-n LINES] [--json] [--host PID]
       slipstream logs <app> --link [--url ORIGIN] [--json] [--host PID]

Prints the last lines of the app's stdout and stderr, oldest first; stderr goes to stderr.

  -f, --follow     goes on with the lines to come, until Ctrl+C
  -n, --lines N    how many lines; default 100
  --json           each line as an object: stream, pid, line
  --link           prints a link that opens the logs in a browser elsewhere, once and within five
                   minutes; the browser then sees them, and why the app fails, for twelve hours.
                   Over HTTPS or a tunnel (ssh -L). slipstream debug --revoke ends it.
  --url ORIGIN     how the host is reached from outside, e.g. https://apps.example
`;

const OPTIONS = {
  ...HOST_OPTIONS,
  follow: { type: 'boolean', short: 'f', default: false },
  lines: { type: 'string', short: 'n', default: '100' },
  link: { type: 'boolean', default: false },
  url: { type: 'string' },
} as const;

/** Runs the verb. */
export async function logs(words: string[]): Promise<void> {
  const { values, positionals } = parseWords('logs', words, OPTIONS, 1);
  const app = appOf('logs', positionals);
  if (values.link) return printLinks(app, values);
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

/** Makes a reader's link. @throws HostError APP_UNKNOWN, OPTION_INVALID */
async function printLinks(
  name: string,
  { host, url, json }: { host?: string | undefined; url?: string | undefined; json: boolean },
): Promise<void> {
  const { snapshot, app } = await findSnapshot(name, host);
  if (app.logPath === undefined) {
    throw new HostError('OPTION_INVALID', `the logs of app "${app.name}" have no page (loggingEnabled, logPage)`);
  }
  const urls = urlsAt(app.logPath, url === undefined ? (snapshot.urls ?? []) : [url]);
  const secret = new AccessGrants(readersFolder(join(homeFolder(), 'debugger'))).createLink(app.path, 'observe');
  const links = linksTo(urls, secret);
  if (json) printJson({ links });
  else process.stdout.write(links.map((link) => `${link}\n`).join(''));
}
