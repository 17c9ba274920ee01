// slipstream init [folder]: a slipstream.yml to start from.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { HostError } from '../base/host-error.ts';
import { CONFIG_NAMES, configSchema } from '../process/config-tools.ts';
import { writeNew } from './migrate.ts';
import { parseWords, printJson } from './options.ts';

/** What `slipstream init --help` prints. */
export const INIT_HELP = `Usage: slipstream init [folder] [--print] [--force] [--json]

Writes a slipstream.yml with the settings that are changed most, all of them commented out,
and a schema beside it that editors complete and check settings with. No app needs either.

  --print     slipstream.yml to stdout instead
  --force     also when there is one
`;

const TEMPLATE = `# yaml-language-server: $schema=./slipstream.schema.json
# Settings of Slipstream. Edits hold at once; a broken edit changes nothing (slipstream status).
# All settings: docs/settings.md. What holds, and why: slipstream config explain [app]

# listen: [http://localhost:8080]

# limits:                           # of the front
#   bodyBytesMax: 10000000

# defaults:                         # of every app
#   processes: 2                    # 0 is one per core
#   recycleOnChange: true
#   idleStopAfterMs: 600000
#   memoryMbMax: 512
#   env:
#     NODE_ENV: production

# apps:                             # of one app, by its path; or a slipstream.yml in its folder
#   /shop/:
#     start: always
#     stickySessions: true
`;

const OPTIONS = {
  json: { type: 'boolean', default: false },
  print: { type: 'boolean', default: false },
  force: { type: 'boolean', default: false },
} as const;

/** Runs the verb. @throws HostError FILE_EXISTS, ROOT_MISSING */
export async function init(words: string[]): Promise<void> {
  const { values, positionals } = parseWords('init', words, OPTIONS, 1);
  const folder = positionals[0] ?? '.';
  if (values.print) {
    process.stdout.write(TEMPLATE);
    return;
  }
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new HostError('ROOT_MISSING', `${folder} is not a folder`);
  }
  const file = join(folder, CONFIG_NAMES[0]);
  const schema = join(folder, 'slipstream.schema.json');
  writeNew(file, TEMPLATE, values.force);
  writeNew(schema, `${JSON.stringify(configSchema(), null, 2)}\n`, true);
  if (values.json) printJson({ file, schema });
  else {
    process.stdout.write(`wrote ${file} and ${schema}\n`);
    const where = folder === '.' ? '' : ` ${folder}`;
    process.stdout.write(`next: slipstream check${where}, then slipstream serve${where}\n`);
  }
}
