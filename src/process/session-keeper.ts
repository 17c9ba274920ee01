// What lets a debugging session outlive its host (docs/ARCHITECTURE.md §4): other hosts find it by a socket, and one
// at a time has it. While none has, what the debuggee prints is kept, and at the end the debuggee goes too.
//
//   new ──keep──▶ held ──lost──▶ orphaned ──adopt──▶ adopted ──lost──▶ orphaned
//   any ──end of the proxy──▶ over: without a host the debuggee is killed
//
// Processes that served before their session outlive it. Where another host has it, nobody but the proxy reads what
// they print, so the proxy stays until they are gone.
//
// A session that is not kept when its host goes stays with the front, which ends debuggee and proxy.

import { chmodSync, rmSync } from 'node:fs';
import * as net from 'node:net';
import { readJsonLines, sendJsonLine } from '../base/json-lines.ts';
import { killGroupOf } from '../base/process-identity.ts';
import type { Log } from '../base/log.ts';
import type {
  AdoptableSession, AdoptAnswer, AdoptAsk, AdoptedWord, SessionOutput, SessionOver,
} from '../wire/adoption-messages.ts';
import type { SessionAddition, SessionLastWords, SessionReport } from '../wire/session-messages.ts';

/** Characters of output that are kept while nobody reads them; then the oldest go. */
const KEPT_OUTPUT_MAX = 262_144;

/** Who has the session. */
type Holder =
  | { kind: 'new' } // Its host, which has not said what is to be kept.
  | { kind: 'held' } // Its host.
  | { kind: 'orphaned' } // Nobody.
  | { kind: 'adopted'; socket: net.Socket; hostPid: number };

/** The reading end of what a process prints. */
interface Pipe {
  pid: number;
  stream: SessionOutput['stream'];
  /** Node's own object: it reads nothing by itself. */
  handle: unknown;
  /** Once it is read. */
  socket: net.Socket | null;
}

/** What {@link SessionKeeper} needs. */
export interface SessionKeeperOptions {
  /** Where hosts look. */
  path: string;
  /** A host sends what the first one sends over IPC. */
  onWord(word: SessionAddition | SessionLastWords): void;
  /** The session is to end now. `stay`: the process is to, until {@link SessionKeeper.drained} resolves. */
  onEnd(how: 'go' | 'stay'): void;
  log: Log;
}

/** See the head of this file. */
export class SessionKeeper {
  #options: SessionKeeperOptions;
  #holder: Holder = { kind: 'new' };
  #firstHostPid = process.ppid;
  #session: AdoptableSession | null = null;
  #server: net.Server | null = null;
  #report: SessionReport | null = null;
  #output: SessionOutput[] = [];
  #outputLength = 0;
  #pipes: Pipe[] = [];
  #isOver = false;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
  }

  /** From now on hosts find it. Resolves when they do. */
  async keep(session: AdoptableSession): Promise<void> {
    this.#session = session;
    this.#prune(session.processes.map(({ pid }) => pid));
    if (this.#server !== null) return;
    const { path } = this.#options;
    const server = net.createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
    // It keeps nothing alive: the session does.
    server.unref();
    if (this.#holder.kind === 'new') this.#holder = { kind: 'held' };
  }

  /** The first host is gone. */
  lost(): void {
    if (this.#holder.kind === 'held') this.#orphaned();
  }

  /** What a process prints, to be read once the host is gone. */
  take(pid: number, stream: SessionOutput['stream'], handle: unknown): void {
    this.#pipes.push({ pid, stream, handle, socket: null });
  }

  /** The host that has the session hears that it is over, and the process stays. */
  over(): void {
    this.#isOver = true;
    this.#send({ kind: 'over' });
  }

  /** Resolves when nobody prints any more to what is read here. */
  async drained(): Promise<void> {
    const open = this.#pipes.flatMap(({ socket }) => (socket === null || socket.destroyed ? [] : [socket]));
    await Promise.all(open.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
  }

  /** Remembers how the session stands, and tells the host that adopted it. */
  report(report: SessionReport): void {
    this.#report = report;
    this.#send(report);
  }

  /** The process ends: to be called in its last moment. */
  end(): void {
    if (this.#server !== null) rmSync(this.#options.path, { force: true });
    if (this.#holder.kind === 'orphaned') this.#killAll();
  }

  #killAll(): void {
    for (const { pid, start } of this.#session?.processes ?? []) killGroupOf(pid, start);
  }

  /** What others printed is nobody's concern. */
  #prune(pids: readonly number[]): void {
    const left = this.#pipes.filter(({ pid }) => !pids.includes(pid));
    this.#pipes = this.#pipes.filter(({ pid }) => pids.includes(pid));
    for (const pipe of left) (pipe.socket ?? socketOf(pipe)).destroy();
  }

  #orphaned(): void {
    this.#holder = { kind: 'orphaned' };
    if (this.#isOver) return this.#options.onEnd('go');
    this.#options.log.info('session-orphaned', {});
    for (const pipe of this.#pipes) if (pipe.socket === null) this.#read(pipe);
  }

  /** The pipe must never be full: who prints would stand. */
  #read(pipe: Pipe): void {
    const { pid, stream } = pipe;
    const socket = (pipe.socket = socketOf(pipe));
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#printed({ kind: 'output', pid, stream, text }));
    socket.on('error', () => socket.destroy());
    socket.unref();
  }

  #printed(output: SessionOutput): void {
    if (this.#holder.kind === 'adopted') return this.#send(output);
    this.#output.push(output);
    this.#outputLength += output.text.length;
    while (this.#outputLength > KEPT_OUTPUT_MAX) this.#outputLength -= this.#output.shift()!.text.length;
  }

  #send(message: SessionReport | SessionOutput | SessionOver): void {
    if (this.#holder.kind === 'adopted') sendJsonLine(this.#holder.socket, message);
  }

  #serve(socket: net.Socket): void {
    // The reason does not matter: `close` follows.
    socket.on('error', () => socket.destroy());
    readJsonLines(socket, (message) => this.#hear(socket, message as AdoptAsk | AdoptedWord));
    socket.on('close', () => {
      if (this.#holder.kind === 'adopted' && this.#holder.socket === socket) this.#orphaned();
    });
  }

  #hear(socket: net.Socket, message: AdoptAsk | AdoptedWord): void {
    if (message.kind === 'adopt') return this.#adopt(socket, message);
    if (this.#holder.kind !== 'adopted' || this.#holder.socket !== socket) return;
    if (message.kind === 'add' || message.kind === 'last-words') this.#options.onWord(message);
    else if (message.kind === 'ping') sendJsonLine(socket, { kind: 'pong' });
    else if (message.kind === 'end') this.#endAll();
  }

  #endAll(): void {
    const isLive = this.#session!.live !== undefined;
    if (!isLive) this.#killAll();
    this.#options.onEnd(isLive ? 'stay' : 'go');
  }

  #adopt(socket: net.Socket, { root, hostPid }: AdoptAsk): void {
    const [holder, session] = [this.#holder, this.#session!];
    if (holder.kind !== 'orphaned' || root !== session.root) {
      const isHeld = holder.kind === 'new' || holder.kind === 'held';
      const holderPid = holder.kind === 'adopted' ? holder.hostPid : isHeld ? this.#firstHostPid : 0;
      sendJsonLine(socket, { kind: 'refused', hostPid: holderPid } satisfies AdoptAnswer);
      return;
    }
    this.#holder = { kind: 'adopted', socket, hostPid };
    this.#options.log.info('session-adopted', { hostPid });
    sendJsonLine(socket, { kind: 'adopted', session, report: this.#report } satisfies AdoptAnswer);
    for (const output of this.#output.splice(0)) this.#send(output);
    this.#outputLength = 0;
  }
}

function socketOf({ handle }: Pipe): net.Socket {
  return new net.Socket({ handle, readable: true, writable: false } as net.SocketConstructorOpts);
}
