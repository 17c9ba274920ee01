// Reads the checkout and complains about what the compiler and the linter cannot see: imports across rooms,
// sizes, names, words, files nobody uses, and pages that have drifted from the code.
//   node scripts/tidy.js [--write]     --write makes docs/settings.md anew

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkDependencyNote, checkErrorsPage, checkNamedTests, checkSettingsPage } from './docs-rules.ts';
import { checkImports, checkReach } from './import-rules.ts';
import { PROJECT_ROOT } from './project.ts';
import { settingsPage } from './settings-page.ts';
import { isTypeScript, readTree } from './source-tree.ts';
import type { Complaint } from './source-tree.ts';
import { checkText } from './text-rules.ts';

/** Scripts and pages that the one-file rules read; samples are for reading and follow them too. */
const JUDGED = /^(?:(?:src|test|bench|scripts|samples|docs|\.ci)\/|[\w.-]+$)/;

interface PackageFile {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

export interface TidyOptions {
  /** The folder of the checkout. */
  root: string;
  /** What docs/settings.md should hold; absent: not compared. */
  settingsPage?: string;
}

/** All complaints about a checkout, by path and line. */
export function tidy(options: TidyOptions): Complaint[] {
  const files = readTree(options.root).filter(({ path }) => JUDGED.test(path));
  const manifest = JSON.parse(readFileSync(join(options.root, 'package.json'), 'utf8')) as PackageFile;
  const dependencies = Object.keys(manifest.dependencies ?? {});
  const everything = [...dependencies, ...Object.keys(manifest.devDependencies ?? {})];
  const complaints = [
    ...files.flatMap(checkText),
    ...checkImports({ files, dependencies }),
    ...checkReach(files.filter(({ path }) => isTypeScript(path) || path.endsWith('.mjs'))),
    ...checkErrorsPage(files),
    ...checkNamedTests(files),
    ...checkDependencyNote(files, everything),
    ...(options.settingsPage === undefined ? [] : checkSettingsPage(files, options.settingsPage)),
  ];
  return complaints.sort((left, right) =>
    left.path === right.path ? left.line - right.line : left.path < right.path ? -1 : 1,
  );
}

/** Runs on this checkout and prints; returns the exit code. */
export function runTidy(args: readonly string[]): number {
  const page = settingsPage();
  if (args.includes('--write')) writeFileSync(join(PROJECT_ROOT, 'docs', 'settings.md'), page);
  const complaints = tidy({ root: PROJECT_ROOT, settingsPage: page });
  for (const { path, line, rule, text } of complaints) console.error(`${path}:${line}: ${rule}: ${text}`);
  return complaints.length === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = runTidy(process.argv.slice(2));
}
