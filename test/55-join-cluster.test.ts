// Unchanged programs on node's cluster module behind a host, under load: a killed worker, a rolling restart.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { get, until } from './http-client.ts';
import { hostFor, run } from './join-program.ts';

const CLUSTER = `
const cluster = require('cluster');
const http = require('http');
if (cluster.isPrimary) {
  let live = 0;
  cluster.on('listening', (worker, address) => {
    if (++live === 3) console.log('all on ' + address.port + ' first ' + worker.process.pid);
  });
  cluster.on('exit', () => { live -= 1; cluster.fork(); });
  for (let index = 0; index < 3; index++) cluster.fork();
  process.on('SIGUSR2', async () => {
    for (const worker of Object.values(cluster.workers)) {
      const listening = new Promise((resolve) => cluster.once('listening', resolve));
      worker.disconnect();
      await listening;
    }
    console.log('restarted');
  });
} else {
  http.createServer((request, response) => {
    setTimeout(() => response.end(String(process.pid)), 2);
  }).listen(0);
}
`;

interface Asked {
  startedMs: number;
  pid: string;
  failure?: string;
}

/** Keeps asking until told to stop; every answer is kept. */
function load(url: string): { asked: Asked[]; stop(): Promise<void> } {
  const asked: Asked[] = [];
  const over = new AbortController();
  const one = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const startedMs = performance.now();
      try {
        const { status, text } = await get(url);
        asked.push(status === 200 ? { startedMs, pid: text } : { startedMs, pid: '', failure: `${status} ${text}` });
      } catch (error) {
        asked.push({ startedMs, pid: '', failure: String(error) });
      }
    }
  };
  const all = Promise.all(Array.from({ length: 8 }, one));
  return {
    asked,
    async stop() {
      over.abort();
      await all;
    },
  };
}

test('the death of the first worker under load fails no new request, and a rolling restart fails none', async (t) => {
  const host = await hostFor(t);
  const program = run(t, host, CLUSTER);
  const [, port, first] = await program.line(/all on (\d+) first (\d+)/);
  const work = load(`http://127.0.0.1:${port}/`);
  const { asked } = work;
  await until('all workers answer', () => (new Set(asked.map(({ pid }) => pid)).size >= 3 ? true : undefined));
  const killedMs = performance.now();
  process.kill(Number(first), 'SIGKILL');
  await until('enough answers', () => {
    return asked.filter(({ startedMs }) => startedMs > killedMs).length > 200 ? true : undefined;
  });
  await until('the one that replaces it', () => {
    return new Set(asked.slice(-100).map(({ pid }) => pid)).size === 3 ? true : undefined;
  });
  const failed = asked.filter(({ startedMs, failure }) => failure !== undefined && startedMs > killedMs);
  assert.deepEqual(failed, []);

  const restartMs = performance.now();
  const former = new Set(asked.slice(-50).map(({ pid }) => pid));
  program.child.kill('SIGUSR2');
  await program.line(/restarted/);
  await until('answers of the new ones', () => {
    return asked.slice(-20).every(({ pid }) => !former.has(pid)) ? true : undefined;
  });
  await work.stop();
  assert.deepEqual(asked.filter(({ startedMs, failure }) => failure !== undefined && startedMs > restartMs), []);
});
