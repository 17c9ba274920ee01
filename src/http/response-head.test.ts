import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFailure } from '../base/assert.ts';
import { areSafeFields, httpDate, writeResponseHead } from './response-head.ts';
import type { ResponseHeadOptions } from './response-head.ts';

const DATE = 'Sat, 21 Nov 2026 04:00:00 GMT';

const KEPT = ['Connection: keep-alive', 'Keep-Alive: timeout=75'];

function write(options: Partial<ResponseHeadOptions>): string[] {
  const text = writeResponseHead({
    version: 11, status: 200, reason: '', fields: [], framing: 'as-is-length', keepAlive: 75_000, date: DATE,
    ...options,
  });
  assert.ok(text.endsWith('\r\n\r\n'));
  return text.slice(0, -4).split('\r\n');
}

test('writeResponseHead writes the fields as they are and adds a date', () => {
  const fields = ['Content-Length', '5', 'x-A', 'b', 'Set-Cookie', 'c', 'Set-Cookie', 'd'];
  const lines = ['HTTP/1.1 200 OK', 'Content-Length: 5', 'x-A: b', 'Set-Cookie: c', 'Set-Cookie: d'];
  assert.deepEqual(write({ fields }), [...lines, `Date: ${DATE}`, ...KEPT]);
});

test('writeResponseHead leaves a date that is there', () => {
  assert.deepEqual(write({ fields: ['DATE', 'then'] }), ['HTTP/1.1 200 OK', 'DATE: then', ...KEPT]);
});

test('writeResponseHead says what becomes of the connection, and how long it is kept', () => {
  const table: [10 | 11, number | false, string[]][] = [
    [11, 75_000, KEPT],
    [11, 1999, ['Connection: keep-alive', 'Keep-Alive: timeout=1']],
    [11, false, ['Connection: close']],
    [10, 75_000, KEPT],
    [10, false, []],
  ];
  for (const [version, keepAlive, lines] of table) {
    assert.deepEqual(write({ version, keepAlive }).slice(2), lines, `${version} ${keepAlive}`);
  }
});

test('writeResponseHead says how the body is framed', () => {
  assert.equal(write({ framing: 'chunked' }).at(-1), 'Transfer-Encoding: chunked');
  assert.equal(write({ framing: 'close', keepAlive: false }).at(-1), 'Connection: close');
  assert.throws(() => write({ framing: 'close' }), AssertionFailure);
  assert.throws(() => write({ framing: 'chunked', version: 10 }), AssertionFailure);
});

test('writeResponseHead adds nothing to informational heads and 101', () => {
  const fields = ['Connection', 'Upgrade', 'Upgrade', 'websocket'];
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
  assert.deepEqual(write({ status: 101, fields, framing: 'none' }), lines);
  assert.deepEqual(write({ status: 103, framing: 'none', keepAlive: false }), ['HTTP/1.1 103 Early Hints']);
});

test('writeResponseHead keeps the reason of the app and knows the usual ones', () => {
  assert.equal(write({ status: 404 })[0], 'HTTP/1.1 404 Not Found');
  assert.equal(write({ status: 404, reason: 'Gone fishing' })[0], 'HTTP/1.1 404 Gone fishing');
  assert.equal(write({ status: 799 })[0], 'HTTP/1.1 799 ');
});

test('httpDate is in the one format of RFC 9110', () => {
  assert.match(httpDate(), /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
});

test('areSafeFields refuses whatever could end a line or a name', () => {
  assert.equal(areSafeFields(['X', 'a\té\xff', 'Y', '']), true);
  const unsafe = [['X'], ['', 'a'], ['X Y', 'a'], ['X:', 'a'], ['X', 'a\r\nb'], ['X', '\0'], ['X', '\u0100']];
  for (const fields of unsafe) assert.equal(areSafeFields(fields), false, JSON.stringify(fields));
});
