// The processes of one app: started by the first request, replaced when they die or when files change,
// given up for a debuggee. A request that waits (`activate`) always comes to an end: a process gets ready,
// or the front is told the failure.

import { AppFiles, CONFIG_FILES } from './app-files.ts';
import { processCount, type App } from './app-config.ts';
import { Callers } from './callers.ts';
import { Crew } from './crew.ts';
import { DebuggeeWait } from './debuggee-wait.ts';
import { isSameApp } from './discover.ts';
import { LastEnds } from './last-ends.ts';
import { isLive } from './process-state.ts';
import { StartPacer } from './pacer.ts';
import { PauseGate } from './pause.ts';
import { debuggeeOf, liveOf, openLive } from './pool-options.ts';
import { poolStatus } from './pool-status.ts';
import { crashLoopFailure, failureOf, lossOf, unusableFailure } from './process-failure.ts';
import { afterChange } from './recycle-policy.ts';
import { STEADY_MS } from './restart-policy.ts';
import { absentFailure, stoppedFailure } from './start-failure.ts';
import { TypeScriptWay } from './typescript-way.ts';
import { Succession } from './succession.ts';
import { HostError } from '../base/host-error.ts';
import { assert } from '../base/assert.ts';
import type { DebugOptions } from './app-command.ts';
import type { AdoptedProcess } from './adopted-child.ts';
import type { AppProcess } from './app-process.ts';
import type { AppStatus } from './app-status.ts';
import type { Debuggee, LiveProcesses, OnProcessChanged, PoolOptions } from './pool-options.ts';
import type { ProcessState } from './process-state.ts';
import type { Failure } from '../wire/front-messages.ts';

/** See the head of this file. */
export class Pool {
  #app: App;
  #options: PoolOptions;
  #files: AppFiles;
  readonly #crew = new Crew();
  readonly #callers: Callers;
  /** It is being looked up whether the files are still those that failed. */
  #isChecking = false;
  #isStopped = false;
  #startsNothing = false;
  readonly #gate = new PauseGate();
  #restarts: StartPacer;
  readonly succession: Succession;
  #losses = 0;
  readonly #ends: LastEnds;
  readonly #typescript: TypeScriptWay;
  /** How the last process was lost, until another one listens. */
  #lastLoss: string | undefined;
  #debuggeeWait: DebuggeeWait;
  readonly #onChanged: OnProcessChanged = (process, from) => this.#changed(process, from);

  constructor(app: App, options: PoolOptions) {
    this.#app = app;
    this.#options = options;
    this.#callers = new Callers(options);
    const { clock, log } = options;
    this.#restarts = new StartPacer(clock);
    this.#ends = new LastEnds(clock);
    this.#typescript = new TypeScriptWay(log);
    this.succession = new Succession({
      options,
      crew: this.#crew,
      callers: this.#callers,
      restarts: this.#restarts,
      app: () => this.#app,
      isStopped: () => this.#isStopped,
      refresh: () => this.#refresh(),
      fill: (set, startsMax) => this.#fill(set, startsMax),
      startsAgain: (process) => this.#typescript.learnsFrom(process, this.#app),
      refill: () => this.#refill(),
    });
    this.#debuggeeWait = new DebuggeeWait(clock);
    this.#files = new AppFiles({ app, clock, log, onChange: (paths) => this.#filesChanged(paths) });
  }

  /** See {@link Callers}. */
  get outcome(): Callers['outcome'] {
    return this.#callers.outcome;
  }

  get app(): App {
    return this.#app;
  }

  get processes(): AppProcess[] {
    return this.#crew.all;
  }

  update(app: App): void {
    this.#app = app;
    this.#files.update(app);
  }

  /** A request waits for the app. Does nothing while an answer is on its way. */
  activate(): void {
    if (this.#isStopped || (this.#startsNothing && !this.#crew.hasLive)) {
      return this.#callers.answer(this.#app, stoppedFailure(this.#app.name));
    }
    this.#callers.isAsked = true;
    if (this.#isPausedNow()) return;
    if (this.#debuggeeWait.isOn) return;
    if (this.succession.activate()) return;
    const isWaiting = this.#restarts.isWaiting && !this.#restarts.isLooping;
    if (this.#crew.hasLive || isWaiting || this.#isChecking || this.succession.isReplacing) return;
    if (this.#restarts.hasFailed && this.#restarts.waitMs > 0) void this.#answerOrStart();
    else this.#startAll();
  }

  /** Gives the app to a debuggee. @throws HostError APP_STOPPED, APP_SPAWN_FAILED */
  async startDebuggee(options: DebugOptions): Promise<Debuggee> {
    if (this.#isStopped) throw new HostError('APP_STOPPED', stoppedFailure(this.#app.name).message);
    const failure = this.#gate.look(this.#app.folder, this.#app.name) ?? this.#refresh();
    if (failure !== undefined) throw new HostError(failure.code, failure.message);
    const { seat, debuggee } = this.#seat(options);
    await debuggee.spawned;
    const { pid } = debuggee;
    assert(pid !== undefined, 'a spawned process has a pid');
    // It may have been stopped meanwhile, and the regular ones with it.
    if (this.#crew[seat] === debuggee && !this.#isStopped) {
      if (seat === 'debuggee') this.#crew.retireRegular();
      this.#files.open();
    }
    this.#options.log.info('app-debug', { app: this.#app.name, pid, inspector: JSON.stringify(options.inspector) });
    return debuggeeOf(debuggee, pid, this.#files.startedStamp);
  }

  /** Takes over a debuggee that another host started. The app has none now: that is asserted. */
  adoptDebuggee(options: DebugOptions, adopted: AdoptedProcess): Debuggee {
    const { seat, debuggee } = this.#seat(options, adopted);
    if (seat === 'debuggee') this.#crew.retireRegular();
    this.#files.open();
    return debuggeeOf(debuggee, adopted.pid, this.#files.startedStamp);
  }

  #seat(options: DebugOptions, adopted?: AdoptedProcess): { seat: 'aside' | 'debuggee'; debuggee: AppProcess } {
    const seat = options.isAside === true ? 'aside' : 'debuggee';
    assert(this.#crew[seat] === undefined, 'an app has one debuggee at a time');
    this.#files.noteStart(adopted?.stamp);
    const debuggee = (this.#crew[seat] = this.#options.launch(this.#app, this.#onChanged, options, adopted));
    this.#debuggeeWait.end();
    if (seat === 'debuggee') this.#cancelTimers();
    return { seat, debuggee };
  }

  /** See {@link openLive}. */
  openInspector(pid: number | undefined): Promise<LiveProcesses> {
    return openLive(this.#app.name, this.#crew.regular, pid, this.#files.startedStamp);
  }

  /** Takes over processes, at least one, that serve and that another host started, with their inspectors open. */
  adoptServing(adopted: readonly (AdoptedProcess & { port: number })[]): LiveProcesses {
    // Those that this host has started already are not needed.
    this.#crew.retireRegular();
    this.#files.noteStart(adopted[0]!.stamp);
    const opened = adopted.map((one) => {
      const process = this.#options.launch(this.#app, this.#onChanged, undefined, one);
      this.#crew.regular.add(process);
      return { process, pid: one.pid, port: one.port };
    });
    this.#complete(this.#crew.regular);
    this.#files.open();
    return liveOf(opened, this.#files.startedStamp);
  }

  status(): AppStatus {
    return poolStatus({
      app: this.#app, crew: this.#crew, restarts: this.#restarts, pause: this.#gate.kind,
      isReplacing: this.succession.isReplacing,
      losses: this.#losses, lastLoss: this.#lastLoss, lastFailure: this.#callers.lastFailure,
    });
  }

  /** See {@link LastEnds.of}. */
  endOf(process: string): Promise<Failure['developer'] | undefined> {
    return this.#ends.of(process, this.processes);
  }

  /** Starts what is missing without a request, and what was stopped by a command. */
  start(): void {
    if (this.#isStopped) return;
    this.#gate.set('none');
    this.#restarts.forget();
    this.#restarts.cancel();
    if (this.#isPausedNow() || this.#crew.debuggee !== undefined || this.succession.isReplacing) return;
    if (this.#crew.situation === 'idle') this.#startAll();
    else this.#refill();
  }

  /** Ends all processes; requests are refused until `start`. */
  pause(): void {
    this.#gate.set('stopped');
    this.#isPausedNow();
  }

  /** New processes take over from the old ones. False when none runs, or a debuggee has the app. */
  reload(reason: string, begun?: () => void): boolean {
    const situation = this.#crew.situation;
    const { isReplacing } = this.succession;
    if (!isReplacing && (this.#isStopped || situation === 'idle' || situation === 'debug')) return false;
    begun?.();
    if (isReplacing) return true;
    this.#options.log.info('app-reload', { app: this.#app.name, reason });
    this.#restarts.forget();
    if (situation === 'serving') this.succession.recycleNow();
    else this.succession.isOutdated = true;
    return true;
  }

  /** Lets the processes go until the next request, if they all serve and nobody waits. */
  rest(): void {
    if (this.#isStopped || this.#crew.situation !== 'serving' || this.#callers.isAsked) return;
    this.#options.log.info('app-idle', { app: this.#app.name });
    this.#goIdle();
    this.#crew.retireRegular();
  }

  /** All processes are ready that the app shall have. */
  get isWhole(): boolean {
    return this.#crew.isWhole(processCount(this.#app.settings));
  }

  /** The host is about to stop: who asks for an app that does not run is told so. */
  startNothing(): void {
    this.#startsNothing = true;
  }

  /** Nobody waits any more. */
  deactivate(): void {
    this.#callers.isAsked = false;
  }

  /** The app is gone: its processes finish what they have and go; none is started again. */
  retire(): void {
    if (!this.#end(absentFailure(this.#app.name))) return;
    this.#crew.retireAll();
  }

  /** SIGTERM to all, SIGKILL to their groups after `graceMs`. Resolves when all are gone. */
  async stop(graceMs: number): Promise<void> {
    this.#end(stoppedFailure(this.#app.name));
    await Promise.all(this.processes.map((process) => process.stop(graceMs)));
  }

  /** SIGKILL to all groups. Synchronous. */
  stopNow(): void {
    this.#end(stoppedFailure(this.#app.name));
    for (const process of this.processes) process.killNow();
  }

  /** Nothing is started from now on. False when that was so already. */
  #end(failure: Failure): boolean {
    if (this.#isStopped) return false;
    this.#isStopped = true;
    this.#goIdle();
    if (this.#callers.isAsked) this.#callers.answer(this.#app, failure);
    this.outcome.tell(failure);
    return true;
  }

  /** Looks whether the app may run; if not, ends what does and answers those who wait. */
  #isPausedNow(): boolean {
    const { name: app, folder } = this.#app;
    const failure = this.#gate.look(folder, app);
    if (failure === undefined) return false;
    if (this.#gate.isNew()) this.#options.log.info('app-pause', { app, pause: this.#gate.kind });
    this.#goIdle();
    this.#crew.retireAll();
    if (this.#callers.isAsked) this.#callers.answer(this.#app, failure);
    this.outcome.tell(failure);
    return true;
  }

  /** Within the back-off: a start only if the files are others than those that failed. */
  async #answerOrStart(): Promise<void> {
    this.#isChecking = true;
    const isChanged = await this.#files.isChanged();
    this.#isChecking = false;
    if (this.#isStopped || this.#crew.hasLive || !this.#callers.isAsked) return;
    if (isChanged) this.#restarts.forget();
    else if (this.#callers.answerAgain(this.#app, this.#restarts.waitMs)) return;
    this.#startAll();
  }

  /** Looks at the folder again. A failure when it cannot be started as it is. */
  #refresh(): Failure | undefined {
    const app = this.#options.rediscover(this.#app);
    if (app === undefined) {
      this.#options.altered(undefined);
      return absentFailure(this.#app.name);
    }
    if (!isSameApp(app, this.#app)) {
      this.update(app);
      this.#options.altered(app);
    }
    return unusableFailure(app);
  }

  #startAll(): void {
    const failure = this.#refresh();
    if (this.#isStopped) return;
    if (failure !== undefined) {
      this.#callers.note(this.#app, 'app-start-failed', failure);
      this.#callers.answer(this.#app, failure);
      this.#goIdle();
      return;
    }
    this.succession.begin();
    this.#fill(this.#crew.regular);
    this.#files.open();
  }

  /** Starts what a set lacks, `startsMax` at a time: whoever asks for that asks again. */
  #fill(set: Set<AppProcess>, startsMax = Infinity): void {
    const isFirst = startsMax === Infinity || set.size === 0; // The watch tells of changes behind that.
    if (isFirst && set.size < processCount(this.#app.settings)) this.#files.noteStart();
    this.#complete(set, startsMax);
  }

  #complete(set: Set<AppProcess>, startsMax = Infinity): void {
    const starting = [...set].filter(({ state }) => state.kind === 'starting').length;
    const count = Math.min(processCount(this.#app.settings) - set.size, startsMax - starting);
    const app = this.#typescript.appOf(this.#app);
    for (let index = 0; index < count; index++) set.add(this.#options.launch(app, this.#onChanged));
  }

  #refill(): void {
    const situation = this.#crew.situation;
    if (this.succession.isShelved) return;
    if (situation === 'starting' || situation === 'serving') this.#fill(this.#crew.regular);
  }

  #goIdle(): void {
    this.#cancelTimers();
    if (this.#crew.aside === undefined) this.#files.close();
  }

  #cancelTimers(): void {
    this.#restarts.cancel();
    this.succession.cancel();
  }

  #changed(process: AppProcess, from: ProcessState): void {
    if (process.state.kind === 'ended') {
      this.#crew.forgetEnded(process);
      this.#ends.note(process);
    }
    if (this.#isStopped) return;
    if (this.succession.isOldGone) this.#startAll();
    if (process === this.#crew.debuggee) this.#debuggeeChanged(process);
    else if (this.#crew.next?.has(process)) this.succession.changed(process, this.#crew.next, from);
    else if (this.#crew.regular.has(process)) this.#regularChanged(process, from);
  }

  #regularChanged(process: AppProcess, from: ProcessState): void {
    if (process.state.kind === 'ready') {
      this.#callers.isAsked = false;
      if (from.kind === 'starting') this.#regularStarted(process);
    }
    if (isLive(process.state)) return;
    this.#crew.lose(process);
    const isStart = from.kind === 'starting';
    if (isStart && this.#typescript.learnsFrom(process, this.#app)) return this.#fill(this.#crew.regular);
    this.#losses += 1;
    if (isStart) {
      const failure = failureOf(process, this.#app);
      this.#restarts.failed();
      this.#callers.note(this.#app, 'app-start-failed', failure);
      this.#afterLoss(failure);
    } else {
      this.#restarts.crashed(process.servedMs);
      const reason = (this.#lastLoss = lossOf(process));
      this.#options.log.warn('app-process-lost', { app: this.#app.name, pid: process.pid, reason });
      if (!this.#restarts.isLooping) this.#afterLoss(undefined);
      else {
        const failure = crashLoopFailure(process, this.#app, this.#restarts.waitMs);
        this.#callers.note(this.#app, 'app-crash-loop', failure);
        this.#afterLoss(failure);
      }
    }
  }

  #regularStarted(process: AppProcess): void {
    this.#restarts.ready();
    this.#lastLoss = undefined;
    // In a crash loop a process that listens has not worked yet.
    if (!this.#restarts.isLooping) this.#callers.lastFailure = undefined;
    else this.#options.clock.after(STEADY_MS, () => this.#recovered(process));
    this.#options.log.info('app-ready', { app: this.#app.name, pid: process.pid });
    if (this.isWhole) this.succession.tellSuccess();
    if (this.succession.isOutdated) this.succession.recycleSoon();
  }

  /** The process has served for a while. */
  #recovered(process: AppProcess): void {
    if (process.state.kind !== 'ready' || !this.#crew.regular.has(process)) return;
    this.#restarts.forget();
    if (this.#callers.lastFailure?.code === 'APP_CRASH_LOOP') this.#callers.lastFailure = undefined;
  }

  /** `failure` is set when those who wait shall not wait for another start. */
  #afterLoss(failure: Failure | undefined): void {
    if (this.#crew.regular.size > 0) {
      if (this.#crew.next === undefined) this.#restarts.schedule(() => this.#refill());
    } else if (this.#crew.next !== undefined) {
      this.#crew.promote(this.#crew.next);
      if (this.#crew.isServing) this.#callers.isAsked = false;
      this.#refill();
    } else {
      if (failure !== undefined && this.#callers.isAsked) this.#callers.answer(this.#app, failure);
      const isWanted = this.#callers.isAsked || this.#app.settings.start === 'always';
      if (isWanted) this.#restarts.schedule(() => this.#startAll());
      else this.#goIdle();
    }
  }

  #debuggeeChanged(process: AppProcess): void {
    if (process.state.kind === 'ready') this.#callers.isAsked = false;
    if (isLive(process.state)) return;
    this.#crew.lose(process);
    this.#options.log.info('app-debug-over', { app: this.#app.name, pid: process.pid });
    // The regular ones are still there when the debuggee never came to be.
    if (this.#crew.regular.size > 0) this.#restarts.schedule(() => this.#refill());
    else if (this.#callers.isAsked && !this.#debuggeeWait.isOn) this.#startAll();
    else this.#goIdle();
  }

  #filesChanged(paths: string[]): void {
    if (this.#isStopped || this.#isPausedNow()) return;
    const isConfig = paths.length > 0 && paths.every((path) => CONFIG_FILES.includes(path));
    const app = isConfig ? this.#options.rediscover(this.#app) : undefined;
    // An edit that means nothing, or is broken, ends no process.
    if (app !== undefined && isSameApp(app, this.#app)) return;
    const mayRecycle = this.#app.settings.recycleOnChange || isConfig;
    const decision = afterChange(this.#crew.situation, mayRecycle);
    this.#options.log.info('app-changed', { app: this.#app.name, files: paths.join(', '), decision });
    this.succession.isOutdated = decision !== 'forget-failures';
    if (this.#crew.hasDebuggee && this.#app.settings.recycleOnChange) {
      if (this.#crew.debuggee) this.#debuggeeWait.begin(() => this.#callers.isAsked && this.activate());
      this.#options.debuggeeOutdated?.(this.#app);
    }
    if (decision === 'recycle') this.succession.recycleSoon();
    else if (decision === 'forget-failures') {
      this.#restarts.forget();
      if (this.#restarts.isWaiting) this.#restarts.schedule(() => this.#startAll());
    }
  }
}
