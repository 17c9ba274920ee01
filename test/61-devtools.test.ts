// The debugger as a person uses it: real Chromium, WebSocket forbidden, a sample of this repository.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { DevtoolsPage, launchChromium } from './devtools-page.ts';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get } from './http-client.ts';

const SAMPLES = new URL(import.meta.url.endsWith('.ts') ? '../samples' : '../../samples', import.meta.url);
/** \`total += …\` of samples/buggy/cart.js. */
const TOTAL_LINE = 22;

const SHOP = `require('http').createServer((request, response) => {
  response.end('hi');
}).listen(process.env.PORT);
`;

let host: RunningHost;
let browser: Browser;
before(async () => {
  host = await startHost({ root: fileURLToPath(SAMPLES) });
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await host?.stop();
});

/** A fresh profile whose pages cannot make a WebSocket. */
async function freshProfile(): Promise<DevtoolsPage> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 820 } });
  await context.addInitScript(() => {
    Object.defineProperty(globalThis, 'WebSocket', {
      value: function forbidden() {
        throw new Error('WebSocket is forbidden in this test');
      },
    });
  });
  return new DevtoolsPage(await context.newPage());
}

test('a breakpoint set in the browser stops a request, and everything outlives the page', async () => {
  const devtools = await freshProfile();
  await devtools.open(`${host.url}buggy/debug/`);
  await devtools.openFile('cart.js');
  await devtools.setBreakpoint(TOTAL_LINE);
  const debuggee = host.processes().find((child) => child.role === 'app');

  const hanging = get(`${host.url}buggy/`);
  assert.equal(await devtools.pausedLine(), TOTAL_LINE);
  const [top, below] = await devtools.callStack();
  assert.deepEqual([top?.name, top?.file, top?.line], ['totalOf', 'cart.js', TOTAL_LINE]);
  assert.equal(below?.file, 'server.js');
  const scope = await devtools.scopeValues();
  assert.equal(scope['price'], '1800');
  assert.equal(await devtools.evaluate('item.name + discount.percent'), "'Pen10'");

  await devtools.stepOver();
  const afterStep = await devtools.pausedLine();
  assert.notEqual(afterStep, TOTAL_LINE);

  await devtools.page.context().close();

  const colleague = await freshProfile();
  await colleague.open(`${host.url}buggy/debug/`);
  assert.equal(await colleague.pausedLine(), afterStep);
  const listed = await colleague.breakpoints();
  assert.deepEqual(listed.map(({ file, line }) => [file, line]), [['cart.js', TOTAL_LINE]]);
  assert.match((await colleague.consoleMessages()).join('\n'), /buggy: http:\/\/localhost/);

  await colleague.resume();
  for (let item = 0; item < 2; item++) {
    assert.equal(await colleague.pausedLine(), TOTAL_LINE);
    await colleague.resume();
  }
  const answer = await hanging;
  assert.match(answer.text, /id="total">36\.90 €/);

  for (const page of [devtools, colleague]) {
    assert.deepEqual(page.foreignRequests(), []);
    assert.deepEqual(page.consoleErrors(), []);
  }

  const killed = await get(`${host.url}buggy/debug/?kill`);
  assert.equal(killed.text, 'The debugger and debugee processes have been killed.');
  assert.equal((await get(`${host.url}buggy/`)).status, 200);
  const fresh = host.processes().find((child) => child.role === 'app');
  assert.notEqual(fresh?.pid, debuggee?.pid);
  assert.doesNotMatch(fresh?.command ?? '', /--inspect/);
  await colleague.page.context().close();
});

test('a page left open does not revive a killed debugger', async () => {
  const devtools = await freshProfile();
  await devtools.open(`${host.url}hello/debug/`);
  await get(`${host.url}hello/debug/?kill`);
  await devtools.page.waitForTimeout(1500);
  assert.equal((await get(`${host.url}hello/debug/?kill`)).text, 'The debugger for the application is not running.');
  await devtools.page.context().close();
});

test('a page follows its program into the next session after a changed file, and says how it is', async (t) => {
  const changing = await startHost({ files: { 'shop/server.js': SHOP } });
  t.after(() => changing.stop());
  const devtools = await freshProfile();
  t.after(() => devtools.page.context().close());
  await devtools.open(`${changing.url}shop/debug/`);
  const strip = devtools.page.locator('#slipstream-status');
  await strip.getByText('1 viewer').waitFor();
  assert.match((await strip.textContent()) ?? '', /^connected · shop \[\d+\] · all requests · full1 viewerkill$/);
  const [above, foot] = [await devtools.page.locator('.root-view').boundingBox(), await strip.boundingBox()];
  assert.equal(above!.y + above!.height, foot!.y, 'it covers nothing of DevTools');
  assert.deepEqual(await devtools.panels(), ['Console', 'Sources', 'Network', 'Performance', 'Memory']);
  await devtools.openFile('server.js');
  await devtools.setBreakpoint(2);
  const reloaded = devtools.page.waitForEvent('load');
  writeFileSync(join(changing.root, 'shop', 'server.js'), `${SHOP}// changed\n`);
  await reloaded;
  const hanging = get(`${changing.url}shop/`);
  assert.equal(await devtools.pausedLine(), 2);
  assert.match(await devtools.page.title(), /^⏸ shop/);
  await devtools.resume();
  assert.equal((await hanging).text, 'hi');
  await devtools.evaluate("void setTimeout(() => { throw new Error('out of cheese'); }, 300)");
  const lastWords = devtools.page.locator('#slipstream-last-words');
  await lastWords.getByText('Error: out of cheese').waitFor();
  await strip.getByText('over', { exact: true }).waitFor();
  await lastWords.getByText('close').click();
  assert.equal(await lastWords.count(), 0);
});

test('where a WebSocket works it carries everything, and its end shows nowhere', async (t) => {
  const context = await browser.newContext({ viewport: { width: 1360, height: 820 } });
  t.after(() => context.close());
  const devtools = new DevtoolsPage(await context.newPage());
  const opening = devtools.page.waitForEvent('websocket');
  let polls = 0;
  devtools.page.on('request', (request) => (polls += /\/poll\?/.test(request.url()) ? 1 : 0));
  await devtools.open(`${host.url}hello/debug/`);
  const socket = await opening;
  assert.match(socket.url(), /^ws:.*\/hello\/debug\/cdp\/[\w-]+\/socket$/);
  assert.equal(await devtools.evaluate('6 * 7'), '42');
  const before = polls;
  assert.equal(await devtools.evaluate('6 * 8'), '48');
  assert.equal(polls, before, 'no poll is needed any more');
  const ended = socket.waitForEvent('close');
  for (const { role, pid } of host.processes()) if (role === 'front') process.kill(pid, 'SIGKILL');
  await ended;
  assert.equal(await devtools.evaluate('6 * 9'), '54');
  assert.ok(polls > before, 'polls take over');
  assert.match((await devtools.page.locator('#slipstream-status').textContent()) ?? '', /^connected/);
});

test('a viewer sees who is there, and makes another one read-only', async (t) => {
  const [boss, guest] = [await freshProfile(), await freshProfile()];
  t.after(() => boss.page.context().close());
  t.after(() => guest.page.context().close());
  await boss.open(`${host.url}hello/debug/`);
  await guest.open(`${host.url}hello/debug/`);
  await boss.page.getByRole('button', { name: '2 viewers' }).click();
  const rows = boss.page.locator('#slipstream-viewers li');
  assert.match((await rows.nth(0).textContent()) ?? '', /^\d+\. local \(you\): full$/);
  await rows.nth(1).getByRole('button', { name: 'read-only' }).click();
  const strip = guest.page.locator('#slipstream-status');
  await strip.getByText(/ · observe/).waitFor();
  assert.equal(await guest.evaluate('1 + 1', 2000).catch(() => 'refused'), 'refused');
  await rows.nth(1).getByRole('button', { name: 'full' }).click();
  await strip.getByText(/ · full/).waitFor();
  assert.deepEqual(boss.consoleErrors(), []);
});

test('a heap snapshot, which a worker thread of the page reads, works in its sandbox', async (t) => {
  const devtools = await freshProfile();
  t.after(() => devtools.page.context().close());
  await devtools.open(`${host.url}hello/debug/`);
  await devtools.showPanel('heap-profiler');
  const kinds = devtools.page.locator('.profile-launcher-view-content [type=radio]');
  // The panel is there a moment before what it offers.
  await kinds.first().waitFor();
  assert.equal(await kinds.count(), 3, 'snapshot, timeline, sampling; nothing about elements of pages');
  await devtools.takeHeapSnapshot();
  assert.deepEqual(devtools.consoleErrors(), []);
});
