// Takes docs/debugger.png: DevTools in Chromium, stopped in the sample with the bug.
// Run after a build: `node dist/scripts/screenshot.js`.

import { join } from 'node:path';
import { PROJECT_ROOT } from './project.ts';
import { DevtoolsPage, launchChromium } from '../test/devtools-page.ts';
import { startHost } from '../test/host-fixture.ts';
import { get } from '../test/http-client.ts';

const TOTAL_LINE = 22;

const host = await startHost({ root: join(PROJECT_ROOT, 'samples') });
const browser = await launchChromium();
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 760 } });
  const devtools = new DevtoolsPage(page);
  await devtools.open(`${host.url}buggy/debug/`);
  await devtools.openFile('cart.js');
  await devtools.setBreakpoint(TOTAL_LINE);
  const hanging = get(`${host.url}buggy/`);
  await devtools.pausedLine();
  await devtools.scopeValues();
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(PROJECT_ROOT, 'docs', 'debugger.png') });
  await get(`${host.url}buggy/debug/?kill`);
  await hanging.catch(() => undefined);
} finally {
  await browser.close();
  await host.stop();
}
