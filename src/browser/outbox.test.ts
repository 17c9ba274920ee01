import { test } from 'node:test';
import assert from 'node:assert/strict';
import { BATCH_CHARACTERS_MAX, Outbox, OUTBOX_CHARACTERS_MAX } from './outbox.ts';

test('Outbox numbers messages from 0 and keeps them until they are taken', () => {
  const outbox = new Outbox();
  assert.equal(outbox.batch(), null);
  outbox.put('{"id":1}');
  outbox.put('{"id":2}');
  assert.deepEqual(outbox.batch(), { first: 0, count: 2, body: '[{"id":1},{"id":2}]' });
  outbox.put('{"id":3}');
  assert.equal(outbox.taken(2), true);
  assert.deepEqual(outbox.batch(), { first: 2, count: 1, body: '[{"id":3}]' });
  assert.equal(outbox.taken(3), true);
  assert.equal(outbox.batch(), null);
});

test('Outbox refuses a number before what was taken and one that was never sent', () => {
  const outbox = new Outbox();
  outbox.put('1');
  outbox.put('2');
  assert.equal(outbox.taken(3), false);
  assert.equal(outbox.taken(1), true);
  assert.equal(outbox.taken(0), false);
  assert.equal(outbox.taken(1), true, 'nothing new was taken');
  assert.deepEqual(outbox.batch(), { first: 1, count: 1, body: '[2]' });
});

test('Outbox cuts batches, and a message larger than a batch goes alone', () => {
  const outbox = new Outbox();
  const large = 'x'.repeat(BATCH_CHARACTERS_MAX + 1);
  for (const message of ['1', large, '2']) outbox.put(message);
  assert.equal(outbox.batch()!.count, 1);
  outbox.taken(1);
  assert.equal(outbox.batch()!.body, `[${large}]`);
  outbox.taken(2);
  assert.deepEqual(outbox.batch(), { first: 2, count: 1, body: '[2]' });
});

test('Outbox takes no more than its bound, and again when there is room', () => {
  const outbox = new Outbox();
  const half = 'x'.repeat(OUTBOX_CHARACTERS_MAX / 2);
  assert.equal(outbox.put(half), true);
  assert.equal(outbox.put(half), true);
  assert.equal(outbox.put('1'), false);
  outbox.taken(1);
  assert.equal(outbox.put('1'), true);
});
