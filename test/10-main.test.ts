// Does anything get through at all? The samples, alone and behind the host; what the program prints, how it
// ends, and which words it refuses.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import { PROJECT_ROOT } from '../scripts/project.ts';
import { runCli, startHost, type RunningHost } from './host-fixture.ts';
import { SAMPLE_VISITS } from './sample-visits.ts';

const SAMPLES = join(PROJECT_ROOT, 'samples');
const VISIT_TIMEOUT_MS = 30_000;
const HELLO = `require('http').createServer((q, r) => r.end('hello')).listen(process.env.PORT)`;

test('every sample has a visit', () => {
  const folders = readdirSync(SAMPLES, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.deepEqual(folders.map(({ name }) => name).sort(), Object.keys(SAMPLE_VISITS).sort());
});

test('the walk-through of the buggy sample names lines as they are', () => {
  const guide = readFileSync(join(SAMPLES, 'buggy', 'README.md'), 'utf8');
  const source = readFileSync(join(SAMPLES, 'buggy', 'cart.js'), 'utf8');
  const lines = source.split('\n').map((line) => line.trim());
  const step = /number of line (\d+)[^`]*`([^`]+)`/.exec(guide);
  assert.equal(lines[Number(step?.[1]) - 1], step?.[2]);
  const cause = /open line (\d+): `([^`]+)`/.exec(guide);
  assert.equal(lines[Number(cause?.[1]) - 1], cause?.[2]);
});

/** Node itself where it strips types, else tsx. */
function wordsFor(name: string): string[] {
  const manifest = readFileSync(join(SAMPLES, name, 'package.json'), 'utf8');
  const entry = (JSON.parse(manifest) as { main: string }).main;
  // Absent before Node 22.10, false where it is switched off.
  const { typescript } = process.features as { typescript?: unknown };
  const isStripped = Boolean(typescript);
  return entry.endsWith('.ts') && !isStripped ? ['--import', 'tsx', entry] : [entry];
}

for (const [name, visit] of Object.entries(SAMPLE_VISITS)) {
  test(`sample ${name} runs alone`, { timeout: VISIT_TIMEOUT_MS }, async () => {
    const env: NodeJS.ProcessEnv = { ...process.env, PORT: '0' };
    delete env['SLIPSTREAM_BASE_PATH'];
    const child = spawn(process.execPath, wordsFor(name), {
      cwd: join(SAMPLES, name),
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
      await visit(/http:\S+/.exec(line)![0]);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
}

describe('the host with the samples', () => {
  let host: Promise<RunningHost> | undefined;
  const hosted = (): Promise<RunningHost> => (host ??= startHost({ root: SAMPLES }));
  after(async () => {
    await (await host)?.stop();
  });

  for (const [name, visit] of Object.entries(SAMPLE_VISITS)) {
    test(`sample ${name} runs behind the host`, { timeout: VISIT_TIMEOUT_MS }, async () => {
      await visit(`${(await hosted()).url}${name}/`);
    });
  }

  test('the index lists every sample and its debugger', async () => {
    const page = await (await fetch((await hosted()).url)).text();
    for (const name of Object.keys(SAMPLE_VISITS)) {
      assert.ok(page.includes(`href="/${name}/"`), name);
      assert.ok(page.includes(`href="/${name}/debug/"`), name);
    }
  });
});

test('serve prints one ready line, and its log as JSON when asked', async () => {
  const host = await startHost({ files: { 'hello/server.js': HELLO }, args: ['--json'] });
  try {
    assert.equal(await (await fetch(`${host.url}hello/`)).text(), 'hello');
  } finally {
    await host.stop();
  }
  const lines = host.output().split('\n').filter(Boolean);
  const ready = lines.filter((line) => line.startsWith('slipstream ready on http://127.0.0.1:'));
  assert.equal(ready.length, 1);
  for (const line of lines.filter((text) => text !== ready[0])) {
    assert.doesNotThrow(() => JSON.parse(line) as unknown, line);
  }
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} ends the host, its children and its socket files`, async () => {
    const host = await startHost({ files: { 'hello/server.js': HELLO } });
    try {
      assert.equal((await fetch(`${host.url}hello/`)).status, 200);
      assert.deepEqual(host.processes().map(({ role }) => role).sort(), ['app', 'front']);
      process.kill(host.pid, signal);
      assert.equal((await host.exited).code, 0);
      assert.equal(existsSync(host.runFolder), false);
    } finally {
      await host.stop();
    }
  });
}

const REFUSED: [fact: string, args: string[], says: RegExp][] = [
  ['an unknown verb', ['start'], /start/],
  ['an unknown option', ['serve', '.', '--lisen', 'http://127.0.0.1:0'], /--lisen/],
  ['a bad origin', ['serve', '.', '--listen', 'ftp://127.0.0.1:0'], /ftp:/],
  ['a root that is not there', ['serve', './no-such-folder'], /no-such-folder/],
  ['a configuration that is not there', ['serve', '.', '--config', './no-such.yml'], /no-such\.yml/],
];

for (const [fact, args, says] of REFUSED) {
  test(`the program refuses ${fact} in one line`, async () => {
    const { code, stderr } = await runCli(args);
    assert.notEqual(code, 0);
    assert.match(stderr, says);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}

test('the program names a port that is taken', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  try {
    const { port } = taken.address() as AddressInfo;
    const { code, stderr } = await runCli(['serve', SAMPLES, '--listen', `http://127.0.0.1:${port}`]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`${port}.*LISTEN_FAILED|LISTEN_FAILED.*${port}`));
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  } finally {
    taken.close();
  }
});
