// slipstream reload <app>|--all: new processes take over from the old ones; no request is lost.

import { askHost } from '../process/control-client.ts';
import { HostError } from '../base/host-error.ts';
import type { ReloadResult } from '../wire/control-messages.ts';
import { appOf, HOST_OPTIONS, hostPid, parseWords, printJson } from './options.ts';
import { printable } from './text-table.ts';

/** What `slipstream reload --help` prints. */
export const RELOAD_HELP = `Usage: slipstream reload <app> | --all [--json] [--host PID]

Starts new processes of the app, lets them take over when they listen, and ends the old ones
when their requests are over. Waits for it and says what it waits for; with --json it prints the
result only. If the new ones fail, the old ones go on and the exit code is 1. An app that does
not run is left alone: its next request starts it.
`;

const OPTIONS = { ...HOST_OPTIONS, all: { type: 'boolean', default: false } } as const;

/** Runs the verb. @throws HostError RELOAD_FAILED */
export async function reload(words: string[]): Promise<void> {
  const { values, positionals } = parseWords('reload', words, OPTIONS, 1);
  if (values.all && positionals.length > 0) {
    throw new HostError('OPTION_INVALID', 'reload takes an app or --all, not both');
  }
  const result = (await askHost(
    values.all ? { verb: 'reload' } : { verb: 'reload', app: appOf('reload', positionals, ', or --all') },
    {
      pid: hostPid(values.host),
      onReply(reply) {
        if (reply.kind === 'progress' && !values.json) process.stdout.write(`${printable(reply.text)}\n`);
      },
    },
  )) as ReloadResult;
  if (values.json) printJson(result);
  const failed = result.apps.filter(({ outcome }) => outcome === 'failed');
  if (failed.length > 0) {
    throw new HostError('RELOAD_FAILED', failed.map(({ message }) => message ?? '').join('; '));
  }
}
