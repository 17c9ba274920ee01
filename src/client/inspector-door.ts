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
/** How long an ending program waits until its session has what was said of it. */
const FAREWELL_MS_MAX = 500;

/** Words of the memory that the two threads share. */
export const DOOR_WORDS = { gate: 0, farewell: 1 } as const;
/** The word `farewell`: whether somebody listens, and whether all that V8 said is with them. */
export const FAREWELL = { nobody: 0, listening: 1, said: 2 } as const;

/** What the thread is given. */
export interface InspectorThreadData extends InspectorDoor {
  /** `file:` URL of the entry; '' without one. */
  url: string;
  /** {@link DOOR_WORDS}, 32 bits each; `gate` is 1 as soon as the program may go on. */
  words: SharedArrayBuffer;
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

/**
 * An ending program takes its thread along at once. What V8 said last, the answer to `Debugger.resume` say or lines of
 * the console, is on its way through that thread: it gets the time to hand it on.
 */
function sayFarewell(worker: Worker, words: Int32Array): void {
  const { farewell } = DOOR_WORDS;
  if (Atomics.load(words, farewell) !== FAREWELL.listening) return;
  worker.postMessage(null, []);
  waitWhile(words, farewell, FAREWELL.listening, FAREWELL_MS_MAX);
}

function waitWhile(words: Int32Array, index: number, value: number, msMax: number): void {
  const endMs = performance.now() + msMax;
  while (Atomics.load(words, index) === value && performance.now() < endMs) {
    Atomics.wait(words, index, value, WAIT_SLICE_MS);
  }
}

/** Returns when the program may begin. The thread keeps no program alive; `close` ends it. */
export function openInspectorDoor(door: InspectorDoor): { close(): void } {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const workerData: InspectorThreadData = { ...door, url: entryUrl(), words: words.buffer as SharedArrayBuffer };
  const script = fileURLToPath(new URL('inspector-thread.cjs', import.meta.url));
  const worker = new Worker(script, { workerData, execArgv: [], env: {}, name: 'slipstream inspector' });
  worker.on('error', (error) => {
    process.stderr.write(`slipstream: the inspector is not reachable: ${error.message}\n`);
  });
  worker.unref();
  const end = (): void => sayFarewell(worker, words);
  process.once('exit', end);
  if (door.start !== 'run') waitWhile(words, DOOR_WORDS.gate, 0, WAIT_MS_MAX);
  return {
    close() {
      process.off('exit', end);
      void worker.terminate();
    },
  };
}
