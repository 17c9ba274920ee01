// Pages whose own name was made to point at this machine (DNS rebinding), and script where everybody is let in: what
// they get of a debugger, in real Chromium.

import { after, before, test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { KEY_FIELD } from '../src/wire/poll-messages.ts';
import { launchChromium } from './devtools-page.ts';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get } from './http-client.ts';
import { PollViewer } from './poll-viewer.ts';

const APP = `require('http').createServer((request, response) => {
  response.setHeader('Content-Type', 'text/html');
  response.end('<!doctype html><title>hostile</title>');
}).listen(process.env.PORT);
`;

let browser: Browser;
before(async () => {
  browser = await launchChromium(['--host-resolver-rules=MAP evil.example 127.0.0.1']);
});
after(() => browser?.close());

async function hosted(t: TestContext, config: string): Promise<RunningHost> {
  const host = await startHost({ files: { 'shop/server.js': APP, 'slipstream.yml': config } });
  t.after(() => host.stop());
  assert.equal((await get(`${host.url}shop/debug/`)).status, 200);
  return host;
}

/** What script on a page gets: statuses, and whether a key was among it. */
const ATTACK = `(async () => {
  const results = {};
  const asks = {
    page: ['debug/', {}],
    index: ['debug/index.html', {}],
    kill: ['debug/?kill', {}],
    key: ['debug/cdp/sign-in', { method: 'POST', body: '{}' }],
    viewer: ['debug/cdp/', { method: 'POST', body: '{}' }],
    settings: ['debug/cdp/settings', { method: 'POST', body: '{}' }],
    link: ['debug/?link=' + 'a'.repeat(32), {}],
    requests: ['debug/?requests=' + 'a'.repeat(32), {}],
    logs: ['debug/logs/', {}],
  };
  for (const [name, [url, init]] of Object.entries(asks)) {
    const response = await fetch(url, init);
    const text = await response.text();
    results[name] = response.status + (/"key":|slipstream-page|data-key="[^"]/.test(text) ? ' with a key' : '');
  }
  return results;
})()`;

async function attack(page: Page, url: string): Promise<Record<string, string>> {
  await page.goto(url);
  return page.evaluate<Record<string, string>>(ATTACK);
}

const REFUSED = {
  page: '403', index: '403', kill: '403', key: '403', viewer: '403', settings: '403', link: '403', requests: '403',
};

for (const auth of ['link', 'none']) {
  test(`a site that makes its name point at this machine gets nothing of a debugger (${auth})`, async (t) => {
    const host = await hosted(t, `debuggerAuth: ${auth}\n`);
    const page = await browser.newPage();
    t.after(() => page.close());
    const rebound = host.url.replace('127.0.0.1', 'evil.example');
    const { requests, ...rest } = await attack(page, `${rebound}shop/`);
    assert.deepEqual({ ...rest, requests: '403' }, { ...REFUSED, logs: '404' });
    // A link for requests, of which there are none, is as good from everywhere: it gives no debugger.
    assert.equal(requests, auth === 'none' ? '403' : '409');
    // Nor does who looks at that page by opening the debugger there.
    assert.equal((await page.goto(`${rebound}shop/debug/`))!.status(), 403);
    // At a name that it has, script of the app gets nothing either.
    // The logs are for whoever is at this machine, and with them comes no key.
    assert.deepEqual(await attack(page, `${host.url}shop/`), { ...REFUSED, logs: '200' });
    assert.equal((await get(`${host.url}shop/debug/cdp/alive`)).status, 204, 'and it runs on');
  });
}

test('debuggerHosts names the places at which a debugger may be asked for', async (t) => {
  const host = await hosted(t, 'debuggerAuth: none\ndebuggerHosts: [Apps.Example]\n');
  const far = { 'x-forwarded-for': '192.0.2.1' };
  const ask = { method: 'POST', headers: { ...far, host: 'apps.example' }, body: '{}' };
  const signedIn = JSON.parse((await get(`${host.url}shop/debug/cdp/sign-in`, ask)).text) as { key: string };
  const asked = async (name: string): Promise<number> => {
    const headers = { ...far, host: name };
    const page = await get(`${host.url}shop/debug/`, { headers });
    const key = await get(`${host.url}shop/debug/cdp/sign-in`, { method: 'POST', headers, body: '{}' });
    const shown = { ...headers, [KEY_FIELD]: signedIn.key };
    const opened = await get(`${host.url}shop/debug/cdp/`, { method: 'POST', headers: shown });
    // Not even who has a key gets in by another name.
    assert.deepEqual([key.status, opened.status], [page.status, page.status]);
    if (page.status === 403) assert.match(page.text, /debuggerHosts/);
    return page.status;
  };
  const statuses = ['apps.example:8080', 'localhost', 'evil.example', '192.0.2.9'].map((name) => asked(name));
  assert.deepEqual(await Promise.all(statuses), [200, 200, 403, 403]);
});

test('the audit log tells who did what, with secrets masked', async (t) => {
  const host = await hosted(t, "debuggerAuditMask: ['secret-\\w+']\n");
  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  await viewer.send('Runtime.evaluate', { expression: "'secret-abc' + 1" });
  const { breakpointId } = await viewer.send('Debugger.setBreakpointByUrl', {
    urlRegex: 'server\\.js$', lineNumber: 1, condition: "key === 'secret-def'",
  });
  await viewer.send('Debugger.removeBreakpoint', { breakpointId });
  await viewer.close();
  await get(`${host.url}shop/debug/?kill`);
  const file = join(host.home, 'debugger', 'audit.jsonl');
  const rows = readFileSync(file, 'utf8').trimEnd().split('\n');
  const lines = rows.map((line) => JSON.parse(line) as Record<string, string>);
  assert.deepEqual(lines.map(({ event, who, method = '' }) => `${event} ${who} ${method}`.trim()), [
    'opened local', 'signed-in local', 'attached local', 'command local Runtime.evaluate',
    'command local Debugger.setBreakpointByUrl', 'command local Debugger.removeBreakpoint',
    'left local', 'killed local',
  ]);
  assert.equal(lines[3]!['text'], "'***' + 1");
  assert.match(lines[4]!['text']!, /key === '\*\*\*'/);
  assert.equal(lines[2]!['from'], '127.0.0.1');
  assert.equal(statSync(file).mode & 0o077, 0);
});
