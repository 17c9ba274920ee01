// npm run check: types, lint, then the rules of scripts/tidy.ts. Runs all of them and fails if one did.
//   npm run check [-- --write]     --write makes docs/settings.md anew

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PROJECT_ROOT } from './project.ts';
import { runTidy } from './tidy.ts';

/** Projects of their own that the main one leaves out: the browser's code and the TypeScript samples. */
function typeProjects(): string[] {
  const samples = readdirSync(join(PROJECT_ROOT, 'samples')).map((name) => join('samples', name));
  const others = ['src/browser', ...samples].map((folder) => join(folder, 'tsconfig.json'));
  return ['tsconfig.json', ...others.filter((file) => existsSync(join(PROJECT_ROOT, file)))];
}

function runTool(script: string, args: readonly string[]): boolean {
  const path = join(PROJECT_ROOT, 'node_modules', script);
  const result = spawnSync(process.execPath, [path, ...args], { cwd: PROJECT_ROOT, stdio: 'inherit' });
  if (result.error !== undefined) throw result.error;
  return result.status === 0;
}

/** Runs every check; returns the exit code. */
export function runCheck(args: readonly string[]): number {
  const failed: string[] = [];
  for (const project of typeProjects()) {
    if (!runTool('typescript/bin/tsc', ['--noEmit', '-p', project])) failed.push(`types (${project})`);
  }
  if (!runTool('oxlint/bin/oxlint', ['--format=unix', '--deny-warnings'])) failed.push('lint');
  if (runTidy(args) !== 0) failed.push('tidy');
  console.log(failed.length === 0 ? 'check: passed' : `check: failed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = runCheck(process.argv.slice(2));
}
