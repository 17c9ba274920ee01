// The whole room with real processes: what starts, what is told, what is left.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertFailed, assertServed, ended, isAlive } from './fake-front.test.ts';
import { makeRoom, serverSource, withRoom, writeFiles } from './fake-front.test.ts';

const HELLO = { 'hello/server.js': serverSource() };
const GROUP = 'app:/hello/';

test('Apps starts one process for 50 concurrent activations', async () => {
  await withRoom(await makeRoom(HELLO), async ({ apps, front, request, until }) => {
    for (let count = 0; count < 50; count++) apps.activate(GROUP);
    assert.equal(apps.status()[0]!.state, 'starting');
    assertServed(await request(GROUP));
    assert.equal(front.starts, 1);
    const [status] = apps.status();
    assert.equal(status!.state, 'ready');
    assert.deepEqual(status!.pids, [front.pidOf(front.serving()[0]!)]);
    await until(() => front.logged.includes('app-ready'));
  });
});

test('Apps gives a process its environment and keeps what it must not have from it', async () => {
  const source = serverSource('console.log(JSON.stringify(process.env)); console.log(process.cwd());');
  const files = { 'my shop/server.js': source };
  process.env['NODE_OPTIONS'] = '--inspect=127.0.0.1:0 --no-deprecation';
  process.env['NODE_UNIQUE_ID'] = '7';
  try {
    const room = await makeRoom(files, { env: { COLOUR: 'blue' } });
    await withRoom(room, async ({ root, front, request, until }) => {
      assertServed(await request('app:/my%20shop/'));
      await until(() => front.outputs.filter((one) => one.stream === 'stdout').length === 2);
      const [first, second] = front.outputs.filter((one) => one.stream === 'stdout');
      const env = JSON.parse(first!.line) as Record<string, string>;
      assert.equal(second!.line, join(root, 'my shop'));
      assert.equal(env['SLIPSTREAM_APP'], 'my shop');
      assert.equal(env['SLIPSTREAM_BASE_PATH'], '/my%20shop');
      assert.equal(env['SLIPSTREAM_GRACE_MS'], '2000');
      assert.equal(env['PORT'], '8080');
      assert.equal(env['COLOUR'], 'blue');
      assert.equal(env['NODE_OPTIONS'], '--no-deprecation');
      assert.equal(env['NODE_UNIQUE_ID'], undefined);
      assert.equal(first!.pid, front.pidOf(front.serving()[0]!));
    });
  } finally {
    delete process.env['NODE_OPTIONS'];
    delete process.env['NODE_UNIQUE_ID'];
  }
});

test('Apps explains a failure, and the next request after an edit works', async () => {
  const files = { 'bad/server.js': 'const x = ;\n', 'missing/app.js': 'require("no-such-module");\n' };
  await withRoom(await makeRoom(files), async ({ apps, root, front, request }) => {
    const syntax = await request('app:/bad/');
    assertFailed(syntax);
    assert.equal(syntax.code, 'APP_EXITED');
    assert.match(syntax.message, /^app "bad" has a syntax error/);
    assert.match(syntax.developer.at(-1)!.text, /SyntaxError/);
    const missing = await request('app:/missing/');
    assertFailed(missing);
    assert.match(missing.message, /cannot find the module "no-such-module"/);
    assert.equal(apps.status()[0]!.state, 'failed');
    assert.equal(apps.status()[0]!.lastFailure?.code, 'APP_EXITED');
    writeFiles(root, { 'bad/server.js': serverSource() });
    assertServed(await request('app:/bad/'));
    writeFiles(root, { 'missing/node_modules/no-such-module/index.js': serverSource() });
    assertServed(await request('app:/missing/'));
    assert.equal(apps.status()[0]!.lastFailure, undefined);
    assert.equal(front.failures.length, 2);
  });
});

test('Apps ends a process that does not listen in time', async () => {
  const files = { 'slow/server.js': 'console.error("still thinking"); setInterval(() => {}, 1000);\n' };
  const room = await makeRoom(files, { startTimeoutMs: 600 });
  await withRoom(room, async ({ front, request, until }) => {
    const answer = await request('app:/slow/');
    assertFailed(answer);
    assert.equal(answer.code, 'APP_START_TIMED_OUT');
    assert.equal(answer.message, 'app "slow" did not listen within 600 ms (startTimeoutMs)');
    assert.match(answer.developer.at(-1)!.text, /still thinking/);
    await until(() => front.outputs.length > 0 && front.logged.includes('process-changed'));
  });
});

test('Apps tells of a node that cannot be run, and of a folder with a broken package.json', async () => {
  const files = { ...HELLO, 'odd/package.json': '{"main":', 'odd/index.js': serverSource() };
  await withRoom(await makeRoom(files, {}, { nodePath: '/no/such/node' }), async ({ request, root }) => {
    const spawn = await request(GROUP);
    assertFailed(spawn);
    assert.equal(spawn.code, 'APP_SPAWN_FAILED');
    const odd = await request('app:/odd/');
    assertFailed(odd);
    assert.match(odd.message, /^app "odd" cannot be started: its package\.json is not valid JSON$/);
    rmSync(join(root, 'odd'), { recursive: true });
    const gone = await request('app:/odd/');
    assertFailed(gone);
    assert.equal(gone.status, 404);
  });
});

test('Apps tells a new front which processes live, and their links come back', async () => {
  await withRoom(await makeRoom(HELLO), async ({ apps, front, request, until }) => {
    const [id] = (await request(GROUP)) as string[];
    await front.restart();
    assert.equal(front.expected.get(id!)?.group, GROUP);
    await until(() => front.serving().length === 1);
    assert.deepEqual(front.serving(), [id]);
    assert.equal(apps.status()[0]!.state, 'ready');
    assert.equal(front.starts, 1);
  });
});

test('Apps kills the children of a process with it', async () => {
  const child = "process.on('SIGTERM', () => {}); process.send('up'); setInterval(() => {}, 1000);";
  const source = serverSource(
    `const child = require('node:child_process').fork('./child.js', { execArgv: [], env: {} });` +
      `child.on('message', () => console.log('child', child.pid));`,
  );
  const files = { 'hello/server.js': source, 'hello/child.js': child };
  await withRoom(await makeRoom(files), async ({ front, request, until }) => {
    const [id] = (await request(GROUP)) as string[];
    await until(() => front.outputs.some((one) => one.line.startsWith('child ')));
    const childPid = Number(front.outputs.find((one) => one.line.startsWith('child '))!.line.slice(6));
    const pid = front.pidOf(id!);
    assert.ok(isAlive(childPid));
    process.kill(pid, 'SIGKILL');
    await until(() => front.forgotten.includes(id!));
    await ended(childPid);
  });
});

test('Apps leaves nothing after a stop and starts nothing any more', async () => {
  const module = "import { createServer } from 'node:http'; createServer().listen(1);";
  const files = { ...HELLO, 'other/app.mjs': module };
  await withRoom(await makeRoom(files, { processes: 2 }), async ({ apps, front, request, until }) => {
    await request(GROUP);
    await request('app:/other/');
    await until(() => front.serving().length === 4);
    const pids = apps.status().flatMap((status) => status.pids);
    assert.equal(pids.length, 4);
    await apps.stop(1000);
    for (const pid of pids) assert.equal(isAlive(-pid), false);
    apps.activate(GROUP);
    assert.equal(front.failures.at(-1)!.code, 'APP_STOPPED');
    const debuggee = apps.startDebuggee(apps.list()[0]!, { inspector: { kind: 'port', port: 0 }, breakAtStart: false });
    await assert.rejects(debuggee, { code: 'APP_STOPPED' });
    assert.equal(front.starts, 4);
    assert.equal(front.expected.size, 0);
  });
});

test('Apps kills everything at once with stopNow', async () => {
  const stays = serverSource("process.on('SIGTERM', () => {});");
  await withRoom(await makeRoom({ 'hello/server.js': stays }), async ({ apps, front, request, until }) => {
    const [id] = (await request(GROUP)) as string[];
    const pid = front.pidOf(id!);
    apps.stopNow();
    await until(() => front.forgotten.includes(id!));
    assert.equal(isAlive(-pid), false);
  });
});

test('Apps finds new, changed and removed folders in a scan', async () => {
  await withRoom(await makeRoom(HELLO), async ({ apps, root, front, request, until }) => {
    assert.equal(await apps.scan(), false);
    writeFiles(root, { 'new/index.mjs': '' });
    assert.deepEqual(await Promise.all([apps.scan(), apps.scan()]), [true, false]);
    assert.deepEqual(apps.list().map((app) => app.path), ['/hello/', '/new/']);
    const [id] = (await request(GROUP)) as string[];
    rmSync(join(root, 'hello'), { recursive: true });
    assert.equal(await apps.scan(), true);
    assert.deepEqual(apps.list().map((app) => app.name), ['new']);
    await until(() => front.forgotten.includes(id!));
    assert.ok(front.retired.includes(id!));
  });
});

test('Apps runs TypeScript', async () => {
  const source =
    "import { createServer } from 'node:http';\nconst port: number = Number(process.env['PORT']);\n" +
    'createServer().listen(port);\n';
  const files = { 'typed/server.ts': source, 'typed/package.json': '{"type":"module"}' };
  await withRoom(await makeRoom(files), async ({ request }) => assertServed(await request('app:/typed/')));
});

test('Apps passes on all that a process prints, in lines of bounded length', async () => {
  const end = '() => process.kill(process.pid, 9)';
  const source = `process.stdout.write('x'.repeat(200000) + '\\nno end', ${end});`;
  await withRoom(await makeRoom({ 'hello/server.js': source }), async ({ front, request }) => {
    assertFailed(await request(GROUP));
    const lines = front.outputs.map((one) => one.line);
    assert.equal(lines.slice(0, -1).join('').length, 200_000);
    assert.equal(lines.at(-1), 'no end');
    assert.ok(lines.every((line) => line.length <= 16_384));
  });
});

test('Apps leaves no process when the host ends by an error', async () => {
  const support = import.meta.url.replace('apps.test', 'fake-front.test');
  const script = `
    const { makeRoom, serverSource } = await import(${JSON.stringify(support)});
    const room = await makeRoom({ 'hello/server.js': serverSource('process.exit = () => {};') });
    const [id] = await room.request('app:/hello/');
    console.log(JSON.stringify([room.front.pidOf(id), room.root, room.home]));
    throw new Error('the host fails');`;
  const host = await new Promise<{ code: unknown; stdout: string }>((resolve) => {
    const args = ['--input-type=module', '-e', script];
    execFile(process.execPath, args, (error, stdout) => resolve({ code: error?.code, stdout }));
  });
  assert.equal(host.code, 1);
  const [pid, ...folders] = JSON.parse(host.stdout) as [number, string, string];
  for (const folder of folders) rmSync(folder, { recursive: true });
  await ended(pid);
});
