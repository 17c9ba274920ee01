// What an operator does to an app, with real processes: stop, start, reload, offline, rest.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertFailed, assertServed, isAlive, makeRoom } from './fake-front.test.ts';
import { serverSource, withRoom, writeFiles } from './fake-front.test.ts';

const HELLO = { 'hello/server.js': serverSource() };
const GROUP = 'app:/hello/';

test('a stopped app ends, refuses requests, and starts by command only', async () => {
  await withRoom(await makeRoom(HELLO), async ({ apps, front, request }) => {
    const [served] = (await request(GROUP)) as string[];
    const pid = front.pidOf(served!);
    const app = apps.find('hello');
    await apps.pause(app);
    assert.equal(isAlive(pid), false);
    assert.equal(apps.status()[0]!.state, 'stopped');
    const refused = await request(GROUP);
    assertFailed(refused);
    assert.equal(refused.code, 'APP_PAUSED');
    const debug = { inspector: { kind: 'port', port: 1 }, breakAtStart: false, waits: false } as const;
    await assert.rejects(apps.startDebuggee(app, debug), { code: 'APP_PAUSED' });
    assert.equal(await apps.start(app), undefined);
    assert.equal(await apps.start(app), undefined, 'what runs is left alone');
    assert.equal(apps.status()[0]!.state, 'ready');
    assert.equal(front.starts, 2);
  });
});

test('start tells why an app does not start', async () => {
  await withRoom(await makeRoom({ 'bad/server.js': 'process.exit(4)' }), async ({ apps }) => {
    const failure = await apps.start(apps.find('/bad/'));
    assert.equal(failure?.code, 'APP_EXITED');
    assert.throws(() => apps.find('bat'), { code: 'APP_UNKNOWN', message: /did you mean "bad"/ });
  });
});

test('reload waits until new processes have taken over, or says why they have not', async () => {
  const room = await makeRoom(HELLO, { processes: 2, recycleOnChange: false });
  await withRoom(room, async ({ apps, front, request, root, until }) => {
    const app = apps.find('hello');
    assert.equal(await apps.reload(app, 'test'), 'not-running');
    await request(GROUP);
    await until(() => front.serving().length === 2);
    const old = front.serving();
    assert.equal(await apps.reload(app, 'test'), undefined);
    assert.ok(front.serving().every((id) => !old.includes(id)));
    writeFiles(root, { 'hello/server.js': 'throw new Error("broken")' });
    const failure = await apps.reload(app, 'test');
    assert.ok(typeof failure === 'object' && failure.code === 'APP_EXITED');
    assert.equal(front.serving().length, 2);
  });
});

test('an offline page is noticed while the app runs and while it does not', async () => {
  await withRoom(await makeRoom(HELLO), async ({ apps, front, request, root, until }) => {
    assertServed(await request(GROUP));
    writeFiles(root, { 'hello/app_offline.htm': '<p>soon' });
    await until(() => front.retired.length === 1);
    const refused = await request(GROUP);
    assertFailed(refused);
    assert.equal(refused.code, 'APP_OFFLINE');
    assert.equal(refused.page, '<p>soon');
    assert.equal(apps.status()[0]!.state, 'offline');
    rmSync(join(root, 'hello', 'app_offline.htm'));
    assertServed(await request(GROUP));
  });
});

test('other settings reload the apps that they change, and no others', async () => {
  const files = { ...HELLO, 'other/server.js': serverSource() };
  await withRoom(await makeRoom(files), async ({ apps, front, request, until }) => {
    await request(GROUP);
    await request('app:/other/');
    const before = front.serving();
    const [first] = apps.list();
    const defaults = first!.settings;
    await apps.configure({ defaults, overrides: { '/hello/': { env: { A: '1' } } } });
    await until(() => front.retired.length === 1 && front.serving().length === 2);
    assert.deepEqual(front.retired, before.filter((id) => id.startsWith(GROUP)));
    assert.equal(apps.find('hello').settings.env['A'], '1');
  });
});
