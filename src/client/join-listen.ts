// Sends the listens of HTTP servers to a host that runs for the same SLIPSTREAM_HOME. Node's own `listen`
// reads the arguments, looks names up and reports errors; only the bind at its end is ours. Where no host
// runs, node binds.

import net from 'node:net';
import { HostError } from '../base/host-error.ts';
import { claimAddress } from './host-join.ts';
import type { HostJoin } from './host-join.ts';
import type { ListeningServer } from './app-handle.ts';
import { closeOnDisconnect, isClusterWorker, tellListening } from './cluster-worker.ts';
import { isHttpServer, markPatched, planListen, warnOfTls } from './server-listen.ts';

type Listen = (this: ListeningServer, ...args: unknown[]) => net.Server;
type Bind = (
  this: ListeningServer,
  address: string | null,
  port: number,
  family: number,
  backlog: number,
  fd?: number,
  flags?: number,
) => void;

const PREFIX = /^https?:\/\//i;
/** Node's flag for a server of one family alone. The host's listeners take both: such a server is node's own. */
const IPV6_ONLY = 1;

function isIpv6Only(options: unknown): boolean {
  return (options as { ipv6Only?: unknown } | null | undefined)?.ipv6Only === true;
}

/** `listen('http://*:8080/foo/')`: the prefix, else null. */
export function prefixOf(args: readonly unknown[]): string | null {
  const first = args[0];
  return typeof first === 'string' && PREFIX.test(first) ? first : null;
}

function fail(server: net.Server, error: Error): void {
  process.nextTick(() => server.emit('error', error));
}

class JoinListen {
  #join: HostJoin;
  #isWorker = isClusterWorker();
  #claims = 0;

  constructor(join: HostJoin) {
    this.#join = join;
    if (this.#isWorker) closeOnDisconnect(() => join.servers);
  }

  /** Arguments with which node binds in this worker and not in its primary. */
  ownArguments(args: unknown[]): unknown[] {
    const plan = this.#isWorker && !isIpv6Only(args[0]) ? planListen(args) : null;
    if (plan === null) return args;
    const { port, host, backlog, signal, callback } = plan;
    const options = { port, exclusive: true, ...(host && { host }), ...(backlog && { backlog }) };
    const words: unknown[] = [signal === undefined ? options : { ...options, signal }];
    return callback === undefined ? words : [...words, callback];
  }

  /** Listens on a URL prefix. */
  prefix(server: ListeningServer, prefix: string, args: unknown[]): void {
    const last = args.at(-1);
    if (typeof last === 'function') server.once('listening', last as () => void);
    const result = this.#join.claim(server, { kind: 'prefix', prefix }, 0);
    if (result.kind === 'granted') {
      this.#tell(server);
    } else if (result.kind === 'refused') {
      fail(server, result.error);
    } else {
      const why = result.reason === '' ? 'start one with "slipstream serve"' : `one was started: ${result.reason}`;
      const message = `cannot listen on ${prefix}: no host runs; ${why}`;
      fail(server, new HostError('HOST_NOT_RUNNING', message));
    }
  }

  /** Binds through the host. False: there is none. */
  bind(server: ListeningServer, address: string | null, port: number, backlog: number): boolean {
    const isSecure = 'setSecureContext' in server;
    const place = { kind: 'port', port, address: claimAddress(address), isSecure } as const;
    // Workers that ask for any port share one each time, as node's do.
    if (port === 0) this.#claims += 1;
    const which = port === 0 ? this.#claims : 0;
    const cluster = `${process.ppid} ${isSecure ? 'https' : 'http'} ${address ?? ''} ${port} ${which}`;
    const result = this.#join.claim(server, this.#isWorker ? { ...place, cluster } : place, backlog);
    if (result.kind === 'refused') fail(server, result.error);
    else if (result.kind === 'granted') this.#tell(server);
    else if (result.reason !== '') this.#warn(result.reason);
    return result.kind !== 'no-host';
  }

  #warn(reason: string): void {
    process.emitWarning(`no host could be started, so this process listens itself: ${reason}`, {
      type: 'SlipstreamWarning',
      code: 'SLIPSTREAM_HOST_NOT_STARTED',
    });
  }

  #tell(server: ListeningServer): void {
    warnOfTls(server);
    if (this.#isWorker) server.once('listening', () => tellListening(server));
  }
}

/** Makes HTTP servers listen through a host where one runs. Once per process. */
export function patchJoin(join: HostJoin): void {
  markPatched();
  const listens = new JoinListen(join);
  const prototype = net.Server.prototype as unknown as { listen: Listen; _listen2: Bind };
  const { listen: nodeListen, _listen2: nodeBind } = prototype;
  prototype.listen = function listen(...args) {
    if (this._handle !== null || !isHttpServer(this)) return nodeListen.apply(this, args);
    const prefix = prefixOf(args);
    if (prefix !== null) {
      listens.prefix(this, prefix, args);
      return this;
    }
    return nodeListen.apply(this, listens.ownArguments(args));
  };
  prototype._listen2 = function bind(address, port, family, backlog, fd, flags) {
    const isTcp = typeof port === 'number' && (family === 4 || family === 6) && ((flags ?? 0) & IPV6_ONLY) === 0;
    const isOurs = this._handle === null && isTcp && typeof fd !== 'number' && isHttpServer(this);
    if (isOurs && listens.bind(this, address, port, backlog)) return;
    nodeBind.call(this, address, port, family, backlog, fd, flags);
  };
}
