// The host's end of joined.sock: lets processes of the same user claim places, binds listeners on demand and
// closes them with their last claim. It promises that what a process held is free once it is gone.

import * as net from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { ExpectedProcess, FrontReport } from '../wire/front-messages.ts';
import type { JoinedSnapshot } from '../wire/status.ts';
import type { ClaimPlace, JoinReply, JoinRequest } from '../wire/join-messages.ts';
import { Claims, portPrefix, withJoined } from './claims.ts';
import type { Hold, JoinListener, JoinPrefix, Tables } from './claims.ts';
import { JoinConnection, type Joiner } from './join-connection.ts';
import { giveSocket, type Reserved, type UserSockets } from './user-sockets.ts';
import { bindOrigin, bindErrno, type BoundListener } from './listen-origin.ts';

const CONNECTIONS_MAX = 4096;
const OTHERS_MASK = 0o177;

/** What joined processes need of the fronts. */
export interface JoinFront {
  expect(process: ExpectedProcess): void;
  forget(process: string): void;
  /** Resolves when the fronts accept on it. @throws HostError LISTEN_FAILED */
  listen(listener: BoundListener): Promise<void>;
  /** Accepts nothing more there; its connections end when they are idle. */
  unlisten(listener: BoundListener): void;
  /** Resolves when the fronts have acted on everything sent so far. */
  settled(): Promise<unknown>;
}

export interface JoinServerOptions {
  /** Path of the socket. */
  path: string;
  /** Link sockets of the fronts. */
  fronts: string[];
  /** What other users may claim, and their sockets. */
  reserved: Reserved;
  /** @throws HostError PREFIX_INVALID */
  parsePrefix(text: string): JoinPrefix;
  /** The listeners of the configuration. */
  configured(): readonly BoundListener[];
  /** Who holds the prefix already, for people; null: nobody but a joined process. */
  holderOf(prefix: JoinPrefix): string | null;
  front: JoinFront;
  /** Routes and groups changed. */
  onChange(): void;
  /** Nobody had a place for so long. Called once. */
  idle?: { afterMs: number; end(): void };
  clock: Clock;
  log: Log;
}

/** Where a claim goes; `isNew`: the fronts do not listen there yet. */
interface Placed {
  prefix: JoinPrefix;
  listener: JoinListener;
  isNew: boolean;
}

/** See the head of the file. */
export class JoinServer {
  #options: JoinServerOptions;
  #claims = new Claims();
  #listeners: JoinListener[] = [];
  #servers: net.Server[] = [];
  #sockets = new Set<net.Socket>();
  #idle: Timer | null = null;

  constructor(options: JoinServerOptions) {
    this.#options = options;
  }

  /** Opens the socket. @throws HostError LISTEN_FAILED */
  async open(): Promise<void> {
    const { path, reserved } = this.#options;
    await this.#open(path, null);
    const { reservations, users } = reserved;
    for (const user of users) {
      if (reservations.users.includes(user.uid)) await this.#open(user.join, user);
    }
    this.#watchIdle();
  }

  async #open(path: string, user: UserSockets | null): Promise<void> {
    const { log } = this.#options;
    const server = net.createServer((socket) => this.#accept(socket, user));
    server.maxConnections = CONNECTIONS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        const message = `cannot open the socket ${path}: ${messageOf(error)}`;
        reject(new HostError('LISTEN_FAILED', message, { cause: error }));
      });
      // The socket is there before the call returns: it must never be open to others.
      const mask = process.umask(OTHERS_MASK);
      try {
        server.listen(path, resolve);
      } finally {
        process.umask(mask);
      }
    });
    if (process.platform !== 'win32') giveSocket(path, user?.uid ?? -1);
    server.on('error', (error) => log.warn('join-failed', { reason: messageOf(error) }));
    this.#servers.push(server);
  }

  /** Hangs up on everybody and closes what was bound for them. */
  close(): void {
    this.#idle?.stop();
    for (const server of this.#servers.splice(0)) server.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const { bound } of this.#listeners) bound.handle.close();
    this.#listeners = [];
  }

  #watchIdle(): void {
    const { idle, clock } = this.#options;
    this.#idle?.stop();
    if (idle === undefined || this.#servers.length === 0 || this.#claims.all.length > 0) return;
    this.#idle = clock.after(idle.afterMs, () => {
      this.close();
      idle.end();
    });
  }

  /** Listeners that were bound on demand. */
  get listeners(): BoundListener[] {
    return this.#listeners.map(({ bound }) => bound);
  }

  /** The tables of the apps with the joined processes in them. */
  addTo(apps: Tables): Tables {
    const ports = new Set(this.#options.configured().map((bound) => bound.port));
    const { rows } = this.#options.reserved.reservations;
    const reserved = rows.map(({ prefix, user }) => ({ text: prefix.text, name: user }));
    return withJoined(apps, this.#claims.tables(reserved), [...ports]);
  }

  /** The servers that listen or end, for status pages. */
  snapshot(report: FrontReport | null = null): JoinedSnapshot[] {
    return this.#claims.all.map(({ prefix, pid, title, uid, state, process: { id, group } }) => ({
      prefix: prefix.text,
      pid,
      title,
      ...(uid !== null && { uid }),
      state,
      ...(report !== null && {
        requests: report.served[id] ?? 0,
        active: report.active[id] ?? 0,
        waiting: report.waiting[group] ?? 0,
      }),
    }));
  }

  /** The link of a process ended. */
  unlinked(process: string): void {
    const hold = this.#claims.all.find((other) => other.process.id === process);
    if (hold?.state === 'released') this.#forget(hold);
  }

  #accept(socket: net.Socket, user: UserSockets | null): void {
    this.#sockets.add(socket);
    const connection = new JoinConnection(socket, user, this.#options.clock, {
      claim: (owner, from, request) => this.#claim(owner, from, request),
      release: (owner, claim) => this.#release(owner, claim),
    });
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#drop(connection);
    });
  }

  async #claim(owner: JoinConnection, from: Joiner, request: JoinRequest & { kind: 'claim' }): Promise<JoinReply> {
    const { claim, place, queue = {} } = request;
    const { front, onChange, log } = this.#options;
    if (!this.#sockets.has(owner.socket)) throw new HostError('CONTROL_LOST', 'the process is gone');
    const uid = owner.user?.uid ?? null;
    const { prefix, listener, isNew } = this.#place(place, uid);
    const { bound, address } = listener;
    const hold = this.#claims.add({ owner, claim, ...from, uid, place, prefix, listener, queue });
    this.#watchIdle();
    front.expect(hold.process);
    onChange();
    try {
      await (isNew ? front.listen(bound) : front.settled());
    } catch (error) {
      this.#end(hold);
      throw error;
    }
    log.info('joined', { prefix: prefix.text, pid: from.pid, title: from.title });
    const shown = address === '' ? '::' : address;
    const { key } = hold.process;
    const fronts = owner.user?.links ?? this.#options.fronts;
    return { kind: 'claimed', claim, port: prefix.port, address: shown, key, fronts };
  }

  /** Finds or binds the listener of a place. */
  #place(place: ClaimPlace, uid: number | null): Placed {
    const { reserved: { reservations }, parsePrefix } = this.#options;
    const mate = this.#claims.clusterMate(place, uid);
    if (mate !== undefined) return { prefix: mate.prefix, listener: mate.listener, isNew: false };
    if (place.kind === 'prefix') {
      const prefix = parsePrefix(place.prefix);
      reservations.check(prefix, uid);
      return this.#placePrefix(prefix, place, uid);
    }
    const { port, address, isSecure } = place;
    const scheme = isSecure ? 'https' : 'http';
    const prefix = portPrefix(port, address, scheme);
    reservations.check(prefix, uid);
    if (port !== 0) this.#checkScheme(prefix);
    const known = port === 0 ? undefined : this.#onDemandAt(port, address);
    if (known !== undefined) {
      try {
        this.#claims.checkFree(prefix, place, uid);
      } catch (error) {
        throw inUse(messageOf(error));
      }
      return { prefix, listener: known, isNew: false };
    }
    const listener = this.#bind(port, address, scheme);
    return { prefix: portPrefix(listener.bound.port, listener.address, scheme), listener, isNew: true };
  }

  #placePrefix(prefix: JoinPrefix, place: ClaimPlace, uid: number | null): Placed {
    const { configured, holderOf } = this.#options;
    this.#claims.checkFree(prefix, place, uid);
    const holder = holderOf(prefix);
    if (holder !== null) {
      throw new HostError('PREFIX_TAKEN', `the prefix ${prefix.text} is held by ${holder}`);
    }
    const address = prefix.category === 'ip' ? prefix.host : '';
    const own = configured().find((bound) => {
      return bound.port === prefix.port && bound.origin.startsWith(`${prefix.scheme}:`);
    });
    if (own !== undefined) {
      return { prefix, listener: { bound: own, address, isOnDemand: false }, isNew: false };
    }
    this.#checkScheme(prefix);
    // A listener of all addresses serves a prefix of one of them, too.
    const known = this.#onDemandAt(prefix.port, address) ?? this.#onDemandAt(prefix.port, '');
    if (known !== undefined) return { prefix, listener: known, isNew: false };
    return { prefix, listener: this.#bind(prefix.port, address, prefix.scheme), isNew: true };
  }

  /** A port speaks either http or https. @throws HostError LISTEN_FAILED */
  #checkScheme(prefix: JoinPrefix): void {
    const other = [...this.#options.configured(), ...this.listeners].find(({ port, origin }) => {
      return port === prefix.port && !origin.startsWith(`${prefix.scheme}:`);
    });
    if (other === undefined) return;
    const hold = this.#claims.held.find(({ listener }) => listener.bound === other);
    const holder = hold === undefined
      ? `the host listens on ${other.text ?? other.origin}`
      : `${hold.prefix.text} is held by process ${hold.pid} (${hold.title})`;
    throw inUse(`cannot listen on ${prefix.text}: ${holder}, and a port speaks either http or https`);
  }

  #onDemandAt(port: number, address: string): JoinListener | undefined {
    const at = this.#listeners.filter(({ bound }) => bound.port === port);
    return at.find((listener) => listener.address === address);
  }

  #bind(port: number, address: string, scheme: string): JoinListener {
    try {
      const bound = bindAny(port, address, scheme);
      const listener: JoinListener = { bound, address, isOnDemand: true };
      this.#listeners.push(listener);
      return listener;
    } catch (error) {
      if (bindErrno(error) !== 'EADDRINUSE') throw error;
      const holder = this.#claims.held.find((hold) => hold.prefix.port === port);
      const isOwn = this.#options.configured().some((bound) => bound.port === port);
      if (holder !== undefined) {
        throw inUse(`${holder.prefix.text} is held by process ${holder.pid} (${holder.title})`);
      }
      throw isOwn ? inUse(`the port is held by the host, process ${process.pid}`) : error;
    }
  }

  async #release(owner: JoinConnection, claim: number): Promise<JoinReply> {
    const hold = this.#claims.held.find((other) => other.owner === owner && other.claim === claim);
    if (hold !== undefined) {
      this.#stop(hold);
      await this.#options.front.settled();
    }
    return { kind: 'released', claim };
  }

  /** Nothing new for this place. */
  #stop(hold: Hold): void {
    const { front, onChange } = this.#options;
    const { isListenerUnused } = this.#claims.release(hold);
    if (isListenerUnused) {
      front.unlisten(hold.listener.bound);
      hold.listener.bound.handle.close();
      this.#listeners = this.#listeners.filter((other) => other !== hold.listener);
    }
    onChange();
  }

  #forget(hold: Hold): void {
    this.#claims.remove(hold);
    this.#options.front.forget(hold.process.id);
    this.#watchIdle();
  }

  #end(hold: Hold): void {
    if (hold.state === 'held') this.#stop(hold);
    this.#forget(hold);
  }

  #drop(owner: JoinConnection): void {
    for (const hold of this.#claims.all.filter((other) => other.owner === owner)) {
      this.#options.log.info('left', { prefix: hold.prefix.text, pid: hold.pid });
      this.#end(hold);
    }
  }
}

/** Binds as node does: all addresses of both families, or of IPv4 where the machine has no IPv6. */
function bindAny(port: number, address: string, scheme: string): BoundListener {
  const bind = (host: string): BoundListener => {
    const shown = host.includes(':') ? `[${host}]` : host;
    const text = address === '' ? `${scheme}://*:${port}` : `${scheme}://${shown}:${port}`;
    return bindOrigin({ text, addresses: [host], port })[0]!;
  };
  if (address !== '') return bind(address);
  try {
    return bind('::');
  } catch (error) {
    const errno = bindErrno(error);
    if (errno !== 'EADDRNOTAVAIL' && errno !== 'EAFNOSUPPORT' && errno !== 'EINVAL') throw error;
    return bind('0.0.0.0');
  }
}

function inUse(message: string): HostError {
  const cause = Object.assign(new Error(message), { code: 'EADDRINUSE' });
  return new HostError('LISTEN_FAILED', message, { cause });
}
