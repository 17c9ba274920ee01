// A steady stream of requests while something goes wrong on purpose, and what became of each request. Requests are
// sent at their time, however long earlier ones take: waiting clients would hide a pause.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import type { HostOptions, RunningHost } from './host-fixture.ts';
import { startHost } from './host-fixture.ts';

/** Answers after 0 to 40 ms with what it was sent; the pid is in the way of no comparison. */
const APP = `let turn = 0;
  require('node:http').createServer((request, response) => {
    turn = (turn + 17) % 41;
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => setTimeout(() => response.end('got ' + body), turn));
  }).listen(0);`;

const CONFIG = 'frontProcesses: 2\ndefaults: {processes: 4, gracefulShutdownTimeoutMs: 5000}\n';
/** No request may be without an end for longer. */
const HANG_MS = 30_000;
/** A kill cuts what was under way, and what was given to the victim before anybody could know. */
const KILL_SHADOW_MS = 500;
/** A process that is killed sooner again and again would be an app that crashes in a loop. */
const VICTIM_AGE_MS = 3000;
/** More open files than before are a leak. */
const FILES_SPARE = 20;
/** More resident memory than in the first half of a run is a leak; in 60 s of 300 requests 9 KB for each of a front. */
const MEMORY_SPARE_MB = 40;
const MEMORY_LOOK_MS = 500;

/** What goes wrong meanwhile. */
export type Trouble = 'nothing' | 'files' | 'kills' | 'config';

/** How a run went. */
export interface LoadResult {
  requests: number;
  /** Cut or answered 502 because the process or front that had them was killed. */
  cut: number;
  /** All others without the right answer: none is allowed. */
  lost: string[];
  /** What was done: files touched, processes killed, configurations written. */
  troubles: number;
  /** From sending to the end of the answer, ms. */
  medianMs: number;
  longestMs: number;
  /** In the second and in the last quarter of the run. */
  memory: { before: Resident; after: Resident };
}

/** Resident memory of the largest process of each kind, MB. 0 where the system does not tell. */
export type Resident = Record<'host' | 'front' | 'app', number>;

interface Sent {
  startMs: number;
  endMs: number;
  failure: string | undefined;
}

function sendOne(url: string, index: number, agent: Agent): Promise<Sent> {
  const startMs = performance.now();
  const isPost = index % 4 === 0;
  const body = isPost ? `body ${index}` : '';
  return new Promise((resolve) => {
    const end = (failure: string | undefined): void => {
      clearTimeout(timer);
      resolve({ startMs, endMs: performance.now(), failure });
    };
    const sent = request(url, { agent, method: isPost ? 'POST' : 'GET' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('error', (error) => end(`cut in the answer: ${error.message}`));
      response.on('end', () => {
        end(text === `got ${body}` ? undefined : `${response.statusCode}: ${text.slice(0, 200)}`);
      });
    });
    const timer = setTimeout(() => {
      end('without an end');
      sent.destroy();
    }, HANG_MS);
    sent.on('error', (error) => end(`cut: ${error.message}`));
    sent.end(body);
  });
}

/** Sends `rate` requests a second for `seconds`; resolves when the last one has ended. */
async function stream(url: string, options: { rate: number; seconds: number }): Promise<Sent[]> {
  const { rate, seconds } = options;
  // No connection is used twice: on one that its front left, a client could not know what became of a request.
  const agent = new Agent({ keepAlive: false });
  const all: Promise<Sent>[] = [];
  const startMs = performance.now();
  for (let elapsedMs = 0; elapsedMs < seconds * 1000; elapsedMs = performance.now() - startMs) {
    while (all.length < (elapsedMs / 1000) * rate) all.push(sendOne(url, all.length, agent));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return Promise.all(all);
}

interface Made {
  count: number;
  killsMs: number[];
}

/** Does the trouble again and again until `isOver`. */
async function make(trouble: Trouble, host: RunningHost, isOver: () => boolean): Promise<Made> {
  const killsMs: number[] = [];
  let count = 0;
  const everyMs = trouble === 'kills' ? 700 : 200;
  const seenMs = new Map<number, number>();
  if (trouble === 'nothing') return { count, killsMs };
  while (!isOver()) {
    await new Promise((resolve) => setTimeout(resolve, everyMs));
    if (trouble === 'files') utimesSync(join(host.root, 'app', 'server.js'), new Date(), new Date());
    if (trouble === 'config') {
      const good = `${CONFIG}apps: {/app/: {env: {ROUND: "${count}"}}}\n`;
      writeFileSync(join(host.root, 'slipstream.yml'), count % 3 === 2 ? good : 'defaults: {processes: many}\n');
    }
    if (trouble === 'kills' && !killOne(host, seenMs, count)) continue;
    if (trouble === 'kills') killsMs.push(performance.now());
    count += 1;
  }
  return { count, killsMs };
}

/** Every third time a front, else an app process that has served for a while. False: there is none. */
function killOne(host: RunningHost, seenMs: Map<number, number>, turn: number): boolean {
  const now = performance.now();
  const role = turn % 3 === 2 ? 'front' : 'app';
  const old = host.processes().filter((process) => {
    const firstMs = seenMs.get(process.pid) ?? now;
    seenMs.set(process.pid, firstMs);
    return process.role === role && now - firstMs > VICTIM_AGE_MS;
  });
  const victim = old[Math.floor(Math.random() * old.length)];
  if (victim === undefined) return false;
  process.kill(victim.pid, 'SIGKILL');
  return true;
}

/** Open files of the host and its fronts, where the system tells. */
export function openFilesOf(host: RunningHost): number {
  if (process.platform !== 'linux') return 0;
  const pids = [host.pid, ...host.processes().filter(({ role }) => role === 'front').map(({ pid }) => pid)];
  return pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
}

function megabytesOf(pid: number): number {
  const file = `/proc/${pid}/statm`;
  if (process.platform !== 'linux' || !existsSync(file)) return 0;
  try {
    return (Number(readFileSync(file, 'utf8').split(' ')[1]) * 4096) / 1e6;
  } catch {
    return 0; // It ended meanwhile.
  }
}

function residentOf(host: RunningHost): Resident {
  const resident: Resident = { host: megabytesOf(host.pid), front: 0, app: 0 };
  for (const { pid, role } of host.processes()) {
    if (role === 'front' || role === 'app') resident[role] = Math.max(resident[role], megabytesOf(pid));
  }
  return resident;
}

/** The middle of what was seen between two parts of a run: what a collection gives back a moment later is no leak. */
function residentBetween(seen: readonly Resident[], from: number, to: number): Resident {
  const part = seen.slice(Math.floor(seen.length * from), Math.ceil(seen.length * to));
  const middle = (role: keyof Resident): number => {
    const values = part.map((one) => one[role]).sort((left, right) => left - right);
    return Math.round(values[Math.floor(values.length / 2)] ?? 0);
  };
  return { host: middle('host'), front: middle('front'), app: middle('app') };
}

async function watchMemory(host: RunningHost, isOver: () => boolean): Promise<LoadResult['memory']> {
  const seen: Resident[] = [];
  while (!isOver()) {
    seen.push(residentOf(host));
    await new Promise((resolve) => setTimeout(resolve, MEMORY_LOOK_MS));
  }
  return { before: residentBetween(seen, 0.25, 0.5), after: residentBetween(seen, 0.75, 1) };
}

/** Fails when a kind of process holds much more at the end of a run than in its first half. */
export function assertMemoryBounded({ before, after }: LoadResult['memory']): void {
  for (const role of ['host', 'front', 'app'] as const) {
    const limit = before[role] + MEMORY_SPARE_MB;
    assert.ok(after[role] <= limit, `${role}: ${after[role]} MB at the end, ${before[role]} MB in the first half`);
  }
}

/** A host with the app of these runs, which serves. */
export async function startLoadHost(options: HostOptions = {}): Promise<RunningHost> {
  const host = await startHost({ ...options, files: { 'app/server.js': APP, 'slipstream.yml': CONFIG } });
  await stream(`${host.url}app/`, { rate: 50, seconds: 1 });
  return host;
}

/** One run. Fails on a request that is lost for no reason of ours. */
export async function loadRun(
  host: RunningHost,
  options: { trouble: Trouble; rate: number; seconds: number },
): Promise<LoadResult> {
  const { trouble, rate, seconds } = options;
  let isOver = false;
  const making = make(trouble, host, () => isOver);
  const watching = watchMemory(host, () => isOver);
  const sent = await stream(`${host.url}app/`, { rate, seconds });
  isOver = true;
  const { count, killsMs } = await making;
  const failed = sent.filter(({ failure }) => failure !== undefined);
  const isCut = ({ startMs, endMs, failure }: Sent): boolean =>
    /^cut|^502: /.test(failure!) && killsMs.some((ms) => ms >= startMs - KILL_SHADOW_MS && ms <= endMs);
  const cut = failed.filter(isCut).length;
  const lost = failed.filter((one) => !isCut(one)).map(({ failure }) => failure!);
  const times = sent.map(({ startMs, endMs }) => endMs - startMs).sort((left, right) => left - right);
  return {
    requests: sent.length,
    cut,
    lost,
    troubles: count,
    medianMs: Math.round(times[Math.floor(times.length / 2)] ?? 0),
    longestMs: Math.round(times.at(-1) ?? 0),
    memory: await watching,
  };
}

/** Waits until the host has closed what the run opened. */
export async function assertFilesClosed(host: RunningHost, before: number): Promise<void> {
  const endMs = performance.now() + HANG_MS;
  while (openFilesOf(host) > before + FILES_SPARE) {
    assert.ok(performance.now() < endMs, `${openFilesOf(host)} open files, ${before} before`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
