// Main thread of a debuggee whose inspector has no TCP port: starts the thread that listens for the session proxy,
// and waits, if told so, until a session lets the program go.

import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { InspectorDoor } from '../wire/inspector-messages.ts';

/** While the main thread waits it must come by in between: V8 serves the session of another thread only then. */
const WAIT_SLICE_MS = 5;
/** No session came: the program runs without one. */
const WAIT_MS_MAX = 60_000;

/** What the thread is given. */
export interface InspectorThreadData extends InspectorDoor {
  /** `file:` URL of the entry; '' without one. */
  url: string;
  /** One 32-bit word: 1 as soon as the program may go on. */
  gate: SharedArrayBuffer;
}

/** The entry as V8 will call it; '' when there is none. */
function entryUrl(): string {
  const entry = process.argv[1];
  if (entry === undefined) return '';
  const path = resolve(entry);
  try {
    return pathToFileURL(realpathSync(createRequire(path).resolve(path))).href;
  } catch {
    // Node itself will say that it is not there.
    return pathToFileURL(path).href;
  }
}

/** Returns when the program may begin. The thread keeps no program alive; `close` ends it. */
export function openInspectorDoor(door: InspectorDoor): { close(): void } {
  const gate = new SharedArrayBuffer(4);
  const workerData: InspectorThreadData = { ...door, url: entryUrl(), gate };
  const script = fileURLToPath(new URL('inspector-thread.cjs', import.meta.url));
  const worker = new Worker(script, { workerData, execArgv: [], env: {}, name: 'slipstream inspector' });
  worker.on('error', (error) => {
    process.stderr.write(`slipstream: the inspector is not reachable: ${error.message}\n`);
  });
  worker.unref();
  const close = (): void => void worker.terminate();
  if (door.start === 'run') return { close };
  const word = new Int32Array(gate);
  const endMs = performance.now() + WAIT_MS_MAX;
  while (Atomics.load(word, 0) === 0 && performance.now() < endMs) Atomics.wait(word, 0, 0, WAIT_SLICE_MS);
  return { close };
}
