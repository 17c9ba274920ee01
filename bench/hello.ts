// Hello world: requests/s and CPU per request through the front, on node:http alone, and through nginx.

import { allContenders, cpuUs, stopAll, type Contender } from './contender.ts';
import { load } from './load.ts';
import {
  interleave, judgementTable, markdownTable, median, say, type Benchmark, type Judgement,
} from './measure.ts';

/** The program that is served. */
export const HELLO = `
require('node:http').createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain');
  response.setHeader('Content-Length', 13);
  response.end('Hello, World!');
}).listen(process.env.PORT);
`;

const CONNECTIONS = 64;

interface Round {
  perSecond: number;
  frontUs: number;
  appUs: number;
  p99Ms: number;
}

async function measureRound(contender: Contender, seconds: number): Promise<Round> {
  const fronts = contender.frontPids();
  const apps = contender.appPids();
  const before = { front: cpuUs(fronts), app: cpuUs(apps) };
  const report = await load(contender.url, { connections: CONNECTIONS, seconds });
  const round = {
    perSecond: report.requests / report.seconds,
    frontUs: (cpuUs(fronts) - before.front) / report.requests,
    appUs: (cpuUs(apps) - before.app) / report.requests,
    p99Ms: report.p99Ms,
  };
  const cpu = `${round.frontUs.toFixed(1)} + ${round.appUs.toFixed(1)} µs`;
  say(`${contender.name}: ${Math.round(round.perSecond)} requests/s, ${cpu}`);
  return round;
}

/** The ratios come from the rounds, one by one: each compares what ran next to each other. */
function ratioOf(over: readonly Round[], under: readonly Round[], value: (round: Round) => number): number {
  return median(over.map((round, index) => value(round) / value(under[index]!)));
}

/** CPU per request and requests/s against the budgets. */
export const benchHello: Benchmark = async ({ rounds, seconds }) => {
  const contenders = await allContenders(HELLO);
  try {
    // Warm: the optimizing compiler is done before anything counts.
    for (const contender of contenders) await load(contender.url, { connections: CONNECTIONS, seconds: 2 });
    const results = await interleave(contenders, rounds, (contender) => measureRound(contender, seconds));
    const rows = contenders.map((contender) => {
      const all = results.get(contender)!;
      const middle = (value: (round: Round) => number): number => median(all.map(value));
      return [
        contender.name,
        String(Math.round(middle((round) => round.perSecond))),
        middle((round) => round.frontUs).toFixed(1),
        middle((round) => round.appUs).toFixed(1),
        middle((round) => round.frontUs + round.appUs).toFixed(1),
        middle((round) => round.p99Ms).toFixed(2),
      ];
    });
    const [ours, alone, nginx] = contenders.map((contender) => results.get(contender)!);
    const ofApp = (round: Round): number => round.appUs;
    const ofBoth = (round: Round): number => round.frontUs + round.appUs;
    const perSecond = (round: Round): number => round.perSecond;
    const judgements: Judgement[] = [
      { what: 'app CPU ÷ node:http alone', value: ratioOf(ours!, alone!, ofApp), atMost: 0.4 },
      { what: 'front + app CPU ÷ node:http alone', value: ratioOf(ours!, alone!, ofBoth), atMost: 1.1 },
      { what: 'requests/s ÷ node:http alone', value: ratioOf(ours!, alone!, perSecond) },
    ];
    if (nginx !== undefined) {
      const value = ratioOf(ours!, nginx, perSecond);
      judgements.push({ what: 'requests/s ÷ nginx → node:http', value, atLeast: 1.5 });
    }
    const head = ['served by', 'requests/s', 'front CPU µs', 'app CPU µs', 'together µs', 'p99 ms'];
    return `${markdownTable(head, rows)}\n${judgementTable(judgements)}`;
  } finally {
    await stopAll(contenders);
  }
};
