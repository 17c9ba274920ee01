// The app room: which processes run, and why. It finds apps in folders, starts their processes when a
// request waits, replaces them and ends them. The host joins it with the front through FrontControl.

import { randomBytes } from 'node:crypto';
import { AppProcess } from './app-process.ts';
import { placeFor, type OtherSockets } from './app-place.ts';
import { AppLimits } from './app-limits.ts';
import { AppLogs } from './app-logs.ts';
import { discoverApps, isSameApp, rediscoverApp } from './discover.ts';
import { residentBytes } from './process-memory.ts';
import { Pool } from './pool.ts';
import { RecycleWishes } from './recycle-wishes.ts';
import { UsageWatch } from './usage-watch.ts';
import { assert } from '../base/assert.ts';
import { HostError } from '../base/host-error.ts';
import { nearestName } from '../base/setting.ts';
import { asideGroup } from './app-config.ts';
import type { AdoptedProcess } from './adopted-child.ts';
import type { DebugOptions } from './app-command.ts';
import type { App, AppSettingsSource } from './app-config.ts';
import type { ExitReport, ProcessWatcher } from './app-process.ts';
import type { AppStatus } from './app-status.ts';
export type { AdoptedProcess, AppStatus, DebugOptions, ExitReport, OtherSockets };
import type { Debuggee, LiveProcesses, PoolOptions } from './pool-options.ts';
import type { RequestCounts } from './usage-watch.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { ExpectedProcess, Failure } from '../wire/front-messages.ts';

export { APP_SETTINGS, asideGroup, DEFAULT_APP_SETTINGS, HOST_ONLY_SETTINGS } from './app-config.ts';
export { readAppOverrides, readAppSettings } from './app-config.ts';
export { discoverApps, sitePath } from './discover.ts';
export type { App, AppSettings, AppSettingsSource, FolderSettings } from './app-config.ts';
export { userOf } from './app-user.ts';
export { ControlGroups, hasKernelLimits } from './control-groups.ts';
export type { AppLogs, PrintedLine } from './app-logs.ts';
export type { Debuggee, LiveProcesses } from './pool-options.ts';
export type { RequestCounts } from './usage-watch.ts';
export { residentBytes } from './process-memory.ts';

/** What the room asks of the front; the host passes it on. None may throw. */
export interface FrontControl {
  /** The process is about to dial. */
  expect(process: ExpectedProcess): void;
  /** The process is gone or given up. */
  forget(process: string): void;
  /** Nothing new to the process; resolves when it has no exchange left. */
  retire(process: string): Promise<void>;
  /** The requests that wait for the group get this. */
  failed(group: string, failure: Failure): void;
  /** Files of an app that has a debuggee changed. */
  debuggeeOutdated?(appPath: string): void;
  /** The set of apps changed, or what an app's routes are made of: make the routes again from `list()`. */
  appsChanged(): void;
  /** Requests by process id. Absent: limits on them, and idle stops, do nothing. */
  requestCounts?(): Promise<ReadonlyMap<string, RequestCounts>>;
}

/** A line that a process printed. */
export interface AppOutput {
  app: string;
  pid: number | undefined;
  stream: 'stdout' | 'stderr';
  /** Without its end; a very long one comes in pieces. */
  line: string;
}

export interface AppsOptions {
  /** Absolute path of the folder with the apps. */
  root: string;
  settings: AppSettingsSource;
  front: FrontControl;
  /** SLIPSTREAM_FRONTS. */
  fronts: string;
  /** PORT. */
  port: number;
  /** How long a debuggee lives without any front, in ms. */
  debuggeeGraceMs?: number;
  /** Absolute path of the preload, in CommonJS. */
  registerPath: string;
  log: Log;
  clock: Clock;
  /** The node that runs apps. Default: the one that runs this. */
  nodePath?: string;
  /** Gets what processes print. Default: a log line `app-output`. */
  output?: (output: AppOutput) => void;
  /** Where log files are kept, a folder an app. Default: no files. */
  logsFolder?: string;
  /** Private folder for the sockets on which apps wish new processes. Default: they cannot. */
  wishFolder?: string;
  /** Where processes of another user reach this host. Default: nowhere. */
  socketsOf?(uid: number): OtherSockets | undefined;
}

/** The room. Made by {@link createApps}; ended by `stop` or `stopNow`. */
export interface Apps {
  /** Looks at the folders. True when apps came, went or are run otherwise; `appsChanged` told it then. */
  scan(): Promise<boolean>;
  /** In the order of their paths. */
  list(): readonly App[];
  status(): AppStatus[];
  /** How the process with this id ended, if it did just now. */
  endOf(process: string): Promise<Failure['developer'] | undefined>;
  /** What the apps print. */
  readonly logs: AppLogs;
  /** The app with this name or path. @throws HostError APP_UNKNOWN */
  find(name: string): App;
  /** Starts what is missing, also after `pause`. Resolves when all is ready, or with why it is not. */
  start(app: App): Promise<Failure | undefined>;
  /** Ends the processes, after the requests that they have; requests are refused until `start`. */
  pause(app: App): Promise<void>;
  /** New processes take over. Resolves when they have, or with why not; the old ones stay then. */
  reload(app: App, reason: string, begun?: () => void): Promise<Failure | 'not-running' | undefined>;
  /** Other settings from now on: apps that run and whose settings changed are reloaded. */
  configure(settings: AppSettingsSource): Promise<void>;
  /** The front has a request for the group and no process. Harmless when one is starting. */
  activate(group: string): void;
  /** A server of the process listens. */
  ready(process: string): void;
  /** Its last server closed. */
  unready(process: string): void;
  /** Its link to the front broke. */
  unlinked(process: string): void;
  /**
   * Replaces the app's processes by one with its inspector open. Resolves when it is spawned; whether the
   * inspector answers is the caller's business. The app has no debuggee now: that is asserted.
   * @throws HostError APP_SPAWN_FAILED, APP_STOPPED, ROUTE_NOT_FOUND
   */
  startDebuggee(app: App, options: DebugOptions): Promise<Debuggee>;
  /**
   * Takes over a debuggee that another host started and that is about to dial. The app has none now: that is asserted.
   * @throws HostError ROUTE_NOT_FOUND
   */
  adoptDebuggee(app: App, options: DebugOptions, adopted: AdoptedProcess): Debuggee;
  /** The same of processes that serve, at least one, and whose inspectors are open. */
  adoptServing(app: App, adopted: readonly (AdoptedProcess & { port: number })[]): LiveProcesses;
  /**
   * Opens the inspector of a process that serves; it goes on serving. `kill` of the result leaves it alone.
   * @throws HostError DEBUGGER_NOT_RUNNING, DEBUGGEE_UNREACHABLE, ROUTE_NOT_FOUND
   */
  openInspector(app: App, pid: number | undefined): Promise<LiveProcesses>;
  /** The requests that waited for the group are gone. */
  deactivate(group: string): void;
  /** The host is about to stop: apps that run go on, no other one is started for a request. */
  startNothing(): void;
  /** Ends all processes: SIGTERM now, SIGKILL to their groups after `graceMs`. Nothing is started again. */
  stop(graceMs: number): Promise<void>;
  /** Ends all processes with SIGKILL, synchronously. Nothing is started again. */
  stopNow(): void;
}

class AppRoom implements Apps {
  #options: AppsOptions;
  /** By group. */
  #pools = new Map<string, Pool>();
  /** Pools of apps that are gone, until their last process is. */
  #oldPools = new Set<Pool>();
  /** Those that the front was told of, by id. */
  #known = new Map<string, AppProcess>();
  #processesStarted = 0;
  #scan: Promise<boolean> | undefined;
  #nextScan: Promise<boolean> | undefined;
  #isStopped = false;
  readonly logs: AppLogs;
  readonly #usage: UsageWatch;
  readonly #wishes: RecycleWishes | undefined;
  readonly #limits: AppLimits;
  readonly #onExit = (): void => this.stopNow();

  constructor(options: AppsOptions) {
    this.#options = options;
    const { clock, log, front, logsFolder, wishFolder: folder } = options;
    this.logs = new AppLogs({ logsFolder, log });
    this.#limits = new AppLimits(log);
    this.#usage = new UsageWatch({
      clock, log, residentBytes,
      pools: () => this.#pools.values(),
      requestCounts: async () => (await front.requestCounts?.()) ?? new Map<string, RequestCounts>(),
    });
    const onPortWanted = (group: string, pid: number, holders: readonly number[]): boolean =>
      this.#pools.get(group)?.succession.mayWaitForPort(pid, holders) ?? false;
    const onWish = (group: string): void => void this.#pools.get(group)?.reload('its own wish');
    this.#wishes = folder === undefined ? undefined : new RecycleWishes({ folder, clock, log, onWish, onPortWanted });
    // The host may end without `stop`: an uncaught error, process.exit.
    process.on('exit', this.#onExit);
  }

  scan(): Promise<boolean> {
    if (this.#scan === undefined) return this.#startScan();
    // The running one may have passed what this caller knows to be new.
    const again = (): Promise<boolean> => this.#startScan();
    return (this.#nextScan ??= this.#scan.then(again, again));
  }

  #startScan(): Promise<boolean> {
    this.#nextScan = undefined;
    const scan = this.#scanNow().finally(() => {
      if (this.#scan === scan) this.#scan = undefined;
    });
    this.#scan = scan;
    return scan;
  }

  async #scanNow(): Promise<boolean> {
    const { root, settings, log } = this.#options;
    const apps = await discoverApps(root, settings, log);
    if (this.#isStopped) return false;
    let isChanged = false;
    const gone = new Set(this.#pools.keys());
    for (const app of apps) {
      gone.delete(app.group);
      const pool = this.#pools.get(app.group);
      if (pool !== undefined && isSameApp(pool.app, app)) continue;
      isChanged = true;
      if (pool !== undefined) {
        const isConfigured = JSON.stringify(pool.app.settings) !== JSON.stringify(app.settings);
        pool.update(app);
        if (isConfigured) pool.reload('its settings changed');
        continue;
      }
      const added = new Pool(app, this.#poolOptions(app.group));
      this.#pools.set(app.group, added);
      log.info('app-found', { app: app.name, path: app.path, entry: app.entry });
      if (app.settings.start === 'always') added.start();
    }
    for (const group of gone) {
      isChanged = true;
      this.#remove(group);
    }
    if (isChanged) this.#options.front.appsChanged();
    return isChanged;
  }

  #remove(group: string): void {
    const pool = this.#pools.get(group);
    if (pool === undefined) return;
    this.#pools.delete(group);
    this.#options.log.info('app-gone', { app: pool.app.name, path: pool.app.path });
    this.#oldPools.add(pool);
    pool.retire();
    const ends = pool.processes.map((process) => process.exited);
    void Promise.all(ends).then(() => {
      this.#oldPools.delete(pool);
      if (this.#pools.has(group)) return;
      this.logs.forget(pool.app);
      this.#wishes?.forget(pool.app);
    });
  }

  list(): readonly App[] {
    return [...this.#pools.values()]
      .map((pool) => pool.app)
      .sort((left, right) => (left.path < right.path ? -1 : 1));
  }

  status(): AppStatus[] {
    return this.list().map((app) => this.#pools.get(app.group)!.status());
  }

  async endOf(process: string): Promise<Failure['developer'] | undefined> {
    return this.#pools.get(process.slice(0, process.lastIndexOf('#')))?.endOf(process);
  }

  find(name: string): App {
    const path = `/${name.replace(/^\/+|\/+$/g, '')}/`.replace('//', '/');
    const apps = this.list();
    const app = apps.find((one) => one.name === name) ?? apps.find((one) => one.path === path);
    if (app !== undefined) return app;
    const near = nearestName(name, apps.map((one) => one.name));
    const hint = near === undefined ? '; see slipstream status' : `; did you mean "${near}"?`;
    throw new HostError('APP_UNKNOWN', `there is no app "${name}"${hint}`);
  }

  async start(app: App): Promise<Failure | undefined> {
    const pool = this.#poolOf(app);
    const outcome = pool.outcome.wait();
    pool.start();
    return pool.isWhole ? undefined : outcome;
  }

  async pause(app: App): Promise<void> {
    const pool = this.#poolOf(app);
    pool.pause();
    await Promise.all(pool.processes.map((process) => process.exited));
  }

  async reload(app: App, reason: string, begun?: () => void): Promise<Failure | 'not-running' | undefined> {
    const pool = this.#poolOf(app);
    const outcome = pool.outcome.wait();
    return pool.reload(reason, begun) ? outcome : 'not-running';
  }

  async configure(settings: AppSettingsSource): Promise<void> {
    this.#options = { ...this.#options, settings };
    await this.scan();
  }

  #poolOf(app: App): Pool {
    const pool = this.#pools.get(app.group);
    if (pool !== undefined) return pool;
    throw new HostError('ROUTE_NOT_FOUND', `app "${app.name}" is not there any more`);
  }

  activate(group: string): void {
    const pool = this.#pools.get(group);
    if (pool !== undefined) return pool.activate();
    // The app went away between the request and this message.
    const message = `no app serves the group "${group}"`;
    this.#options.front.failed(group, { status: 404, code: 'ROUTE_NOT_FOUND', message, developer: [] });
  }

  ready(process: string): void {
    this.#known.get(process)?.handle('ready');
  }

  unready(process: string): void {
    this.#known.get(process)?.handle('unready');
  }

  unlinked(process: string): void {
    this.#known.get(process)?.handle('unlinked');
  }

  async startDebuggee(app: App, options: DebugOptions): Promise<Debuggee> {
    return this.#poolOf(app).startDebuggee(options);
  }

  adoptDebuggee(app: App, options: DebugOptions, adopted: AdoptedProcess): Debuggee {
    return this.#poolOf(app).adoptDebuggee(options, adopted);
  }

  adoptServing(app: App, adopted: readonly (AdoptedProcess & { port: number })[]): LiveProcesses {
    return this.#poolOf(app).adoptServing(adopted);
  }

  async openInspector(app: App, pid: number | undefined): Promise<LiveProcesses> {
    return this.#poolOf(app).openInspector(pid);
  }

  deactivate(group: string): void {
    this.#pools.get(group)?.deactivate();
  }

  startNothing(): void {
    for (const pool of this.#allPools()) pool.startNothing();
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    this.#usage.close();
    this.#wishes?.close();
    await Promise.all(this.#allPools().map((pool) => pool.stop(graceMs)));
    this.#limits.close();
    await this.logs.close();
    process.off('exit', this.#onExit);
  }

  stopNow(): void {
    this.#isStopped = true;
    for (const pool of this.#allPools()) pool.stopNow();
    process.off('exit', this.#onExit);
  }

  #allPools(): Pool[] {
    return [...this.#pools.values(), ...this.#oldPools];
  }

  #poolOptions(group: string): PoolOptions {
    const { clock, log, front } = this.#options;
    return {
      clock,
      log,
      launch: (...about) => this.#launch(...about),
      rediscover: (app) => rediscoverApp(app, this.#options.settings),
      failed: (name, failure) => front.failed(name, failure),
      shelve: (process) => void front.retire(process.id),
      debuggeeOutdated: (app) => front.debuggeeOutdated?.(app.path),
      altered: (app) => {
        if (app === undefined) this.#remove(group);
        front.appsChanged();
      },
    };
  }

  #launch(...[app, changed, debug, adopted]: Parameters<PoolOptions['launch']>): AppProcess {
    assert(!this.#isStopped, 'nothing is started after a stop');
    const { front, log, clock, port, registerPath, nodePath, debuggeeGraceMs } = this.#options;
    this.#processesStarted += 1;
    const id = `${app.group}#${this.#processesStarted}`;
    const group = debug?.isAside === true ? asideGroup(app.path) : app.group;
    const key = adopted?.key ?? randomBytes(24).toString('base64url');
    const expected: ExpectedProcess = { key, id, group };
    // Before the process can dial.
    front.expect(expected);
    const place = placeFor(app, { ...this.#options, wishes: this.#wishes, inspector: debug?.inspector.kind });
    const limits = adopted === undefined ? this.#limits.placeFor(app) : {};
    const process = new AppProcess({
      app, id, key, port, registerPath, clock, adopted, debuggeeGraceMs, log: log.with({ app: app.name }),
      watcher: this.#watcher(app, changed, expected),
      ...(nodePath === undefined ? {} : { nodePath }),
      ...(debug === undefined ? {} : { debug }),
      ...place,
      ...(limits.problem === undefined ? {} : { problem: limits.problem }),
    });
    this.#limits.spawned(app, process, limits);
    this.#known.set(id, process);
    if (process.pid !== undefined) {
      expected.pid = process.pid;
      front.expect(expected);
    }
    // Behind the turn: the end of its output may bring a last line.
    void process.exited.then(() => setImmediate(() => void this.logs.closeProcess(app, process.pid ?? 0)));
    const what = { app: app.name, process: id };
    if (adopted !== undefined) log.info('app-adopted', { ...what, pid: adopted.pid });
    else log.info('app-starting', { ...what, command: process.describedCommand });
    return process;
  }

  #watcher(app: App, changed: ProcessWatcher['changed'], expected: ExpectedProcess): ProcessWatcher {
    const { front, log, output } = this.#options;
    return {
      changed: (process, from) => {
        changed(process, from);
        this.#usage.wake();
      },
      askDrain: (process) => front.retire(process.id),
      keep: (process, isKept) => {
        // One that is forgotten is not to be expected again.
        if (!this.#known.has(process.id) || (expected.isKept ?? false) === isKept) return;
        expected.isKept = isKept;
        front.expect(expected);
      },
      forget: (process) => {
        // Told once: a process that was given up is forgotten before it ends.
        if (this.#known.delete(process.id)) front.forget(process.id);
      },
      output: (process, stream, line) => {
        this.logs.write(app, { pid: process.pid ?? 0, stream, line });
        const printed: AppOutput = { app: app.name, pid: process.pid, stream, line };
        if (output === undefined) log.info('app-output', { ...printed });
        else output(printed);
      },
    };
  }
}

/** Makes the room. It knows no app before its first `scan`. */
export function createApps(options: AppsOptions): Apps {
  return new AppRoom(options);
}
