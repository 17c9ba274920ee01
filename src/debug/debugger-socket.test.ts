// A debugger socket with a real proxy process, before a debuggee that answers every line.

import { after, afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DebuggerSocket } from './debugger-socket.ts';
import { pipeProxySource } from './pipe-proxy.ts';

const cleanups: (() => unknown)[] = [];
// Retries keep no program alive; a user of the socket has something else that does.
const alive = setInterval(() => {}, 60_000);
after(() => clearInterval(alive));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Debuggee {
  port: number;
  connections: Socket[];
  server: Server;
}

/** Answers "x" with "<x>"; keeps its connections. */
async function startDebuggee(port = 0): Promise<Debuggee> {
  const connections: Socket[] = [];
  const server = createServer((socket) => {
    connections.push(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (part) => socket.write(`<${String(part)}>`));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    for (const socket of connections) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, connections, server };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    server.once('error', () => resolve(false));
  });
}

/** Sits before a proxy, so that the test can cut the connection. */
async function startCutter(port: number): Promise<{ port: number; cut(): void; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const close = (): void => {
    server.close();
    cut();
  };
  cleanups.push(close);
  return { port: (server.address() as AddressInfo).port, cut, close };
}

function record(socket: DebuggerSocket): string[] {
  const events: string[] = [];
  for (const name of ['connect', 'away', 'beforeBack', 'back', 'end'] as const) {
    socket.on(name, () => void events.push(name));
  }
  socket.on('data', (text) => events.push(`data ${text}`));
  return events;
}

test('a socket starts its proxy, talks, goes away and comes back in the documented order', async () => {
  const debuggee = await startDebuggee();
  const proxyPort = await freePort();
  const source = pipeProxySource({ debuggeePort: debuggee.port, port: proxyPort });
  const socket = new DebuggerSocket(debuggee.port, { source, port: proxyPort, retryIntervalMs: 20 });
  cleanups.push(() => socket.close());
  assert.equal(socket.connected, undefined);
  assert.equal(socket.state, null);
  assert.equal(socket.attached, false);
  const events = record(socket);
  socket.connect();
  assert.equal(socket.connected, socket.CONNECTING);
  assert.equal(socket.state, 'connecting');
  socket.send('early');
  await once(socket, 'data');
  assert.deepEqual(events, ['connect', 'data <early>']);
  assert.equal(socket.connected, DebuggerSocket.CONNECTED);

  // A second user's socket finds the proxy, through a network that can be cut.
  const cutter = await startCutter(proxyPort);
  const other = new DebuggerSocket(0, { source: 'process.exit(3)', port: cutter.port, retryIntervalMs: 20 });
  cleanups.push(() => other.close());
  const seen = record(other);
  let mayGoOn = true;
  other.on('beforeBack', () => mayGoOn as unknown as void);
  other.connect();
  await once(other, 'connect');
  cutter.cut();
  await once(other, 'away');
  assert.equal(other.state, 'away');
  assert.equal(other.attached, true);
  const answered = once(other, 'data');
  other.send('kept');
  await answered;
  assert.deepEqual(seen, ['connect', 'away', 'beforeBack', 'back', 'data <kept>']);

  mayGoOn = false;
  const before = once(other, 'beforeBack');
  cutter.cut();
  await before;
  assert.equal(other.state, 'away', 'a cancelled return waits');
  const back = once(other, 'back');
  other.enable();
  await back;
  assert.equal(other.state, 'connected');
  assert.equal(debuggee.connections.length, 1, 'the debuggee noticed nothing');

  // Nobody listens any more where the proxy was: the session is over.
  const failure = new Promise<Error | null>((resolve) => {
    other.once('away', () => other.send('lost', resolve));
  });
  const end = once(other, 'end');
  cutter.close();
  await end;
  assert.equal((await failure)?.message, 'Debug Session Ended');
});

test('two starters make one proxy, and both are connected', async () => {
  const debuggee = await startDebuggee();
  const port = await freePort();
  const source = pipeProxySource({ debuggeePort: debuggee.port, port });
  const sockets = [1, 2].map(() => new DebuggerSocket(debuggee.port, { source, port, retryIntervalMs: 20 }));
  for (const socket of sockets) cleanups.push(() => socket.close());
  const both = Promise.all(sockets.map((socket) => once(socket, 'connect')));
  for (const socket of sockets) socket.connect();
  await both;
  const answers = Promise.all(sockets.map((socket) => once(socket, 'data')));
  sockets[0]!.send('hi');
  await answers;
});

test('a debuggee that cannot be reached ends each attempt, and none is the last', async () => {
  const port = await freePort();
  const source = pipeProxySource({ debuggeePort: 1, port, retries: 1, retryIntervalMs: 1 });
  const socket = new DebuggerSocket(1, { source, port, retries: 1, retryIntervalMs: 5 });
  cleanups.push(() => socket.close());
  const failed = new Promise<Error | null>((resolve) => void setImmediate(() => socket.send('x', resolve)));
  socket.connect();
  assert.equal((await failed)?.message, 'Debug Session Ended');
  await once(socket, 'end');
  assert.equal(socket.state, 'disconnected');
});

test('users hear within a moment that the debuggee ended', async () => {
  const debuggee = await startDebuggee();
  const port = await freePort();
  const source = pipeProxySource({ debuggeePort: debuggee.port, port, retries: 1, retryIntervalMs: 1 });
  const socket = new DebuggerSocket(debuggee.port, { source, port, retries: 1, retryIntervalMs: 5 });
  cleanups.push(() => socket.close());
  socket.connect();
  await once(socket, 'connect');
  const end = once(socket, 'end');
  debuggee.server.close();
  for (const connection of debuggee.connections) connection.destroy();
  await end;
});

test('a debuggee that starts again is an end and then a connection, without a word of the user', async () => {
  const debuggee = await startDebuggee();
  const port = await freePort();
  const source = pipeProxySource({ debuggeePort: debuggee.port, port, retries: 1, retryIntervalMs: 1 });
  const socket = new DebuggerSocket(debuggee.port, { source, port, retries: 1, retryIntervalMs: 5 });
  cleanups.push(() => socket.close());
  const events = record(socket);
  socket.connect();
  await once(socket, 'connect');
  const ended = once(socket, 'end');
  debuggee.server.close();
  for (const connection of debuggee.connections) connection.destroy();
  await ended;
  const connected = once(socket, 'connect');
  await startDebuggee(debuggee.port);
  await connected;
  const answered = once(socket, 'data');
  socket.send('again');
  await answered;
  const told = events.filter((event, index) => event !== events[index - 1]);
  assert.deepEqual(told, ['connect', 'away', 'end', 'connect', 'data <again>']);
});

test('without a port the proxy is one above the debug port', async () => {
  let debuggee = await startDebuggee();
  while (!(await isFree(debuggee.port + 1))) debuggee = await startDebuggee();
  const source = pipeProxySource({ debuggeePort: debuggee.port, port: debuggee.port + 1 });
  const socket = new DebuggerSocket(debuggee.port, { source, retryIntervalMs: 20 });
  cleanups.push(() => socket.close());
  socket.connect();
  await once(socket, 'connect');
  const answered = once(socket, 'data');
  socket.send('here');
  assert.deepEqual(await answered, ['<here>']);
});

test('a proxy at a socket path that is not there at once is waited for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slip-socket-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const socketPath = join(folder, 'proxy.sock');
  const source = `process.stdout.write('\u00df');
    const server = require('node:net').createServer((user) => user.end('at the path'));
    setTimeout(() => server.listen(${JSON.stringify(socketPath)}), 100);
    setTimeout(() => process.exit(), 10_000).unref();
    server.on('connection', () => server.close());`;
  const socket = new DebuggerSocket(1, { source, socketPath, retryIntervalMs: 10 });
  cleanups.push(() => socket.close());
  socket.connect();
  assert.deepEqual(await once(socket, 'data'), ['at the path']);
});

test('what is sent to a closed socket fails, and close tells why', async () => {
  const socket = new DebuggerSocket(1, false);
  const never = await new Promise<Error | null>((resolve) => void socket.send('x', resolve));
  assert.equal(never?.message, 'Debug Session Ended');
  const ended = once(socket, 'end');
  socket.connect();
  const reason = new Error('enough');
  socket.close(reason);
  assert.deepEqual(await ended, [reason]);
  assert.equal(socket.state, null);
  assert.equal(socket.connected, socket.DISCONNECTED);
});
