// The files of a checkout that the rules read: text only, without what tools make or fetch.

import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { maskSource } from './mask-source.ts';

const FOLDERS_SKIPPED = new Set(['node_modules', 'dist', '.git', '.cache']);
const TEXT_FILE = /\.(?:[cm]?[jt]s|json|md|html|css|sh|ya?ml)$|(?:^|\/)\.ci\/\w+$/;
const FILES_SKIPPED = /(?:^|\/)(?:package-lock\.json|THIRD-PARTY-NOTICES\.md)$/;

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  path: string;
  text: string;
  lines: string[];
  /** Without comments, strings and regular expressions; empty for what is no script. */
  code: string;
  /** Without comments; empty for what is no script. */
  codeAndStrings: string;
}

/** What a rule found. */
export interface Complaint {
  path: string;
  /** From 1. */
  line: number;
  rule: string;
  text: string;
}

/** True for TypeScript that is compiled. */
export function isTypeScript(path: string): boolean {
  return path.endsWith('.ts') && !path.endsWith('.d.ts');
}

/** True for a test or what only tests use: x.test.ts, x.fuzz.ts, x.test.support.ts, all of test/. */
export function isTest(path: string): boolean {
  return /\.(?:test|fuzz)(?:\.support)?\.ts$/.test(path) || path.startsWith('test/');
}

/** The line of an offset, from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

/** All text files below `root`, sorted by path. */
export function readTree(root: string): SourceFile[] {
  const files: SourceFile[] = [];
  function walk(folder: string): void {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!FOLDERS_SKIPPED.has(entry.name)) walk(path);
      } else if (entry.isFile() && TEXT_FILE.test(path) && !FILES_SKIPPED.test(path)) {
        const text = readFileSync(join(root, path), 'utf8');
        const isScript = /\.[cm]?[jt]s$/.test(path);
        const masked = isScript ? maskSource(text) : { code: '', codeAndStrings: '' };
        files.push({ path, text, lines: text.split('\n'), ...masked });
      }
    }
  }
  walk('');
  return files.sort((left, right) => (left.path < right.path ? -1 : 1));
}
