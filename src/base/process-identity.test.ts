import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { killGroupOf, startOf } from './process-identity.ts';

test('a process has a start as long as it lives, and is killed by that only', async (t) => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { detached: true });
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const start = startOf(child.pid!);
  assert.notEqual(start, undefined);
  assert.equal(startOf(child.pid!), start);
  killGroupOf(child.pid!, `not ${start}`);
  assert.equal(startOf(child.pid!), start);
  const exited = once(child, 'exit');
  killGroupOf(child.pid!, start!);
  assert.deepEqual(await exited, [null, 'SIGKILL']);
  assert.equal(startOf(child.pid!), undefined);
});
