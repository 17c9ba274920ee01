// Which files may be read.

import { afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createSourceFiles, mapUrlOf } from './source-file.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function tree(files: Record<string, string>): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'slip-source-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return (name) => pathToFileURL(join(folder, name)).href;
}

test('scripts, their maps and the sources of those maps can be read, nothing else', async () => {
  const map = JSON.stringify({ version: 3, sources: ['../src/app.ts', 'https://x/y.ts'], mappings: '' });
  const url = tree({ 'dist/app.js': 'js', 'dist/app.js.map': map, 'src/app.ts': 'ts', 'src/other.ts': 'no' });
  const files = createSourceFiles(() => [{ url: url('dist/app.js'), sourceMapURL: 'app.js.map' }]);
  assert.equal(String(await files.read(url('dist/app.js'))), 'js');
  // The map has to be fetched before its sources: that is how DevTools knows them.
  assert.equal(await files.read(url('src/app.ts')), null);
  assert.equal(String(await files.read(url('dist/app.js.map'))), map);
  assert.equal(String(await files.read(url('src/app.ts'))), 'ts');
  assert.equal(await files.read(url('src/other.ts')), null);
  assert.equal(await files.read(url('dist')), null);
  assert.equal(await files.read('http://x/dist/app.js'), null);
  assert.equal(await files.read('nonsense'), null);
});

test('sources of a map within the script can be read', async () => {
  const url = tree({ 'app.js': 'js', 'lib/a.ts': 'a', 'lib/b.ts': 'b' });
  const map = JSON.stringify({ sourceRoot: 'lib', sources: ['a.ts'] });
  const inline = `data:application/json;base64,${Buffer.from(map).toString('base64')}`;
  const plain = `data:application/json,${encodeURIComponent('{"sources":["lib/b.ts"]}')}`;
  const files = createSourceFiles(() => [
    { url: url('app.js'), sourceMapURL: inline },
    { url: url('second.js'), sourceMapURL: plain },
  ]);
  assert.equal(String(await files.read(url('lib/a.ts'))), 'a');
  assert.equal(String(await files.read(url('lib/b.ts'))), 'b');
});

test('a map names sources only: no keys, no configuration, nothing that would be fetched', async () => {
  const hidden = ['secret.txt', '.env', 'config.json', 'id_rsa', 'app.pem'];
  const sources = [...hidden, '../../../../../../etc/passwd', 'http://127.0.0.1:1/x.js', '//127.0.0.1/x.js', 'app.ts'];
  const files = Object.fromEntries(hidden.map((name) => [`src/${name}`, 'secret']));
  const map = JSON.stringify({ sources, sourceRoot: '' });
  const inline = `data:application/json,${encodeURIComponent(map)}`;
  const url = tree({ ...files, 'src/app.js': 'js', 'src/app.ts': 'ts', 'src/app.js.map': map });
  for (const sourceMapURL of ['app.js.map', inline]) {
    const readable = createSourceFiles(() => [{ url: url('src/app.js'), sourceMapURL }]);
    await readable.read(url('src/app.js.map'));
    assert.equal(String(await readable.read(url('src/app.ts'))), 'ts');
    for (const name of hidden) assert.equal(await readable.read(url(`src/${name}`)), null, name);
    const tricks = ['file:///etc/passwd', `${url('src/app.js')}/../secret.txt`, `${url('src')}/%2e%2e/src/secret.txt`];
    tricks.push('http://127.0.0.1:1/x.js', 'file://127.0.0.1/x.js', 'data:text/plain,x', '\0');
    tricks.push('file:///proc/self/environ', '/etc/passwd', '');
    for (const name of tricks) assert.equal(await readable.read(name), null, name);
  }
});

test('index maps name the sources of their sections', async () => {
  const map = JSON.stringify({ sections: [{ map: { sources: ['a.ts'] } }, { map: { sections: [] } }, null] });
  const url = tree({ 'app.js': '', 'app.js.map': map, 'a.ts': 'a' });
  const files = createSourceFiles(() => [{ url: url('app.js'), sourceMapURL: 'app.js.map' }]);
  await files.read(url('app.js.map'));
  assert.equal(String(await files.read(url('a.ts'))), 'a');
});

test('a script cannot call any file its map', () => {
  const url = 'file:///srv/app.js';
  assert.equal(mapUrlOf({ url, sourceMapURL: 'app.js.map' }), 'file:///srv/app.js.map');
  assert.equal(mapUrlOf({ url, sourceMapURL: 'maps/app.json?v=1' }), 'file:///srv/maps/app.json?v=1');
  assert.equal(mapUrlOf({ url, sourceMapURL: 'file:///etc/passwd' }), null);
  assert.equal(mapUrlOf({ url, sourceMapURL: 'http://x/app.js.map' }), null);
  assert.equal(mapUrlOf({ url, sourceMapURL: 'data:application/json,{}' }), null);
  assert.equal(mapUrlOf({ url, sourceMapURL: '../../home/me/.docker/config.json' }), null);
  assert.equal(mapUrlOf({ url, sourceMapURL: 'maps/%2e%2e/../../../etc/app.json' }), null);
  assert.equal(mapUrlOf({ url, sourceMapURL: '../maps/app.js.map' }), 'file:///maps/app.js.map');
  assert.equal(mapUrlOf({ url: 'node:fs', sourceMapURL: '/app.js.map' }), null);
  assert.equal(mapUrlOf({ url, sourceMapURL: 'http://[' }), null);
});
