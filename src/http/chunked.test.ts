// The chunked coding: what is refused is in docs/refusals.md; here is how bodies come out.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkedDecoder, chunkEnd, chunkHead } from './chunked.ts';

interface Decoded {
  body: string;
  trailers: string[];
  /** Bytes that were left behind the end. */
  rest: number;
}

/** Decodes pieces that follow each other; undefined while the end is missing. */
function decode(pieces: Buffer[]): Decoded | undefined {
  let body = '';
  const decoder = new ChunkedDecoder((slice) => {
    assert.ok(slice.length > 0, 'no empty slices');
    body += slice.toString('latin1');
  });
  for (const piece of pieces) {
    const result = decoder.push(piece, 0, piece.length);
    assert.notEqual(result.kind, 'bad', JSON.stringify(result));
    if (result.kind === 'end') return { body, trailers: result.trailers, rest: piece.length - result.bytes };
  }
  return undefined;
}

const BODY = 'b;x=1;y="\\"z"\r\nhello world\r\n3\r\n!\r\n\r\n000\r\nX-Sum: 5 \r\nx-empty:\r\n\r\n';
const DECODED = { body: 'hello world!\r\n', trailers: ['X-Sum', '5', 'x-empty', ''], rest: 0 };

test('ChunkedDecoder puts chunks together and returns the trailers', () => {
  assert.deepEqual(decode([Buffer.from(BODY)]), DECODED);
});

test('ChunkedDecoder decodes a body that is split anywhere, or everywhere', () => {
  const bytes = Buffer.from(BODY);
  for (let cut = 1; cut < bytes.length; cut++) {
    assert.deepEqual(decode([bytes.subarray(0, cut), bytes.subarray(cut)]), DECODED, `cut at ${cut}`);
  }
  const single = Array.from(bytes, (byte) => Buffer.from([byte]));
  assert.deepEqual(decode(single), DECODED);
  assert.equal(decode(single.slice(0, -1)), undefined);
});

test('ChunkedDecoder leaves the bytes behind the body alone', () => {
  const decoded = decode([Buffer.from('1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n')]);
  assert.deepEqual(decoded, { body: 'a', trailers: [], rest: 16 });
  const split = decode([Buffer.from('1\r\na\r\n0\r\nX: y\r'), Buffer.from('\n\r\nGET')]);
  assert.deepEqual(split, { body: 'a', trailers: ['X', 'y'], rest: 3 });
});

test('ChunkedDecoder decodes several bodies, starting anywhere in a buffer', () => {
  let body = '';
  const decoder = new ChunkedDecoder((slice) => {
    body += slice.toString();
  });
  const bytes = Buffer.from('###2\r\nab\r\n0\r\n\r\n1\r\nc\r\n0\r\nT: u\r\n\r\n###');
  const first = decoder.push(bytes, 3, bytes.length);
  assert.deepEqual(first, { kind: 'end', bytes: 12, trailers: [] });
  const second = decoder.push(bytes, 15, bytes.length);
  assert.deepEqual(second, { kind: 'end', bytes: 17, trailers: ['T', 'u'] });
  assert.equal(body, 'abc');
});

test('ChunkedDecoder hands out views of the pushed bytes', () => {
  const bytes = Buffer.from('5\r\nhello\r\n');
  const slices: Buffer[] = [];
  new ChunkedDecoder((slice) => slices.push(slice)).push(bytes, 0, bytes.length);
  assert.equal(slices.length, 1);
  assert.equal(slices[0]!.buffer, bytes.buffer);
});

test('ChunkedDecoder counts the bytes of extensions over the whole body', () => {
  const decoder = new ChunkedDecoder(() => {});
  const chunk = Buffer.from(`1;${'a'.repeat(1000)}\r\nx\r\n`);
  let pushes = 0;
  while (decoder.push(chunk, 0, chunk.length).kind === 'more') pushes += 1;
  assert.equal(pushes, 16);
});

test('ChunkedDecoder takes trailers exactly as large as the limit, in one piece or byte by byte', () => {
  const fit = Buffer.from(`0\r\nX: ${'y'.repeat(16_384 - 7)}\r\n\r\n`);
  const single = Array.from(fit, (byte) => Buffer.from([byte]));
  assert.equal(decode([fit])!.trailers[1]!.length, 16_377);
  assert.equal(decode(single)!.trailers[1]!.length, 16_377);
});

test('chunkHead and chunkEnd write what the decoder reads', () => {
  const text = `${chunkHead(26)}${'z'.repeat(26)}\r\n${chunkEnd(['A', 'b', 'C', 'd'])}`;
  assert.ok(text.startsWith('1a\r\n'));
  const decoded = { body: 'z'.repeat(26), trailers: ['A', 'b', 'C', 'd'], rest: 0 };
  assert.deepEqual(decode([Buffer.from(text)]), decoded);
});
