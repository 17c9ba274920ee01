import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FieldScanner, fieldsOf, hasTabBehind, listElements } from './field-lines.ts';

const TEXT = 'A: b\r\nc:\r\nD:\t e  f \t\r\n\r\n';
const FIELDS = ['A', 'b', 'c', '', 'D', 'e  f'];

test('FieldScanner finds names and values, at any base', () => {
  for (const base of [0, 1, 17]) {
    const bytes = Buffer.from(`${'#'.repeat(base)}start${TEXT}rest`);
    const scanner = new FieldScanner();
    scanner.reset(5);
    assert.equal(scanner.scan(bytes, base, bytes.length, 3), 'end');
    assert.equal(scanner.position, 5 + TEXT.length);
    assert.deepEqual(fieldsOf(scanner, `start${TEXT}`), FIELDS);
  }
});

test('FieldScanner stops and goes on at every byte', () => {
  const bytes = Buffer.from(TEXT);
  const scanner = new FieldScanner();
  for (let end = 1; end < bytes.length; end++) {
    assert.equal(scanner.scan(bytes, 0, end, 3), 'more', `${end} bytes`);
    assert.equal(scanner.position, end);
  }
  assert.equal(scanner.scan(bytes, 0, bytes.length, 3), 'end');
  assert.equal(scanner.count, 3);
});

test('FieldScanner says that there are too many as soon as one more begins', () => {
  const scanner = new FieldScanner();
  const bytes = Buffer.from('A:\r\nB:\r\nC');
  assert.equal(scanner.scan(bytes, 0, 8, 2), 'more');
  assert.equal(scanner.scan(bytes, 0, 9, 2), 'many');
});

test('FieldScanner takes every byte of a token and of a value, and no other', () => {
  for (let byte = 0; byte < 256; byte++) {
    const inName = new FieldScanner().scan(Buffer.from([byte, 0x3a, 0x0d, 0x0a]), 0, 4, 1);
    const isToken = /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte));
    assert.equal(inName, isToken ? 'more' : 'bad', `name ${byte}`);
    const inValue = new FieldScanner().scan(Buffer.from([0x41, 0x3a, byte, 0x41]), 0, 4, 1);
    const isValue = byte === 9 || (byte >= 0x20 && byte !== 0x7f);
    assert.equal(inValue, isValue ? 'more' : 'bad', `value ${byte}`);
  }
});

test('hasTabBehind looks at the white space behind a value only', () => {
  const text = 'A:\tb\r\nC: d \r\nE: f \t\r\nG:\t\r\n\r\n';
  assert.equal(new FieldScanner().scan(Buffer.from(text), 0, text.length, 9), 'end');
  assert.deepEqual([0, 1, 2, 3].map((index) => hasTabBehind(text, index)), [false, false, true, false]);
});

test('listElements takes a list apart', () => {
  assert.deepEqual(listElements(' A ,,b\t, C-d'), ['a', 'b', 'c-d']);
  assert.deepEqual(listElements(''), []);
});
