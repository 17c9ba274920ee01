// What a new user does: clone into an empty folder, `npm start`, open the first sample; if asked `npm test`.
//   node dist/scripts/fresh-clone.js [--node MAJOR]… [--test]    default: the running Node, npm start only
// It clones what is committed; changes that are not are named, since they are not tested.

import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeBinary, withNode } from './node-binary.ts';
import { killProcess, processesMarked } from './process-list.ts';
import { PROJECT_ROOT } from './project.ts';

/** A first start installs and compiles. */
const READY_TIMEOUT_MS = 300_000;
const STOP_TIMEOUT_MS = 20_000;

interface Place {
  folder: string;
  checkout: string;
  env: NodeJS.ProcessEnv;
  mark: string;
}

function clone(major: number): Place {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-clone-'));
  // Tests with a second user load the preload from here.
  chmodSync(folder, 0o755);
  const checkout = join(folder, 'slipstream');
  const result = spawnSync('git', ['clone', '--quiet', PROJECT_ROOT, checkout], { stdio: 'inherit' });
  if (result.status !== 0) throw new Error(`git cannot clone ${PROJECT_ROOT}`, { cause: result.error });
  const id = randomUUID();
  const env = withNode(nodeBinary(major), {
    ...process.env,
    SLIPSTREAM_HOME: join(folder, 'home'),
    SLIPSTREAM_CLONE: id,
  });
  return { folder, checkout, env, mark: `SLIPSTREAM_CLONE=${id}` };
}

/** The origin of the ready line. */
async function readyOrigin(child: ChildProcess): Promise<string> {
  let text = '';
  const { promise, resolve, reject } = settled<string>();
  const late = (): void => reject(new Error(`not ready in ${READY_TIMEOUT_MS} ms:\n${text}`));
  const timer = setTimeout(late, READY_TIMEOUT_MS);
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      process.stdout.write(chunk);
      text += chunk;
      const match = /^slipstream ready on (http:\/\/\S+)/m.exec(text);
      if (match !== null) resolve(match[1]!);
    });
  }
  child.once('exit', (code) => reject(new Error(`npm start ended with ${code}:\n${text}`)));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function settled<Value>() {
  let resolve!: (value: Value) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<Value>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

async function endOf(place: Place): Promise<string[]> {
  const endMs = performance.now() + STOP_TIMEOUT_MS;
  let left = processesMarked(place.mark);
  while (left.length > 0 && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    left = processesMarked(place.mark);
  }
  for (const { pid } of left) killProcess(pid);
  return left.map(({ pid, command }) => `${pid} ${command}`);
}

async function start(place: Place): Promise<void> {
  const child = spawn('npm', ['start', '--', '--listen', 'http://127.0.0.1:0'], {
    cwd: place.checkout,
    env: place.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  try {
    const origin = await readyOrigin(child);
    const response = await fetch(new URL('/hello/', origin));
    const text = await response.text();
    if (response.status !== 200) throw new Error(`/hello/ answered ${response.status}:\n${text}`);
    console.log(`/hello/ answered: ${text.split('\n')[0]}`);
  } finally {
    // Ctrl+C in a terminal reaches the whole group; so does this.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  const left = await endOf(place);
  if (left.length > 0) throw new Error(`processes left after Ctrl+C:\n${left.join('\n')}`);
}

async function runOn(major: number, isTested: boolean): Promise<void> {
  const place = clone(major);
  try {
    const startMs = performance.now();
    console.log(`\n== fresh clone, Node ${major}: npm start`);
    await start(place);
    console.log(`== started, answered and stopped in ${Math.round((performance.now() - startMs) / 1000)} s`);
    if (!isTested) return;
    console.log(`== fresh clone, Node ${major}: npm test`);
    const test = spawnSync('npm', ['test'], { cwd: place.checkout, env: place.env, stdio: 'inherit' });
    if (test.status !== 0) throw new Error(`npm test ended with ${test.signal ?? test.status}`);
  } finally {
    for (const { pid } of processesMarked(place.mark)) killProcess(pid);
    rmSync(place.folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: { node: { type: 'string', multiple: true }, test: { type: 'boolean', default: false } },
});
const majors = (values.node ?? [process.versions.node]).map((text) => Number.parseInt(text, 10));
const changed = spawnSync('git', ['status', '--porcelain'], { cwd: PROJECT_ROOT, encoding: 'utf8' }).stdout;
if (changed !== '') console.log(`fresh-clone: not committed, so not part of this:\n${changed}`);
for (const major of majors) await runOn(major, values.test);
console.log(`fresh-clone: passed on Node ${majors.join(', ')}`);
