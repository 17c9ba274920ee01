// Who gets a session that its host left, and when.

import { afterEach, test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readJsonLines, sendJsonLine } from '../base/json-lines.ts';
import { startOf } from '../base/process-identity.ts';
import { createLog } from '../base/log.ts';
import { adoptionSocket, type AdoptableSession, type AdoptAnswer } from '../wire/adoption-messages.ts';
import { SessionKeeper } from './session-keeper.ts';

const log = createLog({ json: false, write: () => {} });
const skip = process.platform === 'win32' ? 'a session ends with its host there' : false;

interface Made {
  keeper: SessionKeeper;
  path: string;
  debuggee: { pid: number; exited: Promise<unknown> };
  ended: Promise<void>;
}

/** A keeper that has a session with a real process. */
async function made(t: TestContext): Promise<Made> {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-keeper-'));
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { detached: true });
  await once(child, 'spawn');
  t.after(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });
  const path = adoptionSocket(join(folder, 'front-0.sock'), process.pid)!;
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  const keeper = new SessionKeeper({ path, onWord: () => {}, onEnd: end, log });
  const session: AdoptableSession = {
    root: '/srv/apps',
    appPath: '/shop/',
    links: ['front-0.sock'],
    proxy: { pid: process.pid, key: 'p' },
    processes: [{ pid: child.pid!, key: 'd', start: startOf(child.pid!)! }],
    inspector: { kind: 'port', port: 5058 },
    breakAtStart: false,
    scope: 'everyone',
    secret: 's',
    stamp: '',
  };
  await keeper.keep(session);
  return { keeper, path, debuggee: { pid: child.pid!, exited: once(child, 'exit') }, ended };
}

interface Asked {
  socket: Socket;
  answer: AdoptAnswer;
}

const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

async function ask(path: string, hostPid: number, root = '/srv/apps'): Promise<Asked> {
  const socket = connect(path);
  sockets.add(socket);
  sendJsonLine(socket, { kind: 'adopt', root, hostPid });
  const answer = await new Promise<AdoptAnswer>((resolve) => {
    readJsonLines(socket, (value) => resolve(value as AdoptAnswer));
  });
  return { socket, answer };
}

test('a session goes to one host at a time, of its root, once its own is gone', { skip }, async (t) => {
  const { keeper, path, ended, debuggee } = await made(t);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const early = await ask(path, 7);
  assert.deepEqual(early.answer, { kind: 'refused', hostPid: process.ppid });
  keeper.report({ kind: 'report', viewers: 2, pauses: [] });
  keeper.lost();
  assert.deepEqual((await ask(path, 7, '/srv/other')).answer, { kind: 'refused', hostPid: 0 });
  const [one, other] = [await ask(path, 8), await ask(path, 9)];
  assert.equal(one.answer.kind === 'adopted' && one.answer.report?.viewers, 2);
  assert.deepEqual(other.answer, { kind: 'refused', hostPid: 8 });
  // Only the host that has it may end it.
  sendJsonLine(other.socket, { kind: 'end' });
  one.socket.destroy();
  let again = await ask(path, 10);
  while (again.answer.kind === 'refused') again = await ask(path, 10);
  sendJsonLine(again.socket, { kind: 'end' });
  await Promise.all([ended, debuggee.exited]);
});

test('without a host the debuggee goes with the proxy; what is no command ends the connection', { skip }, async (t) => {
  const { keeper, path, debuggee } = await made(t);
  const noise = connect(path);
  noise.write('no json\n');
  await once(noise.resume(), 'close');
  keeper.end();
  assert.notEqual(startOf(debuggee.pid), undefined, 'its host sees to it');
  keeper.lost();
  keeper.end();
  await debuggee.exited;
});
