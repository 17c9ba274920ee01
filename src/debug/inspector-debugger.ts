// The debugger implementation for V8: a program with an inspector, behind the proxy of inspector-pipe.ts.

import { EventEmitter } from 'node:events';
import { realpathSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type {
  Breakpoint,
  Callback,
  DebuggedProgram,
  DebuggerEvents,
  DebuggerImplementation,
  DebuggerState,
  Frame,
  Scope,
  Source,
  Variable,
} from './debugger-implementation.ts';
import type { DebuggerSocket, SocketProxy } from './debugger-socket.ts';
import { SESSION_ENDED_TEXT } from './inspector-client.ts';
import { evaluate, propertiesOf, serialize, setVariable, type Call } from './inspector-evaluation.ts';
import { InspectorLink } from './inspector-link.ts';
import { inspectorPipeSource, LIST_BREAKPOINTS } from './inspector-pipe.ts';
import {
  errorOf,
  readPause,
  settle,
  type Params,
  type Pause,
  type RemoteBreakpoint,
} from './inspector-values.ts';

/** Waits for a program that is about to start: so often, this apart. */
const RETRIES = 100;
const RETRY_INTERVAL_MS = 300;

/** See {@link DebuggerImplementation}. */
export class InspectorDebugger extends EventEmitter<DebuggerEvents> implements DebuggerImplementation {
  readonly type = 'inspector';
  readonly features = {
    scripts: true,
    conditionalBreakpoints: true,
    liveUpdate: true,
    updateWatchedVariables: true,
    updateScopeVariables: true,
    setBreakBehavior: true,
    executeCode: true,
  };
  #link: InspectorLink | null = null;
  #sources = new Map<string, Source>();
  #breakpoints = new Map<string, Breakpoint>();
  #pause: Pause | null = null;
  #isAttached = false;
  #isSynced = false;
  #keepsStart = false;
  #isSuspending = false;
  #attaching: Callback | null = null;
  #breaks = { all: false, uncaught: false };
  #pathMap: readonly { program: string; user: string }[] = [];

  get attached(): boolean {
    return this.#isAttached;
  }

  get state(): DebuggerState {
    if (!this.#isAttached) return null;
    return this.#pause === null ? 'running' : 'stopped';
  }

  get breakOnExceptions(): boolean {
    return this.#breaks.all;
  }

  get breakOnUncaughtExceptions(): boolean {
    return this.#breaks.uncaught;
  }

  getProxySource(program: DebuggedProgram): SocketProxy {
    const { debugPort, proxyPort = debugPort + 1, socketPath } = program;
    return {
      source: inspectorPipeSource({ debuggeePort: debugPort, listen: socketPath ?? proxyPort }),
      port: proxyPort,
      ...(socketPath === undefined ? {} : { socketPath }),
      retries: RETRIES,
      retryIntervalMs: RETRY_INTERVAL_MS,
      detach: true,
    };
  }

  attach(socket: DebuggerSocket, reconnect: boolean, callback?: Callback): void {
    this.#link?.close();
    this.#keepsStart = reconnect;
    this.#attaching = callback ?? null;
    const link = new InspectorLink(socket, {
      ready: (isBack) => this.#begin(isBack),
      event: (method, params) => this.#hear(method, params),
      ended: () => this.#ended(link),
    });
    this.#link = link;
    link.open();
  }

  detach(): void {
    this.#link?.close();
    this.#link = null;
  }

  sync(breakpoints: Breakpoint[], reconnect: boolean, callback?: Callback): void {
    this.#keepsStart ||= reconnect;
    this.#answer(callback, this.#sync(breakpoints));
  }

  getSources(callback: Callback<Source[]>): void {
    this.#answer(callback, Promise.resolve([...this.#sources.values()]));
  }

  getSource(source: Source, callback: Callback<string>): void {
    const reply = this.#call('Debugger.getScriptSource', { scriptId: source.id });
    this.#answer(callback, reply.then(({ scriptSource }) => String(scriptSource)));
  }

  getFrames(callback: Callback<Frame[]>, silent = false): void {
    const frames = this.#pause?.frames ?? [];
    if (!silent) this.emit('getFrames', frames);
    this.#answer(callback, Promise.resolve(frames));
  }

  getScope(_frame: Frame, scope: Scope, callback: Callback<Variable[]>): void {
    this.#answer(callback, propertiesOf(this.#say, scope.reference, scope));
  }

  getProperties(variable: Variable, callback: Callback<Variable[]>): void {
    const { reference } = variable;
    const none = Promise.resolve([]);
    this.#answer(callback, reference === undefined ? none : propertiesOf(this.#say, reference, reference));
  }

  stepInto(callback?: Callback): void {
    this.#go('Debugger.stepInto', callback);
  }

  stepOver(callback?: Callback): void {
    this.#go('Debugger.stepOver', callback);
  }

  stepOut(callback?: Callback): void {
    this.#go('Debugger.stepOut', callback);
  }

  resume(callback?: Callback): void {
    this.#go('Debugger.resume', callback);
  }

  suspend(callback?: Callback): void {
    this.#isSuspending = true;
    this.#go('Debugger.pause', callback);
  }

  evaluate(
    expression: string,
    frame: Frame | null,
    global: boolean,
    disableBreak: boolean,
    callback: Callback<Variable>,
  ): void {
    const where = { frame: global ? null : frame, disableBreak };
    this.#answer(callback, evaluate(this.#say, expression, where));
  }

  setScriptSource(source: Source, text: string, previewOnly: boolean, callback?: Callback): void {
    const params = { scriptId: source.id, scriptSource: text, dryRun: previewOnly };
    const work = this.#call('Debugger.setScriptSource', params).then(({ status, exceptionDetails }) => {
      if (status !== undefined && status !== 'Ok') {
        const why = exceptionDetails === undefined ? '' : `: ${errorOf(exceptionDetails as Params).message}`;
        throw new Error(`${source.path} was not changed: ${String(status)}${why}`);
      }
      if (!previewOnly) this.emit('setScriptSource', { source });
    });
    this.#answer(callback, work);
  }

  setBreakpoint(breakpoint: Breakpoint, callback?: Callback<Breakpoint>): void {
    this.#answer(callback, this.#set(breakpoint));
  }

  changeBreakpoint(breakpoint: Breakpoint, callback?: Callback<Breakpoint>): void {
    this.#answer(callback, this.#clear(breakpoint).then(() => this.#set(breakpoint)));
  }

  clearBreakpoint(breakpoint: Breakpoint, callback?: Callback<Breakpoint>): void {
    this.#answer(callback, this.#clear(breakpoint));
  }

  listBreakpoints(callback: Callback<Breakpoint[]>): void {
    this.#answer(callback, this.#list());
  }

  setVariable(variable: Variable, value: string, frame: Frame, callback?: Callback<Variable>): void {
    const where = { value, frame, frames: this.#pause?.frames ?? [] };
    this.#answer(callback, setVariable(this.#say, variable, where));
  }

  restartFrame(frame: Frame, callback?: Callback): void {
    const params = { callFrameId: frame.id, mode: 'StepInto' };
    this.#answer(callback, this.#call('Debugger.restartFrame', params).then(() => {}));
  }

  serializeVariable(variable: Variable, callback: Callback<string>): void {
    this.#answer(callback, serialize(this.#say, variable));
  }

  setBreakBehavior(kind: 'all' | 'uncaught', enabled: boolean, callback?: Callback): void {
    this.#breaks = { all: false, uncaught: false, [kind]: enabled };
    this.#answer(callback, this.#applyBreaks());
  }

  setPathMap(map: readonly { program: string; user: string }[]): void {
    this.#pathMap = map;
    for (const source of this.#sources.values()) source.path = this.#pathOf(source.url);
  }

  #answer<Value>(callback: Callback<Value> | undefined, work: Promise<Value>): void {
    void settle(callback, work);
  }

  #call(method: string, params: Params = {}): Promise<Params> {
    return this.#link?.call(method, params) ?? Promise.reject(new Error(SESSION_ENDED_TEXT));
  }

  #say: Call = (method, params) => this.#call(method, params);

  #go(method: string, callback: Callback | undefined): void {
    this.#answer(callback, this.#call(method).then(() => {}));
  }

  /** The program is there, anew or again. What the user has set is asked for. */
  #begin(isBack: boolean): void {
    this.#keepsStart ||= isBack;
    const breakpoints: Breakpoint[] = [];
    this.emit('getBreakpoints', breakpoints);
    const attaching = this.#attaching;
    this.#attaching = null;
    const tell: Callback = (error) => {
      attaching?.(error);
      if (error !== null && this.listenerCount('error') > 0) this.emit('error', error);
    };
    this.#answer(tell, this.#sync(breakpoints));
  }

  #ended(link: InspectorLink): void {
    if (this.#link !== link) return;
    const wasAttached = this.#isAttached;
    this.#forget();
    this.#isAttached = false;
    // What comes next on this socket is another program.
    this.#keepsStart = false;
    if (!wasAttached) return;
    this.emit('frameActivate', { frame: null });
    this.emit('stateChange', { state: null });
    this.emit('detach');
  }

  #forget(): void {
    this.#isSynced = false;
    this.#pause = null;
    this.#sources.clear();
    this.#breakpoints.clear();
  }

  async #sync(breakpoints: Breakpoint[]): Promise<void> {
    this.#isSynced = false;
    this.emit('sources', [...this.#sources.values()]);
    await this.#updateBreakpoints(breakpoints);
    if (this.#breaks.all || this.#breaks.uncaught) await this.#applyBreaks();
    this.#isSynced = true;
    this.#isAttached = true;
    this.emit('attach', { breakpoints });
    this.emit('stateChange', { state: this.state });
    await this.#showPause();
  }

  /** The user's word counts; what is set in the program alone is added to the user's list. */
  async #updateBreakpoints(breakpoints: Breakpoint[]): Promise<void> {
    const remote = await this.#list();
    for (const breakpoint of breakpoints) {
      const at = remote.findIndex((other) => this.#isSame(breakpoint, other));
      const found = at === -1 ? undefined : remote.splice(at, 1)[0];
      delete breakpoint.id;
      if (found?.id !== undefined) breakpoint.id = found.id;
      const isRight = found !== undefined && (found.condition ?? '') === (breakpoint.condition ?? '');
      if (!breakpoint.enabled) await this.#clear(breakpoint);
      else if (!isRight) await this.#set(breakpoint);
      else this.#settled(breakpoint, found.actual);
    }
    for (const found of remote) {
      found.serverOnly = true;
      breakpoints.push(found);
      this.#settled(found, found.actual);
    }
  }

  #isSame(one: Breakpoint, other: Breakpoint): boolean {
    if (one.id !== undefined && one.id === other.id) return true;
    if (this.#urlOf(one.path) !== this.#urlOf(other.path)) return false;
    return one.line === other.line && (one.column ?? 0) === (other.column ?? 0);
  }

  async #list(): Promise<Breakpoint[]> {
    const { breakpoints } = await this.#call(LIST_BREAKPOINTS);
    return (breakpoints as RemoteBreakpoint[]).map(({ breakpointId, params, locations }) => {
      const { url, urlRegex, lineNumber, columnNumber, condition } = params;
      const [actual] = locations;
      return {
        id: breakpointId,
        path: this.#pathOf(url ?? urlRegex ?? ''),
        line: lineNumber,
        enabled: true,
        ...(columnNumber === undefined ? {} : { column: columnNumber }),
        ...(condition === undefined || condition === '' ? {} : { condition }),
        ...(actual === undefined ? {} : { actual: { line: actual.lineNumber, column: actual.columnNumber ?? 0 } }),
      };
    });
  }

  async #set(breakpoint: Breakpoint): Promise<Breakpoint> {
    if (!breakpoint.enabled) return breakpoint;
    const { path, line: lineNumber, column: columnNumber, condition = '' } = breakpoint;
    const place = { lineNumber, ...(columnNumber === undefined ? {} : { columnNumber }) };
    const params = { url: this.#urlOf(path), ...place, condition };
    const { breakpointId, locations } = await this.#call('Debugger.setBreakpointByUrl', params);
    breakpoint.id = String(breakpointId);
    const [actual] = locations as RemoteBreakpoint['locations'];
    const found = actual === undefined ? undefined : { line: actual.lineNumber, column: actual.columnNumber ?? 0 };
    this.#settled(breakpoint, found);
    return breakpoint;
  }

  #settled(breakpoint: Breakpoint, actual: Breakpoint['actual']): void {
    if (breakpoint.id !== undefined) this.#breakpoints.set(breakpoint.id, breakpoint);
    if (actual === undefined) delete breakpoint.actual;
    else breakpoint.actual = actual;
    this.emit('breakpointUpdate', { breakpoint });
  }

  async #clear(breakpoint: Breakpoint): Promise<Breakpoint> {
    const { id } = breakpoint;
    if (id === undefined) return breakpoint;
    await this.#call('Debugger.removeBreakpoint', { breakpointId: id });
    this.#breakpoints.delete(id);
    delete breakpoint.id;
    this.#settled(breakpoint, undefined);
    return breakpoint;
  }

  async #applyBreaks(): Promise<void> {
    const { all, uncaught } = this.#breaks;
    await this.#call('Debugger.setPauseOnExceptions', { state: all ? 'all' : uncaught ? 'uncaught' : 'none' });
  }

  #hear(method: string, params: Params): void {
    switch (method) {
      case 'Debugger.scriptParsed':
        return this.#scriptParsed(String(params['scriptId']), String(params['url']));
      case 'Debugger.paused':
        this.#pause = readPause(params, {
          pathOf: (url) => this.#pathOf(url),
          urlOf: (id) => this.#sources.get(id)?.url ?? '',
        });
        if (this.#isSynced) void this.#showPause();
        return;
      case 'Debugger.resumed':
        this.#pause = null;
        // V8 takes no notice of a wish to stop that comes before it has gone on: said once more.
        if (this.#isSuspending) this.#go('Debugger.pause', undefined);
        if (!this.#isSynced) return;
        this.emit('frameActivate', { frame: null });
        this.emit('stateChange', { state: 'running' });
        return;
      case 'Debugger.breakpointResolved': {
        const breakpoint = this.#breakpoints.get(String(params['breakpointId']));
        const { lineNumber, columnNumber } = params['location'] as RemoteBreakpoint['locations'][number];
        if (breakpoint !== undefined) this.#settled(breakpoint, { line: lineNumber, column: columnNumber ?? 0 });
        return;
      }
    }
  }

  #scriptParsed(id: string, url: string): void {
    const isNew = !this.#sources.has(id);
    const source: Source = { id, url, path: this.#pathOf(url) };
    this.#sources.set(id, source);
    if (isNew && this.#isSynced) this.emit('sourcesCompile', { source });
  }

  /** A new program stops before its first line; it goes on from there unless the user wants to stop there. */
  async #showPause(): Promise<void> {
    const pause = this.#pause;
    if (pause === null) return;
    const [frame] = pause.frames;
    const isStart = pause.reason === 'Break on start' && !this.#keepsStart;
    this.#keepsStart = true;
    if (isStart && frame !== undefined && !(await this.#isWanted(frame))) {
      await this.#call('Debugger.resume').catch(() => {});
      return;
    }
    if (frame === undefined || this.#pause !== pause) return;
    this.emit('stateChange', { state: 'stopped' });
    this.emit('frameActivate', { frame });
    if (this.#isSuspending) this.emit('suspend');
    this.#isSuspending = false;
    if (pause.exception === null) this.emit('break', { frame, frames: pause.frames });
    else this.emit('exception', { frame, exception: pause.exception });
  }

  async #isWanted(frame: Frame): Promise<boolean> {
    for (const { enabled, path, line, actual, condition } of this.#breakpoints.values()) {
      const isHere = line === frame.line || actual?.line === frame.line;
      if (!enabled || !isHere || this.#urlOf(path) !== this.#urlOf(frame.path)) continue;
      if (condition === undefined || condition === '') return true;
      const here = { frame, disableBreak: true };
      const verdict = await evaluate(this.#say, `!!(${condition})`, here).catch(() => null);
      if (verdict?.value === 'true') return true;
    }
    return false;
  }

  #pathOf(url: string): string {
    let path = url;
    try {
      if (url.startsWith('file:')) path = fileURLToPath(url);
    } catch {
      // A file of another machine: its URL says it best.
    }
    const rule = this.#pathMap.find(({ program }) => path.startsWith(program));
    return rule === undefined ? path : rule.user + path.slice(rule.program.length);
  }

  /** What V8 calls it: a file by its real path, whatever links led there. */
  #urlOf(path: string): string {
    const rule = this.#pathMap.find(({ user }) => path.startsWith(user));
    const there = rule === undefined ? path : rule.program + path.slice(rule.user.length);
    if (!isAbsolute(there)) return there;
    try {
      return pathToFileURL(realpathSync.native(there)).href;
    } catch {
      // Not on this machine.
      return pathToFileURL(there).href;
    }
  }
}
