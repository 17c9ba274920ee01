// TLS: handshakes/s, full and resumed, requests/s over HTTP/1.1 and HTTP/2, 30 MB down and up; through the front, on
// node's https and http2 alone, and through nginx. The load comes from openssl s_time, wrk, h2load and curl.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuUs, stopAll, versionOf } from './contender.ts';
import { load } from './load.ts';
import {
  interleave, judgementTable, markdownTable, median, say, type Benchmark, type Judgement,
} from './measure.ts';
import { LARGE_BYTES, tlsContenders, type TlsContender } from './tls-contender.ts';

const CONNECTIONS = 64;
/** Over HTTP/2: as many requests at a time as over HTTP/1.1. */
const HTTP2_CONNECTIONS = 8;
const STREAMS = 8;
/** s_time makes one handshake after the other. */
const HANDSHAKERS = 4;
const TRANSFERS = 4;

interface Report {
  /** Of what is counted: handshakes, requests, MB. */
  perSecond: number;
  count: number;
}

interface Measure {
  name: string;
  unit: string;
  run(contender: TlsContender, seconds: number): Promise<Report>;
}

async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${text}`);
  return text;
}

async function handshakes({ url }: TlsContender, seconds: number, words: readonly string[]): Promise<Report> {
  const args = ['s_time', '-connect', new URL(url).host, '-time', String(seconds), ...words];
  const startMs = performance.now();
  const texts = await Promise.all(Array.from({ length: HANDSHAKERS }, () => outputOf('openssl', args)));
  const tookS = (performance.now() - startMs) / 1000;
  // The last such line: with -reuse the first handshake has one of its own.
  const count = texts.reduce((sum, text) => sum + Number([...text.matchAll(/(\d+) connections in/g)].at(-1)?.[1]), 0);
  if (!(count > 0)) throw new Error(`openssl s_time counted nothing:\n${texts[0]}`);
  return { count, perSecond: count / tookS };
}

async function http1({ url }: TlsContender, seconds: number): Promise<Report> {
  const { requests, seconds: tookS } = await load(url, { connections: CONNECTIONS, seconds });
  return { count: requests, perSecond: requests / tookS };
}

async function http2({ http2Url }: TlsContender, seconds: number): Promise<Report> {
  const words = ['-c', String(HTTP2_CONNECTIONS), '-m', String(STREAMS), '-D', String(seconds), http2Url];
  const text = await outputOf('h2load', words);
  const count = Number(/(\d+) succeeded/.exec(text)?.[1]);
  const failed = Number(/(\d+) failed/.exec(text)?.[1]);
  if (!(count > 0) || failed > 0) throw new Error(`h2load: ${failed} requests failed\n${text}`);
  return { count, perSecond: count / seconds };
}

/** MB/s of some transfers on one connection. */
async function transfer(url: string, words: readonly string[]): Promise<Report> {
  const urls = Array.from({ length: TRANSFERS }, () => ['-o', '/dev/null', url]).flat();
  const format = '%{http_code} %{size_download} %{size_upload}\n';
  const startMs = performance.now();
  const text = await outputOf('curl', ['-sk', '-w', format, ...words, ...urls]);
  const tookS = (performance.now() - startMs) / 1000;
  const rows = text.trim().split('\n').map((line) => line.split(' ').map(Number));
  const isWhole = rows.every(([code, down, up]) => code === 200 && down! + up! >= LARGE_BYTES);
  if (!isWhole || rows.length !== TRANSFERS) throw new Error(`curl: not all bytes came\n${text}`);
  const count = (TRANSFERS * LARGE_BYTES) / 1_000_000;
  return { count, perSecond: count / tookS };
}

function measures(file: string): Measure[] {
  const shakes = (name: string, ...words: string[]): Measure => ({
    name, unit: '/s', run: (contender, seconds) => handshakes(contender, seconds, words),
  });
  const upload = ['--data-binary', `@${file}`, '-H', 'Expect:'];
  return [
    shakes('full handshakes (TLS 1.3)', '-new', '-tls1_3'),
    shakes('full handshakes (TLS 1.2)', '-new', '-tls1_2'),
    shakes('resumed (TLS 1.2)', '-reuse', '-tls1_2'),
    shakes('resumed, with a request (TLS 1.3)', '-reuse', '-tls1_3', '-www', '/app/'),
    { name: 'requests over HTTP/1.1', unit: '/s', run: http1 },
    { name: 'requests over HTTP/2', unit: '/s', run: http2 },
    { name: '30 MB down, HTTP/1.1', unit: ' MB/s', run: ({ url }) => transfer(`${url}large`, ['--http1.1']) },
    { name: '30 MB down, HTTP/2', unit: ' MB/s', run: ({ http2Url }) => transfer(`${http2Url}large`, ['--http2']) },
    { name: '30 MB up, HTTP/1.1', unit: ' MB/s', run: ({ url }) => transfer(url, ['--http1.1', ...upload]) },
    { name: '30 MB up, HTTP/2', unit: ' MB/s', run: ({ http2Url }) => transfer(http2Url, ['--http2', ...upload]) },
  ];
}

interface Round {
  perSecond: number;
  /** CPU of who ends TLS and of the app, for one of what is counted. */
  cpuUs: number;
}

async function measureRound(contender: TlsContender, measure: Measure, seconds: number): Promise<Round> {
  const pids = [...contender.frontPids(), ...contender.appPids()];
  const beforeUs = cpuUs(pids);
  const { perSecond, count } = await measure.run(contender, seconds);
  const round = { perSecond, cpuUs: (cpuUs(pids) - beforeUs) / count };
  say(`${measure.name}: ${contender.name}: ${perSecond.toFixed(0)}${measure.unit}, ${round.cpuUs.toFixed(0)} µs`);
  return round;
}

/** From the rounds, one by one: each compares what ran next to each other. */
function ratioOf(over: readonly Round[], under: readonly Round[], value: (round: Round) => number): number {
  return median(over.map((round, index) => value(round) / value(under[index]!)));
}

/** What is counted by s, and CPU of front and app together, against node alone and nginx. */
export const benchTls: Benchmark = async ({ rounds, seconds }) => {
  for (const [tool, word] of [['h2load', '--version'], ['curl', '--version'], ['openssl', 'version']] as const) {
    if (versionOf(tool, [word]) === undefined) throw new Error(`bench tls needs ${tool}`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-bench-'));
  writeFileSync(join(folder, 'body'), Buffer.alloc(LARGE_BYTES, 'x'));
  const contenders = await tlsContenders();
  try {
    const rows: string[][] = [];
    const judgements: Judgement[] = [];
    for (const measure of measures(join(folder, 'body'))) {
      for (const contender of contenders) await measure.run(contender, 1);
      const results = await interleave(contenders, rounds, (one) => measureRound(one, measure, seconds));
      const [ours, ...others] = contenders.map((contender) => results.get(contender)!);
      for (const contender of contenders) {
        const all = results.get(contender)!;
        const perSecond = median(all.map((round) => round.perSecond));
        const us = median(all.map((round) => round.cpuUs));
        rows.push([measure.name, contender.name, `${perSecond.toFixed(0)}${measure.unit}`, us.toFixed(0)]);
      }
      for (const [index, theirs] of others.entries()) {
        const { name } = contenders[index + 1]!;
        const budget = name === 'node alone' ? { atLeast: 1 } : {};
        const cpu = ratioOf(ours!, theirs, (round) => round.cpuUs);
        const value = ratioOf(ours!, theirs, (round) => round.perSecond);
        judgements.push({ what: `${measure.name} ÷ ${name}`, value, ...budget });
        judgements.push({ what: `${measure.name}: CPU ÷ ${name}`, value: cpu });
      }
    }
    const head = ['what', 'served by', 'measured', 'CPU µs for one'];
    return `${markdownTable(head, rows)}\n${judgementTable(judgements)}`;
  } finally {
    await stopAll(contenders);
    rmSync(folder, { recursive: true, force: true });
  }
};
