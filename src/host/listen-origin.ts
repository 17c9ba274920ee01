// What `--listen` takes, and the sockets that come of it. The host binds and keeps them; fronts listen.

import * as net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { HostError } from '../base/host-error.ts';
import { InheritedSockets } from './inherited-sockets.ts';

export interface ListenOrigin {
  /** As given: shown to people. */
  text: string;
  /** Addresses to bind: two for `localhost`. */
  addresses: string[];
  /** 0 takes a free port. */
  port: number;
}

/** Parses `http://host:port` or `https://host:port`. @throws HostError OPTION_INVALID */
export function parseListenOrigin(text: string): ListenOrigin {
  const bad = (why: string): HostError =>
    new HostError('OPTION_INVALID', `cannot listen on "${text}": ${why}; expected http[s]://host:port`);
  const match = /^(https?):\/\/(\[[0-9a-fA-F:.]+\]|[^:/[\]]+)(?::(\d{1,5}))?\/?$/.exec(text);
  if (match === null) throw bad('it is no origin');
  const host = match[2]!.replace(/^\[|\]$/g, '');
  const port = match[3] === undefined ? defaultPort(text) : Number(match[3]);
  if (port > 65_535) throw bad(`port ${port} is above 65535`);
  if (host === 'localhost') return { text, addresses: ['127.0.0.1', '::1'], port };
  if (host === '*' || host === '+') return { text, addresses: ['::'], port };
  if (net.isIP(host) === 0) throw bad(`"${host}" is neither an IP address, localhost nor *`);
  return { text, addresses: [host], port };
}

/** The port of an origin that names none. */
export function defaultPort(origin: string): number {
  return origin.startsWith('https:') ? 443 : 80;
}

/**
 * A bound TCP socket that does not listen yet. Node keeps these for its cluster module and offers no public
 * way to bind without accepting; without one, connections are refused while a killed front is replaced.
 */
export interface BoundHandle {
  getsockname(out: { address?: string; port?: number }): number;
  close(): void;
}

type CreateServerHandle = (
  address: string,
  port: number,
  addressType: 4 | 6,
  fd: number | undefined,
  flags: number,
) => BoundHandle | number;

const IPV6_ONLY = 1;

/** One bound address of a listener. */
export interface BoundListener {
  handle: BoundHandle;
  /** `http://host:port` or `https://host:port` with the real port. */
  origin: string;
  port: number;
  /** What it was asked for by. */
  text?: string;
}

/** The origin of one address of a `listen` text: `http://[::1]:8080`. */
export function originOf({ text, address, port }: { text: string; address: string; port: number }): string {
  const scheme = text.startsWith('https:') ? 'https' : 'http';
  return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** Binds every address of `origin`. @throws HostError LISTEN_FAILED, with nothing left bound. */
export function bindOrigin(origin: ListenOrigin): BoundListener[] {
  const bound: BoundListener[] = [];
  let port = origin.port;
  for (const address of origin.addresses) {
    const name: { port?: number } = {};
    const handle = bindAddress(address, port, origin.addresses.length > 1);
    // A port in use shows only when the socket is asked for its name: the bind itself puts it off.
    const errno = typeof handle === 'number' ? handle : handle.getsockname(name);
    if (typeof handle === 'number' || errno !== 0) {
      if (typeof handle !== 'number') handle.close();
      const reason = getSystemErrorName(errno);
      // A machine without IPv6 still has a localhost.
      if (bound.length > 0 && reason !== 'EADDRINUSE') continue;
      for (const other of bound) other.handle.close();
      throw listenError(origin.text, reason);
    }
    port = name.port ?? port;
    bound.push({ handle, origin: originOf({ text: origin.text, address, port }), port, text: origin.text });
  }
  return bound;
}

let inherited: InheritedSockets | undefined;

/** Those of this process: they are asked for before anything is started that could see the variables. */
function inheritedSockets(): InheritedSockets {
  return (inherited ??= new InheritedSockets(process.env, process.pid));
}

/** See {@link InheritedSockets.unused}. */
export function unusedSockets(): string[] {
  return inheritedSockets().unused;
}

function bindAddress(address: string, port: number, alone: boolean): BoundHandle | number {
  const given = inheritedSockets().take(address, port);
  if (given !== undefined) return given;
  const create = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle;
  const family = net.isIPv6(address) ? 6 : 4;
  return create(address, port, family, undefined, family === 6 && alone ? IPV6_ONLY : 0);
}

/** What a person reads when a listener fails. */
export function listenError(origin: string, errno: string): HostError {
  const reasons: Record<string, string> = {
    EADDRINUSE: 'the port is taken by another process',
    EACCES: 'this user may not bind that port',
    EADDRNOTAVAIL: 'this machine does not have that address',
  };
  const cause = Object.assign(new Error(errno), { code: errno });
  return new HostError('LISTEN_FAILED', `cannot listen on ${origin}: ${reasons[errno] ?? errno}`, { cause });
}

/** The system's name of what made a listener fail: EADDRINUSE, EACCES, …; undefined for other failures. */
export function bindErrno(error: unknown): string | undefined {
  const cause = error instanceof HostError ? error.cause : undefined;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return error instanceof HostError && error.code === 'LISTEN_FAILED' ? code : undefined;
}
