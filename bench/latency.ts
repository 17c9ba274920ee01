// Latency at 30 % of the peak load of node:http alone, with requests at fixed times: what the front adds.

import { allContenders, stopAll } from './contender.ts';
import { HELLO } from './hello.ts';
import { load } from './load.ts';
import { interleave, judgementTable, markdownTable, median, say, type Benchmark } from './measure.ts';

const CONNECTIONS = 64;
const LOAD_SHARE = 0.3;

/** p50 and p99, and what the front adds to p99 in ms. */
export const benchLatency: Benchmark = async ({ rounds, seconds }) => {
  const contenders = await allContenders(HELLO);
  try {
    for (const contender of contenders) await load(contender.url, { connections: CONNECTIONS, seconds: 2 });
    const alone = contenders.find((contender) => contender.name === 'node:http alone')!;
    const peak = await load(alone.url, { connections: CONNECTIONS, seconds });
    const rate = Math.round((peak.requests / peak.seconds) * LOAD_SHARE);
    const results = await interleave(contenders, rounds, async (contender) => {
      const report = await load(contender.url, { connections: CONNECTIONS, seconds, rate });
      say(`${contender.name}: p50 ${report.p50Ms.toFixed(2)} ms, p99 ${report.p99Ms.toFixed(2)} ms`);
      return report;
    });
    const rows = contenders.map((contender) => {
      const all = results.get(contender)!;
      const p50 = median(all.map((report) => report.p50Ms)).toFixed(2);
      return [contender.name, p50, median(all.map((report) => report.p99Ms)).toFixed(2)];
    });
    const bare = results.get(alone)!;
    const added = results.get(contenders[0]!)!.map((report, index) => report.p99Ms - bare[index]!.p99Ms);
    return [
      `${rate} requests/s, latency from the time a request fell due.\n`,
      markdownTable(['served by', 'p50 ms', 'p99 ms'], rows),
      judgementTable([{ what: 'p99 added by the front', value: median(added), atMost: 1, unit: ' ms' }]),
    ].join('\n');
  } finally {
    await stopAll(contenders);
  }
};
