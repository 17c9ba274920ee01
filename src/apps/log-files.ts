// The log files of one app: one a process and stream, named <machine>-<pid>-<stdout|stderr>-<epoch ms>.txt.
// Writing never waits and never throws: what cannot be written in time is dropped and counted in the file.
// Size, total size and number are bounded; only files with such a name of this machine are ever removed.

import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../base/host-error.ts';
import type { FileHandle } from 'node:fs/promises';
import type { Log } from '../base/log.ts';

/** Characters that may wait for the disk, for each file. */
export const WAITING_CHARACTERS_MAX = 4_194_304;

/** How many files, and how large. Sizes in bytes. */
export interface LogLimits {
  fileBytesMax: number;
  totalBytesMax: number;
  filesMax: number;
}

/** `text`: as printed. `crlf`: the same with CR LF. `time`: each line after its time. `json`: an object a line. */
export type LogFormat = 'text' | 'crlf' | 'time' | 'json';

export type LogStream = 'stdout' | 'stderr';

export interface LogFilesOptions {
  /** Absolute; made when the first line comes. */
  folder: string;
  limits: LogLimits;
  format: LogFormat;
  log: Log;
  /** Default: this machine's name. */
  machine?: string;
  /** Wall clock, ms. */
  now?: () => number;
}

/** A line as it stands in a file. */
export function formatLine(format: LogFormat, line: string, at: { timeMs: number; pid: number }): string {
  switch (format) {
    case 'text':
      return `${line}\n`;
    case 'crlf':
      return `${line}\r\n`;
    case 'time':
      return `${new Date(at.timeMs).toISOString()} ${line}\n`;
    case 'json':
      return `${JSON.stringify({ time: new Date(at.timeMs).toISOString(), pid: at.pid, line })}\n`;
  }
}

/** A log file as found in a folder. */
export interface FoundLogFile {
  name: string;
  machine: string;
  pid: number;
  stream: LogStream;
  createdMs: number;
  bytes: number;
  changedMs: number;
}

const NAME = /^(.+)-(\d{1,10})-(stdout|stderr)-(\d{1,16})\.txt$/;

/** The log files of `machine` in `folder`, least recently changed first. A folder that is not there is empty. */
export async function listLogFiles(folder: string, machine: string = machineName()): Promise<FoundLogFile[]> {
  const found: FoundLogFile[] = [];
  for (const name of await namesIn(folder)) {
    const match = NAME.exec(name);
    if (match === null || match[1] !== machine) continue;
    const stats = await ifThere(stat(join(folder, name)));
    if (stats === undefined || !stats.isFile()) continue;
    const stream = match[3] as LogStream;
    const [pid, createdMs] = [Number(match[2]), Number(match[4])];
    found.push({ name, machine, pid, stream, createdMs, bytes: stats.size, changedMs: stats.mtimeMs });
  }
  return found.sort((left, right) => left.changedMs - right.changedMs || left.createdMs - right.createdMs);
}

/** This machine, as it stands in names of files. */
export function machineName(): string {
  return hostname().replace(/[^\w.-]/g, '_') || 'localhost';
}

async function namesIn(folder: string): Promise<string[]> {
  return (await ifThere(readdir(folder))) ?? [];
}

async function ifThere<Value>(look: Promise<Value>): Promise<Value | undefined> {
  try {
    return await look;
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code === 'string') return undefined;
    throw error;
  }
}

/** One stream of one process. */
class LogFile {
  readonly #owner: LogFiles;
  readonly #pid: number;
  readonly #stream: LogStream;
  #waiting: string[] = [];
  #waitingCharacters = 0;
  #dropped = 0;
  #handle: FileHandle | undefined;
  #bytes = 0;
  /** Settles when all that waits is written. */
  #writing: Promise<void> | undefined;

  /** Name of the file that is open. */
  name: string | undefined;

  constructor(owner: LogFiles, pid: number, stream: LogStream) {
    this.#owner = owner;
    this.#pid = pid;
    this.#stream = stream;
  }

  push(text: string): void {
    if (this.#waitingCharacters + text.length > WAITING_CHARACTERS_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(text);
    this.#waitingCharacters += text.length;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.#closeHandle();
  }

  async #writeAll(): Promise<void> {
    // Behind the turn: a burst of lines is one write.
    await Promise.resolve();
    try {
      while (this.#waiting.length > 0) await this.#writeSome();
    } catch (error) {
      this.#owner.failed(error);
      this.#waiting = [];
      this.#waitingCharacters = 0;
      await this.#closeHandle();
    }
  }

  async #writeSome(): Promise<void> {
    const { fileBytesMax } = this.#owner.limits;
    if (this.#handle !== undefined && this.#bytes > fileBytesMax) await this.#closeHandle();
    this.#handle ??= await this.#open();
    // At most a file's worth at once, or a burst would make one file as large as itself.
    let characters = 0;
    let count = 0;
    while (count < this.#waiting.length && characters <= fileBytesMax) {
      characters += this.#waiting[count]!.length;
      count += 1;
    }
    const texts = this.#waiting.splice(0, count);
    this.#waitingCharacters -= characters;
    if (this.#dropped > 0) {
      texts.push(this.#owner.line(this.#pid, `[slipstream: ${this.#dropped} lines dropped, the disk was too slow]`));
      this.#dropped = 0;
    }
    const bytes = Buffer.from(texts.join(''));
    await this.#handle.appendFile(bytes);
    this.#bytes += bytes.length;
  }

  async #open(): Promise<FileHandle> {
    this.#bytes = 0;
    const { handle, name } = await this.#owner.create(this.#pid, this.#stream);
    this.name = name;
    return handle;
  }

  async #closeHandle(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    this.name = undefined;
    try {
      await handle?.close();
    } catch (error) {
      this.#owner.failed(error);
    }
  }
}

/** See the head of this file. */
export class LogFiles {
  readonly #options: LogFilesOptions;
  readonly #files = new Map<string, LogFile>();
  #pruning: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(options: LogFilesOptions) {
    this.#options = options;
  }

  get limits(): LogLimits {
    return this.#options.limits;
  }

  /** Takes a line without its end. */
  write(pid: number, stream: LogStream, line: string): void {
    const key = `${pid} ${stream}`;
    let file = this.#files.get(key);
    if (file === undefined) this.#files.set(key, (file = new LogFile(this, pid, stream)));
    file.push(this.line(pid, line));
  }

  /** The process is gone: its files are written to their ends and closed. */
  async closeProcess(pid: number): Promise<void> {
    await Promise.all(
      (['stdout', 'stderr'] as const).map(async (stream) => {
        const key = `${pid} ${stream}`;
        const file = this.#files.get(key);
        this.#files.delete(key);
        await file?.close();
      }),
    );
  }

  /** Writes everything and closes. */
  async close(): Promise<void> {
    const files = [...this.#files.values()];
    this.#files.clear();
    await Promise.all(files.map((file) => file.close()));
    await this.#pruning;
  }

  /** A line in the format of these files. */
  line(pid: number, line: string): string {
    return formatLine(this.#options.format, line, { timeMs: this.#now(), pid });
  }

  /** Said once: an app that prints much would fill the host's log with it. */
  failed(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.log.warn('log-files-failed', { folder: this.#options.folder, reason: messageOf(error) });
  }

  /** Makes a new file. */
  async create(pid: number, stream: LogStream): Promise<{ handle: FileHandle; name: string }> {
    const { folder, machine = machineName() } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (let timeMs = Math.floor(this.#now()); ; timeMs++) {
      const name = `${machine}-${pid}-${stream}-${timeMs}.txt`;
      try {
        const handle = await open(join(folder, name), 'ax', 0o600);
        this.#pruning = this.#pruning.then(() => this.#prune());
        return { handle, name };
      } catch (error) {
        // Two files may begin in the same millisecond.
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  /** Removes the oldest files until the limits hold; those being written stay. */
  async #prune(): Promise<void> {
    const { folder, limits, machine } = this.#options;
    try {
      const found = await listLogFiles(folder, machine);
      let bytes = found.reduce((sum, file) => sum + file.bytes, 0);
      let count = found.length;
      const open = new Set([...this.#files.values()].map((file) => file.name));
      for (const file of found) {
        if (bytes <= limits.totalBytesMax && count <= limits.filesMax) return;
        if (open.has(file.name)) continue;
        await rm(join(folder, file.name), { force: true });
        bytes -= file.bytes;
        count -= 1;
      }
    } catch (error) {
      this.failed(error);
    }
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }
}
