// The site process of the host: decides for folders with a web.config and serves their files. There is one while
// there are such folders. It runs patterns of those folders on what clients send, so it may hang: then it is
// killed (heartbeat.ts) and another one takes over.
//
//   none ──a site──▶ running ──exit──▶ pausing (only soon after its start) ──▶ running     any ──no site──▶ none

import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { delimiter } from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { ExpectedProcess } from '../wire/front-messages.ts';
import type { HostToSites, Site, SitesToHost } from '../wire/site-messages.ts';
import { watchChild, type HeartbeatWatch } from './heartbeat.ts';
import { SITE_GROUP } from './routes.ts';

/** An exit sooner than this after the start makes the next one wait. */
const HEALTHY_MS = 2000;
const RESTART_PAUSE_MS = 500;

export interface SiteProcessOptions {
  mainPath: string;
  fronts: readonly string[];
  json: boolean;
  /** How long it may owe a sign of life; 0 is for ever. */
  hangTimeoutMs(): number;
  clock: Clock;
  log: Log;
  /** The sites as their files are now. */
  sites(): Site[];
  /** Looks for other folders, scripts and files. */
  scan(): Promise<void>;
  /** Resolves when the fronts know what was sent to them. */
  settled(): Promise<unknown>;
  expect(process: ExpectedProcess): void;
  forget(process: string): void;
}

interface Running {
  child: ChildProcess;
  expected: ExpectedProcess;
  startedMs: number;
  watch: HeartbeatWatch;
}

/** See the head of this file. */
export class SiteProcess {
  readonly #options: SiteProcessOptions;
  #sites: Site[] = [];
  #running: Running | null = null;
  #pause: Timer | null = null;
  #started = 0;
  #isStopped = false;

  constructor(options: SiteProcessOptions) {
    this.#options = options;
  }

  /** The sites as they were read last. */
  get sites(): readonly Site[] {
    return this.#sites;
  }

  /** Reads the sites anew; the process is told, started or ended as that asks for. True: they are others now. */
  refresh(): boolean {
    const sites = this.#options.sites();
    const isChanged = JSON.stringify(sites) !== JSON.stringify(this.#sites);
    this.#sites = sites;
    if (this.#isStopped) return false;
    if (sites.length === 0) this.#end();
    else if (this.#running === null) this.activate();
    else if (isChanged) void this.#tell();
    return isChanged;
  }

  /** A request waits, or a site is there: the process is started unless it runs. */
  activate(): void {
    if (this.#isStopped || this.#running !== null || this.#pause !== null || this.#sites.length === 0) return;
    this.#start();
  }

  has(id: string): boolean {
    return this.#running?.expected.id === id;
  }

  /** Ends it for good. */
  stop(): void {
    this.#isStopped = true;
    this.#end();
  }

  #start(): void {
    const { mainPath, fronts, json, clock, log, expect } = this.#options;
    this.#started += 1;
    const expected: ExpectedProcess = {
      id: `site-${this.#started}`, group: SITE_GROUP, key: randomBytes(24).toString('base64url'),
    };
    expect(expected);
    const env = { ...process.env, SLIPSTREAM_FRONTS: fronts.join(delimiter), SLIPSTREAM_KEY: expected.key };
    const child = fork(mainPath, json ? ['--json'] : [], {
      execArgv: [], env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    if (child.pid !== undefined) expect(Object.assign(expected, { pid: child.pid }));
    const running: Running = {
      child,
      expected,
      startedMs: clock.now(),
      watch: watchChild(child, 'site', this.#options),
    };
    this.#running = running;
    child.on('message', (message) => this.#receive(running, message as SitesToHost));
    child.on('error', (error) => {
      log.error('site-process-error', { reason: error.message });
      // Without a process there is no 'exit'.
      if (child.pid === undefined) this.#exited(running, error.message);
    });
    child.once('exit', (code, signal) => this.#exited(running, signal ?? `exit code ${code}`));
    void this.#tell();
  }

  /** Once the fronts have the routes that the sites lead to. */
  async #tell(): Promise<void> {
    // Routes are sent behind the call that brought us here.
    await Promise.resolve();
    await this.#options.settled();
    this.#send({ kind: 'sites', sites: [...this.#sites] });
  }

  #send(message: HostToSites): void {
    // It may have ended a moment ago; its exit follows.
    if (this.#running?.child.connected === true) this.#running.child.send(message, () => {});
  }

  #receive(running: Running, message: SitesToHost): void {
    if (running !== this.#running) return;
    running.watch.heard();
    if (message.kind !== 'stale') return;
    void this.#options.scan().finally(() => running === this.#running && void this.#tell());
  }

  #exited(running: Running, reason: string): void {
    this.#options.forget(running.expected.id);
    if (running !== this.#running) return;
    const { clock, log } = this.#options;
    this.#running = null;
    running.watch.stop();
    log.warn('site-process-lost', { reason });
    if (clock.now() - running.startedMs >= HEALTHY_MS) {
      this.activate();
      return;
    }
    this.#pause = clock.after(RESTART_PAUSE_MS, () => {
      this.#pause = null;
      this.activate();
    });
  }

  #end(): void {
    this.#pause?.stop();
    this.#pause = null;
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    running.watch.stop();
    // Nothing of it is worth a wait: it keeps no state.
    running.child.kill('SIGKILL');
  }
}
