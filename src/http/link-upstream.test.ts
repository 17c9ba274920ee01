import { test } from 'node:test';
import assert from 'node:assert/strict';
import { AssertionFailure } from '../base/assert.ts';
import { CREDIT_WINDOW_BYTES } from '../base/limits.ts';
import { FrameReader, FrameWriter } from '../wire/frame.ts';
import { decodeRequest, LINK, RESET_REASON, type LinkRequest, type Origin } from '../wire/link-messages.ts';
import {
  LinkUpstream, stepChannel, type Channel, type ChannelEvent, type ChannelOwner, type ChannelState,
} from './link-upstream.ts';

const ORIGIN: Origin = {
  remoteAddress: '::1', remotePort: 1, localAddress: '::1', localPort: 2, encrypted: false,
};
const REQUEST: LinkRequest = {
  version: 11, method: 'POST', target: '/', fields: [], ended: false, upgrade: false, local: false,
};

class Owner implements ChannelOwner {
  heard: string[] = [];
  bytes = 0;
  channelData(_buffer: Buffer, start: number, end: number): void { this.bytes += end - start; }
  channelEnded(): void { this.heard.push('ended'); }
  channelClosed(): void { this.heard.push('closed'); }
  channelReset(reason: number): void { this.heard.push(`reset ${reason}`); }
  channelLost(): void { this.heard.push('lost'); }
  channelWritable(): void { this.heard.push('writable'); }
}

interface Sent {
  type: number;
  channel: number;
  payload: Buffer;
}

function makeLink(): {
  link: LinkUpstream;
  sent: () => Sent[];
  over: () => number;
  open: () => { channel: Channel; owner: Owner };
  frame: (type: number, channel: Channel, payload?: Buffer) => void;
} {
  const chunks: Buffer[] = [];
  const writer = new FrameWriter({ cork: () => {}, uncork: () => {}, write: (chunk) => chunks.push(chunk) > 0 });
  let over = 0;
  const observer = { exchangeOver: () => { over += 1; } };
  const link = new LinkUpstream({ writer, observer, unreadBytes: () => 0, drop: () => {} });
  const sent = (): Sent[] => {
    writer.flush();
    const frames: Sent[] = [];
    const reader = new FrameReader((type, channel, buffer, start, end) => {
      frames.push({ type, channel, payload: buffer.subarray(start, end) });
    });
    reader.push(Buffer.concat(chunks.splice(0)));
    return frames;
  };
  const open = (): { channel: Channel; owner: Owner } => {
    const owner = new Owner();
    return { channel: link.open(owner), owner };
  };
  const frame = (type: number, channel: Channel, payload: Buffer = Buffer.alloc(0)): void => {
    link.onFrame(type, channel.id, payload, 0, payload.length);
  };
  return { link, sent, over: () => over, open, frame };
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function dataBytes(frames: Sent[]): number {
  return frames.reduce((sum, { type, payload }) => sum + (type === LINK.DATA ? payload.length : 0), 0);
}

test('a channel has one answer to every event in every state', () => {
  const table: [ChannelState, Record<ChannelEvent, ChannelState | '!'>][] = [
    ['idle', { request: 'busy', 'app-ended': 'idle', upgraded: '!', gone: 'gone' }],
    ['busy', { request: '!', 'app-ended': 'idle', upgraded: 'tunnel', gone: 'gone' }],
    ['tunnel', { request: '!', 'app-ended': 'tunnel', upgraded: '!', gone: 'gone' }],
    ['gone', { request: 'gone', 'app-ended': 'gone', upgraded: 'gone', gone: 'gone' }],
  ];
  for (const [state, row] of table) {
    for (const [event, next] of Object.entries(row) as [ChannelEvent, ChannelState | '!'][]) {
      if (next === '!') assert.throws(() => stepChannel(state, event), AssertionFailure, `${state} × ${event}`);
      else assert.equal(stepChannel(state, event), next, `${state} × ${event}`);
    }
  }
});

test('only the first request of a channel says where the client is', () => {
  const { sent, open, frame } = makeLink();
  const { channel } = open();
  channel.request(REQUEST, ORIGIN);
  frame(LINK.END, channel);
  channel.request(REQUEST, ORIGIN);
  const requests = sent().map(({ payload }) => decodeRequest(payload, 0, payload.length));
  assert.deepEqual(requests.map(({ origin }) => origin), [ORIGIN, undefined]);
});

test('a channel has copies of bytes that are shared, sent or waiting', () => {
  const { sent, open, frame } = makeLink();
  const { channel } = open();
  channel.request(REQUEST, ORIGIN);
  channel.data(Buffer.alloc(CREDIT_WINDOW_BYTES - 10, 'a'));
  const shared = Buffer.alloc(100);
  for (const letter of ['b', 'c']) {
    channel.data(shared.fill(letter), true);
    shared.fill(0);
  }
  const before = Buffer.concat(sent().filter(({ type }) => type === LINK.DATA).map(({ payload }) => payload));
  assert.equal(before.toString('latin1', CREDIT_WINDOW_BYTES - 12), 'aabbbbbbbbbb');
  frame(LINK.CREDIT, channel, number(1000));
  const behind = Buffer.concat(sent().map(({ payload }) => payload));
  assert.equal(behind.toString('latin1'), 'b'.repeat(90) + 'c'.repeat(100));
});

test('a body stops at the end of the credit and goes on with more', () => {
  const { sent, open, frame } = makeLink();
  const { channel, owner } = open();
  channel.request(REQUEST, ORIGIN);
  channel.data(Buffer.alloc(CREDIT_WINDOW_BYTES + 1000));
  channel.data(Buffer.alloc(500));
  channel.end(['A', 'b']);
  assert.equal(channel.isFull, true);
  let frames = sent();
  assert.equal(dataBytes(frames), CREDIT_WINDOW_BYTES);
  assert.deepEqual(frames.map(({ type }) => type), [LINK.REQUEST, LINK.DATA]);
  frame(LINK.CREDIT, channel, number(1200));
  frames = sent();
  assert.equal(dataBytes(frames), 1200);
  assert.deepEqual(owner.heard, []);
  frame(LINK.CREDIT, channel, number(1000));
  frames = sent();
  assert.equal(dataBytes(frames), 300);
  assert.equal(frames.at(-1)?.type, LINK.END);
  assert.deepEqual(owner.heard, ['writable']);
  assert.equal(channel.isFull, false);
});

test('credit is conserved over the exchanges of a channel', () => {
  const { sent, open, frame } = makeLink();
  const { channel } = open();
  channel.request(REQUEST, ORIGIN);
  channel.data(Buffer.alloc(CREDIT_WINDOW_BYTES));
  channel.data(Buffer.alloc(77));
  frame(LINK.END, channel);
  assert.equal(channel.isFull, false, 'what waited is thrown away with the request');
  frame(LINK.CREDIT, channel, number(100));
  channel.request(REQUEST, ORIGIN);
  sent();
  channel.data(Buffer.alloc(200));
  assert.equal(dataBytes(sent()), 100);
});

test('credit is given back in portions of at least half a window', () => {
  const { sent, open, frame } = makeLink();
  const { channel } = open();
  channel.request(REQUEST, ORIGIN);
  sent();
  for (let count = 0; count < 8; count++) {
    frame(LINK.DATA, channel, Buffer.alloc(CREDIT_WINDOW_BYTES / 8));
    channel.consumed(CREDIT_WINDOW_BYTES / 8);
  }
  const credits = sent().filter(({ type }) => type === LINK.CREDIT);
  assert.deepEqual(
    credits.map(({ payload }) => payload.readUInt32BE(0)),
    [CREDIT_WINDOW_BYTES / 2, CREDIT_WINDOW_BYTES / 2],
  );
});

test('a process that sends more than its credit is reset', () => {
  const { sent, open, frame } = makeLink();
  const { channel, owner } = open();
  channel.request(REQUEST, ORIGIN);
  frame(LINK.DATA, channel, Buffer.alloc(CREDIT_WINDOW_BYTES));
  frame(LINK.DATA, channel, Buffer.alloc(1));
  assert.deepEqual(owner.heard, [`reset ${RESET_REASON.LIMIT}`]);
  assert.equal(sent().at(-1)?.type, LINK.RESET);
  assert.equal(channel.state, 'gone');
});

test('a process makes itself no credit, and gives no more than it took', () => {
  const { sent, open, frame } = makeLink();
  const { channel, owner } = open();
  channel.request(REQUEST, ORIGIN);
  frame(LINK.END, channel);
  frame(LINK.DATA, channel, Buffer.alloc(CREDIT_WINDOW_BYTES));
  assert.equal(owner.bytes, 0, 'nobody waits for it');
  channel.request(REQUEST, ORIGIN);
  frame(LINK.DATA, channel, Buffer.alloc(CREDIT_WINDOW_BYTES));
  frame(LINK.DATA, channel, Buffer.alloc(1));
  assert.equal(owner.bytes, CREDIT_WINDOW_BYTES);
  assert.deepEqual(owner.heard, ['ended', `reset ${RESET_REASON.LIMIT}`]);
  const other = open().channel;
  other.request(REQUEST, ORIGIN);
  sent();
  for (let count = 0; count < 3; count++) frame(LINK.CREDIT, other, number(0xffff_ffff));
  other.data(Buffer.alloc(CREDIT_WINDOW_BYTES + 1));
  assert.equal(dataBytes(sent()), CREDIT_WINDOW_BYTES);
  assert.equal(other.isFull, true);
});

test('LAST is DATA and END', () => {
  const { open, frame } = makeLink();
  const { channel, owner } = open();
  channel.request(REQUEST, ORIGIN);
  frame(LINK.LAST, channel, Buffer.alloc(7));
  assert.equal(owner.bytes, 7);
  assert.deepEqual(owner.heard, ['ended']);
  assert.equal(channel.state, 'idle');
  frame(LINK.LAST, channel, Buffer.alloc(7));
  assert.deepEqual(owner.heard, ['ended'], 'nobody waits for a second one');
  channel.request(REQUEST, ORIGIN);
  frame(LINK.LAST, channel, Buffer.alloc(CREDIT_WINDOW_BYTES));
  assert.deepEqual(owner.heard, ['ended', `reset ${RESET_REASON.LIMIT}`], 'too much is no end');
});

test('closing a channel resets an exchange under way and closes an idle one', () => {
  const { link, sent, open, frame, over } = makeLink();
  const busy = open();
  busy.channel.request(REQUEST, ORIGIN);
  assert.equal(link.active, 1);
  busy.channel.close();
  assert.equal(link.active, 0);
  assert.equal(over(), 1);
  const idle = open();
  idle.channel.request(REQUEST, ORIGIN);
  frame(LINK.END, idle.channel);
  idle.channel.close();
  idle.channel.close();
  const types = sent().map(({ type }) => type).filter((type) => type !== LINK.REQUEST);
  assert.deepEqual(types, [LINK.RESET, LINK.CLOSE]);
});

test('frames of a channel that is gone are dropped', () => {
  const { open, frame } = makeLink();
  const { channel, owner } = open();
  channel.request(REQUEST, ORIGIN);
  channel.close();
  for (const type of [LINK.DATA, LINK.END, LINK.CREDIT, LINK.RESET, LINK.CLOSE]) frame(type, channel, number(1));
  assert.deepEqual(owner.heard, []);
});

test('a lost link loses every channel and takes no request', () => {
  const { link, open } = makeLink();
  const owners = [open(), open()];
  owners[0]!.channel.request(REQUEST, ORIGIN);
  link.lose();
  link.lose();
  assert.deepEqual(owners.map(({ owner }) => owner.heard), [['lost'], ['lost']]);
  assert.equal(link.active, 0);
  assert.equal(link.hasRoom(10), false);
  assert.throws(() => open(), AssertionFailure);
});

test('tunnels are not counted as exchanges under way', () => {
  const { link, open, over } = makeLink();
  const { channel } = open();
  channel.request(REQUEST, ORIGIN);
  channel.upgrade();
  assert.deepEqual([link.active, link.tunnels], [0, 1]);
  channel.close();
  assert.deepEqual([link.active, link.tunnels], [0, 0]);
  assert.equal(over(), 2);
});
