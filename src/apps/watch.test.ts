import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdirSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFileFilter, stampOf, watchFiles } from './watch.ts';
import { APP_SETTINGS } from './app-config.ts';
import { makeFolder, until, writeFiles } from './fake-front.test.ts';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import type { Clock } from '../base/clock.ts';

const DEFAULT_FILTER = createFileFilter(APP_SETTINGS.watchedFiles.default);

test('createFileFilter takes programs and their configuration by default, and no data', () => {
  const inside = ['server.js', 'lib/a.mjs', 'lib/deep/b.ts', 'package.json', 'config/x.json', '.eslintrc.js'];
  const outside = [
    'readme.md', 'node_modules/x/index.js', 'lib/node_modules/x.js', '.git/x.js', 'data/x.json', 'db.json',
    'a/uploads/x.js', 'logs/out.json', 'x.jsonl', 'js',
  ];
  for (const path of inside) assert.equal(DEFAULT_FILTER.file(path), true, path);
  for (const path of outside) assert.equal(DEFAULT_FILTER.file(path), false, path);
  assert.equal(DEFAULT_FILTER.folder('lib/deep'), true);
  assert.equal(DEFAULT_FILTER.folder('data'), false);
  assert.equal(DEFAULT_FILTER.folder('lib/node_modules'), false);
});

test('createFileFilter knows the patterns', () => {
  const table: [string[], string, boolean][] = [
    [['*.js'], 'a/b/c.js', true],
    [['/*.js'], 'a.js', true],
    [['/*.js'], 'b/a.js', false],
    [['lib/*.js'], 'lib/a.js', true],
    [['lib\\*.js'], 'lib/a.js', true],
    [['./lib/*.js'], 'lib/a.js', true],
    [['lib/*.js'], 'lib/b/a.js', false],
    [['lib/**/*.js'], 'lib/a.js', true],
    [['lib/**/*.js'], 'lib/b/c/a.js', true],
    [['lib/**'], 'lib/b/c/a.txt', true],
    [['a?.js'], 'ab.js', true],
    [['a?.js'], 'a.js', false],
    [['a+(b).js'], 'a+(b).js', true],
    [['*', '!*.log'], 'a.log', false],
    [['*', '!*.log', 'keep.log'], 'keep.log', true],
    [['views/'], 'views/a/b.html', true],
    [['*.js', '!views/'], 'views/a.js', false],
    [['*.js', '!views/', 'views/keep/'], 'views/keep/a.js', true],
    [[''], 'a.js', false],
    [['**'], 'node_modules/a.js', false],
  ];
  for (const [patterns, path, expected] of table) {
    assert.equal(createFileFilter(patterns).file(path), expected, `${patterns.join(' ')}: ${path}`);
  }
});

/** A folder that is watched; `next` resolves with the files of the next burst. */
async function withWatch(
  files: Record<string, string>,
  run: (folder: string, next: () => Promise<string[]>) => Promise<void>,
  clock: Clock = systemClock,
): Promise<void> {
  const folder = makeFolder(files);
  const events = new EventEmitter();
  const bursts: string[][] = [];
  const watch = watchFiles({
    folder, filter: DEFAULT_FILTER, clock, log: silentLog,
    onChange: (paths) => {
      bursts.push(paths.toSorted());
      events.emit('event');
    },
  });
  await watch.ready;
  try {
    await run(folder, async () => {
      await until(events, () => bursts.length > 0);
      return bursts.shift()!;
    });
  } finally {
    await watch.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

test('watchFiles tells of added, changed, removed and renamed files', async () => {
  await withWatch({ 'a.js': '1', 'lib/b.js': '1', 'note.txt': '' }, async (folder, next) => {
    writeFiles(folder, { 'a.js': '22', 'note.txt': 'not told' });
    assert.deepEqual(await next(), ['a.js']);
    writeFiles(folder, { 'new/deep/c.js': '1', 'data/d.js': '1', 'node_modules/e.js': '1' });
    assert.deepEqual(await next(), ['new/deep/c.js']);
    rmSync(join(folder, 'a.js'));
    assert.deepEqual(await next(), ['a.js']);
    renameSync(join(folder, 'lib/b.js'), join(folder, 'lib/z.js'));
    assert.deepEqual(await next(), ['lib/b.js', 'lib/z.js']);
  });
});

test('watchFiles tells a burst once, when it is over', async () => {
  const files = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`f${index}.js`, '']));
  await withWatch({}, async (folder, next) => {
    mkdirSync(join(folder, 'lib'));
    writeFiles(join(folder, 'lib'), files);
    const told = await next();
    assert.ok(told.length >= 1 && told.length <= 5);
  });
});

test('stampOf changes with files that matter and with nothing else', async () => {
  const folder = makeFolder({ 'a.js': '1', 'lib/b.ts': '1', 'note.txt': '1', 'data/c.json': '1' });
  const stamp = (): Promise<string> => stampOf(folder, DEFAULT_FILTER);
  try {
    const first = await stamp();
    assert.equal(await stamp(), first);
    writeFiles(folder, { 'note.txt': '22', 'data/c.json': '22' });
    assert.equal(await stamp(), first);
    utimesSync(join(folder, 'lib/b.ts'), 1, 1);
    const second = await stamp();
    assert.notEqual(second, first);
    writeFiles(folder, { 'node_modules/x/index.js': '' });
    assert.notEqual(await stamp(), second);
    rmSync(join(folder, 'a.js'));
    assert.notEqual(await stamp(), second);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  assert.equal(await stamp(), await stamp());
});
