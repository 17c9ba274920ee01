// Where an app asks for new processes: a socket an app, on which the bytes `recycle` are the wish, as on iisnode's
// control pipe, and where its processes tell which ports they listen on (wire/own-ports). Anything else ends the
// connection. Wishes that follow each other soon are slowed, like changed files.

import { chmodSync, chownSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { RecyclePacer } from './pacer.ts';
import { messageOf } from '../base/host-error.ts';
import { PORT_LINE_BYTES_MAX, PORT_TAKEN, PORT_WAIT, readPortLine, type PortLine } from '../wire/own-ports.ts';
import type { App } from './app-config.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';

const WORD = 'recycle';
/** The word and blanks around it are shorter. */
const TEXT_MAX = 64;
/** Connections of one app. A process may keep one open from its start. */
const CONNECTIONS_MAX = 512;
/** Processes of one app that wait for a port; more are not remembered. */
const WAITERS_MAX = 256;

export interface RecycleWishesOptions {
  /** Private folder for the sockets. */
  folder: string;
  clock: Clock;
  log: Log;
  /** An app, named by its group, wishes new processes. */
  onWish(group: string): void;
  /** A process of the app wants a port that others of the app have; true: it is to wait for these to go. */
  onPortWanted(group: string, pid: number, holders: readonly number[]): boolean;
}

interface Place {
  path: string;
  /** Whose it is, when not the host's. */
  uid: number | undefined;
  server: Server;
  pacer: RecyclePacer;
  sockets: Set<Socket>;
  /** Ports that processes listen on, each with the connection that says so. */
  held: Map<Socket, PortLine>;
  /** Who was told to wait, and for which port: it has it as soon as it is free. */
  waiters: Map<number, number>;
}

/** What the bytes received so far are. Whoever wishes again on the same connection may end lines. */
export function readWish(text: string): 'wish' | 'incomplete' | 'other' {
  // Before anything looks at it: a long text of blanks would take long.
  if (text.length >= TEXT_MAX) return 'other';
  const word = text.replace(/^[\s\0]+|[\s\0]+$/g, '').toLowerCase();
  if (word === WORD) return 'wish';
  return WORD.startsWith(word) ? 'incomplete' : 'other';
}

/** It can only become a line about a port. */
function isPortText(text: string): boolean {
  return /^[hw]/.test(text);
}

/** See the head of this file. */
export class RecycleWishes {
  readonly #options: RecycleWishesOptions;
  /** By group. */
  readonly #places = new Map<string, Place>();
  #opened = 0;

  constructor(options: RecycleWishesOptions) {
    this.#options = options;
  }

  /** The path of the app's socket; `other` when another user runs it. It is there when this returns. */
  socketFor(app: App, other?: { folder: string; uid: number }): string {
    const known = this.#places.get(app.group);
    if (known?.uid === other?.uid && known !== undefined) return known.path;
    this.forget(app);
    const { folder, clock, log } = this.#options;
    this.#opened += 1;
    // Short: a path of a socket is cut at about 104 bytes on some systems.
    const path = join(other?.folder ?? folder, `w${this.#opened}.sock`);
    const server = createServer((socket) => this.#hear(app.group, socket));
    server.maxConnections = CONNECTIONS_MAX;
    server.on('error', (error) => log.warn('wishes-failed', { app: app.name, reason: messageOf(error) }));
    server.listen(path);
    chmodSync(path, 0o600);
    if (other !== undefined) chownSync(path, other.uid, -1);
    server.unref();
    const ports = { held: new Map(), waiters: new Map() };
    const pacer = new RecyclePacer(clock);
    this.#places.set(app.group, { path, uid: other?.uid, server, pacer, sockets: new Set(), ...ports });
    return path;
  }

  /** The app is gone. */
  forget(app: App): void {
    const place = this.#places.get(app.group);
    this.#places.delete(app.group);
    place?.pacer.cancel();
    place?.server.close();
    for (const socket of place?.sockets ?? []) socket.destroy();
  }

  close(): void {
    for (const group of [...this.#places.keys()]) this.forget({ group } as App);
  }

  #hear(group: string, socket: Socket): void {
    const place = this.#places.get(group);
    if (place === undefined) return void socket.destroy();
    place.sockets.add(socket);
    let text = '';
    socket.setEncoding('latin1').unref();
    socket.on('data', (bytes: string) => {
      text += bytes;
      if (isPortText(text)) {
        const line = readPortLine(text);
        if (line !== undefined) this.#hearOfPort(group, socket, line);
        else if (text.length >= PORT_LINE_BYTES_MAX) socket.destroy();
        return;
      }
      const what = readWish(text);
      if (what === 'other') socket.destroy();
      if (what !== 'wish') return;
      text = '';
      this.#wish(group);
    });
    socket.on('error', (error) => this.#options.log.debug('wish-lost', { reason: messageOf(error) }));
    socket.on('close', () => {
      place.sockets.delete(socket);
      place.held.delete(socket);
    });
  }

  #hearOfPort(group: string, socket: Socket, line: PortLine): void {
    const place = this.#places.get(group);
    if (place === undefined) return;
    const { held, waiters } = place;
    waiters.delete(line.pid);
    if (line.kind === 'holds') {
      held.set(socket, line);
      return;
    }
    const holders = [...held.values()].filter(({ port }) => port === line.port).map(({ pid }) => pid);
    for (const [pid, port] of waiters) if (port === line.port) holders.push(pid);
    const mayWait = holders.length > 0 && this.#options.onPortWanted(group, line.pid, holders);
    if (mayWait) waiters.set(line.pid, line.port);
    if (waiters.size > WAITERS_MAX) waiters.delete(waiters.keys().next().value!);
    socket.end(mayWait ? PORT_WAIT : PORT_TAKEN);
  }

  #wish(group: string): void {
    const isSlowed = this.#places.get(group)?.pacer.schedule(() => this.#options.onWish(group)) ?? false;
    if (isSlowed) this.#options.log.warn('app-wishes-often', { group });
  }
}
