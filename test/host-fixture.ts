// Starts the real program as its users do, in folders of its own, and makes sure that nothing of it stays:
// stop() fails when a process lives on or a socket file is left.

import { assert } from '../src/base/assert.ts';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { descendantsOf, killProcess, processesMarked } from '../scripts/process-list.ts';

const READY_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 15_000;
/** After an orderly stop nothing may be left; only the kernel may need a moment. */
const LEFT_AFTER_STOP_MS = 1000;
/** After a host that was killed: apps end by themselves in 5 s, a debuggee and its session proxy in 30 s. */
const LEFT_AFTER_KILL_MS = 35_000;
/** After one that took the place of a killed host: the fronts of that may still be about to go. */
const LEFT_BY_FORMER_MS = 6000;
const OUTPUT_CHARACTERS_MAX = 1_000_000;

const HERE = import.meta.url;
const CLI_PLACE = HERE.endsWith('.ts') ? '../dist/src/cli/main.js' : '../src/cli/main.js';
const CLI = fileURLToPath(new URL(CLI_PLACE, HERE));

export interface HostOptions {
  /** Apps to make in a new root: path -> content. Packages of the checkout can be imported there. */
  files?: Readonly<Record<string, string>>;
  /** A root that exists already; it is left alone. */
  root?: string;
  /** A host that was killed: this one starts in its place, with its root, home and port, and owns what it left. */
  successorOf?: RunningHost;
  /** A configuration file, relative to the root. */
  config?: string;
  /** It listens where its configuration file says, which edits may change. */
  listensByFile?: boolean;
  /** Its main.js; default that of the checkout. */
  program?: string;
  /** More words for `slipstream serve`. Without a `--listen` it listens on a free port of 127.0.0.1. */
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** The SLIPSTREAM_HOME of another host. */
  home?: string;
  /** A bound socket that it gets as from systemd. Not on Windows. */
  socket?: number;
  /** A group of cgroup v2 that it runs in, as a service does. */
  group?: string;
}

export interface HostedProcess {
  pid: number;
  role: 'front' | 'session' | 'app' | 'other';
  command: string;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface RunningHost {
  /** The first origin of the ready line, with a slash at its end. */
  url: string;
  port: number;
  pid: number;
  root: string;
  /** Its SLIPSTREAM_HOME. */
  home: string;
  /** Its folder for sockets. */
  runFolder: string;
  /** Marks what it started. */
  id: string;
  /** stdout and stderr so far. */
  output(): string;
  /** The first line that matches, now or later. Rejects when the host ends before. */
  line(pattern: RegExp): Promise<string>;
  /** What the host started and lives: fronts, apps, session proxies. */
  processes(): HostedProcess[];
  /** Settles when the host has ended. */
  exited: Promise<Exit>;
  /** Ends the host (SIGTERM unless it ended already), fails if anything of it is left; may be repeated. */
  stop(): Promise<Exit>;
}

/** A Node module folder above this file, so that apps in a temporary folder find the packages. */
function nodeModules(): string | undefined {
  let folder = dirname(fileURLToPath(HERE));
  for (;;) {
    const candidate = join(folder, 'node_modules');
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return undefined;
    folder = dirname(folder);
  }
}

function makeRoot(place: string, files: Readonly<Record<string, string>>): string {
  const root = join(place, 'root');
  mkdirSync(root);
  const modules = nodeModules();
  if (modules !== undefined) symlinkSync(modules, join(place, 'node_modules'), 'junction');
  for (const [path, content] of Object.entries(files)) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return root;
}

function roleOf(command: string, environment: readonly string[]): HostedProcess['role'] {
  if (/\bfront-main\.[jt]s\b|^slipstream front/.test(command)) return 'front';
  if (/\bsession-main\.[jt]s\b|^slipstream session/.test(command)) return 'session';
  const isApp = environment.some((entry) => entry.startsWith('SLIPSTREAM_APP='));
  return isApp && /(?:^|\/)node[^/ ]* /.test(command) ? 'app' : 'other';
}

/** What a program printed so far, and the lines to come. */
class Output {
  text = '';
  #waiting = new Set<() => void>();

  constructor(child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.text = (this.text + text).slice(-OUTPUT_CHARACTERS_MAX);
        for (const look of this.#waiting) look();
      });
    }
  }

  async line(pattern: RegExp, ended: Promise<unknown>): Promise<string> {
    const { promise, resolve } = deferred<string>();
    const look = (): void => {
      const found = this.text.split('\n').slice(0, -1).find((line) => pattern.test(line));
      if (found !== undefined) resolve(found);
    };
    this.#waiting.add(look);
    look();
    try {
      const failed = ended.then(() => {
        look();
        throw new Error(`ended before it printed ${pattern}:\n${this.text}`);
      });
      return await Promise.race([promise, failed]);
    } finally {
      this.#waiting.delete(look);
    }
  }
}

function deferred<Value>(): { promise: Promise<Value>; resolve: (value: Value) => void } {
  let resolve!: (value: Value) => void;
  const promise = new Promise<Value>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** Rejects with `what` unless `promise` settles in time. */
async function within<Value>(promise: Promise<Value>, timeoutMs: number, what: () => string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${timeoutMs} ms: ${what()}`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  // `exit`, not `close`: what the host started may live on and hold the pipe.
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}

/** Hosts that run: root -> its stop(). */
const stopByRoot = new Map<string, () => Promise<Exit>>();

/** Removes `folder` after the test; hosts whose roots are in it are stopped before, since they write there. */
export function removedAfter(t: TestContext, folder: string): void {
  t.after(async () => {
    const stops = [...stopByRoot].filter(([root]) => root === folder || root.startsWith(folder + sep));
    try {
      await Promise.all(stops.map(async ([, stop]) => await stop()));
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    }
  });
}

/** Mark of a host -> its folder. */
const running = new Map<string, string>();
process.on('exit', () => {
  // A test file that is aborted must leave nothing either.
  for (const [mark, place] of running) {
    for (const { pid } of processesMarked(mark)) killProcess(pid);
    rmSync(place, { recursive: true, force: true });
  }
});
// The runner ends a file that takes too long by SIGTERM; by default that skips the `exit` event.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));

/** Waits until no process carries `mark`; kills what is left after `timeoutMs` and says what it was. */
async function endOfMarked(mark: string, timeoutMs: number): Promise<string[]> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const left = processesMarked(mark);
    if (left.length === 0) return [];
    if (performance.now() > endMs) {
      for (const { pid } of left) killProcess(pid);
      return left.map(({ pid, command }) => `${pid} ${command}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function socketFiles(home: string): string[] {
  if (!existsSync(home)) return [];
  const entries = readdirSync(home, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isSocket()).map((entry) => entry.name);
}

function spawnHost(words: readonly string[], env: NodeJS.ProcessEnv, socket: number | undefined): ChildProcess {
  if (socket === undefined) return spawn(process.execPath, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  // Only the process itself knows its pid beforehand.
  const started = ['-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', 'sh', process.execPath, ...words];
  return spawn('/bin/sh', started, { env, stdio: ['ignore', 'pipe', 'pipe', socket] });
}

/** Starts a host and waits until requests are answered. Always stop() it. */
export async function startHost(options: HostOptions = {}): Promise<RunningHost> {
  assert(existsSync(CLI), `build first: ${CLI} is missing`);
  const { successorOf: former } = options;
  const place = former === undefined ? mkdtempSync(join(tmpdir(), 'slipstream-test-')) : dirname(former.home);
  const root = options.root ?? former?.root ?? makeRoot(place, options.files ?? {});
  const home = options.home ?? join(place, 'home');
  const id = former?.id ?? randomUUID();
  const mark = `SLIPSTREAM_TEST_HOST=${id}`;
  const args = [...(options.args ?? [])];
  const listen = `http://127.0.0.1:${former?.port ?? 0}`;
  if (options.listensByFile !== true && !args.includes('--listen')) args.push('--listen', listen);
  if (options.config !== undefined) args.push('--config', join(root, options.config));
  const env = { ...process.env, ...options.env, SLIPSTREAM_HOME: home, SLIPSTREAM_TEST_HOST: id };
  // The marks of the runner would make an app that loads node:test believe that it is a test.
  delete (env as NodeJS.ProcessEnv)['NODE_TEST_CONTEXT'];
  running.set(mark, place);
  const words = [options.program ?? CLI, 'serve', root, ...args];
  const child = spawnHost(words, env, options.socket);
  if (options.group !== undefined) writeFileSync(join(options.group, 'cgroup.procs'), String(child.pid));
  const output = new Output(child);
  const exited = exitOf(child);

  let stopping: Promise<Exit> | undefined;
  async function end(): Promise<Exit> {
    child.kill('SIGTERM');
    try {
      const exit = await within(exited, STOP_TIMEOUT_MS, () => `the end of the host:\n${output.text}`);
      const isKilled = exit.signal === 'SIGKILL';
      const afterStopMs = former === undefined ? LEFT_AFTER_STOP_MS : LEFT_BY_FORMER_MS;
      const left = await endOfMarked(mark, isKilled ? LEFT_AFTER_KILL_MS : afterStopMs);
      const sockets = isKilled ? [] : socketFiles(options.home === undefined ? home : join(home, `run-${child.pid}`));
      if (left.length > 0) throw new Error(`processes left:\n${left.join('\n')}\n${output.text}`);
      if (sockets.length > 0) throw new Error(`socket files left: ${sockets.join(', ')}`);
      return exit;
    } finally {
      await endOfMarked(mark, 0);
      running.delete(mark);
      if (stopByRoot.get(root) === stop) stopByRoot.delete(root);
      rmSync(place, { recursive: true, force: true });
    }
  }

  const stop = (): Promise<Exit> => (stopping ??= end());
  stopByRoot.set(root, stop);
  try {
    const ready = output.line(/^slipstream ready on http/, exited);
    const line = await within(ready, READY_TIMEOUT_MS, () => `the ready line:\n${output.text}`);
    const url = new URL(/http:\/\/\S+/.exec(line)![0]);
    assert(child.pid !== undefined, 'a process that printed has a pid');
    const pid = child.pid;
    return {
      url: url.href,
      port: Number(url.port),
      pid,
      root,
      home,
      runFolder: join(home, `run-${pid}`),
      id,
      output: () => output.text,
      line: (pattern) => output.line(pattern, exited),
      processes: () => processesOf(pid, mark),
      exited,
      stop,
    };
  } catch (error) {
    await endOfMarked(mark, 0);
    await stop();
    throw error;
  }
}

function processesOf(hostPid: number, mark: string): HostedProcess[] {
  const entries = new Map(descendantsOf(hostPid).map((entry) => [entry.pid, entry]));
  // A killed host's children belong to init; the mark finds them still.
  for (const entry of processesMarked(mark)) if (entry.pid !== hostPid) entries.set(entry.pid, entry);
  return [...entries.values()].map(({ pid, command, environment }) => ({
    pid,
    command,
    role: roleOf(command, environment),
  }));
}

export interface CliResult extends Exit {
  stdout: string;
  stderr: string;
}

/** Starts the command line program against the host that has `home`; for verbs that go on. */
export function startCli(args: readonly string[], home: string): ChildProcess {
  const env = { ...process.env, SLIPSTREAM_HOME: home };
  return spawn(process.execPath, [CLI, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs the command line program until it ends: with the home of a running host, or with one of its own. */
export async function runCli(
  args: readonly string[],
  home?: string,
  more: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  const place = mkdtempSync(join(tmpdir(), 'slipstream-test-'));
  const env = { ...process.env, ...more, SLIPSTREAM_HOME: home ?? join(place, 'home') };
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const result = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (result.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (result.stderr += text));
  try {
    const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    const what = (): string => `the end of slipstream ${args.join(' ')}:\n${result.stdout}${result.stderr}`;
    const [code, signal] = await within(closed, READY_TIMEOUT_MS, what);
    return { ...result, code, signal };
  } finally {
    child.kill('SIGKILL');
    rmSync(place, { recursive: true, force: true });
  }
}
