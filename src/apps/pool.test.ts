// One app over time, with real processes: what replaces what, and when.

import assert from 'node:assert/strict';
import { rmSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertFailed, assertServed, isAlive, makeFolder, makeRoom } from './fake-front.test.ts';
import { serverSource, withRoom, writeFiles } from './fake-front.test.ts';
import { HandClock } from '../base/clock.ts';

const ANY_PORT = { kind: 'port', port: 0 } as const;

const HELLO = { 'hello/server.js': serverSource() };
const GROUP = 'app:/hello/';

test('Pool starts all processes of a pool and replaces a killed one without being asked', async () => {
  await withRoom(await makeRoom(HELLO, { processes: 3 }), async ({ front, request, until, apps }) => {
    await request(GROUP);
    await until(() => front.serving().length === 3);
    const [first] = front.serving();
    process.kill(front.pidOf(first!), 'SIGKILL');
    await until(() => front.forgotten.includes(first!) && front.serving().length === 3);
    assert.equal(front.starts, 4);
    assert.equal(apps.status()[0]!.restarts, 1);
  });
});

test('Pool leaves a killed single process to the next request', async () => {
  await withRoom(await makeRoom(HELLO), async ({ apps, front, request, until }) => {
    for (let round = 1; round <= 3; round++) {
      const served = await request(GROUP);
      assertServed(served);
      assert.equal(front.starts, round);
      process.kill(front.pidOf(served[0]!), 'SIGKILL');
      await until(() => front.forgotten.length === round);
      assert.equal(apps.status()[0]!.state, 'idle');
    }
    assert.equal(front.failures.length, 0);
  });
});

test('Pool starts again when a process dies while a request waits for it', async () => {
  await withRoom(await makeRoom(HELLO), async ({ apps, front, request, until }) => {
    const served = await request(GROUP);
    assertServed(served);
    const pid = front.pidOf(served[0]!);
    apps.unlinked(served[0]!);
    apps.activate(GROUP);
    process.kill(pid, 'SIGKILL');
    await until(() => front.starts === 2 && front.serving().length === 1);
    assert.equal(front.failures.length, 0);
  });
});

test('Pool answers with the last failure within the back-off and starts nothing', async () => {
  const clock = new HandClock();
  const files = { 'bad/server.js': 'process.exit(3);\n' };
  await withRoom(await makeRoom(files, {}, { clock }), async ({ root, front, request, apps }) => {
    const first = await request('app:/bad/');
    assertFailed(first);
    assert.match(first.message, /exited with code 3 before it listened/);
    const second = await request('app:/bad/');
    assertFailed(second);
    assert.equal(second.retryAfterSeconds, 1);
    assert.equal(front.starts, 1);
    clock.advance(200);
    assertFailed(await request('app:/bad/'));
    assert.equal(front.starts, 2);
    writeFiles(root, { 'bad/server.js': serverSource() });
    assertServed(await request('app:/bad/'));
    assert.equal(apps.status()[0]!.restarts, 2);
  });
});

test('Pool recycles on a change: the new process takes over, then the old one drains and goes', async () => {
  await withRoom(await makeRoom(HELLO), async ({ root, front, request, until, apps }) => {
    front.drainsAtOnce = false;
    const [old] = (await request(GROUP)) as string[];
    await until(() => front.logged.includes('app-ready'));
    writeFiles(root, { 'hello/lib/part.js': '// new\n' });
    await until(() => front.retired.includes(old!));
    const [fresh] = front.serving();
    assert.notEqual(fresh, old);
    assert.ok(isAlive(front.pidOf(old!)), 'the old one finishes what it has');
    front.drain(old!);
    await until(() => front.forgotten.includes(old!));
    assert.deepEqual(front.serving(), [fresh]);
    assert.equal(apps.status()[0]!.restarts, 0);
  });
});

test('Pool keeps the old process when the new one fails, until a change mends it', async () => {
  await withRoom(await makeRoom(HELLO), async ({ root, front, request, until, apps }) => {
    const [old] = (await request(GROUP)) as string[];
    writeFiles(root, { 'hello/server.js': 'throw new Error("broken");\n' });
    await until(() => front.logged.includes('app-recycle-failed'));
    const [status] = apps.status();
    assert.equal(status!.state, 'ready');
    assert.equal(status!.lastFailure!.code, 'APP_EXITED');
    assert.deepEqual(front.serving(), [old]);
    writeFiles(root, { 'hello/server.js': serverSource('// mended') });
    await until(() => front.forgotten.includes(old!));
    assert.equal(front.serving().length, 1);
    assert.equal(apps.status()[0]!.lastFailure, undefined);
    assert.equal(front.failures.length, 0);
  });
});

test('Pool ends a process that does not drain when its time is over, and kills one that stays', async () => {
  const stays = serverSource("process.on('SIGTERM', () => console.log('no'));");
  const room = await makeRoom({ 'hello/server.js': stays }, { gracefulShutdownTimeoutMs: 100 });
  await withRoom(room, async ({ root, front, request, until, apps }) => {
    front.drainsAtOnce = false;
    const [old] = (await request(GROUP)) as string[];
    const pid = front.pidOf(old!);
    writeFiles(root, { 'hello/server.js': `${stays}// new\n` });
    await until(() => front.outputs.some((one) => one.line === 'no' && one.pid === pid));
    await apps.stop(50);
    assert.equal(isAlive(pid), false);
  });
});

test('Pool starts a debuggee in place of the regular processes and goes back after it', async () => {
  await withRoom(await makeRoom(HELLO), async ({ apps, front, request, until }) => {
    const [regular] = (await request(GROUP)) as string[];
    const app = apps.list()[0]!;
    const debuggee = await apps.startDebuggee(app, { inspector: ANY_PORT, breakAtStart: false });
    assert.ok(front.retired.includes(regular!));
    await until(() => front.forgotten.includes(regular!));
    assert.equal(apps.status()[0]!.state, 'debug');
    assert.deepEqual(await request(GROUP), [debuggee.process]);
    assert.equal(front.pidOf(debuggee.process), debuggee.pid);
    const says = 'Debugger listening on ws://127.0.0.1:';
    await until(() => front.outputs.some((one) => one.line.startsWith(says)));
    await debuggee.kill();
    assert.equal(isAlive(debuggee.pid), false);
    assert.equal((await debuggee.exited).signal, 'SIGTERM');
    assert.equal(apps.status()[0]!.state, 'idle');
    const [again] = (await request(GROUP)) as string[];
    assert.notEqual(front.pidOf(again!), debuggee.pid);
  });
});

test('Pool starts a debuggee that stops before its first line and only notes changes', async () => {
  const room = await makeRoom(HELLO, { startTimeoutMs: 100 });
  await withRoom(room, async ({ apps, front, root, until }) => {
    const debuggee = await apps.startDebuggee(apps.list()[0]!, { inspector: ANY_PORT, breakAtStart: true });
    apps.activate(GROUP);
    await until(() => front.outputs.some((one) => one.line.startsWith('Debugger listening')));
    writeFiles(root, { 'hello/server.js': serverSource('// new') });
    await until(() => front.logged.includes('app-changed'));
    assert.equal(front.starts, 1);
    assert.equal(front.serving().length, 0);
    process.kill(debuggee.pid, 'SIGKILL');
    const report = await debuggee.exited;
    assert.equal(report.signal, 'SIGKILL');
    assert.match(report.stderrTail, /Debugger listening/);
    // A request still waits: it is served by a regular process, or told why not.
    await until(() => front.starts === 2);
  });
});

test('Pool keeps the regular processes when a debuggee cannot be spawned', async () => {
  const bin = makeFolder();
  const nodePath = join(bin, 'node');
  symlinkSync(process.execPath, nodePath);
  const room = await makeRoom(HELLO, {}, { nodePath });
  await withRoom(room, async ({ apps, front, request }) => {
    const served = await request(GROUP);
    rmSync(bin, { recursive: true });
    const debuggee = apps.startDebuggee(apps.list()[0]!, { inspector: ANY_PORT, breakAtStart: false });
    await assert.rejects(debuggee, { code: 'APP_SPAWN_FAILED' });
    assert.deepEqual(await request(GROUP), served);
    assert.equal(front.retired.length, 0);
  });
});

test('Pool takes several changes during a recycle as one', async () => {
  const waits = (note: string): string =>
    `const server = require('node:http').createServer(); // ${note}\n` +
    "process.on('SIGUSR2', () => server.listen(1)); setInterval(() => {}, 1000); console.log('up');";
  await withRoom(await makeRoom(HELLO), async ({ root, front, request, until, apps }) => {
    await request(GROUP);
    const changes = (): number => front.logged.filter((event) => event === 'app-changed').length;
    writeFiles(root, { 'hello/server.js': waits('first') });
    await until(() => front.outputs.length === 1);
    for (let count = 2; count <= 4; count++) {
      writeFiles(root, { 'hello/server.js': waits(`change ${count}`) });
      await until(() => changes() >= count);
    }
    assert.equal(front.starts, 2);
    process.kill(apps.status()[0]!.pids[1]!, 'SIGUSR2');
    await until(() => front.outputs.length === 2);
    assert.equal(front.starts, 3);
    assert.equal(front.serving().length, 1);
  });
});

/** One core is left for those that serve. */
const STARTS_MAX = Math.max(1, availableParallelism() - 1);

test('Pool recycles a pool of several processes as a whole, and leaves a core to those that serve', async () => {
  await withRoom(await makeRoom(HELLO, { processes: 3 }), async ({ root, front, request, until, apps }) => {
    await request(GROUP);
    await until(() => front.serving().length === 3);
    const old = front.serving();
    writeFiles(root, { 'hello/server.js': serverSource('// new') });
    await until(() => {
      const starting = apps.status()[0]!.processes.filter(({ state }) => state === 'starting');
      assert.ok(starting.length <= STARTS_MAX, `${starting.length} boot at a time`);
      assert.ok(front.serving().length >= 3, 'the old ones serve until all new ones do');
      return old.every((id) => front.forgotten.includes(id));
    });
    assert.equal(front.serving().length, 3);
    assert.equal(front.starts, 6);
  });
});

test('Pool starts all that a recycling lacks when the old ones die meanwhile', async () => {
  await withRoom(await makeRoom(HELLO, { processes: 3 }), async ({ root, front, request, until }) => {
    await request(GROUP);
    await until(() => front.serving().length === 3);
    const old = front.serving();
    writeFiles(root, { 'hello/server.js': serverSource('// new') });
    await until(() => front.starts > 3);
    for (const id of old) process.kill(front.pidOf(id), 'SIGKILL');
    await until(() => old.every((id) => front.forgotten.includes(id)) && front.serving().length === 3);
    assert.equal(front.starts, 6);
  });
});

test('Pool gives up a process that lost its front and does not come back', async () => {
  const clock = new HandClock();
  await withRoom(await makeRoom(HELLO, {}, { clock }), async ({ apps, front, request, until }) => {
    const [id] = (await request(GROUP)) as string[];
    apps.unlinked(id!);
    apps.activate(GROUP);
    clock.advance(4999);
    assert.equal(front.starts, 1);
    clock.advance(1);
    assert.equal(front.starts, 2, 'a request waits: it is replaced');
    await until(() => front.forgotten.includes(id!) && front.serving().length === 1);
  });
});

test('Pool is patient with a debuggee that lost its front', async () => {
  const clock = new HandClock();
  await withRoom(await makeRoom(HELLO, {}, { clock }), async ({ apps, front, request }) => {
    const debuggee = await apps.startDebuggee(apps.list()[0]!, { inspector: ANY_PORT, breakAtStart: false });
    await request(GROUP);
    apps.unlinked(debuggee.process);
    clock.advance(86_400_000);
    assert.equal(apps.status()[0]!.state, 'debug');
    apps.ready(debuggee.process);
    assert.ok(isAlive(debuggee.pid));
    assert.equal(front.starts, 1);
    await debuggee.kill();
  });
});

test('Pool keeps a process that closed its server for a while', async () => {
  const source = serverSource("process.on('SIGUSR2', () => { server.close(); server.listen(1); });");
  await withRoom(await makeRoom({ 'hello/server.js': source }), async ({ apps, front, request, until }) => {
    const [id] = (await request(GROUP)) as string[];
    apps.unready(id!);
    assert.equal(apps.status()[0]!.state, 'starting');
    process.kill(front.pidOf(id!), 'SIGUSR2');
    await until(() => apps.status()[0]!.state === 'ready');
    assert.deepEqual([front.starts, front.serving()], [1, [id]]);
  });
});

test('Pool tells the host when the entry of an app is another one', async () => {
  await withRoom(await makeRoom(HELLO), async ({ apps, root, front, request, until }) => {
    const [old] = (await request(GROUP)) as string[];
    await until(() => front.logged.includes('app-ready'));
    writeFiles(root, { 'hello/run.js': serverSource(), 'hello/package.json': '{"main":"run.js"}' });
    await until(() => front.forgotten.includes(old!));
    assert.equal(front.changes, 2);
    assert.equal(apps.list()[0]!.entry, 'run.js');
  });
});

test('Pool does not recycle without end an app that writes its own files', async () => {
  const source = serverSource("require('node:fs').writeFileSync('made.json', String(process.pid));");
  await withRoom(await makeRoom({ 'hello/server.js': source }), async ({ front, request, until }) => {
    await request(GROUP);
    await until(() => front.logged.includes('app-changes-often'));
    assert.equal(front.failures.length, 0);
  });
});
