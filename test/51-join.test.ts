// Processes that somebody else starts join a running host: real programs, real fronts, real workers.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { get, until } from './http-client.ts';
import { eventually, hostFor, run, SAYS_PID } from './join-program.ts';

async function refused(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  return String(error.code);
}

test('a process that listens on port 0 joins, knows its port at once and gives it up when it closes', async (t) => {
  const host = await hostFor(t);
  const program = run(t, host, SAYS_PID, ['0']);
  const [, address, port] = await program.line(/listens on (\S+) (\d+)/);
  assert.equal(address, '::');
  assert.equal((await program.line(/at once (\d+)/))[1], port);
  const url = `http://127.0.0.1:${port}`;
  assert.equal((await get(`${url}/a?b`)).text, `${program.child.pid} /a?b`);
  assert.equal((await get(url, { headers: { Host: 'any.test' } })).status, 200);
  program.child.kill('SIGTERM');
  await program.line(/closed/);
  assert.equal(await refused(Number(port)), 'ECONNREFUSED');
});

test('a port that is held is EADDRINUSE, and the message names the holder', async (t) => {
  const host = await hostFor(t);
  const first = run(t, host, SAYS_PID, ['0', '127.0.0.1']);
  const [, , port] = await first.line(/listens on (127\.0\.0\.1) (\d+)/);
  const second = run(t, host, SAYS_PID, [port!, '127.0.0.1']);
  const [text] = await second.line(/failed EADDRINUSE .*/);
  assert.match(text, new RegExp(`held by process ${first.child.pid} `));
  const third = run(t, host, SAYS_PID, [String(host.port), '127.0.0.1']);
  assert.match((await third.line(/failed EADDRINUSE .*/))[0], /held by the host/);
});

test('a prefix that is held by a port is PREFIX_TAKEN, and the message names it and the holder', async (t) => {
  const host = await hostFor(t);
  const first = run(t, host, SAYS_PID, ['0']);
  const [, port] = await first.line(/listens on \S+ (\d+)/);
  const second = run(t, host, SAYS_PID, [`http://*:${port}/`]);
  const [text] = await second.line(/failed PREFIX_TAKEN .*/);
  assert.match(text, new RegExp(`the prefix http://\\*:${port}/ is held by process ${first.child.pid} `));
});

test('two processes with one URL prefix share it, and the death of one is not seen', async (t) => {
  const host = await hostFor(t, { 'hello/server.js': SAYS_PID });
  const prefix = `http://*:${host.port}/shared/`;
  const programs = [run(t, host, SAYS_PID, [prefix]), run(t, host, SAYS_PID, [prefix])];
  await Promise.all(programs.map((program) => program.line(/listens on/)));
  const url = `${host.url}shared/x`;
  const ask = async (): Promise<string> => (await get(url)).text;
  await eventually(async () => new Set([await ask(), await ask(), await ask(), await ask()]).size === 2);
  await programs[0]!.end();
  const left = `${programs[1]!.child.pid} /shared/x`;
  await eventually(async () => (await ask()) === left && (await ask()) === left);
  await programs[1]!.end();
  const gone = await until('503', async () => {
    const got = await get(url);
    return got.status === 503 ? got : undefined;
  });
  assert.equal(gone.headers['retry-after'], '1');
  assert.equal((await get(`${host.url}elsewhere`)).status, 404);
});

test('a port and a prefix of joined processes are served by every front, also by a replaced one', async (t) => {
  const host = await hostFor(t, { 'slipstream.yml': 'frontProcesses: 3\n' });
  const prefix = `http://*:${host.port}/shared/`;
  const programs = [run(t, host, SAYS_PID, [prefix]), run(t, host, SAYS_PID, ['0'])];
  const places = await Promise.all(programs.map((program) => program.line(/listens on (\S+) (\d+)/)));
  const urls = [`${host.url}shared/`, `http://127.0.0.1:${places[1]![2]}/`];
  const served = async (): Promise<boolean> => {
    const all = urls.flatMap((url) => Array.from({ length: 20 }, () => get(url)));
    return (await Promise.all(all)).every(({ status }) => status === 200);
  };
  assert.equal(await served(), true);
  const fronts = host.processes().filter(({ role }) => role === 'front');
  assert.equal(fronts.length, 3);
  for (const { pid } of fronts) process.kill(pid, 'SIGKILL');
  await eventually(async () => host.processes().filter(({ role }) => role === 'front').length === 3);
  await eventually(() => served().catch(() => false));
  programs[1]!.child.kill('SIGTERM');
  await programs[1]!.line(/closed/);
  assert.equal(await refused(Number(places[1]![2])), 'ECONNREFUSED');
});

test('a killed front is survived with the same port', async (t) => {
  const host = await hostFor(t);
  const program = run(t, host, SAYS_PID, ['0']);
  const [, , port] = await program.line(/listens on (\S+) (\d+)/);
  const url = `http://127.0.0.1:${port}/`;
  const answers = async (): Promise<boolean> => {
    try {
      return (await get(url)).status === 200;
    } catch {
      // Nobody accepts at the moment.
      return false;
    }
  };
  const front = host.processes().find(({ role }) => role === 'front')!;
  process.kill(front.pid, 'SIGKILL');
  await eventually(answers);
  assert.equal(program.child.exitCode, null);
});

const CLUSTER = `
const cluster = require('cluster');
const http = require('http');
if (cluster.isPrimary) {
  cluster.on('listening', (worker, address) => console.log('worker ' + worker.process.pid + ' on ' + address.port));
  cluster.fork();
  cluster.fork();
} else {
  http.createServer((request, response) => response.end(String(process.pid))).listen(Number(process.env.PORT || 0));
}
`;

test('workers of a cluster join on one port and share the load', async (t) => {
  const host = await hostFor(t);
  const program = run(t, host, CLUSTER);
  const [, one, port] = await program.line(/worker (\d+) on (\d+)/);
  await program.line(new RegExp(`worker (?!${one})\\d+ on ${port}`));
  const seen = new Set<string>();
  await eventually(async () => seen.add((await get(`http://127.0.0.1:${port}/`)).text).size === 2);
  const [first, second] = [...seen];
  process.kill(Number(first), 'SIGKILL');
  await eventually(async () => (await get(`http://127.0.0.1:${port}/`)).text === second);
});

test('workers of a hosted app serve it, and one that is killed is not missed', async (t) => {
  const host = await hostFor(t, { 'many/server.js': CLUSTER });
  const seen = new Set<string>();
  await eventually(async () => seen.add((await get(`${host.url}many/`)).text).size === 2);
  process.kill(Number([...seen][0]), 'SIGKILL');
  await eventually(async () => (await get(`${host.url}many/`)).text === [...seen][1]);
});
