// Running a host, in detail: `--json` of every verb, several hosts, logs with times and as JSON, age, and that whatever
// ends the host ends what the apps started.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import {
  mkdtempSync, readFileSync, readdirSync, readlinkSync, symlinkSync, writeFileSync,
} from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removedAfter, runCli, startHost, type HostOptions, type RunningHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';

const PID_APP = `console.log('caf\\u00e9 "up"');
require('http').createServer((request, response) => response.end(String(process.pid))).listen(process.env.PORT);
`;

async function hostFor(t: TestContext, options: HostOptions): Promise<RunningHost> {
  const host = await startHost(options);
  t.after(() => host.stop());
  return host;
}

/** What a verb prints as JSON: one value, or one a line. */
async function jsonOf(words: readonly string[], home: string): Promise<unknown[]> {
  const { code, stdout, stderr } = await runCli([...words, '--json'], home);
  assert.equal(code, 0, `${words.join(' ')}: ${stderr}`);
  try {
    return [JSON.parse(stdout)];
  } catch {
    return stdout.trim().split('\n').map((line) => JSON.parse(line) as unknown);
  }
}

test('every verb answers in JSON with --json', async (t) => {
  const host = await hostFor(t, { files: { 'shop/server.js': PID_APP, 'other/readme.txt': '' } });
  assert.equal((await get(`${host.url}shop/`)).status, 200);
  const other = join(host.root, 'other');
  const migrated = mkdtempSync(join(tmpdir(), 'slipstream-migrate-'));
  removedAfter(t, migrated);
  writeFileSync(join(migrated, 'iisnode.yml'), 'node_env: production\n');
  const verbs: [string[], (answer: never) => boolean][] = [
    [['status'], ({ apps }: { apps: { name: string }[] }) => apps.some(({ name }) => name === 'shop')],
    [['status', 'shop'], ({ apps }: { apps: unknown[] }) => apps.length === 1],
    [['logs', 'shop'], ({ line }: { line: string }) => line === 'café "up"'],
    [['logs', 'shop', '--link'], ({ links }: { links: string[] }) => links.length > 0],
    [['reload', '--all'], ({ apps }: { apps: { outcome: string }[] }) => apps[0]!.outcome === 'reloaded'],
    [['stop', 'shop'], ({ state }: { state: string }) => state === 'stopped'],
    [['start', 'shop'], ({ state }: { state: string }) => state === 'ready'],
    [['config', 'explain', 'shop'], ({ settings }: { settings: unknown[] }) => Array.isArray(settings)],
    [['config', 'schema'], ({ $defs }: { $defs: object }) => 'app' in $defs],
    [['check', host.root], ({ apps }: { apps: unknown[] }) => apps.length === 1],
    [['init', other], ({ file }: { file: string }) => file === join(other, 'slipstream.yml')],
    [['migrate', migrated], ({ file }: { file: string }) => file === join(migrated, 'slipstream.yml')],
    [['cache', 'show'], ({ rows }: { rows: unknown[] }) => rows.length === 0],
    [['cache', 'purge', '--all'], ({ purged }: { purged: boolean }) => purged],
    [['tls', 'dev'], ({ authorityFile }: { authorityFile: string }) => authorityFile.startsWith(host.home)],
    [['tls', 'list'], (rows: { name: string }[]) => rows.length > 0],
    [['tls', 'check'], (rows: { findings: unknown[] }[]) => rows.length > 0],
    [['tls', 'remove', 'localhost'], ({ removed }: { removed: string }) => removed === 'localhost'],
    [['debug', 'shop'], ({ links }: { links: string[] }) => links[0]!.includes('?link=')],
    [['debug', '--revoke'], ({ revoked }: { revoked: { debugger: number } }) => revoked.debugger === 1],
  ];
  for (const [words, fits] of verbs) {
    const [answer] = await jsonOf(words, host.home);
    assert.ok(fits(answer as never), `${words.join(' ')}: ${JSON.stringify(answer)}`);
  }
});

test('SLIPSTREAM_HOME says which host is meant, and --host where several run there', async (t) => {
  const first = await hostFor(t, { files: { 'one/server.js': PID_APP } });
  const second = await hostFor(t, { files: { 'two/server.js': PID_APP } });
  const third = await hostFor(t, { files: { 'three/server.js': PID_APP }, home: second.home });
  const names = async (home: string, ...words: string[]): Promise<string[]> => {
    const [status] = (await jsonOf(['status', ...words], home)) as [{ apps: { name: string }[] }];
    return status.apps.map(({ name }) => name);
  };
  assert.deepEqual(await names(first.home), ['one']);
  const several = await runCli(['status'], second.home);
  assert.equal(several.code, 1);
  assert.match(several.stderr, new RegExp(`--host PID: .*${second.pid}.*\\[HOST_AMBIGUOUS\\]|${third.pid}.*HOST_AMB`));
  assert.deepEqual(await names(second.home, '--host', String(second.pid)), ['two']);
  assert.deepEqual(await names(second.home, '--host', String(third.pid)), ['three']);
  await third.stop();
  assert.deepEqual(await names(second.home), ['two']);
});

test('log files have times or are JSON where that is asked for', async (t) => {
  const host = await hostFor(t, { files: {
    'time/server.js': PID_APP, 'json/server.js': PID_APP,
    'slipstream.yml': 'apps: { time: { logFormat: time }, json: { logFormat: json } }\n',
  } });
  const lineOf = async (app: string): Promise<string> => {
    assert.equal((await get(`${host.url}${app}/`)).status, 200);
    const folder = join(host.home, 'logs', app);
    return until(`the line of ${app}`, () => {
      const [name] = readdirSync(folder);
      const text = name === undefined ? '' : readFileSync(join(folder, name), 'utf8');
      return text.endsWith('\n') ? text : undefined;
    });
  };
  assert.match(await lineOf('time'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z café "up"\n$/);
  const { time, ...entry } = JSON.parse(await lineOf('json')) as Record<string, unknown>;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(entry, { pid: Number((await get(`${host.url}json/`)).text), line: 'café "up"' });
});

test('a process that is old enough is replaced', async (t) => {
  const host = await hostFor(t, {
    files: { 'shop/server.js': PID_APP, 'slipstream.yml': 'defaults: { ageMaxMs: 1500 }\n' },
  });
  const old = (await get(`${host.url}shop/`)).text;
  await host.line(/app-reload app=shop reason=".*ageMaxMs/);
  await until('another process', async () => {
    const { status, text } = await get(`${host.url}shop/`);
    assert.equal(status, 200);
    return text === old ? undefined : true;
  });
});

test('whatever ends the host ends the apps and what they started', async (t) => {
  const program = `
const { spawn } = require('child_process');
const child = spawn(process.execPath, ['-e', "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"]);
require('http').createServer((request, response) => response.end([process.pid, child.pid].join()))
  .listen(process.env.PORT);
`;
  const ways = [['SIGTERM'], ['SIGINT', 'SIGINT'], ['SIGHUP'], ['SIGKILL']] as const;
  await Promise.all(ways.map(async (signals) => {
    const host = await hostFor(t, { files: { 'shop/server.js': program } });
    const pids = (await get(`${host.url}shop/`)).text.split(',').map(Number);
    assert.deepEqual(pids.map(isAlive), [true, true]);
    for (const signal of signals) process.kill(host.pid, signal);
    await host.exited;
    await until(`the end of all by ${signals[0]}`, () => (pids.some(isAlive) ? undefined : true), 35_000);
    await until('and of the rest', () => (host.processes().length > 0 ? undefined : true), 35_000);
  }));
});

test('a change in a package of the workspace that an app uses gets it new processes', async (t) => {
  const host = await hostFor(t, { files: {
    'apps/shop/server.js': `const price = require('@shop/price');
      require('http').createServer((request, response) => response.end(price)).listen(process.env.PORT);`,
    'apps/shop/package.json': '{"main": "server.js", "dependencies": {"@shop/price": "*"}}',
    'packages/price/package.json': '{"name": "@shop/price", "main": "lib/price.js"}',
    'packages/price/lib/price.js': 'module.exports = "dear";',
    'packages/other/other.js': '',
    'node_modules/@shop/readme.txt': '',
  } });
  symlinkSync(join(host.root, 'packages/price'), join(host.root, 'node_modules/@shop/price'), 'junction');
  const price = async (): Promise<string> => (await get(`${host.url}apps/shop/`)).text;
  assert.equal(await price(), 'dear');
  writeFileSync(join(host.root, 'packages/other/other.js'), '// not used');
  writeFileSync(join(host.root, 'packages/price/lib/price.js'), 'module.exports = "cheap";');
  await until('the edit', async () => ((await price()) === 'cheap' ? true : undefined));
  const changes = host.output().match(/app-changed app=apps\/shop files=\S+/g);
  assert.deepEqual(changes, [`app-changed app=apps/shop files=${join('../../packages/price/lib/price.js')}`]);
});

interface OpenHandle {
  fd: number;
  getsockname(out: { port?: number }): number;
  close(): void;
}

test('a host that is started again finds the connections that waited in the socket of its service manager', {
  skip: process.platform !== 'linux' && 'reads /proc',
}, async (t) => {
  type Create = (address: string, port: number, type: 4) => OpenHandle;
  const handle = (net as unknown as { _createServerHandle: Create })._createServerHandle('127.0.0.1', 0, 4);
  t.after(() => handle.close());
  const name: { port?: number } = {};
  handle.getsockname(name);
  const port = name.port!;
  const args = ['--listen', `http://127.0.0.1:${port}`];
  const files = { 'shop/server.js': PID_APP };
  const first = await hostFor(t, { files, args, socket: handle.fd });
  const pid = (await get(`${first.url}shop/`)).text;
  const socket = readlinkSync(`/proc/self/fd/${handle.fd}`);
  const opened = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return ''; // Closed meanwhile.
    }
  });
  assert.equal(opened.includes(socket), false, 'an app does not have it');
  await first.stop();
  const waiting = get(`http://127.0.0.1:${port}/shop/`);
  const second = await hostFor(t, { files, args, socket: handle.fd });
  assert.equal((await waiting).status, 200);
  await second.stop();
  const other = await hostFor(t, { files, socket: handle.fd });
  await other.line(new RegExp(`WARN socket-unused place=127\\.0\\.0\\.1:${port} hint=`));
});
