// The door of this room: <app>/debug on the host's side, for all apps. It decides requests at the door,
// starts a debuggee and its session proxy, and ends both. debug-state.ts says what may follow what.

import { unreachable } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { HostError, messageOf, type ErrorCode } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { AskedRequest, Decision } from '../wire/front-messages.ts';
import {
  answerWith,
  failurePage,
  KILLED_TEXT,
  NOT_RUNNING_TEXT,
  redirectToDoor,
  UNKNOWN_COMMAND_TEXT,
} from './debug-answer.ts';
import { stepDebug, type DebugStart, type DebugEffect, type DebugEvent, type DebugState } from './debug-state.ts';
import { DoorAccess, type DoorAccessOptions } from './door-access.ts';
import { createDebuggerPorts, type DebuggerPorts } from './debugger-port.ts';
import { waitForInspector } from './inspector-ready.ts';

/** A process whose inspector is open. */
export interface Debuggee {
  pid: number;
  exited: Promise<{ code: number | null; signal: string | null; stderrTail: string }>;
  /** Ends it, also when it stands at a breakpoint; resolves when it is gone. */
  kill(): Promise<void>;
}

/** A session proxy process. */
export interface SessionProxyProcess {
  pid: number;
  /** It serves `<app>/debug/`. */
  ready: Promise<void>;
  exited: Promise<void>;
  kill(): Promise<void>;
}

/** How a debuggee starts. */
export interface DebuggeeStart {
  port: number;
  breakAtStart: boolean;
  /** It waits before its first line until the session has armed its breakpoints. */
  waits: true;
}

/** What the debugger needs of the host. */
export interface DebuggerHost {
  /** True while regular processes of the app run. */
  isRunning(app: string): boolean;
  /** Starts the app with its inspector on `port` of 127.0.0.1; regular processes are retired. */
  startDebuggee(app: string, options: DebuggeeStart): Promise<Debuggee>;
  /** Opens the inspector of a process that runs, and goes on running; `kill` leaves it alone. */
  openInspector(app: string, pid: number | undefined): Promise<Debuggee & { port: number }>;
  startSessionProxy(
    app: string,
    options: { inspectorPort: number; pid: number; breakAtStart: boolean; isLive: boolean },
  ): Promise<SessionProxyProcess>;
}

/** The debugger of all apps. */
export interface AppDebugger {
  /** Decides on a request for exactly `<app>/debug` or `<app>/debug/`, with any query. */
  ask(app: string, request: AskedRequest): Promise<Decision>;
  /** True from the moment on at which the app's requests belong to a debuggee. */
  isDebugging(app: string): boolean;
  status(app: string): { state: 'idle' | 'starting' | 'debug'; port?: number; pid?: number };
  /** Files of the app changed: a debuggee is started again, with the same breakpoints. */
  changed(app: string): void;
  /** Ends every debuggee and session proxy; nothing starts afterwards. */
  stop(): Promise<void>;
}

/** What {@link createAppDebugger} needs. */
export interface AppDebuggerOptions extends DoorAccessOptions {
  host: DebuggerHost;
  /** Both included. */
  portRange: { start: number; end: number };
  /** How often the inspector is asked before the start is given up. Default 100. */
  connectRetries?: number;
  /** Longest pause between two tries, in ms. Default 250. */
  connectRetryDelayMs?: number;
  clock: Clock;
}

type Outcome = { kind: 'pass' } | { kind: 'failed'; error: Error; stderrTail: string };

/** One debuggee with its proxy, from the decision to start it until both are gone. */
interface Run {
  breakAtStart: boolean;
  live: DebugStart['live'];
  isCancelled: boolean;
  port: number | null;
  debuggee: Debuggee | null;
  proxy: SessionProxyProcess | null;
  /** Settles when the start came to an end, whichever. */
  started: Promise<void>;
}

interface Failure {
  error: Error;
  stderrTail: string;
}

/** Makes the debugger; it does nothing until asked. */
export function createAppDebugger(options: AppDebuggerOptions): AppDebugger {
  const ports = createDebuggerPorts(options.portRange);
  const access = new DoorAccess(options);
  const apps = new Map<string, AppSession>();
  let isStopped = false;
  const sessionOf = (app: string): AppSession => {
    let session = apps.get(app);
    if (session === undefined) {
      session = new AppSession(app, options, ports);
      if (isStopped) session.stop();
      apps.set(app, session);
    }
    return session;
  };
  return {
    ask: (app, request) => decide(app, request, access, () => sessionOf(app)),
    isDebugging: (app) => apps.get(app)?.isDebugging() ?? false,
    status: (app) => apps.get(app)?.status() ?? { state: 'idle' },
    changed: (app) => apps.get(app)?.changed(),
    async stop() {
      isStopped = true;
      await Promise.all([...apps.values()].map((session) => session.stop()));
    },
  };
}

/** A port may be taken between its test and its use, by another host say: so many are tried. */
const PORT_TRIES_MAX = 10;
/** What node says on stderr then. */
const PORT_TAKEN = /^Starting inspector on 127\.0\.0\.1:\d+ failed: address already in use/m;

const COMMANDS = new Set(['', 'debug', 'brk', 'kill', 'live']);

/** What a query asks to be started. */
function startOf(query: string): DebugStart {
  const pid = /(?:^|&)live=(\d{1,10})(?:&|$)/.exec(query)?.[1];
  if (pid !== undefined) return { breakAtStart: false, live: { pid: Number(pid) } };
  return query === 'live' ? { breakAtStart: false, live: {} } : { breakAtStart: query === 'brk' };
}

async function decide(
  app: string,
  request: AskedRequest,
  access: DoorAccess,
  session: () => AppSession,
): Promise<Decision> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return answerWith(405, 'The debugger opens by GET.\n', 'text/plain', ['Allow', 'GET, HEAD']);
  }
  if (!request.path.endsWith('/')) {
    return access.judge(app, request, 'attach') ?? redirectToDoor(request);
  }
  const link = new URLSearchParams(request.query).get('link');
  if (link !== null) return access.signIn(app, request, link);
  const command = request.query.slice(1).toLowerCase();
  if (!COMMANDS.has(command) && !/[=&]/.test(command)) {
    return access.judge(app, request, 'attach') ?? answerWith(400, `${UNKNOWN_COMMAND_TEXT}\n`, 'text/plain');
  }
  if (command === 'kill') return access.judge(app, request, 'kill') ?? session().kill();
  const wish = session().isDebugging() ? 'attach' : 'start';
  return access.judge(app, request, wish) ?? session().open(app, request, startOf(command));
}

/** The debugger of one app: performs what {@link stepDebug} decides. */
class AppSession {
  #app: string;
  #options: AppDebuggerOptions;
  #ports: DebuggerPorts;
  #log: Log;
  #state: DebugState = { kind: 'idle' };
  #run: Run | null = null;
  #failure: Failure | null = null;
  #openers: ((outcome: Outcome) => void)[] = [];
  #killers: (() => void)[] = [];
  #ending: Promise<void> = Promise.resolve();

  constructor(app: string, options: AppDebuggerOptions, ports: DebuggerPorts) {
    this.#app = app;
    this.#options = options;
    this.#ports = ports;
    this.#log = options.log.with({ app });
  }

  isDebugging(): boolean {
    const { kind } = this.#state;
    return kind === 'starting' || kind === 'debug' || (kind === 'ending' && this.#state.reopen !== null);
  }

  status(): ReturnType<AppDebugger['status']> {
    if (!this.isDebugging()) return { state: 'idle' };
    const { port, debuggee } = this.#run ?? { port: null, debuggee: null };
    return {
      state: this.#state.kind === 'debug' ? 'debug' : 'starting',
      ...(port === null ? {} : { port }),
      ...(debuggee === null ? {} : { pid: debuggee.pid }),
    };
  }

  async open(app: string, request: AskedRequest, start: DebugStart): Promise<Decision> {
    const outcome = await new Promise<Outcome>((resolve) => {
      this.#step({ kind: 'open', ...start }, (effect) => this.#answerOpener(effect, resolve));
    });
    if (outcome.kind === 'pass') return { kind: 'pass' };
    return failurePage(app, request, outcome.error, outcome.stderrTail);
  }

  kill(): Promise<Decision> {
    return new Promise((resolve) => {
      this.#step({ kind: 'kill' }, (effect) => {
        if (effect.kind === 'answer-not-running') resolve(answerWith(200, NOT_RUNNING_TEXT));
        else this.#killers.push(() => resolve(answerWith(200, KILLED_TEXT)));
      });
    });
  }

  changed(): void {
    this.#step({ kind: 'changed', breakAtStart: this.#run?.breakAtStart ?? false });
  }

  stop(): Promise<void> {
    this.#step({ kind: 'stop' });
    return this.#ending;
  }

  #answerOpener(effect: DebugEffect, resolve: (outcome: Outcome) => void): void {
    if (effect.kind === 'answer-when-started') {
      this.#openers.push(resolve);
    } else if (effect.kind === 'answer-pass') {
      resolve({ kind: 'pass' });
    } else {
      const error = new HostError('APP_STOPPED', 'the host is stopping and starts no debugger');
      resolve({ kind: 'failed', error, stderrTail: '' });
    }
  }

  /** `answer` gets the effects that are for the one who asks. */
  #step(event: DebugEvent, answer?: (effect: DebugEffect) => void): void {
    const [next, effects] = stepDebug(this.#state, event);
    if (next.kind !== this.#state.kind) {
      this.#log.info('debugger-state', { from: this.#state.kind, event: event.kind, to: next.kind });
    }
    this.#state = next;
    for (const effect of effects) this.#perform(effect, answer);
  }

  #perform(effect: DebugEffect, answer?: (effect: DebugEffect) => void): void {
    switch (effect.kind) {
      case 'start':
        this.#start(effect);
        break;
      case 'end':
        this.#ending = this.#end();
        break;
      case 'tell-openers-pass':
        this.#tellOpeners({ kind: 'pass' });
        break;
      case 'tell-openers-failed':
        this.#tellOpeners({ kind: 'failed', ...(this.#failure ?? killedAtStart(this.#app)) });
        break;
      case 'tell-openers-killed':
        this.#tellOpeners({ kind: 'failed', ...killedAtStart(this.#app) });
        break;
      case 'tell-killers':
        for (const tell of this.#killers.splice(0)) tell();
        break;
      case 'answer-pass':
      case 'answer-not-running':
      case 'answer-stopping':
      case 'answer-when-started':
      case 'answer-when-ended':
        answer?.(effect);
        break;
      default:
        unreachable(effect);
    }
  }

  #tellOpeners(outcome: Outcome): void {
    for (const tell of this.#openers.splice(0)) tell(outcome);
  }

  #start({ breakAtStart, live }: DebugStart): void {
    this.#failure = null;
    const run: Run = {
      breakAtStart,
      live,
      isCancelled: false,
      port: null,
      debuggee: null,
      proxy: null,
      started: Promise.resolve(),
    };
    this.#run = run;
    // A turn later, so that whoever asked is among those who wait.
    run.started = Promise.resolve().then(() => this.#bringUp(run));
  }

  async #bringUp(run: Run): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#startBoth(run);
      } catch (error) {
        this.#failure ??= { error: asError(error), stderrTail: '' };
      }
      if (run.isCancelled) return;
      if (this.#failure === null || tries === PORT_TRIES_MAX || !(await this.#lostItsPort(run))) break;
    }
    if (run.isCancelled) return;
    if (this.#failure !== null) {
      this.#log.warn('debugger-start-failed', { reason: messageOf(this.#failure.error) });
      this.#step({ kind: 'failed' });
    } else {
      this.#step({ kind: 'started' });
    }
  }

  /**
   * True when somebody else was quicker to take the port: nothing is left of the attempt then. Whose inspector
   * answered there, the session proxy found out before it touched anything.
   */
  async #lostItsPort(run: Run): Promise<boolean> {
    const { debuggee, port } = run;
    if (debuggee === null || port === null) return false;
    await this.#killBoth(run);
    const { stderrTail } = await debuggee.exited;
    if (run.isCancelled || !PORT_TAKEN.test(stderrTail)) return false;
    this.#log.info('debugger-port-taken', { port });
    run.debuggee = null;
    run.proxy = null;
    this.#failure = null;
    this.#ports.release(port);
    return true;
  }

  /** Leaves the reason in `#failure` when it came to nothing. */
  async #startBoth(run: Run): Promise<void> {
    const { host, clock, connectRetries = 100, connectRetryDelayMs = 250 } = this.#options;
    const { breakAtStart } = run;
    const found = run.live === undefined ? await this.#startNew(run) : await this.#openLive(run.live);
    if (found === null) return;
    const { debuggee, port } = found;
    run.debuggee = debuggee;
    this.#watchDebuggee(run, debuggee);
    const isGivenUp = (): boolean => run.isCancelled || this.#failure !== null;
    const options = { port, retries: connectRetries, delayMs: connectRetryDelayMs, clock, isGivenUp };
    const isThere = await waitForInspector(options);
    if (isGivenUp()) return;
    if (!isThere) {
      throw new HostError(
        'DEBUGGEE_UNREACHABLE',
        `the inspector of app "${this.#app}" (pid ${debuggee.pid}) did not answer on port ${port} ` +
          `after ${connectRetries} tries`,
      );
    }
    const isLive = run.live !== undefined;
    const ids = { inspectorPort: port, pid: debuggee.pid, breakAtStart, isLive };
    const proxy = await host.startSessionProxy(this.#app, ids);
    run.proxy = proxy;
    this.#watchProxy(run, proxy);
    await Promise.race([proxy.ready, debuggee.exited, proxy.exited]);
  }

  async #startNew(run: Run): Promise<{ debuggee: Debuggee; port: number } | null> {
    const port = await this.#ports.acquire();
    run.port = port;
    if (run.isCancelled) return null;
    const options = { port, breakAtStart: run.breakAtStart, waits: true } as const;
    return { debuggee: await this.#options.host.startDebuggee(this.#app, options), port };
  }

  async #openLive({ pid }: { pid?: number }): Promise<{ debuggee: Debuggee; port: number }> {
    const live = await this.#options.host.openInspector(this.#app, pid);
    return { debuggee: live, port: live.port };
  }

  #watchDebuggee(run: Run, debuggee: Debuggee): void {
    void debuggee.exited.then(({ code, signal, stderrTail }) => {
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
      const message = `app "${this.#app}" ended with ${how} before its debugger was there`;
      if (run.debuggee === debuggee) this.#lost(run, 'APP_EXITED', message, stderrTail);
    });
  }

  #watchProxy(run: Run, proxy: SessionProxyProcess): void {
    const lost = (message: string): void => {
      if (run.proxy === proxy) this.#lost(run, 'DEBUGGEE_UNREACHABLE', message, '');
    };
    proxy.ready.catch((error: unknown) => lost(messageOf(error)));
    void proxy.exited.then(() => lost(`the session proxy of app "${this.#app}" ended before it served`));
  }

  #lost(run: Run, code: ErrorCode, message: string, stderrTail: string): void {
    if (this.#run !== run || run.isCancelled) return;
    this.#failure ??= { error: new HostError(code, message), stderrTail };
    this.#step({ kind: 'exited' });
  }

  async #end(): Promise<void> {
    const run = this.#run;
    this.#run = null;
    if (run !== null) {
      run.isCancelled = true;
      await this.#killBoth(run);
      // Whatever a start under way brought after all goes too.
      await run.started;
      await this.#killBoth(run);
      if (run.port !== null) this.#ports.release(run.port);
    }
    this.#step({ kind: 'ended' });
  }

  async #killBoth(run: Run): Promise<void> {
    // The debuggee first: without its session it would go on from where it stands.
    for (const process of [run.debuggee, run.proxy]) {
      try {
        await process?.kill();
      } catch (error) {
        this.#log.warn('debugger-kill-failed', { reason: messageOf(error) });
      }
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error));
}

function killedAtStart(app: string): Failure {
  const message = `the debugger of app "${app}" was killed while it started`;
  return { error: new HostError('DEBUGGER_NOT_RUNNING', message), stderrTail: '' };
}
