// The thread transport against real debuggees: what a session sees of them, and what becomes of them without one.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { systemClock } from '../base/clock.ts';
import { InspectorClient, type InspectorEvent } from './inspector-client.ts';
import { dialInspectorThread } from './thread-inspector.ts';

/** The bundled preload, from dist or beside it. */
const REGISTER = [new URL('../../register.cjs', import.meta.url), new URL('../../dist/register.cjs', import.meta.url)]
  .map((url) => fileURLToPath(url))
  .find((path) => existsSync(path))!;

interface Debuggee {
  child: ChildProcess;
  path: string;
  url: string;
  output(): string;
}

/** Starts `source` as a hosted process whose fronts are a socket that only accepts. */
async function startDebuggee(
  t: TestContext,
  source: string,
  options: { start: 'run' | 'wait' | 'brk'; name?: string },
): Promise<Debuggee> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'slipstream-thread-')));
  const entry = join(folder, options.name ?? 'app.js');
  writeFileSync(entry, source);
  const front = createServer(() => {});
  const fronts = join(folder, 'front.sock');
  front.listen(fronts);
  await once(front, 'listening');
  const path = join(folder, 'inspector.sock');
  const child = spawn(process.execPath, ['--require', REGISTER, entry], {
    env: {
      ...process.env,
      SLIPSTREAM_FRONTS: fronts,
      SLIPSTREAM_KEY: 'key',
      SLIPSTREAM_INSPECTOR: JSON.stringify({ path, start: options.start }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  }
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    front.close();
    rmSync(folder, { recursive: true });
  });
  return { child, path, url: pathToFileURL(entry).href, output: () => text };
}

class Session {
  client!: InspectorClient;
  url = '';
  isOver = false;
  #events: InspectorEvent[] = [];
  #wake: (() => void)[] = [];

  static async open(path: string): Promise<Session> {
    const options = { path, retries: 400, retryDelayMs: 25, clock: systemClock };
    const { transport, target } = await dialInspectorThread(options);
    const session = new Session();
    session.url = target.url;
    session.client = new InspectorClient(transport, systemClock, {
      onEvent: (event) => {
        session.#events.push(event);
        for (const wake of session.#wake.splice(0)) wake();
      },
      onEnd: () => (session.isOver = true),
    });
    return session;
  }

  /** The next event of this kind; those before it are dropped. */
  async event(method: string): Promise<Record<string, unknown>> {
    for (;;) {
      for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
        if (event.method === method) return event.params();
      }
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }
}

const LOOP = 'setInterval(() => {}, 1000);\n';

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** How the process ended, also if it did so before. */
async function exitOf({ child }: Debuggee): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}

test('brk stops before the first line, of CommonJS and of modules; the socket is private', async (t) => {
  for (const name of ['app.js', 'app.mjs']) {
    const app = await startDebuggee(t, `console.log('begun');\n${LOOP}`, { start: 'brk', name });
    const session = await Session.open(app.path);
    assert.equal(session.url, app.url);
    if (process.platform !== 'win32') assert.equal(statSync(app.path).mode & 0o777, 0o600);
    await session.client.call('Runtime.enable');
    await session.client.call('Debugger.enable');
    await session.client.call('Runtime.runIfWaitingForDebugger');
    const { reason, callFrames, hitBreakpoints } = await session.event('Debugger.paused');
    assert.equal(reason, 'Break on start');
    assert.deepEqual(hitBreakpoints, []);
    const [frame] = callFrames as { location: { lineNumber: number } }[];
    assert.equal(frame!.location.lineNumber, 0);
    assert.equal(app.output(), '');
    await session.client.call('Debugger.resume');
    await until(() => app.output().includes('begun'));
    session.client.close();
  }
});

test('breakpoints armed while it waits hold; it is paused while it spins, evaluated there, and goes on', async (t) => {
  // In a function of its own: V8 of Node 22 cannot stop an endless loop in one that has a breakpoint.
  const spin = 'function spin() {\n  for (;;) count += 1;\n}\n';
  const app = await startDebuggee(t, `let count = 7;\ncount += 1;\nconsole.log('begun');\nspin();\n${spin}`, {
    start: 'wait',
  });
  const session = await Session.open(app.path);
  await session.client.call('Debugger.enable');
  await session.client.call('Debugger.setBreakpointByUrl', { url: app.url, lineNumber: 1 });
  await session.client.call('Runtime.runIfWaitingForDebugger');
  const { callFrames } = await session.event('Debugger.paused');
  const [{ callFrameId }] = callFrames as [{ callFrameId: string }];
  const { result } = await session.client.call('Debugger.evaluateOnCallFrame', { callFrameId, expression: 'count' });
  assert.equal((result as { value: unknown }).value, 7);
  await session.client.call('Debugger.resume');
  await until(() => app.output().includes('begun'));
  await session.client.call('Debugger.pause');
  await session.event('Debugger.paused');
  session.client.close();
});

test('what V8 refuses comes back with its code and words', async (t) => {
  const app = await startDebuggee(t, LOOP, { start: 'run' });
  const session = await Session.open(app.path);
  await assert.rejects(session.client.call('Debugger.resume'), /failed: Can only perform operation while paused\.$/);
  await assert.rejects(session.client.call('No.such'), /No\.such/);
  session.client.close();
});

test('no session keeps a program that has finished', async (t) => {
  const app = await startDebuggee(t, `console.log('done');\nprocess.exit(3);\n`, { start: 'wait' });
  const session = await Session.open(app.path);
  await session.client.call('NodeRuntime.notifyWhenWaitingForDisconnect', { enabled: true });
  await session.client.call('Debugger.enable');
  // It may be gone before it answers.
  session.client.forward('Runtime.runIfWaitingForDebugger', {}, () => {});
  assert.equal(await exitOf(app), 3);
  await until(() => session.isOver);
});

test('a session hears all of a program that ends at once: the answer that let it go, and its last words', async (t) => {
  const source = `debugger;\nconsole.log('last words');\nprocess.exit(3);\n`;
  for (let round = 0; round < 3; round++) {
    const app = await startDebuggee(t, source, { start: 'wait' });
    const session = await Session.open(app.path);
    await session.client.call('Runtime.enable');
    await session.client.call('Debugger.enable');
    await session.client.call('Runtime.runIfWaitingForDebugger');
    await session.event('Debugger.paused');
    await session.client.call('Debugger.resume');
    const { args } = await session.event('Runtime.consoleAPICalled');
    assert.equal((args as { value: string }[])[0]!.value, 'last words');
    assert.equal(await exitOf(app), 3);
    await until(() => session.isOver);
  }
});

test('a session that is cut leaves nothing paused, and another one can follow', async (t) => {
  const source = `setInterval(() => { debugger; console.log('beat'); }, 20);\n`;
  const app = await startDebuggee(t, source, { start: 'brk' });
  const first = await Session.open(app.path);
  await first.client.call('Debugger.enable');
  await first.client.call('Runtime.runIfWaitingForDebugger');
  await first.event('Debugger.paused');
  first.client.close();
  await until(() => app.output().includes('beat'));
  const second = await Session.open(app.path);
  await second.client.call('Debugger.enable');
  await second.event('Debugger.paused');
  second.client.close();
});

test('threads of the program are seen, the one of the inspector is not', async (t) => {
  const worker = `const { Worker } = require('node:worker_threads');
    new Worker('setInterval(() => {}, 1000)', { eval: true, name: 'mine' });`;
  const app = await startDebuggee(t, worker, { start: 'wait' });
  const session = await Session.open(app.path);
  await session.client.call('NodeWorker.enable', { waitForDebuggerOnStart: true });
  await session.client.call('Runtime.runIfWaitingForDebugger');
  const { sessionId, workerInfo } = await session.event('NodeWorker.attachedToWorker');
  assert.doesNotMatch((workerInfo as { url: string }).url, /inspector-thread/);
  const message = '{"id":1,"method":"Runtime.runIfWaitingForDebugger"}';
  await session.client.call('NodeWorker.sendMessageToWorker', { sessionId, message });
  const answer = await session.event('NodeWorker.receivedMessageFromWorker');
  assert.equal(JSON.parse(answer['message'] as string).id, 1);
  session.client.close();
});
