// Deadlines of a process that a debugger has.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HandClock } from '../base/clock.ts';
import { createLog } from '../base/log.ts';
import { DEFAULT_APP_SETTINGS, type App } from './app-config.ts';
import { AppProcess, LINK_TIMEOUT_MS } from './app-process.ts';

const NOTHING = (): void => {};

test('a process that a debugger has may stand or spin without a link, and is late as others afterwards', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-process-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'server.js'), 'setInterval(() => {}, 1000);');
  writeFileSync(join(folder, 'nothing.cjs'), '');
  const app: App = {
    name: 'shop', path: '/shop/', folder, entry: 'server.js', group: 'app:/shop/',
    settings: DEFAULT_APP_SETTINGS.defaults, nodeFlags: [], args: [], scriptEnv: {}, problem: undefined,
  };
  const clock = new HandClock();
  const watcher = {
    changed: NOTHING, forget: NOTHING, output: NOTHING, keep: NOTHING, askDrain: () => Promise.resolve(),
  };
  const process = new AppProcess({
    app, id: 'app:/shop/#1', key: 'k', port: 0, fronts: '', registerPath: join(folder, 'nothing.cjs'),
    clock, log: createLog({ json: false, write: NOTHING }), watcher,
  });
  await process.spawned;
  process.handle('ready');
  process.inspected(true);
  process.handle('unlinked');
  clock.advance(100 * LINK_TIMEOUT_MS);
  assert.deepEqual(process.state, { kind: 'away', reason: 'unlinked' }, 'its front died while it stood');
  process.inspected(false);
  clock.advance(LINK_TIMEOUT_MS - 1);
  assert.equal(process.state.kind, 'away');
  clock.advance(1);
  assert.deepEqual(process.state, { kind: 'stopping', reason: 'away-late' });
  process.killNow();
  await process.exited;
});
