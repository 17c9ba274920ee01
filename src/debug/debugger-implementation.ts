// What a debugger for one kind of program is to a debugger's user interface: the contract of its plugins. Lines
// and columns count from 0. Every callback is called exactly once: when the session ends, with the error
// "Debug Session Ended".

import type { EventEmitter } from 'node:events';
import type { DebuggerSocket, SocketProxy } from './debugger-socket.ts';

/** Called once. */
export type Callback<Value = void> = (error: Error | null, value?: Value) => void;

/** A program to be debugged, as whoever started it knows it. */
export interface DebuggedProgram {
  /** Where its debugger listens, on 127.0.0.1. */
  debugPort: number;
  /** Where the proxy is to listen. Default one more. */
  proxyPort?: number;
  /** Instead of the proxy's port: path of a Unix socket, made for its owner only. */
  socketPath?: string;
}

/** What an implementation can do; a user interface hides the rest. */
export interface DebuggerFeatures {
  /** Lists scripts and their text. */
  scripts: boolean;
  conditionalBreakpoints: boolean;
  /** Changes code in the program as it runs. */
  liveUpdate: boolean;
  updateWatchedVariables: boolean;
  updateScopeVariables: boolean;
  /** Stops at exceptions. */
  setBreakBehavior: boolean;
  /** Evaluates code. */
  executeCode: boolean;
}

/** A script of the program. */
export interface Source {
  id: string;
  /** Path of its file as the user knows it, else its URL. */
  path: string;
  url: string;
}

/** A place where the program stands. */
export interface Frame {
  /** Valid for this stop only. */
  id: string;
  /** 0 is the innermost. */
  index: number;
  /** Of the function; empty for the top of a script. */
  name: string;
  sourceId: string;
  path: string;
  line: number;
  column: number;
  /** The innermost first. */
  scopes: Scope[];
}

/** A set of variables of a frame. */
export interface Scope {
  index: number;
  frameIndex: number;
  /** `local`, `closure`, `block`, `global`, … */
  type: string;
  /** Its variables by {@link DebuggerImplementation.getProperties}; valid for this stop only. */
  reference: string;
}

/** A variable, or the value of an expression. */
export interface Variable {
  name: string;
  /** `number`, `string`, `object`, … */
  type: string;
  /** For people. */
  value: string;
  /** Set where it has properties of its own. */
  reference?: string;
  /** Where it lives: an object, or a scope of a frame. */
  parent?: string | Scope;
}

/** Where to stop. */
export interface Breakpoint {
  path: string;
  line: number;
  column?: number;
  condition?: string;
  enabled: boolean;
  /** The program's own name for it, while it is set there. */
  id?: string;
  /** Where it really is, once the program knows. */
  actual?: { line: number; column: number };
  /** It was set by somebody else, or before. */
  serverOnly?: boolean;
}

/** Events of an implementation. */
export interface DebuggerEvents {
  /** There is a session, in step with the user's breakpoints. */
  attach: [{ breakpoints: Breakpoint[] }];
  detach: [];
  /** Asks for the user's breakpoints: a listener puts them into the list, in this turn. */
  getBreakpoints: [breakpoints: Breakpoint[]];
  /** One was moved to where code is, or is no longer set. */
  breakpointUpdate: [{ breakpoint: Breakpoint }];
  break: [{ frame: Frame; frames: Frame[] }];
  exception: [{ frame: Frame; exception: Variable }];
  /** The user asked the program to stop, and it does. */
  suspend: [];
  stateChange: [{ state: DebuggerState }];
  /** The frame to be shown; null: none, it runs. */
  frameActivate: [{ frame: Frame | null }];
  getFrames: [frames: Frame[]];
  sources: [Source[]];
  /** A script was loaded. */
  sourcesCompile: [{ source: Source }];
  setScriptSource: [{ source: Source }];
  error: [Error];
}

/** `null`: no session. */
export type DebuggerState = 'running' | 'stopped' | null;

/** The contract. `inspector-debugger.ts` is the one for V8. */
export interface DebuggerImplementation extends EventEmitter<DebuggerEvents> {
  readonly type: string;
  readonly features: DebuggerFeatures;
  readonly state: DebuggerState;
  /** True from `attach` to `detach`. */
  readonly attached: boolean;
  readonly breakOnExceptions: boolean;
  readonly breakOnUncaughtExceptions: boolean;

  /** What the socket is to be made with: `new DebuggerSocket(debugPort, getProxySource(program))`. */
  getProxySource(program: DebuggedProgram): SocketProxy;
  /** Takes the socket over and connects it. `reconnect`: the program was debugged before; a stop is kept. */
  attach(socket: DebuggerSocket, reconnect: boolean, callback?: Callback): void;
  /** Leaves. Program and proxy stay as they are. */
  detach(): void;
  /** Makes user and program agree on breakpoints, and shows where it stands; by itself at each way back. */
  sync(breakpoints: Breakpoint[], reconnect: boolean, callback?: Callback): void;

  getSources(callback: Callback<Source[]>): void;
  getSource(source: Source, callback: Callback<string>): void;
  /** `silent`: without the event. None while it runs. */
  getFrames(callback: Callback<Frame[]>, silent?: boolean): void;
  getScope(frame: Frame, scope: Scope, callback: Callback<Variable[]>): void;
  getProperties(variable: Variable, callback: Callback<Variable[]>): void;
  stepInto(callback?: Callback): void;
  stepOver(callback?: Callback): void;
  stepOut(callback?: Callback): void;
  resume(callback?: Callback): void;
  suspend(callback?: Callback): void;
  /** In a frame, or with null or `global` in the program's global scope. `disableBreak`: it never stops in there. */
  evaluate(
    expression: string,
    frame: Frame | null,
    global: boolean,
    disableBreak: boolean,
    callback: Callback<Variable>,
  ): void;
  /** New text for a script that runs. `previewOnly`: only tells whether it would do. */
  setScriptSource(source: Source, text: string, previewOnly: boolean, callback?: Callback): void;
  setBreakpoint(breakpoint: Breakpoint, callback?: Callback<Breakpoint>): void;
  changeBreakpoint(breakpoint: Breakpoint, callback?: Callback<Breakpoint>): void;
  clearBreakpoint(breakpoint: Breakpoint, callback?: Callback<Breakpoint>): void;
  /** What is set in the program, whoever set it. */
  listBreakpoints(callback: Callback<Breakpoint[]>): void;
  /** `value`: an expression, evaluated in the frame. */
  setVariable(variable: Variable, value: string, frame: Frame, callback?: Callback<Variable>): void;
  restartFrame(frame: Frame, callback?: Callback): void;
  /** Its value as text: source of a function, JSON of an object. */
  serializeVariable(variable: Variable, callback: Callback<string>): void;
  setBreakBehavior(kind: 'all' | 'uncaught', enabled: boolean, callback?: Callback): void;
  /** Where the program's paths are at the user's: the first prefix that fits is exchanged. */
  setPathMap(map: readonly { program: string; user: string }[]): void;
}
