import { test } from 'node:test';
import assert from 'node:assert/strict';
import { minifyCss } from './minify-css.ts';

const ROWS: [string, string][] = [
  ['a {\n  color: red;\n}\n', 'a{color: red}'],
  ['/* x */ a { b: c; /* y */ d: e; }', 'a{b: c;d: e}'],
  ['a/**/b { c: d }', 'a b{c: d}'],
  ["a::after { content: '/* kept */  ; }'; }", "a::after{content: '/* kept */  ; }'}"],
  ['a { b: "\\"  {" }', 'a{b: "\\"  {"}'],
  ['@scope to (.x) { a { b: calc(1px + 2px) } }', '@scope to (.x){a{b: calc(1px + 2px)}}'],
  ['a , b > c:not( .d ) { e: f }', 'a,b > c:not( .d ){e: f}'],
  ['', ''],
];

for (const [css, expected] of ROWS) {
  test(`minifyCss: ${JSON.stringify(css)}`, () => assert.equal(minifyCss(css), expected));
}
