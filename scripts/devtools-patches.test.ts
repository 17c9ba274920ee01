import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyPatches, DEVTOOLS_PATCHES } from './devtools-patches.ts';
import { PROJECT_ROOT } from './project.ts';

const FRONTEND = join(PROJECT_ROOT, 'node_modules', 'chrome-devtools-frontend', 'front_end');

test('applyPatches changes the named file only, every place of a text', () => {
  const patches = [{ file: 'a.ts', why: 'because', find: 'x', replace: '$&y' }];
  assert.equal(applyPatches('a.ts', 'x x', patches), '$&y $&y');
  assert.equal(applyPatches('b.ts', 'x x', patches), 'x x');
});

test('applyPatches fails when a patch does not apply', () => {
  const patches = [{ file: 'a.ts', why: 'because', find: /z/, replace: '' }];
  assert.throws(() => applyPatches('a.ts', 'x', patches), /patch of a\.ts does not apply: because/);
});

for (const file of new Set(DEVTOOLS_PATCHES.map((patch) => patch.file))) {
  const skip = !existsSync(FRONTEND) && 'not installed';
  test(`the patches of ${file} apply to the installed DevTools`, { skip }, () => {
    const source = readFileSync(join(FRONTEND, file), 'utf8');
    assert.notEqual(applyPatches(file, source, DEVTOOLS_PATCHES), source);
  });
}
