import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HandClock } from '../base/clock.ts';
import { HostError } from '../base/host-error.ts';
import { silentLog } from '../base/log.ts';
import { decodeJson, LINK, type Refusal, type Welcome } from '../wire/link-messages.ts';
import { FakeProcess, withFront, type Frame } from './front.test.support.ts';
import { HELLO_TIMEOUT_MS, LinkServer, type LinkHost } from './link-server.ts';

const NOBODY: LinkHost = {
  processOf: () => null,
  linked: () => {},
  ready: () => {},
  purge: () => true,
  unready: () => {},
  draining: () => {},
  unlinked: () => {},
  exchangeOver: () => {},
};

function json<Message>(frame: Frame): Message {
  return decodeJson<Message>(frame.payload, 0, frame.payload.length);
}

test('a process with a known key is welcomed, and ready when it registers', () =>
  withFront({}, async ({ events, socketPath }) => {
    const app = new FakeProcess(socketPath);
    app.hello('key-p1');
    const welcome = json<Welcome>(await app.frame(LINK.WELCOME));
    assert.equal(welcome.frontPid, process.pid);
    assert.deepEqual(events.rest, []);
    await app.register(7);
    assert.deepEqual(await events.next(), { kind: 'ready', id: 'p1' });
    app.writer.json(LINK.UNREGISTER, 0, { id: 7 });
    assert.deepEqual(await events.next(), { kind: 'unready', id: 'p1' });
    app.close();
    assert.deepEqual(await events.next(), { kind: 'unlinked', id: 'p1' });
  }));

test('unknown keys, no keys and other versions are refused with the reason', () =>
  withFront({}, async ({ socketPath, events }) => {
    const cases: [string | undefined, number, string, RegExp][] = [
      ['nobody', 1, 'LINK_REFUSED', /key/],
      [undefined, 1, 'LINK_REFUSED', /joining is not configured/],
      ['key-p1', 2, 'LINK_VERSION_MISMATCH', /version 1 .* 2/],
    ];
    for (const [key, version, code, message] of cases) {
      const app = new FakeProcess(socketPath);
      app.hello(key, version);
      const refusal = json<Refusal>(await app.frame(LINK.REFUSED));
      assert.equal(refusal.code, code);
      assert.match(refusal.message, message);
      await app.closed;
    }
    assert.deepEqual(events.rest, []);
  }));

test('a link that does not begin with HELLO, or begins with nothing, is closed', () =>
  withFront({}, async ({ socketPath, clock }) => {
    const rude = new FakeProcess(socketPath);
    rude.writer.json(LINK.REGISTER, 0, { id: 1, prefixes: [] });
    await rude.closed;
    const broken = new FakeProcess(socketPath);
    broken.writer.bytes(LINK.HELLO, 0, Buffer.from('{'));
    await broken.closed;
    const silent = new FakeProcess(socketPath);
    await once(silent.socket, 'connect');
    const late = new FakeProcess(socketPath);
    late.hello('key-p1');
    await late.frame(LINK.WELCOME);
    clock.advance(HELLO_TIMEOUT_MS);
    await silent.closed;
    late.writer.empty(LINK.PING, 0);
    await late.frame(LINK.PONG);
    late.close();
  }));

test('a registration with prefixes is refused, the link stays', () =>
  withFront({}, async ({ join }) => {
    const app = await join();
    app.writer.json(LINK.REGISTER, 0, { id: 2, prefixes: ['http://*:80/a/'] });
    const refusal = json<Refusal>(await app.frame(LINK.REFUSED));
    assert.equal(refusal.id, 2);
    app.writer.empty(LINK.PING, 0);
    await app.frame(LINK.PONG);
  }));

test('frames of another shape end the link, and nothing else', () =>
  withFront({}, async ({ join, client, socketPath }) => {
    for (const hello of ['null', '[]', '"x"', '{"version":1,"key":"key-p2","pid":{}}']) {
      const rude = new FakeProcess(socketPath);
      rude.writer.bytes(LINK.HELLO, 0, Buffer.from(hello));
      await rude.closed;
    }
    const frames: [type: number, payload: string][] = [
      [LINK.REGISTER, 'null'], [LINK.REGISTER, '{}'], [LINK.REGISTER, '{"id":1,"prefixes":null}'],
      [LINK.UNREGISTER, 'null'], [LINK.PURGE, 'null'], [LINK.PURGE, '{"id":"long"}'],
    ];
    for (const [type, payload] of frames) {
      const rude = await join();
      rude.writer.bytes(type, 0, Buffer.from(payload));
      await rude.closed;
    }
    const rude = await join();
    const browser = client();
    browser.get('/');
    rude.writer.bytes(LINK.META, (await rude.request()).channel, Buffer.from('null'));
    await rude.closed;
    await browser.until('502');
    const app = await join();
    const other = client();
    other.get('/');
    app.answer((await app.request()).channel, 'still here');
    await other.until('still here');
  }));

test('a process that asks on and on and reads nothing is hung up on', () =>
  withFront({}, async ({ join }) => {
    const app = await join();
    app.socket.pause();
    const pings = Buffer.alloc(9 * 1000);
    for (let at = 4; at < pings.length; at += 9) pings[at] = LINK.PING;
    while (!app.socket.destroyed) await new Promise((resolve) => app.socket.write(pings, resolve));
    await app.closed;
  }));

test('a frame over the limit ends the link', () =>
  withFront({}, async ({ join, events }) => {
    const app = await join();
    await events.next(({ kind }) => kind === 'ready');
    app.socket.write(Buffer.from('ffffffff1100000001', 'hex'));
    assert.deepEqual(await events.next(), { kind: 'unlinked', id: 'p1' });
    await app.closed;
  }));

test('a process that dials again replaces its former link', () =>
  withFront({}, async ({ join, client }) => {
    const former = await join();
    const app = await join();
    await former.closed;
    const browser = client();
    browser.get('/');
    app.answer((await app.request()).channel, 'again');
    await browser.until('again');
  }));

test('the link socket is for our user only, and gone after close', async () => {
  let path = '';
  await withFront({}, async ({ socketPath }) => {
    path = socketPath;
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });
  assert.equal(existsSync(path), false);
});

test('a socket left over is replaced, a file is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slip-link-'));
  const path = join(folder, 'front.sock');
  const options = { host: NOBODY, clock: new HandClock(), log: silentLog };
  const killed = net.createServer().listen(`${path}.old`);
  await once(killed, 'listening');
  renameSync(`${path}.old`, path);
  killed.close();
  const server = new LinkServer(options);
  await server.listen(path);
  const socket = net.connect(path);
  await once(socket, 'connect');
  socket.destroy();
  server.close();
  writeFileSync(path, '');
  await assert.rejects(
    new LinkServer(options).listen(path),
    (error) => error instanceof HostError && error.code === 'LISTEN_FAILED',
  );
  rmSync(folder, { recursive: true });
});
