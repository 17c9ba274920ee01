// A steady load while files change, processes are killed and the configuration breaks: npm run load
// [-- --rate N --seconds N]. Prints Markdown for docs/benchmarks.md; fails on a request that is lost, a process, a
// socket or open files that are left, memory that grows.

import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import {
  assertFilesClosed, assertMemoryBounded, loadRun, openFilesOf, startLoadHost, type Trouble,
} from '../test/steady-load.ts';

const TROUBLES: Readonly<Record<Trouble, string>> = {
  nothing: 'nothing',
  files: 'a file is touched every 200 ms',
  kills: 'an app process or front is killed every 700 ms',
  config: 'the configuration is broken and mended every 200 ms',
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rate: { type: 'string', default: '300' }, seconds: { type: 'string', default: '60' } },
  });
  const [rate, seconds] = [Number(values.rate), Number(values.seconds)];
  const host = await startLoadHost();
  let lostAll = 0;
  try {
    console.log(`${rate} requests a second for ${seconds} s each, 2 fronts, 4 app processes\n`);
    const columns = 'meanwhile | times | requests | cut by a kill | lost | median ms | longest ms';
    console.log(`| ${columns} | host MB | front MB | app MB |`);
    console.log('|---|---|---|---|---|---|---|---|---|---|');
    for (const [trouble, text] of Object.entries(TROUBLES) as [Trouble, string][]) {
      const before = openFilesOf(host);
      const result = await loadRun(host, { trouble, rate, seconds });
      const { troubles, requests, cut, lost, medianMs, longestMs, memory } = result;
      const grown = (['host', 'front', 'app'] as const).map((role) => `${memory.before[role]} → ${memory.after[role]}`);
      const cells = [text, troubles, requests, cut, lost.length, medianMs, longestMs, ...grown];
      console.log(`| ${cells.join(' | ')} |`);
      for (const failure of new Set(lost)) console.error(`lost: ${failure}`);
      lostAll += lost.length;
      await assertFilesClosed(host, before);
      assertMemoryBounded(memory);
    }
  } finally {
    await host.stop();
  }
  assert.equal(lostAll, 0, `${lostAll} requests were lost`);
  console.log('\nNo request was lost; no process, socket or file is left; memory stayed within its bound.');
}

await main();
