// The program behind a session: how it starts, stops, ends and is never held up by it, with its worker threads.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { systemClock, type Clock } from '../base/clock.ts';
import { startInspected } from './inspected-program.test.support.ts';
import { createSessionProxy } from './session-proxy.ts';
import {
  ask,
  BASE,
  cleanups,
  frameValue,
  keyOf,
  launch,
  output,
  Page,
  proxyOptions,
  scene,
  served,
  withLoop,
  WORK_LINE,
  WORKER_LOOP,
} from './session-proxy.test.support.ts';

for (const name of ['app.cjs', 'app.mjs']) {
  test(`brk stops ${name} before its first line, and the stop waits for a viewer`, async () => {
    const { page, url, child } = await scene('globalThis.ran = 1;\nprocess.exit(0);\n', { brk: true, name });
    const viewer = await page();
    const pause = await viewer.event('Debugger.paused');
    assert.equal(pause.reason, 'Break on start');
    const script = viewer.events('Debugger.scriptParsed').find((candidate) => candidate.url === url);
    assert.equal(pause.callFrames[0].location.scriptId, script.scriptId);
    assert.equal(await frameValue(viewer, pause, 'typeof ran'), 'undefined');
    const exited = once(child, 'exit');
    await viewer.call('Debugger.resume');
    assert.deepEqual(await exited, [0, null]);
  });
}

test('a program that finishes is not kept alive, and viewers hear of its end', async () => {
  const { page, child, proxy, exited, origin } = await scene(
    `process.stdin.once('data', () => { console.log('last words'); process.stdin.pause(); });`,
  );
  const headers = await keyOf(origin);
  const viewer = await page();
  await viewer.send('Runtime.evaluate', { expression: 'new Promise(() => {})', awaitPromise: true });
  child.stdin!.end('go');
  assert.deepEqual(await exited, [0, null]);
  assert.match(await proxy.ended, /finished/);
  await viewer.until(() => viewer.farewell);
  assert.equal(viewer.events('Runtime.consoleAPICalled').at(-1).args[0].value, 'last words');
  assert.equal(viewer.events('Target.detachedFromTarget').length, 1);
  assert.equal(viewer.events('Inspector.detached').length, 1);
  assert.equal(viewer.farewell!.status, 410);
  assert.equal(JSON.parse(viewer.farewell!.body).code, 'DEBUGGER_NOT_RUNNING');
  const late = await ask(origin, `${BASE}cdp/`, { method: 'POST', headers });
  assert.equal(late.status, 410);
});

test('process.exit is not held up, whoever watches', async () => {
  const { page, exited } = await withLoop();
  const viewer = await page();
  await viewer.send('Runtime.evaluate', { expression: 'process.exit(7)' });
  assert.deepEqual(await exited, [7, null]);
});

test('a debuggee killed at a breakpoint ends the session, pending commands fail', async () => {
  const { page, child, proxy, url } = await withLoop();
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  const pending = await viewer.send('Runtime.evaluate', {
    expression: 'new Promise(() => {})',
    awaitPromise: true,
  });
  child.stdin!.write('one');
  await viewer.event('Debugger.paused');
  child.kill('SIGKILL');
  await proxy.ended;
  await viewer.until(() => viewer.farewell);
  const failed = viewer.messages.find((message) => message.id === pending);
  assert.equal(failed?.error?.message, 'Debug Session Ended');
  assert.equal(viewer.events('Inspector.detached').length, 1);
});

test('what a viewer says to the domains of the session itself changes nothing for others', async () => {
  const { page, exited } = await scene(
    `const { Worker } = require('node:worker_threads');
     globalThis.worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
     setInterval(() => {}, 1000);`,
  );
  const [first, second] = [await page(), await page()];
  await second.call('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: true, flatten: true });
  await second.until(() => second.events('Target.attachedToTarget').length === 2);
  const { sessionId } = second.events('Target.attachedToTarget')[1];
  for (const domain of ['NodeWorker', 'NodeRuntime']) {
    await first.call(`${domain}.enable`, { waitForDebuggerOnStart: false });
    await first.call(`${domain}.disable`);
    await first.call(`${domain}.enable`, { waitForDebuggerOnStart: false });
  }
  await first.call('NodeRuntime.notifyWhenWaitingForDisconnect', { enabled: false });
  await first.close();
  const { result } = await second.call('Runtime.evaluate', { expression: '6 * 7' }, sessionId);
  assert.equal(result.value, 42);
  assert.equal(second.events('Target.detachedFromTarget').length, 0);
  await second.send('Runtime.evaluate', { expression: 'process.exit(7)' });
  assert.deepEqual(await exited, [7, null]);
});

test('worker threads are targets, armed with the breakpoints of the program', async () => {
  const { page, folder } = await scene(
    `const { Worker } = require('node:worker_threads');
     globalThis.begin = () => { globalThis.worker = new Worker(__dirname + '/worker.cjs'); };
     setInterval(() => {}, 1000);`,
  );
  const file = join(folder, 'worker.cjs');
  writeFileSync(file, `const answer = 42;\nglobalThis.done = answer;\nsetInterval(() => {}, 1000);\n`);
  const url = pathToFileURL(file).href;
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: 1 });
  const wanted = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true };
  await viewer.call('Target.setAutoAttach', wanted);
  await viewer.call('Runtime.evaluate', { expression: 'begin()' });
  await viewer.until(() => viewer.events('Target.attachedToTarget').length === 2);
  const { sessionId, targetInfo } = viewer.events('Target.attachedToTarget')[1];
  assert.match(sessionId, /^p\d+\.1$/);
  assert.equal(targetInfo.type, 'node_worker');
  await viewer.call('Runtime.enable', {}, sessionId);
  await viewer.call('Debugger.enable', {}, sessionId);
  const pause = await viewer.event('Debugger.paused');
  assert.equal(pause.callFrames[0].location.lineNumber, 1);
  // Another viewer finds the worker standing there.
  const other = await page();
  await other.call('Target.setAutoAttach', { autoAttach: true, flatten: true });
  await other.until(() => other.events('Target.attachedToTarget').length === 2);
  await other.call('Debugger.enable', {}, sessionId);
  await other.event('Debugger.paused');
  await other.call('Debugger.resume', {}, sessionId);
  await viewer.event('Debugger.resumed');
  await other.call('Runtime.evaluate', { expression: 'worker.terminate(); 0' });
  const gone = await viewer.event('Target.detachedFromTarget');
  assert.equal(gone.sessionId, sessionId);
});

test('an inspector that belongs to another process is left alone', async () => {
  const { folder, port, child } = await launch('process.exit(0);', { brk: true });
  const proxy = createSessionProxy(proxyOptions(folder, { pid: 1, port }));
  const message = /belongs to process \d+, not to 1/;
  await assert.rejects(proxy.ready, { code: 'DEBUGGEE_UNREACHABLE', message });
  assert.match(await proxy.ended, /belongs to process/);
  assert.equal(child.exitCode, null);
});

test('a port without an inspector is given up after a while', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slip-debug-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const server = createServer((_request, response) => response.end('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const options = proxyOptions(folder, { pid: 1, port });
  const hurried: Clock = { ...systemClock, after: (_ms, callback) => systemClock.after(0, callback) };
  const proxy = createSessionProxy({ ...options, clock: hurried });
  await assert.rejects(proxy.ready, { code: 'DEBUGGEE_UNREACHABLE' });
  assert.match(await proxy.ended, /did not answer/);
});

test('what is armed is kept, and stops the next program before its first line is through', async () => {
  const source = 'const first = 1;\nconst second = 2;\nsetInterval(() => {}, 1000);\n';
  const earlier = await scene(source);
  const viewer = await earlier.page();
  const { url } = earlier;
  await viewer.call('Debugger.setBreakpointByUrl', { url: 'file:///other.js', lineNumber: 1 });
  const { breakpointId } = await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: 2 });
  await viewer.call('Debugger.removeBreakpoint', { breakpointId });
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: 1, condition: 'first === 1' });
  const file = join(earlier.folder, 'kept', 'settings.armed.json');
  while (!existsSync(file) || !readFileSync(file, 'utf8').includes('first === 1')) await viewer.call('Debugger.enable');
  earlier.proxy.close();

  const entry = fileURLToPath(url);
  const { child, port } = await startInspected(entry, 'inspect-wait');
  cleanups.push(() => child.kill('SIGKILL'));
  const proxy = createSessionProxy(proxyOptions(earlier.folder, { pid: child.pid!, port }));
  cleanups.push(() => proxy.close());
  await proxy.ready;
  const origin = await served(proxy);
  const colleague = await new Page(origin).start();
  const pause = await colleague.event('Debugger.paused');
  assert.equal(pause.callFrames[0].location.lineNumber, 1);
  assert.equal(pause.hitBreakpoints.length, 1);
});

test('a pause that nobody looks at ends after its time, and the next viewer is told', async () => {
  const { page, url, child } = await scene(WORKER_LOOP, { unattended: { kind: 'resume', afterMs: 50 } });
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  child.stdin!.write('one');
  await viewer.event('Debugger.paused');
  const answered = output(child);
  await viewer.close();
  assert.equal(await answered, 'one 1\n');
  const colleague = await page();
  assert.match(colleague.events('Runtime.consoleAPICalled').at(-1).args[0].value, /went on after a pause of 0.05 s/);
});
