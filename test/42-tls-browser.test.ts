// Chromium over TLS: HTTP/2 as ALPN settles it, and a WebSocket on the same connection (RFC 8441).

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { launchChromium } from './devtools-page.ts';
import { startHost } from './host-fixture.ts';
import { made, madeAuthority } from './made-certificates.ts';

const APP = `
const http = require('node:http');
const { WebSocketServer } = require('ws');
const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/html');
  response.end('<title>shown</title>' + request.httpVersion);
});
new WebSocketServer({ server }).on('connection', (socket, request) => {
  socket.on('message', (data) => socket.send(request.httpVersion + ' ' + data));
});
server.listen(process.env.PORT);
`;

test('Chromium loads a page and opens a WebSocket over one HTTP/2 connection', async (t) => {
  const authority = madeAuthority();
  const server = made('localhost', { issuer: authority.issuer, names: ['localhost', '127.0.0.1'] });
  const host = await startHost({
    files: {
      'slip.yml': 'tls:\n  certificates: [{ cert: s.pem, key: s.key }]\n',
      's.pem': server.cert, 's.key': server.key, 'app/server.js': APP,
    },
    config: 'slip.yml',
    args: ['--listen', 'http://127.0.0.1:0', '--listen', 'https://127.0.0.1:0'],
  });
  t.after(() => host.stop());
  const browser = await launchChromium();
  t.after(() => browser.close());
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  const [url] = /https:\/\/127\.0\.0\.1:\d+\//.exec(await host.line(/ready on .*https/))!;
  await page.goto(`${url}app/`);
  assert.equal(await page.title(), 'shown');
  assert.match(await page.textContent('body') ?? '', /2\.0/);
  const protocol = await page.evaluate(`performance.getEntriesByType('navigation')[0].nextHopProtocol`);
  assert.equal(protocol, 'h2');
  const echo = await page.evaluate(`new Promise((resolve, reject) => {
    const socket = new WebSocket(location.href.replace('https', 'wss'));
    socket.onopen = () => socket.send('hello');
    socket.onmessage = (event) => resolve(event.data);
    socket.onerror = () => reject(new Error('the WebSocket failed'));
  })`);
  assert.equal(echo, '2.0 hello');
});
