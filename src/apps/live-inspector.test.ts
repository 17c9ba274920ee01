import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { HandClock } from '../base/clock.ts';
import { INSPECTOR_TIMEOUT_MS, LiveInspector } from './live-inspector.ts';

const WORDS = '"ready"); ';

interface Program {
  pid: number;
  inspector: LiveInspector;
  clock: HandClock;
  end(): Promise<void>;
}

async function start(source: string): Promise<Program> {
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'pipe'] });
  const clock = new HandClock();
  const inspector = new LiveInspector(clock);
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n')) inspector.hear(line);
  });
  await once(child.stdout, 'data');
  return {
    pid: child.pid!,
    inspector,
    clock,
    async end() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

test('the inspector of a process that spins is opened, on a port of its own', async () => {
  const source = `process.debugPort = 0; console.log(${WORDS} setTimeout(() => { for (;;); }, 1)`;
  const program = await start(source);
  const port = await program.inspector.open(program.pid);
  const answer = await fetch(`http://127.0.0.1:${port}/json/version`);
  assert.equal(answer.status, 200);
  await answer.text();
  const again = program.inspector.open(program.pid);
  program.clock.advance(INSPECTOR_TIMEOUT_MS);
  assert.equal(await again, port);
  await program.end();
});

const noSignals = process.platform === 'win32';

test('a process that keeps the signal for itself is said to be out of reach', { skip: noSignals }, async () => {
  const program = await start(`process.on('SIGUSR1', () => {}); console.log(${WORDS} setInterval(() => {}, 1000)`);
  const opening = program.inspector.open(program.pid);
  program.clock.advance(INSPECTOR_TIMEOUT_MS);
  await assert.rejects(opening, { code: 'DEBUGGEE_UNREACHABLE' });
  await program.end();
});
