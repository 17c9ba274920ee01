// A page of the debugger, in real Chromium, whose host is killed and started again: it waits, says so, and goes on
// where it was.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { DevtoolsPage, launchChromium } from './devtools-page.ts';
import { startHost } from './host-fixture.ts';
import { get } from './http-client.ts';

const APP = `const http = require('http');
function answer(name) {
  const greeting = 'hello ' + name;
  return greeting;
}
http.createServer((request, response) => response.end(answer('you'))).listen(process.env.PORT);
`;
const RETURN_LINE = 4;

test('a page whose host is killed says so, and is back at the same stop with the next host', async (t) => {
  const first = await startHost({ files: { 'shop/server.js': APP } });
  const hosts = [first];
  t.after(async () => {
    for (const host of hosts.reverse()) await host.stop();
  });
  const browser = await launchChromium();
  t.after(() => browser.close());
  const devtools = new DevtoolsPage(await browser.newPage({ viewport: { width: 1360, height: 820 } }));
  await devtools.open(`${first.url}shop/debug/`);
  await devtools.openFile('server.js');
  await devtools.setBreakpoint(RETURN_LINE);
  const lost = assert.rejects(get(`${first.url}shop/`));
  assert.equal(await devtools.pausedLine(), RETURN_LINE);
  const strip = devtools.page.locator('#slipstream-status');

  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  await lost;
  await strip.getByText('away, trying again').waitFor();
  assert.equal(await devtools.pausedLine(), RETURN_LINE, 'what is shown stays');
  hosts.push(await startHost({ successorOf: first }));
  await strip.getByText('back', { exact: true }).waitFor();
  await strip.getByText('connected', { exact: true }).waitFor();
  assert.equal(await devtools.evaluate('greeting.length'), '9');
  await devtools.resume();
  await devtools.running();
  const again = get(`${first.url}shop/`);
  assert.equal(await devtools.pausedLine(), RETURN_LINE);
  await devtools.resume();
  assert.equal((await again).text, 'hello you');
});
