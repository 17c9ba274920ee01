import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openControlServer, type ControlHandlers } from './control-server.ts';
import { HandClock } from '../base/clock.ts';
import { HostError } from '../base/host-error.ts';
import { silentLog } from '../base/log.ts';
import type { ControlReply } from '../wire/control-messages.ts';

async function serverWith(
  t: TestContext,
  handlers: Partial<ControlHandlers>,
): Promise<{ path: string; clock: HandClock; close: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), 'slip-control-'));
  const path = join(folder, 'control.sock');
  const clock = new HandClock();
  const server = await openControlServer({ path, handlers: handlers as ControlHandlers, clock, log: silentLog });
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { path, clock, close: () => server.close() };
}

/** Writes the pieces one by one; resolves with the replies at the end of the connection. */
async function talk(path: string, pieces: readonly string[]): Promise<ControlReply[]> {
  const socket = net.connect(path).setEncoding('utf8').setNoDelay(true);
  await once(socket, 'connect');
  let text = '';
  socket.on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => {}); // A server that hangs up resets.
  for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve));
  if (!socket.closed) await once(socket, 'close');
  return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as ControlReply);
}

test('the control server answers one request a connection, whole or byte by byte', async (t) => {
  const { path } = await serverWith(t, {
    async start({ app }, client) {
      client.send({ kind: 'progress', text: 'x' });
      return { app };
    },
  });
  const line = '{"verb":"start","app":"shop"}\n';
  const expected = [{ kind: 'progress', text: 'x' }, { kind: 'done', result: { app: 'shop' } }];
  assert.deepEqual(await talk(path, [line]), expected);
  assert.deepEqual(await talk(path, [...line]), expected);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('failures keep their code, and bugs are told without one', async (t) => {
  const { path } = await serverWith(t, {
    status: () => Promise.reject(new HostError('APP_UNKNOWN', 'no')),
    stop: () => Promise.reject(new Error('bug')),
  });
  assert.deepEqual(await talk(path, ['{"verb":"status"}\n']), [{ kind: 'failed', code: 'APP_UNKNOWN', message: 'no' }]);
  assert.deepEqual(await talk(path, ['{"verb":"stop"}\n']), [{ kind: 'failed', code: 'INTERNAL', message: 'bug' }]);
});

test('what is no request is refused', async (t) => {
  const { path } = await serverWith(t, {});
  for (const line of ['x', '{}', 'null', '[]', '{"verb":"toString"}', '{"verb":7}']) {
    const [reply] = await talk(path, [`${line}\n`]);
    assert.ok(reply?.kind === 'failed' && reply.code === 'CONTROL_INVALID', line);
  }
});

test('a client that sends no request, or too long a one, is hung up on', async (t) => {
  const { path, clock } = await serverWith(t, {});
  assert.deepEqual(await talk(path, ['x'.repeat(70_000)]), []);
  const socket = net.connect(path);
  await once(socket, 'connect');
  socket.write('{"verb"');
  // The server has seen the connection when it answers a later one.
  await talk(path, ['x\n']);
  clock.advance(10_000);
  socket.resume();
  await once(socket, 'close');
});

test('a handler learns that its client is gone, and the end of the server ends all', async (t) => {
  let gone = (): void => {};
  const isGone = new Promise<void>((resolve) => (gone = resolve));
  const { path, close } = await serverWith(t, {
    logs: (_request, client) =>
      new Promise((resolve) => {
        client.send({ kind: 'progress', text: 'here' });
        client.gone.addEventListener('abort', () => {
          gone();
          resolve(null);
        });
      }),
  });
  const socket = net.connect(path);
  socket.write('{"verb":"logs"}\n');
  await once(socket, 'data');
  socket.destroy();
  await isGone;
  const other = net.connect(path);
  other.write('{"verb":"logs"}\n');
  await once(other, 'data');
  close();
  close();
  await once(other, 'close');
  assert.equal(existsSync(path), false);
});
