// Who gets in at a session proxy, with which role, and what is kept and read for them.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { KEY_FIELD, type Opened, type SignedIn } from '../wire/poll-messages.ts';
import { AccessGrants } from './access-grants.ts';
import {
  type Answer,
  ask,
  BASE,
  dataOf,
  keyOf,
  Page,
  signIn,
  withLoop,
  WORKER_LOOP,
} from './session-proxy.test.support.ts';

test('without a key nobody gets in, whatever it says of itself', async () => {
  const { origin } = await withLoop();
  const key = await keyOf(origin);
  const fetched = { 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty', 'Sec-Fetch-Site': 'same-origin' };
  const cases: [string, string, Record<string, string>, number][] = [
    ['POST', 'cdp/', key, 200],
    ['POST', 'cdp/', { ...key, Origin: 'null' }, 200],
    ['POST', 'cdp/', {}, 403],
    ['POST', 'cdp/', { [KEY_FIELD]: 'wrong' }, 403],
    ['POST', 'cdp/', { ...key, Origin: 'http://evil.example' }, 403],
    ['GET', '', { 'X-Far': '1' }, 403],
    ['GET', '', fetched, 403],
    ['GET', 'index.html', fetched, 403],
    ['GET', '', { ...fetched, 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'iframe' }, 403],
    ['POST', 'cdp/sign-in', {}, 403],
    ['POST', 'cdp/settings', {}, 403],
    ['GET', 'cdp/file?url=file:///x', {}, 403],
    ['GET', 'cdp/nobody/poll?ack=0', {}, 410],
    ['GET', 'cdp/nobody/poll?ack=0', { Origin: 'http://evil.example' }, 403],
    ['GET', 'cdp/', key, 405],
    ['DELETE', 'cdp/settings', key, 405],
    ['OPTIONS', 'cdp/', { Origin: 'null' }, 204],
    ['OPTIONS', 'cdp/', { Origin: 'http://evil.example' }, 403],
    ['GET', '', {}, 200],
    ['POST', '', {}, 405],
    ['GET', 'absent.js', {}, 404],
  ];
  for (const [method, name, headers, status] of cases) {
    const answer = await ask(origin, BASE + name, { method, headers });
    assert.equal(answer.status, status, `${method} ${name} ${JSON.stringify(headers)}: ${answer.body}`);
    if (status !== 404) assert.equal(answer.headers['cache-control'], 'no-store');
  }
  assert.match((await ask(origin, '/SHOP/App.js/Debug/')).body, /^the UI/);
  assert.equal((await ask(origin, '/other/')).status, 404);
});

test('the page is in a sandbox and cannot be framed', async () => {
  const { origin } = await withLoop();
  const { headers } = await ask(origin, BASE);
  const policy = String(headers['content-security-policy']);
  assert.match(policy, /frame-ancestors 'none'; sandbox allow-scripts /);
  assert.doesNotMatch(policy, /allow-same-origin/);
  assert.equal(headers['referrer-policy'], 'no-referrer');
  assert.equal(headers['cache-control'], 'no-store');
});

test('a program signs in with a link, and is gone when its session is revoked', async () => {
  const { origin, folder } = await withLoop();
  const grants = new AccessGrants(folder);
  const far = { 'X-Far': '1' };
  assert.equal((await signIn(origin, {})).status, 200);
  assert.equal((await signIn(origin, {}, far)).status, 403);
  const link = grants.createLink('/shop/', 'full');
  const signedIn = JSON.parse((await signIn(origin, { link }, far)).body) as SignedIn;
  assert.equal((await signIn(origin, { link }, far)).status, 403);
  assert.equal((await signIn(origin, { session: signedIn.session }, far)).status, 200);
  const headers = { [KEY_FIELD]: signedIn.key };
  const opened = await ask(origin, `${BASE}cdp/`, { method: 'POST', headers });
  const { viewer } = JSON.parse(opened.body) as Opened;
  const command = { method: 'POST', body: '[{"id":1,"method":"Target.getTargets"}]' };
  assert.equal((await ask(origin, `${BASE}cdp/${viewer}/send?n=0`, command)).status, 204);
  assert.equal((await ask(origin, `${BASE}cdp/${viewer}/poll?ack=0`)).status, 200);
  grants.revoke('/shop/');
  assert.equal((await ask(origin, `${BASE}cdp/${viewer}/send?n=1`, command)).status, 410);
  assert.equal((await ask(origin, `${BASE}cdp/`, { method: 'POST', headers })).status, 403);
});

test('a viewer with a lesser role looks and runs nothing, and commands are audited', async () => {
  const { origin, folder, page, url } = await withLoop();
  const grants = new AccessGrants(folder);
  const link = grants.createLink('/shop/', 'observe');
  const { key } = JSON.parse((await signIn(origin, { link })).body) as SignedIn;
  const observer = await new Page(origin, key).start();
  assert.equal(observer.events('Debugger.scriptParsed').some((script) => script.url === url), true);
  const refused = await observer.reply('Runtime.evaluate', { expression: 'process.exit()' });
  assert.match(refused.error!.message, /role "observe"/);
  assert.match((await observer.reply('Debugger.pause')).error!.message, /role "observe"/);
  await observer.call('Debugger.setSkipAllPauses', { skip: true });
  const full = await page();
  await full.call('Runtime.evaluate', { expression: '6 * 7' });
  const audit = readFileSync(join(folder, 'audit.jsonl'), 'utf8');
  assert.match(audit, /"event":"attached","who":"[0-9a-f]{12}","role":"observe","app":"\/shop\/"/);
  assert.match(audit, /"method":"Runtime.evaluate","text":"6 \* 7"/);
  assert.doesNotMatch(audit, /process\.exit/);
});

test('the page is told of a port that other users of the machine reach', async () => {
  const { origin, port } = await withLoop();
  assert.equal((await dataOf(origin)).port, port);
});

test('settings are kept in the file of the app and come with the page', async () => {
  const { origin, folder } = await withLoop();
  const headers = await keyOf(origin);
  const body = JSON.stringify({ breakpoints: '[1]</script>', gone: null });
  const saved = await ask(origin, `${BASE}cdp/settings`, { method: 'POST', body, headers });
  assert.equal(saved.status, 204);
  assert.deepEqual((await dataOf(origin)).settings, { breakpoints: '[1]</script>' });
  assert.equal(readFileSync(join(folder, 'kept', 'settings.json'), 'utf8'), '{"breakpoints":"[1]</script>"}');
  const wrong = await ask(origin, `${BASE}cdp/settings`, { method: 'POST', body: '{"a":1}', headers });
  assert.equal(wrong.status, 400);
});

test('only announced scripts can be read as files', async () => {
  const { origin, url, folder } = await withLoop();
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  const headers = await keyOf(origin);
  const file = (name: string): Promise<Answer> => {
    return ask(origin, `${BASE}cdp/file?url=${encodeURIComponent(name)}`, { headers });
  };
  assert.equal((await file(url)).body, WORKER_LOOP);
  const hidden = [pathToFileURL(join(folder, 'secret.txt')).href, 'file:///etc/passwd', 'node:internal/fs'];
  for (const name of hidden) assert.equal((await file(name)).status, 404, name);
});
