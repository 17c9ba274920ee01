// Starts a host in the background for programs that find none: its own process group, its own home below
// theirs, its log there. It says on descriptor 3 when it is there; two that start at once agree on one.

import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backgroundHome } from '../base/home-folder.ts';
import { messageOf } from '../base/host-error.ts';
import { sleepSync } from './join-channel.ts';

/** How long a program waits for the host that it started. */
const START_TIMEOUT_MS = 15_000;
const POLL_MS = 10;
const LOG_BYTES_MAX = 4_194_304;
const READ_BYTES = 4096;

/** From dist/*.cjs and from dist/src/client. */
const MAIN_PLACES = ['./src/process/background-host-main.js', '../process/background-host-main.js'];

/** What a host may need of the environment of whoever starts it; nothing that is meant for the program alone. */
const PASSED_ON = [
  /^(?:PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|XDG_\w+|SLIPSTREAM_TEST_HOST)$/,
  /^(?:SLIPSTREAM|HTTPSYS)_(?:CACHE_DURATION|REQUEST_QUEUE_LENGTH|BUFFER_SIZE|PENDING_READ_COUNT)$/,
];

/** What a host in the background says on descriptor 3: one line, then it closes it. */
export type BackgroundReport =
  | { kind: 'ready' }
  /** Another one is there, or about to be. */
  | { kind: 'taken' }
  | { kind: 'failed'; message: string };

function environment(home: string): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => PASSED_ON.some((known) => known.test(name)));
  return { ...Object.fromEntries(entries), SLIPSTREAM_HOME: home };
}

function openLog(home: string): number {
  const path = join(home, 'host.log');
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o600);
}

/** Starts one. @throws an error of the system when the folder or the process cannot be made */
function spawnHost(home: string): Socket {
  const places = MAIN_PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const main = places.find((path) => existsSync(path));
  if (main === undefined) throw new Error('this installation has no host');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const log = openLog(home);
  try {
    const { spawn } = process.getBuiltinModule('node:child_process');
    const child = spawn(process.execPath, [main], {
      cwd: home,
      env: environment(home),
      detached: true,
      windowsHide: true,
      stdio: ['ignore', log, log, 'pipe'],
    });
    child.on('error', () => {});
    child.unref();
    const pipe = child.stdio[3] as Socket;
    pipe.on('error', () => {});
    pipe.unref();
    return pipe;
  } finally {
    closeSync(log);
  }
}

/** What the host says, without waiting: null as long as it says nothing. */
function readReport(pipe: Socket, text: { read: string }): BackgroundReport | null {
  const { fd } = (pipe as unknown as { _handle: { fd: number } | null })._handle ?? { fd: -1 };
  if (fd < 0) return null;
  const chunk = Buffer.allocUnsafe(READ_BYTES);
  try {
    const length = readSync(fd, chunk, 0, READ_BYTES, null);
    if (length === 0) return { kind: 'failed', message: 'it ended at its start' };
    text.read += chunk.toString('utf8', 0, length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return { kind: 'failed', message: messageOf(error) };
  }
  const end = text.read.indexOf('\n');
  return end < 0 ? null : (JSON.parse(text.read.slice(0, end)) as BackgroundReport);
}

/** Starts a host and does not wait for it; a failure is in its log. */
export function launchBackgroundHost(programHome: string): void {
  try {
    spawnHost(backgroundHome(resolve(programHome))).resume();
  } catch {
    // Who asked looks for a host again and again.
  }
}

/**
 * Starts a host and waits until `find` finds one, this or another. `find` is called about every 10 ms.
 * Gives a sentence instead when there is none after 15 s, or the started one says why it cannot be.
 */
export function startBackgroundHost<Found>(programHome: string, find: () => Found | null): Found | string {
  const home = backgroundHome(resolve(programHome));
  const endMs = performance.now() + START_TIMEOUT_MS;
  const log = join(home, 'host.log');
  let pipe: Socket;
  try {
    pipe = spawnHost(home);
  } catch (error) {
    return messageOf(error);
  }
  const text = { read: '' };
  let report: BackgroundReport | null = null;
  try {
    while (performance.now() < endMs) {
      report ??= readReport(pipe, text);
      if (report?.kind === 'failed') return `${report.message} (log: ${log})`;
      const found = report === null ? null : find();
      if (found !== null) return found;
      sleepSync(POLL_MS);
    }
    return `it was not ready after ${START_TIMEOUT_MS} ms (log: ${log})`;
  } finally {
    pipe.destroy();
  }
}
