// Turns the program's `server.listen(port)` into a registration with the fronts. The first HTTP server of
// the process that listens on a TCP port becomes the app's server, or the one that asks for PORT, which only the app's
// can mean: it stays node's, only its handle is ours,
// so 'listening', address(), close(), ref() and getConnections() are node's code. Everything else, a second
// port, Unix paths, handles and other kinds of servers, listens as node does.

import http from 'node:http';
import type { Server } from 'node:http';
import net from 'node:net';
import { HostError } from '../base/host-error.ts';
import { assert } from '../base/assert.ts';
import { AppHandle } from './app-handle.ts';
import type { HandleOwner, ListeningServer } from './app-handle.ts';
import type { FrontLinks } from './host-link.ts';
import { OwnPort } from './own-ports.ts';
import { adoptServer } from './serve-exchange.ts';

/** A `listen` on a TCP port, as its arguments say. */
export interface ListenPlan {
  port: number;
  host: string | undefined;
  backlog: number;
  signal: AbortSignal | undefined;
  callback: (() => void) | undefined;
}

type Listen = (this: net.Server, ...args: unknown[]) => net.Server;

const PATCHED = Symbol.for('slipstream.listen');
const FREE_PORTS_START = 49_152;
const FREE_PORTS_COUNT = 16_384;

function portOf(value: unknown): number | null {
  const isText = typeof value === 'string' && value.trim() !== '';
  const port = typeof value === 'number' || isText ? Number(value) : Number.NaN;
  return Number.isInteger(port) && port >= 0 && port <= 65_535 ? port : null;
}

/** The port of a URL prefix such as `https://*:8443/foo/`; null for anything else. */
function prefixPort(value: unknown): number | null {
  const match = typeof value === 'string' ? /^http(s?):\/\/[^/]+?(?::(\d{1,5}))?\//i.exec(value) : null;
  if (match === null) return null;
  return portOf(match[2] ?? (match[1] === '' ? 80 : 443));
}

/**
 * Reads the arguments of `listen`: `()`, `(port, host, backlog, callback)` with any of them left out, or
 * `({port, host, backlog, signal}, callback)`. Of a URL prefix the port counts: the app's
 * place is where its folder is. Null: not a TCP port, or wrong; node shall answer.
 */
export function planListen(args: readonly unknown[]): ListenPlan | null {
  const last = args.at(-1);
  const callback = typeof last === 'function' ? (last as () => void) : undefined;
  const values = callback === undefined ? args : args.slice(0, -1);
  const first = values[0];
  if (typeof first !== 'object' || first === null) {
    const port = first === undefined || first === null ? 0 : (portOf(first) ?? prefixPort(first));
    if (port === null) return null;
    const host = typeof values[1] === 'string' && values[1] !== '' ? values[1] : undefined;
    const backlog = Number(values[host === undefined ? 1 : 2]) || 0;
    return { port, host, backlog, signal: undefined, callback };
  }
  const options = first as Record<string, unknown>;
  if ('_handle' in options || 'handle' in options || 'fd' in options || !('port' in options)) {
    return null;
  }
  const port = options['port'] === undefined || options['port'] === null ? 0 : portOf(options['port']);
  const signal = options['signal'];
  if (port === null || (signal !== undefined && !(signal instanceof AbortSignal))) return null;
  return {
    port,
    host: typeof options['host'] === 'string' && options['host'] !== '' ? options['host'] : undefined,
    backlog: Number(options['backlog']) || 0,
    signal,
    callback,
  };
}

/** Of `listen(path)` and `listen({path})`. */
function pathOf(first: unknown): string | null {
  const value = typeof first === 'object' && first !== null ? (first as { path?: unknown }).path : first;
  return typeof value === 'string' ? value : null;
}

/** The host reads this where the program never listens for it. */
function warnOfPath(path: string): void {
  process.emitWarning(
    `an HTTP server listens on the path ${path}: it is reached there and not through Slipstream, ` +
      'which serves one that listens on process.env.PORT',
    { type: 'SlipstreamWarning', code: 'SLIPSTREAM_PATH_SERVER' },
  );
}

/** True for http and https servers: not for bare TCP or TLS ones, nor for HTTP/2. */
export function isHttpServer(server: net.Server): server is Server {
  if (server instanceof http.Server) return true;
  if (!('setSecureContext' in server)) return false;
  // Loaded already, by whoever made the TLS server; loading it for nothing would cost each start.
  return server instanceof process.getBuiltinModule('node:https').Server;
}

let hasWarnedOfTls = false;

/** Says once in a process that what an https server was given for TLS is not used. */
export function warnOfTls(server: net.Server): void {
  if (hasWarnedOfTls || !('setSecureContext' in server)) return;
  hasWarnedOfTls = true;
  process.emitWarning('the key and certificate of the https server are not used: TLS ends in the front', {
    type: 'SlipstreamWarning',
    code: 'SLIPSTREAM_TLS_UNUSED',
  });
}

/** The app's servers of one process, and their one registration. */
export class AppListen implements HandleOwner {
  #links: Pick<FrontLinks<object>, 'register' | 'unregister' | 'setReferenced'>;
  /** For servers that ask for any port. */
  #defaultPort: number;
  /** All on one port; the first one serves. */
  #handles: AppHandle[] = [];
  /** How node listens for each of them, should it not be the app's. */
  #ownListens = new WeakMap<AppHandle, () => void>();
  #registration: number | null = null;
  /** The server that serves asked for PORT. */
  #hasAskedPort = false;
  #hasWarnedOfPort = false;
  #onListen: (server: Server) => void;

  /** `onListen` is told of each server that is about to emit 'listening'. */
  constructor(
    links: Pick<FrontLinks<object>, 'register' | 'unregister' | 'setReferenced'>,
    port: string | undefined,
    onListen: (server: Server) => void = () => {},
  ) {
    this.#links = links;
    this.#onListen = onListen;
    this.#defaultPort = portOf(port) || FREE_PORTS_START + (process.pid % FREE_PORTS_COUNT);
  }

  /** The server that new channels belong to. */
  get server(): Server | null {
    return this.#handles[0]?.server ?? null;
  }

  /** The servers that listen. */
  get servers(): Server[] {
    return this.#handles.map(({ server }) => server);
  }

  /** Listens for the app. False: this one is node's. `ownListen`: what node does then, for later. */
  listen(server: net.Server, plan: ListenPlan, ownListen: () => void = () => {}): boolean {
    const asksPort = plan.port === this.#defaultPort;
    if (asksPort && !this.#hasAskedPort) this.#giveUp();
    const first = this.#handles[0];
    if (first === undefined) this.#hasAskedPort = asksPort;
    else if (plan.port !== first.port) {
      this.#warnOfPort(plan.port, first.port);
      return false;
    }
    const appServer = server as ListeningServer;
    const address = addressOf(plan.host, plan.port || this.#defaultPort);
    if (plan.callback !== undefined) server.once('listening', plan.callback);
    if (this.#handles.some((handle) => handle.host === address.address)) {
      process.nextTick(() => server.emit('error', addressInUse(address)));
      return true;
    }
    warnOfTls(server);
    const handle = new AppHandle(this, appServer, address);
    this.#handles.push(handle);
    this.#ownListens.set(handle, ownListen);
    this.#onListen(appServer);
    appServer._handle = handle;
    appServer._listen2(address.address, address.port, handle.family, plan.backlog);
    // Behind 'listening', for which node's own listener prepares the server.
    process.nextTick(() => {
      if (appServer._handle === handle) this.#open(handle);
    });
    closeOnAbort(server, plan.signal);
    this.updateReference();
    return true;
  }

  /** What listens so far is not the app's server: PORT, which the host has, is asked for behind it. Node listens. */
  #giveUp(): void {
    for (const handle of this.#handles) {
      this.#warnOfPort(handle.port, this.#defaultPort);
      handle.server._handle = null;
      muteListening(handle.server);
      this.#ownListens.get(handle)!();
      if (!handle.isReferenced) handle.server.unref();
    }
    this.#handles = [];
  }

  #open(handle: AppHandle): void {
    adoptServer(handle.server);
    this.#registration ??= this.#links.register([], (refusal) => {
      const code = refusal.code === 'LINK_VERSION_MISMATCH' ? 'LINK_REFUSED' : refusal.code;
      const { server } = handle;
      server.emit('error', new HostError(code, refusal.message));
      server.close();
    });
  }

  /** The program closed a server. Its exchanges go on. */
  closed(handle: AppHandle): void {
    this.#handles = this.#handles.filter((other) => other !== handle);
    if (this.#handles.length === 0 && this.#registration !== null) {
      this.#links.unregister(this.#registration);
      this.#registration = null;
    }
    this.updateReference();
  }

  updateReference(): void {
    this.#links.setReferenced(this.#handles.some((handle) => handle.isReferenced));
  }

  #warnOfPort(port: number, appPort: number): void {
    if (this.#hasWarnedOfPort) return;
    this.#hasWarnedOfPort = true;
    process.emitWarning(
      `another HTTP server listens on port ${port}: it is reached there and not through Slipstream, ` +
        `which serves the one on port ${appPort}`,
      { type: 'SlipstreamWarning', code: 'SLIPSTREAM_SECOND_SERVER' },
    );
  }
}

/** The program has heard already that the server listens. */
function muteListening(server: net.Server): void {
  const emit = server.emit as (event: string | symbol, ...values: unknown[]) => boolean;
  server.emit = (event: string | symbol, ...values: unknown[]): boolean => {
    if (event === 'listening' || event === 'error') server.emit = emit;
    return event === 'listening' ? true : emit.call(server, event, ...values);
  };
}

/** What `address()` says. A name other than localhost is not looked up: nothing is bound to it. */
function addressOf(host: string | undefined, port: number): net.AddressInfo {
  if (host === undefined) return { address: '::', family: 'IPv6', port };
  const address = net.isIP(host) === 0 ? '127.0.0.1' : host;
  return { address, family: net.isIPv6(address) ? 'IPv6' : 'IPv4', port };
}

function addressInUse(address: net.AddressInfo): Error {
  const where = `${address.address}:${address.port}`;
  return Object.assign(new Error(`listen EADDRINUSE: address already in use ${where}`), {
    code: 'EADDRINUSE',
    errno: -98,
    syscall: 'listen',
    address: address.address,
    port: address.port,
  });
}

function closeOnAbort(server: net.Server, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const close = (): void => void server.close();
  if (signal.aborted) process.nextTick(close);
  else {
    signal.addEventListener('abort', close, { once: true });
    server.once('close', () => signal.removeEventListener('abort', close));
  }
}

/** True when `listen` was patched already, by this copy of the module or another one. */
export function isListenPatched(): boolean {
  return PATCHED in globalThis;
}

/** Remembers that `listen` is patched, for other copies of this module too. */
export function markPatched(): void {
  assert(!isListenPatched(), 'listen is patched once');
  Object.defineProperty(globalThis, PATCHED, { value: true });
}

/**
 * Sends the listens of HTTP servers to `appListen` first. What node listens on itself is told on the app's socket at
 * `ownPorts`. Once per process.
 */
export function patchListen(appListen: AppListen, ownPorts?: string): void {
  markPatched();
  const prototype = net.Server.prototype as unknown as { listen: Listen };
  const nodeListen = prototype.listen;
  prototype.listen = function listen(this: net.Server, ...args: unknown[]): net.Server {
    const isFree = (this as ListeningServer)._handle === null;
    const plan = isFree ? planListen(args) : null;
    if (plan === null) {
      const path = isFree && isHttpServer(this) ? pathOf(args[0]) : null;
      if (path !== null) this.once('listening', () => appListen.server ?? warnOfPath(path));
      return nodeListen.apply(this, args);
    }
    const bare = plan.callback === undefined ? args : args.slice(0, -1);
    const watch = (): void => {
      if (plan.port === 0 || ownPorts === undefined) return;
      new OwnPort(ownPorts, this, nodeListen, { port: plan.port, args: bare });
    };
    const ownListen = (): void => {
      watch();
      nodeListen.apply(this, bare);
    };
    if (isHttpServer(this) && appListen.listen(this, plan, ownListen)) return this;
    watch();
    return nodeListen.apply(this, args);
  };
}
