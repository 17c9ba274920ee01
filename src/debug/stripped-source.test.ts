// What is shown of a program that Node stripped of its types.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readAnnounced } from './source-file.ts';
import { mayBeStripped, strippedEdit, writtenSource } from './stripped-source.ts';

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

test('an edit is stripped as Node does it, where it can', () => {
  const strip = (code: string): string => {
    process.emitWarning('new', 'ExperimentalWarning');
    if (code === '(') throw new SyntaxError('Expression expected');
    return code.replace(': number', '        ');
  };
  const { emitWarning } = process;
  const written = 'const d: number = 1;';
  const module = { stripTypeScriptTypes: strip };
  assert.deepEqual(strippedEdit(written, 'const d         = 2;', module), {
    kind: 'text', text: 'const d         = 1;',
  });
  assert.deepEqual(strippedEdit(written, 'const d         = 2;\n\n//# sourceURL=file:///d.ts', module), {
    kind: 'text', text: 'const d         = 1;\n\n//# sourceURL=file:///d.ts',
  });
  assert.deepEqual(strippedEdit('(', '', module), { kind: 'bad', reason: 'Expression expected' });
  assert.deepEqual(strippedEdit(written, '', {}), { kind: 'unable' });
  assert.equal(process.emitWarning, emitWarning);
});
