// Processes that somebody else starts join a running host: real programs, real fronts, real workers.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

const PRELOAD_PLACE = import.meta.url.endsWith('.ts') ? '../dist/register.cjs' : '../register.cjs';
const PRELOAD = fileURLToPath(new URL(PRELOAD_PLACE, import.meta.url));

/** A host that stops behind the programs of the test. */
async function hostFor(t: TestContext, files: Record<string, string> = {}): Promise<RunningHost> {
  const host = await startHost({ files });
  t.after(async () => {
    for (const end of running.splice(0)) await end();
    await host.stop();
  });
  return host;
}

/** Asks until the answer is yes. */
function eventually(probe: () => Promise<boolean>): Promise<true> {
  return until(String(probe), async () => ((await probe()) ? true : undefined));
}

/** Ends what a test runs. */
const running: (() => Promise<void>)[] = [];

interface Program {
  child: ChildProcess;
  /** The first line that matches, now or later. */
  line(pattern: RegExp): Promise<RegExpMatchArray>;
  end(): Promise<void>;
}

/** Runs a program as its user would, with the preload. */
function run(t: TestContext, host: RunningHost | { home: string }, source: string, args: string[] = []): Program {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-join-'));
  const file = join(folder, 'program.cjs');
  writeFileSync(file, source);
  const child = spawn(process.execPath, ['--require', PRELOAD, file, ...args], {
    env: { ...process.env, SLIPSTREAM_HOME: host.home, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      for (const look of waiting) look();
    });
  }
  const exited = once(child, 'exit');
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  running.push(end);
  t.after(end);
  return {
    child,
    end,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(text);
          if (match === null) return;
          waiting.delete(look);
          resolve(match);
        };
        waiting.add(look);
        void exited.then(() => {
          look();
          reject(new Error(`ended before it printed ${pattern}: ${text}`));
        });
        look();
      }),
  };
}

const SAYS_PID = `
const server = require('http').createServer((request, response) => response.end(process.pid + ' ' + request.url));
const words = process.argv.slice(2).map((word) => /^\\d+$/.test(word) ? Number(word) : word);
server.on('error', (error) => console.log('failed ' + error.code + ' ' + error.message));
server.listen(...words, () => console.log('listens on ' + server.address().address + ' ' + server.address().port));
if (server.address()) console.log('at once ' + server.address().port);
process.on('SIGTERM', () => server.close(() => console.log('closed')));
`;

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

test('where no host runs, node listens itself, and a URL prefix is an error', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'slipstream-join-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const alone = run(t, { home }, SAYS_PID, ['0']);
  const [, , port] = await alone.line(/listens on (\S+) (\d+)/);
  assert.equal((await get(`http://127.0.0.1:${port}/`)).text, `${alone.child.pid} /`);
  const prefix = run(t, { home }, SAYS_PID, ['http://*:8080/foo/']);
  await prefix.line(/failed HOST_NOT_RUNNING/);
});
