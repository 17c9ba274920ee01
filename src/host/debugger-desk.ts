// Between the debuggers of apps and the rest of the host: what a debugger needs of apps and session proxies,
// what the front must know of debuggees that stand, and what is shown of sessions.

import { userOf, type App, type Apps, type Debuggee, type LiveProcesses } from '../apps/apps.ts';
import { messageOf } from '../base/host-error.ts';
import { startOf } from '../base/process-identity.ts';
import type { Log } from '../base/log.ts';
import type { KeptProcess } from '../wire/adoption-messages.ts';
import type { ExpectedProcess, HostToFront } from '../wire/front-messages.ts';
import type { SessionOptions, SessionReport } from '../wire/session-messages.ts';
import type { DebuggerSnapshot } from '../wire/status.ts';
import type { Fronts } from './fronts.ts';
import type { DebuggerHost, DebuggerShown, HostDebugger, SessionTerms } from './host-parts.ts';
import type { AdoptedSession } from './session-adoption.ts';
import { debuggerPaths } from './debugger-paths.ts';
import { debuggerGroup } from './routes.ts';
import type { SessionProcesses } from './session-process.ts';
import type { Reserved } from './user-sockets.ts';

/** What {@link DebuggerDesk} needs. */
export interface DebuggerDeskOptions {
  root: string;
  /** Where processes of other users dial. */
  reserved: Pick<Reserved, 'users' | 'removeFormer'>;
  apps: Apps;
  sessions: SessionProcesses;
  /** The app at a path. @throws HostError ROUTE_NOT_FOUND */
  appAt(path: string): App;
  send(message: HostToFront): void;
  /** Routes of apps are other ones. */
  routesChanged(): void;
  log: Log;
}

/** See the head of this file. */
export class DebuggerDesk {
  #options: DebuggerDeskOptions;
  #reports = new Map<string, SessionReport>();
  /** Processes that the front was told to hold, by app. */
  #held = new Map<string, Set<string>>();
  /** Of the latest session of each app: the debuggee, or what it was attached to. */
  #processes = new Map<string, Debuggee[]>();
  /** Of sessions that are to outlive this host. */
  #terms = new Map<string, SessionTerms>();

  constructor(options: DebuggerDeskOptions) {
    this.#options = options;
  }

  /** What the debugger asks of the host. */
  host(): DebuggerHost {
    const { apps, sessions, appAt, routesChanged } = this.#options;
    return {
      isRunning: (path) => apps.status().some((app) => app.path === path && app.pids.length > 0),
      startDebuggee: async (path, options) => {
        const debuggee = await apps.startDebuggee(appAt(path), options);
        this.#processes.set(path, [debuggee]);
        return debuggee;
      },
      openInspector: async (path, pid) => {
        const live = await apps.openInspector(appAt(path), pid);
        this.#processes.set(path, [...live.processes]);
        return live;
      },
      startSessionProxy: (path, options) => {
        const app = appAt(path);
        const names = { appName: app.name, appPath: app.path, group: debuggerGroup(path) };
        const pipes = (this.#processes.get(path) ?? []).flatMap((process) => process.pipes);
        const more = { basePaths: debuggerPaths(app), others: [...options.others], pipes, user: otherUserOf(app) };
        return Promise.resolve(sessions.start({ ...names, ...options, ...more }));
      },
      sessionStarted: (path, terms) => {
        this.#terms.set(path, terms);
        void this.#keep(path);
      },
      settingsOf(path) {
        const settings = appAt(path).settings;
        return {
          scope: settings.debuggerScope === 'mine' ? 'mine' : 'everyone',
          start: settings.debuggerStart === 'live' ? 'live' : 'restart',
          retries: settings.debuggerRetries,
          retryDelayMs: settings.debuggerRetryDelayMs,
          masksFailures: settings.errorPages.startsWith('iisnode'),
        };
      },
      scopeChanged: () => routesChanged(),
    };
  }

  /** A session proxy says how its session stands; null: it is over. */
  report(path: string, report: SessionReport | null): void {
    if (report === null) this.#over(path);
    else this.#reports.set(path, report);
    const before = this.#held.get(path) ?? new Set<string>();
    const now = this.#standing(path, report);
    if (now.size === 0) this.#held.delete(path);
    else this.#held.set(path, now);
    for (const process of before) if (!now.has(process)) this.#hold(process, false);
    for (const process of now) if (!before.has(process)) this.#hold(process, true);
  }

  #over(path: string): void {
    this.#reports.delete(path);
    this.#terms.delete(path);
    // Also those that came later, which nobody else knows.
    for (const process of this.#processes.get(path) ?? []) void process.kill();
    this.#processes.delete(path);
  }

  /** Goes on with what a host before this one left; a session that is of no use here ends. */
  adoptAll(sessions: readonly AdoptedSession[], debuggers: HostDebugger, fronts: Fronts): void {
    this.#options.reserved.removeFormer(sessions.flatMap(({ session }) => session.userLinks?.paths ?? []));
    for (const session of sessions) this.#adopt(session, debuggers, fronts);
  }

  #adopt(found: AdoptedSession, debuggers: HostDebugger, fronts: Fronts): void {
    const { apps, sessions, log } = this.#options;
    const { appPath: path, links, inspector, breakAtStart, scope, secret, live, processes } = found.session;
    const app = apps.list().find((one) => one.path === path);
    const living = processes.filter(({ pid, start }) => startOf(pid) === start);
    // A front that it cannot dial would have no way to it.
    const isUsable = app?.settings.debuggingEnabled === true && links.length >= fronts.linkSockets.length;
    if (app === undefined || !isUsable || living.length === 0) {
      log.warn('session-not-adopted', { app: path, pids: processes.map(({ pid }) => pid).join(' ') });
      found.send({ kind: 'end' });
      return;
    }
    const debuggee = this.#adoptProcesses(app, found, living);
    const proxy = sessions.adopt(found, { group: debuggerGroup(path), appPath: path });
    if (found.report !== null) this.report(path, found.report);
    const terms = { inspector, breakAtStart, scope, secret, ...(live === undefined ? {} : { live }) };
    debuggers.adopt(path, { debuggee, proxy, terms });
    fronts.awaitFormer(found.session, proxy.id);
  }

  #adoptProcesses(app: App, found: AdoptedSession, living: readonly KeptProcess[]): Debuggee | LiveProcesses {
    const { apps } = this.#options;
    const { live, stamp, inspector, breakAtStart, scope } = found.session;
    const adopted = living.map((ids) => ({ ...ids, stamp, ...found.outputOf(ids.pid) }));
    const keptOf = (all: Debuggee[]): void => {
      for (const process of all) process.keep();
      this.#processes.set(app.path, all);
    };
    if (live === undefined) {
      const options = { inspector, breakAtStart, isAside: scope === 'mine' };
      const debuggee = apps.adoptDebuggee(app, options, adopted[0]!);
      keptOf([debuggee]);
      return debuggee;
    }
    const serving = apps.adoptServing(app, adopted.map((one) => ({ ...one, port: one.port ?? 0 })));
    keptOf([...serving.processes]);
    return {
      ...serving,
      kill: async () => {
        await serving.kill();
        // What they print comes by the proxy of the session: others take over, and the proxy stays until they have.
        await apps.reload(app, 'the session that they came with is over');
      },
    };
  }

  /** Lets a session outlive this host, as its processes are now. */
  async #keep(path: string): Promise<void> {
    const { root, sessions, appAt, reserved, log } = this.#options;
    const asked = this.#processes.get(path) ?? [];
    const found = await Promise.all(asked.map(async (process) => ({ process, ids: await process.adoptable() })));
    const able = found.flatMap(({ process, ids }) => (ids === undefined ? [] : [{ process, ids }]));
    const terms = this.#terms.get(path);
    const [first] = able;
    if (first === undefined || terms === undefined) return;
    const uid = otherUserOf(appAt(path))?.uid;
    const paths = reserved.users.find((user) => user.uid === uid)?.links;
    const userLinks = uid === undefined || paths === undefined ? {} : { userLinks: { uid, paths } };
    const processes = able.map(({ ids: { stamp: _stamp, ...identity } }) => identity);
    const session = { root, appPath: path, ...userLinks, processes, stamp: first.ids.stamp, ...terms };
    sessions.keep(debuggerGroup(path), session, () => {
      for (const { process } of able) process.keep();
      log.info('session-kept', { app: path, pids: processes.map(({ pid }) => pid).join(' ') });
    });
  }

  /** A process serves: where the session is about those that do, it belongs to it. */
  async processReady(process: string, stateOf: (path: string) => DebuggerShown): Promise<void> {
    const { apps, sessions, appAt, log } = this.#options;
    for (const { path, processes } of apps.status()) {
      const pid = processes.find(({ id }) => id === process)?.pid;
      const known = this.#processes.get(path) ?? [];
      if (pid === undefined || stateOf(path).isLive !== true || known.some((one) => one.pid === pid)) continue;
      try {
        const live = await apps.openInspector(appAt(path), pid);
        sessions.add(debuggerGroup(path), { pid, port: live.port });
        await this.#added(path, live);
      } catch (error) {
        log.warn('live-not-attached', { path, pid, reason: messageOf(error) });
      }
    }
  }

  async #added(path: string, { processes }: LiveProcesses): Promise<void> {
    const all = [...(this.#processes.get(path) ?? []), ...processes];
    // Those that have ended are in no list any more.
    const living = all.filter(({ pid }) => startOf(pid) !== undefined);
    this.#processes.set(path, living);
    if (!this.#terms.has(path)) return;
    this.#options.sessions.pipe(debuggerGroup(path), processes.flatMap((process) => process.pipes));
    await this.#keep(path);
  }

  /** What a new front is told of processes: it knows of none that stands. */
  marked(expected: ExpectedProcess[]): ExpectedProcess[] {
    const held = new Set([...this.#held.values()].flatMap((processes) => [...processes]));
    return expected.map((process) => (held.has(process.id) ? { ...process, isHeld: true } : process));
  }

  /** What people see of the debugger of an app. */
  snapshotOf(path: string, shown: DebuggerShown): DebuggerSnapshot | undefined {
    if (shown.state === 'idle') return undefined;
    const { viewers = 0, pauses = [] } = this.#reports.get(path) ?? {};
    return { state: shown.state, scope: shown.scope ?? 'everyone', viewers, pauses };
  }

  #standing(path: string, report: SessionReport | null): Set<string> {
    const pids = new Set((report?.pauses ?? []).map(({ pid }) => pid));
    if (pids.size === 0) return new Set();
    const app = this.#options.apps.status().find((status) => status.path === path);
    const standing = (app?.processes ?? []).filter(({ pid }) => pid !== undefined && pids.has(pid));
    return new Set(standing.map(({ id }) => id));
  }

  #hold(process: string, isHeld: boolean): void {
    this.#options.send({ kind: 'hold', process, isHeld });
  }
}

/** Who runs the app, where that is not the host's user. */
function otherUserOf(app: App): SessionOptions['user'] | undefined {
  const user = userOf(app.settings);
  return user === undefined || user.uid === process.getuid?.() ? undefined : { uid: user.uid, gid: user.gid };
}
