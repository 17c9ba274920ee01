// The page of an app's logs: lines that come, in a real browser and by plain requests; who may see it.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { launchChromium } from './devtools-page.ts';
import { runCli, startHost, type RunningHost } from './host-fixture.ts';
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

/** What a browser behind a proxy says when a person opens a page. */
const OPENED = {
  'x-forwarded-for': '192.0.2.1', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'none',
  accept: 'text/html',
};

test('who signed in with a link reads logs and developer pages; nobody else, and no script', async (t) => {
  const files = { 'shop/server.js': APP, 'broken/server.js': 'throw new Error("told in the log");' };
  const host = await startHost({ files });
  t.after(() => host.stop());
  assert.equal((await get(`${host.url}shop/?print=first`)).text, 'up');
  const page = `${host.url}shop/debug/logs/`;
  assert.match((await get(page)).text, /Logs of shop/, 'somebody at this machine');
  assert.equal((await get(page, { headers: OPENED })).status, 404);
  const cookieOf = async (app: string): Promise<string> => {
    const { links } = JSON.parse((await runCli(['logs', app, '--link', '--json'], host.home)).stdout) as
      { links: string[] };
    const scripted = { 'x-forwarded-for': '192.0.2.1', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' };
    assert.equal((await get(links[0]!, { headers: scripted })).status, 404);
    const { status, headers } = await get(links[0]!, { headers: OPENED });
    assert.deepEqual([status, headers.location], [303, `/${app}/debug/logs/`]);
    const [cookie] = headers['set-cookie']!;
    assert.match(cookie!, new RegExp(`^slipstream-reader=[^;]+; Path=/${app}/; HttpOnly; SameSite=Lax$`));
    assert.equal((await get(links[0]!, { headers: OPENED })).status, 404, 'once');
    return cookie!.split(';')[0]!;
  };
  const cookie = await cookieOf('shop');
  const seen = await get(page, { headers: { ...OPENED, cookie } });
  assert.equal(seen.status, 200);
  assert.match(String(seen.headers['content-security-policy']), /sandbox allow-scripts/);
  const key = /data-key="([\w-]+)"/.exec(seen.text)![1]!;
  const far = { headers: { 'x-forwarded-for': '192.0.2.1', origin: 'null' } };
  const tail = await get(`${page}?after=-1&key=${key}`, far);
  assert.deepEqual((JSON.parse(tail.text) as Tail).lines.map(({ line }) => line), ['first']);
  assert.equal(tail.headers['access-control-allow-origin'], 'null');
  assert.equal((await get(`${page}?after=-1&key=${'a'.repeat(key.length)}`, far)).status, 404);
  const fetched = { ...OPENED, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', cookie };
  const scripts = [fetched, { ...far.headers, cookie }];
  for (const headers of scripts) {
    assert.equal((await get(page, { headers })).status, 404, 'script on a page of the app');
  }
  assert.equal((await get(`${host.url}shop/debug/`, { headers: { ...OPENED, cookie } })).status, 403);

  const broken = `${host.url}broken/`;
  const strange = await get(broken, { headers: { ...OPENED, cookie } });
  assert.deepEqual([strange.status, strange.text.includes('told in the log')], [500, false], 'of another app');
  const reader = await cookieOf('broken');
  const told = await get(broken, { headers: { ...OPENED, cookie: reader } });
  assert.deepEqual([told.status, told.text.includes('told in the log')], [500, true]);
  assert.match(String(told.headers['content-security-policy']), /; sandbox$/);
  const scripted = await get(broken, { headers: { ...far.headers, accept: 'text/html', cookie: reader } });
  assert.deepEqual([scripted.status, scripted.text.includes('told in the log')], [500, false]);
  await runCli(['debug', '--revoke'], host.home);
  const over = await get(broken, { headers: { ...OPENED, cookie: reader } });
  assert.deepEqual([over.status, over.text.includes('told in the log')], [500, false]);
  assert.equal((await get(page, { headers: { ...OPENED, cookie } })).status, 404);
  assert.equal((await get(`${page}?after=-1&key=${key}`, far)).status, 404);
});
