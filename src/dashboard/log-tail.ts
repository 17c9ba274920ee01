// The live end of the log page: what the page's script asks, and the script. It asks for the lines after the last one
// that it has; the answer waits until there are some. Bounded on both sides. Plain requests: works through any proxy.

import { createHash } from 'node:crypto';

/** Lines in one answer. */
export const TAIL_LINES_MAX = 500;

/** The answer to `?after=<next>`. */
export interface LogTail {
  /** What to ask for next. */
  next: number;
  lines: { pid: number; stream: 'stdout' | 'stderr'; line: string }[];
  /** Lines that came too fast to be kept for this page. */
  missed: number;
  /** How long the page may wait before it asks again, in ms. */
  pauseMs: number;
}

/** Runs in the page. Lines are text to it, never markup. */
export const TAIL_SCRIPT = `
'use strict';
const tail = document.getElementById('tail');
const state = document.getElementById('state');
const ROWS_MAX = 1000;
let next = -1;
const key = tail.dataset.key === '' ? '' : '&key=' + tail.dataset.key;
function add(text, kind) {
  const row = document.createElement('div');
  row.className = kind;
  row.textContent = text;
  tail.append(row);
}
async function ask() {
  const response = await fetch('?after=' + next + key, { headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error('status ' + response.status);
  const told = await response.json();
  next = told.next;
  state.textContent = 'live';
  const isAtEnd = tail.scrollTop + tail.clientHeight >= tail.scrollHeight - 8;
  if (told.missed > 0) add('\\u2026 ' + told.missed + ' lines are not shown', 'missed');
  for (const { pid, stream, line } of told.lines) add(pid + '  ' + line, stream);
  while (tail.childElementCount > ROWS_MAX) tail.firstElementChild.remove();
  if (isAtEnd) tail.scrollTop = tail.scrollHeight;
  return told.pauseMs;
}
async function follow() {
  for (;;) {
    let pauseMs = 2000;
    try { pauseMs = await ask(); } catch (error) { state.textContent = 'not reachable: ' + error.message; }
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
follow();
`;

/** For the page's Content-Security-Policy: this script and no other runs. */
export const TAIL_SCRIPT_HASH = `'sha256-${createHash('sha256').update(TAIL_SCRIPT).digest('base64')}'`;
