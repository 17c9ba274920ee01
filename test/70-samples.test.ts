// Every sample, served as `npm start` serves it, does what its page says.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

const SAMPLES = new URL(import.meta.url.endsWith('.ts') ? '../samples' : '../../samples', import.meta.url);
const MEMORY_GROWTH_MAX = 80_000_000;

let host: RunningHost;
before(async () => {
  host = await startHost({ root: fileURLToPath(SAMPLES) });
});
after(() => host.stop());

test('the index names every sample', async () => {
  const page = await get(host.url);
  for (const name of ['hello', 'express', 'fastify', 'chat', 'streaming', 'typescript', 'buggy']) {
    assert.ok(page.text.includes(`href="/${name}/"`), name);
    assert.ok(page.text.includes(`href="/${name}/debug/"`), name);
  }
});

test('hello answers every URL below its place', async () => {
  const got = await get(`${host.url}hello/some/where`);
  assert.match(got.text, /^Hello, world!\nYou asked process \d+ for \/hello\/some\/where\n$/);
});

test('express takes an entry by form and shows it', async () => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const body = 'name=Grace&text=second%21';
  const posted = await get(`${host.url}express/entries`, { method: 'POST', headers, body });
  assert.equal(posted.status, 303);
  assert.equal(posted.headers['location'], '/express/');
  assert.match((await get(`${host.url}express/`)).text, /<b>Grace<\/b>: second!/);
  assert.match((await get(`${host.url}express/server.js`)).text, /Guest book/);
});

test('fastify converts, and refuses what its schema does not allow', async () => {
  const good = await get(`${host.url}fastify/convert?value=20&from=celsius&to=fahrenheit`);
  assert.equal((JSON.parse(good.text) as { result: number }).result, 68);
  assert.equal((await get(`${host.url}fastify/convert?value=x&from=celsius&to=kelvin`)).status, 400);
});

test('typescript runs as it is', async () => {
  const got = await get(`${host.url}typescript/`);
  assert.equal(got.status, 200, got.text);
});

async function join(room: string, name: string): Promise<{ socket: WebSocket; lines: string[] }> {
  const socket = new WebSocket(`${host.url.replace('http', 'ws')}chat/socket?room=${room}&name=${name}`);
  const lines: string[] = [];
  socket.on('message', (data: Buffer) => {
    const line = JSON.parse(data.toString()) as { name: string; text: string };
    lines.push(`${line.name}: ${line.text}`);
  });
  await once(socket, 'open');
  return { socket, lines };
}

test('chat carries lines to everybody in the room and to nobody else', async (t) => {
  const ada = await join('kitchen', 'ada');
  const bob = await join('kitchen', 'bob');
  const eve = await join('cellar', 'eve');
  t.after(() => [ada, bob, eve].forEach(({ socket }) => socket.terminate()));
  ada.socket.send('tea?');
  bob.socket.send('coffee');
  for (const { lines } of [ada, bob]) {
    await until('both lines', () => (lines.includes('ada: tea?') && lines.includes('bob: coffee') ? true : undefined));
  }
  assert.deepEqual(eve.lines, ['eve: came in']);
  bob.socket.close();
  await until('who left', () => (ada.lines.includes('bob: left') ? true : undefined));
});

test('streaming sends events as they happen', async () => {
  const got = request(`${host.url}streaming/clock`, { agent: false });
  got.end();
  const [response] = (await once(got, 'response')) as [import('node:http').IncomingMessage];
  assert.equal(response.headers['content-type'], 'text/event-stream');
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if ((text.match(/^data: \d{4}-/gm)?.length ?? 0) >= 2) break;
  }
  got.destroy();
});

/** Largest resident size of any process of the host while \`work\` runs, minus that before it, in bytes. */
async function memoryGrowth(work: () => Promise<void>): Promise<number> {
  const sizes = (): Map<number, number> =>
    new Map(host.processes().map(({ pid }) => [pid, residentBytes(pid)]));
  const start = sizes();
  let growth = 0;
  const timer = setInterval(() => {
    for (const [pid, size] of sizes()) growth = Math.max(growth, size - (start.get(pid) ?? size));
  }, 50);
  await work();
  clearInterval(timer);
  return growth;
}

function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) * 1024;
}

test('100 MB come down and go up whole, with flat memory', { skip: process.platform !== 'linux' }, async () => {
  await get(`${host.url}streaming/`);
  const growth = await memoryGrowth(async () => {
    const got = request(`${host.url}streaming/download?megabytes=100`, { agent: false });
    got.end();
    const [response] = (await once(got, 'response')) as [import('node:http').IncomingMessage];
    let bytes = 0;
    for await (const chunk of response) bytes += (chunk as Buffer).length;
    assert.equal(bytes, 100_000_000);

    const block = Buffer.alloc(1_000_000, 'u');
    const hash = createHash('sha256');
    const sent = request(`${host.url}streaming/upload`, { method: 'POST', agent: false });
    const answered = once(sent, 'response') as Promise<[import('node:http').IncomingMessage]>;
    for (let count = 0; count < 100; count++) {
      hash.update(block);
      if (!sent.write(block)) await once(sent, 'drain');
    }
    sent.end();
    const [answer] = await answered;
    let text = '';
    for await (const chunk of answer) text += String(chunk);
    assert.deepEqual(JSON.parse(text), { bytes: 100_000_000, sha256: hash.digest('hex') });
  });
  assert.ok(growth < MEMORY_GROWTH_MAX, `a process grew by ${growth} bytes`);
});

test('the cart has a wrong total that grows worse with each reload', async () => {
  const total = async (): Promise<string> =>
    /id="total">([^<]*)</.exec((await get(`${host.url}buggy/`)).text)![1]!;
  assert.equal(await total(), '36.90 €');
  assert.equal(await total(), '32.80 €');
});
