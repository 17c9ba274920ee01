import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InheritedSockets } from './inherited-sockets.ts';
import type { BoundHandle } from './listen-origin.ts';

test('InheritedSockets gives each socket once, by address and port, to the process that it is for', () => {
  const names: Record<number, { address?: string; port?: number }> = {
    3: { address: '127.0.0.1', port: 80 }, 4: { address: '::', port: 443 }, 5: {},
  };
  const closed: number[] = [];
  const open = (descriptor: number): BoundHandle | number => names[descriptor] === undefined ? -9 : {
    getsockname: (out) => (Object.assign(out, names[descriptor]), 0),
    close: () => void closed.push(descriptor),
  };
  const variables = { LISTEN_PID: '7', LISTEN_FDS: '4', LISTEN_FDNAMES: 'a:b', OTHER: 'x' };
  const environment: NodeJS.ProcessEnv = { ...variables };
  const sockets = new InheritedSockets(environment, 7, open);
  assert.deepEqual(environment, { OTHER: 'x' });
  assert.deepEqual(closed, [5], 'what has no name');
  assert.deepEqual(sockets.unused, ['127.0.0.1:80', '[::]:443']);
  assert.equal(sockets.take('127.0.0.1', 81), undefined);
  assert.equal(sockets.take('0.0.0.0', 80), undefined);
  assert.ok(sockets.take('127.0.0.1', 80));
  assert.equal(sockets.take('127.0.0.1', 80), undefined, 'once');
  assert.deepEqual(sockets.unused, ['[::]:443']);
  assert.deepEqual(new InheritedSockets({ ...variables }, 8, open).unused, [], 'for another process');
});
