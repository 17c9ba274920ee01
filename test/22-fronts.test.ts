// Several front processes on the same listeners, by real processes: who is hit when one is killed, that changes
// reach all, and that sessions do not care which of them a connection comes to.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import type { FrontSnapshot, HostSnapshot } from '../src/wire/status.ts';
import { runCli, startHost, type RunningHost } from './host-fixture.ts';
import { get, isAlive, until, type Got } from './http-client.ts';
import { made, madeAuthority } from './made-certificates.ts';
import { PollViewer } from './poll-viewer.ts';

const HERE = import.meta.url;
const CLIENT = fileURLToPath(new URL(HERE.endsWith('.ts') ? '../dist/client.cjs' : '../client.cjs', HERE));

const FRONTS = 3;
/** So many connections that one front cannot well get them all. */
const MANY = 40;

/** Holds requests until one asks for /release; tells how many it holds. */
const HOLDING = `
const held = [];
require('node:http').createServer((request, response) => {
  if (request.url.endsWith('/held')) return response.end(String(held.length));
  if (request.url.endsWith('/now')) return response.end(String(process.pid));
  if (!request.url.endsWith('/release')) return held.push(response);
  for (const other of held.splice(0)) other.end('answer');
  response.end('released');
}).listen(process.env.PORT);
`;

/** Counts its answers, keeps them, and drops them when it is told. */
const COUNTING = `
const { slipstream } = require(process.env.CLIENT);
let count = 0;
require('node:http').createServer(async (request, response) => {
  if (request.url.endsWith('/purge')) {
    await slipstream.cache.purge({ tag: 'counts' });
    return response.end('purged');
  }
  response.setHeader('Content-Type', 'text/plain');
  response.cacheDuration = 600;
  response.cacheTags = ['counts'];
  response.end(String(++count));
}).listen(process.env.PORT);
`;

async function hostOf(t: TestContext, files: Record<string, string>, settings = ''): Promise<RunningHost> {
  const config = `frontProcesses: ${FRONTS}\n${settings === '' ? 'drainTimeoutMs: 200\n' : settings}`;
  const host = await startHost({
    files: { 'slipstream.yml': config, ...files },
    env: { CLIENT, SLIPSTREAM_CACHE_DURATION: '0' },
  });
  t.after(() => host.stop());
  return host;
}

async function frontsOf(host: RunningHost): Promise<FrontSnapshot[]> {
  const { stdout } = await runCli(['status', '--json'], host.home);
  return (JSON.parse(stdout) as HostSnapshot).fronts!;
}

/** Connections that stay: the same one for each number. */
function lanes(t: TestContext): (url: string, lane: number) => Promise<Got> {
  const agents = Array.from({ length: MANY }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  t.after(() => agents.forEach((agent) => agent.destroy()));
  return (url, lane) => get(url, { agent: agents[lane]! });
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test('connections spread over the fronts, and a killed one costs only its own', async (t) => {
  const host = await hostOf(t, { 'app/server.js': HOLDING });
  await get(`${host.url}app/now`);
  const requests = 500;
  const ends = numbers(requests).map(() => get(`${host.url}app/`).then(({ text }) => text, () => 'cut'));
  await until('the app holds all requests', async () => {
    return (await get(`${host.url}app/held`)).text === String(requests) ? true : undefined;
  });
  const fronts = await frontsOf(host);
  const spread = fronts.map(({ connections }) => connections!);
  assert.equal(spread.reduce((sum, count) => sum + count, 0), requests);
  assert.ok(spread.every((count) => count > 0), spread.join(' '));
  process.kill(fronts[1]!.pid, 'SIGKILL');
  const after = await until('the lost front is replaced', async () => {
    const now = await frontsOf(host);
    return now.every(({ pid, state }) => pid !== fronts[1]!.pid && state === 'serving') ? now : undefined;
  });
  assert.deepEqual(after.map(({ restarts }) => restarts), [0, 1, 0]);
  assert.equal((await get(`${host.url}app/release`)).text, 'released');
  const texts = await Promise.all(ends);
  assert.equal(texts.filter((text) => text === 'cut').length, spread[1]);
  assert.equal(texts.filter((text) => text === 'answer').length, requests - spread[1]!);
  await until('the new front is given connections', async () => {
    await Promise.all(numbers(MANY).map(() => get(`${host.url}app/now`)));
    return (await frontsOf(host)).every((front) => front.requests! > 0) ? true : undefined;
  });
});

test('requests at all fronts start one process, and a change of its files loses none of them', async (t) => {
  const host = await hostOf(t, { 'app/server.js': HOLDING });
  const ask = lanes(t);
  const first = await Promise.all(numbers(MANY).map((lane) => ask(`${host.url}app/now`, lane)));
  assert.equal(new Set(first.map(({ text }) => text)).size, 1);
  const over = new AbortController();
  const clients = numbers(MANY).map(async (lane) => {
    const seen = new Set<string>();
    while (!over.signal.aborted) {
      const { status, text } = await ask(`${host.url}app/now`, lane);
      assert.equal(status, 200, text);
      seen.add(text);
    }
    return seen;
  });
  writeFileSync(join(host.root, 'app/server.js'), `${HOLDING}\n// changed`);
  await until('the new process has taken over', () => (isAlive(Number(first[0]!.text)) ? undefined : true));
  over.abort();
  for (const seen of await Promise.all(clients)) assert.ok(seen.size <= 2);
});

test('a process that is retired may finish what other fronts gave it when one is killed', async (t) => {
  const host = await hostOf(t, { 'app/server.js': HOLDING });
  const old = (await get(`${host.url}app/now`)).text;
  let cut = 0;
  for (const _ of numbers(MANY)) void get(`${host.url}app/`).catch(() => (cut += 1));
  await until('all wait', async () => ((await get(`${host.url}app/held`)).text === String(MANY) ? true : undefined));
  // The new one takes over; the old one would end with its last request.
  writeFileSync(join(host.root, 'app/server.js'), `
    require('node:http').createServer((request, response) => response.end('new')).listen(process.env.PORT);`);
  await until('the new process answers', async () => {
    return (await get(`${host.url}app/now`)).text === 'new' ? true : undefined;
  });
  const fronts = await frontsOf(host);
  const victim = fronts.reduce((best, one) => (one.connections! < best.connections! ? one : best));
  process.kill(victim.pid, 'SIGKILL');
  await until('its connections are cut', () => (cut === victim.connections ? true : undefined));
  const restarted = await until('it is replaced', async () => {
    const now = await frontsOf(host);
    return now.every(({ pid, state }) => pid !== victim.pid && state === 'serving') ? now : undefined;
  });
  assert.equal(restarted.reduce((sum, { connections }) => sum + connections!, 0), MANY - cut);
  assert.ok(isAlive(Number(old)), 'requests of other fronts hold the old process');
});

test('edits of the settings reach every front', async (t) => {
  const host = await hostOf(t, { 'app/server.js': HOLDING });
  const file = join(host.root, 'slipstream.yml');
  const target = `${host.url}app/?${'x'.repeat(100)}/now`;
  assert.equal((await get(target)).status, 200);
  writeFileSync(file, `frontProcesses: ${FRONTS}\nlimits: { targetBytesMax: 64 }\n`);
  await until('all fronts refuse', async () => {
    const all = await Promise.all(numbers(MANY).map(() => get(target)));
    return all.every(({ status }) => status === 414) ? true : undefined;
  });
  writeFileSync(file, `frontProcesses: ${FRONTS + 1}\n`);
  await host.line(/config-needs-restart.*frontProcesses/);
});

test('a purge reaches every front before it returns, by command and from inside the app', async (t) => {
  const host = await hostOf(t, { 'shop/server.js': COUNTING });
  const ask = lanes(t);
  const everywhere = async (): Promise<Set<string>> => {
    const texts = new Set<string>();
    for (const lane of numbers(MANY)) texts.add((await ask(`${host.url}shop/page`, lane)).text);
    return texts;
  };
  const first = await everywhere();
  assert.ok(first.size > 1 && first.size <= FRONTS, `one answer a front: ${[...first].join(' ')}`);
  assert.deepEqual(await everywhere(), first);
  const purges: (() => Promise<unknown>)[] = [
    () => runCli(['cache', 'purge', '--tag', 'counts'], host.home),
    () => get(`${host.url}shop/purge`),
    () => runCli(['cache', 'purge', '/shop/page'], host.home),
  ];
  let before = first;
  for (const purge of purges) {
    await purge();
    const after = await everywhere();
    assert.deepEqual([...after].filter((text) => before.has(text)), []);
    before = after;
  }
  const { stdout } = await runCli(['cache', 'show', '--json'], host.home);
  const shown = JSON.parse(stdout) as { rows: { url: string; hits: number }[]; report: { counters: { hits: number } } };
  assert.equal(shown.rows.filter(({ url }) => url.endsWith('/page')).length, 1);
  assert.ok(shown.report.counters.hits >= MANY);
});

test('a purge from inside an app waits for the successor of a killed front', async (t) => {
  const host = await hostOf(t, { 'shop/server.js': COUNTING });
  await get(`${host.url}shop/page`);
  const [first] = await frontsOf(host);
  process.kill(first!.pid, 'SIGKILL');
  await host.line(/front-lost/);
  assert.equal((await get(`${host.url}shop/purge`)).text, 'purged');
});

test('TLS sessions of one front are resumed by the others', async (t) => {
  const authority = madeAuthority();
  const server = made('localhost', { issuer: authority.issuer, names: ['localhost', '127.0.0.1'] });
  const host = await startHost({
    files: {
      'slipstream.yml': `frontProcesses: ${FRONTS}\ntls: { certificates: [{ cert: keys/s.pem, key: keys/s.key }] }\n`,
      'keys/s.pem': server.cert, 'keys/s.key': server.key, 'app/server.js': HOLDING,
    },
    args: ['--listen', 'http://127.0.0.1:0', '--listen', 'https://127.0.0.1:0'],
  });
  t.after(() => host.stop());
  const port = Number(/https:\/\/127\.0\.0\.1:(\d+)/.exec(host.output())![1]);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    let session: Buffer | undefined;
    const visit = async (): Promise<boolean> => {
      const socket = tls.connect({
        port, host: '127.0.0.1', servername: 'localhost', ca: authority.cert, minVersion: version, maxVersion: version,
        ...(session === undefined ? {} : { session }),
      });
      socket.on('session', (ticket) => (session = ticket));
      await once(socket, 'secureConnect');
      const isReused = socket.isSessionReused();
      socket.end('GET /app/now HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      socket.resume();
      await once(socket, 'close');
      return isReused;
    };
    assert.equal(await visit(), false);
    for (const index of numbers(MANY)) assert.equal(await visit(), true, `${version}, connection ${index}`);
  }
  assert.ok((await frontsOf(host)).filter(({ requests }) => requests! > 0).length > 1);
});

test('WebSockets live on through the death of a front that is not theirs', async (t) => {
  const host = await hostOf(t, {
    'app/server.js': `
      const server = require('node:http').createServer((request, response) => response.end('up'));
      const { WebSocketServer } = require('ws');
      new WebSocketServer({ server }).on('connection', (socket) => {
        socket.on('message', (text) => socket.send('echo ' + text));
      });
      server.listen(process.env.PORT);`,
  });
  await get(`${host.url}app/`);
  const sockets = numbers(MANY).map(() => new WebSocket(`${host.url.replace('http', 'ws')}app/`));
  t.after(() => sockets.forEach((socket) => socket.terminate()));
  let closed = 0;
  for (const socket of sockets) {
    socket.on('close', () => (closed += 1));
    socket.on('error', () => {});
  }
  await Promise.all(sockets.map((socket) => once(socket, 'open')));
  const fronts = await frontsOf(host);
  process.kill(fronts[2]!.pid, 'SIGKILL');
  await until('its sockets are closed', () => (closed === fronts[2]!.connections ? true : undefined));
  const open = sockets.filter((socket) => socket.readyState === WebSocket.OPEN);
  const echoes = open.map(async (socket, index) => {
    socket.send(String(index));
    const [data] = (await once(socket, 'message')) as [Buffer];
    assert.equal(data.toString(), `echo ${index}`);
  });
  await Promise.all(echoes);
  assert.equal(open.length, MANY - fronts[2]!.connections!);
});

test('a debugger session holds while each poll of it comes to another front, and when one is killed', async (t) => {
  // One request a connection: the fronts change all the time.
  const settings = 'drainTimeoutMs: 200\nlimits: { requestsPerConnectionMax: 1 }\n';
  const host = await hostOf(t, {
    'app/server.js': `
      let count = 0;
      require('node:http').createServer(function greet(request, response) {
        count += 1;
        response.end('hello ' + count);
      }).listen(process.env.PORT);`,
  }, settings);
  const page = await get(`${host.url}app/debug/`);
  assert.equal(page.status, 200);
  const viewer = new PollViewer(`${host.url}app/debug/`);
  await viewer.open();
  t.after(() => viewer.vanish());
  for (const round of numbers(MANY)) {
    const sent = await viewer.send('Runtime.evaluate', { expression: `${round} * 2` });
    assert.equal((sent as { result: { value: number } }).result.value, round * 2);
  }
  assert.ok((await frontsOf(host)).filter(({ requests }) => requests! > 0).length > 1, 'several had a part in it');
  const [first] = await frontsOf(host);
  process.kill(first!.pid, 'SIGKILL');
  await host.line(/front-lost/);
  for (const round of numbers(MANY)) {
    const answer = await get(`${host.url}app/`).catch(() => null);
    if (answer !== null) assert.match(answer.text, /^hello/, String(round));
    assert.equal((await get(`${host.url}app/debug/`)).status, 200);
  }
});

test('a stopping host drains all fronts', async (t) => {
  const host = await hostOf(t, { 'app/server.js': `
    require('node:http').createServer((request, response) => {
      response.write('begun ');
      process.once('SIGTERM', () => {});
      setTimeout(() => response.end('ended'), 300);
    }).listen(process.env.PORT);` }, 'drainTimeoutMs: 5000\n');
  await get(`${host.url}app/`);
  let begun = 0;
  const ends = numbers(MANY).map(async () => {
    const response = await fetch(`${host.url}app/`);
    begun += 1;
    return response.text();
  });
  await until('all are begun', () => (begun === MANY ? true : undefined));
  const stopped = host.stop();
  assert.deepEqual([...new Set(await Promise.all(ends))], ['begun ended']);
  assert.equal((await stopped).code, 0);
});
