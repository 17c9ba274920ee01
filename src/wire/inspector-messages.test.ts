import { test } from 'node:test';
import assert from 'node:assert/strict';
import { INSPECTOR_MESSAGE_BYTES_MAX, InspectorMessageReader, inspectorMessage } from './inspector-messages.ts';

test('InspectorMessageReader gives the messages back, whole and byte by byte', () => {
  const texts = ['{}', '', '{"é":"€😀"}', 'x'.repeat(100_000), '{"id":1}'];
  const stream = Buffer.concat(texts.map(inspectorMessage));
  for (const size of [stream.length, 1, 3, 4097]) {
    const seen: string[] = [];
    const reader = new InspectorMessageReader((text) => seen.push(text));
    for (let start = 0; start < stream.length; start += size) reader.push(stream.subarray(start, start + size));
    assert.deepEqual(seen, texts, `${size} bytes at a time`);
  }
});

test('InspectorMessageReader refuses a message over the limit at its head', () => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(INSPECTOR_MESSAGE_BYTES_MAX + 1, 0);
  const reader = new InspectorMessageReader(() => assert.fail('no message'));
  assert.throws(() => reader.push(head), { code: 'LINK_FRAME_INVALID' });
});
