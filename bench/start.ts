// The first request to a stopped app, against starting the program by hand until it answers.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHost } from '../test/host-fixture.ts';
import { interleave, judgementTable, markdownTable, median, type Benchmark } from './measure.ts';

const STARTS = 12;

const PROGRAM = `
const server = require('node:http').createServer((request, response) => response.end('up'));
server.listen(process.env.PORT, () => process.send?.('listening'));
`;

async function answer(options: { port: number; path: string } | { socketPath: string }): Promise<void> {
  const sent = request({ host: '127.0.0.1', agent: false, ...options }).end();
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`answered with ${response.statusCode}`);
  response.resume();
  await once(response, 'end');
}

async function startByHand(folder: string, index: number): Promise<number> {
  const socketPath = join(folder, `${index}.sock`);
  const startMs = performance.now();
  const child = spawn(process.execPath, [join(folder, 'server.js')], {
    env: { ...process.env, PORT: socketPath },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  try {
    await once(child, 'message');
    await answer({ socketPath });
    return performance.now() - startMs;
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

/** Milliseconds until the first answer. */
export const benchStart: Benchmark = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-bench-'));
  writeFileSync(join(folder, 'server.js'), PROGRAM);
  const files = Object.fromEntries(
    Array.from({ length: STARTS }, (_, index) => [`app-${index}/server.js`, PROGRAM]),
  );
  const host = await startHost({ files });
  try {
    const ways = ['first request to a stopped app', '`node server.js` until it answers'] as const;
    const results = await interleave(ways, STARTS, async (way, round) => {
      if (way !== ways[0]) return startByHand(folder, round);
      const startMs = performance.now();
      await answer({ port: host.port, path: `/app-${round}/` });
      return performance.now() - startMs;
    });
    const [ours, byHand] = ways.map((way) => results.get(way)!);
    const rows = ways.map((way) => [way, median(results.get(way)!).toFixed(0)]);
    const judgements = [
      { what: 'ratio', value: median(ours!.map((ms, index) => ms / byHand![index]!)), atMost: 1.2 },
      { what: 'more', value: median(ours!) - median(byHand!), atMost: 60, unit: ' ms' },
    ];
    return `${markdownTable(['', 'ms'], rows)}\n${judgementTable(judgements)}`;
  } finally {
    await host.stop();
    rmSync(folder, { recursive: true, force: true });
  }
};
