// The limits of the front at the wire of a real host: what a client sees that goes over one, and that no program
// hears of it. Programs that never answer or read, and very many clients that do nothing.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { openFiles } from './fault-round.ts';
import type { HostSnapshot } from '../src/wire/status.ts';
import { runCli, startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

/** Tells at `/app/seen` what came to it. */
const SEES = `const seen = [];
require('node:http').createServer((request, response) => {
  seen.push(request.url);
  let bytes = 0;
  request.on('data', (piece) => (bytes += piece.length));
  if (request.url === '/app/endless') {
    const more = () => { while (response.write(Buffer.alloc(65536))); };
    response.on('drain', more).on('close', () => seen.push('endless closed'));
    return more();
  }
  request.on('end', () => response.end(request.url === '/app/seen' ? JSON.stringify(seen) : bytes + ' bytes'));
}).listen(0);`;

interface Talk {
  socket: Socket;
  /** All that came, once the connection has ended; `reset` behind it where it was. */
  ended: Promise<string>;
}

/** A connection on which that is said at once. */
function talk(t: TestContext, host: RunningHost, words = ''): Talk {
  const socket = connect({ port: host.port, host: '127.0.0.1' });
  t.after(() => socket.destroy());
  let text = '';
  socket.on('data', (piece: Buffer) => (text += piece.toString('latin1')));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    text += error.code === 'ECONNRESET' || error.code === 'EPIPE' ? 'reset' : error.message;
  });
  if (words !== '') socket.write(words);
  // Not once(): that rejects where the connection is reset.
  return { socket, ended: new Promise((resolve) => socket.on('close', () => resolve(text))) };
}

function head(target: string, fields = ''): string {
  return `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`;
}

const SMALL = `targetBytesMax: 64, headBytesMax: 1024, headFieldsMax: 10, headTimeoutMs: 300, bodyIdleTimeoutMs: 300,
  bodyBytesMax: 1000, keepAliveTimeoutMs: 300, writeStallTimeoutMs: 300, requestsPerConnectionMax: 2`;

test('each limit of the front has its answer, and no program hears of who goes over it', async (t) => {
  const host = await startHost({
    files: { 'app/server.js': SEES, 'slip.yml': `limits: { ${SMALL} }\n` },
    config: 'slip.yml',
  });
  t.after(() => host.stop());
  assert.equal((await get(`${host.url}app/`)).text, '0 bytes');

  const post = (length: number, target: string): string =>
    head(target, `Content-Length: ${length}\r\n`).replace('GET', 'POST');
  const rows: [what: string, said: string, answer: RegExp][] = [
    ['target', head(`/app/${'a'.repeat(64)}`), /^HTTP\/1\.1 414 .*REQUEST_TARGET_TOO_LONG/s],
    ['head', head('/app/head', `A: ${'a'.repeat(1024)}\r\n`), /^HTTP\/1\.1 431 .*headBytesMax/s],
    ['fields', head('/app/fields', 'A: a\r\n'.repeat(10)), /^HTTP\/1\.1 431 .*headFieldsMax/s],
    ['slow head', 'GET /app/slow HTTP/1.1\r\nHost: loc', /^HTTP\/1\.1 408 .*REQUEST_TIMED_OUT/s],
    ['body', post(1001, '/app/body'), /^HTTP\/1\.1 413 .*bodyBytesMax/s],
    ['slow body', `${post(10, '/app/slow-body')}abc`, /^HTTP\/1\.1 408 .*REQUEST_TIMED_OUT/s],
    ['no request', '', /^$/],
    ['idle', head('/app/idle'), /^HTTP\/1\.1 200 .*\r\nKeep-Alive: timeout=0\r\n.*0 bytes$/s],
    ['requests', head('/app/one') + head('/app/two') + head('/app/three'),
      /^HTTP\/1\.1 200 .*0 bytesHTTP\/1\.1 200 .*\r\nConnection: close\r\n(?!.*HTTP).*0 bytes$/s],
  ];
  const talks = rows.map(([, said]) => talk(t, host, said));
  // Takes nothing of an answer that does not end.
  const stalled = talk(t, host, head('/app/endless'));
  stalled.socket.pause();
  for (const [index, [what, , answer]] of rows.entries()) assert.match(await talks[index]!.ended, answer, what);

  const seen = await until('the endless answer is given up', async () => {
    const { text } = await get(`${host.url}app/seen`);
    return text.includes('endless closed') ? (JSON.parse(text) as string[]) : undefined;
  });
  stalled.socket.resume();
  const cut = await stalled.ended;
  assert.ok(cut.startsWith('HTTP/1.1 200 ') && !cut.endsWith('\r\n0\r\n\r\n'), 'the answer is cut');
  const served = ['/app/', '/app/endless', '/app/idle', '/app/one', '/app/slow-body', '/app/two', 'endless closed'];
  assert.deepEqual([...new Set(seen)].filter((url) => url !== '/app/seen').sort(), served);
});

/** Holds `/hold`; answers others at once. */
const HOLDS = `require('node:http').createServer((request, response) => {
  if (!request.url.endsWith('/hold')) response.end('at once');
}).listen(0);`;

/** What the host tells of its app: requests that it has and requests that wait. */
async function loadOf(host: RunningHost): Promise<[active: number, waiting: number]> {
  const { apps } = JSON.parse((await runCli(['status', '--json'], host.home)).stdout) as HostSnapshot;
  const { processes = [], waiting = 0 } = apps[0]!;
  return [processes.reduce((sum, { active }) => sum + active, 0), waiting];
}

test('a request waits for a process while the queue has room, and for its time; then it is 503', async (t) => {
  const bySettings = 'limits: { queueTimeoutMs: 1500, concurrencyMax: 1, queueMax: 1 }\n';
  const variables = 'HTTPSYS_PENDING_READ_COUNT: "1", HTTPSYS_REQUEST_QUEUE_LENGTH: "1"';
  for (const settings of [bySettings, `limits: { queueTimeoutMs: 1500 }\ndefaults: { env: { ${variables} } }\n`]) {
    const host = await startHost({ files: { 'app/server.js': HOLDS, 'slip.yml': settings }, config: 'slip.yml' });
    t.after(() => host.stop());
    assert.equal((await get(`${host.url}app/`)).text, 'at once');
    const held = talk(t, host, head('/app/hold'));
    const loadIs = (wanted: string): Promise<true> => until(`active and waiting are ${wanted}`, async () =>
      (String(await loadOf(host)) === wanted ? true : undefined));
    await loadIs('1,0');
    const waits = Promise.all([get(`${host.url}app/`), get(`${host.url}app/`)]);
    const answers = (await waits).sort((one, two) => (one.text < two.text ? -1 : 1));
    for (const { status, headers } of answers) assert.deepEqual([status, headers['retry-after']], [503, '1']);
    assert.match(answers[0]!.text, /queueTimeoutMs.*QUEUE_TIMED_OUT/);
    assert.match(answers[1]!.text, /QUEUE_FULL/);
    held.socket.destroy();
    await loadIs('0,0');
    assert.equal((await get(`${host.url}app/`)).text, 'at once');
  }
});

test('a body that comes slower than bodyRateMin is given up, one that comes faster is not', async (t) => {
  const host = await startHost({
    files: { 'app/server.js': SEES, 'slip.yml': 'limits: { bodyRateMin: 5 }\n' },
    config: 'slip.yml',
  });
  t.after(() => host.stop());
  const length = (bytes: number): string => head('/app/', `Content-Length: ${bytes}\r\n`).replace('GET', 'POST');
  const slow = talk(t, host, length(1000));
  const fast = talk(t, host, length(1000));
  const timer = setInterval(() => {
    if (slow.socket.writable) slow.socket.write('a');
    fast.socket.write('a'.repeat(20));
  }, 500);
  t.after(() => clearInterval(timer));
  assert.match(await slow.ended, /^HTTP\/1\.1 408 .*\r\nConnection: close\r\n.*REQUEST_TIMED_OUT/s);
  clearInterval(timer);
  fast.socket.write('a'.repeat(1000));
  const [answer] = (await once(fast.socket, 'data')) as [Buffer];
  assert.match(answer.toString('latin1'), /^HTTP\/1\.1 200 /);
});

test('one connection too many, in all or of one client, is 503, and a freed place is given again', async (t) => {
  for (const limit of ['connectionsMax', 'connectionsPerClientMax']) {
    const host = await startHost({
      files: { 'app/server.js': SEES, 'slip.yml': `limits: { ${limit}: 2 }\n` },
      config: 'slip.yml',
    });
    t.after(() => host.stop());
    const held = [talk(t, host), talk(t, host)];
    await Promise.all(held.map(({ socket }) => once(socket, 'connect')));
    const refused = await get(`${host.url}app/`);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.connection, 'close');
    assert.match(refused.text, new RegExp(`${limit}.*CONNECTIONS_EXHAUSTED`));
    held[0]!.socket.destroy();
    await until('a free place', async () => ((await get(`${host.url}app/`)).status === 200 ? true : undefined));
  }
});

/** Answers at `/app/` how many requests it holds; others never, and reads nothing of them. */
const NEVER = `let held = 0;
require('node:http').createServer({ requestTimeout: 1000, connectionsCheckingInterval: 100 }, (request, response) => {
  if (request.url === '/app/') return response.end(String(held));
  held += 1;
  response.on('close', () => (held -= 1));
}).listen(0);`;

test('a program that neither answers nor reads costs its own clients only, who may leave', async (t) => {
  const host = await startHost({ files: { 'app/server.js': NEVER, 'other/server.js': SEES } });
  t.after(() => host.stop());
  const holds = (count: number): Promise<true> => until(`${count} are held`, async () =>
    ((await get(`${host.url}app/`)).text === String(count) ? true : undefined));
  await holds(0);
  const waiting = Array.from({ length: 200 }, () => talk(t, host, head('/app/never')));
  await holds(200);
  assert.equal((await get(`${host.url}other/`)).text, '0 bytes');
  for (const { socket } of waiting) socket.destroy();
  await holds(0);

  const upload = talk(t, host, head('/app/never', 'Content-Length: 1000000000\r\n').replace('GET', 'POST'));
  const piece = Buffer.alloc(100_000);
  let taken = 0;
  const more = (): unknown => upload.socket.write(piece, (error) => {
    if (error) return;
    taken += piece.length;
    more();
  });
  more();
  // The program's own requestTimeout ends it, with node's answer where the client still reads.
  assert.match(await upload.ended, /^(HTTP\/1\.1 408 .*)?(reset)?$/s);
  // What was taken is in buffers of the kernel and one window of the link.
  assert.ok(taken < 50_000_000, `${taken} bytes were taken`);
  await holds(0);
});

test('a process that stands still is waited for, and its requests go on with it', async (t) => {
  const host = await startHost({ files: { 'app/server.js': SEES, 'other/server.js': SEES } });
  t.after(() => host.stop());
  assert.equal((await get(`${host.url}app/`)).text, '0 bytes');
  const { pid } = host.processes().find(({ role }) => role === 'app')!;
  process.kill(pid, 'SIGSTOP');
  const size = 20_000_000;
  const uploads = [1, 2, 3].map(() => get(`${host.url}app/`, { method: 'POST', body: 'a'.repeat(size) }));
  assert.equal((await get(`${host.url}other/`)).text, '0 bytes');
  process.kill(pid, 'SIGCONT');
  for (const { text } of await Promise.all(uploads)) assert.equal(text, `${size} bytes`);
});

/** So many as the machine gives one process, and no more than wanted. */
function connectionsPossible(wanted: number): number {
  const report = process.report.getReport() as unknown as { userLimits?: { open_files?: { hard: number | string } } };
  const hard = Number(report.userLimits?.open_files?.hard);
  return Number.isNaN(hard) ? wanted : Math.min(wanted, hard - 500);
}

test('a thousand uploads that break off at once hold nobody up', async (t) => {
  const host = await startHost({ files: { 'app/server.js': SEES } });
  t.after(() => host.stop());
  assert.equal((await get(`${host.url}app/`)).text, '0 bytes');
  const front = host.processes().find(({ role }) => role === 'front')?.pid;
  const upload = head('/app/', 'Content-Length: 10\r\n').replace('GET', 'POST');
  const talks = Array.from({ length: 1000 }, () => talk(t, host, `${upload}abc`));
  await until('the program has them all', async () => ((await loadOf(host))[0] === talks.length ? true : undefined));
  for (const { socket } of talks) socket.destroy();
  assert.equal((await get(`${host.url}app/`)).text, '0 bytes');
  await until('none is left', async () => ((await loadOf(host))[0] === 0 ? true : undefined));
  // One that is silent for 10 s is taken for hung, and replaced.
  assert.equal(host.processes().find(({ role }) => role === 'front')?.pid, front);
});

test('10 000 idle connections keep nobody from being served, and leave nothing', async (t) => {
  const host = await startHost({ files: { 'app/server.js': SEES } });
  t.after(() => host.stop());
  assert.equal((await get(`${host.url}app/`)).text, '0 bytes');
  const before = openFiles(host);
  const count = connectionsPossible(10_000);
  const idle: Socket[] = [];
  t.after(() => idle.forEach((socket) => socket.destroy()));
  while (idle.length < count) {
    const some = Array.from({ length: Math.min(200, count - idle.length) }, () => talk(t, host).socket);
    await Promise.all(some.map((socket) => once(socket, 'connect')));
    idle.push(...some);
  }
  await until('the front has them all', () => (openFiles(host).front >= before.front + count - 5 ? true : undefined));
  // Some have sent nothing, some had an answer, some are inside a head.
  for (const [index, socket] of idle.slice(0, 300).entries()) socket.write(index % 2 === 0 ? head('/app/') : 'GET /');
  await Promise.all(idle.slice(0, 300).flatMap((socket, index) => (index % 2 === 0 ? [once(socket, 'data')] : [])));
  assert.equal((await get(`${host.url}app/`)).text, '0 bytes');
  assert.ok(idle.every((socket) => !socket.destroyed && socket.readableEnded === false));
  for (const socket of idle) socket.destroy();
  await until('the front has let them go', () => (openFiles(host).front <= before.front + 5 ? true : undefined));
});
