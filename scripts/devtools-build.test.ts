import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UI_MANIFEST } from '../src/debug/ui-files.ts';
import type { UiFile } from '../src/debug/ui-files.ts';
import { svgDataUrl } from './devtools-plugin.ts';
import { PROJECT_ROOT } from './project.ts';

const BUILT = join(PROJECT_ROOT, 'dist', 'devtools');

test('the page names its own files only', () => {
  const page = readFileSync(join(PROJECT_ROOT, 'src', 'browser', 'index.html'), 'utf8');
  assert.doesNotMatch(page, /(?:src|href)="(?!\.\/)/, 'nothing comes from elsewhere');
});

test('svgDataUrl escapes what ends a string or a URL', () => {
  const url = svgDataUrl('<?xml version="1.0"?>\n<svg a="1">\n  <!-- x --><b c="#fff"/>\n</svg>\n');
  assert.equal(url, "data:image/svg+xml,%3Csvg a='1'%3E%3Cb c='%23fff'/%3E%3C/svg%3E");
});

test('every listed file is there with its compressed copies', { skip: !existsSync(BUILT) && 'not built' }, () => {
  const rows = JSON.parse(readFileSync(join(BUILT, UI_MANIFEST), 'utf8')) as Record<string, UiFile>;
  for (const name of ['index.html', 'devtools-start.js', 'devtools-app.js', 'favicon.svg']) {
    assert.equal(rows[name]?.immutable, false, name);
  }
  for (const [name, { bytes }] of Object.entries(rows)) {
    assert.equal(statSync(join(BUILT, name)).size, bytes, name);
    for (const suffix of ['.br', '.gz']) assert.ok(statSync(join(BUILT, name + suffix)).size > 0, name + suffix);
  }
  assert.ok(Object.values(rows).some(({ immutable }) => immutable));
});
