import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { answerMeta } from './answer-meta.ts';

/** What the front is told for such a response on such a socket. */
function metaOf(response: Record<string, unknown>, socket: Record<string, unknown> = {}): unknown {
  return answerMeta(response as unknown as ServerResponse, socket);
}

test('answerMeta takes unsigned 32-bit numbers for durations and nothing else', () => {
  for (const duration of [0, 1, 60, 4_294_967_295]) assert.deepEqual(metaOf({ cacheDuration: duration }), { duration });
  for (const other of ['60', 1.5, -1, 4_294_967_296, Number.NaN, Number.POSITIVE_INFINITY, null, {}, true, 60n]) {
    assert.equal(metaOf({ cacheDuration: other }), null, String(other));
  }
});

test('the duration of a response goes before that of its socket, even where it is none', () => {
  assert.deepEqual(metaOf({}, { cacheDuration: 5 }), { duration: 5 });
  assert.deepEqual(metaOf({ cacheDuration: 0 }, { cacheDuration: 5 }), { duration: 0 });
  assert.equal(metaOf({ cacheDuration: '7' }, { cacheDuration: 5 }), null);
});

test('tags are texts of 1 to 256 characters, at most 64 of them', () => {
  assert.deepEqual(metaOf({ cacheTags: ['a', '', 7, null, 'x'.repeat(256), 'y'.repeat(257)] }), {
    tags: ['a', 'x'.repeat(256)],
  });
  const many = Array.from({ length: 100 }, (_, index) => `t${index}`);
  assert.deepEqual(metaOf({ cacheTags: many }), { tags: many.slice(0, 64) });
  for (const none of [[], [''], 'a', { 0: 'a', length: 1 }, undefined]) assert.equal(metaOf({ cacheTags: none }), null);
});

test('duration and tags go together, and without either there is nothing to say', () => {
  assert.deepEqual(metaOf({ cacheDuration: 9, cacheTags: ['a'] }), { duration: 9, tags: ['a'] });
  assert.equal(metaOf({}), null);
});
