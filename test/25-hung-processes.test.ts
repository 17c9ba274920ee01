// Processes of the host that live and do nothing: a front, a session proxy and the site process that hang are
// replaced; one that was merely away together with the host is not.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';

const APP = "require('http').createServer((req, res) => res.end('hello')).listen(process.env.PORT);\n";
const SITE = `<configuration><system.webServer><handlers>
  <add name="iisnode" path="server.js" verb="*" modules="iisnode"/></handlers></system.webServer></configuration>`;

async function hosted(t: TestContext, files: Record<string, string>, hangTimeoutMs = 800): Promise<RunningHost> {
  const host = await startHost({ files: { ...files, 'slipstream.yml': `hangTimeoutMs: ${hangTimeoutMs}\n` } });
  t.after(() => host.stop());
  return host;
}

function pidOf(host: RunningHost, isIt: (process: { role: string; command: string }) => boolean): number {
  const found = host.processes().find(isIt);
  assert.ok(found !== undefined, 'the process runs');
  return found.pid;
}

/** Stops a process for good and waits until the host has killed it. */
async function hang(host: RunningHost, pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await until('the process that hangs is gone', () => (isAlive(pid) ? undefined : true));
  assert.match(host.output(), new RegExp(`process-hung.*PROCESS_HUNG.*${pid}`));
}

/** Asks until the answer is this. */
async function answers(url: string, text: RegExp): Promise<void> {
  await until(`${url} answers`, async () => {
    const got = await get(url).catch(() => undefined);
    return got !== undefined && text.test(got.text) ? true : undefined;
  });
}

test('a front that hangs is replaced, and the app process goes on', async (t) => {
  const host = await hosted(t, { 'shop/server.js': APP });
  await answers(`${host.url}shop/`, /hello/);
  const app = pidOf(host, ({ role }) => role === 'app');
  await hang(host, pidOf(host, ({ role }) => role === 'front'));
  await answers(`${host.url}shop/`, /hello/);
  assert.equal(pidOf(host, ({ role }) => role === 'app'), app);
});

test('a session proxy that hangs ends its session, and the debugger can be opened again', async (t) => {
  const host = await hosted(t, { 'shop/server.js': APP });
  assert.equal((await get(`${host.url}shop/debug/`)).status, 200);
  await hang(host, pidOf(host, ({ role }) => role === 'session'));
  await answers(`${host.url}shop/`, /hello/);
  assert.equal((await get(`${host.url}shop/debug/`)).status, 200);
  assert.notEqual(pidOf(host, ({ role }) => role === 'session'), 0);
});

test('a site process that hangs is replaced, and requests that wait for it are served', async (t) => {
  const host = await hosted(t, { 'shop/web.config': SITE, 'shop/server.js': APP, 'shop/file.txt': 'a file' });
  await answers(`${host.url}shop/file.txt`, /a file/);
  const pid = pidOf(host, ({ command }) => /slipstream site|site-main/.test(command));
  process.kill(pid, 'SIGSTOP');
  const waiting = get(`${host.url}shop/file.txt`);
  await hang(host, pid);
  assert.equal((await waiting).status, 200);
});

test('a front that was stopped together with its host, as in a machine that slept, is left alone', async (t) => {
  const hangTimeoutMs = 2000;
  const host = await hosted(t, { 'shop/server.js': APP }, hangTimeoutMs);
  await answers(`${host.url}shop/`, /hello/);
  const front = pidOf(host, ({ role }) => role === 'front');
  for (const pid of [front, host.pid]) process.kill(pid, 'SIGSTOP');
  // Time that has to pass is what this is about.
  await new Promise((resolve) => setTimeout(resolve, 1.5 * hangTimeoutMs));
  for (const pid of [host.pid, front]) process.kill(pid, 'SIGCONT');
  await answers(`${host.url}shop/`, /hello/);
  assert.equal(pidOf(host, ({ role }) => role === 'front'), front);
  assert.doesNotMatch(host.output(), /process-hung/);
});
