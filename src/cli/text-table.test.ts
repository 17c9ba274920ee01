import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationText, sizeText, textTable } from './text-table.ts';

test('textTable aligns columns and lets no control character through', () => {
  const text = textTable([['app', 'n'], ['a\u001b[31m', '10'], ['bb', '7']], [1]);
  assert.equal(text, 'app      n\na?[31m  10\nbb       7\n');
});

test('sizes and durations are short', () => {
  assert.equal(sizeText(undefined), '-');
  assert.equal(sizeText(52_428_800), '50 MiB');
  const rows: [number, string][] = [[999, '0 s'], [119_000, '119 s'], [120_000, '2 min'], [7_200_000, '2 h'],
    [172_800_000, '2 d']];
  for (const [ms, text] of rows) assert.equal(durationText(ms), text);
});
