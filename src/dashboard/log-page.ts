// The page at the URL of an app's log folder: the lines that come, and its log files, newest first. Pure: a list in,
// HTML out.

import { escapeHtml } from '../base/html.ts';
import { TAIL_SCRIPT } from './log-tail.ts';

/** A log file, as the page shows it. */
export interface LogPageFile {
  /** The path of its URL. */
  path: string;
  machine: string;
  pid: number;
  stream: 'stdout' | 'stderr';
  createdMs: number;
  bytes: number;
}

const STYLE = `
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1.25rem}
table{border-collapse:collapse}td,th{text-align:left;padding:.3rem 1.5rem .3rem 0}
.stderr{color:light-dark(#b3261e,#f28b82)}.missed,#state{opacity:.6}
#tail{height:24rem;overflow:auto;border:1px solid;border-radius:.4rem;padding:.5rem;
font:13px/1.4 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}`;

function row({ path, machine, pid, stream, createdMs, bytes }: LogPageFile): string {
  const created = new Date(createdMs).toISOString().replace('T', ' ').slice(0, 19);
  return (
    `<tr class="${stream}"><td>${escapeHtml(machine)}</td><td>${pid}</td><td>${stream}</td><td>${created}</td>` +
    `<td>${bytes}</td><td><a href="${escapeHtml(path)}">log</a></td></tr>`
  );
}

/** The whole page. `key`: what its script shows, where it has to. */
export function logPage(app: string, files: readonly LogPageFile[], key = ''): string {
  const rows = [...files].sort((left, right) => right.createdMs - left.createdMs).map(row);
  const title = `Logs of ${escapeHtml(app)}`;
  const head = '<tr><th>Computer name<th>PID<th>Type<th>Created (UTC)<th>Bytes<th>Link</tr>';
  const body = rows.length === 0 ? '<p>No log file yet.</p>' : `<table>${head}${rows.join('')}</table>`;
  return (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
    `<link rel="icon" href="data:,"><title>${title}</title><style>${STYLE}</style><h1>${title}</h1>` +
    `<div id="tail" tabindex="0" role="log" data-key="${escapeHtml(key)}"></div>` +
    `<p id="state">Lines that come are shown by JavaScript.</p>${body}` +
    `<script>${TAIL_SCRIPT}</script></html>`
  );
}
