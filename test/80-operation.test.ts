// Running a host: the command line against it, logs, pools, recycling by use, pauses, settings that change.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCli, startCli, startHost, type HostOptions, type RunningHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';

const PID_APP = `
const http = require('http');
console.log('started', process.pid);
http.createServer((req, res) => {
  if (req.url.endsWith('/print')) { console.log('line of ' + process.pid); console.error('trouble'); }
  if (req.url.endsWith('/grow')) globalThis.kept = Buffer.alloc(120e6, 1);
  if (req.url.endsWith('/slow')) setTimeout(() => res.end(String(process.pid)), 400);
  else res.end(String(process.pid));
}).listen(process.env.PORT);
`;

async function hostFor(t: TestContext, options: HostOptions): Promise<RunningHost> {
  const host = await startHost(options);
  t.after(() => host.stop());
  return host;
}

async function textOf(url: string): Promise<string> {
  const got = await get(url);
  assert.equal(got.status, 200, got.text);
  return got.text;
}

/** Runs a verb against the host; `--json` gives its result. */
async function ask<Result>(host: RunningHost, ...words: string[]): Promise<Result> {
  const { code, stdout, stderr } = await runCli([...words, '--json'], host.home);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Result;
}

interface Status {
  pid: number;
  configProblem?: string;
  apps: {
    name: string;
    state: string;
    pids: number[];
    failure?: string;
    problem?: string;
    processes: { pid: number; state: string; requests: number; memoryBytes: number }[];
  }[];
}

test('the control socket is the owner\'s only and goes with the host', async (t) => {
  const host = await hostFor(t, { files: { 'shop/server.js': PID_APP } });
  const socket = join(host.runFolder, 'control.sock');
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  assert.equal(statSync(host.runFolder).mode & 0o777, 0o700);
  await host.stop();
  assert.throws(() => statSync(socket), { code: 'ENOENT' });
});

test('status shows apps, processes, requests and memory', async (t) => {
  const host = await hostFor(t, { files: { 'shop/server.js': PID_APP, 'bad/server.js': 'throw new Error("x")' } });
  for (let count = 0; count < 3; count++) await textOf(`${host.url}shop/`);
  assert.equal((await get(`${host.url}bad/`)).status, 500);
  const status = await ask<Status>(host, 'status');
  assert.equal(status.pid, host.pid);
  const [bad, shop] = status.apps;
  assert.equal(bad?.state, 'failed');
  assert.match(bad?.failure ?? '', /error before it listened/);
  assert.equal(shop?.state, 'ready');
  assert.equal(shop?.processes[0]?.requests, 3);
  assert.ok((shop?.processes[0]?.memoryBytes ?? 0) > 10_000_000);
  const text = (await runCli(['status'], host.home)).stdout;
  assert.match(text, /^shop +\/shop\/ +ready +\d+ +3 +0\+0/m);
  assert.match(text, /^! app "bad"/m);
});

test('verbs say what is wrong: no host, no such app, no such option', async (t) => {
  const alone = await runCli(['status']);
  assert.equal(alone.code, 1);
  assert.match(alone.stderr, /no host runs for .*\[HOST_NOT_RUNNING\]/);
  const host = await hostFor(t, { files: { 'shop/server.js': PID_APP } });
  const unknown = await runCli(['stop', 'shp'], host.home);
  assert.match(unknown.stderr, /there is no app "shp"; did you mean "shop"\? \[APP_UNKNOWN\]/);
  const reload = await runCli(['reload'], host.home);
  assert.equal(reload.code, 2);
  assert.match(reload.stderr, /reload <app>, or --all/);
  assert.match((await runCli(['status', 'shop'], host.home)).stdout, /^shop +\/shop\/ +idle/m);
  const absent = await runCli(['status', 'nope'], host.home);
  assert.match(absent.stderr, /there is no app "nope"; see slipstream status \[APP_UNKNOWN\]/);
  assert.match((await runCli(['check', join(host.root, 'no')], host.home)).stderr, /is not a folder \[ROOT_MISSING\]/);
  assert.equal((await runCli(['status', '--nope'], host.home)).code, 2);
  assert.match((await runCli(['status', '--jsn'], host.home)).stderr, /'--jsn'; did you mean "--json"\? See/);
  assert.match((await runCli(['statsu'], host.home)).stderr, /did you mean "status"/);
  const file = await runCli(['serve', join(host.root, 'shop/server.js')], host.home);
  assert.match(file.stderr, /server\.js is not a folder \[ROOT_MISSING\]/);
  assert.match((await runCli(['help', 'constructor'])).stdout, /^Usage: slipstream <verb>/m);
  const help = await runCli(['logs', '--help']);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /--follow/);
});

test('a verb whose reader leaves ends without a word', async (t) => {
  const files: Record<string, string> = {};
  for (let count = 0; count < 40; count++) files[`app${count}/server.js`] = '';
  const host = await hostFor(t, { files });
  const cli = startCli(['status', '--json'], host.home);
  cli.stdout?.destroy();
  let complaints = '';
  cli.stderr?.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const [code] = (await once(cli, 'close')) as [number | null];
  assert.deepEqual([code, complaints], [0, '']);
});

test('stop answers 503 until start, and lets requests under way finish', async (t) => {
  const host = await hostFor(t, { files: { 'shop/server.js': PID_APP } });
  const pid = Number(await textOf(`${host.url}shop/`));
  const slow = textOf(`${host.url}shop/slow`);
  await until('the request to be under way', async () => {
    const [shop] = (await ask<{ apps: { processes: { active: number }[] }[] }>(host, 'status')).apps;
    return shop?.processes[0]?.active === 1 ? true : undefined;
  });
  const stopped = await ask<{ state: string }>(host, 'stop', 'shop');
  assert.equal(await slow, String(pid));
  assert.equal(stopped.state, 'stopped');
  assert.equal(isAlive(pid), false);
  const refused = await get(`${host.url}shop/`, { headers: { accept: 'application/json' } });
  assert.equal(refused.status, 503);
  assert.match(refused.text, /APP_PAUSED/);
  const started = await ask<{ state: string; pids: number[] }>(host, 'start', 'shop');
  assert.equal(started.state, 'ready');
  assert.equal(await textOf(`${host.url}shop/`), String(started.pids[0]));
});

test('reload replaces processes without losing a request, and keeps the old ones when it fails', async (t) => {
  const host = await hostFor(t, {
    files: {
      'shop/server.js': PID_APP,
      'other/server.js': PID_APP,
      'slipstream.yml': 'defaults: {recycleOnChange: false}\n',
    },
  });
  const old = await textOf(`${host.url}shop/`);
  const state = { isOver: false };
  const seen = new Set<string>();
  const traffic = (async () => {
    while (!state.isOver) seen.add(await textOf(`${host.url}shop/`));
  })();
  const result = await ask<{ apps: unknown[] }>(host, 'reload', '--all');
  assert.deepEqual(result.apps, [
    { name: 'other', outcome: 'not-running' },
    { name: 'shop', outcome: 'reloaded' },
  ]);
  await until('the new process', () => (seen.size > 1 ? true : undefined));
  state.isOver = true;
  await traffic;
  const fresh = await textOf(`${host.url}shop/`);
  assert.notEqual(fresh, old);
  writeFileSync(join(host.root, 'shop', 'server.js'), 'throw new Error("broken")');
  const failed = await runCli(['reload', 'shop'], host.home);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /RELOAD_FAILED/);
  assert.equal(await textOf(`${host.url}shop/`), fresh);
});

test('logs prints what an app printed, and follows it', async (t) => {
  const host = await hostFor(t, { files: { 'shop/server.js': PID_APP } });
  const pid = await textOf(`${host.url}shop/print`);
  const printed = await until('both lines', async () => {
    const result = await runCli(['logs', 'shop', '-n', '10'], host.home);
    return result.stderr.includes('trouble') ? result : undefined;
  });
  assert.equal(printed.stdout, `started ${pid}\nline of ${pid}\n`);
  const folder = join(host.home, 'logs', 'shop');
  const files = await until('both files', () => {
    const names = readdirSync(folder).sort();
    return names.length === 2 ? names : undefined;
  });
  assert.match(files[0]!, new RegExp(`-${pid}-std(?:out|err)-\\d+\\.txt$`));
  const out = files.find((name) => name.includes('stdout'))!;
  assert.equal(readFileSync(join(folder, out), 'utf8'), `started ${pid}\nline of ${pid}\n`);
  assert.equal(statSync(join(folder, out)).mode & 0o777, 0o600);
});

test('logs --follow goes on with new lines until it is ended', async (t) => {
  const host = await hostFor(t, { files: { 'shop/server.js': PID_APP } });
  const pid = await textOf(`${host.url}shop/`);
  const follower = startCli(['logs', 'shop', '-f', '--json'], host.home);
  t.after(() => follower.kill('SIGKILL'));
  let text = '';
  follower.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await until('the line that was there', () => (text.includes(`started ${pid}`) ? true : undefined));
  await textOf(`${host.url}shop/print`);
  await until('new lines', () => (text.includes('trouble') && text.includes('line of') ? true : undefined));
  type Line = { stream: string; pid: number; line: string };
  const lines = text.trim().split('\n').map((line) => JSON.parse(line) as Line);
  assert.ok(lines.some(({ stream, line }) => stream === 'stderr' && line === 'trouble'));
  assert.ok(lines.every((line) => line.pid === Number(pid)));
  const ended = once(follower, 'exit');
  follower.kill('SIGINT');
  assert.deepEqual(await ended, [0, null]);
});

test('no request is lost while settings are broken and mended, files change and apps are reloaded', async (t) => {
  const host = await hostFor(t, { files: { 'shop/server.js': PID_APP, 'slipstream.yml': '' } });
  await textOf(`${host.url}shop/`);
  const state = { isOver: false, answers: 0 };
  const client = async (): Promise<void> => {
    while (!state.isOver) {
      await textOf(`${host.url}shop/`);
      state.answers += 1;
    }
  };
  const clients = Array.from({ length: 8 }, client);
  const file = join(host.root, 'slipstream.yml');
  for (let round = 1; round <= 4; round++) {
    writeFileSync(file, `defaults: {env: {ROUND: "${round}"}}\n`);
    await until('the settings', async () => {
      type Explained = { settings: { name: string; value: unknown }[] };
      const { settings } = await ask<Explained>(host, 'config', 'explain', 'shop');
      const env = settings.find(({ name }) => name === 'env')?.value as { ROUND?: string } | undefined;
      return env?.ROUND === String(round) ? true : undefined;
    });
    writeFileSync(file, 'defaults: {env: 7}\n');
    writeFileSync(join(host.root, 'shop', 'server.js'), `${PID_APP}// ${round}\n`);
    await ask(host, 'reload', 'shop');
  }
  state.isOver = true;
  await Promise.all(clients);
  assert.ok(state.answers > 50, String(state.answers));
});

test('log files are bounded in size and number, and no other file is touched', async (t) => {
  const lots = `${PID_APP}for (let i = 0; i < 20000; i++) console.log('row ' + i + ' ' + 'x'.repeat(40));`;
  const host = await hostFor(t, {
    files: {
      'shop/server.js': lots,
      'shop/mylogs/keep.txt': 'mine',
      'slipstream.yml':
        'defaults: {logDirectory: mylogs, logFileBytesMax: 65536, logTotalBytesMax: 300000, logFilesMax: 4}\n',
    },
  });
  const folder = join(host.root, 'shop', 'mylogs');
  await textOf(`${host.url}shop/`);
  await until('the last line', async () => {
    const { stdout } = await runCli(['logs', 'shop', '-n', '1'], host.home);
    return stdout.includes('row 19999 ') ? true : undefined;
  });
  const sizes = await until('the limits to hold', () => {
    const found = readdirSync(folder)
      .filter((name) => name !== 'keep.txt')
      .map((name) => statSync(join(folder, name)).size);
    return found.length <= 4 && found.reduce((sum, size) => sum + size, 0) <= 300_000 + 131_072 ? found : undefined;
  });
  assert.ok(sizes.every((size) => size <= 2 * 65_536 + 1000), String(sizes));
  assert.equal(readFileSync(join(folder, 'keep.txt'), 'utf8'), 'mine');
});

test('an app_offline.htm is the answer while it is there, and the app is let go', async (t) => {
  const host = await hostFor(t, { files: { 'shop/server.js': PID_APP } });
  const pid = Number(await textOf(`${host.url}shop/`));
  const page = join(host.root, 'shop', 'app_offline.htm');
  writeFileSync(page, '<h1>Back soon</h1>');
  await until('the process to go', () => (isAlive(pid) ? undefined : true));
  const offline = await get(`${host.url}shop/`);
  assert.equal(offline.status, 503);
  assert.equal(offline.text, '<h1>Back soon</h1>');
  assert.match(offline.headers['content-type'] ?? '', /^text\/html/);
  assert.equal((await ask<Status>(host, 'status')).apps[0]?.state, 'offline');
  rmSync(page);
  assert.notEqual(await textOf(`${host.url}shop/`), String(pid));
});

test('processes are replaced when they had enough requests or grew too large', async (t) => {
  const host = await hostFor(t, {
    files: {
      'few/server.js': PID_APP,
      'large/server.js': PID_APP,
      'slipstream.yml': 'apps: {few: {requestsMax: 5}, large: {memoryMbMax: 110}}\n',
    },
  });
  const few = await textOf(`${host.url}few/`);
  for (let count = 0; count < 5; count++) await textOf(`${host.url}few/`);
  const large = await textOf(`${host.url}large/grow`);
  await until('another process', async () => ((await textOf(`${host.url}few/`)) !== few ? true : undefined));
  await until('a smaller process', async () => ((await textOf(`${host.url}large/`)) !== large ? true : undefined));
  await host.line(/app-reload app=few reason=".*requestsMax/);
  await host.line(/app-reload app=large reason="memory \d+ MiB.*memoryMbMax/);
});

test('an idle app is stopped and its next request starts it', async (t) => {
  const host = await hostFor(t, {
    files: { 'shop/server.js': PID_APP, 'slipstream.yml': 'defaults: {idleStopAfterMs: 1000}\n' },
  });
  const pid = Number(await textOf(`${host.url}shop/`));
  await until('the process to go', () => (isAlive(pid) ? undefined : true));
  assert.equal((await ask<Status>(host, 'status')).apps[0]?.state, 'idle');
  assert.notEqual(await textOf(`${host.url}shop/`), String(pid));
});

test('an app with start: always runs without a request, and again after it is killed', async (t) => {
  const host = await hostFor(t, {
    files: { 'shop/server.js': PID_APP, 'shop/slipstream.yml': 'start: always\nprocesses: 2\n' },
  });
  const pids = (status: Status): number[] | undefined => {
    const [shop] = status.apps;
    return shop?.state === 'ready' && shop.pids.length === 2 ? shop.pids : undefined;
  };
  const [first, second] = await until('two processes', async () => pids(await ask<Status>(host, 'status')));
  process.kill(first!, 'SIGKILL');
  process.kill(second!, 'SIGKILL');
  await until('two others', async () => {
    const found = pids(await ask<Status>(host, 'status'));
    return found === undefined || found.includes(first!) || found.includes(second!) ? undefined : true;
  });
});

test('sticky sessions lead a client to its process; a forged cookie leads nowhere', async (t) => {
  const host = await hostFor(t, {
    files: { 'shop/server.js': PID_APP, 'slipstream.yml': 'defaults: {processes: 3, stickySessions: true}\n' },
  });
  await textOf(`${host.url}shop/`);
  await until('three processes', async () => {
    const [shop] = (await ask<Status>(host, 'status')).apps;
    return shop?.processes.filter(({ state }) => state === 'ready').length === 3 ? true : undefined;
  });
  const first = await get(`${host.url}shop/`);
  const [cookie] = first.headers['set-cookie'] ?? [];
  assert.match(cookie ?? '', /^slipstream\.session=[\w-]{22}; Path=\/shop\/; HttpOnly; SameSite=Lax$/);
  const value = cookie!.split(';')[0]!;
  for (let count = 0; count < 6; count++) {
    const next = await get(`${host.url}shop/`, { headers: { cookie: `a=b; ${value}` } });
    assert.equal(next.text, first.text);
    assert.equal(next.headers['set-cookie'], undefined);
  }
  const forged = await get(`${host.url}shop/`, { headers: { cookie: 'slipstream.session=2' } });
  assert.ok(forged.headers['set-cookie'] !== undefined);
  process.kill(Number(first.text), 'SIGKILL');
  const moved = await until('another process', async () => {
    const got = await get(`${host.url}shop/`, { headers: { cookie: value } });
    return got.status === 200 ? got : undefined;
  });
  assert.notEqual(moved.text, first.text);
  assert.ok(moved.headers['set-cookie'] !== undefined);
});

test('an app that keeps crashing is answered with its stderr, and a changed file tries it at once', async (t) => {
  const crash = `require('http').createServer(() => {}).listen(process.env.PORT, () => {
    console.error('no database'); setTimeout(() => process.exit(7), 20); });`;
  const host = await hostFor(t, { files: { 'shop/server.js': crash } });
  const answer = await until(
    'the crash loop',
    async () => {
      const got = await get(`${host.url}shop/`, { headers: { accept: 'application/json' } });
      return got.text.includes('APP_CRASH_LOOP') ? got : undefined;
    },
    40_000,
  );
  assert.equal(answer.status, 503);
  assert.match(answer.text, /no database/);
  assert.ok(Number(answer.headers['retry-after']) > 5);
  const [looping] = (await ask<Status & { apps: { lastEnd?: string }[] }>(host, 'status')).apps;
  assert.deepEqual([looping?.state, looping?.lastEnd], ['crash-loop', undefined], 'its failure says it');
  writeFileSync(join(host.root, 'shop', 'server.js'), PID_APP);
  await until('the mended app', async () => ((await get(`${host.url}shop/`)).status === 200 ? true : undefined));
});

test('edits of slipstream.yml hold at once; a broken one keeps the last good settings and says so', async (t) => {
  const host = await hostFor(t, { files: { 'shop/server.js': PID_APP } });
  const file = join(host.root, 'slipstream.yml');
  const old = await textOf(`${host.url}shop/`);
  writeFileSync(file, 'limits:\n  headFieldsMax: 10\ndefaults:\n  env: {A: "1"}\n');
  await host.line(/config-changed/);
  const isNew = async (): Promise<true | undefined> =>
    (await textOf(`${host.url}shop/`)) !== old ? true : undefined;
  await until('new settings reload the app', isNew);
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`x-${index}`, '1']));
  await until('the new limit', async () =>
    (await get(`${host.url}shop/`, { headers: many })).status === 431 ? true : undefined,
  );
  writeFileSync(file, 'limits:\n  headFieldMax: 10\n');
  await host.line(/config-rejected.*headFieldMax/);
  const { configProblem } = await ask<Status>(host, 'status');
  assert.match(configProblem ?? '', /slipstream\.yml:2: unknown setting "headFieldMax"/);
  assert.equal((await get(`${host.url}shop/`, { headers: many })).status, 431, 'the last good ones hold');
  const explained = await ask<{ settings: { name: string; source: string }[] }>(host, 'config', 'explain', '--all');
  const limit = explained.settings.find(({ name }) => name === 'headFieldsMax');
  assert.match(limit?.source ?? '', /slipstream\.yml:2$/);
});

test('an app has settings of its own; a broken edit of them stops nothing', async (t) => {
  const app = `require('http').createServer((q, s) => s.end(process.env.COLOUR + ' ' + process.pid))
    .listen(process.env.PORT);`;
  const host = await hostFor(t, {
    files: { 'shop/server.js': app, 'shop/slipstream.yml': 'env:\n  COLOUR: red\n' },
  });
  const first = await textOf(`${host.url}shop/`);
  assert.match(first, /^red /);
  const file = join(host.root, 'shop', 'slipstream.yml');
  const explained = await ask<{ settings: { name: string; value: unknown; source: string }[] }>(
    host, 'config', 'explain', 'shop',
  );
  const env = explained.settings.find(({ name }) => name === 'env');
  assert.deepEqual(env?.value, { COLOUR: 'red' });
  assert.match(env?.source ?? '', /shop\/slipstream\.yml:1$/);
  writeFileSync(file, 'env:\n  COLOUR: 7\n');
  await host.line(/config-rejected.*COLOUR/);
  assert.equal(await textOf(`${host.url}shop/`), first);
  assert.match((await ask<Status>(host, 'status')).apps[0]?.problem ?? '', /shop\/slipstream\.yml:1: "env"/);
  writeFileSync(file, 'env:\n  COLOUR: blue\n');
  const isBlue = async (): Promise<true | undefined> =>
    (await textOf(`${host.url}shop/`)).startsWith('blue ') ? true : undefined;
  await until('the new colour', isBlue);
});

test('least-busy gives requests to the process that has none', async (t) => {
  const app = `require('http').createServer((q, s) => {
    if (q.url.endsWith('/hang')) return; s.end(String(process.pid)); }).listen(process.env.PORT);`;
  const host = await hostFor(t, {
    files: {
      'shop/server.js': app,
      'slipstream.yml':
        'drainTimeoutMs: 0\ndefaults: {processes: 2, balance: least-busy, gracefulShutdownTimeoutMs: 0}\n',
    },
  });
  await textOf(`${host.url}shop/`);
  await until('two processes', async () => {
    const [shop] = (await ask<Status>(host, 'status')).apps;
    return shop?.processes.filter(({ state }) => state === 'ready').length === 2 ? true : undefined;
  });
  const stop = new AbortController();
  const hanging = get(`${host.url}shop/hang`, { signal: stop.signal }).catch(() => undefined);
  await until('it to be under way', async () => {
    const [shop] = (await ask<{ apps: { processes: { active: number }[] }[] }>(host, 'status')).apps;
    return shop?.processes.some(({ active }) => active === 1) === true ? true : undefined;
  });
  const seen = new Set<string>();
  for (let count = 0; count < 6; count++) seen.add(await textOf(`${host.url}shop/`));
  assert.equal(seen.size, 1);
  stop.abort();
  await hanging;
});

test('a folder made while the host runs can be started by name', async (t) => {
  const host = await hostFor(t, { files: { 'shop/server.js': PID_APP } });
  mkdirSync(join(host.root, 'late'));
  writeFileSync(join(host.root, 'late', 'server.js'), PID_APP);
  assert.equal((await ask<{ state: string }>(host, 'start', 'late')).state, 'ready');
});
