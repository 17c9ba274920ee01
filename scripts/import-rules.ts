// Who may import whom (docs/ARCHITECTURE.md, section 5), and that every file of src is reached by somebody.

import { posix } from 'node:path';
import { isTest, isTypeScript, lineAt } from './source-tree.ts';
import type { Complaint, SourceFile } from './source-tree.ts';

const FEATURES = ['http', 'apps', 'debug', 'client', 'compat', 'dashboard', 'site', 'tls'];

/** Room of src -> the rooms it may import, besides itself. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  base: [],
  wire: ['base'],
  http: ['base', 'wire'],
  apps: ['base', 'wire'],
  debug: ['base', 'wire'],
  client: ['base', 'wire'],
  compat: ['base', 'wire'],
  dashboard: ['base', 'wire'],
  site: ['base', 'wire'],
  tls: ['base', 'wire'],
  browser: ['base', 'wire'],
  host: ['base', 'wire', 'apps', 'compat', 'dashboard', 'tls'],
  process: ['base', 'wire', 'host', ...FEATURES],
  cli: ['base', 'wire', 'debug', 'process', 'tls'],
};

/** Rooms whose files others may enter one by one; every other room has a door. */
const OPEN_ROOMS = new Set(['base', 'wire', 'process']);

/** Doors beside the one with the room's name: for another process than the one that the room is in first. */
const SIDE_DOORS = new Set([
  'src/client/answer-meta.ts',
  'src/client/register.ts',
  'src/debug/access-grants.ts',
  'src/debug/attach.ts',
  'src/debug/poll-client.ts',
  'src/debug/session-proxy.ts',
  'src/debug/ui-files.ts',
  'src/host/config-tools.ts',
  'src/host/host-config.ts',
  'src/host/run-folder.ts',
]);

/** Packages that run in an installed copy: the dependencies, and what belongs to the browser bundle. */
const BROWSER_PACKAGES = ['chrome-devtools-frontend'];

/** What nobody imports because it is started, preloaded or published. */
const ENTRY = new RegExp(
  '^src/(?:cli/main|process/[\\w-]+-main|client/(?:client|inspector-thread|register)|debug/debugger|' +
    'browser/devtools-(?:app|start))\\.ts$',
);

const SPECIFIER =
  /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire(?:\.resolve)?\(\s*|\bnew URL\(\s*)(['"])([^'"\n]+)\1/g;

export interface Import {
  specifier: string;
  line: number;
  /** Path of the imported file when the specifier is relative; its end is `.ts` where it names a `.js`. */
  target?: string;
  /** Only the place of the file is taken, to start or to read it: not an import. */
  isPlaceOnly: boolean;
}

/** What a file imports: statically, dynamically, or by `new URL('./x', import.meta.url)`. */
export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = [];
  for (const match of file.codeAndStrings.matchAll(SPECIFIER)) {
    // The keyword must be code, not part of a string.
    if (!/\S/.test(file.code.slice(match.index, match.index + 3))) continue;
    const specifier = match[2]!;
    const line = lineAt(file.text, match.index);
    const isPlaceOnly = match[0].startsWith('new URL');
    if (!specifier.startsWith('.')) {
      found.push({ specifier, line, isPlaceOnly });
      continue;
    }
    const joined = posix.join(posix.dirname(file.path), specifier);
    const target = isTypeScript(file.path) ? joined.replace(/\.js$/, '.ts') : joined;
    found.push({ specifier, line, target, isPlaceOnly });
  }
  return found;
}

function roomOf(path: string): string | undefined {
  return /^src\/([\w-]+)\//.exec(path)?.[1];
}

function judgeTarget(file: SourceFile, target: string, paths: ReadonlySet<string>): string | undefined {
  const from = roomOf(file.path);
  if (from === undefined) return undefined;
  const to = roomOf(target);
  if (to === undefined) {
    const isAllowed = isTest(file.path) || !/\.[cm]?[jt]s$/.test(target);
    return isAllowed ? undefined : `src must not import ${target}`;
  }
  if (from === to) return undefined;
  if (!(MAY_IMPORT[from] ?? []).includes(to)) return `${from} must not import ${to}`;
  const door = `src/${to}/${to}.ts`;
  if (OPEN_ROOMS.has(to) || target === door || SIDE_DOORS.has(target) || !paths.has(door)) return undefined;
  return `${from} enters ${to} by ${door}, not by ${target}`;
}

function judgePackage(
  file: SourceFile,
  specifier: string,
  dependencies: readonly string[],
): string | undefined {
  if (roomOf(file.path) === undefined || isTest(file.path) || specifier.startsWith('node:')) return undefined;
  if (specifier === 'slipstream' || specifier.startsWith('#')) return undefined;
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  const known = roomOf(file.path) === 'browser' ? [...dependencies, ...BROWSER_PACKAGES] : dependencies;
  return known.includes(name) ? undefined : `"${name}" is not one of the dependencies of package.json`;
}

export interface ImportRules {
  files: readonly SourceFile[];
  /** Names of the packages that an installed copy has. */
  dependencies: readonly string[];
}

/** Imports against the table of rooms. */
export function checkImports(rules: ImportRules): Complaint[] {
  const complaints: Complaint[] = [];
  const paths = new Set(rules.files.map((file) => file.path));
  for (const file of rules.files) {
    if (!isTypeScript(file.path)) continue;
    const room = roomOf(file.path);
    if (room !== undefined && MAY_IMPORT[room] === undefined) {
      complaints.push({ path: file.path, line: 1, rule: 'import', text: `src/${room} is no known room` });
    }
    for (const { specifier, target, line, isPlaceOnly } of importsOf(file)) {
      if (isPlaceOnly) continue;
      const text =
        target === undefined
          ? judgePackage(file, specifier, rules.dependencies)
          : judgeTarget(file, target, paths);
      if (text !== undefined) complaints.push({ path: file.path, line, rule: 'import', text });
    }
  }
  return complaints;
}

/** Files of src that no entry and no test reaches, and files that only their own test reaches. */
export function checkReach(files: readonly SourceFile[]): Complaint[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const queue = files.filter((file) => ENTRY.test(file.path) || !file.path.startsWith('src/'));
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (reached.has(file.path)) continue;
    reached.add(file.path);
    for (const { target } of importsOf(file)) {
      const next = target === undefined ? undefined : byPath.get(target);
      if (next !== undefined) queue.push(next);
    }
  }
  return files
    .filter((file) => file.path.startsWith('src/') && isTypeScript(file.path))
    .filter((file) => !reached.has(file.path) && !isTest(file.path))
    .map(({ path }) => ({ path, line: 1, rule: 'unused', text: 'no entry reaches this file' }));
}
