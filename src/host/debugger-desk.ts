// Between the debuggers of apps and the rest of the host: what a debugger needs of apps and session proxies,
// what the front must know of debuggees that stand, and what is shown of sessions.

import { userOf, type App, type Apps, type Debuggee } from '../apps/apps.ts';
import { messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { ExpectedProcess, HostToFront } from '../wire/front-messages.ts';
import type { SessionOptions, SessionReport } from '../wire/session-messages.ts';
import type { DebuggerSnapshot } from '../wire/status.ts';
import type { Fronts } from './fronts.ts';
import type { DebuggerHost, DebuggerShown, HostDebugger, SessionTerms } from './host-parts.ts';
import type { AdoptedSession } from './session-adoption.ts';
import { debuggerPaths } from './debugger-paths.ts';
import { debuggerGroup } from './routes.ts';
import type { SessionProcesses } from './session-process.ts';

/** What {@link DebuggerDesk} needs. */
export interface DebuggerDeskOptions {
  root: string;
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
  /** The latest one of each app. */
  #debuggees = new Map<string, Debuggee>();

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
        this.#debuggees.set(path, debuggee);
        return debuggee;
      },
      openInspector: (path, pid) => apps.openInspector(appAt(path), pid),
      startSessionProxy: (path, options) => {
        const app = appAt(path);
        const names = { appName: app.name, appPath: app.path, group: debuggerGroup(path) };
        const output = options.isLive ? [] : (this.#debuggees.get(path)?.outputDescriptors ?? []);
        const more = { basePaths: debuggerPaths(app), others: [...options.others], output, user: otherUserOf(app) };
        return Promise.resolve(sessions.start({ ...names, ...options, ...more }));
      },
      sessionStarted: (path, terms) => void this.#keep(path, terms),
      settingsOf(path) {
        const { debuggerScope, debuggerStart, debuggerRetries, debuggerRetryDelayMs } = appAt(path).settings;
        return {
          scope: debuggerScope === 'mine' ? 'mine' : 'everyone',
          start: debuggerStart === 'live' ? 'live' : 'restart',
          retries: debuggerRetries,
          retryDelayMs: debuggerRetryDelayMs,
        };
      },
      scopeChanged: () => routesChanged(),
    };
  }

  /** A session proxy says how its session stands; null: it is over. */
  report(path: string, report: SessionReport | null): void {
    if (report === null) this.#reports.delete(path);
    else this.#reports.set(path, report);
    const before = this.#held.get(path) ?? new Set<string>();
    const now = this.#standing(path, report);
    if (now.size === 0) this.#held.delete(path);
    else this.#held.set(path, now);
    for (const process of before) if (!now.has(process)) this.#hold(process, false);
    for (const process of now) if (!before.has(process)) this.#hold(process, true);
  }

  /** Goes on with a session that a host before this one left; one that is of no use here ends. */
  adopt(found: AdoptedSession, debuggers: HostDebugger, fronts: Fronts): void {
    const { apps, sessions, log } = this.#options;
    const { appPath: path, links, debuggee: ids, stamp, inspector, breakAtStart, scope, secret } = found.session;
    const app = apps.list().find((one) => one.path === path);
    // A front that it cannot dial would have no way to it.
    if (app === undefined || !app.settings.debuggingEnabled || links.length < fronts.linkSockets.length) {
      log.warn('session-not-adopted', { app: path, pid: ids.pid });
      found.send({ kind: 'end' });
      return;
    }
    const { stdout, stderr } = found;
    const options = { inspector, breakAtStart, isAside: scope === 'mine' };
    const debuggee = apps.adoptDebuggee(app, options, { ...ids, stamp, stdout, stderr });
    debuggee.keep();
    this.#debuggees.set(path, debuggee);
    const proxy = sessions.adopt(found, { group: debuggerGroup(path), appPath: path });
    if (found.report !== null) this.report(path, found.report);
    debuggers.adopt(path, { debuggee, proxy, terms: { inspector, breakAtStart, scope, secret } });
    fronts.awaitFormer(links, proxy.id);
  }

  /** Lets a session outlive this host. */
  async #keep(path: string, terms: SessionTerms): Promise<void> {
    const { root, sessions, appAt } = this.#options;
    const debuggee = this.#debuggees.get(path);
    const ids = await debuggee?.adoptable();
    // Sockets of other users are made for one host.
    if (ids === undefined || isOfOther(appAt(path))) return;
    const { stamp, ...identity } = ids;
    const session = { root, appPath: path, debuggee: identity, stamp, ...terms };
    sessions.keep(debuggerGroup(path), session, () => debuggee!.keep());
  }

  /** A process serves: where the session is about those that do, it belongs to it. */
  async processReady(process: string, stateOf: (path: string) => DebuggerShown): Promise<void> {
    const { apps, sessions, appAt, log } = this.#options;
    for (const { path, processes } of apps.status()) {
      const pid = processes.find(({ id }) => id === process)?.pid;
      if (pid === undefined || stateOf(path).isLive !== true) continue;
      try {
        const { port } = await apps.openInspector(appAt(path), pid);
        sessions.add(debuggerGroup(path), { pid, port });
      } catch (error) {
        log.warn('live-not-attached', { path, pid, reason: messageOf(error) });
      }
    }
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

function isOfOther({ settings }: App): boolean {
  const user = userOf(settings);
  return user !== undefined && user.uid !== process.getuid?.();
}

/** Who runs the app, where that is not the host's user. */
function otherUserOf(app: App): SessionOptions['user'] | undefined {
  const user = userOf(app.settings);
  return user === undefined || user.uid === process.getuid?.() ? undefined : { uid: user.uid, gid: user.gid };
}
