// Pages of the debugger, in real Chromium, whose host is killed and started again, or behind a network that cuts: they
// wait, say what a person has to know and nothing else, and go on where they were.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
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

test('a page without WebSockets never shows that a network cuts its polls', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': APP } });
  t.after(() => host.stop());
  const open = new Set<Socket>();
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  const network = createServer((near) => {
    const far = connect(host.port, '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]] as const) {
      open.add(from);
      from.on('error', () => from.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }).listen(0, '127.0.0.1');
  await once(network, 'listening');
  t.after(() => {
    network.close();
    cut();
  });
  const browser = await launchChromium();
  t.after(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1360, height: 820 } });
  // All that the strip ever says about the connection.
  await page.addInitScript(`{
    const said = new Set();
    Object.assign(globalThis, { WebSocket: undefined, said });
    new MutationObserver(() => {
      const state = document.querySelector('#slipstream-status')?.firstChild?.textContent;
      if (typeof state === 'string') said.add(state);
    }).observe(document, { childList: true, subtree: true, characterData: true });
  }`);
  const devtools = new DevtoolsPage(page);
  await devtools.open(`http://127.0.0.1:${(network.address() as AddressInfo).port}/shop/debug/`);
  for (let count = 1; count <= 5; count++) {
    cut();
    assert.equal(await devtools.evaluate(`globalThis.count = (globalThis.count ?? 0) + 1`), String(count));
  }
  const said = await page.evaluate('[...said]');
  assert.deepEqual(said, ['connecting', 'connected']);
});
