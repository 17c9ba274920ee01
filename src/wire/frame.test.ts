import { test } from 'node:test';
import assert from 'node:assert/strict';
import { FRAME_PAYLOAD_BYTES_MAX } from '../base/limits.ts';
import { HostError } from '../base/host-error.ts';
import {
  FRAME_HEAD_BYTES, FrameReader, FrameWriter, type FrameSink, type WrittenCallback,
} from './frame.ts';

interface Seen {
  type: number;
  channel: number;
  text: string;
}

function collectingReader(): { reader: FrameReader; seen: Seen[] } {
  const seen: Seen[] = [];
  const reader = new FrameReader((type, channel, buffer, start, end) => {
    seen.push({ type, channel, text: buffer.toString('latin1', start, end) });
  });
  return { reader, seen };
}

class CollectingSink implements FrameSink {
  writes: Buffer[] = [];
  corked = 0;
  cork(): void {
    this.corked += 1;
  }
  uncork(): void {
    this.corked -= 1;
  }
  write(chunk: Buffer, _callback?: WrittenCallback): boolean {
    this.writes.push(chunk);
    return true;
  }
  all(): Buffer {
    return Buffer.concat(this.writes);
  }
}

function sample(): { bytes: Buffer; expected: Seen[] } {
  const sink = new CollectingSink();
  const writer = new FrameWriter(sink);
  writer.empty(3, 0);
  writer.number(4, 0xffff_ffff, 0x0102_0304);
  writer.latin1(5, 7, [1, 2], 'caf\u00e9');
  writer.bytes(6, 9, Buffer.alloc(5000, 'x'));
  writer.json(7, 1, { a: 1 });
  writer.flush();
  const expected = [
    { type: 3, channel: 0, text: '' },
    { type: 4, channel: 0xffff_ffff, text: '\u0001\u0002\u0003\u0004' },
    { type: 5, channel: 7, text: '\u0001\u0002caf\u00e9' },
    { type: 6, channel: 9, text: 'x'.repeat(5000) },
    { type: 7, channel: 1, text: '{"a":1}' },
  ];
  return { bytes: sink.all(), expected };
}

test('FrameReader reads what FrameWriter wrote', () => {
  const { bytes, expected } = sample();
  const { reader, seen } = collectingReader();
  reader.push(bytes);
  assert.deepEqual(seen, expected);
});

test('FrameReader gives the same frames for every split in two', () => {
  const { bytes, expected } = sample();
  for (let at = 0; at <= bytes.length; at++) {
    const { reader, seen } = collectingReader();
    reader.push(bytes.subarray(0, at));
    reader.push(bytes.subarray(at));
    assert.deepEqual(seen, expected, `split at ${at}`);
  }
});

test('FrameReader gives the same frames byte by byte', () => {
  const { bytes, expected } = sample();
  const { reader, seen } = collectingReader();
  for (let at = 0; at < bytes.length; at++) reader.push(bytes.subarray(at, at + 1));
  assert.deepEqual(seen, expected);
});

test('FrameReader refuses a frame over the limit as soon as its length is known', () => {
  for (const step of [1, 4, FRAME_HEAD_BYTES]) {
    const head = Buffer.alloc(FRAME_HEAD_BYTES);
    head.writeUInt32BE(FRAME_PAYLOAD_BYTES_MAX + 1, 0);
    const { reader } = collectingReader();
    assert.throws(
      () => {
        for (let at = 0; at < head.length; at += step) reader.push(head.subarray(at, at + step));
      },
      (error) => error instanceof HostError && error.code === 'LINK_FRAME_INVALID',
    );
  }
});

test('FrameWriter makes one write of all small frames of a turn', async () => {
  const sink = new CollectingSink();
  const writer = new FrameWriter(sink);
  for (let count = 0; count < 100; count++) writer.latin1(1, count, [], 'hello');
  assert.equal(sink.writes.length, 0);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(sink.writes.length, 1);
});

test('FrameWriter hands large payloads over without copying and in order', () => {
  const sink = new CollectingSink();
  const writer = new FrameWriter(sink);
  const large = Buffer.alloc(100_000, 'L');
  writer.latin1(1, 1, [], 'before');
  writer.bytes(2, 1, large);
  writer.latin1(3, 1, [], 'after');
  writer.flush();
  assert.ok(sink.writes.includes(large));
  assert.equal(sink.corked, 0);
  const { reader, seen } = collectingReader();
  reader.push(sink.all());
  assert.deepEqual(seen.map((frame) => frame.type), [1, 2, 3]);
});

test('FrameWriter never writes again into bytes that it handed over', () => {
  const sink = new CollectingSink();
  const writer = new FrameWriter(sink);
  const { reader, seen } = collectingReader();
  const sent: string[] = [];
  for (let count = 0; count < 5000; count++) {
    const text = `frame ${count} ${'.'.repeat(count % 200)}`;
    sent.push(text);
    writer.latin1(1, 1, [], text);
    if (count % 7 === 0) writer.flush();
  }
  writer.flush();
  for (const chunk of sink.writes) reader.push(chunk);
  assert.deepEqual(seen.map((frame) => frame.text), sent);
});

test('FrameWriter sends a text longer than its batch', () => {
  const sink = new CollectingSink();
  const writer = new FrameWriter(sink);
  const text = 'h'.repeat(200_000);
  writer.latin1(1, 1, [9], text);
  writer.flush();
  const { reader, seen } = collectingReader();
  reader.push(sink.all());
  assert.equal(seen[0]?.text, `\u0009${text}`);
});

test('FrameWriter changes the type of the last frame only, and only while it is there', () => {
  const sink = new CollectingSink();
  const writer = new FrameWriter(sink);
  assert.equal(writer.retype(1, 1, 9), false, 'nothing was written');
  writer.latin1(1, 1, [], 'a');
  writer.latin1(1, 2, [], 'b');
  assert.equal(writer.retype(1, 1, 9), false, 'another channel is last');
  assert.equal(writer.retype(2, 2, 9), false, 'another type is last');
  assert.equal(writer.retype(1, 2, 9), true);
  assert.equal(writer.retype(1, 2, 9), false, 'it is of another type now');
  writer.bytes(1, 3, Buffer.alloc(100_000));
  assert.equal(writer.retype(1, 3, 9), true, 'a large payload is no hindrance');
  writer.latin1(1, 4, [], 'd');
  writer.flush();
  assert.equal(writer.retype(1, 4, 9), false, 'it has left');
  const { reader, seen } = collectingReader();
  reader.push(sink.all());
  assert.deepEqual(seen.map(({ type }) => type), [1, 9, 9, 1]);
});

test('FrameReader gives frames in parts as they come, the last one under their own type', () => {
  const sink = new CollectingSink();
  const writer = new FrameWriter(sink);
  writer.latin1(2, 5, [], 'abcdefghijkl');
  writer.empty(2, 6);
  writer.latin1(3, 7, [], 'whole');
  writer.flush();
  const bytes = sink.all();
  for (let step = 1; step <= bytes.length; step++) {
    const seen: Seen[] = [];
    const reader = new FrameReader((type, channel, buffer, start, end) => {
      seen.push({ type, channel, text: buffer.toString('latin1', start, end) });
    }, (type) => (type === 2 ? 1 : 0));
    for (let at = 0; at < bytes.length; at += step) reader.push(bytes.subarray(at, at + step));
    const parts = seen.filter(({ channel }) => channel === 5);
    assert.equal(parts.map(({ text }) => text).join(''), 'abcdefghijkl', `steps of ${step}`);
    assert.deepEqual(parts.map(({ type }) => type), parts.map((_, index) => (index < parts.length - 1 ? 1 : 2)));
    assert.ok(parts.every(({ text }) => text !== ''));
    const others = seen.filter(({ channel }) => channel !== 5);
    assert.deepEqual(others, [{ type: 2, channel: 6, text: '' }, { type: 3, channel: 7, text: 'whole' }]);
  }
});

test('FrameReader reads only as much of a buffer as it is told', () => {
  const { bytes, expected } = sample();
  const buffer = Buffer.alloc(64, 0xff);
  const { reader, seen } = collectingReader();
  for (let at = 0; at < bytes.length; at += 10) {
    const length = bytes.copy(buffer, 0, at, at + 10);
    reader.push(buffer, length);
    buffer.fill(0xff);
  }
  assert.deepEqual(seen, expected);
});

test('FrameWriter makes one frame of what is streamed on a channel in a turn', () => {
  const sink = new CollectingSink();
  const writer = new FrameWriter(sink);
  const large = Buffer.alloc(100_000, 'L');
  writer.latin1(1, 1, [], 'head ');
  for (const piece of [large, Buffer.from(' small '), large]) writer.stream(1, 1, piece);
  assert.equal(writer.retype(1, 1, 9), true);
  writer.stream(1, 1, Buffer.from('another type'));
  writer.stream(1, 2, Buffer.from('another channel'));
  writer.flush();
  writer.stream(1, 2, Buffer.from('another turn'));
  writer.flush();
  assert.equal(sink.writes.filter((chunk) => chunk === large).length, 2);
  const { reader, seen } = collectingReader();
  reader.push(sink.all());
  assert.deepEqual(seen.map(({ type, channel, text }) => [type, channel, text.length]), [
    [9, 1, 5 + 7 + 200_000], [1, 1, 12], [1, 2, 15], [1, 2, 12],
  ]);
  assert.equal(seen[0]?.text, `head ${large.toString()} small ${large.toString()}`);
});

test('FrameWriter copies what is not its own, more than its batch holds', () => {
  const sink = new CollectingSink();
  // As a socket that took only part of what it was given.
  const writer = new FrameWriter(Object.assign(sink, { writableLength: 1 }));
  const sizes = [5, 60_000, 65_536, 65_537, 200_000, 1];
  const shared = Buffer.alloc(200_000);
  for (const [index, size] of sizes.entries()) {
    writer.streamCopy(1, 1, shared.fill(65 + index).subarray(0, size));
    shared.fill(0);
  }
  writer.flush();
  const { reader, seen } = collectingReader();
  reader.push(sink.all());
  const sent = sizes.map((size, index) => String.fromCharCode(65 + index).repeat(size)).join('');
  assert.equal(seen.map(({ text }) => text).join('') === sent, true);
  assert.ok(seen.every(({ type, channel }) => type === 1 && channel === 1));
});

test('FrameWriter streams no frame that is longer than the limit', () => {
  const sink = new CollectingSink();
  const writer = new FrameWriter(sink);
  const piece = Buffer.alloc(FRAME_PAYLOAD_BYTES_MAX / 2);
  for (let count = 0; count < 5; count++) writer.stream(1, 1, piece);
  writer.flush();
  const { reader, seen } = collectingReader();
  reader.push(sink.all());
  assert.deepEqual(seen.map(({ text }) => text.length / piece.length), [2, 2, 1]);
});

test('FrameWriter says when what it had has left', () => {
  const done: WrittenCallback[] = [];
  const sink = new CollectingSink();
  sink.write = (chunk, callback) => {
    if (callback !== undefined) done.push(callback);
    return sink.writes.push(chunk) > 0;
  };
  const writer = new FrameWriter(sink);
  const heard: string[] = [];
  writer.latin1(1, 1, [], 'a');
  writer.afterWrite((error) => heard.push(`first ${error}`));
  writer.bytes(1, 1, Buffer.alloc(10_000));
  writer.flush();
  writer.afterWrite(() => heard.push('second'));
  writer.flush();
  assert.deepEqual(heard, []);
  assert.deepEqual(sink.writes.map(({ length }) => length), [10 + 9, 10_000, 0]);
  done[0]?.(null);
  assert.deepEqual(heard, ['first null']);
  done[1]?.();
  assert.deepEqual(heard, ['first null', 'second']);
});

test('FrameWriter uses its batch anew when all has left, and only then', () => {
  const sink = new CollectingSink() as CollectingSink & { writableLength: number };
  const writer = new FrameWriter(sink);
  const starts: number[] = [];
  for (const writableLength of [0, 5, 0, 0]) {
    sink.writableLength = writableLength;
    writer.latin1(1, 1, [], 'a');
    writer.flush();
    starts.push(sink.writes.at(-1)!.byteOffset);
  }
  assert.deepEqual(starts, [0, 0, 10, 0]);
});

test('FrameWriter writes nothing after close', () => {
  const sink = new CollectingSink();
  const writer = new FrameWriter(sink);
  writer.empty(1, 1);
  writer.close();
  writer.empty(1, 1);
  writer.flush();
  assert.equal(sink.writes.length, 0);
});
