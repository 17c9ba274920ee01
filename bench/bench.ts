// npm run bench: runs benchmarks and prints Markdown for docs/benchmarks.md; progress goes to stderr.
//   npm run bench [-- name… --rounds N --seconds N]     default: all, 5 rounds of 3 s

import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { benchCacheStore } from './cache-store.ts';
import { benchCache } from './cache.ts';
import { findNginx, versionOf } from './contender.ts';
import { benchDebug } from './debug.ts';
import { benchFrame } from './frame.ts';
import { benchHello } from './hello.ts';
import { benchLatency } from './latency.ts';
import { wrkVersion } from './load.ts';
import { say, type Benchmark } from './measure.ts';
import { benchMatrix } from './matrix.ts';
import { benchMemory } from './memory.ts';
import { benchRecycle } from './recycle.ts';
import { benchRequestHead } from './request-head.ts';
import { benchResponseReader } from './response-reader.ts';
import { benchStart } from './start.ts';
import { benchTls } from './tls.ts';
import { benchTransfer } from './transfer.ts';
import { benchWebsocket } from './websocket.ts';

const BENCHMARKS: Record<string, Benchmark> = {
  hello: benchHello,
  matrix: benchMatrix,
  cache: benchCache,
  start: benchStart,
  recycle: benchRecycle,
  tls: benchTls,
  transfer: benchTransfer,
  websocket: benchWebsocket,
  latency: benchLatency,
  memory: benchMemory,
  debug: benchDebug,
  frame: benchFrame,
  'cache-store': benchCacheStore,
  'request-head': benchRequestHead,
  'response-reader': benchResponseReader,
};

function machine(): string {
  const nginx = findNginx();
  const processors = cpus();
  const parts = [
    new Date().toISOString().slice(0, 10),
    `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown CPU'}`,
    `${(totalmem() / 1e9).toFixed(0)} GB`,
    `${process.platform} ${release()}`,
    `Node ${process.versions.node}`,
    nginx === undefined ? 'no nginx' : versionOf(nginx, ['-v'])?.replace(/^nginx version: /, ''),
    wrkVersion() ?? 'no wrk',
  ];
  return parts.join(', ');
}

async function main(words: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
    },
  });
  const options = { rounds: Number(values.rounds), seconds: Number(values.seconds) };
  if (!(options.rounds >= 1) || !(options.seconds >= 1)) throw new Error('--rounds and --seconds start at 1');
  const names = positionals.length > 0 ? positionals : Object.keys(BENCHMARKS);
  const unknown = names.find((name) => !Object.hasOwn(BENCHMARKS, name));
  if (unknown !== undefined) {
    throw new Error(`no benchmark "${unknown}"; there are ${Object.keys(BENCHMARKS).join(', ')}`);
  }
  console.log(`${machine()}; ${options.rounds} rounds of ${options.seconds} s.\n`);
  for (const name of names) {
    say(`-- ${name}`);
    console.log(`### ${name}\n\n${await BENCHMARKS[name]!(options)}`);
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
