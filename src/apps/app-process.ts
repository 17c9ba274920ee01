// One app process: spawns it, feeds process-state.ts with what happens and does what that says. Its
// process group goes with it, also when this process exits; afterwards nothing of it is left.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { commandOf, describeCommand } from './app-command.ts';
import { AdoptedChild, type AdoptedProcess, type ChildLike } from './adopted-child.ts';
import { LiveInspector } from './live-inspector.ts';
import { LineCutter, TextTail } from './process-output.ts';
import { stepProcess } from './process-state.ts';
import { withUsualCores } from '../base/core-files.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import { unreachable } from '../base/assert.ts';
import { STOP_DESCRIPTOR, STOP_WORD, usualStopBy } from '../wire/stop-message.ts';
import type { Readable, Writable } from 'node:stream';
import type { Command, CommandOptions } from './app-command.ts';
import type { App } from './app-config.ts';
import type { ProcessEffect, ProcessEvent, ProcessState } from './process-state.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';

/** Characters of stderr that are kept. */
export const STDERR_CHARACTERS_MAX = 65_536;
/** How long a process that lost its front may take to be ready again. */
export const LINK_TIMEOUT_MS = 5000;
/** From SIGTERM, or the word that stands for it, to SIGKILL. */
export const KILL_AFTER_MS = 5000;
/** How long output may come after the exit: somebody who left the process group may hold the pipe. */
const OUTPUT_TIMEOUT_MS = 250;

/** The reading end of what a process prints. */
export interface OutputPipe {
  pid: number;
  stream: 'stdout' | 'stderr';
  /** Node's own object, which other processes of ours can be given. */
  handle: unknown;
}

/** How a process ended. */
export interface ExitReport {
  code: number | null;
  signal: string | null;
  /** The end of what it wrote to stderr. */
  stderrTail: string;
  /** Set when there never was a process. */
  spawnFailure?: string;
}

/** Who is told. None may throw. */
export interface ProcessWatcher {
  changed(process: AppProcess, from: ProcessState): void;
  /** Nothing new to the process; resolves when its last exchange is over. */
  askDrain(process: AppProcess): Promise<void>;
  forget(process: AppProcess): void;
  output(process: AppProcess, stream: 'stdout' | 'stderr', line: string): void;
  /** Whether somebody else sees to its end, should the host be gone. */
  keep(process: AppProcess, isKept: boolean): void;
}

export interface ProcessOptions extends CommandOptions {
  /** It runs already: another host started it. */
  adopted?: AdoptedProcess | undefined;
  /** Why there can be no process: told as the reason of a start that failed. */
  problem?: string | undefined;
  /** Names the process to the front. */
  id: string;
  clock: Clock;
  log: Log;
  watcher: ProcessWatcher;
}

const HAS_GROUPS = process.platform !== 'win32';
const PIPES = ['ignore', 'pipe', 'pipe'] as const;

/** A child process and what is known of it. It is spawned by its constructor. */
export class AppProcess {
  readonly id: string;
  readonly command: Command;
  /** Of a regular process: closed until somebody opens it. */
  readonly inspector: LiveInspector;
  /** Resolves when there is a process. @throws HostError APP_SPAWN_FAILED */
  readonly spawned: Promise<void>;
  /** Resolves when nothing of the process is left. Never rejects. */
  readonly exited: Promise<ExitReport>;
  /** Resolves when it listens for the first time; of one that never does, never. */
  readonly listened: Promise<void>;
  #tellListened!: () => void;
  #options: ProcessOptions;
  #state: ProcessState = { kind: 'starting' };
  #child: ChildLike | undefined;
  /** Where it is told to stop; undefined: by a signal. */
  #stopPipe: Writable | undefined;
  #deadline: Timer | undefined;
  #stderr = new TextTail(STDERR_CHARACTERS_MAX);
  #startedAtMs: number;
  #readyAtMs: number | undefined;
  #exit: ExitReport | undefined;
  #killAfterMs = KILL_AFTER_MS;
  /** A debugger has it: it may stand, or spin, for days, and is never late. */
  #isInspected: boolean;

  constructor(options: ProcessOptions) {
    options = { stopBy: usualStopBy(), ...options };
    this.#options = options;
    this.id = options.id;
    this.inspector = new LiveInspector(options.clock);
    const { debug, adopted } = options;
    this.#isInspected = debug !== undefined || adopted !== undefined;
    if (adopted?.port !== undefined) this.inspector.found(adopted.port);
    this.#startedAtMs = options.clock.now();
    this.command = commandOf(options);
    this.listened = new Promise((resolve) => (this.#tellListened = resolve));
    this.spawned = this.#spawn();
    this.spawned.catch(() => {}); // Also told by `exited`; not everybody awaits both.
    this.exited = this.#awaitExit();
    this.#run('deadline-start');
  }

  get state(): ProcessState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Set once it has ended. */
  get exit(): ExitReport | undefined {
    return this.#exit;
  }

  get stderrTail(): string {
    return this.#stderr.text();
  }

  /** How long ago it was started, in ms. */
  get ageMs(): number {
    return this.#options.clock.now() - this.#startedAtMs;
  }

  /** How long ago it first listened, in ms; 0 when it never did. */
  get servedMs(): number {
    return this.#readyAtMs === undefined ? 0 : this.#options.clock.now() - this.#readyAtMs;
  }

  /** Proves who it is. */
  get key(): string {
    return this.#options.key;
  }

  /** The pipes that its output comes by; none when there are none here. */
  get pipes(): OutputPipe[] {
    const child = this.#child;
    if (child?.pid === undefined || !HAS_GROUPS) return [];
    const { pid } = child;
    return (['stdout', 'stderr'] as const).flatMap((stream) => {
      const handle = (child[stream] as { _handle?: unknown } | null)?._handle ?? null;
      return handle === null ? [] : [{ pid, stream, handle }];
    });
  }

  /** See {@link ProcessWatcher.keep}. */
  keep(isKept: boolean): void {
    this.#options.watcher.keep(this, isKept);
  }

  /** A debugger has it from now on, or has it no more. */
  inspected(isInspected: boolean): void {
    if (this.#isInspected === isInspected || this.#options.debug !== undefined) return;
    this.#isInspected = isInspected;
    const { kind } = this.#state;
    if (kind === 'away') this.#run('deadline-link');
    else if (kind === 'starting') this.#run('deadline-start');
  }

  get describedCommand(): string {
    return describeCommand(this.command);
  }

  /** Ends it: SIGTERM now, SIGKILL to its group after `killAfterMs`. Resolves when it is gone. */
  async stop(killAfterMs: number = KILL_AFTER_MS): Promise<void> {
    this.#killAfterMs = Math.min(this.#killAfterMs, killAfterMs);
    if (this.#state.kind === 'stopping') this.#run('deadline-kill');
    else this.handle('stop');
    await this.exited;
  }

  /** SIGKILL to its group, at once and synchronously. What follows is told as usual. */
  killNow(): void {
    const pid = this.#child?.pid;
    if (pid === undefined || this.#exit !== undefined) return;
    try {
      if (HAS_GROUPS) process.kill(-pid, 'SIGKILL');
      else this.#child!.kill('SIGKILL');
    } catch (error) {
      // ESRCH: the group is empty. EPERM: what is left of it changed its user and is out of reach.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ESRCH') this.#options.log.warn('kill-failed', { pid, reason: messageOf(error) });
    }
  }

  /** Takes an event and does what it leads to. */
  handle(event: ProcessEvent): void {
    const from = this.#state;
    const [state, effects] = stepProcess(from, event);
    this.#state = state;
    if (state.kind === 'ready') {
      this.#readyAtMs ??= this.#options.clock.now();
      this.#tellListened();
    }
    for (const effect of effects) this.#run(effect);
    if (state === from) return;
    const change = { process: this.id, pid: this.pid, from: from.kind, on: event, to: state.kind };
    this.#options.log.debug('process-changed', change);
    this.#options.watcher.changed(this, from);
  }

  async #spawn(): Promise<void> {
    const { user, problem, adopted, clock, stopBy } = this.#options;
    const { folder } = this.#options.app;
    if (adopted !== undefined) {
      this.#child = new AdoptedChild(adopted, clock);
      this.#read(this.#child.stdout!, 'stdout');
      this.#read(this.#child.stderr!, 'stderr');
      return;
    }
    try {
      if (problem !== undefined) throw new Error(problem);
      const child = withUsualCores(() => spawn(this.command.file, this.command.args, {
        cwd: folder,
        env: this.command.env,
        detached: HAS_GROUPS,
        ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
        stdio: stopBy === 'message' ? [...PIPES, 'pipe'] : [...PIPES],
        windowsHide: true,
      }));
      this.#child = child;
      // Without a listener a failed kill would end this process.
      child.on('error', (error) => this.#options.log.debug('process-error', { reason: messageOf(error) }));
      // There are no pipes when the machine has no descriptors left.
      if (child.stdout) this.#read(child.stdout, 'stdout');
      if (child.stderr) this.#read(child.stderr, 'stderr');
      this.#stopPipe = (child.stdio[STOP_DESCRIPTOR] as Writable | null) ?? undefined;
      // It ended, or closed its end: then the deadline ends it.
      this.#stopPipe?.on('error', (error) => this.#options.log.debug('stop-lost', { reason: messageOf(error) }));
      await once(child, 'spawn');
    } catch (error) {
      const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false;
      const reason = isFolder ? messageOf(error) : `the folder ${folder} does not exist`;
      const message = `app "${this.#options.app.name}" has no process: ${reason}`;
      throw new HostError('APP_SPAWN_FAILED', message, { cause: error });
    }
  }

  async #awaitExit(): Promise<ExitReport> {
    const report = await this.#report();
    this.#exit = report;
    this.handle('exited');
    return report;
  }

  async #report(): Promise<ExitReport> {
    const child = this.#child;
    // Asked for before any wait: the exit may come first.
    const exit = child === undefined ? undefined : exitOf(child);
    const closed = child === undefined ? undefined : once(child, 'close');
    closed?.catch(() => {}); // The 'error' of a failed spawn; `spawned` tells it.
    try {
      await this.spawned;
    } catch (error) {
      return { code: null, signal: null, stderrTail: '', spawnFailure: messageOf(error) };
    }
    const { code, signal } = await exit!;
    this.killNow(); // Its children must not outlive it.
    await Promise.race([closed, this.#wait(OUTPUT_TIMEOUT_MS)]);
    child!.stdout?.destroy();
    child!.stderr?.destroy();
    this.#stopPipe?.destroy();
    return { code, signal, stderrTail: this.#stderr.text() };
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(delayMs, resolve));
  }

  #read(stream: Readable, name: 'stdout' | 'stderr'): void {
    const { watcher } = this.#options;
    const lines = new LineCutter((line) => {
      if (name === 'stderr') this.inspector.hear(line);
      watcher.output(this, name, line);
    });
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      if (name === 'stderr') this.#stderr.push(text);
      lines.push(text);
    });
    stream.on('close', () => lines.end());
    stream.on('error', (error) => this.#options.log.debug('output-lost', { reason: messageOf(error) }));
  }

  #setDeadline(delayMs: number | undefined): void {
    this.#deadline?.stop();
    this.#deadline =
      delayMs === undefined
        ? undefined
        : this.#options.clock.after(delayMs, () => this.handle('late'));
  }

  #run(effect: ProcessEffect): void {
    const { settings } = this.#options.app;
    const isPatient = this.#isInspected;
    switch (effect) {
      case 'ask-drain':
        this.#drain();
        return;
      case 'forget':
        this.#options.watcher.forget(this);
        return;
      case 'terminate':
        if (this.#stopPipe === undefined) this.#child?.kill('SIGTERM');
        else this.#stopPipe.write(STOP_WORD);
        return;
      case 'kill':
        this.killNow();
        return;
      case 'deadline-none':
        return this.#setDeadline(undefined);
      case 'deadline-link':
        return this.#setDeadline(isPatient ? undefined : LINK_TIMEOUT_MS);
      case 'deadline-start':
        return this.#setDeadline(isPatient ? undefined : settings.startTimeoutMs);
      case 'deadline-patient':
        return this.#setDeadline(isPatient ? undefined : patienceMs(settings));
      case 'deadline-drain':
        return this.#setDeadline(settings.gracefulShutdownTimeoutMs);
      case 'deadline-kill':
        return this.#setDeadline(this.#killAfterMs);
      default:
        unreachable(effect);
    }
  }

  #drain(): void {
    const { watcher, log } = this.#options;
    watcher.askDrain(this).then(
      () => this.handle('drained'),
      // Then the deadline ends it.
      (error: unknown) => log.warn('drain-failed', { process: this.id, reason: messageOf(error) }),
    );
  }
}

/** Others finish what they have and are ended; then it is as at any start. */
function patienceMs({ gracefulShutdownTimeoutMs, startTimeoutMs }: App['settings']): number {
  return gracefulShutdownTimeoutMs + KILL_AFTER_MS + startTimeoutMs;
}

async function exitOf(child: ChildLike): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}
