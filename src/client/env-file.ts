// The variables of an app's `envFile`, read by the app's own process: with the rights of its user, before its program.

import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { ENV_FILE_VARIABLE, type EnvFile } from '../wire/env-file.ts';

/** Adds them to the environment. A file that cannot be read ends the process, and stderr says why. */
export function readEnvFile(env: NodeJS.ProcessEnv): void {
  const told = env[ENV_FILE_VARIABLE];
  if (told === undefined) return;
  delete env[ENV_FILE_VARIABLE];
  const { path, kept } = JSON.parse(told) as EnvFile;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    process.stderr.write(`slipstream: the variables cannot be read (envFile): ${(error as Error).message}\n`);
    process.exit(1);
  }
  for (const [name, value] of Object.entries(parseEnv(text))) {
    if (!kept.includes(name) && !name.startsWith('SLIPSTREAM_')) env[name] = value;
  }
}
