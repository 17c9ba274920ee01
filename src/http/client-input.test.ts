import { test } from 'node:test';
import assert from 'node:assert/strict';
import { ClientInput } from './client-input.ts';

function unread(input: ClientInput): string {
  return input.buffer.toString('latin1', input.start, input.end);
}

test('ClientInput takes the first chunk over without copying', () => {
  const input = new ClientInput();
  const chunk = Buffer.from('abc');
  input.append(chunk);
  assert.equal(input.buffer, chunk);
  input.consume(3);
  assert.equal(input.length, 0);
  assert.notEqual(input.buffer, chunk);
});

test('ClientInput makes what is left of shared bytes its own', () => {
  const shared = Buffer.from('abcdefgh');
  const input = new ClientInput();
  input.append(shared, 6, true);
  assert.equal(input.buffer, shared);
  input.consume(2);
  input.own();
  const kept = input.buffer;
  shared.fill('x');
  assert.equal(unread(input), 'cdef');
  input.own();
  assert.equal(input.buffer, kept);
  input.append(shared, 2, true);
  shared.fill('y');
  assert.equal(unread(input), 'cdefxx');
});

test('ClientInput keeps all bytes in order however they come and go', () => {
  const input = new ClientInput();
  let sent = '';
  let read = '';
  for (let count = 0; count < 2000; count++) {
    const text = String(count);
    sent += text;
    input.append(Buffer.from(text));
    if (count % 3 === 0) {
      const bytes = Math.min(input.length, count % 7);
      read += unread(input).slice(0, bytes);
      input.consume(bytes);
    }
  }
  read += input.take().toString('latin1');
  assert.equal(read, sent);
});

test('ClientInput never writes into bytes that were handed out', () => {
  const input = new ClientInput();
  input.append(Buffer.from('ab'));
  input.append(Buffer.from('cd'));
  const slice = input.buffer.subarray(input.start, input.end);
  input.consume(4);
  input.append(Buffer.from('efgh'));
  input.append(Buffer.from('ijkl'));
  assert.equal(slice.toString('latin1'), 'abcd');
  assert.equal(unread(input), 'efghijkl');
});
