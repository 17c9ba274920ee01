// A connection to a host that lets processes join. It can ask and wait for the answer without turning the
// event loop: `listen` has to know its port before it returns, as node's does. Bounded by a timeout.

import { readdirSync, readSync, realpathSync, statSync, writeSync } from 'node:fs';
import net from 'node:net';
import { basename, join } from 'node:path';
import { JOIN_LINE_BYTES_MAX, JOIN_SOCKET, JOIN_VERSION } from '../wire/join-messages.ts';
import type { JoinReply, JoinRequest } from '../wire/join-messages.ts';

/** How long a host may take to answer. It answers in about a millisecond; a stopped one never. */
const ANSWER_TIMEOUT_MS = 2000;
const HOSTS_TRIED_MAX = 8;
const READ_BYTES = 4096;

/** Sockets of hosts that may live, the youngest first. */
export function joinSockets(home: string, socketName = JOIN_SOCKET): string[] {
  const found: { path: string; startedMs: number }[] = [];
  for (const name of namesIn(home)) {
    const named = join(home, name, socketName);
    const stat = /^run-\d+$/.test(name) ? statSync(named, { throwIfNoEntry: false }) : undefined;
    // Behind a link: where the name of the home is too long for a socket, the run folder is elsewhere.
    if (stat !== undefined) found.push({ path: realpathSync(named), startedMs: stat.mtimeMs });
  }
  found.sort((left, right) => right.startedMs - left.startedMs);
  return found.slice(0, HOSTS_TRIED_MAX).map(({ path }) => path);
}

/** Sockets of hosts of the machine that reserved something for our user: those of root count only. */
export function reservedSockets(folder: string): string[] {
  const uid = process.getuid?.();
  const found = uid === undefined ? undefined : statSync(folder, { throwIfNoEntry: false });
  // Whoever else could put a socket there could pose as the host.
  if (found === undefined || (found.uid !== 0 && found.uid !== uid) || (found.mode & 0o022) !== 0) return [];
  return joinSockets(folder, `${uid}.sock`);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // No such folder, or not ours: no host.
    return [];
  }
}

/** Keeps the thread waiting without burning it. */
export function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/** See the head of the file. */
export class JoinChannel {
  /** The socket of the host. */
  readonly path: string;
  #socket: net.Socket;
  #fd: number;
  #text = '';
  #isOpen = true;
  #onLost: (() => void) | null = null;

  private constructor(socket: net.Socket, fd: number, path: string) {
    this.path = path;
    this.#socket = socket;
    this.#fd = fd;
    socket.unref();
    // Nothing is said unasked, but the end has to be seen.
    socket.on('data', (chunk: Buffer) => this.#take(chunk.toString('utf8')));
    socket.on('error', () => this.#lose());
    socket.on('close', () => this.#lose());
  }

  /**
   * Says hello to the first host that answers on one of the `sockets`. Null: none lives, or it is of another
   * version. `onLost` is called once, later, when the connection ends without `close`.
   */
  static open(sockets: readonly string[], onLost: () => void): JoinChannel | null {
    for (const path of sockets) {
      const socket = net.connect(path);
      const { fd } = (socket as unknown as { _handle: { fd: number } | null })._handle ?? { fd: -1 };
      const channel = new JoinChannel(socket, fd, path);
      const title = basename(process.argv[1] ?? 'node');
      const hello: JoinRequest = { kind: 'hello', version: JOIN_VERSION, pid: process.pid, title };
      // Where a connection shows no descriptor (named pipes) nobody can wait for it.
      if (fd >= 0 && channel.ask(hello)?.kind === 'welcome') {
        channel.#onLost = onLost;
        return channel;
      }
      channel.close();
    }
    return null;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sends and waits. Null: the host is gone or does not answer; the channel is closed then. */
  ask(request: JoinRequest): JoinReply | null {
    if (!this.#isOpen) return null;
    const endMs = performance.now() + ANSWER_TIMEOUT_MS;
    try {
      this.#write(Buffer.from(`${JSON.stringify(request)}\n`), endMs);
      const line = this.#readLine(endMs);
      if (line !== null) return JSON.parse(line) as JoinReply;
    } catch (error) {
      if (codeOf(error) === undefined && !(error instanceof SyntaxError)) throw error;
    }
    this.#lose();
    return null;
  }

  /** Gives up everything that was claimed. */
  close(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }

  #lose(): void {
    if (!this.#isOpen) return;
    this.close();
    if (this.#onLost !== null) process.nextTick(this.#onLost);
  }

  #write(bytes: Buffer, endMs: number): void {
    for (let offset = 0; offset < bytes.length; ) {
      try {
        offset += writeSync(this.#fd, bytes, offset);
      } catch (error) {
        if (codeOf(error) !== 'EAGAIN' || performance.now() > endMs) throw error;
        sleepSync(1);
      }
    }
  }

  #readLine(endMs: number): string | null {
    const chunk = Buffer.allocUnsafe(READ_BYTES);
    for (let waits = 0; ; ) {
      const end = this.#text.indexOf('\n');
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      try {
        const length = readSync(this.#fd, chunk, 0, READ_BYTES, null);
        if (length === 0) return null;
        this.#take(chunk.toString('utf8', 0, length));
      } catch (error) {
        if (codeOf(error) !== 'EAGAIN' || performance.now() > endMs) throw error;
        // The answer usually comes within the first few tenths of a millisecond.
        sleepSync(waits++ < 10 ? 0.1 : 1);
      }
    }
  }

  #take(text: string): void {
    this.#text += text;
    if (this.#text.length > JOIN_LINE_BYTES_MAX) this.#lose();
  }
}
