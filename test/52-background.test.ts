// Programs that find no host start one, in the background, and share it. It ends when they are gone.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killProcess, processesMarked } from '../scripts/process-list.ts';
import { runCli } from './host-fixture.ts';
import { get, until } from './http-client.ts';
import { eventually, run, SAYS_PID } from './join-program.ts';

interface Scene {
  home: string;
  env: Record<string, string>;
  /** Hosts that run in the background. */
  hosts(): number[];
  /** Command lines of all that the programs started and lives. */
  processes(): string[];
}

function scene(t: TestContext, joinedIdleTimeoutMs = 300): Scene {
  const home = mkdtempSync(join(tmpdir(), 'slipstream-background-'));
  const background = join(home, 'background');
  mkdirSync(background, { mode: 0o700 });
  writeFileSync(join(background, 'slipstream.yml'), `joinedIdleTimeoutMs: ${joinedIdleTimeoutMs}\n`);
  const id = randomUUID();
  const mark = `SLIPSTREAM_TEST_HOST=${id}`;
  t.after(async () => {
    for (const { pid } of processesMarked(mark)) killProcess(pid);
    await until('the end of all', () => (processesMarked(mark).length === 0 ? true : undefined));
    rmSync(home, { recursive: true, force: true });
  });
  return {
    home,
    env: { SLIPSTREAM_TEST_HOST: id },
    hosts() {
      const names = existsSync(background) ? readdirSync(background) : [];
      return names.flatMap((name) => /^run-(\d+)$/.exec(name)?.[1] ?? []).map(Number);
    },
    processes: () => processesMarked(mark).map(({ command }) => command),
  };
}

/** As that, of an https server. */
const SECURE = SAYS_PID.replace("require('http').createServer(", "require('https').createServer({}, ");

/** A port that is free, as good as a test can tell. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

test('two programs that start at once make one host, which ends behind them and leaves nothing', async (t) => {
  const { home, env, hosts, processes } = scene(t);
  const port = await freePort();
  const prefix = `http://*:${port}/shared/`;
  const programs = [0, 1, 2].map(() => run(t, { home }, SAYS_PID, [prefix], { env }));
  await Promise.all(programs.map((program) => program.line(/listens on/)));
  assert.equal(hosts().length, 1);
  const seen = new Set<string>();
  await eventually(async () => seen.add((await get(`http://127.0.0.1:${port}/shared/`)).text).size === 3);
  assert.match((await runCli(['status'], home)).stdout, /slipstream .* pid \d+/);
  for (const program of programs) await program.end();
  await until('the end of the host', () => (processes().length === 0 ? true : undefined));
  assert.deepEqual(hosts(), []);
  assert.deepEqual(readdirSync(join(home, 'background')).sort(), ['host.log', 'root', 'slipstream.yml']);
  assert.match(readFileSync(join(home, 'background', 'host.log'), 'utf8'), /slipstream ready/);
});

test('a background host that is killed is replaced while its programs run', async (t) => {
  const { home, env, hosts } = scene(t, 60_000);
  const port = await freePort();
  const program = run(t, { home }, SAYS_PID, [`http://*:${port}/a/`], { env });
  await program.line(/listens on/);
  const [first] = hosts();
  process.kill(first!, 'SIGKILL');
  await eventually(async () => {
    try {
      return hosts().some((pid) => pid !== first) && (await get(`http://127.0.0.1:${port}/a/b`)).text.endsWith('/a/b');
    } catch {
      // Nobody accepts at the moment.
      return false;
    }
  });
});

test('a program on a port starts a host, too, which is replaced when it is killed', async (t) => {
  const { home, env, hosts } = scene(t, 60_000);
  const program = run(t, { home }, SAYS_PID, ['0', '127.0.0.1'], { env });
  const [, , port] = await program.line(/listens on (\S+) (\d+)/);
  const [first] = hosts();
  assert.equal((await get(`http://127.0.0.1:${port}/x`)).text, `${program.child.pid} /x`);
  process.kill(first!, 'SIGKILL');
  await eventually(async () => hosts().some((pid) => pid !== first)
    && (await get(`http://127.0.0.1:${port}/y`).catch(() => ({ text: '' }))).text.endsWith('/y'));
});

test('SLIPSTREAM_JOIN says whether a host is started for a prefix only, for https too, or never', async (t) => {
  const { home, env, hosts } = scene(t, 60_000);
  for (const [word, source] of [['prefix', SAYS_PID], ['found', SAYS_PID], ['', SECURE]] as const) {
    const alone = run(t, { home }, source, ['0'], { env: { ...env, SLIPSTREAM_JOIN: word } });
    const [, , port] = await alone.line(/listens on (\S+) (\d+)/);
    if (source === SAYS_PID) assert.equal((await get(`http://127.0.0.1:${port}/`)).text, `${alone.child.pid} /`);
    assert.deepEqual(hosts(), [], word);
  }
  const found = run(t, { home }, SAYS_PID, ['http://*:8080/foo/'], { env: { ...env, SLIPSTREAM_JOIN: 'found' } });
  await found.line(/failed HOST_NOT_RUNNING/);
  assert.deepEqual(hosts(), []);
  const start = run(t, { home }, SECURE, ['0'], { env: { ...env, SLIPSTREAM_JOIN: 'start' } });
  await start.line(/failed TLS_CERTIFICATE_MISSING/);
  assert.equal(hosts().length, 1);
});

test('a host that cannot start says why in the error of the program', async (t) => {
  const { home, env } = scene(t);
  writeFileSync(join(home, 'background', 'slipstream.yml'), 'joinedIdleTimeoutMs: never\n');
  const program = run(t, { home }, SAYS_PID, ['http://*:8080/foo/'], { env });
  const [text] = await program.line(/failed HOST_NOT_RUNNING .*/);
  assert.match(text, /slipstream\.yml:1: .*joinedIdleTimeoutMs/);
});
