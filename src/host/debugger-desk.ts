// Between the debuggers of apps and the rest of the host: what a debugger needs of apps and session proxies,
// what the front must know of debuggees that stand, and what is shown of sessions.

import type { App, Apps } from '../apps/apps.ts';
import { messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { ExpectedProcess, HostToFront } from '../wire/front-messages.ts';
import type { SessionReport } from '../wire/session-messages.ts';
import type { DebuggerSnapshot } from '../wire/status.ts';
import type { DebuggerHost, DebuggerShown } from './host-parts.ts';
import { debuggerGroup, debuggerPaths } from './routes.ts';
import type { SessionProcesses } from './session-process.ts';

/** What {@link DebuggerDesk} needs. */
export interface DebuggerDeskOptions {
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

  constructor(options: DebuggerDeskOptions) {
    this.#options = options;
  }

  /** What the debugger asks of the host. */
  host(): DebuggerHost {
    const { apps, sessions, appAt, routesChanged } = this.#options;
    return {
      isRunning: (path) => apps.status().some((app) => app.path === path && app.pids.length > 0),
      startDebuggee: (path, options) => apps.startDebuggee(appAt(path), options),
      openInspector: (path, pid) => apps.openInspector(appAt(path), pid),
      startSessionProxy: (path, options) => {
        const app = appAt(path);
        const names = { appName: app.name, appPath: app.path, group: debuggerGroup(path) };
        const more = { basePaths: debuggerPaths(app), others: [...options.others] };
        return Promise.resolve(sessions.start({ ...names, ...options, ...more }));
      },
      settingsOf(path) {
        const { debuggerScope, debuggerStart } = appAt(path).settings;
        return {
          scope: debuggerScope === 'mine' ? 'mine' : 'everyone',
          start: debuggerStart === 'live' ? 'live' : 'restart',
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
