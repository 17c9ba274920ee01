// The supervisor: binds the listeners, starts the front, joins it with the apps and their debuggers.
// It never reads from the network. `stop` ends every process that it started and removes its sockets.

import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { pause } from '../base/clock.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import { asideGroup, createApps, type App, type Apps } from '../apps/apps.ts';
import type { AskedRequest, Decision, TrustedPeers } from '../wire/front-messages.ts';
import type { HostSnapshot } from '../wire/status.ts';
import { CONTROL_SOCKET } from '../wire/control-messages.ts';
import { controlHandlers } from './control.ts';
import { openControlServer, type ControlServer } from './control-server.ts';
import { Fronts, type FrontAsk } from './fronts.ts';
import type { MergedEvent } from './process-links.ts';
import type { HostConfig } from './host-config.ts';
import { bindHost, type Bound } from './bound.ts';
import { decideOnAway } from './debugger-away.ts';
import { DebuggerDesk } from './debugger-desk.ts';
import { debuggerRules } from './debugger-settings.ts';
import type { Host, HostDebugger, HostOptions } from './host-parts.ts';
import { decideOnIndex, plainAnswer } from './index-door.ts';
import { decideForReaders, isForReaders } from './log-door.ts';
import { LiveConfig } from './live-config.ts';
import { JOINED_GROUPS, spelled, withPathCase, type Tables } from './claims.ts';
import { JoinServer } from './join-server.ts';
import { JOIN_SOCKET } from '../wire/join-messages.ts';
import type { ListenEdit } from './listeners.ts';
import { appSockets } from './user-sockets.ts';
import { withCachedPrefixes } from './cache-rules.ts';
import { debuggedGroups, debuggerGroup, ELSEWHERE_GROUP, HOST_GROUP, routesOf, SITE_GROUP } from './routes.ts';
import { trustedPeers } from './trusted-peers.ts';
import { debuggerFolder, homeFolder } from './run-folder.ts';
import { TlsSource } from './tls-source.ts';
import { SessionAdoption } from './session-adoption.ts';
import { SessionProcesses, unattendedPolicy } from './session-process.ts';
import { SiteProcess } from './site-process.ts';
import { appSnapshots, hostStatus, requestCounts } from './status-source.ts';

export type { DebuggerHost, Host, HostDebugger, HostOptions, HostParts } from './host-parts.ts';

/** How long app processes may take to end after SIGTERM when the host stops. */
const STOP_GRACE_MS = 2000;
/** Unknown paths make the host look at the folders again, at most this often. */
const SCAN_GAP_MS = 100;

/**
 * Starts a host and resolves when requests are answered.
 * @throws HostError ROOT_MISSING, OPTION_INVALID, LISTEN_FAILED, HOME_UNSAFE, FRONT_FAILED, CONFIG_INVALID;
 * nothing is left running then.
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const root = resolve(options.root);
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) {
    throw new HostError('ROOT_MISSING', `cannot serve ${options.root}: it is not a folder`);
  }
  const bound = bindHost(options.root, options.config, options.parts.parsePrefix, options.log);
  try {
    const host = new Supervisor({ ...options, root }, bound);
    await host.start();
    return host;
  } catch (error) {
    bound.closeListeners();
    throw error;
  }
}

class Supervisor implements Host {
  #options: HostOptions;
  #bound: Bound;
  #fronts: Fronts;
  #apps: Apps;
  #sessions: SessionProcesses;
  #sites: SiteProcess;
  #debugger: HostDebugger;
  #desk: DebuggerDesk;
  #adoption: SessionAdoption;
  #lastScan: Promise<void> = Promise.resolve();
  #nextScan: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;
  #control: ControlServer | null = null;
  #joins: JoinServer;
  #tls: TlsSource;
  #config: LiveConfig;
  /** What an edit of `listen` that is about to hold will change. */
  #listenEdit: ListenEdit | null = null;
  /** Signs the cookies of sticky sessions. */
  #stickyKey = randomBytes(32).toString('base64url');
  #startedMs: number;
  #hangTimeoutMs = (): number => this.#config.current.host.hangTimeoutMs;

  constructor(options: HostOptions, bound: Bound) {
    const { config, clock, log, parts, json } = options;
    this.#options = options;
    this.#bound = bound;
    this.#startedMs = clock.now();
    const { root, configFile: named } = options;
    this.#config = new LiveConfig({
      root, config, named, clock, log,
      listenOf: options.listenOf,
      beforeChange: (next) => this.#prepare(next),
      onChange: () => this.#reconfigure(),
    });
    this.#tls = new TlsSource({
      home: options.tlsHome ?? homeFolder(),
      config: () => this.#config.current.tls,
      listeners: () => [...bound.all, ...this.#joins.listeners],
      clock,
      log,
      onChange: (tls) => this.#fronts.send({ kind: 'tls', tls }),
    });
    this.#fronts = new Fronts({
      count: config.host.frontProcesses,
      mainPath: parts.frontMainPath,
      users: bound.reserved.users,
      folder: bound.run.folder,
      json,
      listeners: bound.all,
      hangTimeoutMs: this.#hangTimeoutMs,
      clock,
      log,
      configuration: (expected) => ({
        processes: this.#desk.marked(expected),
        limits: this.#config.current.limits,
        tls: this.#tls.current(),
        peers: this.#peers(),
        ...this.#tables(),
      }),
      onEvent: (event) => this.#onFronts(event),
      decide: (ask) => this.#decide(ask),
    });
    this.#apps = this.#createApps();
    this.#sites = this.#createSites();
    this.#sessions = this.#createSessions();
    this.#joins = this.#createJoins();
    this.#desk = new DebuggerDesk({
      apps: this.#apps,
      sessions: this.#sessions,
      appAt: (path) => this.#appAt(path),
      send: (message) => this.#fronts.send(message),
      routesChanged: () => this.#sendRoutes(),
      reserved: bound.reserved, root, log,
    });
    this.#adoption = new SessionAdoption({ home: homeFolder(), own: bound.run.folder, root, clock, log });
    this.#debugger = parts.createDebugger({
      host: this.#desk.host(),
      portRange: bound.portRange,
      ...(config.host.debuggerTransport === 'thread' ? { socketFolder: bound.run.folder } : {}),
      folder: debuggerFolder(),
      ...debuggerRules(config.host, () => this.#config.current.host),
      clock, log,
    });
  }

  #createApps(): Apps {
    const { clock, log } = this.#options;
    return createApps({
      root: this.#options.root,
      settings: this.#config.apps,
      logsFolder: join(homeFolder(), 'logs'),
      ...appSockets(this.#bound.run.folder, this.#bound.reserved.users),
      fronts: this.#fronts.linkSockets.join(delimiter),
      port: this.#bound.listeners.bound[0]?.port ?? 0,
      debuggeeGraceMs: this.#options.config.host.debuggerGraceMs,
      registerPath: this.#options.parts.registerPath,
      log,
      clock,
      front: {
        expect: (process) => this.#fronts.expect(process),
        forget: (process) => this.#fronts.forget(process),
        retire: (process) => this.#fronts.retire(process),
        failed: (group, failure) => this.#fronts.failed(group, failure),
        debuggeeOutdated: (path) => this.#debugger.changed(path),
        appsChanged: () => this.#sendRoutes(),
        requestCounts: async () => requestCounts(await this.#fronts.report()),
      },
    });
  }

  #createSites(): SiteProcess {
    const { clock, log, parts, json } = this.#options;
    return new SiteProcess({
      mainPath: parts.siteMainPath,
      fronts: this.#fronts.linkSockets,
      hangTimeoutMs: this.#hangTimeoutMs,
      sites: () => this.#config.sites(),
      scan: () => this.#scan(),
      settled: () => this.#fronts.report(),
      expect: (process) => this.#fronts.expect(process),
      forget: (process) => this.#fronts.forget(process),
      json, clock, log,
    });
  }

  #createSessions(): SessionProcesses {
    const { config, clock, log, parts, json } = this.#options;
    return new SessionProcesses({
      mainPath: parts.sessionMainPath,
      uiFolder: parts.uiFolder,
      settingsFolder: debuggerFolder(),
      hangTimeoutMs: this.#hangTimeoutMs,
      unattended: (scope) => unattendedPolicy(this.#config.current.host, this.urls, scope),
      ...debuggerRules(config.host, () => this.#config.current.host),
      graceMs: config.host.debuggerGraceMs,
      fronts: this.#fronts.linkSockets,
      expect: (process) => this.#fronts.expect(process),
      forget: (process) => this.#fronts.forget(process),
      onReport: (path, report) => this.#desk.report(path, report),
      json, clock, log,
    });
  }

  #createJoins(): JoinServer {
    const { parts, config, onJoinedIdle, clock, log } = this.#options;
    const ignoresCase = (): boolean => this.#config.current.host.ignorePathCase;
    const pathOf = (app: App): string => (ignoresCase() ? app.path.toLowerCase() : app.path);
    return new JoinServer({
      path: join(this.#bound.run.folder, JOIN_SOCKET),
      fronts: this.#fronts.linkSockets,
      reserved: this.#bound.reserved,
      parsePrefix: (text) => spelled(parts.parsePrefix(text), ignoresCase()),
      configured: () => this.#bound.listeners.bound,
      holderOf: ({ path, port }) => {
        // No program may have the origin of a debugger.
        if (this.#bound.debuggers.bound.some((own) => own.port === port)) return 'the debuggers (debuggerListen)';
        return this.#apps.list().find((app) => pathOf(app) === path)?.name ?? null;
      },
      front: {
        expect: (process) => this.#fronts.expect(process),
        forget: (process) => this.#fronts.forget(process),
        listen: (listener) => {
          if (listener.origin.startsWith('https:')) this.#tls.added();
          return this.#fronts.addListener(listener);
        },
        unlisten: (listener) => this.#fronts.removeListener(listener),
        settled: () => this.#fronts.report(),
      },
      onChange: () => this.#sendRoutes(),
      ...(onJoinedIdle && { idle: { afterMs: config.host.joinedIdleTimeoutMs, end: onJoinedIdle } }),
      clock,
      log,
    });
  }

  get urls(): readonly string[] {
    return this.#bound.listeners.urls;
  }

  async start(): Promise<void> {
    const { config, log } = this.#options;
    if (config.host.debuggerAuth === 'none') {
      log.warn('debugger-open', { reason: 'debuggerAuth is none: everybody who reaches the port can run code here' });
    }
    try {
      this.#tls.start();
      await this.#apps.scan();
      this.#sites.refresh();
      this.#desk.adoptAll(await this.#adoption.find(), this.#debugger, this.#fronts);
      await this.#fronts.start();
      await this.#joins.open();
      this.#control = await openControlServer({
        path: join(this.#bound.run.folder, CONTROL_SOCKET),
        handlers: controlHandlers({
          apps: this.#apps,
          status: () => this.#status(),
          explain: (app) => this.#config.explain(app),
          scan: () => this.#scan(),
          cache: (ask) => this.#fronts.cache(ask),
        }),
        clock: this.#options.clock,
        log: this.#options.log,
      });
    } catch (error) {
      this.stopNow();
      throw error;
    }
  }

  snapshot(): HostSnapshot {
    const apps = appSnapshots(this.#apps, {
      debuggerOf: (path) => this.#desk.snapshotOf(path, this.#debugger.status(path)),
      problemOf: (folder) => this.#config.problemOf(folder),
    });
    const joined = this.#joins.snapshot();
    return { version: this.#options.parts.version, apps, ...(joined.length > 0 && { joined }) };
  }

  async #status(): Promise<HostSnapshot> {
    const { root, clock } = this.#options;
    return hostStatus({
      snapshot: this.snapshot(),
      apps: this.#apps,
      joined: (report) => this.#joins.snapshot(report),
      ...(await this.#fronts.status()),
      root,
      urls: this.urls,
      debuggerUrls: this.#bound.debuggers.urls,
      uptimeMs: clock.now() - this.#startedMs,
      config: this.#config.file,
      tls: this.#tls,
    });
  }

  /** Tries what an edit needs of the system. @throws HostError: it cannot hold. */
  #prepare({ host, tls }: HostConfig): void {
    this.#listenEdit = this.#bound.listeners.prepare(host.listen, (secure) => {
      this.#tls.requireCertificate(tls, secure);
    });
  }

  /** Other settings hold. */
  #reconfigure(): void {
    const edit = this.#listenEdit;
    this.#listenEdit = null;
    edit?.commit();
    // Before fronts listen with it.
    this.#tls.refresh();
    const { limits } = this.#config.current;
    this.#fronts.send({ kind: 'reconfigure', limits, peers: this.#peers(), ...this.#tables() });
    if (edit !== null && edit.added.length + edit.removed.length > 0) {
      this.#options.log.info('listeners-changed', { urls: this.urls.join(' ') });
      this.#fronts.relisten(edit);
    }
    this.#apps.configure(this.#config.apps).catch((error: unknown) => {
      this.#options.log.error('configure-failed', { reason: messageOf(error) });
    });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const { drainTimeoutMs } = this.#config.current.host;
    this.#apps.startNothing();
    this.#control?.close();
    await this.#config.close();
    this.#tls.stop();
    // A request that stands at a breakpoint would never finish.
    const debuggers = this.#debugger.stop();
    // The front has its own: while ours is open, new clients wait for an answer that never comes.
    this.#bound.closeListeners();
    await this.#fronts.stop(drainTimeoutMs);
    this.#joins.close();
    this.#sites.stop();
    await debuggers;
    await this.#apps.stop(STOP_GRACE_MS);
    this.#release();
  }

  stopNow(): void {
    this.#apps.stopNow();
    this.#sessions.killAll();
    this.#sites.stop();
    this.#fronts.kill();
    this.#control?.close();
    this.#joins.close();
    void this.#config.close();
    this.#release();
  }

  #release(): void {
    this.#tls.stop();
    this.#bound.closeListeners();
    this.#bound.run.remove();
    this.#adoption.remove();
    this.#bound.reserved.remove();
  }

  #appAt(path: string): App {
    const app = this.#apps.list().find((candidate) => candidate.path === path);
    if (app === undefined) throw new HostError('ROUTE_NOT_FOUND', `there is no app at ${path}`);
    return app;
  }

  #onFronts(event: MergedEvent): void {
    const subject = 'process' in event ? event.process : event.group;
    if (subject.startsWith(JOINED_GROUPS)) {
      if (event.kind === 'unlinked') this.#joins.unlinked(subject);
    } else if (subject === SITE_GROUP || this.#sites.has(subject)) {
      if (event.kind === 'activate') this.#sites.activate();
    } else if (event.kind === 'activate' || event.kind === 'deactivate') {
      // A debuggee aside is started by its debugger, and by nothing else.
      if (!event.group.startsWith(asideGroup(''))) this.#apps[event.kind](event.group);
    } else if (event.kind === 'ready' && this.#sessions.markReady(event.process)) {
      this.#options.log.debug('session-ready', { process: event.process });
    } else if (!this.#sessions.has(event.process)) {
      this.#apps[event.kind](event.process);
      if (event.kind === 'ready') void this.#desk.processReady(event.process, (path) => this.#debugger.status(path));
    }
  }

  async #decide({ group, request }: FrontAsk): Promise<Decision> {
    try {
      if (group === HOST_GROUP) return await this.#decideOwn(request);
      if (group === ELSEWHERE_GROUP) return decideOnAway(request, this.#bound.debuggers.urls);
      if (isForReaders(group)) {
        const [appAt, { logs }, { reader }] = [(path: string) => this.#appAt(path), this.#apps, this.#debugger];
        const endOf: Apps['endOf'] = (process) => this.#apps.endOf(process);
        return await decideForReaders(group, request, { appAt, logs, reader, endOf });
      }
      return await this.#debugger.ask(group.slice(debuggerGroup('').length), request);
    } catch (error) {
      this.#options.log.error('ask-failed', { group, path: request.path, reason: messageOf(error) });
      return plainAnswer(500, `${messageOf(error)}\n`);
    }
  }

  async #decideOwn(request: AskedRequest): Promise<Decision> {
    await this.#scan();
    const { index } = this.#config.current.host;
    const apps = [...this.#apps.list(), ...this.#sites.sites];
    return decideOnIndex(request, { apps, index, snapshot: () => this.snapshot() });
  }

  /** Looks for new folders. Requests that come during a look, or soon after it, share the next one. */
  #scan(): Promise<void> {
    this.#nextScan ??= this.#lastScan.then(async () => {
      this.#nextScan = null;
      const scan = this.#apps.scan();
      this.#lastScan = scan.then(() => pause(SCAN_GAP_MS, this.#options.clock));
      await scan;
      if (this.#sites.refresh()) this.#sendRoutes();
    });
    return this.#nextScan;
  }

  /** Whom the fronts believe. */
  #peers(): TrustedPeers {
    return trustedPeers(this.#config.current.host, this.#bound);
  }

  #sendRoutes(): void {
    this.#sites.refresh();
    this.#fronts.send({ kind: 'routes', ...this.#tables() });
  }

  #tables(): Tables {
    const [apps, { host }, { sites }] = [this.#apps.list(), this.#config.current, this.#sites];
    const secretOf = (path: string): string | null => this.#debugger.secretOf(path);
    const debugged = debuggedGroups(apps, this.#debugger);
    const debuggerListeners = this.#bound.debuggers.bound;
    const options = { stickyKey: this.#stickyKey, host, secretOf, debugged, sites, debuggerListeners };
    const tables = withPathCase(this.#joins.addTo(routesOf(apps, options)), host.ignorePathCase);
    return { ...tables, routes: withCachedPrefixes(tables.routes, host.cachedPrefixes, debugged) };
  }
}
