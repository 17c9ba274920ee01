import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createGlob } from './glob.ts';

/** Pattern, paths that fit, paths that do not. */
const ROWS: [string, string[], string[]][] = [
  ['*.js', ['a.js', '.js', 'a.b.js'], ['a.ts', 'x/a.js', 'a.jsx', '']],
  ['**/*.js', ['a.js', 'x/a.js', 'x/y/a.js'], ['a.ts', 'a.js/x']],
  ['a/**', ['a/b', 'a/b/c'], ['a', 'b/a/c']],
  ['**', ['a', 'a/b'], []],
  ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b'], ['ab', 'a/xb', 'a/b/x']],
  ['a/**/b/**/c', ['a/b/c', 'a/b/b/x/c', 'a/x/b/c'], ['a/c', 'a/b/x']],
  ['lib/?.js', ['lib/a.js'], ['lib/ab.js', 'lib/.js', 'lib//.js']],
  ['a*b*c', ['abc', 'axbxc', 'abbcc'], ['ab', 'acb', 'abcd']],
  ['x.(a|b)[c]{d}+$^\\', ['x.(a|b)[c]{d}+$^\\'], ['x.ac']],
  ['***', ['a'], ['a/b']],
  ['', [''], ['a']],
];

test('patterns fit what they name', () => {
  for (const [pattern, good, bad] of ROWS) {
    const fits = createGlob(pattern);
    for (const path of good) assert.ok(fits(path), `${pattern} fits ${path}`);
    for (const path of bad) assert.ok(!fits(path), `${pattern} does not fit ${path}`);
  }
});

test('no pattern takes long', () => {
  // Each of these would keep a RegExp busy for hours.
  assert.ok(!createGlob(`${'*a'.repeat(40)}b`)('a'.repeat(250)));
  assert.ok(!createGlob(`${'**/a/'.repeat(40)}b`)('a/'.repeat(250)));
});
