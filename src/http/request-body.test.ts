import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { BodyFraming } from './body-length.ts';
import { RequestBody } from './request-body.ts';

interface Seen {
  text: string;
  end: { bytes: number; trailers: string[] } | null;
  status: number;
}

/** Pushes `text` in pieces of `step` bytes. */
function read(framing: BodyFraming, text: string, options: { step: number; bytesMax?: number }): Seen {
  const seen: Seen = { text: '', end: null, status: 0 };
  const body = new RequestBody(options.bytesMax ?? 0, {
    bodyData: (slice) => { seen.text += slice.toString('latin1'); },
  });
  body.start(framing);
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length && seen.end === null && seen.status === 0; at += options.step) {
    const end = Math.min(bytes.length, at + options.step);
    const result = body.push(bytes, at, end);
    if (result.kind === 'whole') seen.end = { bytes: at + result.bytes, trailers: result.trailers };
    if (result.kind === 'bad') seen.status = result.status;
  }
  assert.equal(body.isWhole, seen.end !== null);
  return seen;
}

const CHUNKED = '5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nDigest: x\r\n\r\n';

test('RequestBody finds the end of a body and leaves what follows', () => {
  for (let step = 1; step < 60; step++) {
    const length = read({ kind: 'length', length: 5 }, 'helloGET', { step });
    assert.deepEqual(length, { text: 'hello', end: { bytes: 5, trailers: [] }, status: 0 });
    const chunked = read({ kind: 'chunked' }, `${CHUNKED}GET`, { step });
    const end = { bytes: CHUNKED.length, trailers: ['Digest', 'x'] };
    assert.deepEqual(chunked, { text: 'hello world', end, status: 0 });
  }
});

test('RequestBody stops a chunked body at its limit', () => {
  for (let step = 1; step < 60; step++) {
    const seen = read({ kind: 'chunked' }, CHUNKED, { step, bytesMax: 10 });
    assert.equal(seen.status, 413);
    assert.ok(seen.text.length <= 10);
    assert.equal(read({ kind: 'chunked' }, CHUNKED, { step, bytesMax: 11 }).text, 'hello world');
  }
});

test('RequestBody knows from the head that a body is too long', () => {
  const body = new RequestBody(10, { bodyData() {} });
  body.start({ kind: 'length', length: 11 });
  assert.equal(body.isTooLong, true);
  assert.equal(body.restBytes, 11);
  body.start({ kind: 'length', length: 10 });
  assert.equal(body.isTooLong, false);
  body.start({ kind: 'none' });
  assert.equal(body.isWhole, true);
  assert.equal(body.restBytes, 0);
});

test('RequestBody reads the next body after one that was given up', () => {
  let text = '';
  const body = new RequestBody(0, { bodyData: (slice) => { text += slice.toString('latin1'); } });
  body.start({ kind: 'chunked' });
  body.push(Buffer.from('5\r\nhe'), 0, 5);
  body.start({ kind: 'chunked' });
  const bytes = Buffer.from('2\r\nok\r\n0\r\n\r\n');
  assert.equal(body.push(bytes, 0, bytes.length).kind, 'whole');
  assert.equal(text, 'heok');
});
