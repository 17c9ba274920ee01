// Commands and events between a debugger socket and the proxy of inspector-pipe.ts. A command whose answer was
// lost with the connection is said again where that changes nothing; else it fails, and says that nobody knows
// whether it was performed: nothing is performed twice. The end of the session fails all of them.

import type { CdpMessage } from '../wire/poll-messages.ts';
import type { DebuggerSocket, DebuggerSocketEvents } from './debugger-socket.ts';
import { SESSION_ENDED_TEXT } from './inspector-client.ts';
import { LIST_BREAKPOINTS } from './inspector-pipe.ts';

/** Most commands without an answer; more fail. */
const PENDING_MAX = 10_000;

/** Said twice, they do what they do once: the proxy has one breakpoint a place. */
const REPEATABLE = new Set([
  'Debugger.getScriptSource',
  'Debugger.removeBreakpoint',
  'Debugger.setBreakpointByUrl',
  'Debugger.setPauseOnExceptions',
  'Debugger.setSkipAllPauses',
  'Runtime.getProperties',
  LIST_BREAKPOINTS,
]);

type Params = Record<string, unknown>;

interface Pending {
  id: number;
  method: string;
  params: Params;
  settle(error: Error | null, result: Params): void;
}

/** Whether commands can be said now. */
type LinkState =
  | { kind: 'off' } // No session.
  | { kind: 'greeting' } // Connected; it is not known yet which program is there. Commands wait.
  | { kind: 'ready'; sessionId: string }
  | { kind: 'away' }; // Commands wait.

/** Who hears of the program. */
export interface LinkListener {
  /** The program is there, and has said all that it says to newcomers. `isBack`: the session is the one of before. */
  ready(isBack: boolean): void;
  event(method: string, params: Params): void;
  /** The session is over. */
  ended(): void;
}

/** See the head of this file. */
export class InspectorLink {
  #socket: DebuggerSocket;
  #listener: LinkListener;
  #state: LinkState = { kind: 'off' };
  #rest = '';
  #nextId = 1;
  #sent = new Map<number, Pending>();
  #held: Pending[] = [];
  #isBack = false;
  #handlers: { [Name in keyof DebuggerSocketEvents]?: (...values: DebuggerSocketEvents[Name]) => void };

  constructor(socket: DebuggerSocket, listener: LinkListener) {
    this.#socket = socket;
    this.#listener = listener;
    this.#handlers = {
      connect: () => this.#greet(false),
      data: (text) => this.#receive(text),
      away: () => (this.#state = { kind: 'away' }),
      beforeBack: () => this.#sortOut(),
      back: () => this.#greet(true),
      end: () => this.#end(),
    };
    for (const [name, handler] of Object.entries(this.#handlers)) socket.on(name as 'data', handler as () => void);
  }

  /** Connects, if that is still to be done. */
  open(): void {
    if (this.#socket.connected === this.#socket.CONNECTED) this.#greet(false);
    else this.#socket.connect();
  }

  /** Leaves the socket. */
  close(): void {
    for (const [name, handler] of Object.entries(this.#handlers)) {
      this.#socket.off(name as 'data', handler as () => void);
    }
    this.#end();
  }

  /** One command to the program. */
  call(method: string, params: Params = {}): Promise<Params> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null, result: Params): void => (error === null ? resolve(result) : reject(error));
      const pending: Pending = { id: this.#nextId++, method, params, settle };
      if (this.#state.kind === 'off') settle(new Error(SESSION_ENDED_TEXT), {});
      else if (this.#sent.size + this.#held.length >= PENDING_MAX) {
        settle(new Error(`more than ${PENDING_MAX} commands wait for an answer`), {});
      } else if (this.#state.kind === 'ready') this.#send(pending, this.#state.sessionId);
      else this.#held.push(pending);
    });
  }

  #send(pending: Pending, sessionId: string | undefined): void {
    const { id, method, params } = pending;
    this.#sent.set(id, pending);
    this.#socket.send(`${JSON.stringify({ id, ...(sessionId === undefined ? {} : { sessionId }), method, params })}\n`);
  }

  #greet(isBack: boolean): void {
    this.#rest = '';
    this.#state = { kind: 'greeting' };
    this.#isBack = isBack;
    const params = { autoAttach: true, waitForDebuggerOnStart: false, flatten: true };
    this.#send({ id: this.#nextId++, method: 'Target.setAutoAttach', params, settle: () => {} }, undefined);
  }

  /** The program is there: what it says to newcomers comes before the answer to the last of these. */
  #enable(sessionId: string): void {
    const settle = (): void => {
      if (this.#state.kind !== 'greeting') return;
      this.#state = { kind: 'ready', sessionId };
      this.#listener.ready(this.#isBack);
      for (const pending of this.#held.splice(0)) this.#send(pending, sessionId);
    };
    const enable = { params: {}, settle: () => {} };
    this.#send({ ...enable, id: this.#nextId++, method: 'Runtime.enable' }, sessionId);
    this.#send({ ...enable, id: this.#nextId++, method: 'Debugger.enable', settle }, sessionId);
  }

  #receive(text: string): void {
    if (this.#state.kind === 'off' || this.#state.kind === 'away') return;
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#take(JSON.parse(line) as CdpMessage);
  }

  #take({ id, method, params, sessionId, result, error }: CdpMessage): void {
    if (id !== undefined) {
      const pending = this.#sent.get(id);
      this.#sent.delete(id);
      pending?.settle(error === undefined ? null : new Error(error.message), result ?? {});
    } else if (method === 'Target.attachedToTarget') {
      const { sessionId: found, targetInfo } = (params ?? {}) as { sessionId: string; targetInfo: { type: string } };
      if (targetInfo.type === 'node' && this.#state.kind === 'greeting') this.#enable(found);
    } else if (method !== undefined && sessionId !== undefined) {
      this.#listener.event(method, params ?? {});
    }
  }

  #sortOut(): void {
    const sent = [...this.#sent.values()];
    this.#sent.clear();
    for (const pending of sent) {
      if (REPEATABLE.has(pending.method)) this.#held.push(pending);
      else {
        const text = `the connection was lost; whether ${pending.method} was performed is not known`;
        pending.settle(new Error(text), {});
      }
    }
    this.#held.sort((one, other) => one.id - other.id);
  }

  #end(): void {
    this.#state = { kind: 'off' };
    const over = [...this.#sent.values(), ...this.#held.splice(0)];
    this.#sent.clear();
    for (const { settle } of over) settle(new Error(SESSION_ENDED_TEXT), {});
    this.#listener.ended();
  }
}
