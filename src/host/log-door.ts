// The URL of an app's log folder, for apps that keep their logs in their own folder, as folders of iisnode do:
// a page with the files and the lines that come, and each file as text; for all apps the same below the debugger's URL.
// By default only for people at this machine and who signed in.

import type { App, AppLogs, Apps } from '../apps/apps.ts';
import { logPage } from '../dashboard/log-page.ts';
import { TAIL_LINES_MAX, TAIL_SCRIPT_HASH, type LogTail } from '../dashboard/log-tail.ts';
import type { AskedRequest, Decision } from '../wire/front-messages.ts';
import { ENDED_GROUPS, READER_GROUPS } from '../wire/reader.ts';
import { debuggerPaths } from './debugger-paths.ts';
import type { HostDebugger, ReaderVerdict } from './host-parts.ts';

/** Groups of such URLs begin with it; the path of the app follows. */
export const LOG_GROUPS = 'log:';

/** Groups of apps, as apps/discover makes them. */
const APP_GROUPS = 'app:';

/** The path of the app's log folder, with a slash at the end; undefined when it has none below its URL. */
function logPath(app: Pick<App, 'path' | 'settings'>): string | undefined {
  const { logDirectory, loggingEnabled, logPage } = app.settings;
  const names = logDirectory.split('/').filter((name) => name !== '' && name !== '.');
  const isInside = !logDirectory.startsWith('/') && !/^[A-Za-z]:/.test(logDirectory) && !names.includes('..');
  if (!loggingEnabled || logPage === 'off' || !isInside || names.length === 0) return undefined;
  return `${app.path}${names.map(encodeURIComponent).join('/')}/`;
}

/** Where the logs of the app are to be seen: at its log folder, and below its debugger. */
export function logPaths(app: App): string[] {
  const { loggingEnabled, logPage } = app.settings;
  const [debuggerPath] = debuggerPaths(app);
  const own = app.folderPath === undefined ? logPath(app) : undefined;
  const paths = own === undefined ? [] : [own];
  const isShown = loggingEnabled && logPage !== 'off' && debuggerPath !== undefined;
  return isShown ? [...paths, `${debuggerPath}logs/`] : paths;
}

/** What is needed of the host. */
export interface ReaderDoor {
  /** @throws HostError ROUTE_NOT_FOUND */
  appAt(path: string): App;
  logs: AppLogs;
  reader: HostDebugger['reader'];
  endOf: Apps['endOf'];
}

/** True for the groups of {@link decideForReaders}. */
export function isForReaders(group: string): boolean {
  return [LOG_GROUPS, READER_GROUPS, ENDED_GROUPS].some((start) => group.startsWith(start));
}

/** Logs, and whether somebody is shown the developer parts of a failure: `pass` is yes. */
export async function decideForReaders(group: string, request: AskedRequest, door: ReaderDoor): Promise<Decision> {
  if (group.startsWith(LOG_GROUPS)) {
    const app = door.appAt(group.slice(LOG_GROUPS.length));
    return decideOnLogs(app, request, door);
  }
  if (group.startsWith(ENDED_GROUPS)) return decideOnEnd(group.slice(ENDED_GROUPS.length), request, door);
  const app = door.appAt(group.slice(READER_GROUPS.length + APP_GROUPS.length));
  return { kind: door.reader(app.path, request).kind === 'allowed' ? 'pass' : 'again' };
}

/** A request was lost with the process: `pass` tells its client why. */
async function decideOnEnd(process: string, request: AskedRequest, door: ReaderDoor): Promise<Decision> {
  const { path, settings } = door.appAt(process.slice(APP_GROUPS.length, process.lastIndexOf('#')));
  const isOpen = request.local || settings.errorPages === 'iisnode';
  if (!isOpen && door.reader(path, request).kind !== 'allowed') return { kind: 'again' };
  const developer = await door.endOf(process);
  return developer === undefined ? { kind: 'pass' } : { kind: 'pass', developer };
}

/** Decides on a request for such a URL. `pass` means that nothing is there for this client. */
async function decideOnLogs(app: App, request: AskedRequest, { logs, reader }: ReaderDoor): Promise<Decision> {
  const place = logPaths(app).find((path) => `${request.path}/`.startsWith(path));
  if (place === undefined) return { kind: 'pass' };
  const isOpen = app.settings.logPage === 'everyone' || request.local;
  const verdict: ReaderVerdict = isOpen ? { kind: 'allowed' } : reader(app.path, request);
  if (verdict.kind === 'signed-in') return verdict.decision;
  if (verdict.kind === 'refused') return { kind: 'pass' };
  const { key } = verdict;
  if (request.method !== 'GET' && request.method !== 'HEAD') return { kind: 'pass' };
  // The original keeps its list in a file of that name.
  const name = request.path.slice(place.length).replace(/\/$|^index\.html$/, '');
  const fields = ['Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff'];
  const after = /^\?after=(-1|\d{1,15})(?:&key=[\w-]+)?$/.exec(request.query)?.[1];
  if (name === '' && after !== undefined) return tailAnswer(await tailOf(app, logs, Number(after)));
  const files = await logs.files(app);
  if (name === '') {
    const listed = files.map((file) => ({ ...file, path: `${place}${encodeURIComponent(file.name)}` }));
    const policy =
      "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; connect-src 'self'; " +
      `script-src ${TAIL_SCRIPT_HASH}${key === undefined ? '' : '; sandbox allow-scripts'}`;
    fields.push('Content-Type', 'text/html; charset=utf-8', 'Content-Security-Policy', policy);
    return { kind: 'answer', answer: { status: 200, fields, body: logPage(app.name, listed, key) } };
  }
  // Only a name of the list: nothing else of the disk can be asked for.
  const file = files.find((one) => one.name === name);
  if (file === undefined) return { kind: 'pass' };
  fields.push('Content-Type', 'text/plain; charset=utf-8');
  return { kind: 'answer', answer: { status: 200, fields, body: await logs.read(app, file.name) } };
}

/** A page that has to ask again without having waited does so after this. */
const FULL_PAUSE_MS = 2000;

async function tailOf(app: App, logs: AppLogs, after: number): Promise<LogTail> {
  const { next, lines, missed, isFull } = await logs.linesAfter(app, after, TAIL_LINES_MAX);
  return { next, lines, missed, pauseMs: isFull ? FULL_PAUSE_MS : 0 };
}

function tailAnswer(tail: LogTail): Decision {
  const fields = ['Content-Type', 'application/json', 'Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff'];
  // The page of who signed in runs in a sandbox: its origin is none. It showed its key.
  fields.push('Access-Control-Allow-Origin', 'null');
  return { kind: 'answer', answer: { status: 200, fields, body: JSON.stringify(tail) } };
}
