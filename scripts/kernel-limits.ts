// What the kernel keeps of an app's limits, measured: node dist/scripts/kernel-limits.js, as root on a machine with
// cgroup v2 (scripts/kernel-machine.ts starts one). The host runs in a group of its own, as a service does. An app that
// takes too much memory is killed and comes back while nothing else notices, a busy one gets the processor time of its
// limit, and of an app that forks all processes count. Prints Markdown; fails where a limit does not hold.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { get, until } from '../test/http-client.ts';
import { runCli, startHost, type RunningHost } from '../test/host-fixture.ts';

const MOUNT = '/sys/fs/cgroup';
const MEMORY_MB = 200;
const CPU_PERCENT = 30;
const SPIN_MS = 5000;

/** Keeps what it is asked to take, in pieces of 5 MB, in itself or in a child. */
const HUNGRY = `
const { fork } = require('child_process');
const kept = [];
const take = () => { kept.push(Buffer.alloc(5 * 1024 * 1024, 1)); setTimeout(take, 5); };
if (process.argv[2] === 'child') take();
else require('http').createServer((request, response) => {
  if (request.url.endsWith('/take')) take();
  else if (request.url.endsWith('/fork')) {
    fork(__filename, ['child']).on('exit', (code, signal) => response.end(signal));
  }
  else response.end(String(process.pid));
}).listen(process.env.PORT);
`;

/** Spins in two processes, tells the processor time of both. */
const BUSY = `
const { fork } = require('child_process');
const spin = () => { const end = Date.now() + ${SPIN_MS}; while (Date.now() < end); };
const usedMs = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
if (process.argv[2] === 'child') { spin(); process.send(usedMs()); process.disconnect(); }
else require('http').createServer((request, response) => {
  if (!request.url.endsWith('/spin')) return response.end(String(process.pid));
  const beforeMs = usedMs();
  const child = fork(__filename, ['child']);
  const told = new Promise((resolve) => child.on('message', resolve));
  spin();
  told.then((childMs) => response.end(String(usedMs() - beforeMs + childMs)));
}).listen(process.env.PORT);
`;

const FILES = {
  'hungry/server.js': HUNGRY,
  'busy/server.js': BUSY,
  'free/server.js': BUSY,
  'slipstream.yml': `apps:
  hungry: { memoryLimitMb: ${MEMORY_MB}, limitsRequired: true }
  busy: { cpuLimitPercent: ${CPU_PERCENT}, limitsRequired: true }
`,
};

const rows: string[][] = [];

function eventOf(group: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(readFileSync(join(group, 'memory.events'), 'utf8'))?.[1]);
}

async function memory(host: RunningHost, group: string): Promise<void> {
  const ask = async (path: string): Promise<string> => (await get(`${host.url}${path}`)).text;
  const [first, other] = [await ask('hungry/'), await ask('free/')];
  const limited = join(group, `app-hungry-${host.pid}`);
  assert.equal(readFileSync(join(limited, 'cgroup.procs'), 'utf8').trim(), first);
  assert.equal(await ask('hungry/fork'), 'SIGKILL', 'the kernel ends the child that takes too much');
  assert.equal(await ask('hungry/'), first, 'and nothing else of the app');
  const lost = await get(`${host.url}hungry/take`);
  assert.deepEqual([lost.status, eventOf(limited, 'oom_kill')], [502, 2], lost.text);
  const peakMb = Number(readFileSync(join(limited, 'memory.peak'), 'utf8')) / 1_048_576;
  assert.ok(peakMb <= MEMORY_MB, `${peakMb} MB`);
  await host.line(new RegExp(`app-memory-limit app=hungry memoryLimitMb=${MEMORY_MB} kills=2`));
  const second = await until('another process', async () => {
    const { status, text } = await get(`${host.url}hungry/`);
    return status === 200 ? text : undefined;
  });
  assert.notEqual(second, first);
  assert.equal(await ask('free/'), other, 'the other app is as it was');
  rows.push(['memoryLimitMb', `${MEMORY_MB} MB`, `${peakMb.toFixed(0)} MB at most; 2 killed by the kernel`]);
}

async function processor(host: RunningHost): Promise<void> {
  for (const [app, limit] of [['free', undefined], ['busy', CPU_PERCENT]] as const) {
    await get(`${host.url}${app}/`);
    const startMs = performance.now();
    const usedMs = Number((await get(`${host.url}${app}/spin`)).text);
    const percent = (usedMs / (performance.now() - startMs)) * 100;
    if (limit !== undefined) assert.ok(percent <= limit * 1.2 && percent >= limit * 0.5, `${percent} %`);
    rows.push(['cpuLimitPercent', limit === undefined ? 'none' : `${limit} %`, `${percent.toFixed(0)} % of a core`]);
  }
}

async function main(): Promise<void> {
  const place = join(MOUNT, 'slipstream-limits');
  const group = join(place, 'service');
  writeFileSync(join(MOUNT, 'cgroup.subtree_control'), '+memory +cpu');
  if (!existsSync(group)) mkdirSync(group, { recursive: true });
  writeFileSync(join(place, 'cgroup.subtree_control'), '+memory +cpu');
  const host = await startHost({ files: FILES, group });
  try {
    await memory(host, group);
    await processor(host);
    const own = readFileSync(join(group, 'slipstream-host/cgroup.procs'), 'utf8').split('\n');
    assert.ok(own.includes(String(host.pid)), 'the host has a group of its own');
    assert.doesNotMatch(host.output(), /app-limits-unavailable/);
    assert.equal((await runCli(['stop', 'hungry'], host.home)).code, 0);
  } finally {
    await host.stop();
  }
  const left = readdirSync(group).filter((name) => name.startsWith('app-'));
  assert.deepEqual(left, [], 'groups of apps go with the host');
  rmdirSync(join(group, 'slipstream-host'));
  rmdirSync(group);
  rmdirSync(place);
  console.log('| setting | limit | measured |\n|---|---|---|');
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
}

await main();
