// Hits of the output cache, 1 KB and 64 KB bodies: against node:net with the same bytes and other caches, each on
// one core, the load on another.

import { cacheContenders, LOAD_CORE, startOrigin } from './cache-contender.ts';
import { cpuUs, stopAll, type Contender } from './contender.ts';
import { load } from './load.ts';
import {
  interleave, judgementTable, markdownTable, median, say, type Benchmark, type BenchOptions, type Judgement,
} from './measure.ts';

const SIZES = [{ name: '1 KB', bytes: 1024 }, { name: '64 KB', bytes: 65_536 }] as const;
const CONNECTIONS = 64;
/** Least of our hits/s ÷ those of the others. */
const BUDGETS: Readonly<Record<string, number>> = {
  'node:net, same bytes': 0.85,
  'nginx proxy_cache': 1.5,
  'HAProxy cache': 0.95,
  Varnish: 1.2,
};

interface Round {
  perSecond: number;
  cpuUs: number;
  p99Ms: number;
}

async function measureRound(contender: Contender, bytes: number, seconds: number): Promise<Round> {
  const pids = contender.frontPids();
  const beforeUs = cpuUs(pids);
  const report = await load(`${contender.url}${bytes}`, { connections: CONNECTIONS, seconds, core: LOAD_CORE });
  const round = {
    perSecond: report.requests / report.seconds,
    cpuUs: (cpuUs(pids) - beforeUs) / report.requests,
    p99Ms: report.p99Ms,
  };
  say(`${contender.name}, ${bytes} bytes: ${Math.round(round.perSecond)} hits/s, ${round.cpuUs.toFixed(1)} µs`);
  return round;
}

async function benchSize(
  contenders: readonly Contender[],
  { name, bytes }: (typeof SIZES)[number],
  { rounds, seconds }: BenchOptions,
): Promise<{ rows: string[][]; judgements: Judgement[] }> {
  for (const { url } of contenders) {
    await load(`${url}${bytes}`, { connections: CONNECTIONS, seconds: 2, core: LOAD_CORE });
  }
  const results = await interleave(contenders, rounds, (each) => measureRound(each, bytes, seconds));
  const rows = contenders.map((contender) => {
    const all = results.get(contender)!;
    const middle = (value: (round: Round) => number): number => median(all.map(value));
    return [
      contender.name, name, String(Math.round(middle(({ perSecond }) => perSecond))),
      middle((round) => round.cpuUs).toFixed(1), middle(({ p99Ms }) => p99Ms).toFixed(2),
    ];
  });
  const ours = results.get(contenders[0]!)!;
  const judgements = contenders.slice(1).flatMap((contender): Judgement[] => {
    const theirs = results.get(contender)!;
    // From the rounds, one by one: each compares what ran next to each other.
    const ratio = (value: (round: Round) => number): number =>
      median(ours.map((round, index) => value(round) / value(theirs[index]!)));
    return [
      {
        what: `${name}: hits/s ÷ ${contender.name}`,
        value: ratio(({ perSecond }) => perSecond),
        atLeast: BUDGETS[contender.name]!,
      },
      { what: `${name}: CPU a hit ÷ ${contender.name}`, value: ratio((round) => round.cpuUs) },
    ];
  });
  return { rows, judgements };
}

/** Hits/s against the budgets. CPU a hit says the same on a machine that has other work to do. */
export const benchCache: Benchmark = async (options) => {
  const origin = await startOrigin();
  const contenders: Contender[] = [];
  try {
    contenders.push(...await cacheContenders(origin.url.replace(/\/$/, '')));
    const parts = [];
    for (const size of SIZES) parts.push(await benchSize(contenders, size, options));
    const head = ['served by', 'body', 'hits/s', 'CPU µs a hit', 'p99 ms'];
    const rows = parts.flatMap((part) => part.rows);
    return `${markdownTable(head, rows)}\n${judgementTable(parts.flatMap((part) => part.judgements))}`;
  } finally {
    await stopAll([...contenders, origin]);
  }
};
