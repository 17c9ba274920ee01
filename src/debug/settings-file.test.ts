// Settings of one app in a file.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../base/log.ts';
import { createSettingsFile, SETTING_NAME_MAX, type SettingsFile } from './settings-file.ts';

async function withFolder(run: (folder: string, file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'slip-settings-'));
  try {
    await run(folder, join(folder, 'inner', 'shop.json'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function loaded(settings: SettingsFile): Promise<Record<string, string>> {
  return settings.all();
}

test('settings are set, removed, kept on the disk and found by the next session', async () => {
  await withFolder(async (_folder, file) => {
    const settings = createSettingsFile(file, silentLog);
    assert.deepEqual(await loaded(settings), {});
    await settings.change({ a: '1', b: '</script>\u2028"\\', c: '3' });
    await settings.change({ c: null, missing: null });
    const wanted = { a: '1', b: '</script>\u2028"\\' };
    assert.deepEqual(await loaded(settings), wanted);
    assert.deepEqual(await loaded(createSettingsFile(file, silentLog)), wanted);
    if (process.platform !== 'win32') assert.equal(statSync(file).mode & 0o777, 0o600);
  });
});

test('a name that means something to objects is a name like any other', async () => {
  await withFolder(async (_folder, file) => {
    const settings = createSettingsFile(file, silentLog);
    await settings.change(JSON.parse('{"__proto__":"x","constructor":"y"}'));
    const again = createSettingsFile(file, silentLog);
    const own = Object.entries(await loaded(again)).sort();
    assert.deepEqual(own, [['__proto__', 'x'], ['constructor', 'y']]);
  });
});

test('changes at once are all kept', async () => {
  await withFolder(async (_folder, file) => {
    const settings = createSettingsFile(file, silentLog);
    const names = Array.from({ length: 50 }, (_, index) => `s${index}`);
    await Promise.all(names.map((name) => settings.change({ [name]: name })));
    assert.equal(Object.keys(JSON.parse(readFileSync(file, 'utf8'))).length, 50);
  });
});

test('what is no settings is refused, what is too much changes nothing', async () => {
  await withFolder(async (_folder, file) => {
    const settings = createSettingsFile(file, silentLog);
    for (const bad of [null, [], 'x', 7, { a: 1 }, { a: {} }]) {
      await assert.rejects(settings.change(bad), { code: 'REQUEST_INVALID' });
    }
    const large = { ok: '1', large: 'x'.repeat(4_200_000) };
    await assert.rejects(settings.change(large), { code: 'REQUEST_BODY_TOO_LARGE' });
    const long = { ['n'.repeat(SETTING_NAME_MAX + 1)]: '1' };
    await assert.rejects(settings.change(long), { code: 'REQUEST_BODY_TOO_LARGE' });
    assert.deepEqual(await loaded(settings), {});
    assert.equal(existsSync(file), false);
  });
});

test('a damaged file is put aside and settings begin anew', async () => {
  await withFolder(async (folder) => {
    const file = join(folder, 'shop.json');
    writeFileSync(file, '{"a":');
    const settings = createSettingsFile(file, silentLog);
    assert.deepEqual(await loaded(settings), {});
    assert.equal(readFileSync(`${file}.damaged`, 'utf8'), '{"a":');
    await settings.change({ b: '2' });
    assert.equal(readFileSync(file, 'utf8'), '{"b":"2"}');
  });
});

test('a disk that refuses does not lose settings of this session', async () => {
  await withFolder(async (folder) => {
    writeFileSync(join(folder, 'plain'), '');
    const settings = createSettingsFile(join(folder, 'plain', 'shop.json'), silentLog);
    await settings.change({ a: '1' });
    assert.deepEqual(await loaded(settings), { a: '1' });
  });
});
