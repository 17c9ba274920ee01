// Which files of an app matter, and when they changed. A burst of changes is told once, when it is over.
// What is watched is bounded: ENTRIES_MAX files and folders an app; more are left out, and logged.

import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { watch as watchTree } from 'chokidar';
import { createGlob } from '../base/glob.ts';
import { messageOf } from '../base/host-error.ts';
import type { Stats } from 'node:fs';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';

/** Files and folders of one app that are watched. */
export const ENTRIES_MAX = 5000;
/** Folders below the app's that are watched. */
const DEPTH_MAX = 20;
/** A burst is over when nothing changed for this long … */
export const QUIET_MS = 100;
/** … or when it went on for this long. */
const BURST_MS = 1000;
/** Names of changed files that are told. */
const CHANGES_TOLD_MAX = 5;

/** Decides on paths relative to the app's folder, with "/". */
export interface FileFilter {
  /** A change of this file matters. */
  file(path: string): boolean;
  /** There may be files that matter in this folder. */
  folder(path: string): boolean;
}

interface Rule {
  takesIn: boolean;
  isFolder: boolean;
  fits: (path: string) => boolean;
}

function toRule(text: string): Rule {
  const takesIn = !text.startsWith('!');
  let glob = (takesIn ? text : text.slice(1)).replaceAll('\\', '/').replace(/^\.\//, '');
  const isFolder = glob.endsWith('/');
  glob = glob.replace(/\/+$/, '');
  // Without a slash a pattern holds at every depth; a leading one ties it to the app's folder.
  if (glob.startsWith('/')) glob = glob.slice(1);
  else if (!glob.includes('/')) glob = `**/${glob}`;
  return { takesIn, isFolder, fits: createGlob(glob) };
}

/** Makes a filter of `watchedFiles`. The last pattern that holds decides. */
export function createFileFilter(patterns: readonly string[]): FileFilter {
  const rules = patterns.filter((text) => text.trim() !== '').map((text) => toRule(text.trim()));
  const takesFoldersIn = rules.some((rule) => rule.takesIn && rule.isFolder);

  function isHidden(path: string): boolean {
    return path.split('/').some((name) => name === 'node_modules' || name.startsWith('.'));
  }
  /** What the rules for folders say about the folders that hold `path`, the nearest last. */
  function folderVerdict(path: string, isFile: boolean): boolean | undefined {
    const names = path.split('/');
    if (isFile) names.pop();
    let verdict: boolean | undefined;
    for (let depth = 1; depth <= names.length; depth++) {
      const folder = names.slice(0, depth).join('/');
      for (const rule of rules) {
        if (rule.isFolder && rule.fits(folder)) verdict = rule.takesIn;
      }
    }
    return verdict;
  }
  return {
    file(path) {
      const folders = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
      if (folders !== '' && isHidden(folders)) return false;
      const folder = folderVerdict(path, true);
      if (folder === false) return false;
      let verdict = folder ?? false;
      for (const rule of rules) {
        if (!rule.isFolder && rule.fits(path)) verdict = rule.takesIn;
      }
      return verdict;
    },
    folder(path) {
      if (path === '') return true;
      if (isHidden(path)) return false;
      // One below may be taken in again.
      return takesFoldersIn || folderVerdict(path, false) !== false;
    },
  };
}

export interface WatchOptions {
  folder: string;
  filter: FileFilter;
  clock: Clock;
  log: Log;
  /** How often the files are looked at; absent: the system tells of changes. */
  pollingMs?: number | undefined;
  /** Gets the relative paths of what changed: some of them when it is many. */
  onChange: (paths: string[]) => void;
}

export interface Watch {
  /** Resolves when every later change is seen. */
  ready: Promise<void>;
  close(): Promise<void>;
}

/** Collects the changes of a burst. */
class Burst {
  readonly #options: WatchOptions;
  #paths = new Set<string>();
  #quiet: Timer | undefined;
  #startedMs = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  add(path: string): void {
    const { clock } = this.#options;
    const now = clock.now();
    if (this.#quiet === undefined) this.#startedMs = now;
    else this.#quiet.stop();
    if (this.#paths.size < CHANGES_TOLD_MAX) this.#paths.add(path);
    const rest = Math.max(0, this.#startedMs + BURST_MS - now);
    this.#quiet = clock.after(Math.min(QUIET_MS, rest), () => {
      const paths = [...this.#paths];
      this.stop();
      this.#options.onChange(paths);
    });
  }

  stop(): void {
    this.#quiet?.stop();
    this.#quiet = undefined;
    this.#paths.clear();
  }
}

/** Watches the files of an app until it is closed. What cannot be watched is logged. */
export function watchFiles(options: WatchOptions): Watch {
  const { folder, filter, log } = options;
  const burst = new Burst(options);
  const seen = new Set<string>();
  let isCut = false;

  function relativePath(path: string): string {
    const inside = relative(folder, path);
    return sep === '\\' ? inside.replaceAll('\\', '/') : inside;
  }
  /** Counts what is taken, so that a huge folder cannot use up the machine's watches. */
  function isIgnored(path: string, stats?: Stats): boolean {
    const inside = relativePath(path);
    if (inside === '') return false;
    // Asked a second time with what it is.
    if (stats === undefined) return !filter.folder(inside) && !filter.file(inside);
    const matters = stats.isDirectory() ? filter.folder(inside) : stats.isFile() && filter.file(inside);
    if (!matters) return true;
    if (seen.has(inside)) return false;
    if (seen.size >= ENTRIES_MAX) {
      if (!isCut) log.warn('watch-cut', { folder, entriesMax: ENTRIES_MAX });
      isCut = true;
      return true;
    }
    seen.add(inside);
    return false;
  }

  const { pollingMs } = options;
  const polling = pollingMs === undefined ? {} : { usePolling: true, interval: pollingMs, binaryInterval: pollingMs };
  const watcher = watchTree(folder, { ignored: isIgnored, ignoreInitial: true, depth: DEPTH_MAX, ...polling });
  watcher.on('all', (event, path) => {
    const inside = relativePath(path);
    if (event === 'unlink' || event === 'unlinkDir') seen.delete(inside);
    if (event === 'addDir' || event === 'unlinkDir' || !filter.file(inside)) return;
    burst.add(inside);
  });
  let hasFailed = false;
  watcher.on('error', (error) => {
    // One for each file when the machine has no watches left.
    if (!hasFailed) log.warn('watch-failed', { folder, reason: messageOf(error) });
    hasFailed = true;
  });
  return {
    ready: new Promise((resolve) => watcher.once('ready', resolve)),
    async close() {
      burst.stop();
      await watcher.close();
    },
  };
}

/**
 * A digest of the files that matter (names, sizes, times) and of what is installed beside them. Two equal
 * ones mean that a start would meet the same files. Looks at {@link ENTRIES_MAX} entries at most.
 */
export async function stampOf(folder: string, filter: FileFilter): Promise<string> {
  const lines: string[] = [];
  let left = ENTRIES_MAX;
  async function add(path: string): Promise<void> {
    const found = await ifThere(stat(join(folder, path)));
    if (found !== undefined) lines.push(`${path}\0${found.size}\0${found.mtimeMs}\0${found.ino}`);
  }
  async function walk(inside: string, depth: number): Promise<void> {
    const entries = (await ifThere(readdir(join(folder, inside), { withFileTypes: true }))) ?? [];
    const files: string[] = [];
    for (const entry of entries) {
      if (left-- <= 0) return;
      const path = inside === '' ? entry.name : `${inside}/${entry.name}`;
      if (entry.isDirectory()) {
        if (depth < DEPTH_MAX && filter.folder(path)) await walk(path, depth + 1);
      } else if (filter.file(path)) files.push(path);
    }
    await Promise.all(files.map(add));
  }
  await walk('', 0);
  // An installed module mends a missing one, and nothing else here changes with it.
  await Promise.all(['package.json', 'node_modules', 'node_modules/.package-lock.json'].map(add));
  return createHash('sha256').update(lines.sort().join('\n')).digest('base64');
}

/** A file that goes while it is looked at, or that may not be read, counts as not there. */
async function ifThere<Value>(look: Promise<Value>): Promise<Value | undefined> {
  try {
    return await look;
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code === 'string') return undefined;
    throw error;
  }
}
