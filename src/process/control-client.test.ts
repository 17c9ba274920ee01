import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { askHost, findControlSocket } from './control-client.ts';

/** A home with run folders of processes that live, and what answers in that of this process. */
async function homeFor(t: TestContext, pids: readonly number[], answer?: string): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'slip-home-'));
  const before = process.env['SLIPSTREAM_HOME'];
  process.env['SLIPSTREAM_HOME'] = home;
  for (const pid of pids) mkdirSync(join(home, `run-${pid}`));
  const server = net.createServer((socket) => {
    socket.on('error', () => {}); // The client hangs up when it has what it wants.
    socket.once('data', () => (answer === '' ? socket.destroy() : socket.write(answer ?? '')));
  });
  if (answer !== undefined) {
    server.listen(join(home, `run-${process.pid}`, 'control.sock'));
    await once(server, 'listening');
  }
  t.after(() => {
    server.close();
    rmSync(home, { recursive: true, force: true });
    if (before === undefined) delete process.env['SLIPSTREAM_HOME'];
    else process.env['SLIPSTREAM_HOME'] = before;
  });
  return home;
}

test('the host is found by its home, or named by its pid', async (t) => {
  const home = await homeFor(t, [process.pid, process.ppid, 99_999_999]);
  writeFileSync(join(home, `run-${process.pid}`, 'root'), '/srv/shops');
  const named = new RegExp(`--host PID: .*\\b${process.pid} for /srv/shops`);
  assert.throws(() => findControlSocket(), { code: 'HOST_AMBIGUOUS', message: named });
  assert.equal(findControlSocket(process.pid), join(home, `run-${process.pid}`, 'control.sock'));
  assert.throws(() => findControlSocket(99_999_999), { code: 'HOST_NOT_RUNNING' });
});

test('a home without a host, and a host that does not listen yet, are told apart from a failure', async (t) => {
  const home = await homeFor(t, []);
  assert.throws(() => findControlSocket(), { code: 'HOST_NOT_RUNNING', message: /slipstream serve/ });
  mkdirSync(join(home, `run-${process.pid}`));
  await assert.rejects(askHost({ verb: 'status' }), { code: 'HOST_NOT_RUNNING', message: /just starting/ });
});

test('askHost passes on what comes and ends with the result', async (t) => {
  const lines = [{ kind: 'progress', text: 'one' }, { kind: 'done', result: { a: 1 } }];
  await homeFor(t, [process.pid], lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const seen: unknown[] = [];
  assert.deepEqual(await askHost({ verb: 'status' }, { onReply: (reply) => seen.push(reply) }), { a: 1 });
  assert.deepEqual(seen, [lines[0]]);
});

test('askHost throws the failure of the host with its code', async (t) => {
  await homeFor(t, [process.pid], '{"kind":"failed","code":"APP_UNKNOWN","message":"no app"}\n');
  await assert.rejects(askHost({ verb: 'stop', app: 'x' }), { code: 'APP_UNKNOWN', message: 'no app' });
});

test('askHost says when the host hangs up, and gives up when it is told to', async (t) => {
  await homeFor(t, [process.pid], '');
  await assert.rejects(askHost({ verb: 'status' }), { code: 'CONTROL_LOST' });
  const stop = new AbortController();
  const asked = askHost({ verb: 'logs', app: 'x', lines: 1, follow: true }, { signal: stop.signal });
  stop.abort();
  assert.equal(await asked, null);
});
