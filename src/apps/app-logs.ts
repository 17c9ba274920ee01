// What apps print: the last lines of each in memory, its log files, and those who follow along. Bounded in
// lines and characters for each app. Nobody who listens can hold up an app.

import { open } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { LogFiles, listLogFiles } from './log-files.ts';
import { FOLLOWERS_MAX, FOLLOW_WAIT_MS, linesAfter, type FollowedLines } from './log-follow.ts';
import { assert } from '../base/assert.ts';
import type { App } from './app-config.ts';
import type { FoundLogFile, LogFormat, LogStream } from './log-files.ts';
import type { Log } from '../base/log.ts';

/** Lines of an app that are kept in memory. */
export const LINES_MAX = 2000;
const CHARACTERS_MAX = 2_097_152;
/** Of each file on the disk that is shown. */
export const TAIL_BYTES_MAX = 262_144;

/** A line that a process printed, without its end. */
export interface PrintedLine {
  pid: number;
  stream: LogStream;
  line: string;
}

interface AppLog {
  lines: PrintedLine[];
  characters: number;
  /** Lines so far. */
  count: number;
  files: LogFiles | undefined;
  /** What the files were made from. */
  madeFrom: string;
  followers: Set<(line: PrintedLine) => void>;
}

/** Where the log files of an app are. `logsFolder` is that of the host. */
export function logFolderOf(app: App, logsFolder: string): string {
  const named = app.settings.logDirectory;
  // Another user could lead files of the host anywhere from a folder of its own.
  const { user, group } = app.settings;
  if (named === '' || user !== '' || group !== '') return join(logsFolder, ...app.name.split('/'));
  return isAbsolute(named) ? named : join(app.folder, named);
}

/** The logs of all apps of a host. */
export class AppLogs {
  readonly #logsFolder: string | undefined;
  readonly #log: Log;
  /** By group. */
  readonly #apps = new Map<string, AppLog>();

  /** Without `logsFolder` there are no files. */
  constructor(options: { logsFolder: string | undefined; log: Log }) {
    this.#logsFolder = options.logsFolder;
    this.#log = options.log;
  }

  write(app: App, printed: PrintedLine): void {
    const kept = this.#of(app);
    kept.lines.push(printed);
    kept.count += 1;
    kept.characters += printed.line.length;
    while (kept.lines.length > LINES_MAX || kept.characters > CHARACTERS_MAX) {
      kept.characters -= kept.lines.shift()!.line.length;
    }
    this.#filesOf(app, kept)?.write(printed.pid, printed.stream, printed.line);
    for (const follow of kept.followers) follow(printed);
  }

  /** The process is gone. */
  async closeProcess(app: App, pid: number): Promise<void> {
    await this.#apps.get(app.group)?.files?.closeProcess(pid);
  }

  /** The last lines, oldest first: from memory, or from the files when nothing was printed yet. */
  async tail(app: App, count: number): Promise<PrintedLine[]> {
    if (count <= 0) return [];
    const kept = this.#apps.get(app.group)?.lines ?? [];
    if (kept.length > 0 || this.#logsFolder === undefined) return kept.slice(-count);
    return tailOfFiles(logFolderOf(app, this.#logsFolder), count);
  }

  /** The app's log files, least recently changed first. */
  files(app: App): Promise<FoundLogFile[]> {
    return this.#logsFolder === undefined
      ? Promise.resolve([])
      : listLogFiles(logFolderOf(app, this.#logsFolder));
  }

  /** The end of a file that `files` named: at most TAIL_BYTES_MAX bytes. */
  read(app: App, name: string): Promise<string> {
    assert(this.#logsFolder !== undefined, 'a file was named');
    return endOf(join(logFolderOf(app, this.#logsFolder), name));
  }

  /** Calls for each line to come until the returned function is called. */
  follow(app: App, onLine: (line: PrintedLine) => void): () => void {
    const { followers } = this.#of(app);
    followers.add(onLine);
    return () => void followers.delete(onLine);
  }

  /**
   * The newest at most `max` lines from number `after` on, at once or when there are some, after FOLLOW_WAIT_MS at the
   * latest. `isFull`: too many wait already.
   */
  async linesAfter(app: App, after: number, max: number): Promise<FollowedLines & { isFull: boolean }> {
    const kept = this.#of(app);
    const look = (): FollowedLines => linesAfter({ lines: kept.lines, next: kept.count }, after, max);
    const found = look();
    const isNews = found.lines.length > 0 || found.missed > 0 || found.next !== after;
    const isFull = kept.followers.size >= FOLLOWERS_MAX;
    if (isNews || isFull) return { ...found, isFull };
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        leave();
        // Behind the turn: a burst of lines is one answer.
        setImmediate(resolve);
      };
      const leave = this.follow(app, end);
      const timer = setTimeout(end, FOLLOW_WAIT_MS).unref();
    });
    return { ...look(), isFull };
  }

  /** The app is gone. */
  forget(app: App): void {
    void this.#apps.get(app.group)?.files?.close();
    this.#apps.delete(app.group);
  }

  /** Writes everything to the disk. */
  async close(): Promise<void> {
    await Promise.all([...this.#apps.values()].map((kept) => kept.files?.close()));
  }

  #of(app: App): AppLog {
    let kept = this.#apps.get(app.group);
    if (kept === undefined) {
      kept = { lines: [], characters: 0, count: 0, files: undefined, madeFrom: '', followers: new Set() };
      this.#apps.set(app.group, kept);
    }
    return kept;
  }

  #filesOf(app: App, kept: AppLog): LogFiles | undefined {
    const { settings } = app;
    if (this.#logsFolder === undefined || !settings.loggingEnabled) return undefined;
    const folder = logFolderOf(app, this.#logsFolder);
    const limits = {
      fileBytesMax: settings.logFileBytesMax,
      totalBytesMax: settings.logTotalBytesMax,
      filesMax: settings.logFilesMax,
    };
    const madeFrom = JSON.stringify([folder, limits, settings.logFormat]);
    if (kept.files !== undefined && kept.madeFrom === madeFrom) return kept.files;
    // The settings changed: the old files are finished beside the new ones.
    void kept.files?.close();
    kept.madeFrom = madeFrom;
    const format = settings.logFormat as LogFormat;
    kept.files = new LogFiles({ folder, limits, format, log: this.#log.with({ app: app.name }) });
    return kept.files;
  }
}

async function tailOfFiles(folder: string, count: number): Promise<PrintedLine[]> {
  let lines: PrintedLine[] = [];
  for (const { name, pid, stream } of (await listLogFiles(folder)).reverse()) {
    const texts = (await endOf(join(folder, name))).split(/\r?\n/);
    if (texts.at(-1) === '') texts.pop();
    lines = [...texts.map((line) => ({ pid, stream, line })), ...lines].slice(-count);
    if (lines.length >= count) break;
  }
  return lines;
}

/** The end of a file, beginning with a whole line. */
async function endOf(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES_MAX);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    const text = buffer.toString('utf8', 0, bytesRead);
    return size > length ? text.slice(text.indexOf('\n') + 1) : text;
  } finally {
    await file.close();
  }
}
