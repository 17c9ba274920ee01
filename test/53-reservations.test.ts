// Processes of other users claim what the configuration reserves for them, and nothing else. Needs root, who
// alone can start processes of other users.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { get } from './http-client.ts';
import { eventually, hostFor, run, SAYS_PID } from './join-program.ts';
import { removedAfter, type RunningHost } from './host-fixture.ts';
import { whyNoOtherUser } from './other-user.ts';

const NOBODY = 65_534;
const SOMEBODY = 65_533;
const OPTIONS = { skip: whyNoOtherUser() };

interface Scene {
  host: RunningHost;
  folder: string;
  prefix: string;
  /** The environment of processes of other users. */
  env: Record<string, string>;
}

async function scene(t: TestContext): Promise<Scene> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-reserved-'));
  removedAfter(t, folder);
  const prefix = `http://*:${port}/theirs/`;
  const settings = [
    `reservationFolder: ${folder}`,
    'reservations:',
    `  ${prefix}: nobody`,
    `  http://*:${port}/others/: "${SOMEBODY}"`,
    'frontProcesses: 2',
  ];
  const files = { 'slipstream.yml': settings.join('\n') };
  const host = await hostFor(t, files, { args: ['--listen', `http://127.0.0.1:${port}`] });
  return { host, folder, prefix, env: { SLIPSTREAM_RESERVATIONS: folder, SLIPSTREAM_JOIN: 'found' } };
}

test('a user claims what is reserved, and survives a killed front; before, it is 503', OPTIONS, async (t) => {
  const { host, folder, prefix, env } = await scene(t);
  const reserved = await get(`${host.url}theirs/x`);
  assert.equal(reserved.status, 503);
  assert.equal(reserved.headers['retry-after'], '1');
  const program = run(t, { home: '/nonexistent' }, SAYS_PID, [prefix], { uid: NOBODY, env });
  await program.line(/listens on/);
  assert.equal((await get(`${host.url}theirs/x`)).text, `${program.child.pid} /theirs/x`);
  for (const { pid, role } of host.processes()) if (role === 'front') process.kill(pid, 'SIGKILL');
  await eventually(async () => {
    try {
      return (await get(`${host.url}theirs/y`)).text === `${program.child.pid} /theirs/y`;
    } catch {
      // Nobody accepts at the moment.
      return false;
    }
  });
  await program.end();
  await eventually(async () => (await get(`${host.url}theirs/x`)).status === 503);
  await host.stop();
  assert.deepEqual(readdirSync(folder), []);
});

test('what is not reserved for a user is refused: to others, and to the host\'s own user', OPTIONS, async (t) => {
  const { host, prefix, env } = await scene(t);
  const refusals: [RegExp, string, number | undefined][] = [
    [/PREFIX_UNRESERVED .*not reserved for this user/, prefix.replace('theirs', 'any'), NOBODY],
    [/PREFIX_RESERVED .*reserved for the user 65533/, prefix.replace('theirs', 'others'), NOBODY],
    [/PREFIX_RESERVED .*reserved for the user nobody/, `${prefix}below/`, SOMEBODY],
    [/PREFIX_RESERVED .*reserved for the user nobody/, prefix, undefined],
  ];
  for (const [reason, text, uid] of refusals) {
    const home = uid === undefined ? host.home : '/nonexistent';
    const program = run(t, { home }, SAYS_PID, [text], { env, ...(uid !== undefined && { uid }) });
    await program.line(new RegExp(`failed ${reason.source}`));
  }
  // A port that is nobody's is the user's own business.
  const own = run(t, { home: '/nonexistent' }, SAYS_PID, ['0', '127.0.0.1'], { uid: NOBODY, env });
  const [, , port] = await own.line(/listens on (\S+) (\d+)/);
  assert.equal((await get(`http://127.0.0.1:${port}/`)).text, `${own.child.pid} /`);
});

test('a user opens the own sockets only: not those of others, nor any of the home', OPTIONS, async (t) => {
  const { host, folder } = await scene(t);
  const run1 = join(folder, readdirSync(folder)[0]!);
  const sockets = readdirSync(run1).sort();
  assert.deepEqual(sockets, [NOBODY, SOMEBODY].sort().flatMap((uid) => {
    return [`${uid}-front-0.sock`, `${uid}-front-1.sock`, `${uid}.sock`];
  }));
  for (const name of sockets) {
    const { mode, uid } = statSync(join(run1, name));
    assert.equal(mode & 0o777, 0o600);
    assert.equal(uid, Number(/^\d+/.exec(name)![0]));
  }
  const inHome = ['joined.sock', 'control.sock', 'front-0.sock'].map((name) => join(host.runFolder, name));
  const paths = [...sockets.map((name) => join(run1, name)), ...inHome];
  const source = `const net = require('net');
    for (const path of ${JSON.stringify(paths)}) {
      const socket = net.connect(path, () => { console.log('open ' + path); socket.destroy(); });
      socket.on('error', (error) => console.log(error.code + ' ' + path));
    }
    for (const act of ['mkdirSync', 'unlinkSync']) {
      try { require('fs')[act](${JSON.stringify(join(run1, `${NOBODY}.sock`))} + (act === 'mkdirSync' ? '.d' : '')); }
      catch (error) { console.log(act + ' ' + error.code); }
    }`;
  const { stdout } = spawnSync(process.execPath, ['-e', source], { uid: NOBODY, gid: NOBODY, encoding: 'utf8' });
  const lines = stdout.trim().split('\n').sort();
  const expected = paths.map((path) => `${path.includes(`/${NOBODY}`) ? 'open' : 'EACCES'} ${path}`);
  assert.deepEqual(lines, [...expected, 'mkdirSync EACCES', 'unlinkSync EACCES'].sort());
});
