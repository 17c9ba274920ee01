// The debugger of one app, on the host's side: starts a debuggee and its session proxy, and ends both.
// debug-state.ts says what may follow what.

import { randomBytes } from 'node:crypto';
import { unreachable } from '../base/assert.ts';
import { pause, type Clock } from '../base/clock.ts';
import { HostError, messageOf, type ErrorCode } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { AskedRequest, Decision } from '../wire/front-messages.ts';
import type { InspectorAddress } from '../wire/inspector-messages.ts';
import { answerWith, failurePage, KILLED_TEXT, NOT_RUNNING_TEXT, refusal } from './debug-answer.ts';
import type { AdoptedPair, Debuggee, DebuggerHost, LiveProcesses, SessionProxyProcess } from './debug-host.ts';
import {
  stepDebug, type DebugEffect, type DebugEvent, type DebugScope, type DebugStart, type DebugState,
} from './debug-state.ts';
import { describeAddress, isInspectorThere, type InspectorAddresses } from './inspector-address.ts';
import { waitForInspector } from './inspector-ready.ts';
import { admitted, noRequests, requestCookie, RequestLinks, requestsPage } from './request-links.ts';

/** What {@link AppSession} needs. */
export interface AppSessionOptions {
  host: DebuggerHost;
  /** How long a program that does not listen yet is looked at before its page is given, in ms. Default 200. */
  firstStepsMs?: number;
  clock: Clock;
  log: Log;
}

/** What is shown of a debugger. */
export interface DebugStatus {
  state: 'idle' | 'starting' | 'debug';
  scope?: DebugScope;
  /** Processes that serve were attached to: those that come later belong to it too. */
  isLive?: boolean;
  /** Where its inspector is, on 127.0.0.1; absent without a port. */
  port?: number;
  pid?: number;
}

type Outcome = { kind: 'pass' } | { kind: 'failed'; error: Error; stderrTail: string };

/** One debuggee with its proxy, from the decision to start it until both are gone. */
interface Run {
  start: DebugStart;
  isCancelled: boolean;
  /** Acquired for it; a process that runs has a port of its own. */
  address: InspectorAddress | null;
  /** Where the inspector of the debuggee is. */
  inspector: InspectorAddress | null;
  debuggee: Debuggee | null;
  proxy: SessionProxyProcess | null;
  /** Settles when the start came to an end, whichever. */
  started: Promise<void>;
}

/** A debuggee with its inspector, and other processes that belong to it. */
interface Found {
  debuggee: Debuggee;
  inspector: InspectorAddress;
  others: LiveProcesses['others'];
}

interface Failure {
  error: Error;
  stderrTail: string;
}

const FIRST_STEPS_MS = 200;
/** A port may be taken between its test and its use, by another host say: so many are tried. */
const PORT_TRIES_MAX = 10;
/** What node says on stderr then. */
const PORT_TAKEN = /^Starting inspector on 127\.0\.0\.1:\d+ failed: address already in use/m;

/** The debugger of one app: performs what {@link stepDebug} decides. */
export class AppSession {
  #app: string;
  #options: AppSessionOptions;
  #addresses: InspectorAddresses;
  #log: Log;
  #state: DebugState = { kind: 'idle' };
  #run: Run | null = null;
  #failure: Failure | null = null;
  #openers: ((outcome: Outcome) => void)[] = [];
  #killers: (() => void)[] = [];
  #ending: Promise<void> = Promise.resolve();
  /** Whose requests the session under way is about. */
  #scope: DebugScope = 'everyone';
  /** Leads requests to the debuggee in scope `mine`; anew for each session, the same when files change. */
  #secret = '';
  #links: RequestLinks;

  constructor(app: string, options: AppSessionOptions, addresses: InspectorAddresses) {
    this.#app = app;
    this.#links = new RequestLinks(options.clock);
    this.#options = options;
    this.#addresses = addresses;
    this.#log = options.log.with({ app });
  }

  isDebugging(): boolean {
    const { kind } = this.#state;
    return kind === 'starting' || kind === 'debug' || (kind === 'ending' && this.#state.reopen !== null);
  }

  status(): DebugStatus {
    if (!this.isDebugging()) return { state: 'idle' };
    const { address, debuggee } = this.#run ?? { address: null, debuggee: null };
    return {
      state: this.#state.kind === 'debug' ? 'debug' : 'starting',
      scope: this.#scope,
      ...(this.#run?.start.live !== undefined && this.#run.start.live.pid === undefined ? { isLive: true } : {}),
      ...(address?.kind === 'port' ? { port: address.port } : {}),
      ...(debuggee === null ? {} : { pid: debuggee.pid }),
    };
  }

  /** Requests that show this go to the debuggee; null: there are no such. */
  get secret(): string | null {
    return this.isDebugging() && this.#scope === 'mine' ? this.#secret : null;
  }

  /** `?requests`: how requests get to the debuggee. */
  showRequests(request: AskedRequest): Decision {
    const { secret } = this;
    return secret === null ? noRequests() : requestsPage(request, secret, this.#links.create());
  }

  /** `?requests=<link>`: whoever has the link sends requests to the debuggee, and gets nothing else. */
  admit(request: AskedRequest, link: string): Decision {
    const { secret } = this;
    if (secret === null) return noRequests();
    if (!this.#links.redeem(link)) return refusal('the link was used already, or is over; make a new one');
    return admitted(this.#app, secret, request);
  }

  async open(request: AskedRequest, start: DebugStart): Promise<Decision> {
    if (!this.isDebugging()) {
      this.#scope = start.scope;
      this.#secret = randomBytes(24).toString('base64url');
      this.#links.clear();
    }
    const outcome = await new Promise<Outcome>((resolve) => {
      this.#step({ kind: 'open', ...start }, (effect) => this.#answerOpener(effect, resolve));
    });
    const { secret } = this;
    if (outcome.kind === 'failed') {
      const { masksFailures } = this.#options.host.settingsOf(this.#app);
      return failurePage(this.#app, request, { ...outcome, masksFailures });
    }
    if (secret === null) return { kind: 'pass' };
    return { kind: 'pass', fields: requestCookie(this.#app, secret, request.encrypted) };
  }

  kill(): Promise<Decision> {
    return new Promise((resolve) => {
      this.#step({ kind: 'kill' }, (effect) => {
        if (effect.kind === 'answer-not-running') resolve(answerWith(200, NOT_RUNNING_TEXT));
        else this.#killers.push(() => resolve(answerWith(200, KILLED_TEXT)));
      });
    });
  }

  /** Goes on with what a host before this one has started. */
  adopt({ debuggee, proxy, terms }: AdoptedPair): void {
    const { breakAtStart, scope, secret, inspector, live } = terms;
    this.#scope = scope;
    this.#secret = secret;
    const start = { breakAtStart, scope, ...(live === undefined ? {} : { live }) };
    const address = live === undefined ? inspector : null;
    const started = Promise.resolve();
    const run: Run = { start, isCancelled: false, address, inspector, debuggee, proxy, started };
    this.#run = run;
    this.#step({ kind: 'adopted' });
    this.#watchDebuggee(run, debuggee);
    this.#watchProxy(run, proxy);
  }

  changed(): void {
    this.#step({ kind: 'changed', start: this.#run?.start ?? { breakAtStart: false, scope: this.#scope } });
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
    const [secretBefore, wasDebugging] = [this.secret, this.isDebugging()];
    const [next, effects] = stepDebug(this.#state, event);
    if (next.kind !== this.#state.kind) {
      this.#log.info('debugger-state', { from: this.#state.kind, event: event.kind, to: next.kind });
    }
    this.#state = next;
    const isOther = secretBefore !== this.secret || wasDebugging !== this.isDebugging();
    if (isOther) this.#options.host.scopeChanged(this.#app);
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

  #start({ kind: _kind, ...start }: DebugEffect & { kind: 'start' }): void {
    this.#failure = null;
    const run: Run = {
      start,
      isCancelled: false,
      address: null,
      inspector: null,
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
      this.#letItOutliveUs(run);
    }
  }

  #letItOutliveUs({ start: { breakAtStart, scope, live }, inspector }: Run): void {
    if (inspector === null) return;
    if (inspector.kind === 'port') {
      const reason = 'every user of this machine reaches the inspector until the session ends';
      this.#log.warn('inspector-port-open', { port: inspector.port, reason });
    }
    const terms = { inspector, breakAtStart, scope, secret: this.#secret, ...(live === undefined ? {} : { live }) };
    this.#options.host.sessionStarted(this.#app, terms);
  }

  /**
   * True when somebody else was quicker to take the port: nothing is left of the attempt then. Whose inspector
   * answered there, the session proxy found out before it touched anything.
   */
  async #lostItsPort(run: Run): Promise<boolean> {
    const { debuggee, address } = run;
    if (debuggee === null || address?.kind !== 'port') return false;
    await this.#killBoth(run);
    const { stderrTail } = await debuggee.exited;
    if (run.isCancelled || !PORT_TAKEN.test(stderrTail)) return false;
    this.#log.info('debugger-port-taken', { port: address.port });
    run.debuggee = null;
    run.proxy = null;
    this.#failure = null;
    this.#addresses.release(address);
    return true;
  }

  /** Leaves the reason in `#failure` when it came to nothing. */
  async #startBoth(run: Run): Promise<void> {
    const { host, clock } = this.#options;
    const { retries, retryDelayMs } = host.settingsOf(this.#app);
    const { breakAtStart, scope, live } = run.start;
    const found = live === undefined ? await this.#startNew(run) : await this.#openLive(live);
    if (found === null) return;
    const { debuggee, inspector, others } = found;
    run.debuggee = debuggee;
    run.inspector = inspector;
    this.#watchDebuggee(run, debuggee);
    const isGivenUp = (): boolean => run.isCancelled || this.#failure !== null;
    const isThere = await waitForInspector({
      isThere: () => isInspectorThere(inspector),
      retries,
      delayMs: retryDelayMs,
      clock,
      isGivenUp,
    });
    if (isGivenUp()) return;
    if (!isThere) {
      throw new HostError(
        'DEBUGGEE_UNREACHABLE',
        `the inspector of app "${this.#app}" (pid ${debuggee.pid}) did not answer on ${describeAddress(inspector)} ` +
          `after ${retries} tries, ${retryDelayMs} ms apart (debuggerRetries, debuggerRetryDelayMs)`,
      );
    }
    const ids = { inspector, pid: debuggee.pid, breakAtStart, isLive: live !== undefined, scope, others };
    const proxy = await host.startSessionProxy(this.#app, ids);
    run.proxy = proxy;
    this.#watchProxy(run, proxy);
    await Promise.race([proxy.ready, debuggee.exited, proxy.exited]);
    await this.#watchFirstSteps(run, debuggee);
  }

  /**
   * A program that fails at once ends while its page is on the way, and nobody would serve what the page
   * consists of. So the page waits until it listens, or a moment, and says why instead.
   */
  async #watchFirstSteps({ start, isCancelled }: Run, debuggee: Debuggee): Promise<void> {
    const { clock, firstStepsMs = FIRST_STEPS_MS } = this.#options;
    if (isCancelled || this.#failure !== null || start.breakAtStart || start.live !== undefined) return;
    await Promise.race([debuggee.exited, debuggee.listened, pause(firstStepsMs, clock)]);
  }

  async #startNew(run: Run): Promise<Found | null> {
    const inspector = await this.#addresses.acquire();
    run.address = inspector;
    if (run.isCancelled) return null;
    const { breakAtStart, scope } = run.start;
    const options = { inspector, breakAtStart, waits: true, isAside: scope === 'mine' } as const;
    return { debuggee: await this.#options.host.startDebuggee(this.#app, options), inspector, others: [] };
  }

  async #openLive({ pid }: { pid?: number }): Promise<Found> {
    const live = await this.#options.host.openInspector(this.#app, pid);
    return { debuggee: live, inspector: { kind: 'port', port: live.port }, others: live.others };
  }

  #watchDebuggee(run: Run, debuggee: Debuggee): void {
    void debuggee.exited.then(({ code, signal, stderrTail }) => {
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
      const message = `app "${this.#app}" ended with ${how} before its debugger was there`;
      if (run.debuggee === debuggee && !run.isCancelled) run.proxy?.hearLastWords(stderrTail);
      // Other processes may have taken over; the proxy ends when the last one is gone.
      if (run.start.live !== undefined && this.#state.kind === 'debug') return;
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
      if (run.address !== null) this.#addresses.release(run.address);
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
