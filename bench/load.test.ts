import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { LoadReport } from './load.ts';

const LOAD_MAIN = fileURLToPath(new URL(`./load-main${import.meta.url.slice(-3)}`, import.meta.url));

async function loadAnswering(
  status: number,
  words: readonly string[],
): Promise<{ seen: number; report: LoadReport }> {
  let seen = 0;
  const server = createServer((_, response) => {
    seen += 1;
    response.writeHead(status, { 'Content-Length': 4 }).end('body');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const all = [LOAD_MAIN, url, ...words];
    const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 0);
    return { seen, report: JSON.parse(text) as LoadReport };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('the load process counts what was answered', async () => {
  const { seen, report } = await loadAnswering(200, ['4', '0.2']);
  assert.equal(report.errors, 0);
  // Up to one request a connection is under way at the end.
  assert.ok(report.requests > 0 && seen - report.requests >= 0 && seen - report.requests <= 4);
});

test('the load process counts other answers than 200 as errors', async () => {
  const { report } = await loadAnswering(503, ['2', '0.1']);
  assert.equal(report.requests, 0);
  assert.ok(report.errors > 0);
});

test('the load process sends at the rate it was given', async () => {
  const { report } = await loadAnswering(200, ['8', '0.5', '1000']);
  assert.equal(report.errors, 0);
  assert.ok(report.requests > 300 && report.requests <= 510, String(report.requests));
  assert.ok(report.p99Ms > 0);
});
