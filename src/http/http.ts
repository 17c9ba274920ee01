// The door of the HTTP front: listeners and connections, routes and groups, the links of processes. It is told
// everything by its host and knows neither what an app is nor how a process is started.

import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import { isLoopbackAddress } from '../base/loopback.ts';
import type { FrontLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type {
  AskedRequest, Decision, ExpectedProcess, Failure, FrontReport, Group, Route, TrustedPeers,
} from '../wire/front-messages.ts';
import { parseBackend } from '../wire/backend-address.ts';
import { networkTest } from '../wire/trusted-networks.ts';
import type { CacheAnswer, CacheAsk, CachePurge } from '../wire/cache-messages.ts';
import type { TlsState } from '../wire/tls-messages.ts';
import { createCache, type CacheZone } from './cache.ts';
import { Turn, type FrontContext, type RouteTarget } from './front-context.ts';
import { ProcessGroup } from './group.ts';
import { isReady, type HostedProcess } from './hosted-process.ts';
import { HttpUpstream } from './http-upstream.ts';
import { LinkServer, type LinkHost } from './link-server.ts';
import type { LinkUpstream } from './link-upstream.ts';
import { Listener } from './listener.ts';
import { LocalClients } from './local-clients.ts';
import { SecureHosts } from './secure-hosts.ts';
import { PrefaceDoor, type Door } from './preface-door.ts';
import { TlsDoor } from './tls-door.ts';
import { TlsStore } from './tls-store.ts';
import { RouteTable } from './route-table.ts';
import { Ticker } from './ticker.ts';
import { parseUrlPrefix } from './url-prefix.ts';

export { parseUrlPrefix, prefixText } from './url-prefix.ts';

/** Who the front tells and asks. */
export interface FrontHost {
  /** A request waits for the group, which has no process. Once until `ready` or `failed`. */
  activate(group: string): void;
  /** Decides on a request. The request is answered with 503 if that takes longer than ASK_TIMEOUT_MS. */
  ask(ask: { group: string; prefix: string; request: AskedRequest }): Promise<Decision>;
  /** A server of the process listens: it gets requests. */
  ready(process: string, pid: number): void;
  /** The process closed its last server but lives. */
  unready(process: string): void;
  /** The link of the process broke. */
  unlinked(process: string): void;
  /** The last exchange of a retired process is over. */
  drained(process: string): void;
}

/** What a front is told at its start. */
export interface FrontSetup {
  limits: FrontLimits;
  routes: Route[];
  groups: Group[];
  processes: ExpectedProcess[];
  tls?: TlsState;
  peers?: TrustedPeers;
}

/** What a front does for its host. */
export interface Front {
  /** Comes first, and again with everything after a loss of state. Limits hold for new connections. */
  configure(state: FrontSetup): void;
  /** Replaces certificates and everything else about TLS, for the next handshakes. */
  tls(state: TlsState): void;
  /** Lets processes dial in. @throws HostError LISTEN_FAILED */
  acceptLinks(socketPath: string, uid?: number): Promise<void>;
  /**
   * Accepts clients on a raw TCP handle, or on anything that net.Server.listen takes. They speak TLS when
   * `origin` begins with `https:`. @throws the system's error.
   */
  listen(target: unknown, origin: string): Promise<{ port: number }>;
  /** Accepts nothing more at `origin`; its connections end when their answers are given. */
  unlisten(origin: string): void;
  /** Replaces routes and groups. Exchanges under way are not touched. */
  routes(routes: Route[], groups: Group[]): void;
  expect(process: ExpectedProcess): void;
  /** Gives the process nothing new; `drained` is told when its last exchange is over. */
  retire(process: string): void;
  /** The process stands still, and requests wait in its group; or it goes on. */
  hold(process: string, isHeld: boolean): void;
  /** Drops the link of the process and fails its exchanges. */
  forget(process: string): void;
  /** Answers all that wait for the group. */
  failed(group: string, failure: Failure): void;
  report(): FrontReport;
  /** Shows or purges what is kept. A purge holds when it returns. */
  cache(ask: CacheAsk): CacheAnswer;
  /** Accepts nothing new and lets requests finish, at most `timeoutMs`; then cuts what is left. */
  drain(timeoutMs: number): Promise<void>;
  /** Ends everything now. */
  close(): void;
}

/** Makes a front that listens nowhere yet. `limits` hold until `configure`. */
export function createFront(options: {
  host: FrontHost;
  limits: FrontLimits;
  clock: Clock;
  log: Log;
}): Front {
  return new HttpFront(options);
}

class HttpFront implements Front, LinkHost {
  #host: FrontHost;
  #context: FrontContext & { limits: FrontLimits; trusts: (address: string) => boolean; userField: string };
  #proxyListeners: ReadonlySet<string> = new Set();
  #listener: Listener;
  #tls = new TlsStore();
  #links: LinkServer;
  #groups = new Map<string, ProcessGroup>();
  /** By group and address. */
  #backends = new Map<string, HttpUpstream>();
  /** Where answers are kept, with the group that gives them. */
  #zones = new Map<CacheZone, string>();
  #processes = new Map<string, HostedProcess>();
  #processOfKey = new Map<string, string>();
  #processOfLink = new Map<LinkUpstream, HostedProcess>();

  constructor(options: { host: FrontHost; limits: FrontLimits; clock: Clock; log: Log }) {
    const { host, limits, clock, log } = options;
    this.#host = host;
    this.#context = {
      limits, clock, log,
      ticker: new Ticker(clock),
      turn: new Turn(),
      routes: new RouteTable<RouteTarget>(),
      cache: createCache({ clock, bytesMax: limits.cacheBytesMax }),
      secureHosts: null, requests: 0, isDraining: false, lenientListeners: new Set(),
      trusts: isLoopbackAddress, localClients: new LocalClients(), userField: '',
      ask: (ask) => host.ask(ask),
      groupOf: (id) => this.#groups.get(id),
    };
    this.#listener = new Listener(this.#context);
    this.#links = new LinkServer({ host: this, clock, log });
    this.#context.ticker.add({ tick: (now) => this.#tickGroups(now) });
  }

  configure(state: FrontSetup): void {
    this.#context.limits = state.limits;
    this.#resizeCache(state.limits.cacheBytesMax);
    if (state.tls !== undefined) this.tls(state.tls);
    if (state.peers !== undefined) {
      const { proxies, proxyListeners, lenientListeners, userField = '', hasOtherUsers = false } = state.peers;
      this.#context.trusts = networkTest(proxies);
      this.#context.userField = userField;
      this.#proxyListeners = new Set(proxyListeners);
      this.#context.lenientListeners = new Set(lenientListeners);
      this.#context.localClients.hasOtherUsers = hasOtherUsers;
    }
    this.routes(state.routes, state.groups);
    for (const process of state.processes) this.expect(process);
  }

  acceptLinks(socketPath: string, uid?: number): Promise<void> {
    return this.#links.listen(socketPath, uid);
  }

  async listen(target: unknown, origin: string): Promise<{ port: number }> {
    const isProxied = (): boolean => this.#proxyListeners.has(origin);
    const { port } = await this.#listener.listen(target, this.#doorOf(origin), origin, isProxied);
    this.#context.log.debug('listening', { origin, port });
    return { port };
  }

  unlisten(origin: string): void {
    this.#listener.unlisten(origin);
  }

  #doorOf(origin: string): () => Door | undefined {
    const options = { ...this.#context, limits: () => this.#context.limits };
    const isSecure = origin.startsWith('https:');
    const door = isSecure ? new TlsDoor({ ...options, origin, store: this.#tls }) : new PrefaceDoor(options);
    return () => (isSecure || this.#tls.hasCleartextHttp2(origin) ? door : undefined);
  }

  tls(state: TlsState): void {
    this.#tls.replace(state);
    this.#context.secureHosts = SecureHosts.from(state.hosts);
  }

  routes(routes: Route[], groups: Group[]): void {
    const { limits, ticker } = this.#context;
    const old = new Map(this.#groups);
    for (const group of groups) {
      const known = old.get(group.id);
      old.delete(group.id);
      if (known !== undefined) {
        known.update(group, limits);
        continue;
      }
      const activate = (id: string): void => this.#host.activate(id);
      this.#groups.set(group.id, new ProcessGroup({ group, limits, ticker, activate }));
    }
    for (const id of old.keys()) this.#groups.delete(id);
    this.#context.routes = this.#tableOf(routes);
    for (const process of this.#processes.values()) this.#settle(process);
    this.#settleBackends(groups);
    // Last: those that wait are answered by what holds now.
    for (const group of old.values()) group.dissolve();
  }

  #settleBackends(groups: Group[]): void {
    const old = new Map(this.#backends);
    for (const { id, backend, clientCert = 'off' } of groups) {
      if (backend === undefined) continue;
      const key = `${id} ${backend} ${clientCert}`;
      if (old.delete(key)) continue;
      const group = this.#groups.get(id)!;
      const address = parseBackend(backend, 'backends');
      const made = new HttpUpstream({ address, clientCert, context: this.#context, onRoom: () => group.dispatch() });
      this.#backends.set(key, made);
      group.add(made);
    }
    for (const [key, backend] of old) {
      this.#backends.delete(key);
      for (const group of this.#groups.values()) group.remove(backend);
      backend.retire();
    }
  }

  #tableOf(routes: Route[]): RouteTable<RouteTarget> {
    const table = new RouteTable<RouteTarget>();
    const zones = new Map<CacheZone, string>();
    for (const route of routes) {
      const group = this.#groups.get(route.group);
      assert(group !== undefined, 'a route names a group that comes with it');
      const zone = route.cache === undefined ? null : this.#context.cache.zone(route.prefix, route.cache);
      if (zone !== null) zones.set(zone, route.group);
      const { ask = 'never', staysPlain = false, decider: by = '' } = route;
      const target: RouteTarget = { group, ask, staysPlain, zone, decider: this.#groups.get(by) ?? null };
      try {
        table.add(parseUrlPrefix(route.prefix), target, { ignoreCase: route.ignoreCase === true });
      } catch (error) {
        // One prefix that nobody can use must not take all others down.
        if (!(error instanceof HostError)) throw error;
        const { code } = error;
        this.#context.log.error('route-dropped', { code, group: route.group, message: messageOf(error) });
      }
    }
    const kept = new Set([...zones.keys()].map(({ prefix }) => prefix));
    for (const { prefix } of this.#zones.keys()) {
      if (!kept.has(prefix)) this.#context.cache.dropPrefix(prefix);
    }
    this.#zones = zones;
    return table;
  }

  expect(expected: ExpectedProcess): void {
    if (this.#processes.has(expected.id)) return;
    this.#processes.set(expected.id, { expected, links: new Map(), retirement: 'none', isHeld: false });
    if (expected.isHeld === true) this.hold(expected.id, true);
    this.#processOfKey.set(expected.key, expected.id);
  }

  retire(id: string): void {
    const process = this.#processes.get(id);
    if (process === undefined || process.retirement !== 'none') return;
    process.retirement = 'retired';
    this.#settle(process);
    this.#tellIfDrained(process);
  }

  hold(id: string, isHeld: boolean): void {
    const process = this.#processes.get(id);
    if (process === undefined || process.isHeld === isHeld) return;
    process.isHeld = isHeld;
    this.#settle(process);
    this.#groups.get(process.expected.group)?.setHeld(id, isHeld);
  }

  forget(id: string): void {
    const process = this.#processes.get(id);
    if (process === undefined) return;
    this.#processes.delete(id);
    this.#processOfKey.delete(process.expected.key);
    this.#groups.get(process.expected.group)?.setHeld(id, false);
    for (const link of [...process.links.keys()]) {
      this.#unlink(process, link);
      link.lose();
    }
  }

  failed(group: string, failure: Failure): void {
    this.#groups.get(group)?.failed(failure);
  }

  report(): FrontReport {
    const waiting: Record<string, number> = {};
    const active: Record<string, number> = {};
    const served: Record<string, number> = {};
    for (const group of this.#groups.values()) waiting[group.id] = group.waiting;
    for (const [id, { links }] of this.#processes) {
      active[id] = 0;
      served[id] = 0;
      for (const link of links.keys()) {
        active[id] += link.active + link.tunnels;
        served[id] += link.served;
      }
    }
    return {
      pid: globalThis.process.pid,
      connections: this.#listener.connections,
      requests: this.#context.requests,
      waiting,
      active,
      served,
      cache: this.#context.cache.show(),
    };
  }

  cache(ask: CacheAsk): CacheAnswer {
    const { cache } = this.#context;
    if (ask.kind === 'show') return { kind: 'shown', report: cache.show(), rows: cache.list(ask.target) };
    return { kind: 'purged', isValid: cache.purge(ask.purge) };
  }

  /** What is kept in a cache of another size is not taken over. */
  #resizeCache(bytesMax: number): void {
    const { cache, clock } = this.#context;
    if (cache.store.bytesMax === bytesMax) return;
    for (const { prefix } of this.#zones.keys()) cache.dropPrefix(prefix);
    cache.close();
    this.#zones.clear();
    this.#context.cache = createCache({ clock, bytesMax });
  }

  drain(timeoutMs: number): Promise<void> {
    this.#context.isDraining = true;
    return this.#listener.drain(timeoutMs, () => [...this.#groups.values()].filter((group) => group.stop()).length > 0);
  }

  close(): void {
    this.#listener.close();
    this.#links.close();
    for (const backend of this.#backends.values()) backend.close();
    this.#context.ticker.stop();
    this.#context.cache.close();
  }

  // --- from the links

  processOf(key: string): string | null {
    return this.#processOfKey.get(key) ?? null;
  }

  linked(id: string, link: LinkUpstream, pid: number): void {
    const process = this.#processes.get(id);
    assert(process !== undefined, 'only an expected process is linked');
    const former = [...process.links].find(([, other]) => other.pid === pid)?.[0];
    // It may dial again before the end of its former link is noticed.
    if (former !== undefined) this.#unlink(process, former);
    process.links.set(link, { pid, isReady: false });
    link.processId = id;
    this.#processOfLink.set(link, process);
    former?.lose();
  }

  ready(id: string, link: LinkUpstream, pid: number): void {
    const process = this.#current(id, link);
    if (process === null) return;
    const isFirst = !isReady(process);
    process.links.get(link)!.isReady = true;
    this.#settle(process);
    if (isFirst) this.#host.ready(id, pid);
  }

  unready(id: string, link: LinkUpstream): void {
    const process = this.#current(id, link);
    if (process === null) return;
    process.links.get(link)!.isReady = false;
    this.#settle(process);
    if (!isReady(process)) this.#host.unready(id);
  }

  draining(id: string, link: LinkUpstream): void {
    const process = this.#current(id, link);
    if (process === null) return;
    link.isRetired = true;
    this.#settle(process);
  }

  unlinked(id: string, link: LinkUpstream): void {
    const process = this.#current(id, link);
    if (process === null) return;
    const wasReady = isReady(process);
    this.#unlink(process, link);
    if (process.links.size === 0) this.#host.unlinked(id);
    else if (wasReady && !isReady(process)) this.#host.unready(id);
    this.#tellIfDrained(process);
  }

  purge(id: string, purge: CachePurge): boolean {
    const group = this.#processes.get(id)?.expected.group;
    let isValid = true;
    for (const [{ prefix }, owner] of this.#zones) {
      if (owner === group) isValid = this.#context.cache.purge({ ...purge, prefix }) && isValid;
    }
    return isValid;
  }

  exchangeOver(link: LinkUpstream): void {
    const process = this.#processOfLink.get(link);
    if (process === undefined) return;
    if (process.retirement === 'retired') this.#tellIfDrained(process);
    else this.#groups.get(process.expected.group)?.dispatch();
  }

  #unlink(process: HostedProcess, link: LinkUpstream): void {
    process.links.delete(link);
    this.#processOfLink.delete(link);
    this.#groups.get(process.expected.group)?.remove(link);
  }

  /** The process, if this is a link of it still. */
  #current(id: string, link: LinkUpstream): HostedProcess | null {
    const process = this.#processes.get(id);
    return process !== undefined && process.links.has(link) ? process : null;
  }

  /** Puts the process into its group, or takes it out. */
  #settle(process: HostedProcess): void {
    const { links, expected } = process;
    const group = this.#groups.get(expected.group);
    for (const [link, { isReady: isLinkReady }] of links) {
      if (process.retirement !== 'none') link.isRetired = true;
      link.isHeld = process.isHeld;
      if (isLinkReady && !link.isRetired) group?.add(link, expected.id);
      else group?.remove(link);
    }
  }

  #tellIfDrained(process: HostedProcess): void {
    if (process.retirement !== 'retired') return;
    for (const link of process.links.keys()) {
      if (link.active + link.tunnels > 0) return;
    }
    process.retirement = 'drained';
    this.#host.drained(process.expected.id);
  }

  #tickGroups(now: number): void {
    for (const group of this.#groups.values()) group.tick(now);
  }
}
