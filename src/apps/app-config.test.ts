import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP_SETTINGS, DEFAULT_APP_SETTINGS, processCount, readAppOverrides } from './app-config.ts';
import { readAppSettings, settingsAt } from './app-config.ts';

test('readAppSettings fills in the defaults of the table', () => {
  const settings = readAppSettings({ processes: 2 }, 'test');
  assert.equal(settings.processes, 2);
  assert.equal(settings.startTimeoutMs, 25_000);
  assert.equal(settings.gracefulShutdownTimeoutMs, 60_000);
  assert.equal(settings.debuggerPathSegment, 'debug');
  assert.deepEqual(settings.env, {});
});

test('each app setting has a default that its own row takes, and a text', () => {
  for (const [name, row] of Object.entries(APP_SETTINGS)) {
    readAppSettings({ [name]: row.default }, 'test');
    assert.ok(row.text.length > 10, name);
  }
});

test('readAppSettings refuses what no app can have', () => {
  const bad: Record<string, unknown>[] = [
    { processes: -1 }, { proceses: 1 }, { startTimeoutMs: '1' }, { debuggerPathSegment: '' },
    { debuggerPathSegment: 'a/b' }, { debuggerPathSegment: '..' }, { debuggerPathSegment: 'a?b' },
    { env: { '': 'x' } }, { env: { 'A=B': 'x' } }, { env: { A: 'x\0y' } }, { nodeArgs: '--x' },
  ];
  for (const values of bad) {
    assert.throws(() => readAppSettings(values, 'test'), { code: 'CONFIG_INVALID' }, JSON.stringify(values));
  }
});

test('readAppOverrides keeps only what is named', () => {
  assert.deepEqual(readAppOverrides({ processes: 0 }, 'test'), { processes: 0 });
});

test('settingsAt lays the settings of an app over the defaults and adds up variables', () => {
  const source = {
    defaults: { ...DEFAULT_APP_SETTINGS.defaults, env: { A: '1', B: '1' } },
    overrides: { '/shop/': { processes: 3, env: { B: '2' } } },
  };
  const shop = settingsAt(source, '/shop/');
  assert.equal(shop.processes, 3);
  assert.deepEqual(shop.env, { A: '1', B: '2' });
  assert.equal(settingsAt(source, '/other/').processes, 1);
  assert.equal(settingsAt(source, 'constructor').processes, 1);
});

test('processCount takes 0 as one per core', () => {
  const settings = DEFAULT_APP_SETTINGS.defaults;
  assert.equal(processCount(settings), 1);
  assert.ok(processCount({ ...settings, processes: 0 }) >= 1);
});
