// What DevTools has for Node beyond plain breakpoints, in real Chromium: logpoints, conditions, frames that begin
// again, edits of the program that runs, profiles.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Response } from 'playwright-core';
import { DevtoolsPage, launchChromium } from './devtools-page.ts';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

const SERVER = `const http = require('http');
let count = 0;
function answer(name) {
  count += 1;
  const greeting = 'hello ' + name;
  return greeting + ' ' + count;
}
http.createServer((request, response) => response.end(answer('you'))).listen(process.env.PORT);
`;
/** Lines from 1. */
const [FIRST_LINE, GREETING_LINE, RETURN_LINE] = [4, 5, 6];

let host: RunningHost;
let browser: Browser;
before(async () => {
  host = await startHost({ files: { 'shop/server.js': SERVER, 'aside/server.js': SERVER } });
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await host?.stop();
});

test('logpoint, condition, restarted frame, live edit and profile work as in a DevTools of its own', async () => {
  const devtools = new DevtoolsPage(await browser.newPage({ viewport: { width: 1360, height: 820 } }));
  const visit = async (): Promise<string> => (await get(`${host.url}shop/`)).text;
  await devtools.open(`${host.url}shop/debug/`);
  await devtools.openFile('server.js');
  await devtools.setSpecialBreakpoint(GREETING_LINE, 'logpoint', "'count is', count");
  assert.equal(await visit(), 'hello you 1');
  await devtools.consoleShows('count is 1');

  await devtools.setSpecialBreakpoint(RETURN_LINE, 'conditional breakpoint', 'count === 3');
  assert.equal(await visit(), 'hello you 2');
  const hanging = visit();
  assert.equal(await devtools.pausedLine(), RETURN_LINE);
  await devtools.restartFrame();
  const place = devtools.page.locator('.call-frame-item .call-frame-location').first();
  await place.and(devtools.page.getByText(`server.js:${FIRST_LINE}`, { exact: true })).waitFor();
  await devtools.resume();
  assert.equal(await hanging, 'hello you 4', 'counted twice');

  await devtools.editLine(GREETING_LINE, "  const greeting = 'edited ' + name;");
  await devtools.consoleShows('server.js is changed in the program');
  assert.equal(await visit(), 'edited you 5');
  await devtools.consoleShows('count is 5');
  await devtools.editLine(GREETING_LINE, '  const greeting = (;');
  await devtools.consoleShows('server.js was not changed: it has an error');
  assert.equal(await visit(), 'edited you 6');

  await devtools.recordProfile(visit);
  assert.deepEqual(devtools.consoleErrors(), []);
  assert.deepEqual(devtools.foreignRequests(), []);
});

test('another browser finds breakpoints with their conditions and texts, also after ?kill', async () => {
  const fresh = async (): Promise<DevtoolsPage> => {
    const devtools = new DevtoolsPage(await browser.newPage({ viewport: { width: 1360, height: 820 } }));
    await devtools.open(`${host.url}aside/debug/`);
    return devtools;
  };
  const first = await fresh();
  await first.openFile('server.js');
  await first.setSpecialBreakpoint(GREETING_LINE, 'logpoint', "'count is', count");
  const saved = first.page.waitForResponse((response) => {
    const told = response.request().postData() ?? '';
    return response.ok() && response.url().endsWith('/settings') && told.includes('count === 2');
  });
  await first.setSpecialBreakpoint(RETURN_LINE, 'conditional breakpoint', 'count === 2');
  await saved;
  await first.page.close();
  assert.match((await get(`${host.url}aside/debug/?kill`)).text, /have been killed/);

  const second = await fresh();
  assert.deepEqual((await second.breakpointsListed(2)).map(({ line }) => line), [GREETING_LINE, RETURN_LINE]);
  const visit = async (): Promise<string> => (await get(`${host.url}aside/`)).text;
  assert.equal(await visit(), 'hello you 1');
  await second.consoleShows('count is 1');
  const hanging = visit();
  assert.equal(await second.pausedLine(), RETURN_LINE);
  await second.resume();
  assert.equal(await hanging, 'hello you 2');
});

test('watches and breakpoints outlive ?kill, a recycled process and a restarted host', async (t) => {
  const first = await startHost({ files: { 'shop/server.js': SERVER } });
  const hosts = [first];
  t.after(async () => {
    for (const each of hosts.reverse()) await each.stop();
  });
  const opened = async (): Promise<DevtoolsPage> => {
    const devtools = new DevtoolsPage(await browser.newPage({ viewport: { width: 1360, height: 820 } }));
    await devtools.open(`${first.url}shop/debug/`);
    return devtools;
  };
  const visit = async (): Promise<string> => (await get(`${first.url}shop/`)).text;
  /** What was set stops a request for a browser that has never been here. */
  const found = async (text: string): Promise<void> => {
    const devtools = await opened();
    const hanging = visit();
    assert.equal(await devtools.pausedLine(), RETURN_LINE);
    await devtools.watchShows(`greeting.length + 100: ${text.length - 2 + 100}`);
    await devtools.resume();
    assert.equal(await hanging, text);
    await devtools.page.close();
  };

  const one = await opened();
  await one.openFile('server.js');
  const isSaved = (what: string) => (response: Response): boolean =>
    response.url().endsWith('/settings') && (response.request().postData() ?? '').includes(what);
  const saved = [isSaved('greeting.length'), isSaved('"lineNumber')].map((is) => one.page.waitForResponse(is));
  await one.addWatch('greeting.length + 100');
  await one.setBreakpoint(RETURN_LINE);
  await Promise.all(saved);
  await one.page.close();
  await found('hello you 1');

  await get(`${first.url}shop/debug/?kill`);
  await found('hello you 1');

  // The pool recycles what runs when a file changes; what is debugged then is another process, of the new file.
  await get(`${first.url}shop/debug/?kill`);
  assert.equal(await visit(), 'hello you 1');
  writeFileSync(join(first.root, 'shop/server.js'), SERVER.replace("'hello '", "'good day '"));
  await until('the new process serves', async () => ((await visit()).startsWith('good day') ? true : undefined));
  await found('good day you 1');

  process.kill(first.pid, 'SIGTERM');
  await first.exited;
  hosts.push(await startHost({ successorOf: first }));
  await found('good day you 1');
});

test('a setting that was changed right before ?kill is kept', async () => {
  const opened = async (): Promise<DevtoolsPage> => {
    const devtools = new DevtoolsPage(await browser.newPage());
    await devtools.open(`${host.url}aside/debug/`);
    return devtools;
  };
  const first = await opened();
  const isAnswered = first.page.waitForResponse((response) => response.url().endsWith('/settings') && response.ok());
  await first.page.evaluate("slipstreamStorage.setItem('told-in-a-hurry', '\"yes\"')");
  assert.match((await get(`${host.url}aside/debug/?kill`)).text, /have been killed/);
  await isAnswered;
  const second = await opened();
  assert.equal(await second.page.evaluate("slipstreamStorage.getItem('told-in-a-hurry')"), '"yes"');
});

test('the Network panel shows what the program asks elsewhere, where Node is told to say it', async (t) => {
  const source = `const http = require('http');
const server = http.createServer((request, response) => {
  if (request.url.endsWith('price')) return response.end('42');
  const { port } = server.address();
  http.get({ port, path: '/shop/price', agent: false }, (answer) => answer.pipe(response));
}).listen(process.env.PORT);
`;
  const settings = 'nodeArgs: [--experimental-network-inspection]\n';
  const own = await startHost({ files: { 'shop/server.js': source, 'shop/slipstream.yml': settings } });
  t.after(() => own.stop());
  const devtools = new DevtoolsPage(await browser.newPage({ viewport: { width: 1360, height: 820 } }));
  await devtools.open(`${own.url}shop/debug/`);
  await devtools.showPanel('network');
  const row = devtools.page.locator('.network-log-grid .data-grid-data-grid-node').filter({ hasText: 'price' });
  assert.equal((await get(`${own.url}shop/`)).text, '42');
  await row.filter({ hasText: '200' }).waitFor();
  assert.deepEqual(devtools.consoleErrors(), []);
  await devtools.page.close();
});
