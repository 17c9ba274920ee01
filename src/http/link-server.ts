// Where processes dial in: a Unix socket of our user. Checks who they are, answers their control frames, makes
// a LinkUpstream of each, and tells when one serves, stops serving, or is gone.

import { chmodSync, chownSync, lstatSync, rmSync } from 'node:fs';
import * as net from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { CachePurge } from '../wire/cache-messages.ts';
import { FrameReader, FrameWriter } from '../wire/frame.ts';
import {
  decodeJson, LINK, LINK_VERSION, partType, type Hello, type Purging, type Refusal, type Registration,
} from '../wire/link-messages.ts';
import { readLent } from './lent-reads.ts';
import { LinkUpstream, type LinkObserver } from './link-upstream.ts';

/** How long a process may take to say who it is. */
export const HELLO_TIMEOUT_MS = 5000;

/** Most links of one socket: a process has one, each worker of a cluster too. */
const LINKS_MAX = 4096;
/** Most servers of one process. */
const REGISTRATIONS_MAX = 10_000;
/** A process that asks this often without reading an answer is hung up on. */
const ANSWERS_UNREAD_MAX = 10_000;

/** Only our user may dial. */
const SOCKET_MODE = 0o600;
const OTHERS_MASK = 0o177;

/** What the server asks and tells. `process` is the id of an expected process. */
export interface LinkHost extends LinkObserver {
  /** Whose key this is; null: nobody's. */
  processOf(key: string): string | null;
  /** The process said who it is. */
  linked(process: string, link: LinkUpstream, pid: number): void;
  /** A server of it listens. */
  ready(process: string, link: LinkUpstream, pid: number): void;
  /** It closed its last server. */
  unready(process: string, link: LinkUpstream): void;
  /** It wants nothing new. */
  draining(process: string, link: LinkUpstream): void;
  /** Drops kept answers of the process's own prefixes. False: the target is none. */
  purge(process: string, purge: CachePurge): boolean;
  /** The link broke. Its exchanges have not failed yet. */
  unlinked(process: string, link: LinkUpstream): void;
}

/** A link's state, seen from here. */
type Peer =
  | { kind: 'unknown'; timer: Timer } // Has not said HELLO.
  | { kind: 'known'; process: string; pid: number; link: LinkUpstream; registrations: Set<number> }
  | { kind: 'refused' }; // Was told why; its end is awaited.

/** One dialled connection. */
class LinkConnection {
  #socket: net.Socket;
  #host: LinkHost;
  #log: Log;
  #writer: FrameWriter;
  #reader: FrameReader;
  #peer: Peer;
  /** Answers to control frames since all that was written had been read. */
  #answersUnread = 0;

  constructor(socket: net.Socket, options: { host: LinkHost; clock: Clock; log: Log }) {
    this.#socket = socket;
    this.#host = options.host;
    this.#log = options.log;
    this.#writer = new FrameWriter(socket);
    this.#reader = new FrameReader((type, channel, buffer, start, end) => {
      this.#onFrame(type, channel, buffer, start, end);
    }, partType);
    this.#peer = { kind: 'unknown', timer: options.clock.after(HELLO_TIMEOUT_MS, () => socket.destroy()) };
    readLent(socket, (buffer, length) => this.#onData(buffer, length));
    socket.on('close', () => this.#onClose());
    // The reason does not matter: `close` follows.
    socket.on('error', () => socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onData(buffer: Buffer, length: number): void {
    try {
      this.#reader.push(buffer, length);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#log.warn('link-broken', { code: 'LINK_FRAME_INVALID', message: messageOf(error) });
      this.#socket.destroy();
    }
  }

  #onClose(): void {
    const peer = this.#peer;
    if (peer.kind === 'unknown') peer.timer.stop();
    this.#peer = { kind: 'refused' };
    this.#writer.close();
    if (peer.kind !== 'known') return;
    this.#host.unlinked(peer.process, peer.link);
    peer.link.lose();
  }

  #onFrame(type: number, channel: number, buffer: Buffer, start: number, end: number): void {
    const peer = this.#peer;
    if (peer.kind === 'known') {
      if (channel !== 0) peer.link.onFrame(type, channel, buffer, start, end);
      else this.#onControl(peer, type, buffer.subarray(start, end));
    } else if (peer.kind === 'unknown') {
      if (type === LINK.HELLO && channel === 0) this.#onHello(decodeJson<Hello>(buffer, start, end));
      else this.#refuse({ code: 'LINK_REFUSED', message: 'a link begins with HELLO' });
    }
  }

  #onHello(hello: Hello): void {
    if (this.#peer.kind === 'unknown') this.#peer.timer.stop();
    if (hello.version !== LINK_VERSION) {
      const versions = `version ${LINK_VERSION} is spoken here, the process speaks ${hello.version}`;
      this.#refuse({ code: 'LINK_VERSION_MISMATCH', message: versions });
      return;
    }
    if (hello.key === undefined) {
      this.#refuse({ code: 'LINK_REFUSED', message: 'joining is not configured' });
      return;
    }
    if (!Number.isSafeInteger(hello.pid)) throw invalid('HELLO without a pid');
    const process = this.#host.processOf(hello.key);
    if (process === null) {
      this.#refuse({ code: 'LINK_REFUSED', message: 'the key of the process is not known' });
      return;
    }
    const link = new LinkUpstream({
      writer: this.#writer,
      observer: this.#host,
      unreadBytes: () => this.#socket.writableLength,
      drop: () => this.#socket.destroy(),
    });
    this.#peer = { kind: 'known', process, pid: hello.pid, link, registrations: new Set() };
    this.#writer.json(LINK.WELCOME, 0, { version: LINK_VERSION, frontPid: globalThis.process.pid });
    this.#host.linked(process, link, hello.pid);
  }

  #onControl(peer: Peer & { kind: 'known' }, type: number, payload: Buffer): void {
    this.#answersUnread = this.#socket.writableLength === 0 ? 0 : this.#answersUnread + 1;
    if (this.#answersUnread > ANSWERS_UNREAD_MAX) throw invalid(`${ANSWERS_UNREAD_MAX} answers are unread`);
    switch (type) {
      case LINK.REGISTER:
        this.#register(peer, decodeJson<Registration>(payload, 0, payload.length));
        break;
      case LINK.UNREGISTER: {
        const { id } = decodeJson<{ id: number }>(payload, 0, payload.length);
        if (!peer.registrations.delete(id) || peer.registrations.size > 0) break;
        this.#host.unready(peer.process, peer.link);
        break;
      }
      case LINK.PURGE:
        this.#purge(peer, decodeJson<Purging>(payload, 0, payload.length));
        break;
      case LINK.DRAIN:
        this.#host.draining(peer.process, peer.link);
        break;
      case LINK.PING:
        this.#writer.empty(LINK.PONG, 0);
        break;
      default:
        // A later version may say more.
        this.#log.debug('link-frame-unknown', { type });
    }
  }

  #register(peer: Peer & { kind: 'known' }, registration: Registration): void {
    const { id, prefixes } = registration;
    if (!Number.isSafeInteger(id) || !Array.isArray(prefixes)) throw invalid('REGISTER of another shape');
    if (prefixes.length > 0) {
      const message = 'joining is not configured: a hosted process serves the prefixes of its app';
      this.#writer.json(LINK.REFUSED, 0, { code: 'LINK_REFUSED', message, id } satisfies Refusal);
      return;
    }
    if (peer.registrations.size >= REGISTRATIONS_MAX) throw invalid(`more than ${REGISTRATIONS_MAX} servers`);
    peer.registrations.add(id);
    this.#writer.json(LINK.REGISTERED, 0, { id });
    if (peer.registrations.size === 1) this.#host.ready(peer.process, peer.link, peer.pid);
  }

  #purge(peer: Peer & { kind: 'known' }, { id, target, isRecursive, tag }: Purging): void {
    if (!Number.isSafeInteger(id)) throw invalid('PURGE without a number');
    const purge: CachePurge = {
      ...(typeof target === 'string' ? { target } : {}),
      ...(typeof tag === 'string' ? { tag } : {}),
      isRecursive: isRecursive === true,
    };
    this.#writer.json(LINK.PURGED, 0, { id, isValid: this.#host.purge(peer.process, purge) });
  }

  #refuse(refusal: Refusal): void {
    this.#log.warn('link-refused', { code: refusal.code, message: refusal.message });
    if (this.#peer.kind === 'unknown') this.#peer.timer.stop();
    this.#peer = { kind: 'refused' };
    this.#writer.json(LINK.REFUSED, 0, refusal);
    this.#writer.flush();
    this.#socket.destroySoon();
  }
}

/** Listens for processes. */
export class LinkServer {
  #options: { host: LinkHost; clock: Clock; log: Log };
  #servers: net.Server[] = [];
  #connections = new Set<LinkConnection>();

  constructor(options: { host: LinkHost; clock: Clock; log: Log }) {
    this.#options = options;
  }

  /**
   * Listens on a Unix socket, for our user only, or for the user `uid` only. A socket left there by another
   * process is replaced. @throws HostError LISTEN_FAILED
   */
  async listen(path: string, uid?: number): Promise<void> {
    removeStaleSocket(path);
    const server = net.createServer((socket) => this.#accept(socket));
    server.maxConnections = LINKS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        reject(new HostError('LISTEN_FAILED', `cannot listen on ${path}: ${error.message}`, { cause: error }));
      });
      // The socket is there before the call returns: it must never be open to others.
      const mask = process.umask(OTHERS_MASK);
      try {
        server.listen(path, resolve);
      } finally {
        process.umask(mask);
      }
    });
    if (process.platform !== 'win32') chmodSync(path, SOCKET_MODE);
    if (uid !== undefined) chownSync(path, uid, -1);
    this.#servers.push(server);
  }

  /** Hangs up on everybody and removes the socket. */
  close(): void {
    for (const server of this.#servers.splice(0)) server.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #accept(socket: net.Socket): void {
    const connection = new LinkConnection(socket, this.#options);
    this.#connections.add(connection);
    socket.on('close', () => this.#connections.delete(connection));
  }
}

function invalid(message: string): HostError {
  return new HostError('LINK_FRAME_INVALID', message);
}

function removeStaleSocket(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new HostError('LISTEN_FAILED', `cannot listen on ${path}: there is something that is no socket`);
  }
  rmSync(path);
}
