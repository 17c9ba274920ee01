import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { DEPTH_MAX, discoverApps, isSameApp, rediscoverApp } from './discover.ts';
import { DEFAULT_APP_SETTINGS } from './app-config.ts';
import { makeFolder, writeFiles } from './fake-front.test.ts';
import { createLog, silentLog } from '../base/log.ts';
import type { App } from './app-config.ts';

const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function folderOf(files: Record<string, string>): string {
  const folder = makeFolder(files);
  folders.push(folder);
  return folder;
}

async function discover(root: string): Promise<App[]> {
  return discoverApps(root, DEFAULT_APP_SETTINGS, silentLog);
}

/** Paths and entries of the apps that are found in a folder with `files`. */
async function found(files: Record<string, string>): Promise<string[]> {
  return (await discover(folderOf(files))).map((app) => `${app.path} ${app.entry}`);
}

const PACKAGE = 'a/package.json';

test('discoverApps finds apps by what their folders hold', async () => {
  const table: [Record<string, string>, string[]][] = [
    [{}, []],
    [{ 'a/readme.md': '' }, []],
    [{ 'a/server.js': '' }, ['/a/ server.js']],
    [{ 'a/main.mts': '', 'a/main.ts': '' }, ['/a/ main.ts']],
    [{ 'a/index.js': '', 'a/app.cjs': '', 'a/main.js': '' }, ['/a/ app.cjs']],
    [{ 'a/index.mjs': '', 'a/server.ts': '' }, ['/a/ server.ts']],
    [{ [PACKAGE]: '{"main":"run.js"}', 'a/run.js': '', 'a/server.js': '' }, ['/a/ run.js']],
    [{ [PACKAGE]: '{"main":"./lib"}', 'a/lib/index.js': '' }, ['/a/ lib/index.js']],
    [{ [PACKAGE]: '{"main":"lib/run"}', 'a/lib/run.js': '' }, ['/a/ lib/run.js']],
    [{ [PACKAGE]: '{"main":"gone.js"}', 'a/index.js': '' }, ['/a/ index.js']],
    [{ [PACKAGE]: '{"main":"gone.js"}' }, ['/a/ gone.js']],
    [{ [PACKAGE]: '{"main":"gone.js"}', 'a/b/app.js': '' }, ['/a/b/ app.js']],
    [{ [PACKAGE]: '{"main":"../../x.js"}' }, []],
    [{ [PACKAGE]: '{"main":7,"scripts":[]}' }, []],
    [{ [PACKAGE]: '{"scripts":{"start":"node bin/www"}}', 'a/bin/www': '' }, ['/a/ bin/www']],
    [
      { [PACKAGE]: '{"scripts":{"start":"node srv"},"main":"m.js"}', 'a/srv.js': '', 'a/m.js': '' },
      ['/a/ srv.js'],
    ],
    [{ [PACKAGE]: '{"scripts":{"start":"node ."},"main":"m.js"}', 'a/m.js': '' }, ['/a/ m.js']],
    [{ [PACKAGE]: '{"scripts":{"start":"next start"}}' }, ['/a/ node_modules/.bin/next']],
    [{ [PACKAGE]: '{"scripts":{"start":"next start"}}', 'a/b/app.js': '' }, ['/a/b/ app.js']],
    [{ [PACKAGE]: '{"scripts":{"start":"a && b"}}', 'a/b/app.js': '' }, ['/a/b/ app.js']],
    [{ [PACKAGE]: '{"scripts":{"start":"tsx watch src/app.ts"}}', 'a/src/app.ts': '' }, ['/a/ src/app.ts']],
    [{ [PACKAGE]: '{"scripts":{"start":"next start"}}', 'a/app.js': '' }, ['/a/ app.js']],
    [{ [PACKAGE]: '{"scripts":{"start":"node dist/x.js"}}' }, ['/a/ dist/x.js']],
    [{ [PACKAGE]: '{', 'a/app.js': '' }, ['/a/ app.js']],
    [{ [PACKAGE]: '{', 'a/b/app.js': '' }, ['/a/b/ app.js']],
    [{ [PACKAGE]: '\uFEFF{"main":"run.js"}', 'a/run.js': '' }, ['/a/ run.js']],
    [{ 'server.js': '', 'a/server.js': '' }, ['/ server.js']],
    [{ 'a/server.js': '', 'a/b/server.js': '', 'c/d/app.js': '' }, ['/a/ server.js', '/c/d/ app.js']],
    [{ 'node_modules/x/index.js': '', '.git/index.js': '', 'a/node_modules/x/index.js': '' }, []],
    [{ 'a/server.js/x': '' }, []],
    [{ 'my shop/app.js': '', 'süß/app.js': '' }, ['/my%20shop/ app.js', '/s%C3%BC%C3%9F/ app.js']],
    [{ 'a@b+c,d/app.js': '', 'q?#%/app.js': '' }, ['/a@b+c,d/ app.js', '/q%3F%23%25/ app.js']],
  ];
  for (const [files, expected] of table) {
    assert.deepEqual(await found(files), expected, JSON.stringify(files));
  }
});

test('discoverApps keeps what the start script says', async () => {
  const start = 'PORT=1 NODE_ENV=x node --inspect --no-warnings a.js --verbose';
  const root = folderOf({ [PACKAGE]: JSON.stringify({ scripts: { start } }), 'a/a.js': '' });
  const [app] = await discover(root);
  assert.deepEqual(app, {
    name: 'a', path: '/a/', folder: join(root, 'a'), entry: 'a.js', group: 'app:/a/',
    settings: DEFAULT_APP_SETTINGS.defaults, nodeFlags: ['--no-warnings'], args: ['--verbose'],
    scriptEnv: { PORT: '1', NODE_ENV: 'x' }, problem: undefined,
  });
});

test('discoverApps names apps after their folders', async () => {
  const root = folderOf({ 'app.js': '' });
  assert.deepEqual((await discover(root)).map((app) => app.name), [basename(root)]);
  const nested = await discover(folderOf({ 'a b/ü/app.js': '' }));
  assert.deepEqual(nested.map((app) => app.name), ['a b/ü']);
});

test('discoverApps says why an app cannot be started', async () => {
  const broken = await discover(folderOf({ [PACKAGE]: '{"main"', 'a/app.js': '' }));
  assert.match(broken[0]!.problem!, /^its package\.json is not valid JSON: /);
  const absent = await discover(folderOf({ [PACKAGE]: '{"main":"gone.js"}' }));
  assert.equal(absent[0]!.problem, 'its package.json names "gone.js", which does not exist');
  const shell = await discover(folderOf({ [PACKAGE]: '{"scripts":{"start":"tsc && node x"}}' }));
  assert.match(shell[0]!.problem!, /^its start script needs a shell; name the file/);
});

test('discoverApps runs the command of a package that a start script names', async () => {
  const script = '{"main":"index.js","scripts":{"start":"A=1 web start"}}';
  const folder = folderOf({ [PACKAGE]: script, 'a/node_modules/web/cli': '#!/usr/bin/env node\n', 'out.js': '' });
  mkdirSync(join(folder, 'a/node_modules/.bin'));
  symlinkSync('../web/cli', join(folder, 'a/node_modules/.bin/web'));
  const [app] = await discover(folder);
  assert.equal(app?.entry, 'node_modules/web/cli');
  assert.deepEqual([app?.args, app?.scriptEnv, app?.problem], [['start'], { A: '1' }, undefined]);
  // Not a file of another folder, and no binary.
  rmSync(join(folder, 'a/node_modules/.bin/web'));
  symlinkSync('../../../out.js', join(folder, 'a/node_modules/.bin/web'));
  assert.match((await discover(folder))[0]!.problem!, /names "index\.js", which does not exist/);
  writeFiles(folder, { 'a/node_modules/web/cli': '\x7fELF', [PACKAGE]: script.replace('"main":"index.js",', '') });
  rmSync(join(folder, 'a/node_modules/.bin/web'));
  symlinkSync('../web/cli', join(folder, 'a/node_modules/.bin/web'));
  assert.match((await discover(folder))[0]!.problem!, /runs "web", which is not in its node_modules/);
});

test('discoverApps takes a folder in an app as one when the settings say what it runs', async () => {
  const root = folderOf({ 'server.js': '', 'api/run.js': '', 'b/server.js': '', 'x y/a.js': '', 'run.js': '' });
  const run = { entry: 'run.js' };
  const overrides = {
    '/api/': run, '/b/': { processes: 2 }, '/x%20y/': { entry: 'a.js' }, '/gone/': run, '/a/../api/': run, '/%/': run,
  };
  const apps = await discoverApps(root, { ...DEFAULT_APP_SETTINGS, overrides }, silentLog);
  assert.deepEqual(apps.map((app) => `${app.path} ${app.entry}`), ['/ server.js', '/api/ run.js', '/x%20y/ a.js']);
});

test('discoverApps follows links but no loops', async () => {
  const root = folderOf({ 'a/b/readme.md': '' });
  symlinkSync('..', join(root, 'a/b/up'));
  symlinkSync(root, join(root, 'a/self'));
  symlinkSync('nowhere', join(root, 'a/broken'));
  assert.deepEqual(await discover(root), []);
  const other = folderOf({ 'server.js': '' });
  symlinkSync(other, join(root, 'a/linked'));
  assert.deepEqual((await discover(root)).map((app) => app.path), ['/a/linked/']);
});

test('discoverApps ends at its depth and at its number of entries', async () => {
  const deep = Array.from({ length: DEPTH_MAX }, () => 'd').join('/');
  assert.equal((await found({ [`${deep}/app.js`]: '' })).length, 1);
  assert.equal((await found({ [`${deep}/d/app.js`]: '' })).length, 0);
  const root = folderOf({ 'z/app.js': '' });
  mkdirSync(join(root, 'many'));
  const many = Array.from({ length: 101 }, (_, index) => [`f${index}`, '']);
  writeFiles(join(root, 'many'), Object.fromEntries(many));
  const events: string[] = [];
  const log = createLog({ json: true, write: (line) => events.push(line) });
  assert.deepEqual(await discoverApps(root, DEFAULT_APP_SETTINGS, log, 100), []);
  assert.match(events.join(''), /discovery-cut/);
});

test('discoverApps finds nothing where there is no folder', async () => {
  assert.deepEqual(await discover('/no/such/folder'), []);
});

test('rediscoverApp sees what changed in the folder', async () => {
  const root = folderOf({ 'a/app.js': '' });
  const [app] = await discover(root);
  assert.ok(isSameApp(rediscoverApp(app!, DEFAULT_APP_SETTINGS)!, app!));
  writeFiles(root, { 'a/server.mjs': '' });
  assert.equal(rediscoverApp(app!, DEFAULT_APP_SETTINGS)!.entry, 'server.mjs');
  rmSync(join(root, 'a'), { recursive: true });
  assert.equal(rediscoverApp(app!, DEFAULT_APP_SETTINGS), undefined);
});
