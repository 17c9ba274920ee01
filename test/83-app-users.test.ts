// Apps that run as another user of the system, and what else the host sets for a process: variables from a file,
// umask, nice. Other users need a host of root.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { removedAfter, startHost, type RunningHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';
import { whyNoOtherUser } from './other-user.ts';

const NOBODY = 65_534;
const AS_ROOT = { skip: whyNoOtherUser() };

const TELLING_APP = `
const fs = require('fs');
console.log('uid ' + process.getuid());
require('http').createServer((request, response) => {
  if (request.url.endsWith('/wish')) process.send({ type: 'recycle' });
  const errors = (request.headers['x-paths'] || '').split(':').filter(Boolean).map((path) => {
    try { fs.readdirSync(path); return 'open'; } catch (error) { return error.code; }
  });
  response.end(JSON.stringify({
    pid: process.pid, uid: process.getuid(), gid: process.getgid(), groups: process.getgroups(),
    umask: process.umask().toString(8), nice: require('os').getPriority(), env: process.env, errors,
  }));
}).listen(process.env.PORT);
`;

interface Told {
  pid: number;
  uid: number;
  gid: number;
  groups: number[];
  umask: string;
  nice: number;
  env: Record<string, string>;
  errors: string[];
}

async function tell(url: string, headers: Record<string, string> = {}): Promise<Told> {
  const { status, text } = await get(url, { headers });
  assert.equal(status, 200, text);
  return JSON.parse(text) as Told;
}

/** A root that others may read, which temporary folders are not by themselves. */
async function hostFor(t: TestContext, settings: string, files: Record<string, string> = {}): Promise<RunningHost> {
  const place = mkdtempSync(join(tmpdir(), 'slipstream-users-'));
  removedAfter(t, place);
  chmodSync(place, 0o755);
  const root = join(place, 'root');
  const all = { 'shop/server.js': TELLING_APP, 'slipstream.yml': settings.replaceAll('PLACE', place), ...files };
  for (const [path, content] of Object.entries(all)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  const host = await startHost({ root });
  t.after(() => host.stop());
  return host;
}

test('an app of another user serves, prints, wishes, ends, and reaches nothing of the host', AS_ROOT, async (t) => {
  const settings = 'reservationFolder: PLACE/run\nfrontProcesses: 2\ndefaults: {user: nobody}\n';
  const host = await hostFor(t, settings, {
    'shop/slipstream.yml': 'logDirectory: mylogs\n',
  });
  const url = `${host.url}shop/`;
  const told = await tell(url, { 'x-paths': `${host.home}:${host.runFolder}:${dirname(host.root)}/run` });
  assert.equal(told.uid, NOBODY);
  assert.equal(told.gid, NOBODY);
  assert.deepEqual(told.groups.filter((group) => group !== NOBODY), [], 'no group of root');
  assert.equal(told.env['LOGNAME'], 'nobody');
  assert.notEqual(told.env['HOME'], process.env['HOME']);
  assert.deepEqual(told.errors, ['EACCES', 'EACCES', 'open']);
  const folder = join(host.home, 'logs', 'shop');
  await until('the log', () => (existsSync(folder) && readdirSync(folder).length > 0 ? true : undefined));
  assert.equal(statSync(folder).uid, 0);
  assert.equal(existsSync(join(host.root, 'shop', 'mylogs')), false, 'root writes nothing below a folder of others');
  await get(`${url}wish`);
  const next = await until('another process', async () => {
    const now = await tell(url);
    return now.pid === told.pid ? undefined : now;
  });
  assert.equal(next.uid, NOBODY);
  for (const { pid, role } of host.processes()) if (role === 'front') process.kill(pid, 'SIGKILL');
  await until('the same process, through other fronts', async () => {
    const now = await tell(url).catch(() => undefined);
    return now?.pid === next.pid ? true : undefined;
  });
  await host.stop();
  assert.equal(isAlive(next.pid), false);
});

test('sockets for an app are its user\'s only', AS_ROOT, async (t) => {
  const host = await hostFor(t, 'reservationFolder: PLACE/run\napps: {/shop/: {user: nobody, group: "65533"}}\n');
  const told = await tell(`${host.url}shop/`);
  assert.equal(told.gid, 65_533);
  const folder = join(dirname(host.root), 'run', `run-${host.pid}`);
  const sockets = readdirSync(folder).map((name) => join(folder, name));
  assert.equal(sockets.length, 2, sockets.join(' '));
  const source = `for (const path of ${JSON.stringify(sockets)}) {
    const socket = require('net').connect(path, () => { console.log('open'); socket.destroy(); });
    socket.on('error', (error) => console.log(error.code));
  }`;
  const asUser = (uid: number): string[] =>
    spawnSync(process.execPath, ['-e', source], { uid, gid: uid, encoding: 'utf8' }).stdout.trim().split('\n');
  assert.deepEqual(asUser(NOBODY), ['open', 'open']);
  assert.deepEqual(asUser(65_533), ['EACCES', 'EACCES']);
});

test('such an app is debugged over a port, or not at all', AS_ROOT, async (t) => {
  const settings = 'reservationFolder: PLACE/run\ndefaults: {user: nobody}\n';
  const host = await hostFor(t, settings);
  const navigation = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-user': '?1' };
  const refused = await get(`${host.url}shop/debug/`, { headers: navigation });
  assert.match(refused.text, /debuggerTransport: port/);
  const other = await hostFor(t, `${settings}debuggerTransport: port\n`);
  const page = await get(`${other.url}shop/debug/`, { headers: navigation });
  assert.equal(page.status, 200, page.text);
  assert.equal((await tell(`${other.url}shop/`)).uid, NOBODY);
});

test('a user that is unknown, new, or named by the app itself is refused with the reason', AS_ROOT, async (t) => {
  const host = await hostFor(t, 'reservationFolder: PLACE/run\napps: {/shop/: {user: nosuchuser}}\n', {
    'own/server.js': TELLING_APP,
    'own/slipstream.yml': 'user: nobody\n',
  });
  const failed = await get(`${host.url}shop/`, { headers: { accept: 'application/json' } });
  assert.equal(failed.status, 500);
  assert.match(failed.text, /no user \\"nosuchuser\\"/);
  assert.equal((await tell(`${host.url}own/`)).uid, 0);
  await host.line(/config-rejected .*user.*may stand in the host's file only/);
  writeFileSync(join(host.root, 'slipstream.yml'), 'apps: {/shop/: {user: nobody}}\n');
  await until('the new reason', async () => {
    const { text } = await get(`${host.url}shop/`, { headers: { accept: 'application/json' } });
    return text.includes('holds after a restart') ? true : undefined;
  });
});

test('envFile, umask and nice hold for a process; env is stronger, and a changed file counts', async (t) => {
  const host = await hostFor(t, 'defaults: {envFile: .env, umask: "027", nice: 5, env: {BOTH: settings}}\n', {
    'shop/.env': 'ONE=first\nBOTH=file\nPORT=1\nSLIPSTREAM_APP=forged\nTWO="a # b"\n',
  });
  const url = `${host.url}shop/`;
  const told = await tell(url);
  const { ONE, TWO, BOTH, SLIPSTREAM_APP } = told.env;
  assert.deepEqual([ONE, TWO, BOTH, SLIPSTREAM_APP], ['first', 'a # b', 'settings', 'shop']);
  assert.equal(told.env['PORT'], String(host.port));
  assert.equal(told.env['SLIPSTREAM_ENV_FILE'], undefined);
  assert.equal(told.umask, '27');
  assert.ok(told.nice >= 5);
  writeFileSync(join(host.root, 'shop', '.env'), 'ONE=second\n');
  await until('the new value', async () => ((await tell(url)).env['ONE'] === 'second' ? true : undefined));
  rmSync(join(host.root, 'shop', '.env'));
  await host.line(/app-recycle-failed/);
  assert.equal((await tell(url)).env['ONE'], 'second', 'what works stays');
});
