// Entry of a thread inside a debuggee: speaks to the inspector of the main thread and carries the session over a
// private socket, so that no TCP port is open. One session proxy at a time; without one nothing stays paused.
// The program's own threads are seen through NodeWorker; this one is left out.

import { chmodSync } from 'node:fs';
import { Session } from 'node:inspector';
import { createServer, type Socket } from 'node:net';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { INSPECTOR_DOOR_VARIABLE, InspectorMessageReader, inspectorMessage } from '../wire/inspector-messages.ts';
import type { InspectorHello } from '../wire/inspector-messages.ts';
import { DOOR_WORDS, FAREWELL, type InspectorThreadData } from './inspector-door.ts';

const OWN_NAME = /\binspector-thread\.cjs$/;
const SERVER_ERROR = -32_000;

/** A command as it came. */
interface Command {
  id: number;
  method: string;
  params?: Record<string, unknown>;
}

interface Event {
  method: string;
  params: Record<string, unknown>;
}

const data = workerData as InspectorThreadData;

/** One session proxy and its session with V8. */
class ThreadSession {
  #session = new Session();
  #socket: Socket;
  /** The breakpoint that stands for `--inspect-brk`; null when there is none (any more). */
  #startBreakpoint: string | null = null;
  /** Its own thread, as V8 announced it: no viewer hears of it. */
  #ownSession: string | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#session.connectToMainThread();
    this.#session.on('inspectorNotification', (event) => this.#hear(event as unknown as Event));
    const hello: InspectorHello = { pid: process.pid, url: data.url };
    this.#send(JSON.stringify(hello));
  }

  receive(text: string): void {
    const command = JSON.parse(text) as Command;
    if (command.method !== 'Runtime.runIfWaitingForDebugger') this.#post(command);
    else this.#letGo(command);
  }

  /** V8 resumes what stands and forgets the breakpoints of this session. */
  end(): void {
    this.#session.disconnect();
    openGate();
  }

  /** Calls back when all that V8 has said so far is written: answers keep their order. */
  flush(onWritten: () => void): void {
    this.#session.post('Runtime.getIsolateId', () => {
      this.#socket.write('', () => onWritten());
    });
  }

  #send(text: string): void {
    if (this.#socket.writable) this.#socket.write(inspectorMessage(text));
  }

  #post({ id, method, params }: Command): void {
    const answer = (error: Error | null, result?: object): void => {
      if (error === null) this.#send(JSON.stringify({ id, result: result ?? {} }));
      else this.#send(JSON.stringify({ id, error: commandError(error) }));
    };
    try {
      this.#session.post(method, params, answer);
    } catch (error) {
      // What is no command at all.
      answer(error as Error);
    }
  }

  /** Before the first line of the program: stops there if it was started so. */
  #letGo(command: Command): void {
    const answer = (): void => {
      openGate();
      this.#post(command);
    };
    if (data.start !== 'brk' || isGateOpen() || data.url === '') return answer();
    const place = { url: data.url, lineNumber: 0, columnNumber: 0 };
    this.#session.post('Debugger.setBreakpointByUrl', place, (error, result?: { breakpointId?: string }) => {
      if (error === null) this.#startBreakpoint = result?.breakpointId ?? null;
      answer();
    });
  }

  #hear({ method, params }: Event): void {
    switch (method) {
      case 'Debugger.paused':
        params = this.#pausedAtStart(params);
        break;
      case 'Debugger.breakpointResolved':
        if (params['breakpointId'] === this.#startBreakpoint) return;
        break;
      case 'NodeWorker.attachedToWorker': {
        const { url } = (params['workerInfo'] ?? {}) as { url?: unknown };
        if (!OWN_NAME.test(String(url))) break;
        this.#ownSession = String(params['sessionId']);
        this.#session.post('NodeWorker.detach', { sessionId: this.#ownSession });
        return;
      }
      case 'NodeWorker.receivedMessageFromWorker':
      case 'NodeWorker.detachedFromWorker':
        if (params['sessionId'] === this.#ownSession) return;
        break;
    }
    this.#send(JSON.stringify({ method, params }));
  }

  /** The pause as `--inspect-brk` tells it. */
  #pausedAtStart(params: Record<string, unknown>): Record<string, unknown> {
    const breakpointId = this.#startBreakpoint;
    if (breakpointId === null) return params;
    const hit = (params['hitBreakpoints'] ?? []) as string[];
    if (!hit.includes(breakpointId)) return params;
    this.#startBreakpoint = null;
    this.#session.post('Debugger.removeBreakpoint', { breakpointId });
    const hitBreakpoints = hit.filter((id) => id !== breakpointId);
    return { ...params, hitBreakpoints, reason: 'Break on start' };
  }
}

/** Node wraps the error of V8: `Inspector error -32000: message`. */
function commandError(error: Error): { code: number; message: string } {
  const match = /^Inspector error (-?\d+): (.*)$/s.exec(error.message);
  if (match !== null) return { code: Number(match[1]), message: match[2]! };
  return { code: SERVER_ERROR, message: error.message };
}

const words = new Int32Array(data.words);

function isGateOpen(): boolean {
  return Atomics.load(words, DOOR_WORDS.gate) === 1;
}

function openGate(): void {
  setWord(DOOR_WORDS.gate, 1);
}

function setWord(index: number, value: number): void {
  Atomics.store(words, index, value);
  Atomics.notify(words, index);
}

let current: ThreadSession | null = null;

function serve(socket: Socket): void {
  // The reason does not matter: `close` follows.
  socket.on('error', () => socket.destroy());
  if (current !== null) return void socket.destroy();
  const session = new ThreadSession(socket);
  current = session;
  setWord(DOOR_WORDS.farewell, FAREWELL.listening);
  const reader = new InspectorMessageReader((text) => session.receive(text));
  socket.on('data', (chunk) => reader.push(chunk));
  socket.on('close', () => {
    current = null;
    setWord(DOOR_WORDS.farewell, FAREWELL.nobody);
    session.end();
  });
}

assert(!isMainThread && parentPort !== null, `started by the preload, as ${INSPECTOR_DOOR_VARIABLE} says`);
// The program ends.
parentPort.on('message', () => current?.flush(() => setWord(DOOR_WORDS.farewell, FAREWELL.said)));
parentPort.unref();
const server = createServer(serve);
server.listen(data.path, () => {
  if (process.platform !== 'win32') chmodSync(data.path, 0o600);
});
