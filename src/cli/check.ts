// slipstream check [folder]: what a folder is to Slipstream, without running it.

import { checkFolder, type FolderCheck } from '../process/config-tools.ts';
import { folderOf, parseWords, printJson } from './options.ts';
import { printable, textTable } from './text-table.ts';

/** What `slipstream check --help` prints. */
export const CHECK_HELP = `Usage: slipstream check [folder] [--json]

Lists the apps of a folder, what each runs and where its settings come from, without starting
anything. For folders that come from IIS (web.config, iisnode.yml, IISNODE_* variables): what
of them is used, mapped to another setting, or ignored, and why.
The exit code is 1 when something is wrong.
`;

/** Runs the verb. */
export async function check(words: string[]): Promise<void> {
  const options = { json: { type: 'boolean', default: false } } as const;
  const { values, positionals } = parseWords('check', words, options, 1);
  const result = await checkFolder(folderOf(positionals[0] ?? '.'), process.env);
  if (values.json) printJson(result);
  else process.stdout.write(checkText(result));
  const isBad = result.problems.length > 0 || result.apps.some(({ problems }) => problems.length > 0);
  if (isBad) process.exitCode = 1;
}

/** The result for people. */
export function checkText(result: FolderCheck): string {
  let text = `root ${printable(result.root)}, settings ${printable(result.file ?? 'none')}\n`;
  for (const problem of result.problems) text += `! ${printable(problem)}\n`;
  for (const app of result.apps) {
    text += `\n${printable(app.path)}  runs ${printable(app.entry)}\n`;
    for (const problem of app.problems) text += `  ! ${printable(problem)}\n`;
    const settings = Object.entries(app.settings).map(([name, { value, source }]) => [
      '  ', name, JSON.stringify(value), source,
    ]);
    text += textTable(settings);
    const notes = app.notes.map(({ verdict, name, place, text: why }) => ['  ', verdict, name, why, place]);
    if (notes.length > 0) text += `  of iisnode:\n${textTable(notes)}`;
  }
  return text;
}
