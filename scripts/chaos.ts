// Kills processes under load, again and again: node dist/scripts/chaos.js [--rounds N] [--requests N] [--seed N].
// Of the rounds 45 in 100 kill the app, under one front; as many the front, under the same host; the rest the host.
// Fails on a request without an end, and on files, memory, processes or sockets that pile up. The seed decides when.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { residentMb } from '../bench/contender.ts';
import { STEADY_MS } from '../src/apps/restart-policy.ts';
import { FAULT_APP, faultRound, openFiles, untilServed, type Outcomes, type Victim } from '../test/fault-round.ts';
import { startHost, type RunningHost } from '../test/host-fixture.ts';

/** More open files than before the first round, of host or front, are a leak. */
const FILES_SPARE = 10;
/** Rounds until a process has seen what it will see: its heap has grown as far as the load makes it. */
const WARM_ROUNDS = 5;
/** More resident memory of a process at the end than after those rounds is a leak. */
const MEMORY_SPARE_MB = 40;
const WAIT_MS = 10_000;

/** A sequence of numbers in [0, 1) that the seed fixes. */
function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function freshHost(): Promise<RunningHost> {
  const host = await startHost({ files: { 'app/server.js': FAULT_APP } });
  await untilServed(host);
  return host;
}

/** What may not pile up. */
interface Held {
  files: { host: number; front: number };
  /** Their roles. */
  processes: string[];
  sockets: number;
}

function heldBy(host: RunningHost): Held {
  const entries = readdirSync(host.home, { recursive: true, withFileTypes: true });
  return {
    files: openFiles(host),
    processes: host.processes().map(({ role }) => role).sort(),
    sockets: entries.filter((entry) => entry.isSocket()).length,
  };
}

function hasPiledUp(now: Held, before: Held): boolean {
  const more = (which: 'host' | 'front'): number => now.files[which] - before.files[which];
  return more('host') > FILES_SPARE || more('front') > FILES_SPARE || now.sockets > before.sockets
    || now.processes.join() !== before.processes.join();
}

/** Waits for what goes a moment later. */
async function assertNothingLeft(host: RunningHost, before: Held): Promise<void> {
  const endMs = performance.now() + WAIT_MS;
  for (;;) {
    const now = heldBy(host);
    if (!hasPiledUp(now, before)) return;
    assert.ok(performance.now() < endMs, `left: ${JSON.stringify(now)}, before: ${JSON.stringify(before)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Round {
  name: string;
  victim: Victim;
  requests: number;
  next: () => number;
}

async function killOnce(host: RunningHost, { name, victim, requests, next }: Round): Promise<Outcomes> {
  const outcomes = await faultRound(host, { victim, requests, delayMs: Math.floor(next() * 100) });
  console.log(`${name}: ${victim} killed, ${JSON.stringify(outcomes)}`);
  assert.equal(outcomes.hung, 0, 'no request is without an end');
  return outcomes;
}

/** The processes that live through all rounds of a phase. */
function survivors(host: RunningHost, victim: Victim): Map<string, number> {
  const pids = new Map([['host', host.pid]]);
  const front = host.processes().find(({ role }) => role === 'front');
  if (victim === 'app' && front !== undefined) pids.set('front', front.pid);
  return pids;
}

function memoryOf(pids: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...pids].map(([role, pid]) => [role, Math.round(residentMb(pid))]));
}

/** Rounds on one host. */
async function phase(host: RunningHost, rounds: number, kind: Omit<Round, 'name'>): Promise<void> {
  const total: Outcomes = { answered: 0, refused: 0, cut: 0, hung: 0 };
  const before = heldBy(host);
  const pids = survivors(host, kind.victim);
  let warm = memoryOf(pids);
  for (let round = 1; round <= rounds; round++) {
    const outcomes = await killOnce(host, { ...kind, name: `round ${round}` });
    for (const key of Object.keys(total) as (keyof Outcomes)[]) total[key] += outcomes[key];
    await untilServed(host);
    await assertNothingLeft(host, before);
    assert.deepEqual(survivors(host, kind.victim), pids, 'nobody else was replaced');
    if (round === WARM_ROUNDS) warm = memoryOf(pids);
    // Or its app would count as one that crashes again and again, and be started later each time.
    if (kind.victim === 'app') await new Promise((resolve) => setTimeout(resolve, STEADY_MS));
  }
  const end = memoryOf(pids);
  const files = heldBy(host).files;
  console.log(`${kind.victim}: ${rounds} rounds, ${JSON.stringify(total)}`);
  console.log(`  MB after round ${WARM_ROUNDS} ${JSON.stringify(warm)}, at the end ${JSON.stringify(end)}`);
  console.log(`  open files before ${JSON.stringify(before.files)}, at the end ${JSON.stringify(files)}`);
  for (const [role, mb] of Object.entries(end)) {
    assert.ok(mb <= warm[role]! + MEMORY_SPARE_MB, `the ${role} grew from ${warm[role]} to ${mb} MB`);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '100' },
      requests: { type: 'string', default: '500' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const [rounds, requests, seed] = [Number(values.rounds), Number(values.requests), Number(values.seed)];
  console.log(`chaos: ${rounds} rounds of ${requests} requests, seed ${seed}`);
  const next = numbersFrom(seed);
  const steady = Math.round(rounds * 0.45);
  const host = await freshHost();
  try {
    await phase(host, steady, { victim: 'app', requests, next });
    await phase(host, steady, { victim: 'front', requests, next });
  } finally {
    await host.stop();
  }
  for (let round = 1; round <= rounds - 2 * steady; round++) {
    const mortal = await freshHost();
    try {
      await killOnce(mortal, { name: `round ${round}`, victim: 'host', requests, next });
    } finally {
      // Looks that no process and no socket is left.
      await mortal.stop();
    }
  }
  console.log('chaos: every request had an end, nothing is left');
}

await main();
