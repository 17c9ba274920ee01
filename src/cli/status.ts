// slipstream status: the running host, its apps and their processes.

import { HostError } from '../base/host-error.ts';
import { nearestName } from '../base/setting.ts';
import { askHost } from '../process/control-client.ts';
import type { AppSnapshot, FrontSnapshot, HostSnapshot, JoinedSnapshot } from '../wire/status.ts';
import { HOST_OPTIONS, hostPid, parseWords, printJson } from './options.ts';
import { durationText, printable, sizeText, textTable } from './text-table.ts';

/** What `slipstream status --help` prints. */
export const STATUS_HELP = `Usage: slipstream status [app] [--json] [--host PID]

Shows the host that runs for SLIPSTREAM_HOME: a row for each app, or the one named, with its state, its
processes, requests so far, requests under way and waiting, memory and restarts.
With several front processes (frontProcesses) also a row for each of them.
Servers of programs that joined have a table of their own, a row for each.
Below: why an app failed, and settings that were not taken.
`;

/** Runs the verb. */
export async function status(words: string[]): Promise<void> {
  const { values, positionals } = parseWords('status', words, HOST_OPTIONS, 1);
  const whole = (await askHost({ verb: 'status' }, { pid: hostPid(values.host) })) as HostSnapshot;
  const snapshot = positionals[0] === undefined ? whole : { ...whole, apps: [appNamed(whole, positionals[0])] };
  if (values.json) printJson(snapshot);
  else process.stdout.write(statusText(snapshot));
}

/** By name or path. @throws HostError APP_UNKNOWN */
function appNamed({ apps }: HostSnapshot, name: string): AppSnapshot {
  const path = `/${name.replace(/^\/+|\/+$/g, '')}/`.replace('//', '/');
  const app = apps.find((one) => one.name === name) ?? apps.find((one) => one.path === path);
  if (app !== undefined) return app;
  const near = nearestName(name, apps.map((one) => one.name));
  const hint = near === undefined ? '; see slipstream status' : `; did you mean "${near}"?`;
  throw new HostError('APP_UNKNOWN', `there is no app "${name}"${hint}`);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function appRow(app: AppSnapshot): string[] {
  const processes = app.processes ?? [];
  const memory = processes.flatMap(({ memoryBytes }) => memoryBytes ?? []);
  return [
    app.name,
    app.path,
    app.state,
    app.pids.length === 0 ? '-' : app.pids.join(' '),
    String(sum(processes.map(({ requests }) => requests))),
    `${sum(processes.map(({ active }) => active))}+${app.waiting ?? 0}`,
    memory.length === 0 ? '-' : sizeText(sum(memory)),
    String(app.restarts),
  ];
}

/** Whether and where an app stands in its debugger. */
function debuggerText({ name, debugger: session, waiting = 0 }: AppSnapshot): string {
  if (session === undefined) return '';
  const { scope, viewers, pauses } = session;
  const who = scope === 'mine' ? 'only requests with its secret' : 'all requests';
  const seen = `${viewers} viewer${viewers === 1 ? '' : 's'}`;
  const head = `debugger of ${printable(name)}: ${who}, ${seen}\n`;
  const stands = pauses.map(({ pid, reason, place }) => {
    const waits = waiting === 0 ? '' : `; ${waiting} request${waiting === 1 ? ' waits' : 's wait'}`;
    return `  pid ${pid} stands at ${printable(place)} (${printable(reason)})${waits}\n`;
  });
  return `\n${head}${stands.join('')}`;
}

function frontRow({ pid, state, connections, requests, memoryBytes, restarts }: FrontSnapshot): string[] {
  const numbers = [connections, requests].map((number) => (number === undefined ? '-' : String(number)));
  return [String(pid), state, ...numbers, memoryBytes === undefined ? '-' : sizeText(memoryBytes), String(restarts)];
}

/** A table of the front processes, where there is something to compare or to wonder about. */
function frontsText(fronts: readonly FrontSnapshot[]): string {
  if (fronts.length < 2 && fronts.every(({ state }) => state === 'serving')) return '';
  const head = ['FRONT', 'STATE', 'CONNECTIONS', 'REQUESTS', 'MEMORY', 'RESTARTS'];
  return `\n${textTable([head, ...fronts.map(frontRow)], [2, 3, 4, 5])}`;
}

/** A table of the servers that joined. */
function joinedText(joined: readonly JoinedSnapshot[]): string {
  if (joined.length === 0) return '';
  const head = ['JOINED', 'PID', 'PROGRAM', 'STATE', 'REQUESTS', 'NOW', 'MEMORY'];
  const rows = joined.map(({ prefix, pid, title, uid, state, requests = 0, active = 0, waiting = 0, memoryBytes }) => [
    prefix,
    uid === undefined ? String(pid) : `${pid} (user ${uid})`,
    printable(title),
    state === 'held' ? 'ready' : 'closing',
    String(requests),
    `${active}+${waiting}`,
    memoryBytes === undefined ? '-' : sizeText(memoryBytes),
  ]);
  return `\n${textTable([head, ...rows], [4, 5, 6])}`;
}

/** The status for people. */
export function statusText(snapshot: HostSnapshot): string {
  const { version, pid, urls = [], root, uptimeMs = 0, apps } = snapshot;
  let text = `slipstream ${version}, pid ${pid}, up ${durationText(uptimeMs)}, on ${urls.join(' ')}\n`;
  const settings = snapshot.configFile === undefined ? '' : `, settings ${printable(snapshot.configFile)}`;
  text += `root ${printable(root ?? '')}${settings}\n`;
  if (snapshot.connections !== undefined) {
    const memory = sizeText(snapshot.memoryBytes);
    text += `${snapshot.connections} connections, ${snapshot.requests ?? 0} requests, host ${memory}\n`;
  }
  const head = ['APP', 'PATH', 'STATE', 'PIDS', 'REQUESTS', 'NOW', 'MEMORY', 'RESTARTS'];
  text += `\n${apps.length === 0 ? 'no app yet\n' : textTable([head, ...apps.map(appRow)], [4, 5, 6, 7])}`;
  text += apps.map(debuggerText).join('');
  text += joinedText(snapshot.joined ?? []);
  text += frontsText(snapshot.fronts ?? []);
  const problems = apps.flatMap(({ name, failure, lastEnd, problem }) => [
    ...(failure === undefined ? [] : [failure]),
    ...(lastEnd === undefined ? [] : [`app "${name}": its last process ${lastEnd}; see slipstream logs`]),
    ...(problem === undefined ? [] : [`app "${name}" keeps its last good settings: ${problem}`]),
  ]);
  if (snapshot.configProblem !== undefined) {
    problems.unshift(`the last good settings hold: ${snapshot.configProblem}`);
  }
  problems.push(...(snapshot.certificateWarnings ?? []).map((line) => `certificate for ${line}`));
  return problems.length === 0 ? text : `${text}\n${problems.map((line) => `! ${printable(line)}\n`).join('')}`;
}
