import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LINE_CHARACTERS_MAX, LineCutter, TextTail } from './process-output.ts';

function cut(pieces: readonly string[]): string[] {
  const lines: string[] = [];
  const cutter = new LineCutter((line) => lines.push(line));
  for (const piece of pieces) cutter.push(piece);
  cutter.end();
  return lines;
}

test('LineCutter finds the same lines whole and split at every character', () => {
  const text = 'one\n\ntwo\r\nthrée ☃\nno end';
  const expected = ['one', '', 'two', 'thrée ☃', 'no end'];
  assert.deepEqual(cut([text]), expected);
  assert.deepEqual(cut([...text]), expected);
  for (let at = 0; at <= text.length; at++) {
    assert.deepEqual(cut([text.slice(0, at), text.slice(at)]), expected);
  }
});

test('LineCutter passes a long line on in pieces', () => {
  const long = 'x'.repeat(LINE_CHARACTERS_MAX * 2 + 5);
  for (const pieces of [[`${long}\ny\n`], [long, '\ny\n']]) {
    const lines = cut(pieces);
    assert.equal(lines.slice(0, -1).join(''), long);
    assert.equal(lines.at(-1), 'y');
    assert.ok(lines.every((line) => line.length <= LINE_CHARACTERS_MAX));
  }
});

test('TextTail keeps the end of a text', () => {
  const tail = new TextTail(10);
  assert.equal(tail.text(), '');
  for (let count = 0; count < 5000; count++) tail.push(String(count % 10));
  assert.equal(tail.text(), '0123456789');
  tail.push('a text that is longer than the bound');
  assert.equal(tail.text(), ' the bound');
});
