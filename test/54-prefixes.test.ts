// URL prefixes as the front serves them, row by row: who gets which request, and what is answered where nobody
// does; what each form of listen means; how requests wait.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { get, until } from './http-client.ts';
import { runCli } from './host-fixture.ts';
import { eventually, hostFor, run, SAYS_PID, type Program } from './join-program.ts';

/** Listens on each of its words and answers with the word and the raw URL. */
const SAYS_PREFIX = `
const http = require('http');
const words = process.argv.slice(2);
let left = words.length;
for (const word of words) {
  const server = http.createServer((request, response) => response.end(word + ' ' + request.url));
  server.on('error', (error) => { console.log('failed ' + error.code + ' ' + error.message); process.exit(1); });
  server.listen(word, () => { if (--left === 0) console.log('all listen'); });
}
`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** The answer to one raw request: status and body. */
async function raw(port: number, target: string, host: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  socket.end(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  let text = '';
  for await (const piece of socket) text += piece as string;
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? '';
  return status === '200' ? text.slice(text.indexOf('\r\n\r\n') + 4).trim() : status;
}

async function prefixes(t: TestContext, port: number, words: string[]): Promise<Program> {
  const host = await hostFor(t);
  const program = run(t, host, SAYS_PREFIX, words.map((word) => word.replace('PORT', String(port))));
  await program.line(/all listen/);
  return program;
}

/** Checks rows of target, Host and the word (or the status) that answers. */
async function check(port: number, rows: [target: string, host: string, expected: string][]): Promise<void> {
  for (const [target, host, expected] of rows) {
    const full = /^\d+$/.test(expected) ? expected : `${expected.replace('PORT', String(port))} ${target}`;
    assert.equal(await raw(port, target, host), full, `${target} at ${host}`);
  }
}

test('categories come in their order, and the longest prefix wins in one category only', async (t) => {
  const port = await freePort();
  await prefixes(t, port, [
    'http://+:PORT/strong/', 'http://name.test:PORT/strong/deeper/', 'http://name.test:PORT/named/',
    'http://127.0.0.1:PORT/named/deeper/', 'http://127.0.0.1:PORT/bound/', 'http://*:PORT/bound/deeper/',
    'http://*:PORT/',
  ]);
  await check(port, [
    ['/strong/deeper/x', 'name.test', 'http://+:PORT/strong/'],
    ['/named/deeper/x', 'name.test', 'http://name.test:PORT/named/'],
    ['/named/deeper/x', 'NAME.Test:80', 'http://name.test:PORT/named/'],
    ['/named/deeper/x', 'other.test', 'http://127.0.0.1:PORT/named/deeper/'],
    ['/bound/deeper/x', 'other.test', 'http://127.0.0.1:PORT/bound/'],
    ['/else', 'other.test', 'http://*:PORT/'],
  ]);
});

test('of prefixes of one category the longest in whole segments wins, on the decoded path without dots', async (t) => {
  const port = await freePort();
  const paths = ['/', '/11/', '/2/3/', '/2/', '/a/b/'];
  await prefixes(t, port, paths.map((path) => `http://*:PORT${path}`));
  await check(port, [
    ['/2/3/x', 'h', 'http://*:PORT/2/3/'],
    ['/2/3', 'h', 'http://*:PORT/2/3/'],
    ['/2/30', 'h', 'http://*:PORT/2/'],
    ['/2?q=/3/', 'h', 'http://*:PORT/2/'],
    ['/11/random', 'h', 'http://*:PORT/11/'],
    ['/111', 'h', 'http://*:PORT/'],
    ['/a/d/../b/c', 'h', 'http://*:PORT/a/b/'],
    ['/a/./b/c', 'h', 'http://*:PORT/a/b/'],
    ['/%61/%62/c', 'h', 'http://*:PORT/a/b/'],
    ['/a%2Fb/c', 'h', 'http://*:PORT/'],
    ['/a//b/c', 'h', 'http://*:PORT/'],
    ['/A/b/c', 'h', 'http://*:PORT/'],
    ['http://h/2/3/x', 'h', 'http://*:PORT/2/3/'],
  ]);
});

test('ignorePathCase makes two spellings one prefix', async (t) => {
  const host = await hostFor(t, { 'slipstream.yml': 'ignorePathCase: true\n', 'hello/server.js': SAYS_PID });
  const words = [`http://*:${host.port}/Foo/`, `http://*:${host.port}/foo/`];
  const programs = words.map((word) => run(t, host, SAYS_PID, [word]));
  await Promise.all(programs.map((program) => program.line(/listens on/)));
  const seen = new Set<string>();
  const both = programs.map(({ child }) => `${child.pid} /FOO/x`).sort();
  await eventually(async () => seen.add((await get(`${host.url}FOO/x`)).text).size === 2);
  assert.deepEqual([...seen].sort(), both);
  assert.match((await get(`${host.url}HELLO/`)).text, /^\d+ \/HELLO\/$/);
});

test('no prefix is 404 where the host is served, 400 where it is not, 503 where a process was', async (t) => {
  const port = await freePort();
  const host = await hostFor(t);
  const place = (word: string): string => word.replace('PORT', String(port));
  const stays = run(t, host, SAYS_PREFIX, [place('http://name.test:PORT/here/')]);
  const goes = run(t, host, SAYS_PREFIX, [place('http://name.test:PORT/gone/')]);
  await Promise.all([stays.line(/all listen/), goes.line(/all listen/)]);
  assert.equal(await raw(port, '/nowhere', 'name.test'), '404');
  assert.equal(await raw(port, '/here/', 'other.test'), '400');
  assert.equal(await raw(port, '/gone/', 'name.test'), place('http://name.test:PORT/gone/ /gone/'));
  await goes.end();
  await eventually(async () => (await raw(port, '/gone/x', 'name.test')) === '503');
  const gone = await get(`http://127.0.0.1:${port}/gone/`, { headers: { Host: 'name.test' } });
  assert.equal(gone.headers['retry-after'], '1');
});

test('a prefix of an app, and one that is no prefix, are errors that say why', async (t) => {
  const host = await hostFor(t, { 'hello/server.js': SAYS_PID });
  const cases: [string, RegExp][] = [
    [`http://*:${host.port}/hello/`, /failed PREFIX_TAKEN the prefix http:.*\/hello\/ is held by hello/],
    ['http://*/no-port/', /failed PREFIX_INVALID .*has no port/],
    ['http://*:080/', /failed PREFIX_INVALID .*leading zeros/],
    ['http://*:80/a?b', /failed PREFIX_INVALID/],
  ];
  for (const [word, pattern] of cases) await run(t, host, SAYS_PREFIX, [word]).line(pattern);
});

test('each form of listen on a TCP port joins, and says its address as node does', async (t) => {
  const host = await hostFor(t);
  const ports = await Promise.all(Array.from({ length: 5 }, freePort));
  const [one, two, three, four, five] = ports.map(String) as [string, string, string, string, string];
  const forms: [string[], string, string?][] = [
    [[one], '::', one],
    [[`"${two}"`], '::', two],
    [[three, '127.0.0.1'], '127.0.0.1', three],
    [[four, '127.0.0.1', '511'], '127.0.0.1', four],
    [[`{"port":${five},"host":"127.0.0.1","backlog":7}`], '127.0.0.1', five],
    [['0'], '::'],
    [['{"port":0}'], '::'],
    [[], '::'],
  ];
  for (const [words, address, port] of forms) {
    const program = run(t, host, SAYS_PID, words);
    const [, shown, number] = await program.line(/listens on (\S+) (\d+)/);
    assert.deepEqual([shown, number], [address, port ?? number], words.join());
    assert.equal((await get(`http://127.0.0.1:${number}/x`)).text, `${program.child.pid} /x`);
    const { joined = [] } = JSON.parse((await runCli(['status', '--json'], host.home)).stdout) as {
      joined?: { pid: number; prefix: string; requests: number }[];
    };
    const row = joined.find(({ pid }) => pid === program.child.pid);
    assert.match(row?.prefix ?? '', new RegExp(`:${number}/$`));
    assert.equal(row?.requests, 1);
  }
  // The host listens in both families: who wants one alone listens by itself.
  const ownWords = ['{"port":0,"host":"::","ipv6Only":true}'];
  const [, , alone] = await run(t, host, SAYS_PID, ownWords).line(/listens on (\S+) (\d+)/);
  await assert.rejects(get(`http://127.0.0.1:${alone}/`), { code: 'ECONNREFUSED' });
  assert.match((await runCli(['status'], host.home)).stdout, /JOINED +PID +PROGRAM/);
  assert.match((await get(host.url)).text, /Joined programs/);
});

const SEVERAL = `
const http = require('http');
const answer = (name) => http.createServer((request, response) => response.end(name));
const path = process.argv[2];
if (path === 'fd') {
  const four = answer('four').listen({ fd: 3 }, () => {
    console.log('fd served by ' + four._handle.constructor.name);
    process.exit();
  });
  return;
}
// A descriptor of a bound socket, as systemd hands one over.
const bound = require('net').createServer().listen(0, '127.0.0.1', () => {
  const stdio = ['ignore', 'inherit', 'inherit', bound._handle];
  require('child_process').spawn(process.execPath, [...process.execArgv, __filename, 'fd'], { stdio });
});
const abort = new AbortController();
const [one, two, three] = [answer('one'), answer('two'), answer('three')];
one.listen(0, '127.0.0.1', () => {
  two.listen({ port: 0, host: '127.0.0.1', signal: abort.signal }, () => three.listen(path, () => {
    console.log('ports ' + one.address().port + ' ' + two.address().port + ' ' + three.address());
  }));
});
two.on('close', () => console.log('two closed'));
process.on('SIGTERM', () => abort.abort());
`;

test('a second server has a port of its own, a signal closes it, paths and fds stay node\'s', async (t) => {
  const host = await hostFor(t);
  const path = `${host.root}/own.sock`;
  const program = run(t, host, SEVERAL, [path]);
  const [, one, two, three] = await program.line(/ports (\d+) (\d+) (\S+)/);
  assert.equal((await get(`http://127.0.0.1:${one}/`)).text, 'one');
  assert.equal((await get(`http://127.0.0.1:${two}/`)).text, 'two');
  assert.equal(three, path);
  await program.line(/fd served by TCP/);
  program.child.kill('SIGTERM');
  await program.line(/two closed/);
  assert.equal((await get(`http://127.0.0.1:${one}/`)).text, 'one');
  await program.end();
});

const HOLDS = `
const held = [];
const server = require('http').createServer((request, response) => {
  if (request.url.endsWith('/pid')) return response.end(String(process.pid));
  held.push(response);
  console.log('holds ' + process.pid);
});
server.listen(process.argv[2], () => console.log('listens'));
process.on('SIGTERM', () => { for (const other of held.splice(0)) other.end('late'); });
`;

test('a process gets as many requests as it reads at once, the queue holds its length, the next is 503', async (t) => {
  const host = await hostFor(t);
  const ignored = { HTTPSYS_PENDING_READ_COUNT: '9' };
  const env = { ...ignored, SLIPSTREAM_PENDING_READ_COUNT: '2', HTTPSYS_REQUEST_QUEUE_LENGTH: '3' };
  const program = run(t, host, HOLDS, [`http://*:${host.port}/q/`], { env });
  await program.line(/listens/);
  const asked = [1, 2, 3, 4, 5].map((number) => get(`${host.url}q/${number}`));
  await until('two taken, three waiting', async () => {
    const { joined = [] } = JSON.parse((await runCli(['status', '--json'], host.home)).stdout) as {
      joined?: { active: number; waiting: number }[];
    };
    return joined[0]?.active === 2 && joined[0].waiting === 3 ? true : undefined;
  });
  const full = await get(`${host.url}q/6`);
  assert.equal(full.status, 503);
  assert.equal(full.headers['retry-after'], '1');
  assert.match(full.text, /QUEUE_FULL/);
  let answered = 0;
  for (const one of asked) void one.then(() => (answered += 1));
  await eventually(async () => {
    program.child.kill('SIGTERM');
    return answered === 5;
  });
  for (const { text } of await Promise.all(asked)) assert.equal(text, 'late');
});

const PIECES = `
const server = require('http').createServer((request, response) => {
  const sizes = [];
  request.on('data', (piece) => sizes.push(piece.length));
  request.on('end', () => response.end(JSON.stringify([Math.max(...sizes), sizes.reduce((a, b) => a + b, 0)])));
});
server.listen(process.argv[2], () => console.log('listens'));
`;

test('…_BUFFER_SIZE bounds the pieces of a request body', async (t) => {
  const host = await hostFor(t);
  for (const name of ['SLIPSTREAM', 'HTTPSYS']) {
    const prefix = `http://*:${host.port}/${name}/`;
    const program = run(t, host, PIECES, [prefix], { env: { [`${name}_BUFFER_SIZE`]: '1000' } });
    await program.line(/listens/);
    const got = await get(`${host.url}${name}/`, { method: 'POST', body: 'x'.repeat(123_456) });
    assert.equal(got.text, '[1000,123456]');
  }
});

test('of the processes of one prefix the one with least to do gets the next request', async (t) => {
  const host = await hostFor(t);
  const programs = [1, 2].map(() => run(t, host, HOLDS, [`http://*:${host.port}/least/`]));
  for (const program of programs) await program.line(/listens/);
  const held = get(`${host.url}least/hold`);
  const busy = await Promise.race(programs.map(async (program) => (await program.line(/holds (\d+)/))[1]));
  const pids = new Set<string>();
  for (let count = 0; count < 6; count += 1) pids.add((await get(`${host.url}least/pid`)).text);
  const free = programs.map(({ child }) => String(child.pid)).filter((pid) => pid !== busy);
  assert.deepEqual([...pids], free);
  for (const { child } of programs) child.kill('SIGTERM');
  assert.equal((await held).text, 'late');
  // With the same to do they take turns.
  const both = new Set<string>();
  for (let count = 0; count < 4; count += 1) both.add((await get(`${host.url}least/pid`)).text);
  assert.equal(both.size, 2);
});
