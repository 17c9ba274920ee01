import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeldBytes } from './held-bytes.ts';

test('HeldBytes keeps pieces in their order and copies them', () => {
  const held = new HeldBytes();
  const source = Buffer.from('abcdef');
  held.append(source, 1, 3);
  held.append(source, 0, 6);
  source.fill(0);
  assert.equal(held.view().toString(), 'bcabcdef');
  assert.equal(held.length, 8);
});

test('HeldBytes grows over many small pieces and is empty after clear', () => {
  const held = new HeldBytes();
  const one = Buffer.from('x');
  for (let count = 0; count < 5000; count++) held.append(one, 0, 1);
  const view = held.view();
  held.clear();
  held.append(Buffer.from('y'), 0, 1);
  assert.equal(view.toString(), 'x'.repeat(5000));
  assert.equal(held.view().toString(), 'y');
  held.clear();
  assert.equal(held.length, 0);
  assert.equal(held.view().length, 0);
});
