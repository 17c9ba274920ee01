import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { HostError } from '../base/host-error.ts';
import { silentLog } from '../base/log.ts';
import type { ExpectedProcess } from '../wire/front-messages.ts';
import { JOIN_VERSION, type JoinReply } from '../wire/join-messages.ts';
import { portPrefix } from './claims.ts';
import { JoinServer } from './join-server.ts';
import { Reservations } from './reservations.ts';

interface Scene {
  server: JoinServer;
  path: string;
  /** What the fronts were told. */
  told: string[];
  expected: ExpectedProcess[];
  until(what: string): Promise<void>;
}

/** A join server with fronts that do what they are told. */
async function scene(t: TestContext): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-join-server-'));
  const path = join(folder, 'joined.sock');
  const told: string[] = [];
  const expected: ExpectedProcess[] = [];
  const looks = new Set<() => void>();
  const tell = (what: string): void => {
    told.push(what);
    for (const look of looks) look();
  };
  const server = new JoinServer({
    path,
    fronts: ['front-0.sock'],
    reserved: { reservations: new Reservations([], 0), users: [], removeFormer: () => {}, remove: () => {} },
    parsePrefix(text) {
      const match = /^http:\/\/\*:(\d+)(\/.*)$/.exec(text);
      if (match === null) throw new HostError('PREFIX_INVALID', `${text} is no prefix`);
      return { ...portPrefix(Number(match[1]), ''), path: match[2]!, text };
    },
    configured: () => [],
    holderOf: ({ path: prefixPath }) => (prefixPath === '/app/' ? 'app' : null),
    front: {
      expect(process) {
        expected.push(process);
        tell('expect');
      },
      forget: () => tell('forget'),
      listen: () => Promise.resolve(tell('listen')),
      unlisten: () => tell('unlisten'),
      settled: () => Promise.resolve(),
    },
    onChange: () => tell('routes'),
    clock: systemClock,
    log: silentLog,
  });
  await server.open();
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  const until = (what: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (told.includes(what)) resolve();
      };
      looks.add(look);
      look();
    });
  return { server, path, told, expected, until };
}

/** A process that sends lines and reads replies. */
async function dial(t: TestContext, path: string) {
  const socket = net.connect(path);
  await once(socket, 'connect');
  t.after(() => socket.destroy());
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const read = async (): Promise<JoinReply> => JSON.parse((await lines.next()).value as string) as JoinReply;
  const ask = (request: unknown): Promise<JoinReply> => {
    socket.write(`${typeof request === 'string' ? request : JSON.stringify(request)}\n`);
    return read();
  };
  return { socket, ask };
}

const HELLO = { kind: 'hello', version: JOIN_VERSION, pid: 7, title: 'app.js' };
const CLAIM = { kind: 'claim', claim: 1, place: { kind: 'port', port: 0, address: '127.0.0.1', isSecure: false } };

test('a claim binds, is told to the fronts and answered with a key; a release closes the listener', async (t) => {
  const { server, path, told, expected } = await scene(t);
  const { ask } = await dial(t, path);
  assert.deepEqual(await ask(HELLO), { kind: 'welcome', version: JOIN_VERSION, hostPid: process.pid });
  const claimed = await ask(CLAIM);
  assert.ok(claimed.kind === 'claimed' && claimed.port > 0 && claimed.address === '127.0.0.1');
  const [held] = server.snapshot();
  assert.deepEqual(held, { prefix: `http://127.0.0.1:${claimed.port}/`, pid: 7, title: 'app.js', state: 'held' });
  assert.deepEqual(told, ['expect', 'routes', 'listen']);
  assert.deepEqual(await ask({ kind: 'release', claim: 1 }), { kind: 'released', claim: 1 });
  assert.deepEqual(told.slice(3), ['unlisten', 'routes']);
  assert.equal(server.listeners.length, 0);
  assert.equal(server.snapshot()[0]!.state, 'released');
  server.unlinked(expected[0]!.id);
  assert.equal(told.at(-1), 'forget');
});

test('what a process held is free once its connection ends', async (t) => {
  const { server, path, until } = await scene(t);
  const { socket, ask } = await dial(t, path);
  await ask(HELLO);
  await ask(CLAIM);
  socket.destroy();
  await until('forget');
  assert.deepEqual(server.snapshot(), []);
  assert.equal(server.listeners.length, 0);
});

test('a taken port is refused with its errno and the holder, a taken prefix with its own code', async (t) => {
  const { path } = await scene(t);
  const { ask } = await dial(t, path);
  await ask(HELLO);
  const claimed = await ask(CLAIM);
  assert.ok(claimed.kind === 'claimed');
  const place = { kind: 'port', port: claimed.port, address: '127.0.0.1', isSecure: false };
  const refused = await ask({ kind: 'claim', claim: 2, place });
  assert.ok(refused.kind === 'refused');
  assert.equal(refused.errno, 'EADDRINUSE');
  assert.match(refused.message, /held by process 7 \(app\.js\)/);
  const prefix = await ask({ kind: 'claim', claim: 3, place: { kind: 'prefix', prefix: 'http://*:1/app/' } });
  assert.ok(prefix.kind === 'refused' && prefix.code === 'PREFIX_TAKEN');
});

test('what is no request is refused, and the connection goes on', async (t) => {
  const { path } = await scene(t);
  const { ask } = await dial(t, path);
  const bad = [
    '{', 'null', '[]', '{"kind":"claim"}', { ...CLAIM, place: { ...CLAIM.place, port: 70_000 } },
    { ...CLAIM, place: { ...CLAIM.place, address: 'name' } },
    { ...CLAIM, place: { ...CLAIM.place, address: ['127.0.0.1'] } },
    { ...CLAIM, place: { ...CLAIM.place, isSecure: 1 } },
    CLAIM, { ...HELLO, pid: 'x' },
  ];
  for (const request of bad) {
    const reply = await ask(request);
    assert.ok(reply.kind === 'refused' && reply.code === 'CONTROL_INVALID', JSON.stringify(request));
  }
  const other = await ask({ ...HELLO, version: 9 });
  assert.ok(other.kind === 'refused' && other.code === 'LINK_VERSION_MISMATCH');
  assert.equal((await ask(HELLO)).kind, 'welcome');
  const prefix = await ask({ kind: 'claim', claim: 1, place: { kind: 'prefix', prefix: 'nonsense' } });
  assert.ok(prefix.kind === 'refused' && prefix.code === 'PREFIX_INVALID');
});

test('the socket is for our user only, and a line without an end is cut', async (t) => {
  const { path } = await scene(t);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const { socket } = await dial(t, path);
  socket.on('error', () => {});
  socket.write('x'.repeat(70_000));
  await once(socket, 'close');
  const { socket: hasty } = await dial(t, path);
  hasty.on('error', () => {});
  hasty.write('\n'.repeat(1000));
  await once(hasty, 'close');
});
