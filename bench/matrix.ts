// Hello world as httpsys was measured: kept-alive connections and a connection for each request, one process and
// a cluster of two, through the front and on node:http alone.

import { cpuUs, nodeAlone, stopAll, throughFront, type Contender } from './contender.ts';
import { HELLO } from './hello.ts';
import { load, wrkVersion } from './load.ts';
import { interleave, judgementTable, markdownTable, median, say, type Benchmark } from './measure.ts';

const CLUSTER = `
const cluster = require('node:cluster');
if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
} else {${HELLO}}
`;

const CONNECTIONS = 64;

interface Cell {
  contender: Contender;
  name: string;
  closes: boolean;
}

interface Round {
  perSecond: number;
  cpuUs: number;
}

async function measureCell({ contender, name, closes }: Cell, seconds: number): Promise<Round> {
  const pids = [...contender.frontPids(), ...contender.appPids()];
  const before = cpuUs(pids);
  const report = await load(contender.url, { connections: CONNECTIONS, seconds, closes });
  const round = {
    perSecond: report.requests / report.seconds,
    cpuUs: (cpuUs(pids) - before) / report.requests,
  };
  const way = closes ? 'connection close' : 'keep-alive';
  say(`${name}, ${way}: ${Math.round(round.perSecond)} requests/s, ${round.cpuUs.toFixed(1)} µs`);
  return round;
}

/** Requests/s and CPU per request of each cell, and the ratios to node:http alone. */
export const benchMatrix: Benchmark = async ({ rounds, seconds }) => {
  const contenders: Contender[] = [];
  try {
    const cells: Cell[] = [];
    // Only wrk connects anew for each request.
    const ways = wrkVersion() === undefined ? [false] : [false, true];
    for (const [processes, source] of [['one process', HELLO], ['cluster of two', CLUSTER]] as const) {
      for (const start of [throughFront, nodeAlone]) {
        const contender = await start(source);
        contenders.push(contender);
        await load(contender.url, { connections: CONNECTIONS, seconds: 1 });
        for (const closes of ways) cells.push({ contender, name: `${contender.name}, ${processes}`, closes });
      }
    }
    const results = await interleave(cells, rounds, (cell) => measureCell(cell, seconds));
    const middle = (cell: Cell, value: (round: Round) => number): number => median(results.get(cell)!.map(value));
    const rows = cells.map((cell) => [
      cell.name,
      cell.closes ? 'close' : 'keep-alive',
      String(Math.round(middle(cell, (round) => round.perSecond))),
      middle(cell, (round) => round.cpuUs).toFixed(1),
    ]);
    const half = ways.length;
    const ratios = cells.flatMap((cell, index) => {
      const alone = cells[index + half];
      if (alone === undefined || alone.contender.name === cell.contender.name || index % (2 * half) >= half) return [];
      const ours = results.get(cell)!;
      const theirs = results.get(alone)!;
      const value = median(ours.map((round, at) => round.perSecond / theirs[at]!.perSecond));
      return [{ what: `${cell.name}, ${cell.closes ? 'close' : 'keep-alive'}: requests/s ÷ node:http alone`, value }];
    });
    const head = ['served by', 'connections', 'requests/s', 'CPU of all processes, µs'];
    return `${markdownTable(head, rows)}\n${judgementTable(ratios)}`;
  } finally {
    await stopAll(contenders);
  }
};
