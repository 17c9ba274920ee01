// Core files on Linux: what a process writes that keeps its memory out of them, with the limit of their size lifted.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Type of an entry in the table of an ELF file: a piece of memory. */
const PT_LOAD = 1;
/** What the kernel lends each process (vDSO, its data, vsyscall) is written always. */
const KERNEL_BYTES_MAX = 65_536;
const MODULE = new URL('core-files.js', import.meta.url).href;

/** Bytes of memory in a core file of 64 bits: the sum of its loadable segments. */
function memoryInCore(file: string): number {
  const core = readFileSync(file);
  assert.equal(core.toString('latin1', 0, 6), '\x7fELF\x02\x01');
  const [tableAt, entryBytes, entries] = [core.readBigUInt64LE(32), core.readUInt16LE(54), core.readUInt16LE(56)];
  return Array.from({ length: entries }, (_, index) => Number(tableAt) + index * entryBytes)
    .filter((at) => core.readUInt32LE(at) === PT_LOAD)
    .reduce((sum, at) => sum + Number(core.readBigUInt64LE(at + 32)), 0);
}

/** Runs an ES module that ends by SIGABRT; the core file that it left in `folder`, if there is one. */
function coreOf(folder: string, source: string): string | undefined {
  const lifted = ['-c', 'ulimit -c unlimited && exec "$@"', 'sh', process.execPath];
  const words = [...lifted, '--input-type=module', '-e', source];
  const { signal, stderr } = spawnSync('/bin/sh', words, { cwd: folder });
  assert.equal(signal, 'SIGABRT', String(stderr));
  const [core] = readdirSync(folder).filter((name) => name.startsWith('core'));
  return core === undefined ? undefined : join(folder, core);
}

/** Why no core file can be looked at here. */
function whyNoCore(): string | false {
  if (process.platform !== 'linux') return 'only Linux has a filter for core files';
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'latin1').trim();
  if (!/^core\b[^/|]*$/.test(pattern)) return `core files go to ${pattern}`;
  return spawnSync('/bin/sh', ['-c', 'ulimit -c unlimited']).status !== 0 && 'the limit of core files cannot be lifted';
}

test('a core file without memory has none of the process, that of one which did not ask has all', {
  skip: whyNoCore(),
}, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-core-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const usual = coreOf(folder, 'process.abort();');
  assert.ok(usual !== undefined && memoryInCore(usual) > 1_000_000);
  rmSync(usual);
  const asks = `import { keepMemoryOutOfCores } from ${JSON.stringify(MODULE)}; keepMemoryOutOfCores();`;
  const kept = coreOf(folder, `${asks} process.abort();`);
  assert.ok(kept !== undefined);
  assert.ok(memoryInCore(kept) < KERNEL_BYTES_MAX);
});

test('a process without a core file leaves none', { skip: process.platform === 'win32' && 'Unix only' }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-core-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const source = `
    import { fork } from 'node:child_process';
    import { withoutCore } from ${JSON.stringify(MODULE)};
    fork(process.argv[1], { ...withoutCore(['--stack-trace-limit=7']), stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
      .on('message', (message) => console.log(JSON.stringify(message)))
      .on('exit', (code, signal) => console.log(signal));`;
  const program = join(folder, 'aborts.cjs');
  writeFileSync(program, 'process.send([process.execArgv, process.execPath], () => process.abort());');
  const lifted = ['-c', 'ulimit -c unlimited 2>/dev/null; exec "$@"', 'sh', process.execPath];
  const words = [...lifted, '--input-type=module', '-e', source, program];
  const { stdout } = spawnSync('/bin/sh', words, { cwd: folder, encoding: 'utf8' });
  assert.equal(stdout, `${JSON.stringify([['--stack-trace-limit=7'], process.execPath])}\nSIGABRT\n`);
  assert.deepEqual(readdirSync(folder), ['aborts.cjs']);
});
