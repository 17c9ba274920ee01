// Rules that compare the pages of docs/ with the code they describe.

import { lineAt } from './source-tree.ts';
import type { Complaint, SourceFile } from './source-tree.ts';

const CODES_FILE = 'src/base/host-error.ts';
const ERRORS_PAGE = 'docs/errors.md';
const SETTINGS_PAGE = 'docs/settings.md';
const DEPENDENCIES_NOTE = 'docs/decisions/0001-dependencies.md';

const TESTS_PAGES = /^docs\/compatibility-\w+\.md$/;

interface Mention {
  name: string;
  path: string;
  line: number;
}

function mentions(file: SourceFile | undefined, pattern: RegExp): Mention[] {
  if (file === undefined) return [];
  return [...file.text.matchAll(pattern)].map((match) => ({
    name: match[1]!,
    path: file.path,
    line: lineAt(file.text, match.index),
  }));
}

function missing(
  from: readonly Mention[],
  among: readonly Mention[],
  say: (name: string) => string,
): Complaint[] {
  const known = new Set(among.map(({ name }) => name));
  return from
    .filter(({ name }) => !known.has(name))
    .map(({ name, path, line }) => ({ path, line, rule: 'errors', text: say(name) }));
}

/** Every code has a row, every row a code, no row twice. */
export function checkErrorsPage(files: readonly SourceFile[]): Complaint[] {
  const codesFile = files.find(({ path }) => path === CODES_FILE);
  const table = /ERROR_CODES = \{\n(?:.*\n)*?\}/.exec(codesFile?.text ?? '');
  if (codesFile === undefined || table === null) return [];
  const codes = mentions(codesFile, /^ {2}([A-Z][A-Z0-9_]+):/gm).filter(
    ({ line }) => line > lineAt(codesFile.text, table.index) - 1,
  );
  const page = files.find(({ path }) => path === ERRORS_PAGE);
  const rows = mentions(page, /^\| `([A-Z][A-Z0-9_]+)`/gm);
  const twice = rows.filter(({ name }, index) => rows.findIndex((row) => row.name === name) < index);
  return [
    ...missing(codes, rows, (name) => `${name} has no row in ${ERRORS_PAGE}`),
    ...missing(rows, codes, (name) => `${name} is no code of ${CODES_FILE}`),
    ...twice.map(({ name, path, line }) => ({ path, line, rule: 'errors', text: `${name} has two rows` })),
  ];
}

/** The page on settings says what the tables say. */
export function checkSettingsPage(files: readonly SourceFile[], expected: string): Complaint[] {
  const page = files.find(({ path }) => path === SETTINGS_PAGE);
  if (page?.text === expected) return [];
  const lines = expected.split('\n');
  const line = lines.findIndex((text, index) => page?.lines[index] !== text) + 1;
  const text = 'differs from the tables; write it with: npm run check -- --write';
  return [{ path: SETTINGS_PAGE, line: Math.max(line, 1), rule: 'settings', text }];
}

/** Every dependency, of either kind, is explained in the note on dependencies. */
export function checkDependencyNote(files: readonly SourceFile[], names: readonly string[]): Complaint[] {
  const note = files.find(({ path }) => path === DEPENDENCIES_NOTE);
  return names
    .filter((name) => !note?.text.includes(`\`${name}\``))
    .map((name) => {
      const text = `"${name}" is not explained in ${DEPENDENCIES_NOTE}`;
      return { path: 'package.json', line: 1, rule: 'dependency', text };
    });
}

/** A test that a page names: `89 the first words…` of a file in test/, `watch.test`, `watch.test the first words…`. */
const NAMED_TEST = /`(?:(\d\d) ([^`]*…[^`]*)|([\w-]+\.test)(?: ([^`]*…[^`]*))?)`/g;
const TITLE = /\btest\(\s*(['"`])((?:\\.|(?!\1).)*)\1/g;

/** The words, which an ellipsis may part, stand in the title in this order. */
function isTitled(title: string, words: string): boolean {
  let from = 0;
  for (const part of words.split('…').map((text) => text.trim())) {
    const found = title.indexOf(part, from);
    if (found < 0) return false;
    from = found + part.length;
  }
  return true;
}

/** Tests that the tables of behaviours name are there. */
export function checkNamedTests(files: readonly SourceFile[]): Complaint[] {
  const tests = files.filter(({ path }) => path.endsWith('.test.ts'));
  const titles = (of: (path: string) => boolean): string[] =>
    tests.filter(({ path }) => of(path))
      .flatMap(({ text }) => [...text.matchAll(TITLE)].map((match) => match[2]!.replaceAll('\\', '')));
  const isThere = ([, number, words, file, wordsOfFile]: RegExpMatchArray): boolean => {
    const isOfFile = (path: string): boolean =>
      file === undefined ? path.startsWith(`test/${number}-`) : path.endsWith(`/${file}.ts`);
    const said = words ?? wordsOfFile;
    return said === undefined
      ? tests.some(({ path }) => isOfFile(path))
      : titles(isOfFile).some((title) => isTitled(title, said));
  };
  return files.filter(({ path }) => TESTS_PAGES.test(path)).flatMap(({ path, text }) =>
    [...text.matchAll(NAMED_TEST)].filter((match) => !isThere(match)).map((match) => (
      { path, line: lineAt(text, match.index), rule: 'tests', text: `there is no test "${match[0].slice(1, -1)}"` }
    )));
}
