import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapPm2App } from './pm2.ts';

test('mapPm2App maps what has a meaning and names what has none', () => {
  const { name, folder, settings, notes } = mapPm2App(
    {
      name: 'api', script: './api/server.js', args: '--port "a b"', node_args: ['--stack-size=900'],
      instances: 'max', max_memory_restart: '1.5G', watch: ['src'], listen_timeout: 3000,
      env: { A: 1, PORT: 3000 }, env_production: { A: 2 }, cron_restart: '0 0 * * *',
    },
    'e.js',
  );
  assert.equal(name, 'api');
  assert.equal(folder, './api');
  assert.deepEqual(settings, {
    entry: 'server.js', args: ['--port', 'a b'], nodeArgs: ['--stack-size=900'], processes: 0, memoryMbMax: 1536,
    startTimeoutMs: 3000, recycleOnChange: true, env: { A: '2' }, start: 'always',
  });
  assert.equal(notes.length, 3);
  assert.match(notes.join('\n'), /PORT.*\n.*cron_restart/);
});

test('mapPm2App leaves what npm runs to the start script', () => {
  for (const args of ['start', ['run', 'start']]) {
    const { folder, settings, notes } = mapPm2App({ script: 'npm', args, cwd: './job' }, 'e.js');
    assert.deepEqual([folder, settings, notes], ['./job', { recycleOnChange: false, start: 'always' }, []]);
  }
  const { settings, notes } = mapPm2App({ name: 'j', script: 'npm', args: 'run work', cwd: './job' }, 'e.js');
  assert.deepEqual([settings['entry'], notes.length], ['npm', 1]);
  assert.match(notes[0]!, /^j: npm run work: name the file/);
});

test('mapPm2App takes cwd for the folder, and needs a script', () => {
  const { folder, settings } = mapPm2App({ script: 'lib/run.js', cwd: '/srv/x', instances: 4 }, 'e.js');
  assert.equal(folder, '/srv/x');
  assert.equal(settings['entry'], 'lib/run.js');
  assert.equal(settings['processes'], 4);
  assert.throws(() => mapPm2App({}, 'e.js'), { code: 'CONFIG_INVALID' });
});
