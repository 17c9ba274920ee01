// What a late viewer must hear: V8 says things once per session, when a domain is first enabled, and the one
// session here outlives all viewers. Keeps contexts, scripts, console and the pause as V8 said them, and says
// them again, in order. Call frames get the epoch of their pause: V8 uses the same ids at every pause.

import { readTail, type InspectorEvent } from './inspector-client.ts';

/** Most console messages that are kept; the oldest go first and leave a mark. */
export const CONSOLE_COUNT_MAX = 1000;
/** Most characters of console messages that are kept. */
export const CONSOLE_CHARACTERS_MAX = 8_388_608;
/** Most scripts that are kept: a program that evaluates new ones for ever drops its oldest. */
export const SCRIPTS_MAX = 20_000;
const CONTEXTS_MAX = 10_000;
const CLEAR_START = '"method":"Runtime.consoleAPICalled","params":{"type":"clear"';

interface Location {
  scriptId?: string;
  lineNumber?: number;
}

interface KeptScript {
  tail: string;
  url: string;
  sourceMapURL: string;
  contextId: number;
}

/** The state of one inspected thread, as its events tell it. */
export class DomainReplay {
  #contexts = new Map<number, string>();
  #scripts = new Map<string, KeptScript>();
  #console: string[] = [];
  #consoleCharacters = 0;
  #dropped = 0;
  #epoch = 0;
  #pause: { tail: string; reason: string; place: string } | null = null;

  /** True between `Debugger.paused` and `Debugger.resumed`. */
  get isPaused(): boolean {
    return this.#pause !== null;
  }

  /** Why it stands, or null when it does not. */
  get pauseReason(): string | null {
    return this.#pause?.reason ?? null;
  }

  /** Why and where it stands (`file:line` of the top frame), or null when it does not. */
  get pause(): { reason: string; place: string } | null {
    return this.#pause === null ? null : { reason: this.#pause.reason, place: this.#pause.place };
  }

  /** The parameters of the pause as V8 said them, but for the marks of call frames; null when it runs. */
  pauseParams(): Record<string, unknown> | null {
    return this.#pause === null ? null : (readTail(this.#pause.tail).params ?? {});
  }

  /** The URL of a script; empty when it is not known. */
  urlOf(scriptId: string): string {
    return this.#scripts.get(scriptId)?.url ?? '';
  }

  /** The scripts that are known now. */
  scripts(): Iterable<{ url: string; sourceMapURL: string }> {
    return this.#scripts.values();
  }

  /** Takes an event in; returns its tail as viewers are to hear it. */
  record(event: InspectorEvent): string {
    switch (event.method) {
      case 'Debugger.scriptParsed':
        this.#recordScript(event);
        break;
      case 'Debugger.paused':
        return this.#recordPause(event);
      case 'Debugger.resumed':
        this.#pause = null;
        break;
      case 'Runtime.executionContextCreated':
        this.#recordContext(event);
        break;
      case 'Runtime.executionContextDestroyed':
        this.#forgetContext(Number(event.params()['executionContextId']));
        break;
      case 'Runtime.executionContextsCleared':
        this.#contexts.clear();
        this.#scripts.clear();
        break;
      case 'Runtime.consoleAPICalled':
        if (event.tail.startsWith(CLEAR_START)) this.discardConsole();
        this.#recordConsole(event.tail);
        break;
      case 'Runtime.exceptionThrown':
      case 'Runtime.exceptionRevoked':
        this.#recordConsole(event.tail);
        break;
      default:
        break;
    }
    return event.tail;
  }

  /** Tails of the events that follow `Runtime.enable`. */
  replayRuntime(): string[] {
    const tails = [...this.#contexts.values()];
    if (this.#dropped > 0) tails.push(this.#dropMark());
    // One at a time: spreading large histories would overflow the stack.
    for (const tail of this.#console) tails.push(tail);
    return tails;
  }

  /** Tails of the events that follow `Debugger.enable`; the pause, if there is one, comes last. */
  replayDebugger(): string[] {
    const tails: string[] = [];
    for (const script of this.#scripts.values()) tails.push(script.tail);
    if (this.#pause !== null) tails.push(this.#pause.tail);
    return tails;
  }

  /** Somebody cleared the console. */
  discardConsole(): void {
    this.#console.length = 0;
    this.#consoleCharacters = 0;
    this.#dropped = 0;
  }

  /** A call frame id as viewers know it. */
  markFrame(callFrameId: string): string {
    return `e${this.#epoch}:${callFrameId}`;
  }

  /** V8's own id of a call frame of the present pause, or null when it is of an earlier one. */
  unmarkFrame(callFrameId: string): string | null {
    const prefix = `e${this.#epoch}:`;
    if (this.#pause === null || !callFrameId.startsWith(prefix)) return null;
    return callFrameId.slice(prefix.length);
  }

  /** Marks the frames of a message, in place. */
  markFrames(holder: Record<string, unknown>): void {
    const frames = holder['callFrames'];
    if (!Array.isArray(frames)) return;
    for (const frame of frames as { callFrameId?: unknown }[]) {
      if (typeof frame.callFrameId === 'string') frame.callFrameId = this.markFrame(frame.callFrameId);
    }
  }

  #recordPause(event: InspectorEvent): string {
    this.#epoch += 1;
    const params = event.params();
    this.markFrames(params);
    const tail = `"method":"Debugger.paused","params":${JSON.stringify(params)}}`;
    this.#pause = { tail, reason: String(params['reason']), place: this.#placeOf(params) };
    return tail;
  }

  #placeOf(params: Record<string, unknown>): string {
    const [top] = (params['callFrames'] ?? []) as { url?: string; location?: Location }[];
    if (top === undefined) return '';
    const { scriptId = '', lineNumber = 0 } = top.location ?? {};
    const url = top.url || this.urlOf(scriptId);
    return `${url.replace(/^file:\/\//, '')}:${lineNumber + 1}`;
  }

  #recordScript(event: InspectorEvent): void {
    const { scriptId, url, sourceMapURL, executionContextId } = event.params();
    this.#scripts.set(String(scriptId), {
      tail: event.tail,
      url: typeof url === 'string' ? url : '',
      sourceMapURL: typeof sourceMapURL === 'string' ? sourceMapURL : '',
      contextId: Number(executionContextId),
    });
    if (this.#scripts.size > SCRIPTS_MAX) this.#dropScript();
  }

  /** Scripts without a name go first: they come from eval and nobody can find them again. */
  #dropScript(): void {
    let victim = this.#scripts.keys().next().value!;
    let looked = 0;
    for (const [id, script] of this.#scripts) {
      if (script.url === '') {
        victim = id;
        break;
      }
      if ((looked += 1) >= 1000) break;
    }
    this.#scripts.delete(victim);
  }

  #recordContext(event: InspectorEvent): void {
    const context = event.params()['context'] as { id?: unknown } | undefined;
    this.#contexts.set(Number(context?.id), event.tail);
    if (this.#contexts.size > CONTEXTS_MAX) {
      const [, second] = this.#contexts.keys();
      // The first is the main context.
      this.#contexts.delete(second!);
    }
  }

  #forgetContext(id: number): void {
    this.#contexts.delete(id);
    for (const [scriptId, script] of this.#scripts) {
      if (script.contextId === id) this.#scripts.delete(scriptId);
    }
  }

  #recordConsole(tail: string): void {
    this.#console.push(tail);
    this.#consoleCharacters += tail.length;
    let surplus = 0;
    while (
      this.#console.length - surplus > CONSOLE_COUNT_MAX ||
      (this.#consoleCharacters > CONSOLE_CHARACTERS_MAX && this.#console.length - surplus > 1)
    ) {
      this.#consoleCharacters -= this.#console[surplus]!.length;
      surplus += 1;
    }
    if (surplus === 0) return;
    this.#console.splice(0, surplus);
    this.#dropped += surplus;
  }

  /** Puts a message of our own into the console, for viewers to come; its tail for those who are there. */
  keep(line: object): string {
    const tail = this.#line(line, Date.now());
    this.#recordConsole(tail);
    return tail;
  }

  #dropMark(): string {
    const count = this.#dropped;
    const value = `${count} older console message${count === 1 ? ' was' : 's were'} dropped`;
    const first = /"timestamp":([\d.]+)/.exec(this.#console[0] ?? '')?.[1];
    const line = { type: 'warning', args: [{ type: 'string', value }] };
    return this.#line(line, first === undefined ? Date.now() : Number(first));
  }

  #line(line: object, timestamp: number): string {
    const executionContextId = this.#contexts.keys().next().value ?? 1;
    const params = { ...line, executionContextId, timestamp };
    return `"method":"Runtime.consoleAPICalled","params":${JSON.stringify(params)}}`;
  }
}
