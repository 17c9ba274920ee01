// The debugger where apps of other users run: whoever runs code here may not thereby become somebody else.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { KEY_FIELD } from '../src/wire/poll-messages.ts';
import { removedAfter, runCli, startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';
import { whyNoOtherUser } from './other-user.ts';
import { PollViewer, signIn } from './poll-viewer.ts';

const NOBODY = 65_534;
const AS_ROOT = { skip: whyNoOtherUser() };
const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-user': '?1' };
const APP = "require('http').createServer((request, response) => response.end('fine')).listen(0);";

/** `/own/` runs as the host's user, `/other/` as nobody; others may enter the root. */
async function hostFor(
  t: TestContext,
  files: (place: string) => Record<string, string>,
  more = '',
): Promise<RunningHost> {
  const place = mkdtempSync(join(tmpdir(), 'slipstream-debug-users-'));
  removedAfter(t, place);
  chmodSync(place, 0o755);
  const root = join(place, 'root');
  const settings = `reservationFolder: ${place}/run\ndebuggerTransport: port\napps: {/other/: {user: nobody}}\n${more}`;
  const all = { 'own/server.js': APP, 'other/server.js': APP, 'slipstream.yml': settings, ...files(place) };
  for (const [path, content] of Object.entries(all)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  const host = await startHost({ root });
  t.after(() => host.stop());
  return host;
}

/** Status of a GET by a program of nobody. */
function statusForNobody(url: string, headers: Record<string, string> = {}): Promise<string> {
  const source = `const headers = ${JSON.stringify(headers)};
  const request = require('http').get(${JSON.stringify(url)}, { headers }, (response) => {
    response.resume(); console.log(response.statusCode);
  });
  request.on('error', (error) => console.log(error.code));`;
  return new Promise((resolve) => {
    const asNobody = { uid: NOBODY, gid: NOBODY };
    execFile(process.execPath, ['-e', source], asNobody, (_error, stdout) => resolve(stdout.trim()));
  });
}

test('a program of another user is no person at this machine', AS_ROOT, async (t) => {
  const host = await hostFor(t, () => ({}));
  const url = `${host.url}own/debug/`;
  assert.equal(await statusForNobody(url), '403');
  assert.equal((await get(url, { headers: NAVIGATION })).status, 200, 'the host\'s own user is one');
  assert.equal(await statusForNobody(url), '403');
  assert.equal(await statusForNobody(`${host.url.replace('127.0.0.1', 'localhost')}own/debug/`), '403');
  await assert.rejects(
    () => new Promise((resolve, reject) => {
      const source = `fetch(${JSON.stringify(`${url}cdp/sign-in`)}, { method: 'POST', body: '{}' })
        .then((response) => response.text()).then(console.log)`;
      execFile(process.execPath, ['-e', source], { uid: NOBODY, gid: NOBODY }, (_error, stdout) => {
        if (stdout.includes('"key"')) resolve(stdout);
        else reject(new Error(stdout));
      });
    }),
    /DEBUGGER_FORBIDDEN/,
  );
});

test('a program of another user is no proxy that says who somebody is', AS_ROOT, async (t) => {
  const host = await hostFor(t, () => ({}), 'debuggerUserField: X-Remote-User\ndebuggerUsers: {alice: full}\n');
  const url = `${host.url}own/debug/`;
  const claim = { ...NAVIGATION, 'x-forwarded-for': '192.0.2.1', 'x-remote-user': 'alice' };
  assert.equal(await statusForNobody(url, claim), '403');
  assert.equal((await get(url, { headers: claim })).status, 200, 'a proxy of the host\'s own user is one');
});

test('the session of an app of another user reads the files of that user only', AS_ROOT, async (t) => {
  const host = await hostFor(t, (place) => ({
    'other/server.js': `${APP}\neval('1 //# sourceURL=${pathToFileURL(join(place, 'root/secret.txt')).href}');`,
    'secret.txt': 'of root',
  }));
  const secret = join(host.root, 'secret.txt');
  chmodSync(secret, 0o600);
  const url = `${host.url}other/debug/`;
  assert.equal((await get(url, { headers: NAVIGATION })).status, 200);
  const key = await signIn(`${url}cdp/`);
  const read = (path: string): Promise<{ status: number; text: string }> => {
    const query = `url=${encodeURIComponent(pathToFileURL(path).href)}`;
    return get(`${url}cdp/file?${query}`, { headers: { [KEY_FIELD]: key } });
  };
  await until('the scripts are announced', async () => {
    const own = await read(join(host.root, 'other/server.js'));
    return own.status === 200 && own.text.includes('createServer') ? true : undefined;
  });
  assert.equal((await read(secret)).status, 404);
  chmodSync(secret, 0o644);
  assert.equal((await read(secret)).text, 'of root', 'it was announced, and that user may read it');
});

test('a link lets another user in', AS_ROOT, async (t) => {
  const host = await hostFor(t, () => ({}));
  const { stdout } = await runCli(['debug', 'own'], host.home);
  const link = /http:\S+/.exec(stdout)![0];
  assert.equal(await statusForNobody(link.replace(/link=.*/, `link=${'a'.repeat(32)}`)), '403');
  assert.equal(await statusForNobody(link), '303');
  assert.equal(await statusForNobody(link), '403', 'once');
});

for (const how of ['', '?live']) {
  test(`a session of an app of another user outlives its killed host (${how || 'debuggee'})`, AS_ROOT, async (t) => {
    const source = APP.replace("response.end('fine')", "response.end(process.pid + ' of ' + process.getuid())");
    const host = await hostFor(t, () => ({ 'other/server.js': source }));
    const url = `${host.url}other/`;
    assert.equal((await get(url)).status, 200);
    assert.equal((await get(`${url}debug/${how}`, { headers: NAVIGATION })).status, 200);
    const before = (await get(url)).text;
    assert.match(before, / of 65534$/);
    const viewer = new PollViewer(`${url}debug/`);
    await viewer.open();
    await viewer.send('Runtime.evaluate', { expression: 'globalThis.mark = 7' });
    await host.line(/session-kept/);
    process.kill(host.pid, 'SIGKILL');
    await host.exited;
    await viewer.vanish();
    const next = await startHost({ successorOf: host });
    try {
      assert.equal((await get(url)).text, before);
      const second = new PollViewer(`${url}debug/`);
      await second.open();
      const mark = await second.send('Runtime.evaluate', { expression: 'mark' });
      assert.equal((mark as { result: { value: number } }).result.value, 7);
      // A front that dies is dialled again at the place of the host before.
      const front = next.processes().find(({ role }) => role === 'front')!;
      process.kill(front.pid, 'SIGKILL');
      await until('the next front serves it', async () => {
        const answer = await get(url).catch(() => null);
        return answer?.text === before ? true : undefined;
      });
      assert.match((await get(`${url}debug/?kill`)).text, /have been killed/);
      await until('another process serves', async () => ((await get(url)).text === before ? undefined : true));
      await second.vanish();
    } finally {
      // Before what it took over is looked for.
      await next.stop();
    }
  });
}
