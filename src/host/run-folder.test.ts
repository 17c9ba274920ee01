import { test } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostError } from '../base/host-error.ts';
import { homeFolder, makeRunFolder, rootOf, runFolders } from './run-folder.ts';

function scratch(): string {
  return mkdtempSync(join(tmpdir(), 'slip-'));
}

test('SLIPSTREAM_HOME wins over the runtime folder, that over the home folder', () => {
  assert.equal(homeFolder({ SLIPSTREAM_HOME: '/a', XDG_RUNTIME_DIR: '/b' }), '/a');
  assert.equal(homeFolder({ XDG_RUNTIME_DIR: '/b' }), '/b/slipstream');
  assert.match(homeFolder({}), /\.slipstream$/);
});

test('the run folder and its home are private, and the folder goes', () => {
  const home = join(scratch(), 'home');
  const run = makeRunFolder(home, '/srv/apps');
  assert.equal(rootOf(run.folder), '/srv/apps');
  assert.equal(statSync(home).mode & 0o777, 0o700);
  assert.equal(statSync(run.folder).mode & 0o777, 0o700);
  assert.deepEqual([...runFolders(home).keys()], [process.pid]);
  run.remove();
  assert.equal(existsSync(run.folder), false);
  assert.equal(runFolders(home).size, 0);
  rmSync(home, { recursive: true });
});

test('a home that others can write in is refused and left as it is', () => {
  const home = scratch();
  chmodSync(home, 0o777);
  assert.throws(
    () => makeRunFolder(home),
    (error) => error instanceof HostError && error.code === 'HOME_UNSAFE' && error.message.includes('777'),
  );
  assert.equal(statSync(home).mode & 0o777, 0o777);
  rmSync(home, { recursive: true });
});

test('what a dead host left is removed, what a living one has stays', () => {
  const home = scratch();
  // No process has the largest pid and then some.
  mkdirSync(join(home, 'run-99999999'));
  mkdirSync(join(home, `run-${process.ppid}`));
  makeRunFolder(home).remove();
  assert.equal(existsSync(join(home, 'run-99999999')), false);
  assert.equal(existsSync(join(home, `run-${process.ppid}`)), true);
  rmSync(home, { recursive: true });
});

test('a home whose path is too long for a socket gets a short run folder', () => {
  const home = join(scratch(), 'x'.repeat(100));
  const run = makeRunFolder(home);
  assert.ok(run.folder.length < 90);
  assert.deepEqual([...runFolders(home)], [[process.pid, run.folder]], 'found by its home all the same');
  assert.equal(statSync(run.folder).mode & 0o777, 0o700);
  run.remove();
  rmSync(home, { recursive: true });
});
