// A debugging session in WebKit, as test/61-devtools-firefox has it for Firefox: set a breakpoint, stop, evaluate,
// load the page again, step, go on. Needs WebKitWebDriver and Xvfb (Debian: webkit2gtk-driver, xvfb), hence no part of
// npm test.
//   node dist/scripts/webkit.js

import { passThroughDebugger, PASS_APP } from '../test/driven-devtools.ts';
import { startHost } from '../test/host-fixture.ts';
import { WebKit } from '../test/webkit-browser.ts';

const host = await startHost({ files: { 'shop/server.js': PASS_APP } });
try {
  const webkit = await WebKit.launch();
  const startMs = performance.now();
  try {
    await passThroughDebugger(webkit, `${host.url}shop/`);
    await webkit.gatherErrors();
    if (webkit.errors.length > 0) throw new Error(`errors of the page:\n${webkit.errors.join('\n')}`);
    console.log(`webkit: passed in ${((performance.now() - startMs) / 1000).toFixed(1)} s (${webkit.name})`);
  } finally {
    await webkit.close();
  }
} finally {
  await host.stop();
}
