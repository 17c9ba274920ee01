import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { takeHostLock } from './host-lock.ts';

function place(t: TestContext): { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-lock-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return { folder, path: join(folder, 'lock') };
}

test('a lock is held until it is released, and leaves nothing', (t) => {
  const { folder, path } = place(t);
  const lock = takeHostLock(path);
  assert.equal(lock?.isHeld(), true);
  lock.release();
  assert.equal(lock.isHeld(), false);
  assert.deepEqual(readdirSync(folder), []);
});

test('a lock of a living process is respected, that of a dead one taken over', (t) => {
  const { path } = place(t);
  writeFileSync(path, `${process.ppid}\n`);
  assert.equal(takeHostLock(path), null);
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  writeFileSync(path, `${pid}\n`);
  assert.equal(takeHostLock(path)?.isHeld(), true);
});

test('an old lock whose pid is another program now is taken over, a young one is not', (t) => {
  const { path } = place(t);
  writeFileSync(path, `${process.ppid}\n`);
  assert.equal(takeHostLock(path, () => true), null);
  assert.equal(takeHostLock(path, () => true, -1)?.isHeld(), true);
});

test('of many processes that want a dead one\'s lock one gets it', async (t) => {
  const { path } = place(t);
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  writeFileSync(path, `${pid}\n`);
  const module = JSON.stringify(new URL(import.meta.url.replace('.test.', '.')).href);
  const source = `const { takeHostLock } = await import(${module});
    const lock = takeHostLock(${JSON.stringify(path)});
    console.log(lock === null ? 'no' : 'yes');
    setInterval(() => {}, 1000);`;
  const children = Array.from({ length: 6 }, () => {
    return spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  });
  t.after(() => children.forEach((child) => child.kill('SIGKILL')));
  const answers = await Promise.all(children.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()));
  assert.equal(answers.filter((answer) => answer === 'yes').length, 1, answers.join());
});
