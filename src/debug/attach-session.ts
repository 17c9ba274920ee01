// One editor at a local address (attach.ts): its commands go to the main thread of the debuggee, events of
// that thread come back, both without the session ids of flat CDP. When its viewer had to be opened anew, what
// the editor had enabled is enabled again, and the editor hears only what it has not heard.

import WebSocket from 'ws';
import type { Clock } from '../base/clock.ts';
import { PollClient } from './poll-client.ts';

/** Ids of our own commands: negative, so that they never meet the editor's. */
type OwnReply = (result: Record<string, unknown>) => void;

/** Enabled again for a new viewer; everything else is state of the session proxy. */
const ENABLERS = new Set([
  'Runtime.enable',
  'Debugger.enable',
  'Profiler.enable',
  'HeapProfiler.enable',
  'Network.enable',
]);
/** Commands that wait until the debuggee is known. */
const WAITING_MAX = 1000;
/** Most scripts that are remembered as told. */
const HEARD_MAX = 50_000;

/** What {@link AttachSession} needs. */
export interface AttachSessionOptions {
  client: WebSocket;
  /** `<app>/debug/cdp/`. */
  base: URL;
  clock: Clock;
  onEvent(text: string): void;
}

interface Message {
  id?: number;
  method?: string;
  sessionId?: string;
  params?: Record<string, unknown>;
}

/** The editor and its viewer. */
export class AttachSession {
  #options: AttachSessionOptions;
  #viewer: PollClient | null = null;
  /** Flat session of the main thread; null before it is known. */
  #session: string | null = null;
  #waiting: string[] = [];
  #enabled = new Map<string, Record<string, unknown> | undefined>();
  #unanswered = new Set<number>();
  #own = new Map<number, OwnReply>();
  #ownId = 0;
  #heard = new Set<string>();
  /** The pause that the program stands in, by its topmost frame. */
  #pause: string | null = null;
  /** The pause that the editor was told of by a viewer that is gone. */
  #believedPause: string | null = null;
  /** Set while a new viewer is told everything again. */
  #isReplaying = false;

  constructor(options: AttachSessionOptions) {
    this.#options = options;
    const { client } = options;
    client.on('message', (data: Buffer) => this.#fromEditor(data.toString()));
    client.on('close', () => void this.close());
    client.on('error', () => client.terminate());
  }

  /** Opens the viewer and finds the main thread. @throws HostError what {@link PollClient.open} throws */
  async start(key: string): Promise<void> {
    const { base, clock, client, onEvent } = this.#options;
    const viewer = new PollClient({
      base,
      key,
      clock,
      onMessage: (message) => this.#fromDebuggee(message),
      onRenewed: () => void this.#renew(),
      onEnd: (reason) => {
        onEvent(`the session is over: ${reason}`);
        client.close(1000, 'Debug Session Ended');
      },
    });
    this.#viewer = viewer;
    const { app, pid } = await viewer.open();
    onEvent(`attached to ${app}, pid ${pid}`);
    await this.#findMain();
    for (const text of this.#waiting.splice(0)) this.#fromEditor(text);
  }

  /** Ends the viewer and the editor's connection. */
  async close(): Promise<void> {
    const viewer = this.#viewer;
    this.#viewer = null;
    if (this.#options.client.readyState === WebSocket.OPEN) this.#options.client.close(1001);
    await viewer?.close();
  }

  #fromEditor(text: string): void {
    if (this.#session === null) {
      if (this.#waiting.length < WAITING_MAX) this.#waiting.push(text);
      else this.#options.client.close(1008, 'too many commands');
      return;
    }
    const message = parsed(text);
    if (message === null || typeof message.id !== 'number' || message.id < 0) {
      this.#toEditor({ error: { code: -32600, message: 'a command has a whole number as its id' } });
      return;
    }
    const { id, method = '', params } = message;
    if (ENABLERS.has(method)) this.#enabled.set(method, params);
    else if (method.endsWith('.disable')) this.#enabled.delete(method.replace(/disable$/, 'enable'));
    this.#unanswered.add(id);
    this.#viewer?.send(JSON.stringify({ ...message, sessionId: this.#session }));
  }

  #fromDebuggee(raw: Record<string, unknown>): void {
    const { sessionId, ...message } = raw as Message & Record<string, unknown>;
    const { id } = message;
    if (id !== undefined && id < 0) {
      this.#own.get(id)?.((message['result'] ?? {}) as Record<string, unknown>);
      this.#own.delete(id);
    } else if (message.method === 'Inspector.detached') {
      const { stderr } = message.params ?? {};
      if (typeof stderr === 'string') this.#options.onEvent(`last lines of stderr:\n${stderr.trimEnd()}`);
    } else if (message.method === 'Target.attachedToTarget') {
      this.#attached(message.params ?? {});
    } else if (sessionId !== undefined && sessionId === this.#session) {
      if (id !== undefined) this.#unanswered.delete(id);
      if (id !== undefined || this.#isNews(message)) this.#toEditor(message);
    }
  }

  #attached(params: Record<string, unknown>): void {
    const { type } = (params['targetInfo'] ?? {}) as { type?: unknown };
    // The first is the app itself; others are processes that it started.
    if (type === 'node') this.#session ??= String(params['sessionId']);
  }

  /** False for what a new viewer says again. */
  #isNews({ method, params = {} }: Message): boolean {
    switch (method) {
      case 'Debugger.paused':
        return this.#isFirstOfPause(params);
      case 'Debugger.resumed':
        this.#pause = null;
        this.#believedPause = null;
        return true;
      case 'Debugger.scriptParsed':
        return this.#isFirst(`script ${String(params['scriptId'])}`);
      case 'Runtime.executionContextCreated':
        return this.#isFirst(`context ${String((params['context'] as { id?: unknown } | undefined)?.id)}`);
      case 'Runtime.consoleAPICalled':
      case 'Runtime.exceptionThrown':
        return this.#isFirstConsole(params) || !this.#isReplaying;
      default:
        return true;
    }
  }

  /** An editor that stands would jump to the place again; its frames hold as they did. */
  #isFirstOfPause(params: Record<string, unknown>): boolean {
    const [top] = (params['callFrames'] ?? []) as { callFrameId?: unknown }[];
    this.#pause = String(top?.callFrameId);
    const believed = this.#believedPause;
    this.#believedPause = null;
    if (believed !== null && believed !== this.#pause) this.#toEditor({ method: 'Debugger.resumed', params: {} });
    return believed !== this.#pause;
  }

  #isFirstConsole(params: Record<string, unknown>): boolean {
    return this.#isFirst(`console ${String(params['timestamp'])} ${JSON.stringify(params).length}`);
  }

  #isFirst(name: string): boolean {
    if (this.#heard.has(name)) return false;
    this.#heard.add(name);
    if (this.#heard.size > HEARD_MAX) this.#heard.delete(this.#heard.values().next().value!);
    return true;
  }

  async #findMain(): Promise<void> {
    this.#session = null;
    await this.#call('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: true });
    // The proxy announces the main thread right behind the answer.
    await this.#call('Target.getTargets', {});
  }

  async #renew(): Promise<void> {
    this.#options.onEvent('back after a while');
    for (const id of this.#unanswered) {
      const message = 'the connection was lost for long; whether this was performed is not known';
      this.#toEditor({ id, error: { code: -32000, message } });
    }
    this.#unanswered.clear();
    this.#believedPause ??= this.#pause;
    this.#pause = null;
    this.#isReplaying = true;
    await this.#findMain();
    for (const [method, params] of this.#enabled) await this.#call(method, params ?? {}, this.#session ?? undefined);
    this.#isReplaying = false;
    if (this.#believedPause !== null) this.#toEditor({ method: 'Debugger.resumed', params: {} });
    this.#believedPause = null;
    for (const text of this.#waiting.splice(0)) this.#fromEditor(text);
  }

  #call(method: string, params: Record<string, unknown>, sessionId?: string): Promise<Record<string, unknown>> {
    return new Promise((resolve) => {
      const id = --this.#ownId;
      this.#own.set(id, resolve);
      this.#viewer?.send(JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) }));
    });
  }

  #toEditor(message: object): void {
    const { client } = this.#options;
    if (client.readyState === WebSocket.OPEN) client.send(JSON.stringify(message));
  }
}

function parsed(text: string): Message | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    // Told to the editor as a bad command.
    return null;
  }
}
