// The supervisor: binds the listeners, starts the front, joins it with the apps and their debuggers.
// It never reads from the network. `stop` ends every process that it started and removes its sockets.

import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import { asideGroup, createApps, type App, type Apps, type FrontControl } from '../apps/apps.ts';
import { indexPage } from '../dashboard/index-page.ts';
import type { AskedRequest, Decision, ExpectedProcess, FrontToHost, TrustedPeers } from '../wire/front-messages.ts';
import type { HostSnapshot } from '../wire/status.ts';
import { CONTROL_SOCKET } from '../wire/control-messages.ts';
import { controlHandlers } from './control.ts';
import { openControlServer, type ControlServer } from './control-server.ts';
import { FrontProcess } from './front-process.ts';
import { parsePortRange } from './host-config.ts';
import { DebuggerDesk } from './debugger-desk.ts';
import type { DebuggerAuth, Host, HostDebugger, HostOptions } from './host-parts.ts';
import { decideOnLogs, LOG_GROUPS } from './log-door.ts';
import { LiveConfig } from './live-config.ts';
import { JOINED_GROUPS, type Tables } from './claims.ts';
import { JoinServer } from './join-server.ts';
import { JOIN_SOCKET } from '../wire/join-messages.ts';
import { bindOrigin, defaultPort, parseListenOrigin, type BoundListener } from './listen-origin.ts';
import { debuggerGroup, HOST_GROUP, routesOf } from './routes.ts';
import { homeFolder, makeRunFolder } from './run-folder.ts';
import { TlsSource } from './tls-source.ts';
import { SessionProcesses, unattendedMs } from './session-process.ts';
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
  const origins = options.config.host.listen.map(parseListenOrigin);
  const portRange = parsePortRange(options.config.host.debuggerPortRange);
  const listeners: BoundListener[] = [];
  const urls: string[] = [];
  try {
    for (const origin of origins) {
      const bound = bindOrigin(origin);
      listeners.push(...bound);
      urls.push(shownUrl(origin.text, bound[0]!.port));
    }
    const run = makeRunFolder(homeFolder());
    const host = new Supervisor({ ...options, root }, { listeners, urls, run, portRange });
    await host.start();
    return host;
  } catch (error) {
    for (const { handle } of listeners) handle.close();
    throw error;
  }
}

function shownUrl(text: string, port: number): string {
  return `${text.replace(/\/$/, '').replace(/:\d+$/, '')}${port === defaultPort(text) ? '' : `:${port}`}/`;
}

interface Bound {
  listeners: BoundListener[];
  urls: string[];
  run: { folder: string; remove: () => void };
  portRange: { start: number; end: number };
}

class Supervisor implements Host {
  readonly urls: readonly string[];
  #options: HostOptions;
  #bound: Bound;
  #linkSocket: string;
  #front: FrontProcess;
  #apps: Apps;
  #sessions: SessionProcesses;
  #debugger: HostDebugger;
  #desk: DebuggerDesk;
  #retiring = new Map<string, () => void>();
  #lastScan: Promise<void> = Promise.resolve();
  #nextScan: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;
  #control: ControlServer | null = null;
  #joins: JoinServer;
  #tls: TlsSource;
  #config: LiveConfig;
  /** Signs the cookies of sticky sessions. */
  #stickyKey = randomBytes(32).toString('base64url');
  #startedMs: number;

  constructor(options: HostOptions, bound: Bound) {
    const { config, clock, log, parts, json } = options;
    this.#options = options;
    this.#bound = bound;
    this.urls = bound.urls;
    this.#linkSocket = join(bound.run.folder, 'front-0.sock');
    this.#startedMs = clock.now();
    const { root, configFile: named } = options;
    this.#config = new LiveConfig({ root, config, named, clock, log, onChange: () => this.#reconfigure() });
    this.#tls = new TlsSource({
      home: homeFolder(),
      config: () => this.#config.current.tls,
      listeners: () => bound.listeners,
      clock,
      log,
      onChange: (tls) => this.#front.send({ kind: 'tls', tls }),
    });
    this.#front = new FrontProcess({
      mainPath: parts.frontMainPath,
      json,
      listeners: bound.listeners,
      clock,
      log,
      configuration: () => ({
        kind: 'configure',
        linkSocket: this.#linkSocket,
        limits: this.#config.current.limits,
        tls: this.#tls.current(),
        peers: this.#peers(),
        ...this.#tables(),
        processes: this.#desk.marked([
          ...this.#apps.frontRestarted(), ...this.#sessions.expected(), ...this.#joins.expected(),
        ]),
      }),
      onMessage: (message) => this.#onFront(message),
      onRestart: () => this.#frontRestarted(),
    });
    const expect = (process: ExpectedProcess): void => this.#front.send({ kind: 'expect', process });
    const forget = (process: string): void => {
      this.#front.send({ kind: 'forget', process });
      this.#drained(process);
    };
    this.#apps = this.#createApps({ expect, forget });
    this.#sessions = this.#createSessions({ expect, forget });
    this.#joins = this.#createJoins({ expect, forget });
    this.#desk = new DebuggerDesk({
      apps: this.#apps,
      sessions: this.#sessions,
      appAt: (path) => this.#appAt(path),
      send: (message) => this.#front.send(message),
      routesChanged: () => this.#sendRoutes(),
    });
    this.#debugger = parts.createDebugger({
      host: this.#desk.host(),
      portRange: bound.portRange,
      folder: debuggerFolder(),
      auth: config.host.debuggerAuth as DebuggerAuth,
      auditMask: config.host.debuggerAuditMask,
      clock,
      log,
    });
  }

  #createApps(told: Pick<FrontControl, 'expect' | 'forget'>): Apps {
    const { clock, log } = this.#options;
    return createApps({
      root: this.#options.root,
      settings: this.#config.apps,
      logsFolder: join(homeFolder(), 'logs'),
      fronts: [this.#linkSocket].join(delimiter),
      port: this.#bound.listeners[0]?.port ?? 0,
      registerPath: this.#options.parts.registerPath,
      log,
      clock,
      front: {
        ...told,
        retire: (process) => this.#retire(process),
        failed: (group, failure) => this.#front.send({ kind: 'failed', group, failure }),
        debuggeeOutdated: (path) => this.#debugger.changed(path),
        appsChanged: () => this.#sendRoutes(),
        requestCounts: async () => requestCounts(await this.#front.report()),
      },
    });
  }

  #createSessions(told: Pick<FrontControl, 'expect' | 'forget'>): SessionProcesses {
    const { config, clock, log, parts, json } = this.#options;
    return new SessionProcesses({
      mainPath: parts.sessionMainPath,
      uiFolder: parts.uiFolder,
      settingsFolder: debuggerFolder(),
      unattendedMs: unattendedMs(config.host, this.urls),
      auth: config.host.debuggerAuth as DebuggerAuth,
      auditMask: config.host.debuggerAuditMask,
      fronts: [this.#linkSocket],
      ...told,
      onReport: (path, report) => this.#desk.report(path, report),
      json,
      clock,
      log,
    });
  }

  #createJoins(told: Pick<FrontControl, 'expect' | 'forget'>): JoinServer {
    const { parts, clock, log } = this.#options;
    return new JoinServer({
      path: join(this.#bound.run.folder, JOIN_SOCKET),
      fronts: [this.#linkSocket],
      parsePrefix: parts.parsePrefix,
      configured: () => this.#bound.listeners,
      holderOf: ({ path }) => this.#apps.list().find((app) => app.path === path)?.name ?? null,
      front: {
        ...told,
        listen: (listener) => this.#front.addListener(listener),
        unlisten: (listener) => this.#front.removeListener(listener),
        settled: () => this.#front.report(),
      },
      onChange: () => this.#sendRoutes(),
      clock,
      log,
    });
  }

  async start(): Promise<void> {
    const { config, log } = this.#options;
    if (config.host.debuggerAuth === 'none') {
      log.warn('debugger-open', { reason: 'debuggerAuth is none: everybody who reaches the port can run code here' });
    }
    try {
      this.#tls.start();
      await this.#apps.scan();
      await this.#front.start();
      await this.#joins.open();
      this.#control = await openControlServer({
        path: join(this.#bound.run.folder, CONTROL_SOCKET),
        handlers: controlHandlers({
          apps: this.#apps,
          status: () => this.#status(),
          explain: (app) => this.#config.explain(app),
          scan: () => this.#scan(),
          cache: (ask) => this.#front.cache(ask),
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
    return { version: this.#options.parts.version, apps };
  }

  async #status(): Promise<HostSnapshot> {
    const { root, clock } = this.#options;
    return hostStatus({
      snapshot: this.snapshot(),
      apps: this.#apps,
      report: await this.#front.report(),
      root,
      urls: this.urls,
      uptimeMs: clock.now() - this.#startedMs,
      config: this.#config.file,
      certificateWarnings: this.#tls.warnings,
    });
  }

  /** Other settings hold. Where to listen was settled at the start. */
  #reconfigure(): void {
    const { limits } = this.#config.current;
    this.#front.send({ kind: 'reconfigure', limits, ...this.#tables() });
    this.#tls.refresh();
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
    this.#control?.close();
    await this.#config.close();
    this.#tls.stop();
    // A request that stands at a breakpoint would never finish.
    const debuggers = this.#debugger.stop();
    // The front has its own: while ours is open, new clients wait for an answer that never comes.
    for (const { handle } of this.#bound.listeners.splice(0)) handle.close();
    await this.#front.stop(drainTimeoutMs);
    this.#joins.close();
    await debuggers;
    await this.#apps.stop(STOP_GRACE_MS);
    this.#release();
  }

  stopNow(): void {
    this.#apps.stopNow();
    this.#sessions.killAll();
    this.#front.kill();
    this.#control?.close();
    this.#joins.close();
    void this.#config.close();
    this.#release();
  }

  #release(): void {
    this.#tls.stop();
    for (const { handle } of this.#bound.listeners) handle.close();
    this.#bound.listeners.length = 0;
    this.#bound.run.remove();
  }

  #appAt(path: string): App {
    const app = this.#apps.list().find((candidate) => candidate.path === path);
    if (app === undefined) throw new HostError('ROUTE_NOT_FOUND', `there is no app at ${path}`);
    return app;
  }

  #onFront(message: FrontToHost): void {
    const subject = 'process' in message ? message.process : 'group' in message ? message.group : '';
    if (subject.startsWith(JOINED_GROUPS)) {
      if (message.kind === 'unlinked') this.#joins.unlinked(subject);
      return;
    }
    switch (message.kind) {
      case 'activate':
        // A debuggee aside is started by its debugger, and by nothing else.
        if (!message.group.startsWith(asideGroup(''))) this.#apps.activate(message.group);
        break;
      case 'ask':
        void this.#decide(message.ask, message.group, message.request);
        break;
      case 'ready':
        if (!this.#sessions.markReady(message.process)) this.#apps.ready(message.process);
        break;
      case 'unready':
        if (!this.#sessions.has(message.process)) this.#apps.unready(message.process);
        break;
      case 'unlinked':
        if (!this.#sessions.has(message.process)) this.#apps.unlinked(message.process);
        break;
      case 'drained':
        this.#drained(message.process);
        break;
      default:
        assert(false, `message ${message.kind} is answered by the front process class`);
    }
  }

  async #decide(ask: number, group: string, request: AskedRequest): Promise<void> {
    let decision: Decision;
    try {
      if (group === HOST_GROUP) decision = await this.#decideOwn(request);
      else if (group.startsWith(LOG_GROUPS)) {
        const app = this.#appAt(group.slice(LOG_GROUPS.length));
        decision = await decideOnLogs(app, this.#apps.logs, request);
      } else decision = await this.#debugger.ask(group.slice(debuggerGroup('').length), request);
    } catch (error) {
      this.#options.log.error('ask-failed', { group, path: request.path, reason: messageOf(error) });
      decision = plainAnswer(500, `${messageOf(error)}\n`);
    }
    this.#front.send({ kind: 'decision', ask, decision });
  }

  async #decideOwn(request: AskedRequest): Promise<Decision> {
    await this.#scan();
    const path = `${request.path}/`;
    if (this.#apps.list().some((app) => path.startsWith(app.path))) return { kind: 'again' };
    const { index } = this.#config.current.host;
    const mayIndex = index === 'everyone' || (index === 'local' && request.local);
    if (request.path !== '/' || !mayIndex) return { kind: 'pass' };
    if (request.method !== 'GET' && request.method !== 'HEAD') return { kind: 'pass' };
    const fields = ['Content-Type', 'text/html; charset=utf-8', 'Cache-Control', 'no-store'];
    fields.push('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; img-src data:");
    return { kind: 'answer', answer: { status: 200, fields, body: indexPage(this.snapshot()) } };
  }

  /** Looks for new folders. Requests that come during a look, or soon after it, share the next one. */
  #scan(): Promise<void> {
    this.#nextScan ??= this.#lastScan.then(async () => {
      this.#nextScan = null;
      const scan = this.#apps.scan();
      this.#lastScan = scan.then(() => pause(this.#options.clock, SCAN_GAP_MS));
      await scan;
    });
    return this.#nextScan;
  }

  /** Whom the front believes. A change of it holds after a restart. */
  #peers(): TrustedPeers {
    const { trustedProxies, proxyProtocol } = this.#config.current.host;
    const asked = this.#bound.listeners.filter(({ text }) => text !== undefined && proxyProtocol.includes(text));
    return { proxies: [...trustedProxies], proxyListeners: asked.map(({ origin }) => origin) };
  }

  #sendRoutes(): void {
    this.#front.send({ kind: 'routes', ...this.#tables() });
  }

  #tables(): Tables {
    const { backends } = this.#config.current.host;
    const secretOf = (path: string): string | null => this.#debugger.secretOf(path);
    return this.#joins.addTo(routesOf(this.#apps.list(), this.#stickyKey, backends, secretOf));
  }

  #retire(process: string): Promise<void> {
    return new Promise((resolved) => {
      this.#retiring.set(process, resolved);
      this.#front.send({ kind: 'retire', process });
    });
  }

  #drained(process: string): void {
    this.#retiring.get(process)?.();
    this.#retiring.delete(process);
  }

  /** Exchanges died with the front: what was draining is drained. */
  #frontRestarted(): void {
    for (const process of [...this.#retiring.keys()]) this.#drained(process);
  }
}

/** Settings and breakpoints of the debuggers, links and sessions of visitors, the audit log. */
function debuggerFolder(): string {
  return join(homeFolder(), 'debugger');
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolved) => clock.after(ms, resolved));
}

function plainAnswer(status: number, body: string): Decision {
  const fields = ['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store'];
  return { kind: 'answer', answer: { status, fields, body } };
}
