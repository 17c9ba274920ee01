// The debugger as a person uses it in Firefox: the same page, in the same sandbox.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Firefox } from './firefox-browser.ts';
import { FirefoxDevtools } from './firefox-devtools.ts';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get } from './http-client.ts';

const SERVER = `const http = require('http');
function answer(name) {
  const greeting = 'hello ' + name;
  const length = greeting.length;
  return greeting + ' ' + length;
}
http.createServer((request, response) => response.end(answer('you'))).listen(process.env.PORT);
`;
/** Line of \`const greeting\`, from 1. */
const GREETING_LINE = 3;

let host: RunningHost;
let firefox: Firefox;
before(async () => {
  host = await startHost({ files: { 'shop/server.js': SERVER } });
  firefox = await Firefox.launch();
});
after(async () => {
  await firefox?.close();
  await host?.stop();
});

test('Firefox sets a breakpoint, stops, evaluates, finds the stop after a reload, steps and goes on', async () => {
  const devtools = new FirefoxDevtools(firefox);
  await devtools.open(`${host.url}shop/debug/`);
  await devtools.openFile('server.js');
  await devtools.setBreakpoint(GREETING_LINE);

  const hanging = get(`${host.url}shop/`);
  assert.equal(await devtools.pausedLine(), GREETING_LINE);
  assert.equal(await devtools.topFrame(), 'answer');
  assert.equal(await devtools.evaluate('name.toUpperCase()'), "'YOU'");

  await firefox.reload();
  await devtools.loaded();
  assert.equal(await devtools.pausedLine(), GREETING_LINE);
  assert.equal(await devtools.topFrame(), 'answer');
  await devtools.stepOver(GREETING_LINE + 1);
  assert.equal(await devtools.evaluate('greeting'), "'hello you'");
  await devtools.resume();
  assert.equal((await hanging).text, 'hello you 9');
  assert.deepEqual(firefox.errors, []);
});
