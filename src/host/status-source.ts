// The whole status of a host for the command line: what the supervisor knows, what the fronts counted, what
// the system says about memory.

import { asideGroup, residentBytes, type Apps, type RequestCounts } from '../apps/apps.ts';
import type { FrontReport } from '../wire/front-messages.ts';
import type {
  AppSnapshot, CertificateSnapshot, DebuggerSnapshot, FrontSnapshot, HostSnapshot, JoinedSnapshot, ProcessSnapshot,
} from '../wire/status.ts';
import { debuggerPaths } from './debugger-paths.ts';
import { logPaths } from './log-door.ts';

/** The apps, without what only the front or the system knows. */
export function appSnapshots(
  apps: Apps,
  known: {
    debuggerOf(path: string): DebuggerSnapshot | undefined;
    problemOf(folder: string): string | undefined;
  },
): AppSnapshot[] {
  const byPath = new Map(apps.list().map((app) => [app.path, app]));
  return apps.status().map((status): AppSnapshot => {
    const { name, path, state, pids, restarts, lastFailure, lastLoss } = status;
    const app = byPath.get(path);
    const debuggerPath = app === undefined ? undefined : debuggerPaths(app)[0];
    const logPath = app === undefined ? undefined : logPaths(app)[0];
    const problem = app === undefined ? undefined : known.problemOf(app.folder);
    const debug = known.debuggerOf(path);
    return {
      name,
      path,
      state: debug?.scope === 'everyone' ? 'debug' : state,
      pids,
      restarts,
      ...(debuggerPath === undefined ? {} : { debuggerPath }),
      ...(logPath === undefined ? {} : { logPath }),
      ...(debug === undefined ? {} : { debugger: debug }),
      ...(problem === undefined ? {} : { problem }),
      ...(lastFailure === undefined ? {} : { failure: lastFailure.message }),
      // A failure says it already.
      ...(lastLoss === undefined || lastFailure !== undefined ? {} : { lastEnd: lastLoss }),
    };
  });
}

/** What a status is put together from. */
export interface StatusParts {
  /** What needs no asking. */
  snapshot: HostSnapshot;
  apps: Apps;
  /** The servers of joined processes. */
  joined: (report: FrontReport | null) => JoinedSnapshot[];
  /** Of all fronts together. Null: none answered. */
  report: FrontReport | null;
  fronts: FrontSnapshot[];
  root: string;
  urls: readonly string[];
  debuggerUrls: readonly string[];
  uptimeMs: number;
  config: { file: string | undefined; problem: string | undefined };
  /** Certificates and what is pressing about them. */
  tls: { status: readonly CertificateSnapshot[]; warnings: string[] };
}

/** Puts the status together. */
export async function hostStatus(parts: StatusParts): Promise<HostSnapshot> {
  const { snapshot, apps, report, root, urls, debuggerUrls, uptimeMs, config } = parts;
  const byPath = new Map(apps.status().map((status) => [status.path, status]));
  const groups = new Map(apps.list().map((app) => [app.path, app.group]));
  const complete = snapshot.apps.map(async (app): Promise<AppSnapshot> => {
    const waitingIn = (group: string): number => report?.waiting[group] ?? 0;
    const waiting = waitingIn(groups.get(app.path) ?? '') + waitingIn(asideGroup(app.path));
    const processes = (byPath.get(app.path)?.processes ?? []).map(
      async ({ id, pid, state, ageMs }): Promise<ProcessSnapshot> => {
        const requests = report?.served[id] ?? 0;
        const active = report?.active[id] ?? 0;
        const memoryBytes = pid === undefined ? undefined : await residentBytes(pid);
        const known = { pid: pid ?? 0, state, ageMs: Math.round(ageMs), requests, active };
        return memoryBytes === undefined ? known : { ...known, memoryBytes };
      },
    );
    return { ...app, waiting, processes: await Promise.all(processes) };
  });
  const joined = await Promise.all(parts.joined(report).map(withMemory));
  return {
    ...snapshot,
    ...(joined.length > 0 && { joined }),
    apps: await Promise.all(complete),
    pid: process.pid,
    root,
    urls,
    ...(debuggerUrls.length > 0 && { debuggerUrls }),
    uptimeMs: Math.round(uptimeMs),
    memoryBytes: process.memoryUsage.rss(),
    fronts: await Promise.all(parts.fronts.map(withMemory)),
    ...(report === null ? {} : { connections: report.connections, requests: report.requests }),
    ...(config.file === undefined ? {} : { configFile: config.file }),
    ...(config.problem === undefined ? {} : { configProblem: config.problem }),
    ...(parts.tls.status.length === 0 ? {} : { certificates: parts.tls.status }),
    ...(parts.tls.warnings.length === 0 ? {} : { certificateWarnings: parts.tls.warnings }),
  };
}

async function withMemory<Row extends FrontSnapshot | JoinedSnapshot>(row: Row): Promise<Row> {
  const memoryBytes = await residentBytes(row.pid);
  return memoryBytes === undefined ? row : { ...row, memoryBytes };
}

/** What the fronts counted, by process. */
export function requestCounts(report: FrontReport | null): ReadonlyMap<string, RequestCounts> {
  const { served = {}, active = {} } = report ?? {};
  const rows = Object.keys(served).map((id): [string, RequestCounts] => [
    id,
    { requests: served[id] ?? 0, active: active[id] ?? 0 },
  ]);
  return new Map(rows);
}
