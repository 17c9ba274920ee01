// Large bodies: 30 MB down and up through the front, on node:http alone, and through nginx.

import { once } from 'node:events';
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import { allContenders, cpuUs, stopAll, type Contender } from './contender.ts';
import {
  interleave, judgementTable, markdownTable, median, say, type Benchmark, type Judgement,
} from './measure.ts';

const BODY_BYTES = 30_000_000;
const PIECE = Buffer.alloc(65_536, 'x');
const TRANSFERS = 8;

const PROGRAM = `
const bytes = ${BODY_BYTES};
const piece = Buffer.alloc(65536, 'x');
require('node:http').createServer((request, response) => {
  if (request.method === 'POST') {
    let taken = 0;
    request.on('data', (chunk) => (taken += chunk.length));
    request.on('end', () => response.end(String(taken)));
    return;
  }
  if (!request.url.endsWith('/large')) return response.end('small');
  response.setHeader('Content-Length', bytes);
  let left = bytes;
  function more() {
    while (left > 0) {
      const part = left < piece.length ? piece.subarray(0, left) : piece;
      left -= part.length;
      if (!response.write(part)) return response.once('drain', more);
    }
    response.end();
  }
  more();
}).listen(process.env.PORT);
`;

async function responseOf(sent: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`answered with ${response.statusCode}`);
  return response;
}

async function download(url: string, agent: Agent): Promise<void> {
  const response = await responseOf(request(`${url}large`, { agent }).end());
  let bytes = 0;
  response.on('data', (chunk: Buffer) => (bytes += chunk.length));
  await once(response, 'end');
  if (bytes !== BODY_BYTES) throw new Error(`${bytes} of ${BODY_BYTES} bytes came`);
}

async function upload(url: string, agent: Agent): Promise<void> {
  const headers = { 'Content-Length': BODY_BYTES };
  const sent = request(url, { method: 'POST', agent, headers });
  const answered = responseOf(sent);
  for (let left = BODY_BYTES; left > 0; left -= PIECE.length) {
    const isRoom = sent.write(left < PIECE.length ? PIECE.subarray(0, left) : PIECE);
    if (!isRoom) await once(sent, 'drain');
  }
  sent.end();
  const response = await answered;
  let text = '';
  for await (const chunk of response) text += String(chunk);
  if (text !== String(BODY_BYTES)) throw new Error(`${text} of ${BODY_BYTES} bytes arrived`);
}

interface Round {
  mbPerSecond: number;
  /** CPU of front and app, in ms a transfer. */
  cpuMs: number;
}

async function measure(contender: Contender, transfer: typeof download): Promise<Round> {
  const pids = [...contender.frontPids(), ...contender.appPids()];
  const beforeUs = cpuUs(pids);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const startMs = performance.now();
    for (let count = 0; count < TRANSFERS; count++) await transfer(contender.url, agent);
    const mbPerSecond = (BODY_BYTES * TRANSFERS) / 1000 / (performance.now() - startMs);
    return { mbPerSecond, cpuMs: (cpuUs(pids) - beforeUs) / 1000 / TRANSFERS };
  } finally {
    agent.destroy();
  }
}

const WAYS = ['down', 'up'] as const;

/** MB/s in both directions. The ratios come from the rounds, one by one. */
export const benchTransfer: Benchmark = async ({ rounds }) => {
  const contenders = await allContenders(PROGRAM);
  try {
    const results = await interleave(contenders, rounds, async (contender) => {
      const round = { down: await measure(contender, download), up: await measure(contender, upload) };
      const [down, up] = [round.down.mbPerSecond.toFixed(0), round.up.mbPerSecond.toFixed(0)];
      say(`${contender.name}: ${down} MB/s down, ${up} MB/s up`);
      return round;
    });
    const middle = (contender: Contender, way: 'down' | 'up', value: keyof Round): number =>
      median(results.get(contender)!.map((round) => round[way][value]));
    const rows = contenders.map((contender) => [
      contender.name,
      ...WAYS.map((way) => middle(contender, way, 'mbPerSecond').toFixed(0)),
      ...WAYS.map((way) => middle(contender, way, 'cpuMs').toFixed(0)),
    ]);
    const [ours, alone, nginx] = contenders;
    const peer = nginx ?? alone!;
    const budget = nginx === undefined ? {} : { atLeast: 0.9 };
    const ratio = (way: 'down' | 'up', value: keyof Round): number => {
      const theirs = results.get(peer)!;
      return median(results.get(ours!)!.map((round, index) => round[way][value] / theirs[index]![way][value]));
    };
    const judgements: Judgement[] = WAYS.flatMap((way) => [
      { what: `${way}load, MB/s ÷ ${peer.name}`, value: ratio(way, 'mbPerSecond'), ...budget },
      { what: `${way}load, front + app CPU ÷ ${peer.name}`, value: ratio(way, 'cpuMs') },
    ]);
    const head = ['served by', 'down MB/s', 'up MB/s', 'CPU ms down', 'CPU ms up'];
    return `${markdownTable(head, rows)}\n${judgementTable(judgements)}`;
  } finally {
    await stopAll(contenders);
  }
};
