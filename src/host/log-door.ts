// The URL of an app's log folder, for apps that keep their logs in their own folder, as folders of iisnode do:
// a page with the files and the lines that come, and each file as text. By default only for people at this machine.

import type { App, AppLogs } from '../apps/apps.ts';
import { logPage } from '../dashboard/log-page.ts';
import { TAIL_LINES_MAX, TAIL_SCRIPT_HASH, type LogTail } from '../dashboard/log-tail.ts';
import type { AskedRequest, Decision } from '../wire/front-messages.ts';

/** Groups of such URLs begin with it; the path of the app follows. */
export const LOG_GROUPS = 'log:';

/** The path of the app's log folder, with a slash at the end; undefined when it has none below its URL. */
export function logPath(app: Pick<App, 'path' | 'settings'>): string | undefined {
  const { logDirectory, loggingEnabled, logPage } = app.settings;
  const names = logDirectory.split('/').filter((name) => name !== '' && name !== '.');
  const isInside = !logDirectory.startsWith('/') && !/^[A-Za-z]:/.test(logDirectory) && !names.includes('..');
  if (!loggingEnabled || logPage === 'off' || !isInside || names.length === 0) return undefined;
  return `${app.path}${names.map(encodeURIComponent).join('/')}/`;
}

/** Decides on a request for such a URL. `pass` means that nothing is there for this client. */
export async function decideOnLogs(app: App, logs: AppLogs, request: AskedRequest): Promise<Decision> {
  const place = logPath(app);
  const mayRead = app.settings.logPage === 'everyone' || (app.settings.logPage === 'local' && request.local);
  if (place === undefined || !mayRead) return { kind: 'pass' };
  if (request.method !== 'GET' && request.method !== 'HEAD') return { kind: 'pass' };
  const name = `${request.path}/`.startsWith(place) ? request.path.slice(place.length).replace(/\/$/, '') : '';
  const fields = ['Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff'];
  const after = /^\?after=(-1|\d{1,15})$/.exec(request.query)?.[1];
  if (name === '' && after !== undefined) return tailAnswer(await tailOf(app, logs, Number(after)));
  const files = await logs.files(app);
  if (name === '') {
    const listed = files.map((file) => ({ ...file, path: `${place}${encodeURIComponent(file.name)}` }));
    const policy =
      "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; connect-src 'self'; " +
      `script-src ${TAIL_SCRIPT_HASH}`;
    fields.push('Content-Type', 'text/html; charset=utf-8', 'Content-Security-Policy', policy);
    return { kind: 'answer', answer: { status: 200, fields, body: logPage(app.name, listed) } };
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
  return { kind: 'answer', answer: { status: 200, fields, body: JSON.stringify(tail) } };
}
