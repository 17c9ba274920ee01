// Sessions that a host before this one left behind (docs/ARCHITECTURE.md §4): found in the run folders of the same
// SLIPSTREAM_HOME, taken over when they are of the same root, and watched by the connection to their proxies.

import { rmSync } from 'node:fs';
import * as net from 'node:net';
import { PassThrough } from 'node:stream';
import { pause, type Clock } from '../base/clock.ts';
import { readJsonLines, sendJsonLine } from '../base/json-lines.ts';
import type { Log } from '../base/log.ts';
import type {
  AdoptableSession, AdoptAnswer, AdoptAsk, AdoptedWord, SessionOutput, SessionOver,
} from '../wire/adoption-messages.ts';
import type { SessionReport, SessionToHost } from '../wire/session-messages.ts';
import { isAlive, otherRunFolders, sessionSockets } from './run-folder.ts';

const ANSWER_TIMEOUT_MS = 2000;
/** A proxy may hear of the end of its host a moment later than we do. */
const TRIES_MAX = 40;
const TRY_PAUSE_MS = 50;
/** The fronts of the host before answer what is under way, and go. */
const FORMER_FRONTS_MS = 5000;

/** What a process prints. */
export interface Output {
  stdout: PassThrough;
  stderr: PassThrough;
}

/** A session that is ours now. */
export class AdoptedSession {
  readonly session: AdoptableSession;
  /** What each process prints, from the end of its host on. */
  readonly #output = new Map<number, Output>();
  /** Resolves when the proxy is gone. */
  readonly closed: Promise<void>;
  /** Resolves when the session is over: the proxy may stay a while to read what processes print. */
  readonly over: Promise<void>;
  #tellOver: () => void = () => {};
  /** How the session stands. */
  report: SessionReport | null;
  /** Told what it says besides output. */
  onWord: (word: SessionToHost) => void = () => {};
  #socket: net.Socket;

  constructor(socket: net.Socket, session: AdoptableSession, report: SessionReport | null) {
    this.#socket = socket;
    this.session = session;
    this.report = report;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    this.over = new Promise((resolve) => (this.#tellOver = resolve));
    void this.closed.then(() => this.#tellOver());
  }

  /** What the process with this pid prints. */
  outputOf(pid: number): Output {
    let output = this.#output.get(pid);
    if (output === undefined) {
      output = { stdout: new PassThrough(), stderr: new PassThrough() };
      this.#output.set(pid, output);
    }
    return output;
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  hear(message: SessionToHost | SessionOutput | SessionOver): void {
    if (message.kind === 'output') {
      const stream = this.outputOf(message.pid)[message.stream];
      if (stream.writable) stream.write(message.text);
      return;
    }
    if (message.kind === 'over') return this.#tellOver();
    if (message.kind === 'report') this.report = message;
    this.onWord(message);
  }

  send(message: AdoptedWord): void {
    sendJsonLine(this.#socket, message);
  }
}

export interface AdoptionOptions {
  home: string;
  /** The run folder of this host. */
  own: string;
  root: string;
  clock: Clock;
  log: Log;
}

/** See the head of this file. */
export class SessionAdoption {
  #options: AdoptionOptions;
  /** Folders that are to go with this host: sessions of ours have their sockets there. */
  #folders: { folder: string; named: string }[] = [];

  constructor(options: AdoptionOptions) {
    this.#options = options;
  }

  /** Takes over what is there. What cannot be used is to be sent an `end`. */
  async find(): Promise<AdoptedSession[]> {
    const { home, own } = this.#options;
    const found: AdoptedSession[] = [];
    for (const { pid, folder, named } of otherRunFolders(home, own)) {
      const sockets = sessionSockets(folder);
      const answers = await Promise.all(sockets.map((path) => this.#take(path)));
      const taken = answers.filter((answer) => answer instanceof AdoptedSession);
      found.push(...taken);
      if (taken.length > 0) this.#folders.push({ folder, named });
      else if (!isAlive(pid) && answers.every((answer) => answer === 'gone')) remove(folder, named);
    }
    const links = new Set(found.flatMap(({ session }) => [...session.links, ...(session.userLinks?.paths ?? [])]));
    await Promise.all([...links].map((path) => this.#untilFree(path)));
    return found;
  }

  /** Removes what former hosts left. */
  remove(): void {
    for (const { folder, named } of this.#folders.splice(0)) remove(folder, named);
  }

  async #take(path: string): Promise<AdoptedSession | 'gone' | 'kept'> {
    const { root, clock, log } = this.#options;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const answer = await adopt(path, { kind: 'adopt', root, hostPid: process.pid }, clock);
      if (answer === 'gone') return answer;
      if (answer instanceof AdoptedSession) {
        const pids = answer.session.processes.map(({ pid }) => pid).join(' ');
        log.info('session-adopted', { app: answer.session.appPath, pids });
        return answer;
      }
      if (answer.hostPid === 0 || isAlive(answer.hostPid)) return 'kept';
      await pause(TRY_PAUSE_MS, clock);
    }
    return 'kept';
  }

  /** Nobody listens there any more: a front that closes its socket would take ours away. */
  async #untilFree(path: string): Promise<void> {
    const { clock, log } = this.#options;
    const endMs = clock.now() + FORMER_FRONTS_MS;
    while (await isAnswered(path)) {
      if (clock.now() > endMs) {
        log.warn('former-front-stays', { path });
        return;
      }
      await pause(TRY_PAUSE_MS, clock);
    }
  }
}

function remove(folder: string, named: string): void {
  rmSync(folder, { recursive: true, force: true });
  rmSync(named, { recursive: true, force: true });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    const settle = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

/** Asks a proxy once. */
function adopt(
  path: string,
  ask: AdoptAsk,
  clock: Clock,
): Promise<AdoptedSession | (AdoptAnswer & { kind: 'refused' }) | 'gone'> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    const late = clock.after(ANSWER_TIMEOUT_MS, () => socket.destroy());
    let adopted: AdoptedSession | null = null;
    socket.once('connect', () => sendJsonLine(socket, ask));
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      late.stop();
      resolve('gone');
    });
    readJsonLines(socket, (message) => {
      if (adopted !== null) return adopted.hear(message as SessionToHost | SessionOutput | SessionOver);
      late.stop();
      const answer = message as AdoptAnswer;
      if (answer.kind === 'adopted') {
        adopted = new AdoptedSession(socket, answer.session, answer.report);
        resolve(adopted);
      } else {
        resolve(answer);
        socket.destroy();
      }
    });
  });
}
