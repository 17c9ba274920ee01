// Debuggers with a listener of their own: another origin than the apps, and nothing but debuggers there.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { DevtoolsPage, launchChromium } from './devtools-page.ts';
import { runCli, startHost } from './host-fixture.ts';
import { get } from './http-client.ts';
import { hostFor, run, SAYS_PID } from './join-program.ts';
import { made, madeAuthority } from './made-certificates.ts';
import { PollViewer } from './poll-viewer.ts';

const APP = "require('http').createServer((q, s) => s.end('the app')).listen(process.env.PORT);";

test('a debugger listener serves debuggers only, and they are nowhere else', async (t) => {
  const config = "debuggerListen: ['http://127.0.0.1:0']\n";
  const host = await startHost({ files: { 'shop/server.js': APP, 'slipstream.yml': config } });
  t.after(() => host.stop());
  const status = JSON.parse((await runCli(['status', '--json'], host.home)).stdout) as { debuggerUrls: string[] };
  const own = status.debuggerUrls[0]!;
  assert.notEqual(new URL(own).port, new URL(host.url).port);

  const page = await get(`${own}shop/debug/`);
  assert.deepEqual([page.status, /text\/html/.test(page.headers['content-type'] ?? '')], [200, true], page.text);
  const viewer = new PollViewer(`${own}shop/debug/`);
  await viewer.open();
  t.after(() => viewer.vanish());
  const answer = await viewer.send('Runtime.evaluate', { expression: '6 * 7' });
  assert.equal((answer as { result: { value: number } }).result.value, 42);

  // The app and the index are not on its origin.
  for (const path of ['', 'shop/', 'shop/server.js/', 'other/']) {
    assert.equal((await get(own + path)).status, 404, path);
  }
  assert.equal((await get(`${host.url}shop/`)).text, 'the app');

  // Elsewhere a person at this machine is led there; nobody else, and no program that sends something.
  for (const path of ['shop/debug', 'shop/debug/', 'shop/server.js/debug/?brk', 'shop/debug/cdp/alive']) {
    const led = await get(host.url + path);
    assert.deepEqual([led.status, led.headers['location']], [307, own + path]);
    assert.equal((await get(host.url + path, { headers: { host: 'shop.example' } })).status, 404);
    assert.equal((await get(host.url + path, { headers: { 'x-forwarded-for': '203.0.113.9' } })).status, 404);
    assert.equal((await get(host.url + path, { method: 'POST' })).status, 404);
  }
  const { stdout } = await runCli(['debug', 'shop'], host.home);
  assert.ok(stdout.startsWith(`${own}shop/debug/?link=`), stdout);
  assert.match((await runCli(['debug', 'shop', '--kill'], host.home)).stdout, /have been killed/);
});

test('no program gets a place on the listener of the debuggers', async (t) => {
  const host = await hostFor(t, {
    'shop/server.js': APP, 'slipstream.yml': "debuggerListen: ['http://127.0.0.1:0']\n",
  });
  const status = JSON.parse((await runCli(['status', '--json'], host.home)).stdout) as { debuggerUrls: string[] };
  const own = status.debuggerUrls[0]!;
  const { port } = new URL(own);
  for (const prefix of [`http://+:${port}/x/`, `http://*:${port}/shop/debug/`, `http://127.0.0.1:${port}/x/`]) {
    await run(t, host, SAYS_PID, [prefix]).line(/failed PREFIX_TAKEN .* is held by the debuggers \(debuggerListen\)/);
  }
  for (const words of [[port], [port, '127.0.0.1']]) await run(t, host, SAYS_PID, words).line(/failed EADDRINUSE/);
  assert.equal((await get(`${own}x/`)).status, 404);
  assert.equal((await get(`${own}shop/debug/`)).status, 200);
});

test('a debugger listener speaks https, and links lead a browser there', async (t) => {
  const { cert, key } = made('localhost', { issuer: madeAuthority().issuer, names: ['localhost'] });
  const config = `
debuggerListen: ['https://127.0.0.1:0']
tls: { certificates: [{ cert: keys/server.pem, key: keys/server.key }] }
`;
  const host = await startHost({
    files: { 'shop/server.js': APP, 'slip.yml': config, 'keys/server.pem': cert, 'keys/server.key': key },
    config: 'slip.yml',
  });
  t.after(() => host.stop());
  const status = JSON.parse((await runCli(['status', '--json'], host.home)).stdout) as { debuggerUrls: string[] };
  const own = status.debuggerUrls[0]!;
  assert.match(own, /^https:/);
  const led = await get(`${host.url}shop/debug/`);
  assert.deepEqual([led.status, led.headers['location']], [307, `${own}shop/debug/`]);

  const browser = await launchChromium();
  t.after(() => browser.close());
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1360, height: 820 } });
  const devtools = new DevtoolsPage(await context.newPage());
  const socket = devtools.page.waitForEvent('websocket');
  const [link] = (await runCli(['debug', 'shop'], host.home)).stdout.split('\n');
  assert.ok(link!.startsWith(`${own}shop/debug/?link=`), link);
  await devtools.open(link!);
  assert.equal(devtools.page.url(), `${own}shop/debug/`);
  assert.match((await socket).url(), /^wss:/);
  assert.equal(await devtools.evaluate('6 * 7'), '42');
  assert.deepEqual(devtools.foreignRequests(), []);
  assert.deepEqual(devtools.consoleErrors(), []);
});
