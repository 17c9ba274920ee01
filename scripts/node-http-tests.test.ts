import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flagsOf, knownDifferences } from './node-http-tests.ts';

test('flagsOf reads the flags that a test asks for', () => {
  assert.deepEqual(flagsOf("// Flags: --expose-internals --no-warnings\n'use strict';\n"), [
    '--expose-internals', '--no-warnings',
  ]);
  assert.deepEqual(flagsOf("'use strict';\n"), []);
});

test('knownDifferences finds names with and without their ending', () => {
  assert.deepEqual([...knownDifferences('| `test-http-a.js`, `test-http-b-c` | why |')], [
    'test-http-a.js', 'test-http-b-c.js',
  ]);
});
