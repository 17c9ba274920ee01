// One inspected thread (the program's main one or a worker), with its one inspector session, shared by any
// number of viewers. Runtime and Debugger stay enabled for ever: a viewer that enables them is told from
// memory, one that disables them only stops hearing. Nothing that a viewer leaves behind stops the program.

import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { UnattendedPolicy } from '../wire/session-messages.ts';
import type { ArmedState } from './armed-state.ts';
import { Breakpoints, type Forward } from './breakpoints.ts';
import { DomainReplay } from './domain-replay.ts';
import {
  errorTail,
  METHOD_NOT_FOUND,
  readTail,
  resultTail,
  SERVER_ERROR,
  type InspectorClient,
  type InspectorEvent,
  type ReplyTail,
} from './inspector-client.ts';
import { OPTIONAL_RESULTS } from './optional-results.ts';
import { RetainedObjects } from './retained-objects.ts';
import { textOf } from './message-text.ts';
import { Snapshots, type ConsoleLine } from './pause-snapshot.ts';
import { readAnnounced, type ReadSource } from './source-file.ts';
import { mayBeStripped, strippedEdit, writtenSource } from './stripped-source.ts';
import { Unattended } from './unattended.ts';

/** Bytes of sources of collected scripts that V8 keeps for the session. */
const SCRIPTS_CACHE_BYTES = 10_000_000;

/** The last value of these holds, whoever set it; worker threads start with it. */
const REMEMBERED = new Set([
  'Debugger.setBreakpointsActive',
  'Debugger.setPauseOnExceptions',
  'Debugger.setAsyncCallStackDepth',
  'Debugger.setBlackboxPatterns',
]);

/** Their answers come as a stream of events that only the one who asked is to get. */
const STREAMING = new Set(['HeapProfiler.takeHeapSnapshot', 'HeapProfiler.stopTrackingHeapObjects']);
const STREAM_EVENTS = new Set([
  'HeapProfiler.addHeapSnapshotChunk',
  'HeapProfiler.reportHeapSnapshotProgress',
]);

/** Their answers hold call frames. */
const WITH_FRAMES = new Set(['Debugger.restartFrame', 'Debugger.setScriptSource']);

type Params = Record<string, unknown>;

/** One viewer at one thread. */
export interface Attachment {
  /** Performs a command; its answer goes to `answer` as a tail, maybe later, unless the viewer left. */
  perform(method: string, params: Params, answer: (tail: ReplyTail) => void): void;
  /** The viewer left, or does not look at this thread any more. */
  detach(): void;
}

/** The stop of a thread before its first line, as far as nobody wants it. */
type StartBreak = 'to-come' | 'passing' | 'over';

interface Seat {
  /** Sends an event, as a tail. */
  send: (tail: string) => void;
  /** Domains whose events the viewer hears. */
  enabled: Set<string>;
  /** It switched the debugger off for a while, as DevTools does to record a profile. */
  isSuspended: boolean;
  wantsSkip: boolean;
}

/** How a thread is shared. */
export interface SharedTargetOptions {
  /** It stops before its first line only because it waited for us; nobody asked for that, so it goes on. */
  passesStart: boolean;
  /** Hears when something was armed or disarmed. */
  changed?: () => void;
  /** Hears when it stands, and when it goes on. */
  pauseChanged?: () => void;
  clock: Clock;
  /** What becomes of a pause that nobody looks at. */
  unattended: UnattendedPolicy;
  /** Default: as this process may. */
  readSource?: ReadSource | undefined;
}

/** A thread that is inspected. */
export class SharedTarget {
  readonly replay = new DomainReplay();
  readonly breakpoints: Breakpoints;
  #client: InspectorClient;
  #log: Log;
  #seats = new Set<Seat>();
  #remembered = new Map<string, Params>();
  #debuggerEnabled: ReplyTail = resultTail({});
  /** Who waits for a stream; V8 serves them in this order. */
  #streams: { seat: Seat }[] = [];
  #isSkipping = false;
  #changed: () => void;
  #pauseChanged: () => void;
  #unattended: Unattended;
  #snapshots: Snapshots;
  #readSource: ReadSource;
  #startBreak: StartBreak;
  #retained = new RetainedObjects((objectGroup) => this.#tell('Runtime.releaseObjectGroup', { objectGroup }));

  constructor(client: InspectorClient, log: Log, options: SharedTargetOptions) {
    const { passesStart, changed = () => {}, pauseChanged = () => {}, clock, unattended } = options;
    this.#readSource = options.readSource ?? readAnnounced;
    this.#unattended = new Unattended(clock, unattended, () => void this.#goOn(unattended));
    const { replay } = this;
    const keep = (line: ConsoleLine): void => this.#tellAll('Runtime', replay.keep(line));
    this.#snapshots = new Snapshots({ client, clock, urlOf: (scriptId) => replay.urlOf(scriptId), keep });
    this.#startBreak = passesStart ? 'to-come' : 'over';
    this.#client = client;
    this.#log = log;
    this.#changed = changed;
    this.#pauseChanged = pauseChanged;
    const forward: Forward = (method, params, onReply) => client.forward(method, params, onReply);
    this.breakpoints = new Breakpoints(forward, changed);
  }

  /** What is armed here, for a thread that is to stop at the same places. */
  armed(): ArmedState {
    return { remembered: [...this.#remembered], breakpoints: this.breakpoints.byUrl() };
  }

  /**
   * Enables what stays enabled, arms what `model` has armed, and lets a waiting thread go. Resolves when the
   * thread has answered. @throws HostError DEBUGGEE_UNREACHABLE
   */
  async start(model: ArmedState): Promise<void> {
    const isEnabled = new Promise<ReplyTail>((resolve) => {
      const params = { maxScriptsCacheSize: SCRIPTS_CACHE_BYTES };
      this.#client.forward('Debugger.enable', params, resolve);
    });
    const calls = [this.#client.call('Runtime.enable')];
    for (const [method, params] of model.remembered) {
      if (!REMEMBERED.has(method)) continue;
      this.#remembered.set(method, params);
      this.#tell(method, params);
    }
    for (const params of model.breakpoints) {
      this.breakpoints.perform('Debugger.setBreakpointByUrl', params, () => {});
    }
    calls.push(this.#client.call('Runtime.runIfWaitingForDebugger'));
    this.#debuggerEnabled = await isEnabled;
    await Promise.all(calls);
  }

  /** Takes an event of the thread. */
  hear(event: InspectorEvent): void {
    if (this.#startBreak !== 'over' && this.#isOfStartBreak(event)) return;
    const tail = this.replay.record(event);
    if (event.method === 'Debugger.paused' || event.method === 'Debugger.resumed') {
      this.#unattended.setPaused(this.replay.isPaused, this.replay.pauseReason === 'Break on start');
      this.#pauseChanged();
    }
    if (event.method === 'Debugger.breakpointResolved') this.breakpoints.resolved(event.params());
    if (event.method === 'Runtime.consoleAPICalled' || event.method === 'Runtime.exceptionThrown') {
      this.#retained.logged(this.#seats.size > 0);
    }
    if (STREAM_EVENTS.has(event.method)) {
      const stream = this.#streams[0];
      if (stream !== undefined && this.#seats.has(stream.seat)) stream.seat.send(tail);
      return;
    }
    this.#tellAll(domainOf(event.method), tail);
    if (this.#seats.size === 0) this.#leaveInstrumentation();
  }

  #tellAll(domain: string, tail: string): void {
    for (const seat of this.#seats) if (seat.enabled.has(domain)) seat.send(tail);
  }

  /** A viewer looks at this thread from now on. `send` gets events as tails. */
  attach(send: (tail: string) => void): Attachment {
    const seat: Seat = { send, enabled: new Set(), isSuspended: false, wantsSkip: false };
    this.#seats.add(seat);
    this.#unattended.setWatched(true);
    return {
      perform: (method, params, answer) => {
        this.#perform(seat, method, params, (tail) => {
          if (this.#seats.has(seat)) answer(tail);
        });
      },
      detach: () => this.#leave(seat),
    };
  }

  #perform(seat: Seat, method: string, params: Params, answer: (tail: ReplyTail) => void): void {
    const domain = domainOf(method);
    // The session has these for all: what one viewer turned off would be off for everybody, workers too.
    if (domain === 'Target' || domain === 'NodeRuntime' || domain === 'NodeWorker') return answer(resultTail({}));
    if (domain === 'Runtime' || domain === 'Debugger') {
      if (this.#performKept(seat, domain, method, params, answer)) return;
    } else if (method === `${domain}.enable` || method === 'NodeTracing.start') {
      this.#enable(seat, domain, method, params, answer);
      return;
    } else if (method === `${domain}.disable`) {
      this.#disable(seat, domain, answer);
      return;
    }
    this.#forward(seat, method, params, answer);
  }

  /** What is answered from memory; false when V8 has to answer. */
  #performKept(
    seat: Seat,
    domain: 'Runtime' | 'Debugger',
    method: string,
    params: Params,
    answer: (tail: ReplyTail) => void,
  ): boolean {
    switch (method) {
      case 'Runtime.enable':
      case 'Debugger.enable':
        this.#replayTo(seat, domain);
        this.#applySkip(() => answer(domain === 'Debugger' ? this.#debuggerEnabled : resultTail({})));
        return true;
      case 'Runtime.disable':
      case 'Debugger.disable':
        if (domain === 'Debugger' && seat.enabled.has(domain)) seat.isSuspended = true;
        seat.enabled.delete(domain);
        this.#applySkip(() => answer(resultTail({})));
        return true;
      case 'Runtime.runIfWaitingForDebugger':
        // It was let go when the session began.
        answer(resultTail({}));
        return true;
      case 'Debugger.setSkipAllPauses':
        seat.wantsSkip = params['skip'] === true;
        this.#applySkip(() => answer(resultTail({})));
        return true;
      case 'Runtime.discardConsoleEntries':
        this.replay.discardConsole();
        return false;
      default:
        return this.breakpoints.perform(method, params, answer);
    }
  }

  /** Lets the thread pass its start; viewers hear nothing of it. */
  #isOfStartBreak(event: InspectorEvent): boolean {
    if (event.method === 'Debugger.resumed') {
      const isOurs = this.#startBreak === 'passing';
      this.#startBreak = 'over';
      return isOurs;
    }
    if (event.method !== 'Debugger.paused') return false;
    const isStart = this.#startBreak === 'to-come' && event.params()['reason'] === 'Break on start';
    this.#startBreak = isStart ? 'passing' : 'over';
    if (isStart) this.#tell('Debugger.resume');
    return isStart;
  }

  #replayTo(seat: Seat, domain: 'Runtime' | 'Debugger'): void {
    if (domain === 'Debugger') seat.isSuspended = false;
    if (seat.enabled.has(domain)) return;
    seat.enabled.add(domain);
    const tails = domain === 'Runtime' ? this.replay.replayRuntime() : this.replay.replayDebugger();
    for (const tail of tails) seat.send(tail);
  }

  #forward(seat: Seat, method: string, params: Params, answer: (tail: ReplyTail) => void): void {
    const marked = params['callFrameId'];
    if (typeof marked === 'string') {
      const callFrameId = this.replay.unmarkFrame(marked);
      if (callFrameId === null) {
        answer(errorTail(SERVER_ERROR, 'The call frame is of an earlier pause'));
        return;
      }
      params = { ...params, callFrameId };
    }
    if (REMEMBERED.has(method)) {
      this.#remembered.set(method, params);
      this.#changed();
    }
    const owned = this.#retained.own(seat, method, params, this.#seats.size === 1);
    if (owned === null) return answer(resultTail({}));
    const isEdit = method === 'Debugger.setScriptSource' && mayBeStripped(this.replay.urlOf(textOf(owned['scriptId'])));
    if (isEdit) this.#editStripped(seat, owned, answer);
    else this.#pass(seat, method, owned, answer);
  }

  /** To V8, and its answer back. */
  #pass(seat: Seat, method: string, params: Params, answer: (tail: ReplyTail) => void): void {
    const stream = STREAMING.has(method) ? { seat } : null;
    if (stream !== null) this.#streams.push(stream);
    this.#client.forward(method, params, (tail) => {
      if (stream !== null) this.#streams.splice(this.#streams.indexOf(stream), 1);
      if (method === 'Debugger.getScriptSource') void this.#asWritten(params, tail).then(answer);
      else answer(this.#mended(method, tail));
    });
  }

  /** Edits what is shown of a script that Node stripped of its types. */
  #editStripped(seat: Seat, params: Params, answer: (tail: ReplyTail) => void): void {
    const { scriptId } = params;
    this.#client.forward('Debugger.getScriptSource', { scriptId }, (tail) => {
      const { result = {} } = readTail(tail);
      const edit = strippedEdit(textOf(params['scriptSource']), textOf(result['scriptSource']));
      if (edit.kind === 'text') {
        this.#pass(seat, 'Debugger.setScriptSource', { ...params, scriptSource: edit.text }, answer);
      } else if (edit.kind === 'unable') {
        const reason = `the Node of the host, ${process.version}, cannot take types out of TypeScript`;
        answer(errorTail(SERVER_ERROR, reason));
      } else {
        const exceptionDetails = { exceptionId: 0, text: edit.reason, lineNumber: -1, columnNumber: -1 };
        answer(resultTail({ status: 'CompileError', exceptionDetails }));
      }
    });
  }

  /** The answer to getScriptSource: TypeScript that Node stripped of its types is shown with them. */
  async #asWritten(params: Params, tail: ReplyTail): Promise<ReplyTail> {
    const url = this.replay.urlOf(textOf(params['scriptId']));
    if (!mayBeStripped(url) || tail.startsWith('"error"')) return tail;
    const { result = {} } = readTail(tail);
    const scriptSource = await writtenSource(url, String(result['scriptSource']), this.#readSource);
    return resultTail({ ...result, scriptSource });
  }

  /** An answer as viewers are to see it. */
  #mended(method: string, tail: ReplyTail): ReplyTail {
    if (WITH_FRAMES.has(method)) {
      const reply = readTail(tail);
      if (reply.result === undefined) return tail;
      this.replay.markFrames(reply.result);
      return resultTail(reply.result);
    }
    const optional = OPTIONAL_RESULTS[method];
    if (optional === undefined || !tail.startsWith('"error"')) return tail;
    return readTail(tail).error?.code === METHOD_NOT_FOUND ? resultTail(optional) : tail;
  }

  /** Enables one of the domains that only run while somebody wants them. */
  #enable(
    seat: Seat,
    domain: string,
    method: string,
    params: Params,
    answer: (tail: ReplyTail) => void,
  ): void {
    const isFirst = !this.#isEnabled(domain);
    seat.enabled.add(domain);
    if (!isFirst && method.endsWith('.enable')) {
      answer(resultTail({}));
      return;
    }
    this.#forward(seat, method, params, (tail) => {
      if (tail.startsWith('"error"')) seat.enabled.delete(domain);
      answer(tail);
    });
  }

  #disable(seat: Seat, domain: string, answer: (tail: ReplyTail) => void): void {
    const was = seat.enabled.delete(domain);
    if (!was || this.#isEnabled(domain)) answer(resultTail({}));
    else this.#forward(seat, `${domain}.disable`, {}, answer);
  }

  #isEnabled(domain: string): boolean {
    for (const seat of this.#seats) if (seat.enabled.has(domain)) return true;
    return false;
  }

  #leave(seat: Seat): void {
    if (!this.#seats.delete(seat)) return;
    for (const domain of seat.enabled) {
      if (domain === 'Runtime' || domain === 'Debugger' || this.#isEnabled(domain)) continue;
      this.#tell(domain === 'NodeTracing' ? 'NodeTracing.stop' : `${domain}.disable`);
    }
    this.#applySkip(() => {});
    this.#retained.left(seat, this.#seats.size === 0);
    if (this.#seats.size > 0) return;
    this.#unattended.setWatched(false);
    this.breakpoints.removeInstrumentation();
    this.#leaveInstrumentation();
  }

  /** Nobody looks at the pause; whoever comes is told of it in the console. */
  async #goOn(policy: UnattendedPolicy): Promise<void> {
    const params = this.replay.pauseParams();
    if (params === null) return;
    if (policy.kind === 'resume') {
      const value = `went on after a pause of ${policy.afterMs / 1000} s that nobody looked at`;
      this.#tellAll('Runtime', this.replay.keep({ type: 'warning', args: [{ type: 'string', value }] }));
    } else {
      await this.#snapshots.take(params);
      // Whoever came meanwhile has it now.
      if (this.#seats.size > 0) return;
    }
    this.#log.debug('pause-unattended', { policy: policy.kind });
    this.#tell('Debugger.resume');
  }

  /** Nobody is there to go on after a stop that only prepares a script. */
  #leaveInstrumentation(): void {
    if (this.replay.pauseReason === 'instrumentation') this.#tell('Debugger.resume');
  }

  /**
   * Pauses are skipped while a viewer wants it, or while the only ones there have the debugger off. `done`
   * is called when V8 does so: whoever waits for an answer may rely on it.
   */
  #applySkip(done: () => void): void {
    let isWanted = false;
    let isSuspended = false;
    for (const seat of this.#seats) {
      isWanted ||= seat.wantsSkip;
      isSuspended ||= seat.isSuspended;
    }
    const isSkipping = isWanted || (isSuspended && !this.#isEnabled('Debugger'));
    if (isSkipping === this.#isSkipping) {
      done();
      return;
    }
    this.#isSkipping = isSkipping;
    this.#client.forward('Debugger.setSkipAllPauses', { skip: isSkipping }, done);
  }

  /** A command of our own whose failure changes nothing. */
  #tell(method: string, params: Params = {}): void {
    this.#client.call(method, params).catch((error: unknown) => {
      this.#log.debug('inspector-command-failed', { method, reason: messageOf(error) });
    });
  }
}

function domainOf(method: string): string {
  const dot = method.indexOf('.');
  return dot === -1 ? method : method.slice(0, dot);
}
