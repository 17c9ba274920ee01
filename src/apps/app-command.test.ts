import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandOf, describeCommand, inheritedNodeOptions } from './app-command.ts';
import { DEFAULT_APP_SETTINGS } from './app-config.ts';
import type { App } from './app-config.ts';

const APP: App = {
  name: 'shop', path: '/shop/', folder: '/apps/shop', entry: 'server.js', group: 'app:/shop/',
  settings: { ...DEFAULT_APP_SETTINGS.defaults, nodeArgs: ['--no-warnings', '--inspect=1'], env: { A: '3' } },
  nodeFlags: ['-r', 'x'], args: ['one'], scriptEnv: { A: '2', B: '2' }, problem: undefined,
};
const OPTIONS = {
  app: APP, fronts: '/run/front.sock', key: 'secret', port: 8080, registerPath: '/lib/register.cjs',
  inherited: {
    A: '1', HOME: '/root', PORT: '1', NODE_CHANNEL_FD: '3', NODE_UNIQUE_ID: '1', SLIPSTREAM_KEY: 'outer',
    NODE_OPTIONS: '--inspect', NOTHING: undefined,
  },
};

test('commandOf puts the inspector first, then flags, preload, entry and arguments', () => {
  const regular = commandOf(OPTIONS);
  assert.equal(regular.file, process.execPath);
  assert.deepEqual(regular.args, [
    '--no-warnings', '-r', 'x', '--require', '/lib/register.cjs', '/apps/shop/server.js', 'one',
  ]);
  const debug = commandOf({ ...OPTIONS, debug: { inspector: { kind: 'port', port: 5058 }, breakAtStart: false } });
  assert.equal(debug.args[0], '--inspect=127.0.0.1:5058');
  assert.equal(debug.env['SLIPSTREAM_GRACE_MS'], '30000');
  const stopped = commandOf({ ...OPTIONS, debug: { inspector: { kind: 'port', port: 5059 }, breakAtStart: true } });
  assert.equal(stopped.args[0], '--inspect-brk=127.0.0.1:5059');
});

test('commandOf opens no port for an inspector that has a socket', () => {
  const inspector = { kind: 'thread', path: '/run/d1.sock' } as const;
  for (const [how, start] of [
    [{ breakAtStart: true, waits: true }, 'brk'],
    [{ breakAtStart: false, waits: true }, 'wait'],
    [{ breakAtStart: false }, 'run'],
  ] as const) {
    const { args, env } = commandOf({ ...OPTIONS, debug: { inspector, ...how } });
    assert.equal(args.some((word) => word.startsWith('--inspect')), false);
    assert.deepEqual(JSON.parse(env['SLIPSTREAM_INSPECTOR']!), { path: '/run/d1.sock', start });
  }
});

test('commandOf gives the environment of the host, its script and its settings, in this order', () => {
  assert.deepEqual(commandOf(OPTIONS).env, {
    A: '3', B: '2', HOME: '/root', PORT: '8080', SLIPSTREAM_FRONTS: '/run/front.sock',
    SLIPSTREAM_KEY: 'secret', SLIPSTREAM_GRACE_MS: '2000', SLIPSTREAM_INSPECTED_GRACE_MS: '30000',
    SLIPSTREAM_BASE_PATH: '/shop', SLIPSTREAM_APP: 'shop',
  });
  const root = commandOf({ ...OPTIONS, app: { ...APP, path: '/' } });
  assert.equal(root.env['SLIPSTREAM_BASE_PATH'], '');
});

test('commandOf adds tsx where node does not run TypeScript by itself', () => {
  const app = { ...APP, entry: 'server.ts' };
  const other = commandOf({ ...OPTIONS, app, nodePath: '/other/node' });
  const at = other.args.indexOf('--import');
  assert.match(other.args[at + 1]!, /^file:.*tsx/);
  const loaded = { ...app, nodeFlags: ['--import=tsx'] };
  const own = commandOf({ ...OPTIONS, app: loaded, nodePath: '/other/node' });
  assert.equal(own.args.includes('--import'), false);
  // What a start script runs with tsx gets it, whatever this node can.
  assert.equal(commandOf({ ...OPTIONS, app: { ...app, usesTsx: true } }).args.includes('--import'), true);
});

test('inheritedNodeOptions keeps quoted values together', () => {
  assert.equal(inheritedNodeOptions('--inspect-brk --require "a b.js"  --watch'), '--require "a b.js"');
  assert.equal(inheritedNodeOptions('--inspect=1'), undefined);
  assert.equal(inheritedNodeOptions(''), undefined);
});

test('describeCommand quotes what needs it and tells no key', () => {
  const text = describeCommand(commandOf({ ...OPTIONS, app: { ...APP, folder: '/my apps' } }));
  assert.match(text, / "\/my apps\/server.js" one$/);
  assert.equal(text.includes('secret'), false);
});
