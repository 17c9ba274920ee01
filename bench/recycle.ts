// The recycle gap: the longest pause that a client sees while an app gets new processes, against `pm2 reload` of the
// same program in cluster mode. pm2 is taken from PM2 or the path; without it the table says so.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runCli, startHost } from '../test/host-fixture.ts';
import { freePort } from './contender.ts';
import { interleave, markdownTable, median, quantile, type Benchmark } from './measure.ts';

const RATE = 200;
const PROCESSES = 2;
/** How long requests go on after the reload was said to be over. */
const AFTER_MS = 1000;

/** Takes 150 ms to boot, as a small framework does, and ends by the rules: what it has is finished first. */
const PROGRAM = `
const endMs = Date.now() + 150;
while (Date.now() < endMs);
const server = require('node:http').createServer((request, response) => setTimeout(() => response.end('up'), 5));
server.listen(process.env.PORT || 0);
process.on('SIGINT', () => { server.close(() => process.exit(0)); server.closeIdleConnections(); });
`;

interface Gap {
  longestMs: number;
  p99Ms: number;
  failed: number;
  /** How long the command took. */
  reloadMs: number;
}

interface Contender {
  port: number;
  path: string;
  reload(): Promise<void>;
  stop(): Promise<void>;
}

function answerMs(port: number, path: string): Promise<number | 'failed'> {
  const startMs = performance.now();
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      response.on('error', () => resolve('failed'));
      response.on('end', () => resolve(response.statusCode === 200 ? performance.now() - startMs : 'failed'));
    });
    sent.on('error', () => resolve('failed'));
    sent.end();
  });
}

/** Sends at its own pace while `contender` is reloaded once. */
async function measureGap({ port, path, reload }: Contender): Promise<Gap> {
  const all: Promise<number | 'failed'>[] = [];
  let overMs = Infinity;
  void reload().then(() => (overMs = performance.now() + AFTER_MS));
  const startMs = performance.now();
  while (performance.now() < overMs) {
    while (all.length < ((performance.now() - startMs) / 1000) * RATE) all.push(answerMs(port, path));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const results = await Promise.all(all);
  const times = results.filter((result) => result !== 'failed');
  return {
    longestMs: Math.max(...times),
    p99Ms: quantile(times, 0.99),
    failed: results.length - times.length,
    reloadMs: overMs - AFTER_MS - startMs,
  };
}

async function untilUp(port: number, path: string): Promise<void> {
  while ((await answerMs(port, path)) === 'failed') await new Promise((resolve) => setTimeout(resolve, 50));
}

async function startOurs(): Promise<Contender> {
  const files = { 'app/server.js': PROGRAM, 'slipstream.yml': `defaults: {processes: ${PROCESSES}}\n` };
  const host = await startHost({ files });
  const path = '/app/';
  await untilUp(host.port, path);
  return {
    port: host.port,
    path,
    async reload() {
      const { code, stderr } = await runCli(['reload', 'app'], host.home);
      if (code !== 0) throw new Error(stderr);
    },
    stop: async () => void (await host.stop()),
  };
}

/** Where pm2 is: PM2, or on the path. */
function findPm2(): string | undefined {
  const named = process.env['PM2'];
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return [...(named === undefined ? [] : [named]), ...folders.map((folder) => join(folder, 'pm2'))].find((path) =>
    existsSync(path),
  );
}

async function startPm2(command: string): Promise<Contender> {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-bench-'));
  const port = await freePort();
  writeFileSync(join(folder, 'server.js'), PROGRAM);
  const env = { ...process.env, PM2_HOME: join(folder, 'home'), PORT: String(port) };
  const run = async (...words: string[]): Promise<void> => {
    const child = spawn(command, words, { env, stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`pm2 ${words.join(' ')} ended with ${code}`);
  };
  await run('start', join(folder, 'server.js'), '--name', 'app', '-i', String(PROCESSES));
  await untilUp(port, '/');
  return {
    port,
    path: '/',
    reload: () => run('reload', 'app'),
    async stop() {
      await run('kill');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The longest answer while an app is reloaded. */
export const benchRecycle: Benchmark = async ({ rounds }) => {
  const pm2 = findPm2();
  const contenders = new Map<string, Contender>([['`slipstream reload`', await startOurs()]]);
  try {
    if (pm2 !== undefined) contenders.set('`pm2 reload`', await startPm2(pm2));
    const names = [...contenders.keys()];
    const results = await interleave(names, rounds, (name) => measureGap(contenders.get(name)!));
    const rows = names.map((name) => {
      const gaps = results.get(name)!;
      const of = (value: (gap: Gap) => number): string => median(gaps.map(value)).toFixed(0);
      const failed = gaps.reduce((sum, gap) => sum + gap.failed, 0);
      const [longest, p99, reload] = [of((gap) => gap.longestMs), of((gap) => gap.p99Ms), of((gap) => gap.reloadMs)];
      return [name, longest, p99, String(failed), reload];
    });
    if (pm2 === undefined) rows.push(['`pm2 reload`', 'pm2 is not installed (PM2=<path>)', '', '', '']);
    return markdownTable(['', 'longest answer, ms', 'p99, ms', 'failed', 'the command, ms'], rows);
  } finally {
    for (const contender of contenders.values()) await contender.stop();
  }
};
