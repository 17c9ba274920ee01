// Processes of a debuggee, for its debugger (wire/debug-children.ts): the debuggee hands the preload on to the
// processes that it starts, and those offer their inspectors before the first line of their programs.

import { existsSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CHILDREN_VARIABLE, CHILD_WAIT_MS, childrenFolder, type ChildOffer } from '../wire/debug-children.ts';
import { openInspectorDoor } from './inspector-door.ts';

/** Slices of the wait: between them the inspector is served, in ms. */
const SLICE_MS = 5;
const INSPECTOR_FLAG = /^--inspect(?:-brk|-wait|-port)?(?:=|$)/;

/** In a debuggee: node processes below it become part of its session. */
export function handDebuggerOn(linkSocket: string, env: NodeJS.ProcessEnv): void {
  const folder = childrenFolder(linkSocket, process.pid);
  const preload = process.execArgv[process.execArgv.indexOf('--require') + 1];
  // The port is this process's: a child that got the same flag would only complain.
  process.execArgv = process.execArgv.filter((word) => !INSPECTOR_FLAG.test(word));
  if (folder === undefined || preload === undefined || !existsSync(folder)) return;
  env[CHILDREN_VARIABLE] = folder;
  const words = [env['NODE_OPTIONS'], '--require', JSON.stringify(preload)];
  env['NODE_OPTIONS'] = words.filter((word) => word !== undefined && word !== '').join(' ');
}

/** In every other process below a debuggee: waits until its breakpoints are armed. */
export function offerToDebugger(env: NodeJS.ProcessEnv): void {
  const folder = env[CHILDREN_VARIABLE];
  if (folder === undefined || !existsSync(folder)) return;
  const path = join(folder, `${process.pid}.sock`);
  const door = openInspectorDoor({ path, start: 'run' });
  const offer: ChildOffer = { pid: process.pid, path, title: basename(process.argv[1] ?? '-e') };
  const file = join(folder, `${process.pid}.json`);
  try {
    writeFileSync(`${file}.tmp`, JSON.stringify(offer), { mode: 0o600 });
    renameSync(`${file}.tmp`, file);
  } catch {
    // The session is over.
    door.close();
    return;
  }
  if (isTaken(file)) return;
  unlinkSync(file);
  door.close();
}

/** Waits until the file is gone; false when nobody took it. */
function isTaken(file: string): boolean {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const endMs = performance.now() + CHILD_WAIT_MS;
  while (existsSync(file)) {
    if (performance.now() > endMs) return false;
    Atomics.wait(cell, 0, 0, SLICE_MS);
  }
  return true;
}
