// The page of an app's logs: lines that come, in a real browser and by plain requests; who may see it.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { launchChromium } from './devtools-page.ts';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

const APP = `
require('http').createServer((request, response) => {
  const { searchParams } = new URL(request.url, 'http://host');
  if (searchParams.has('print')) console.log(searchParams.get('print'));
  for (let row = 0; row < Number(searchParams.get('rows')); row++) console.error('row ' + row);
  response.end('up');
}).listen(process.env.PORT);
`;

interface Tail {
  next: number;
  lines: { stream: string; line: string }[];
  missed: number;
  pauseMs: number;
}

async function hostFor(t: TestContext, settings = ''): Promise<RunningHost> {
  const files = { 'shop/server.js': APP, 'slipstream.yml': `defaults: {logDirectory: logs${settings}}\n` };
  const host = await startHost({ files });
  t.after(() => host.stop());
  assert.equal((await get(`${host.url}shop/?print=first`)).text, 'up');
  return host;
}

async function tailAfter(host: RunningHost, after: number): Promise<Tail> {
  const { status, text } = await get(`${host.url}shop/logs/?after=${after}`);
  assert.equal(status, 200, text);
  return JSON.parse(text) as Tail;
}

test('an answer waits for the next line, and a flood is cut and counted', async (t) => {
  const host = await hostFor(t);
  const first = await until('the first line', async () => {
    const tail = await tailAfter(host, -1);
    return tail.lines.length > 0 ? tail : undefined;
  });
  assert.deepEqual(first.lines.map(({ line }) => line), ['first']);
  const waiting = tailAfter(host, first.next);
  await get(`${host.url}shop/?print=second`);
  const second = await waiting;
  assert.deepEqual(second.lines.map(({ line }) => line), ['second']);
  assert.deepEqual([second.next, second.missed, second.pauseMs], [first.next + 1, 0, 0]);
  await get(`${host.url}shop/?rows=3000`);
  const total = second.next + 3000;
  await until('all lines', async () => ((await tailAfter(host, -1)).next === total ? true : undefined));
  const flood = await tailAfter(host, second.next);
  assert.equal(flood.lines.at(-1)?.line, 'row 2999');
  assert.equal(flood.lines.length + flood.missed, 3000);
  assert.equal(flood.lines.length, 500);
});

test('a page in a browser shows lines as they come, as text', async (t) => {
  const host = await hostFor(t);
  const browser = await launchChromium();
  t.after(() => browser.close());
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  await page.goto(`${host.url}shop/logs/`);
  await page.locator('#tail', { hasText: 'first' }).waitFor();
  await get(`${host.url}shop/?print=${encodeURIComponent('<img src=x onerror=alert(1)>')}`);
  await page.locator('#tail div', { hasText: '<img src=x' }).waitFor();
  assert.equal(await page.locator('#tail img').count(), 0);
  await get(`${host.url}shop/?rows=1`);
  await page.locator('#tail .stderr', { hasText: 'row 0' }).waitFor();
  assert.deepEqual(errors, []);
});

test('logPage says who sees the logs', async (t) => {
  const far = { headers: { 'x-forwarded-for': '192.0.2.1' } };
  const local = await hostFor(t);
  assert.equal((await get(`${local.url}shop/logs/`, far)).status, 404);
  assert.equal((await get(`${local.url}shop/logs/?after=-1`, far)).status, 404);
  const open = await hostFor(t, ', logPage: everyone');
  assert.equal((await get(`${open.url}shop/logs/`, far)).status, 200);
  assert.equal((await get(`${open.url}shop/logs/?after=-1`, far)).status, 200);
  const off = await hostFor(t, ', logPage: "off"');
  assert.equal((await get(`${off.url}shop/logs/`)).text, 'up');
});
