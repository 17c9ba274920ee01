// Rules that read one file at a time: its name, head, length, functions, exports and words.

import { isTest, isTypeScript, lineAt } from './source-tree.ts';
import type { Complaint, SourceFile } from './source-tree.ts';

const COLUMNS_MAX = 120;
const FUNCTION_LINES_MAX = 70;
const FILE_LINES_MAX = 450;
const TEST_LINES_MAX = 800;

const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|test\.support|fuzz|d|config))?\.[cm]?[jt]s$/;
const NAME_BANNED = /(?:^|-)(?:utils?|helpers?|common|managers?|misc)(?:-|\.)|^index\./;

// Put together from pieces, so that this file obeys its own rules.
const BANNED_WORDS: readonly [RegExp, string][] = [
  [new RegExp(`\\b(?:${['TO', 'DO|FIX', 'ME|XX', 'X|HA', 'CK'].join('')})\\b`), 'unfinished work'],
  [/(?<![\w.~*@)\]}>-])\/(?:work|home|root)\/\w/, 'a path of one machine'],
  [new RegExp(['registry', '(?:npmjs|yarnpkg)', '(?:org|com)'].join('\\.')), 'a registry host'],
  [new RegExp(['npm', 'pkg', 'github', 'com'].join('\\.')), 'a registry host'],
];
const BANNED_CODE: readonly [RegExp, string][] = [
  [/\.only\(|\bonly:\s*true/, 'a test that keeps others from running'],
  [/\.skip\(/, 'a test that is skipped always; use the option skip with a reason'],
  [/(?:^|[\s;])(?:const\s+|declare\s+)?enum\s+\w/, 'enum cannot be erased'],
  [/\bcatch\s*(?:\([^)]*\)\s*)?\{\s*\}/, 'an empty catch hides failures'],
];

type Say = (line: number, rule: string, text: string) => void;

function checkName(file: SourceFile, say: Say): void {
  const name = file.path.slice(file.path.lastIndexOf('/') + 1);
  if (!NAME.test(name)) say(1, 'name', `"${name}" is not kebab-case`);
  if (NAME_BANNED.test(name)) say(1, 'name', `"${name}" does not say what the file holds`);
}

function checkLength(file: SourceFile, say: Say): void {
  const lines = file.lines.at(-1) === '' ? file.lines.length - 1 : file.lines.length;
  const most = isTest(file.path) ? TEST_LINES_MAX : FILE_LINES_MAX;
  if (lines > most) say(lines, 'file-length', `${lines} lines, at most ${most}`);
  if (lines > 0 && file.lines.at(-1) !== '') say(lines, 'file-end', 'no newline at the end');
}

function checkLines(file: SourceFile, say: Say): void {
  const isProse = file.path.endsWith('.md') || file.path.endsWith('.json');
  for (const [index, line] of file.lines.entries()) {
    if (!isProse && line.length > COLUMNS_MAX) {
      say(index + 1, 'columns', `${line.length} columns, at most ${COLUMNS_MAX}`);
    }
    for (const [pattern, what] of BANNED_WORDS) {
      const match = pattern.exec(line);
      if (match !== null) say(index + 1, 'word', `"${match[0]}": ${what}`);
    }
  }
}

function checkCode(file: SourceFile, say: Say): void {
  for (const [pattern, what] of BANNED_CODE) {
    for (const match of file.code.matchAll(new RegExp(pattern, 'g'))) {
      // A comment in an empty catch says why nothing is to be done.
      const text = file.text.slice(match.index, match.index + match[0].length);
      if (what.startsWith('an empty catch') && /\/[/*]/.test(text)) continue;
      say(lineAt(file.text, match.index + match[0].search(/\S/)), 'word', what);
    }
  }
  if (file.path.startsWith('src/')) {
    const match = /^export default\b/m.exec(file.code);
    if (match !== null) say(lineAt(file.text, match.index), 'export', 'default exports have no name');
  }
}

/** The first line, or the one after `#!`, must be a comment. A test beside its source is explained by it. */
function checkHead(file: SourceFile, say: Say): void {
  if (file.path.endsWith('.test.ts') && !file.path.startsWith('test/')) return;
  const first = file.lines[0]!.startsWith('#!') ? 1 : 0;
  const line = file.lines[first] ?? '';
  if (/^(?:\/\/ \S|\/\*)/.test(line)) return;
  say(first + 1, 'head', 'no comment at the top says what the file holds');
}

const EXPORT =
  /^export (?:declare )?(?:abstract )?(?:async )?(function\*?|class|const|let|interface|type) (\w+)/;

const TYPE_LINES_PLAIN = 6;

/** A type is explained by a docstring, by comments on its members, or is so short that it needs no words. */
function isPlainType(file: SourceFile, index: number): boolean {
  if (file.lines[index]!.endsWith(';')) return true;
  const end = file.lines.findIndex((line, at) => at > index && line === '');
  const body = file.lines.slice(index, end === -1 ? undefined : end);
  return body.length <= TYPE_LINES_PLAIN || body.some((line) => /\/\*\*|\/\/ /.test(line));
}

function checkExports(file: SourceFile, say: Say): void {
  const seen = new Set<string>();
  for (const [index, line] of file.lines.entries()) {
    const [, kind, name] = EXPORT.exec(line) ?? [];
    // Overloads follow the docstring of the first.
    if (name === undefined || seen.has(name)) continue;
    seen.add(name);
    if ((kind === 'interface' || kind === 'type') && isPlainType(file, index)) continue;
    let above = index - 1;
    // A docstring may stand for a group of constants of one line each.
    const isCovered = (text: string): boolean =>
      /^\s*\/\/ oxlint-/.test(text) || (kind === 'const' && /^export const .*;$/.test(text));
    while (above >= 0 && isCovered(file.lines[above]!)) above -= 1;
    if (/\*\/\s*$/.test(file.lines[above] ?? '')) continue;
    say(index + 1, 'docstring', `${name} is exported without one`);
  }
}

const NOT_A_FUNCTION = /\b(?:if|for|while|switch|catch|with)\s*$/;

/** Offset of the bracket that `end` closes, or -1. */
function matchingOpen(code: string, end: number): number {
  let depth = 0;
  for (let at = end; at >= 0; at--) {
    if (code[at] === ')') depth += 1;
    else if (code[at] === '(' && --depth === 0) return at;
  }
  return -1;
}

/** True when the brace at `at` opens the body of a function; test suites are no functions here. */
function opensFunction(code: string, at: number): boolean {
  const before = code.slice(Math.max(0, at - 400), at).trimEnd();
  if (before.endsWith('=>')) return !/\b(?:describe|suite)\([^\n]*$/.test(before);
  const typed = /\)\s*:\s*[^;{}()=]*\w[^;{}()=]*$/.exec(before);
  const close = before.endsWith(')') ? before.length - 1 : (typed?.index ?? -1);
  if (close === -1) return false;
  const open = matchingOpen(before, close);
  return open !== -1 && !NOT_A_FUNCTION.test(before.slice(0, open).replace(/\bawait\s*$/, ''));
}

function checkFunctions(file: SourceFile, say: Say): void {
  const open: { at: number; isFunction: boolean }[] = [];
  for (let at = 0; at < file.code.length; at++) {
    if (file.code[at] === '{') {
      open.push({ at, isFunction: opensFunction(file.code, at) });
    } else if (file.code[at] === '}') {
      const start = open.pop();
      if (start === undefined || !start.isFunction) continue;
      const first = lineAt(file.text, start.at);
      const lines = lineAt(file.text, at) - first + 1;
      if (lines > FUNCTION_LINES_MAX) {
        say(first, 'function-length', `${lines} lines, at most ${FUNCTION_LINES_MAX}`);
      }
    }
  }
}

/** All rules that need one file only. */
export function checkText(file: SourceFile): Complaint[] {
  const complaints: Complaint[] = [];
  const say: Say = (line, rule, text) => complaints.push({ path: file.path, line, rule, text });
  checkLines(file, say);
  if (file.code === '' && !/\.[cm]?[jt]s$/.test(file.path)) return complaints;
  checkName(file, say);
  checkLength(file, say);
  checkHead(file, say);
  checkCode(file, say);
  if (isTypeScript(file.path)) checkFunctions(file, say);
  if (file.path.startsWith('src/') && isTypeScript(file.path) && !isTest(file.path)) checkExports(file, say);
  return complaints;
}
