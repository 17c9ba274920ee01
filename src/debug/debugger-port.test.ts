// Ports of the range, with and without real sockets.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createDebuggerPorts, isPortFree } from './debugger-port.ts';

const allFree = (): Promise<boolean> => Promise.resolve(true);

test('ports go round robin, and a port that was given back waits for its turn', async () => {
  const ports = createDebuggerPorts({ start: 10, end: 12 }, allFree);
  assert.equal(await ports.acquire(), 10);
  ports.release(10);
  assert.equal(await ports.acquire(), 11);
  assert.equal(await ports.acquire(), 12);
  assert.equal(await ports.acquire(), 10);
});

test('busy ports and ports in use here are skipped', async () => {
  const ports = createDebuggerPorts({ start: 10, end: 13 }, (port) => Promise.resolve(port !== 11));
  assert.deepEqual([await ports.acquire(), await ports.acquire(), await ports.acquire()], [10, 12, 13]);
  await assert.rejects(ports.acquire(), { code: 'DEBUGGER_PORTS_EXHAUSTED', message: /10 to 13/ });
  ports.release(12);
  assert.equal(await ports.acquire(), 12);
});

test('two who ask at once get two ports', async () => {
  const ports = createDebuggerPorts({ start: 10, end: 12 }, allFree);
  const both = await Promise.all([ports.acquire(), ports.acquire()]);
  assert.equal(new Set(both).size, 2);
});

test('a port is free when it can be bound on 127.0.0.1', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  assert.equal(await isPortFree(port), false);
  server.close();
  await once(server, 'close');
  assert.equal(await isPortFree(port), true);
});
