// Which folders are apps. Found without configuration: a package.json that says what to run, or a file
// with one of a few names. Folders in an app are not searched, so that its libraries do not become apps.

import { closeSync, openSync, readFileSync, readSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, isAbsolute, join, posix, relative, sep } from 'node:path';
import { settingsAt } from './app-config.ts';
import { parseCommandScript, parseStartScript, withoutHostFlags } from './start-script.ts';
import { messageOf } from '../base/host-error.ts';
import type { App, AppSettings, AppSettingsSource, FolderSettings } from './app-config.ts';
import type { CommandScript, StartScript } from './start-script.ts';
import type { Log } from '../base/log.ts';

/** Folders below the root that are searched: a/b/c/d/e/f. */
export const DEPTH_MAX = 6;
/** Entries of folders that one search looks at. */
export const ENTRIES_MAX = 10_000;
const PACKAGE_BYTES_MAX = 1_048_576;

const ENTRY_STEMS = ['server', 'app', 'index', 'main'];
const ENTRY_ENDINGS = ['.js', '.mjs', '.cjs', '.ts', '.mts'];
const ENTRY_NAMES = ENTRY_STEMS.flatMap((stem) => ENTRY_ENDINGS.map((ending) => stem + ending));

/** The settings of a folder's own files, where the host reads such files. */
function ofFolder(source: AppSettingsSource, folder: string, path: string): FolderSettings | undefined {
  return source.ofFolder?.(folder, path);
}

/** The file that settings name; '' when they name none. */
function namedEntry(source: AppSettingsSource, path: string, own: FolderSettings | undefined): string {
  const overrides = Object.hasOwn(source.overrides, path) ? source.overrides[path]! : {};
  return overrides.entry ?? own?.settings.entry ?? own?.entry ?? '';
}

/** How a folder is run. */
export interface Program {
  entry: string;
  nodeFlags: readonly string[];
  args: readonly string[];
  scriptEnv: Readonly<Record<string, string>>;
  problem: string | undefined;
  usesTsx?: true;
}

export type Verdict =
  | { kind: 'app'; program: Program }
  /** It says what to run, but that file is not there. An app only if no folder below is one. */
  | { kind: 'incomplete'; program: Program }
  | { kind: 'none' };

interface PackageFile {
  main?: string;
  start?: string;
  problem?: string;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Runs `look` on a disk that may deny it; then there is nothing. */
function ifReadable<Value>(look: () => Value): Value | undefined {
  try {
    return look();
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code === 'string') return undefined;
    throw error;
  }
}

function readPackage(folder: string): PackageFile {
  const path = join(folder, 'package.json');
  const size = ifReadable(() => statSync(path, { throwIfNoEntry: false }))?.size;
  if (size === undefined) return {};
  if (size > PACKAGE_BYTES_MAX) {
    return { problem: `its package.json has more than ${PACKAGE_BYTES_MAX} bytes` };
  }
  const text = ifReadable(() => readFileSync(path, 'utf8'));
  if (text === undefined) return { problem: 'its package.json cannot be read' };
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    return { problem: `its package.json is not valid JSON: ${messageOf(error).slice(0, 200)}` };
  }
  if (typeof content !== 'object' || content === null) {
    return { problem: 'its package.json is not a JSON object' };
  }
  const { main, scripts } = content as { main?: unknown; scripts?: { start?: unknown } | null };
  const start = typeof scripts === 'object' ? scripts?.start : undefined;
  const found: PackageFile = {};
  if (typeof main === 'string' && main.trim() !== '') found.main = main;
  if (typeof start === 'string') found.start = start;
  return found;
}

/** The path of `file` as node takes it, relative to its folder; undefined when it leads out of the folder. */
function insideFolder(file: string): string | undefined {
  const slashes = sep === '\\' ? file.replaceAll('\\', '/') : file;
  if (isAbsolute(file) || posix.isAbsolute(slashes) || slashes.includes('\0')) return undefined;
  const path = posix.normalize(slashes).replace(/\/$/, '');
  return path === '..' || path.startsWith('../') ? undefined : path;
}

/** Resolves a file as node does: as it is, with an ending, as a folder with an index. */
function resolveFile(folder: string, file: string): string | undefined {
  const path = insideFolder(file);
  if (path === undefined || path === '.') return undefined;
  const candidates = [path, `${path}.js`, posix.join(path, 'index.js')];
  return candidates.find((candidate) => ifReadable(() => isFile(join(folder, candidate))) === true);
}

function programOf(entry: string, script?: StartScript, problem?: string): Program {
  return {
    entry,
    nodeFlags: withoutHostFlags(script?.flags ?? []),
    args: script?.args ?? [],
    scriptEnv: script?.env ?? {},
    problem,
    ...(script?.usesTsx && { usesTsx: true }),
  };
}

/** The first bytes of a file. */
function beginningOf(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(64);
    return bytes.toString('latin1', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

/** The JavaScript file of a command in the folder's own packages, relative to the folder. */
function resolveCommand(folder: string, command: string): string | undefined {
  const link = join(folder, 'node_modules', '.bin', command);
  return ifReadable(() => {
    const path = realpathSync(link);
    if (!/\.[cm]?js$/.test(path) && !/^#!.*\bnode\b/.test(beginningOf(path))) return undefined;
    return insideFolder(relative(realpathSync(folder), path));
  });
}

/** What becomes of a start script that runs no file, in a folder without a file to run. */
function commandVerdict(folder: string, start: string): Verdict {
  const script: CommandScript | undefined = parseCommandScript(start);
  if (script === undefined) {
    const problem = 'its start script needs a shell; name the file to run by "main", or "entry" in slipstream.yml';
    return { kind: 'incomplete', program: programOf('package.json', undefined, problem) };
  }
  const { command, ...rest } = script;
  const file = resolveCommand(folder, command) ?? '';
  const program = { ...rest, flags: [], file };
  if (file !== '') return { kind: 'app', program: programOf(file, program) };
  const problem = `its start script runs "${command}", which is not in its node_modules; is it installed?`;
  return { kind: 'incomplete', program: programOf(`node_modules/.bin/${command}`, program, problem) };
}

/** What runs the file that the settings of a folder name. */
function programNamed(folder: string, named: string): Program {
  const entry = resolveFile(folder, named);
  if (entry !== undefined) return programOf(entry);
  const problem = `its settings name ${JSON.stringify(named)}, which is no file in its folder`;
  return programOf(insideFolder(named) ?? '.', undefined, problem);
}

/**
 * Whether a folder is an app, and what it runs: the file of a start script, else `main`, else a file with
 * a known name, else the command of a start script. `names` are the entries of the folder; `named` is the
 * file that its settings name.
 * Never throws for what is on the disk.
 */
export function inspectFolder(folder: string, names: readonly string[], named?: string): Verdict {
  const verdict = verdictOn(folder, names, named);
  const mayNeedTsx = verdict.kind !== 'none' && names.includes('tsconfig.json')
    && /\.[cm]?tsx?$/.test(verdict.program.entry);
  if (!mayNeedTsx || !hasOldDecorators(folder)) return verdict;
  return { ...verdict, program: { ...verdict.program, usesTsx: true } };
}

/** Such decorators need a compiler: Node alone takes types away and nothing else. */
function hasOldDecorators(folder: string): boolean {
  const text = ifReadable(() => readFileSync(join(folder, 'tsconfig.json'), 'utf8')) ?? '';
  return /^[^/\n]*"experimentalDecorators"\s*:\s*true/m.test(text);
}

function verdictOn(folder: string, names: readonly string[], named?: string): Verdict {
  if (named !== undefined && named !== '') return { kind: 'app', program: programNamed(folder, named) };
  const content: PackageFile = names.includes('package.json') ? readPackage(folder) : {};
  const script = content.start === undefined ? undefined : parseStartScript(content.start);
  const main = content.main === undefined ? undefined : resolveFile(folder, content.main);
  const known = ENTRY_NAMES.find(
    (name) => names.includes(name) && ifReadable(() => isFile(join(folder, name))) === true,
  );
  if (script !== undefined) {
    const isFolder = insideFolder(script.file) === '.';
    const entry = isFolder ? (main ?? known) : resolveFile(folder, script.file);
    if (entry !== undefined) return { kind: 'app', program: programOf(entry, script) };
  }
  const entry = main ?? known;
  if (entry !== undefined) {
    return { kind: 'app', program: programOf(entry, undefined, content.problem) };
  }
  if (script === undefined && content.start !== undefined && content.start.trim() !== '') {
    const verdict = commandVerdict(folder, content.start);
    if (verdict.kind === 'app' || content.main === undefined) return verdict;
  }
  const absent = insideFolder(script?.file ?? content.main ?? '.');
  if (absent === undefined || absent === '.') return { kind: 'none' };
  const hint = /^(?:dist|build|out|\.next|\.output)\//.test(absent) ? '; is it built?' : '';
  const problem = `its package.json names ${JSON.stringify(absent)}, which does not exist${hint}`;
  return { kind: 'incomplete', program: programOf(absent, script, problem) };
}

/** Encodes what cannot stand in a path of a URL; what browsers send as it is stays as it is. */
function encodeSegment(name: string): string {
  return encodeURIComponent(name.replace(/\p{Surrogate}/gu, '\uFFFD')).replace(
    /%(?:40|3A|24|26|2B|2C|3B|3D)/g,
    (encoded) => decodeURIComponent(encoded),
  );
}

/** One search. Counts what it looks at. */
interface Search {
  root: string;
  source: AppSettingsSource;
  log: Log;
  apps: App[];
  entriesLeft: number;
  isCut: boolean;
}

function pathOf(folders: readonly string[]): string {
  return folders.length === 0 ? '/' : `/${folders.map(encodeSegment).join('/')}/`;
}

function makeApp(search: Pick<Search, 'root' | 'source'>, folders: string[], program: Program): App {
  const path = pathOf(folders);
  const own = ofFolder(search.source, join(search.root, ...folders), path);
  return {
    name: folders.length === 0 ? basename(search.root) || 'root' : folders.join('/'),
    path,
    folder: join(search.root, ...folders),
    group: `app:${path}`,
    settings: settingsAt(search.source, path, own),
    ...program,
  };
}

/** One of several scripts of a folder. */
function makeScriptApp(search: Pick<Search, 'root' | 'source'>, folders: string[], entry: string): App {
  const whole = makeApp(search, folders, programNamed(join(search.root, ...folders), entry));
  const path = `${whole.path}${entry.split('/').map(encodeSegment).join('/')}/`;
  return {
    ...whole,
    name: folders.length === 0 ? entry : `${whole.name}/${entry}`,
    path,
    group: `app:${path}`,
    settings: scriptSettings(search.source, path, ofFolder(search.source, whole.folder, whole.path), entry),
    folderPath: whole.path,
  };
}

function scriptSettings(
  source: AppSettingsSource,
  path: string,
  own: FolderSettings | undefined,
  entry: string,
): AppSettings {
  const settings = own?.scripts?.find((script) => script.entry === entry)?.settings;
  return settingsAt(source, path, settings === undefined ? own : { settings });
}

/** The path of the folder that the app is in. */
export function sitePath({ path, folderPath }: Pick<App, 'path' | 'folderPath'>): string {
  return folderPath ?? path;
}

/** `above`: real paths of the folder and those above it; a link back to one of them would never end. */
async function searchFolder(search: Search, folders: string[], above: readonly string[]): Promise<void> {
  const folder = join(search.root, ...folders);
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    search.log.debug('folder-unreadable', { folder, reason: messageOf(error) });
    return;
  }
  const own = ofFolder(search.source, folder, pathOf(folders));
  const named = namedEntry(search.source, pathOf(folders), own);
  if (own?.scripts !== undefined) {
    if (named !== '') search.apps.push(makeApp(search, folders, programNamed(folder, named)));
    for (const { entry } of own.scripts) search.apps.push(makeScriptApp(search, folders, entry));
    return;
  }
  const verdict = inspectFolder(folder, names, named);
  if (verdict.kind === 'app') {
    search.apps.push(makeApp(search, folders, verdict.program));
    return;
  }
  const before = search.apps.length;
  if (folders.length < DEPTH_MAX) {
    for (const name of names.toSorted()) {
      if (name === 'node_modules' || name.startsWith('.')) continue;
      search.entriesLeft -= 1;
      if (search.entriesLeft < 0) {
        search.isCut = true;
        break;
      }
      const path = join(folder, name);
      if (ifReadable(() => statSync(path, { throwIfNoEntry: false }))?.isDirectory() !== true) continue;
      const real = ifReadable(() => realpathSync(path));
      if (real === undefined || above.includes(real)) continue;
      await searchFolder(search, [...folders, name], [...above, real]);
    }
  }
  if (verdict.kind === 'incomplete' && search.apps.length === before) {
    search.apps.push(makeApp(search, folders, verdict.program));
  }
}

/** Folders of which the host's file says what they run are apps wherever they are, in an app too. */
function addNamedApps(search: Search): void {
  const found = new Set(search.apps.map((app) => app.path));
  for (const [path, { entry = '' }] of Object.entries(search.source.overrides)) {
    const folders = entry === '' || found.has(path) ? undefined : foldersOf(path);
    if (folders === undefined || pathOf(folders) !== path) continue;
    const folder = join(search.root, ...folders);
    if (ifReadable(() => statSync(folder, { throwIfNoEntry: false }))?.isDirectory() !== true) continue;
    search.apps.push(makeApp(search, folders, programNamed(folder, entry)));
  }
}

/** Names of the folders that a path stands for; undefined for one that no folder below the root can have. */
function foldersOf(path: string): string[] | undefined {
  try {
    const folders = path.split('/').filter((segment) => segment !== '').map(decodeURIComponent);
    return folders.some((name) => /^\.{1,2}$|[/\\\0]/.test(name)) ? undefined : folders;
  } catch {
    // Percent signs that encode nothing.
    return undefined;
  }
}

/**
 * All apps below `root`, which may be one itself, in the order of their paths. Looks at
 * {@link DEPTH_MAX} levels and `entriesMax` entries at most; a search that is cut is logged.
 */
export async function discoverApps(
  root: string,
  source: AppSettingsSource,
  log: Log,
  entriesMax: number = ENTRIES_MAX,
): Promise<App[]> {
  const search: Search = { root, source, log, apps: [], entriesLeft: entriesMax, isCut: false };
  const real = ifReadable(() => realpathSync(root));
  if (real === undefined) return [];
  await searchFolder(search, [], [real]);
  if (search.isCut) log.warn('discovery-cut', { root, entriesMax });
  addNamedApps(search);
  return search.apps.sort((left, right) => (left.path < right.path ? -1 : 1));
}

/**
 * Looks at the folder of a known app again: what to run may have changed since. Undefined when it is no
 * app any more.
 */
export function rediscoverApp(app: App, source: AppSettingsSource): App | undefined {
  const names = ifReadable(() => readdirSync(app.folder));
  if (names === undefined) return undefined;
  const own = ofFolder(source, app.folder, sitePath(app));
  if (app.folderPath !== undefined) {
    if (own?.scripts?.some(({ entry }) => entry === app.entry) !== true) return undefined;
    const settings = scriptSettings(source, app.path, own, app.entry);
    return { ...app, settings, ...programNamed(app.folder, app.entry) };
  }
  if (own?.scripts !== undefined && namedEntry(source, app.path, own) === '') return undefined;
  const verdict = inspectFolder(app.folder, names, namedEntry(source, app.path, own));
  if (verdict.kind === 'none') return undefined;
  return { ...app, settings: settingsAt(source, app.path, own), ...verdict.program };
}

/** True when both are started in the same way and found at the same URLs. */
export function isSameApp(left: App, right: App): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
