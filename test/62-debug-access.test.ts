// Who may use the debugger, in real Chromium: script on the app's own pages has the same origin as the
// debugger and gets nothing of it, and a one-time link lets a person in from elsewhere.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { AccessGrants } from '../src/debug/access-grants.ts';
import { join } from 'node:path';
import { DevtoolsPage, launchChromium } from './devtools-page.ts';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get } from './http-client.ts';
import { PollViewer, signIn } from './poll-viewer.ts';

const SERVER = `const http = require('http');
const WORKER = \`
  addEventListener('install', () => skipWaiting());
  addEventListener('activate', (event) => event.waitUntil(Promise.all([
    clients.claim(),
    registration.navigationPreload.enable(),
  ])));
  addEventListener('fetch', (event) => {
    if (!event.request.url.includes('/debug/')) return;
    event.respondWith((async () => {
      const seen = [];
      for (const asked of [await event.preloadResponse, await fetch(event.request)]) {
        seen.push((await asked.text()).includes('slipstream-page'));
      }
      return new Response('worker saw a key: ' + seen.join(' '));
    })());
  });
\`;
http.createServer((request, response) => {
  if (request.url.endsWith('/worker.js')) {
    response.setHeader('Content-Type', 'text/javascript');
    response.end(WORKER);
  } else {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>hostile</title><button>go</button>');
  }
}).listen(process.env.PORT);
`;

/** Passes requests on as a proxy does, so that nobody behind it is a person at this machine. */
async function startProxy(port: number): Promise<Server> {
  const proxy = createServer((incoming, response) => {
    const headers = { ...incoming.headers, 'x-forwarded-for': '203.0.113.9' };
    const { method, url: path } = incoming;
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  proxy.listen(0, 'localhost');
  await once(proxy, 'listening');
  return proxy;
}

let host: RunningHost;
let browser: Browser;
before(async () => {
  host = await startHost({ files: { 'shop/server.js': SERVER } });
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await host?.stop();
});

test('script on a page of the app cannot use the debugger of a developer who has it open', async () => {
  const context = await browser.newContext();
  const devtools = new DevtoolsPage(await context.newPage());
  await devtools.open(`${host.url}shop/debug/`);
  const hostile = await context.newPage();
  await hostile.goto(`${host.url}shop/`);

  const got = await hostile.evaluate<Record<string, boolean>>(`(async () => {
    const results = {};
    const ask = async (name, url, init) => {
      const response = await fetch(url, init);
      const text = await response.text();
      results[name] = response.status === 403 && !text.includes('slipstream-page');
    };
    await ask('page', 'debug/', {});
    await ask('index', 'debug/index.html', {});
    await ask('killed', 'debug/?kill', {});
    await ask('key', 'debug/cdp/sign-in', { method: 'POST', body: '{}' });
    await ask('viewer', 'debug/cdp/', { method: 'POST', body: '{}' });
    await ask('settings', 'debug/cdp/settings', { method: 'POST', body: '{"a":"b"}' });
    await ask('file', 'debug/cdp/file?url=file:///etc/passwd', {});
    return results;
  })()`);
  for (const [name, isRefused] of Object.entries(got)) assert.equal(isRefused, true, name);

  // A frame is refused by the server, and a window is of another origin.
  const framed = await hostile.evaluate<string>(`(async () => {
    const frame = document.createElement('iframe');
    frame.src = 'debug/';
    const loaded = new Promise((resolve) => (frame.onload = resolve));
    document.body.append(frame);
    await loaded;
    try {
      return frame.contentDocument.body.textContent;
    } catch {
      return 'closed';
    }
  })()`);
  assert.doesNotMatch(framed, /slipstream-page/);

  const opening = context.waitForEvent('page');
  await hostile.evaluate(`document.querySelector('button').onclick = () => {
    globalThis.opened = window.open('debug/', 'debugger');
  }`);
  await hostile.click('button');
  const popup = await opening;
  await popup.waitForSelector('.tabbed-pane');
  const reached = await hostile.evaluate<string>(`(() => {
    try {
      return opened.document.title;
    } catch (error) {
      return error.name;
    }
  })()`);
  assert.equal(reached, 'SecurityError');
  assert.equal(await popup.evaluate('origin'), 'null');

  // The developer's own page goes on as before.
  assert.equal(await devtools.evaluate('6 * 7'), '42');
  await context.close();
});

test('a service worker of the app gets no page of the debugger with a key in it', async () => {
  const context = await browser.newContext();
  const hostile = await context.newPage();
  await hostile.goto(`${host.url}shop/`);
  await hostile.evaluate(`(async () => {
    await navigator.serviceWorker.register('worker.js');
    await navigator.serviceWorker.ready;
    if (navigator.serviceWorker.controller === null) {
      await new Promise((resolve) => navigator.serviceWorker.addEventListener('controllerchange', resolve));
    }
  })()`);
  await hostile.goto(`${host.url}shop/debug/`);
  assert.equal(await hostile.evaluate('document.body.textContent'), 'worker saw a key: false false');
  await context.close();
});

test('a one-time link lets a person in once, until the session is revoked', async (t) => {
  await get(`${host.url}shop/debug/`);
  const grants = new AccessGrants(join(host.home, 'debugger'));
  const link = grants.createLink('/shop/', 'full');
  const proxy = await startProxy(host.port);
  t.after(() => proxy.closeAllConnections());
  t.after(() => proxy.close());
  const context = await browser.newContext();
  const page = await context.newPage();
  const base = `http://localhost:${(proxy.address() as AddressInfo).port}/shop/debug/`;
  assert.equal((await page.goto(base))!.status(), 403);
  const devtools = new DevtoolsPage(page);
  await devtools.open(`${base}?link=${link}`);
  assert.equal(page.url(), base);
  assert.equal(await devtools.evaluate('process.pid > 0'), 'true');
  await page.reload();
  await devtools.open(base);
  assert.equal((await page.context().newPage().then((other) => other.goto(`${base}?link=${link}`)))!.status(), 403);
  grants.revoke('/shop/');
  assert.equal((await page.goto(base))!.status(), 403);
  await context.close();
});

test('a program at this machine signs in without a link, a page does not', async () => {
  await get(`${host.url}shop/debug/`);
  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  const { result } = (await viewer.send('Runtime.evaluate', { expression: '40 + 2' })) as {
    result: { value: number };
  };
  assert.equal(result.value, 42);
  await viewer.vanish();
  await assert.rejects(signIn(`${host.url}shop/debug/cdp/`, { link: 'wrong' }), /403/);
});
