import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { silentLog } from '../base/log.ts';
import { configSchema } from './config-schema.ts';
import { explainApp, explainHost } from './explain.ts';
import { FolderConfigs } from './folder-config.ts';
import { defaultConfig, parseConfig } from './host-config.ts';

function rootOf(t: TestContext): { root: string; folder: string; configs: FolderConfigs } {
  const root = mkdtempSync(join(tmpdir(), 'slip-folder-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const folder = join(root, 'shop');
  mkdirSync(folder);
  return { root, folder, configs: new FolderConfigs({ root, environment: {}, log: silentLog }) };
}

test('FolderConfigs reads the files of a folder again when they change, from scratch', (t) => {
  const { folder, configs } = rootOf(t);
  assert.equal(configs.of(folder, '/shop/'), undefined);
  const file = join(folder, 'slipstream.yml');
  writeFileSync(file, 'processes: 2\nenv: {A: "1"}\n');
  assert.deepEqual(configs.of(folder, '/shop/')?.settings, { processes: 2, env: { A: '1' } });
  writeFileSync(file, 'processes: 33\n');
  assert.deepEqual(configs.of(folder, '/shop/')?.settings, { processes: 33 });
  assert.equal(configs.of(folder, '/shop/')?.sources['processes'], `${file}:1`);
  rmSync(file);
  assert.equal(configs.of(folder, '/shop/'), undefined);
});

test('FolderConfigs keeps what was good while a file is broken', (t) => {
  const { folder, configs } = rootOf(t);
  const file = join(folder, 'slipstream.yml');
  writeFileSync(file, 'processes: 2\n');
  configs.of(folder, '/shop/');
  writeFileSync(file, 'processes: many\n');
  assert.deepEqual(configs.of(folder, '/shop/')?.settings, { processes: 2 });
  assert.match(configs.problemOf(folder) ?? '', /slipstream\.yml:1: "processes" is "many"/);
  writeFileSync(file, 'processes: 4\n');
  assert.deepEqual(configs.of(folder, '/shop/')?.settings, { processes: 4 });
  assert.equal(configs.problemOf(folder), undefined);
});

test('a folder\'s own file is over those of iisnode; the root\'s file is the host\'s', (t) => {
  const { root, folder, configs } = rootOf(t);
  writeFileSync(join(folder, 'iisnode.yml'), 'nodeProcessCountPerApplication: 3\nmaxLogFiles: 7\n');
  writeFileSync(join(folder, 'slipstream.yml'), 'processes: 5\n');
  assert.equal(configs.of(folder, '/shop/')?.settings.processes, 5);
  assert.equal(configs.of(folder, '/shop/')?.settings.logFilesMax, 7);
  writeFileSync(join(root, 'slipstream.yml'), 'listen: []\n');
  assert.equal(configs.of(root, '/'), undefined);
});

test('explain names the strongest place of each setting', () => {
  const config = parseConfig('defaults:\n  processes: 2\napps:\n  shop:\n    processes: 3\nindex: off\n', 's.yml');
  const settings = { ...config.apps.defaults, processes: 3 };
  const folder = { settings: {}, sources: { processes: 'f:1', start: 'f:2' }, ignored: [], watched: [] };
  const sourceIn = (explanation: ReturnType<typeof explainApp>, name: string): string | undefined =>
    explanation.settings.find((one) => one.name === name)?.source;
  const shop = explainApp({ name: 'shop', path: '/shop/', settings }, config, folder);
  assert.equal(sourceIn(shop, 'processes'), 's.yml:5');
  assert.equal(sourceIn(shop, 'start'), 'f:2');
  assert.equal(sourceIn(explainApp({ name: 'x', path: '/x/', settings }, config, undefined), 'processes'), 's.yml:2');
  assert.equal(sourceIn(explainHost(config), 'index'), 's.yml:6');
  assert.equal(sourceIn(explainHost(defaultConfig()), 'index'), 'default');
});

test('settings of an app at the top level are those of the root app', () => {
  const config = parseConfig('processes: 2\nstart: always\n', 's.yml');
  assert.deepEqual(config.apps.overrides['/'], { processes: 2, start: 'always' });
  assert.equal(config.sources['apps./.processes'], 's.yml:1');
  assert.throws(() => parseConfig('processes: many\n', 's.yml'), { message: /^s\.yml:1: "processes"/ });
});

test('the schema has each setting with its type and default', () => {
  const { properties, $defs } = configSchema() as {
    properties: Record<string, { type?: string; default?: unknown }>;
    $defs: { app: { properties: Record<string, object> } };
  };
  assert.equal(properties['listen']?.type, 'array');
  assert.deepEqual($defs.app.properties['start'], {
    enum: ['on-demand', 'always'],
    default: 'on-demand',
    description: 'Whether the first request starts the processes, or the host does when it starts.',
  });
});
