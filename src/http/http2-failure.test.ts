// Connections over HTTP/2 that fail: what nghttp2 cannot bear ends no process, and what failed is not kept. The front
// is a process of its own, since only as a whole does it show both.

import assert from 'node:assert/strict';
import * as http2 from 'node:http2';
import { test } from 'node:test';
import { startFrontProcess, type FrontLook, type FrontProcess } from './front-process.test.support.ts';
import { FLAG, frame, GET, POST, PREFACE, RawHttp2, TYPE, word } from './http2.test.support.ts';

const CLIENTS = 100;
const PASS_MS = 10_000;
const PING = frame(TYPE.PING, 0, 0, Buffer.alloc(8));
/** Sizes that RFC 9113 6 forbids. */
const SHORT_PING = frame(TYPE.PING, 0, 0, Buffer.alloc(5));
const SHORT_SETTINGS = frame(TYPE.SETTINGS, 0, 0, Buffer.alloc(5));
const SHORT_RESET = frame(TYPE.RST_STREAM, 0, 1, Buffer.alloc(3));
const SHORT_UPDATE = frame(TYPE.WINDOW_UPDATE, 0, 0, Buffer.alloc(3));

/** What ends a connection in the middle of a read. */
const ENDS: readonly [string, Buffer][] = [
  ['too many pings', Buffer.concat(Array.from({ length: 8 }, () => PING))],
  ['too many settings', Buffer.concat(Array.from({ length: 8 }, () => frame(TYPE.SETTINGS, 0, 0)))],
  ['a window above the limit', frame(TYPE.WINDOW_UPDATE, 0, 0, word(0x7fffffff))],
  ['DATA of an idle stream', frame(TYPE.DATA, 0, 5, Buffer.alloc(3))],
  ['a head of stream 0', frame(TYPE.HEADERS, FLAG.END_HEADERS, 0, GET)],
  ['a frame too large', frame(TYPE.PING, 0, 0, Buffer.alloc(8), 0xffffff)],
];

async function serves({ port }: FrontProcess): Promise<void> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  let text = '';
  for await (const chunk of session.request({ ':path': '/well' })) text += String(chunk);
  session.destroy();
  assert.equal(text, '/well');
}

/** The client says that it asks for nothing more, and asks: node ends its session in the middle of that head. */
const GOODBYE = frame(TYPE.GOAWAY, 0, 0, Buffer.concat([word(0), word(0)]));
const BEHIND_GOODBYE: readonly Buffer[] = [
  Buffer.concat([GOODBYE, frame(TYPE.HEADERS, 0x5, 1, GET)]),
  Buffer.concat([
    frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, POST), GOODBYE, frame(TYPE.RST_STREAM, 0, 1, word(8)),
    frame(TYPE.HEADERS, 0x5, 3, GET),
  ]),
];

/** When all connections are over. */
async function rest(front: FrontProcess): Promise<FrontLook> {
  for (;;) {
    const found = await front.look(PASS_MS);
    if (found.connections === 0) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('what ends a connection, with frames of a wrong size behind it, does not end the front', async () => {
  const front = await startFrontProcess({ http2NuisancesMax: 2 });
  try {
    for (const [, end] of ENDS) {
      for (const wrong of [SHORT_PING, SHORT_SETTINGS, SHORT_RESET, SHORT_UPDATE]) {
        const client = new RawHttp2(front.port);
        await client.write(PREFACE);
        await client.frames.next(({ type }) => type === TYPE.SETTINGS);
        // In one read.
        await client.write(Buffer.concat([frame(TYPE.HEADERS, 0x5, 1, GET), end, wrong, wrong, PING]));
        client.socket.end();
        await client.frames.next(({ type }) => type === TYPE.GOAWAY);
        client.socket.destroy();
      }
    }
    await serves(front);
  } finally {
    await front.stop();
  }
});

test('a request behind a goodbye, with a frame of a wrong size behind it, does not end the front', async () => {
  const front = await startFrontProcess();
  try {
    for (const frames of BEHIND_GOODBYE) {
      for (const wrong of [SHORT_PING, SHORT_SETTINGS, SHORT_RESET, SHORT_UPDATE]) {
        const client = new RawHttp2(front.port);
        await client.write(Buffer.concat([PREFACE, frames, wrong, PING]));
        client.socket.end();
        await client.closed;
      }
    }
    await serves(front);
  } finally {
    await front.stop();
  }
});

test('a connection that fails when its client is gone is not kept', async () => {
  const front = await startFrontProcess();
  try {
    await serves(front);
    const before = await rest(front);
    for (let count = 0; count < CLIENTS; count++) {
      const client = new RawHttp2(front.port);
      const [, end] = ENDS[2 + (count % 3)]!;
      client.socket.write(Buffer.concat([PREFACE, end]), () => client.socket.destroy());
      await client.closed;
    }
    await serves(front);
    await rest(front);
    const { sockets } = await rest(front);
    assert.ok(sockets < before.sockets + CLIENTS / 5, `${sockets - before.sockets} of ${CLIENTS} are kept`);
  } finally {
    await front.stop();
  }
});
