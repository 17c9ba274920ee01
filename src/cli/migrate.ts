// slipstream migrate [folder]: writes the slipstream.yml that says what other configuration files say.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HostError } from '../base/host-error.ts';
import { CONFIG_NAMES, migrateFolder } from '../process/config-tools.ts';
import { folderOf, parseWords, printJson } from './options.ts';
import { printable } from './text-table.ts';

/** What `slipstream migrate --help` prints. */
export const MIGRATE_HELP = `Usage: slipstream migrate [folder] [--print] [--force] [--json]

Writes slipstream.yml from what the folder has: web.config and iisnode.yml, or a PM2 ecosystem
file. What has no meaning here is listed. A PM2 file in JavaScript is run to read it.

  --print     to stdout instead of the file
  --force     also when there is a slipstream.yml
`;

const OPTIONS = {
  json: { type: 'boolean', default: false },
  print: { type: 'boolean', default: false },
  force: { type: 'boolean', default: false },
} as const;

/** Runs the verb. @throws HostError FILE_EXISTS and what migrateFolder throws */
export async function migrate(words: string[]): Promise<void> {
  const { values, positionals } = parseWords('migrate', words, OPTIONS, 1);
  const folder = folderOf(positionals[0] ?? '.');
  const migration = await migrateFolder(folder, process.env);
  const file = join(folder, CONFIG_NAMES[0]);
  if (!values.print) writeNew(file, migration.text, values.force);
  if (values.json) {
    printJson({ ...migration, ...(values.print ? {} : { file }) });
    return;
  }
  if (values.print) process.stdout.write(migration.text);
  else process.stdout.write(`wrote ${file}\n`);
  for (const note of migration.notes) process.stderr.write(`not taken over: ${printable(note)}\n`);
}

/** Writes a file that must not be there yet. @throws HostError FILE_EXISTS */
export function writeNew(file: string, text: string, isForced: boolean): void {
  if (!isForced && existsSync(file)) {
    throw new HostError('FILE_EXISTS', `${file} is there already; --force replaces it, --print shows the new one`);
  }
  writeFileSync(file, text);
}
