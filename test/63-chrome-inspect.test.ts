// chrome://inspect in real Chromium takes the address of `slipstream attach` for a local Node, and Chromium's own
// DevTools, which speak a WebSocket, debug the app through it.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext } from 'playwright-core';
import { systemClock } from '../src/base/clock.ts';
import { attach } from '../src/debug/attach.ts';
import { CHROMIUM_WORDS, chromiumPath } from './devtools-page.ts';
import { startHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

const APP = `require('http').createServer((request, response) => {
  debugger;
  response.end('hi');
}).listen(process.env.PORT);
`;

/** A Chromium that looks for targets at `address`. A window of DevTools needs more than its headless shell. */
function browserFor(profile: string, address: string): Promise<BrowserContext> {
  mkdirSync(join(profile, 'Default'));
  const devtools = { discover_tcp_targets: true, tcp_discovery_config: [address] };
  writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify({ devtools }));
  const args = [...CHROMIUM_WORDS, '--headless=new'];
  return chromium.launchPersistentContext(profile, { executablePath: chromiumPath(), headless: false, args });
}

test('chrome://inspect lists the app, and the DevTools that it opens stop and go on', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': APP } });
  t.after(() => host.stop());
  const events: string[] = [];
  const onEvent = (text: string): void => void events.push(text);
  const address = await attach({ url: `${host.url}shop/debug/`, port: 0, clock: systemClock, onEvent });
  t.after(() => address.close());
  const profile = mkdtempSync(join(tmpdir(), 'slip-inspect-'));
  t.after(() => rmSync(profile, { recursive: true, maxRetries: 20, retryDelay: 100 }));
  const context = await browserFor(profile, `127.0.0.1:${address.port}`);
  t.after(() => context.close());

  const page = await context.newPage();
  // The page is never loaded whole.
  await page.goto('chrome://inspect/#devices', { waitUntil: 'commit' });
  const row = page.locator('.row').filter({ hasText: `${host.url}shop/debug/` });
  await row.locator('.action').filter({ hasText: /^inspect$/ }).click();
  await until('it is attached', () => (events.some((text) => text.startsWith('attached to shop')) ? true : undefined));

  const browser = await context.browser()!.newBrowserCDPSession();
  const { targetInfos } = await browser.send('Target.getTargets');
  const window = targetInfos.find(({ url }) => url.startsWith('devtools://'));
  assert.ok(window, 'a window of DevTools');
  const { sessionId } = await browser.send('Target.attachToTarget', { targetId: window.targetId, flatten: false });
  let id = 0;
  const evaluate = async (expression: string): Promise<unknown> => {
    const asked = ++id;
    const answered = new Promise<unknown>((resolve) => {
      browser.on('Target.receivedMessageFromTarget', ({ message }) => {
        const heard = JSON.parse(message) as { id?: number; result?: { result: { value: unknown } } };
        if (heard.id === asked) resolve(heard.result?.result.value);
      });
    });
    const message = JSON.stringify({ id: asked, method: 'Runtime.evaluate', params: { expression } });
    await browser.send('Target.sendMessageToTarget', { sessionId, message });
    return answered;
  };
  const find = (selector: string): string => `(function find(root) {
    for (const element of root.querySelectorAll('*')) {
      if (element.matches('${selector}')) return element;
      const found = element.shadowRoot && find(element.shadowRoot);
      if (found) return found;
    }
  })(document)`;
  const hanging = get(`${host.url}shop/`);
  await until('DevTools shows the stop', async () => {
    const text = await evaluate(`${find('.paused-status .status-main')}?.textContent`);
    return /debugger/i.test(String(text)) ? true : undefined;
  });
  await until('it goes on', async () => {
    const isPressed = await evaluate(`Boolean(${find('[aria-label^="Resume script execution"]')}?.click() ?? true)`);
    return isPressed === true ? true : undefined;
  });
  assert.equal((await hanging).text, 'hi');
});
