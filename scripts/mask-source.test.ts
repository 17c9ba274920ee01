// What counts as code, and what is text.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maskSource } from './mask-source.ts';

const TABLE: [name: string, source: string, code: string][] = [
  ['a line comment', 'a; // b { c\nd', 'a;         \nd'],
  ['a block comment over lines', 'a /* {\n} */ b', 'a     \n     b'],
  ['a string', `f('{ x')`, `f('   ')`],
  ['an escaped quote', String.raw`f('\'{')+1`, `f('   ')+1`],
  ['a regular expression', 'x = /[/{]/g; y', 'x = /     g; y'],
  ['a division', 'a = b / c; // d / e', 'a = b / c;         '],
  ['a regular expression after return', 'return /{/;', 'return / /;'],
  ['a template', 'f(`{ ${a + `}`} }`) {', 'f(`   {a + ` `}  `) {'],
  ['an object in an interpolation', '`${f({ a: 1 })}{`; {', '` {f({ a: 1 })} `; {'],
];

for (const [name, source, code] of TABLE) {
  test(`maskSource blanks ${name}`, () => {
    assert.equal(maskSource(source).code, code);
  });
}

test('maskSource keeps strings where only comments are to go', () => {
  assert.equal(maskSource(`import 'a'; // b`).codeAndStrings, `import 'a';     `);
});

test('maskSource keeps the place of every character', () => {
  for (const [, source] of TABLE) {
    for (let end = 0; end <= source.length; end++) {
      const masked = maskSource(source.slice(0, end));
      assert.equal(masked.code.length, end);
      assert.equal(masked.codeAndStrings.length, end);
    }
  }
});
