// What lets a debugging session outlive its host (docs/ARCHITECTURE.md §4): other hosts find it by a socket, and one
// at a time has it. While none has, what the debuggee prints is kept, and at the end the debuggee goes too.
//
//   new ──keep──▶ held ──lost──▶ orphaned ──adopt──▶ adopted ──lost──▶ orphaned
//   any ──end of the proxy──▶ over: without a host the debuggee is killed
//
// A session that is not kept when its host goes stays with the front, which ends debuggee and proxy.

import { chmodSync, rmSync } from 'node:fs';
import * as net from 'node:net';
import { readJsonLines, sendJsonLine } from '../base/json-lines.ts';
import { killGroupOf } from '../base/process-identity.ts';
import type { Log } from '../base/log.ts';
import type { AdoptableSession, AdoptAnswer, AdoptAsk, AdoptedWord, SessionOutput } from '../wire/adoption-messages.ts';
import type { SessionAddition, SessionLastWords, SessionReport } from '../wire/session-messages.ts';

/** Characters of output that are kept while nobody reads them; then the oldest go. */
const KEPT_OUTPUT_MAX = 262_144;

/** Who has the session. */
type Holder =
  | { kind: 'new' } // Its host, which has not said what is to be kept.
  | { kind: 'held' } // Its host.
  | { kind: 'orphaned' } // Nobody.
  | { kind: 'adopted'; socket: net.Socket; hostPid: number };

/** What {@link SessionKeeper} needs. */
export interface SessionKeeperOptions {
  /** Where hosts look. */
  path: string;
  /** Descriptors of the debuggee's stdout and stderr, to be read once the host is gone. */
  output: readonly number[];
  /** A host sends what the first one sends over IPC. */
  onWord(word: SessionAddition | SessionLastWords): void;
  /** The session is to end now. */
  onEnd(): void;
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
  #isReading = false;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
  }

  /** From now on hosts find it. Resolves when they do. */
  async keep(session: AdoptableSession): Promise<void> {
    this.#session = session;
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

  /** Remembers how the session stands, and tells the host that adopted it. */
  report(report: SessionReport): void {
    this.#report = report;
    this.#send(report);
  }

  /** The process ends: to be called in its last moment. */
  end(): void {
    if (this.#server !== null) rmSync(this.#options.path, { force: true });
    const { debuggee } = this.#session ?? {};
    if (this.#holder.kind === 'orphaned' && debuggee !== undefined) killGroupOf(debuggee.pid, debuggee.start);
  }

  #orphaned(): void {
    this.#holder = { kind: 'orphaned' };
    this.#options.log.info('session-orphaned', {});
    if (this.#isReading) return;
    this.#isReading = true;
    const names = ['stdout', 'stderr'] as const;
    this.#options.output.forEach((fd, index) => this.#readOutput(fd, names[index]!));
  }

  /** The pipe must never be full: the debuggee would stand. */
  #readOutput(fd: number, stream: SessionOutput['stream']): void {
    const pipe = new net.Socket({ fd, readable: true, writable: false });
    pipe.setEncoding('utf8');
    pipe.on('data', (text: string) => this.#printed({ kind: 'output', stream, text }));
    pipe.on('error', () => pipe.destroy());
    pipe.unref();
  }

  #printed(output: SessionOutput): void {
    if (this.#holder.kind === 'adopted') return this.#send(output);
    this.#output.push(output);
    this.#outputLength += output.text.length;
    while (this.#outputLength > KEPT_OUTPUT_MAX) this.#outputLength -= this.#output.shift()!.text.length;
  }

  #send(message: SessionReport | SessionOutput): void {
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
    const { debuggee } = this.#session!;
    killGroupOf(debuggee.pid, debuggee.start);
    this.#options.onEnd();
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
