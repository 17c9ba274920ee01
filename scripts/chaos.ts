// Kills processes under load, again and again: node dist/scripts/chaos.js [--rounds N] [--requests N] [--seed N].
// Each round kills front, app or, every tenth, the host; fails on a request without an end, on files that pile up,
// on processes or sockets that are left. The seed decides who and when, and is printed.

import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { FAULT_APP, faultRound, openFiles, untilServed, type Victim } from '../test/fault-round.ts';
import { startHost, type RunningHost } from '../test/host-fixture.ts';

/** More open files than before the first round are a leak. */
const FILES_SPARE = 10;

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

/** Waits for what closes a moment later. */
async function filesLeft(host: RunningHost, filesMax: number): Promise<number> {
  for (let tries = 0; ; tries++) {
    const { host: ofHost, front } = openFiles(host);
    if (ofHost + front <= filesMax || tries === 100) return ofHost + front;
    await new Promise((resolve) => setTimeout(resolve, 50));
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
  let host = await freshHost();
  try {
    const { host: ofHost, front } = openFiles(host);
    for (let round = 1; round <= rounds; round++) {
      const victim: Victim = round % 10 === 0 ? 'host' : next() < 0.5 ? 'front' : 'app';
      const outcomes = await faultRound(host, { victim, requests, delayMs: Math.floor(next() * 100) });
      console.log(`round ${round}: ${victim} killed, ${JSON.stringify(outcomes)}`);
      assert.equal(outcomes.hung, 0, 'no request is without an end');
      if (victim === 'host') {
        await host.stop();
        host = await freshHost();
      }
      await untilServed(host);
      const left = await filesLeft(host, ofHost + front + FILES_SPARE);
      assert.ok(left <= ofHost + front + FILES_SPARE, `${left} open files, ${ofHost + front} before`);
    }
  } finally {
    await host.stop();
  }
  console.log('chaos: every request had an end, nothing is left');
}

await main();
