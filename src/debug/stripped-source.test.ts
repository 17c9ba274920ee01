// What is shown of a program that Node stripped of its types.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readAnnounced } from './source-file.ts';
import { mayBeStripped, writtenSource } from './stripped-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'slip-stripped-'));
after(() => rmSync(folder, { recursive: true }));

const WRITTEN = 'interface A { b: 1 }\nexport const c = (d: number) => d as number\n(1);\n';
const STRIPPED = '                    \nexport const c = (d        ) => d;         \n(1);\n';

function file(text: string): string {
  const path = join(folder, 'app.ts');
  writeFileSync(path, text);
  return pathToFileURL(path).href;
}

test('a stripped script, the text of its file', async () => {
  const url = file(WRITTEN);
  assert.equal(await writtenSource(url, STRIPPED, readAnnounced), WRITTEN);
  assert.equal(await writtenSource(url, `${STRIPPED}\n\n//# sourceURL=${url}`, readAnnounced), WRITTEN);
});

test('a file that was edited since, the text that runs', async () => {
  const url = file(WRITTEN.replace('export', 'import'));
  assert.equal(await writtenSource(url, STRIPPED, readAnnounced), STRIPPED);
  assert.equal(await writtenSource(file(`${WRITTEN}more();`), STRIPPED, readAnnounced), STRIPPED);
  assert.equal(await writtenSource(file(''), STRIPPED, readAnnounced), STRIPPED);
});

test('a file that is gone, the text that runs', async () => {
  assert.equal(await writtenSource(`${pathToFileURL(folder).href}/gone.ts`, STRIPPED, readAnnounced), STRIPPED);
});

test('only files of TypeScript are looked at', () => {
  for (const url of ['file:///a/b.ts', 'file:///a/b.mts', 'file:///a/b.cts']) assert.ok(mayBeStripped(url), url);
  for (const url of ['file:///a/b.js', 'node:internal/x.ts', 'https://x/a.ts', '']) assert.ok(!mayBeStripped(url), url);
});
