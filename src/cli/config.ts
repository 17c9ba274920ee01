// slipstream config explain [app], slipstream config schema.

import { askHost } from '../process/control-client.ts';
import { HostError } from '../base/host-error.ts';
import { configSchema } from '../process/config-tools.ts';
import type { Explanation } from '../wire/control-messages.ts';
import { HOST_OPTIONS, hostPid, parseWords, printJson } from './options.ts';
import { printable, textTable } from './text-table.ts';

/** What `slipstream config --help` prints. */
export const CONFIG_HELP = `Usage: slipstream config explain [app] [--all] [--json] [--host PID]
       slipstream config schema

explain  asks the running host which settings hold and where each comes from: file and line,
         an environment variable, or the default. With an app: those of the app. Without
         --all only settings that are not the default are shown.
schema   prints a JSON Schema of slipstream.yml for editors, for example:
           slipstream config schema > slipstream.schema.json
         and as the first line of slipstream.yml:
           # yaml-language-server: $schema=./slipstream.schema.json
`;

const OPTIONS = { ...HOST_OPTIONS, all: { type: 'boolean', default: false } } as const;

/** Runs the verb. */
export async function config(words: string[]): Promise<void> {
  const [verb, ...rest] = words;
  if (verb === 'schema') {
    parseWords('config', rest, { json: { type: 'boolean', default: false } }, 0);
    printJson(configSchema());
    return;
  }
  if (verb !== 'explain') {
    const given = verb === undefined ? '' : `, not "${verb}"`;
    throw new HostError('OPTION_UNKNOWN', `config takes explain or schema${given}; see slipstream config --help`);
  }
  const { values, positionals } = parseWords('config', rest, OPTIONS, 1);
  const [app] = positionals;
  const request = app === undefined ? { verb } as const : { verb, app } as const;
  const explanation = (await askHost(request, { pid: hostPid(values.host) })) as Explanation;
  if (values.json) printJson(explanation);
  else process.stdout.write(explanationText(explanation, values.all));
}

/** The explanation for people. */
export function explanationText(explanation: Explanation, isAll: boolean): string {
  const { app, file, problem, settings } = explanation;
  const shown = settings.filter(({ source }) => isAll || source !== 'default');
  const subject = app === undefined ? 'the host' : `app "${app}"`;
  let text = `settings of ${subject}${file === undefined ? '' : `, host file ${file}`}\n`;
  if (problem !== undefined) text += `! the last good settings hold: ${problem}\n`;
  if (shown.length === 0) return `${printableLines(text)}all have their defaults; --all shows them\n`;
  const rows = shown.map(({ section, name, value, source }) => [
    section === 'limits' ? `limits.${name}` : name,
    JSON.stringify(value),
    source,
  ]);
  return `${printableLines(text)}\n${textTable([['SETTING', 'VALUE', 'FROM'], ...rows])}`;
}

function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
