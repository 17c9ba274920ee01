// One front process as the host sees it: started, told everything, restarted when it dies. Messages
// wait until the front is configured; a restarted front gets the state of the moment, not the history.

import { fork, type ChildProcess, type SendHandle } from 'node:child_process';
import { withoutCore } from '../base/core-files.ts';
import { HostError } from '../base/host-error.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { unreachable } from '../base/assert.ts';
import type { CacheAnswer, CacheAsk } from '../wire/cache-messages.ts';
import type { FrontReport, FrontToHost, HostToFront } from '../wire/front-messages.ts';
import { watchChild, type HeartbeatWatch } from './heartbeat.ts';
import { listenError, type BoundListener } from './listen-origin.ts';

/** A front that dies this soon after its start is started again only after a pause. */
const HEALTHY_MS = 2000;
const RESTART_PAUSE_MS = 500;
const REPORT_TIMEOUT_MS = 2000;

/**
 * Half of the default: what 10 000 idle clients cost is less by 12 MB then, since this space is never given back.
 * In MB.
 */
const YOUNG_SPACE_MB = 8;

export type FrontState =
  | { kind: 'starting' } // Forked; `configure` is sent.
  | { kind: 'opening' } // Configured; the listeners are sent.
  | { kind: 'serving' } // All listeners answer.
  | { kind: 'pausing'; timer: Timer } // Died too soon; started again later.
  | { kind: 'stopped' }; // Final.

export interface FrontProcessOptions {
  mainPath: string;
  json: boolean;
  listeners: BoundListener[];
  /** How long a front may owe a sign of life; 0 is for ever. */
  hangTimeoutMs(): number;
  clock: Clock;
  log: Log;
  /** The whole state, asked for at each start: what to send before anything else. */
  configuration(): HostToFront[];
  /** What the front tells, but for what this class answers itself. */
  onMessage(message: FrontToHost): void;
  /** The front is configured; it gets its listeners when this resolves. */
  beforeListening(): Promise<void>;
  /** All its listeners answer. */
  onServing(): void;
  /** The front died; its exchanges are lost, a new one is on its way. */
  onLost(): void;
}

/** A front: made once, `start`ed once, restarted by itself until `stop` or `kill`. */
export class FrontProcess {
  #options: FrontProcessOptions;
  #state: FrontState = { kind: 'starting' };
  #child: ChildProcess | null = null;
  #watch: HeartbeatWatch | null = null;
  #startedMs = 0;
  #unlistened = new Set<number>();
  #serving: { resolve: () => void; reject: (error: Error) => void } | null = null;
  /** Told to listen after the start, by origin. */
  #added = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  #reports = new Map<number, (report: FrontReport | null) => void>();
  #nextReport = 1;
  #cacheAsks = new Map<number, (answer: CacheAnswer | 'late' | 'gone') => void>();
  #restarts = 0;

  constructor(options: FrontProcessOptions) {
    this.#options = { ...options, listeners: [...options.listeners] };
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get state(): FrontState['kind'] {
    return this.#state.kind;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Resolves when every listener answers. @throws HostError LISTEN_FAILED, FRONT_FAILED */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#serving = { resolve, reject };
      this.#fork();
    });
  }

  /** Sends if a front is there; a coming one learns it from its configuration. */
  send(message: HostToFront): void {
    if (this.#child?.connected === true) this.#child.send(message);
  }

  /** Listens on one more address, in this front and in those to come. @throws HostError LISTEN_FAILED */
  addListener(listener: BoundListener): Promise<void> {
    const { listeners } = this.#options;
    let id = 0;
    while (id in listeners) id += 1;
    listeners[id] = listener;
    const { kind } = this.#state;
    if (kind === 'pausing' || kind === 'stopped') return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#added.set(listener.origin, { resolve, reject });
      // A front that is not configured yet gets it with all others.
      if (kind === 'starting') this.#unlistened.add(id);
      else this.#sendListener(id);
    });
  }

  /** Takes an added address away. Ids of the others stay. */
  removeListener(listener: BoundListener): void {
    const { listeners } = this.#options;
    const id = listeners.indexOf(listener);
    if (id >= 0) delete listeners[id];
    this.send({ kind: 'unlisten', origin: listener.origin });
  }

  /** The front's numbers, or null when it does not answer in time. */
  report(): Promise<FrontReport | null> {
    if (this.#child?.connected !== true) return Promise.resolve(null);
    const id = this.#nextReport++;
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(REPORT_TIMEOUT_MS, () => this.#reported(id, null));
      this.#reports.set(id, (report) => {
        timer.stop();
        resolve(report);
      });
      this.send({ kind: 'report', id });
    });
  }

  /** Shows or purges what the front keeps. `late`: no answer in time; `gone`: it died, and what it kept with it. */
  cache(ask: CacheAsk): Promise<CacheAnswer | 'late' | 'gone'> {
    if (this.#child?.connected !== true) return Promise.resolve('gone');
    const id = this.#nextReport++;
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(REPORT_TIMEOUT_MS, () => this.#cacheAnswered(id, 'late'));
      this.#cacheAsks.set(id, (answer) => {
        timer.stop();
        resolve(answer);
      });
      this.send({ kind: 'cache', id, ask });
    });
  }

  #cacheAnswered(id: number, answer: CacheAnswer | 'late' | 'gone'): void {
    this.#cacheAsks.get(id)?.(answer);
    this.#cacheAsks.delete(id);
  }

  /** Lets requests finish, at most `timeoutMs`; resolves when the process has ended. */
  async stop(timeoutMs: number): Promise<void> {
    const child = this.#child;
    this.#toStopped();
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (child.connected) child.send({ kind: 'drain', timeoutMs } satisfies HostToFront);
    const late = this.#options.clock.after(timeoutMs + 1000, () => child.kill('SIGKILL'));
    await ended;
    late.stop();
  }

  /** Ends the process without a word. */
  kill(): void {
    this.#toStopped();
    this.#child?.kill('SIGKILL');
  }

  #toStopped(): void {
    this.#watch?.stop();
    if (this.#state.kind === 'pausing') this.#state.timer.stop();
    this.#state = { kind: 'stopped' };
  }

  #fork(): void {
    const { mainPath, json, clock, listeners } = this.#options;
    this.#state = { kind: 'starting' };
    this.#startedMs = clock.now();
    this.#unlistened = new Set(Object.keys(listeners).map(Number));
    const child = fork(mainPath, json ? ['--json'] : [], {
      ...withoutCore([`--max-semi-space-size=${YOUNG_SPACE_MB}`]),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    child.on('message', (message) => {
      if (child !== this.#child) return;
      this.#watch?.heard();
      this.#receive(message as FrontToHost);
    });
    child.on('error', (error) => {
      this.#options.log.error('front-error', { reason: error.message });
      // Without a process there is no 'exit'.
      if (child.pid === undefined) this.#exited(child, null, null);
    });
    child.once('exit', (code, signal) => this.#exited(child, code, signal));
    for (const message of this.#options.configuration()) child.send(message);
    this.#watch = watchChild(child, 'front', this.#options);
  }

  #exited(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    const { kind } = this.#state;
    if (child !== this.#child || kind === 'stopped' || kind === 'pausing') return;
    this.#watch?.stop();
    const reason = signal ?? `exit code ${code}`;
    this.#options.log.warn('front-lost', { pid: child.pid, reason });
    for (const id of this.#reports.keys()) this.#reported(id, null);
    for (const id of this.#cacheAsks.keys()) this.#cacheAnswered(id, 'gone');
    // The next front is given these with all others.
    for (const origin of [...this.#added.keys()]) {
      this.#added.get(origin)?.resolve();
      this.#added.delete(origin);
    }
    if (this.#serving !== null) {
      this.#fail(new HostError('FRONT_FAILED', `the front process ended at its start: ${reason}`));
      return;
    }
    this.#restarts += 1;
    this.#options.onLost();
    const { clock } = this.#options;
    if (clock.now() - this.#startedMs >= HEALTHY_MS || this.#restarts === 1) {
      this.#fork();
    } else {
      this.#state = { kind: 'pausing', timer: clock.after(RESTART_PAUSE_MS, () => this.#fork()) };
    }
  }

  #fail(error: Error): void {
    const serving = this.#serving;
    this.#serving = null;
    this.kill();
    serving?.reject(error);
  }

  #receive(message: FrontToHost): void {
    switch (message.kind) {
      case 'configured':
        void this.#open();
        break;
      case 'pong':
        break;
      case 'listening':
        this.#listening(message.id);
        break;
      case 'listen-failed':
        this.#listenFailed(message.id, message.errno);
        break;
      case 'report':
        this.#reported(message.id, message.report);
        break;
      case 'cache':
        this.#cacheAnswered(message.id, message.answer);
        break;
      case 'activate':
      case 'ask':
      case 'ready':
      case 'unready':
      case 'unlinked':
      case 'drained':
        this.#options.onMessage(message);
        break;
      default:
        unreachable(message);
    }
  }

  async #open(): Promise<void> {
    const child = this.#child;
    await this.#options.beforeListening();
    if (child !== this.#child || this.#state.kind !== 'starting') return;
    this.#state = { kind: 'opening' };
    for (const id of this.#unlistened) this.#sendListener(id);
    if (this.#unlistened.size === 0) this.#settleStart();
  }

  #sendListener(id: number): void {
    const listener = this.#options.listeners[id];
    if (listener === undefined) {
      // It was taken away while the front started.
      this.#listening(id);
      return;
    }
    const { handle, origin } = listener;
    const message: HostToFront = { kind: 'listen', id, origin };
    // A bound handle of node's own, which IPC carries as it is.
    if (this.#child?.connected === true) this.#child.send(message, handle as unknown as SendHandle);
  }

  #listening(id: number): void {
    this.#settleAdded(id, null);
    this.#unlistened.delete(id);
    this.#settleStart();
  }

  #settleStart(): void {
    if (this.#unlistened.size > 0 || this.#state.kind !== 'opening') return;
    this.#state = { kind: 'serving' };
    this.#options.onServing();
    this.#options.log.debug('front-serving', { pid: this.#child?.pid });
    this.#serving?.resolve();
    this.#serving = null;
  }

  #settleAdded(id: number, error: Error | null): boolean {
    const origin = this.#options.listeners[id]?.origin ?? '';
    const added = this.#added.get(origin);
    this.#added.delete(origin);
    if (error === null) added?.resolve();
    else added?.reject(error);
    return added !== undefined;
  }

  #listenFailed(id: number, errno: string): void {
    const error = listenError(this.#options.listeners[id]?.origin ?? '', errno);
    if (this.#settleAdded(id, error)) return;
    if (this.#serving !== null) this.#fail(error);
    else this.#options.log.error('listen-failed', { reason: error.message });
  }

  #reported(id: number, report: FrontReport | null): void {
    this.#reports.get(id)?.(report);
    this.#reports.delete(id);
  }
}
