// The debugger as a person uses it in Firefox: the same page, in the same sandbox.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { PASS_APP, passThroughDebugger } from './driven-devtools.ts';
import { Firefox } from './firefox-browser.ts';
import { startHost, type RunningHost } from './host-fixture.ts';

let host: RunningHost;
let firefox: Firefox;
before(async () => {
  host = await startHost({ files: { 'shop/server.js': PASS_APP } });
  firefox = await Firefox.launch();
});
after(async () => {
  await firefox?.close();
  await host?.stop();
});

test('Firefox sets a breakpoint, stops, evaluates, finds the stop after a reload, steps and goes on', async () => {
  await passThroughDebugger(firefox, `${host.url}shop/`);
  assert.deepEqual(firefox.errors, []);
});
