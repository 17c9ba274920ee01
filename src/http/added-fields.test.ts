import { test } from 'node:test';
import assert from 'node:assert/strict';
import { addedAnew, addedLines, withAdded } from './added-fields.ts';

test('added fields give way to those of the answer, cookies stand side by side', () => {
  const own = ['Set-Cookie', 'a=1', 'STRICT-TRANSPORT-SECURITY', 'max-age=0'];
  const added = ['Set-Cookie', 'b=2', 'Strict-Transport-Security', 'max-age=1', 'X-One', '1'];
  assert.deepEqual(withAdded(own, added), [...own, 'Set-Cookie', 'b=2', 'X-One', '1']);
  const head = 'HTTP/1.1 200 OK\r\nstrict-transport-security: max-age=0\r\n\r\n';
  assert.equal(addedLines(head, ['Strict-Transport-Security', 'max-age=1', 'X-One', '1']), 'X-One: 1\r\n');
});

test('of what is added twice the later one counts', () => {
  const before = ['Set-Cookie', 'a=1; Path=/', 'Set-Cookie', 'b=2', 'X-One', '1'];
  assert.deepEqual(addedAnew(before, ['set-cookie', 'a=3', 'x-one', '2']), [
    'Set-Cookie', 'b=2', 'set-cookie', 'a=3', 'x-one', '2',
  ]);
  assert.equal(addedAnew([], before), before);
});
