import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CREDIT_WINDOW_BYTES } from '../base/limits.ts';
import { FrameReader, FrameWriter } from '../wire/frame.ts';
import { ChannelWriter } from './channel-writer.ts';
import type { ExchangeLink, WriteCallback } from './channel-writer.ts';

/** A link in memory: keeps the payloads of its frames, and reports writes when it is told to. */
class MemoryLink implements ExchangeLink {
  payloads: Buffer[] = [];
  #written: WriteCallback[] = [];
  #reader = new FrameReader((_type, _channel, buffer, start, end) => {
    this.payloads.push(Buffer.from(buffer.subarray(start, end)));
  });
  readonly writer = new FrameWriter({
    cork: () => {},
    uncork: () => {},
    write: (chunk) => {
      this.#reader.push(chunk);
      return true;
    },
  });

  afterWrite(callback: WriteCallback): void {
    this.#written.push(callback);
  }

  release(): void {}

  get sizes(): number[] {
    this.writer.flush();
    return this.payloads.map((payload) => payload.length);
  }

  get text(): string {
    this.writer.flush();
    return Buffer.concat(this.payloads).toString('latin1');
  }

  reportWritten(): void {
    for (const callback of this.#written.splice(0)) callback();
  }
}

function make(): { link: MemoryLink; writer: ChannelWriter } {
  const link = new MemoryLink();
  return { link, writer: new ChannelWriter(link, 7) };
}

const nextTick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

test('ChannelWriter makes one frame of collected text and small buffers', () => {
  const { link, writer } = make();
  writer.text('5', true, null);
  writer.bytes(Buffer.from('\r\n'), true, null);
  writer.text('gr\xfc\xdfe', true, null);
  assert.deepEqual(link.sizes, []);
  assert.equal(writer.length, 8);
  writer.flush();
  assert.deepEqual(link.sizes, [8]);
  assert.equal(link.text, '5\r\ngr\xfc\xdfe');
});

test('ChannelWriter keeps the order of text and buffers', () => {
  const { link, writer } = make();
  writer.text('head', true, null);
  writer.bytes(Buffer.alloc(100, 'b'), true, null);
  writer.text('tail', false, null);
  assert.equal(link.text, `head${'b'.repeat(100)}tail`);
});

test('ChannelWriter makes one frame of a turn and stops at the end of its credit', () => {
  const { link, writer } = make();
  writer.text('ab', false, null);
  for (let count = 0; count < 4; count++) writer.bytes(Buffer.alloc(CREDIT_WINDOW_BYTES / 4 + 2), false, null);
  assert.deepEqual(link.sizes, [CREDIT_WINDOW_BYTES]);
  assert.equal(writer.isEmpty, false);
  assert.equal(writer.length, 10);
  assert.equal(writer.receiveCredit(4), false);
  assert.deepEqual(link.sizes, [CREDIT_WINDOW_BYTES, 4]);
  assert.equal(writer.receiveCredit(100), true);
  assert.deepEqual(link.sizes, [CREDIT_WINDOW_BYTES, 4, 6]);
  assert.equal(writer.receiveCredit(1), false);
});

test('ChannelWriter acts behind what waits', () => {
  const { writer } = make();
  const heard: string[] = [];
  writer.whenEmpty(() => heard.push('at once'));
  writer.bytes(Buffer.alloc(CREDIT_WINDOW_BYTES + 1), false, null);
  writer.whenEmpty(() => heard.push('behind'));
  assert.deepEqual(heard, ['at once']);
  writer.receiveCredit(1);
  assert.deepEqual(heard, ['at once', 'behind']);
});

test('ChannelWriter reports copied bytes in the next tick, others when the link wrote them', async () => {
  const { link, writer } = make();
  const heard: string[] = [];
  writer.text('text', false, () => heard.push('text'));
  await nextTick();
  assert.deepEqual(heard, ['text']);
  writer.bytes(Buffer.alloc(10_000), false, () => heard.push('buffer'));
  writer.text('more', false, () => heard.push('more'));
  await nextTick();
  assert.deepEqual(heard, ['text']);
  link.reportWritten();
  assert.deepEqual(heard, ['text', 'buffer', 'more']);
});

test('ChannelWriter reports in order what waited for credit', () => {
  const { link, writer } = make();
  const heard: string[] = [];
  writer.bytes(Buffer.alloc(CREDIT_WINDOW_BYTES + 1), false, () => heard.push('long'));
  writer.text('a', false, () => heard.push('a'));
  writer.text('', false, () => heard.push('end'));
  writer.receiveCredit(100);
  link.reportWritten();
  assert.deepEqual(heard, ['long', 'a', 'end']);
});

test('ChannelWriter fails what waited when it is dropped', async () => {
  const { writer } = make();
  let code: string | undefined;
  writer.bytes(Buffer.alloc(CREDIT_WINDOW_BYTES + 1), false, (error) => {
    code = (error as NodeJS.ErrnoException).code;
  });
  writer.drop();
  await nextTick();
  assert.equal(code, 'ERR_STREAM_DESTROYED');
  assert.equal(writer.length, 0);
});
