// slipstream cache show|purge: what the output cache of the running host holds, and dropping it.

import { askHost } from '../process/control-client.ts';
import { HostError } from '../base/host-error.ts';
import type { CacheShown } from '../wire/control-messages.ts';
import { HOST_OPTIONS, hostPid, parseWords, printJson } from './options.ts';
import { printable, textTable } from './text-table.ts';

/** What `slipstream cache --help` prints. */
export const CACHE_HELP = `Usage: slipstream cache show [url | path] [--json] [--host PID]
       slipstream cache purge <url | path> [--recursive]
       slipstream cache purge --tag NAME
       slipstream cache purge --all

show lists kept answers, the last used first, and what the cache did so far. purge drops kept
answers: of one URL, with --recursive of everything below it, or of everything with a tag. A path
such as /shop/ means every host. When the command returns, no such answer is sent any more.
`;

const OPTIONS = {
  ...HOST_OPTIONS,
  recursive: { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
  tag: { type: 'string' },
} as const;

/** Runs the verb. @throws HostError OPTION_INVALID, CACHE_TARGET_INVALID, CACHE_UNREACHABLE */
export async function cache(words: string[]): Promise<void> {
  const { values, positionals } = parseWords('cache', words, OPTIONS, 2);
  const [action, target] = positionals;
  const { json, recursive, all, tag } = values;
  const pid = hostPid(values.host);
  if (action === 'show') {
    const request = { verb: 'cache-show', ...(target === undefined ? {} : { target }) } as const;
    const shown = (await askHost(request, { pid })) as CacheShown;
    if (json) printJson(shown);
    else process.stdout.write(shownText(shown));
    return;
  }
  if (action !== 'purge') {
    throw new HostError('OPTION_INVALID', 'cache takes show or purge; see slipstream cache --help');
  }
  const named = [target !== undefined, tag !== undefined, all].filter(Boolean).length;
  if (named !== 1) throw new HostError('OPTION_INVALID', 'cache purge takes a URL, --tag NAME or --all');
  await askHost(
    {
      verb: 'cache-purge',
      isRecursive: recursive,
      ...(target === undefined ? {} : { target }),
      ...(tag === undefined ? {} : { tag }),
    },
    { pid },
  );
  if (json) printJson({ purged: true });
  else process.stdout.write(`purged ${all ? 'everything' : printable(tag === undefined ? target! : `tag ${tag}`)}\n`);
}

function shownText({ report, rows }: CacheShown): string {
  const { bytes, bytesMax, entries, counters } = report;
  const { refused, ...counts } = counters;
  const named = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  const reasons = Object.entries(refused).map(([reason, count]) => `${reason} ${count}`);
  const text = `${entries} answers, ${bytes} of ${bytesMax} bytes\n${named.join(', ')}\n`
    + (reasons.length === 0 ? '' : `not kept: ${reasons.join(', ')}\n`);
  if (rows.length === 0) return text;
  const table = rows.map((row) => [
    row.url, String(row.status), String(row.bytes), `${row.ageSeconds}/${row.freshSeconds} s`, String(row.hits),
  ]);
  return `${text}\n${textTable([['URL', 'STATUS', 'BYTES', 'AGE', 'HITS'], ...table], [2, 4])}`;
}
