import { test } from 'node:test';
import assert from 'node:assert/strict';
import {
  AUTHORITY, FLAG, frame, GET, literal, MAGIC, POST, PREFACE, STATIC, TYPE, withRawHttp2, word, type RawHttp2,
} from './http2.test.support.ts';

// What RFC 9113 and RFC 7541 say of each frame that is not as it should be, in frames written by hand. A
// connection error may show as GOAWAY or as the end of the connection, a stream error also as one of the connection.

const END = FLAG.END_HEADERS | FLAG.END_STREAM;
const NOT_ENDED = FLAG.END_HEADERS;
const MAX_FRAME = 16_384;

/** A request that is complete. */
function get(stream: number, fields: Buffer = GET): Buffer {
  return frame(TYPE.HEADERS, END, stream, fields);
}

/** A request whose body is still to come. */
function post(stream: number, ...fields: Buffer[]): Buffer {
  return frame(TYPE.HEADERS, NOT_ENDED, stream, Buffer.concat([POST, ...fields]));
}

function fields(...parts: (number | Buffer)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : part)));
}

/** `connection`: it ends. `stream`: stream 1 is reset, or the connection ends. A number: the status of stream 1. */
type Outcome = 'connection' | 'stream' | 'goes-on' | number;

interface Case {
  section: string;
  what: string;
  bytes: Buffer[];
  outcome: Outcome;
  /** Without the preface that all others begin with. */
  isBare?: boolean;
  /** What versions of nghttp2 differ in, and RFC 9113 leaves open: 5.3.2, 6.8. */
  mayGoOn?: boolean;
}

const ASKED = Buffer.from('goes on?');
const ASK = frame(TYPE.PING, 0, 0, ASKED);

const CASES: Case[] = [
  { section: '3.4', what: 'a preface of other bytes', bytes: [Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')],
    outcome: 'connection', isBare: true },
  { section: '3.4', what: 'no SETTINGS behind the preface', bytes: [MAGIC, frame(TYPE.PING, 0, 0, Buffer.alloc(8))],
    outcome: 'connection', isBare: true },
  { section: '4.1', what: 'a frame of an unknown type', bytes: [frame(0x42, 0xff, 0, Buffer.alloc(8)), get(1)],
    outcome: 200 },
  { section: '4.1', what: 'flags without a meaning', bytes: [frame(TYPE.PING, 0x16, 0, Buffer.alloc(8)), get(1)],
    outcome: 200 },
  { section: '4.1', what: 'the reserved bit', bytes: [frame(TYPE.HEADERS, END, 0x80000001, GET)], outcome: 200 },
  { section: '4.2', what: 'a DATA frame above the limit', outcome: 'stream',
    bytes: [post(1), frame(TYPE.DATA, FLAG.END_STREAM, 1, Buffer.alloc(MAX_FRAME + 1))] },
  { section: '4.2', what: 'a HEADERS frame above the limit', outcome: 'connection',
    bytes: [get(1, fields(GET, Buffer.alloc(MAX_FRAME)))] },
  { section: '4.3', what: 'fields that cannot be decoded', bytes: [get(1, fields(GET, 0x40, 0xff))],
    outcome: 'connection' },
  { section: '4.3', what: 'another frame between the parts of a head', outcome: 'connection',
    bytes: [frame(TYPE.HEADERS, FLAG.END_STREAM, 1, GET), frame(TYPE.PING, 0, 0, Buffer.alloc(8))] },
  { section: '5.1', what: 'DATA on an idle stream', bytes: [frame(TYPE.DATA, 0, 1, Buffer.from('x'))],
    outcome: 'connection' },
  { section: '5.1', what: 'RST_STREAM on an idle stream', bytes: [frame(TYPE.RST_STREAM, 0, 1, word(8))],
    outcome: 'connection' },
  { section: '5.1', what: 'WINDOW_UPDATE on an idle stream', bytes: [frame(TYPE.WINDOW_UPDATE, 0, 1, word(1))],
    outcome: 'connection' },
  { section: '5.1', what: 'CONTINUATION on an idle stream', bytes: [frame(TYPE.CONTINUATION, END, 1, GET)],
    outcome: 'connection' },
  { section: '5.1', what: 'DATA behind the end of the body', outcome: 'stream',
    bytes: [get(1), frame(TYPE.DATA, 0, 1, Buffer.from('x'))] },
  { section: '5.1', what: 'HEADERS behind the end of the body', bytes: [get(1), get(1)], outcome: 'stream' },
  { section: '5.1.1', what: 'a stream with an even number', bytes: [get(2)], outcome: 'connection' },
  { section: '5.4.1', what: 'GOAWAY of the client', outcome: 'connection', mayGoOn: true,
    bytes: [frame(TYPE.GOAWAY, 0, 0, Buffer.concat([word(0), word(0)]))] },
  { section: '6.1', what: 'DATA of the connection', bytes: [frame(TYPE.DATA, 0, 0, Buffer.from('x'))],
    outcome: 'connection' },
  { section: '6.1', what: 'padding longer than the frame', outcome: 'connection',
    bytes: [post(1), frame(TYPE.DATA, FLAG.PADDED | FLAG.END_STREAM, 1, Buffer.from([6, 0, 0]))] },
  { section: '6.1', what: 'DATA with padding', outcome: 'goes-on',
    bytes: [post(1), frame(TYPE.DATA, FLAG.PADDED | FLAG.END_STREAM, 1, Buffer.from([2, 0x78, 0, 0]))] },
  { section: '6.2', what: 'HEADERS of the connection', bytes: [frame(TYPE.HEADERS, END, 0, GET)],
    outcome: 'connection' },
  { section: '6.2', what: 'padding longer than the head', outcome: 'connection',
    bytes: [frame(TYPE.HEADERS, END | FLAG.PADDED, 1, fields(0xff, GET))] },
  { section: '6.2', what: 'HEADERS with padding and a priority', outcome: 200,
    bytes: [frame(TYPE.HEADERS, END | FLAG.PADDED | FLAG.PRIORITY, 1, fields(1, word(0), 15, GET, 0))] },
  { section: '6.3', what: 'PRIORITY of the connection', bytes: [frame(TYPE.PRIORITY, 0, 0, Buffer.alloc(5))],
    outcome: 'connection', mayGoOn: true },
  { section: '6.3', what: 'PRIORITY of another length', bytes: [post(1), frame(TYPE.PRIORITY, 0, 1, Buffer.alloc(4))],
    outcome: 'stream', mayGoOn: true },
  { section: '6.3', what: 'PRIORITY on a stream that is idle', outcome: 200,
    bytes: [frame(TYPE.PRIORITY, 0, 3, Buffer.from([0, 0, 0, 0, 7])), get(1)] },
  { section: '6.4', what: 'RST_STREAM of the connection', bytes: [frame(TYPE.RST_STREAM, 0, 0, word(8))],
    outcome: 'connection' },
  { section: '6.4', what: 'RST_STREAM of another length', outcome: 'connection',
    bytes: [post(1), frame(TYPE.RST_STREAM, 0, 1, Buffer.alloc(3))] },
  { section: '6.5', what: 'SETTINGS on a stream', bytes: [frame(TYPE.SETTINGS, 0, 1)], outcome: 'connection' },
  { section: '6.5', what: 'an acknowledgement with a payload',
    bytes: [frame(TYPE.SETTINGS, FLAG.ACK, 0, Buffer.alloc(6))],
    outcome: 'connection' },
  { section: '6.5', what: 'SETTINGS of a length that is no multiple of 6', outcome: 'connection',
    bytes: [frame(TYPE.SETTINGS, 0, 0, Buffer.alloc(7))] },
  { section: '6.5.2', what: 'ENABLE_PUSH of 2', bytes: [frame(TYPE.SETTINGS, 0, 0, fields(0, 2, word(2)))],
    outcome: 'connection' },
  { section: '6.5.2', what: 'INITIAL_WINDOW_SIZE above the limit', outcome: 'connection',
    bytes: [frame(TYPE.SETTINGS, 0, 0, fields(0, 4, word(0x80000000)))] },
  { section: '6.5.2', what: 'MAX_FRAME_SIZE below the limit', outcome: 'connection',
    bytes: [frame(TYPE.SETTINGS, 0, 0, fields(0, 5, word(MAX_FRAME - 1)))] },
  { section: '6.5.2', what: 'MAX_FRAME_SIZE above the limit', outcome: 'connection',
    bytes: [frame(TYPE.SETTINGS, 0, 0, fields(0, 5, word(0x1000000)))] },
  { section: '6.5.2', what: 'an unknown setting',
    bytes: [frame(TYPE.SETTINGS, 0, 0, fields(0, 0x99, word(1))), get(1)],
    outcome: 200 },
  { section: '6.6', what: 'PUSH_PROMISE of a client', outcome: 'connection',
    bytes: [post(1), frame(TYPE.PUSH_PROMISE, FLAG.END_HEADERS, 1, fields(word(2), GET))] },
  { section: '6.7', what: 'PING on a stream', bytes: [frame(TYPE.PING, 0, 1, Buffer.alloc(8))],
    outcome: 'connection' },
  { section: '6.7', what: 'PING of another length', bytes: [frame(TYPE.PING, 0, 0, Buffer.alloc(6))],
    outcome: 'connection' },
  { section: '6.8', what: 'GOAWAY on a stream', bytes: [frame(TYPE.GOAWAY, 0, 1, Buffer.alloc(8))],
    outcome: 'connection' },
  { section: '6.9', what: 'WINDOW_UPDATE of 0 for the connection', outcome: 'connection',
    bytes: [frame(TYPE.WINDOW_UPDATE, 0, 0, word(0))] },
  { section: '6.9', what: 'WINDOW_UPDATE of 0 for a stream', outcome: 'stream',
    bytes: [post(1), frame(TYPE.WINDOW_UPDATE, 0, 1, word(0))] },
  { section: '6.9', what: 'WINDOW_UPDATE of another length', outcome: 'connection',
    bytes: [frame(TYPE.WINDOW_UPDATE, 0, 0, Buffer.alloc(3))] },
  { section: '6.9.1', what: 'a window of the connection above the limit', outcome: 'connection',
    bytes: [frame(TYPE.WINDOW_UPDATE, 0, 0, word(0x7fffffff)), frame(TYPE.WINDOW_UPDATE, 0, 0, word(0x7fffffff))] },
  { section: '6.9.1', what: 'a window of a stream above the limit', outcome: 'stream',
    bytes: [post(1), frame(TYPE.WINDOW_UPDATE, 0, 1, word(0x7fffffff)),
      frame(TYPE.WINDOW_UPDATE, 0, 1, word(0x7fffffff))] },
  { section: '6.9.1', what: 'more DATA than the window takes', outcome: 'stream',
    bytes: [post(1), ...Array.from({ length: 80 }, () => frame(TYPE.DATA, 0, 1, Buffer.alloc(MAX_FRAME)))] },
  { section: '6.10', what: 'a head in three parts', outcome: 200,
    bytes: [frame(TYPE.HEADERS, FLAG.END_STREAM, 1, GET.subarray(0, 2)),
      frame(TYPE.CONTINUATION, 0, 1, GET.subarray(2, 5)),
      frame(TYPE.CONTINUATION, FLAG.END_HEADERS, 1, GET.subarray(5))] },
  { section: '6.10', what: 'CONTINUATION of another stream', outcome: 'connection',
    bytes: [frame(TYPE.HEADERS, FLAG.END_STREAM, 1, GET), frame(TYPE.CONTINUATION, FLAG.END_HEADERS, 3)] },
  { section: '6.10', what: 'CONTINUATION behind the end of a head', outcome: 'connection',
    bytes: [post(1), frame(TYPE.CONTINUATION, FLAG.END_HEADERS, 1, literal('x', 'y'))] },
  { section: '8.1', what: 'a second head without the end of the stream', outcome: 'stream',
    bytes: [post(1), frame(TYPE.HEADERS, NOT_ENDED, 1, literal('x', 'y'))] },
  { section: '8.2', what: 'a name in upper case', bytes: [get(1, fields(GET, literal('X-One', '1')))],
    outcome: 'stream' },
  // nghttp2 leaves such a field out, whole.
  { section: '8.2.1', what: 'a line break in a value', bytes: [get(1, fields(GET, literal('x', 'a\r\nb: c')))],
    outcome: 200 },
  { section: '8.2.2', what: 'a field of a connection', bytes: [get(1, fields(GET, literal('connection', 'close')))],
    outcome: 'stream' },
  { section: '8.2.2', what: 'TE with something else than trailers',
    bytes: [get(1, fields(GET, literal('te', 'gzip')))],
    outcome: 'stream' },
  { section: '8.3', what: 'an unknown pseudo field', bytes: [get(1, fields(literal(':test', 'x'), GET))],
    outcome: 'stream' },
  { section: '8.3', what: 'a pseudo field behind others', outcome: 'stream',
    bytes: [get(1, fields(STATIC.GET, STATIC.HTTPS, literal('x', 'y'), STATIC.PATH, AUTHORITY))] },
  { section: '8.3', what: 'a pseudo field of answers', bytes: [get(1, fields(GET, 0x88))], outcome: 'stream' },
  { section: '8.3.1', what: 'no path', bytes: [get(1, fields(STATIC.GET, STATIC.HTTPS, AUTHORITY))],
    outcome: 'stream' },
  { section: '8.3.1', what: 'an empty path', outcome: 'stream',
    bytes: [get(1, fields(STATIC.GET, STATIC.HTTPS, literal(':path', ''), AUTHORITY))] },
  { section: '8.3.1', what: 'two methods', bytes: [get(1, fields(STATIC.GET, GET))], outcome: 'stream' },
  { section: '8.3.1', what: 'no scheme', bytes: [get(1, fields(STATIC.GET, STATIC.PATH, AUTHORITY))],
    outcome: 'stream' },
  { section: '8.1.1', what: 'more bytes than Content-Length says', outcome: 'stream',
    bytes: [post(1, literal('content-length', '1')), frame(TYPE.DATA, FLAG.END_STREAM, 1, Buffer.from('xy'))] },
  { section: '8.1.1', what: 'fewer bytes than Content-Length says', outcome: 'stream',
    bytes: [post(1, literal('content-length', '3')), frame(TYPE.DATA, FLAG.END_STREAM, 1, Buffer.from('xy'))] },
  { section: '8.1', what: 'a pseudo field among trailers', outcome: 'stream',
    bytes: [post(1), frame(TYPE.HEADERS, END, 1, fields(STATIC.GET))] },
  { section: '7541 2.3.3', what: 'an index beyond both tables', bytes: [get(1, fields(GET, 0xff, 0x7f))],
    outcome: 'connection' },
  { section: '7541 4.2', what: 'a change of the table behind fields', bytes: [get(1, fields(GET, 0x20))],
    outcome: 'connection' },
  { section: '7541 5.2', what: 'Huffman padding of more than 7 bits', outcome: 'connection',
    bytes: [get(1, fields(GET, 0x00, 0x01, 0x78, 0x82, 0xff, 0xff))] },
  { section: '7541 5.2', what: 'Huffman padding of zeros', outcome: 'connection',
    bytes: [get(1, fields(GET, 0x00, 0x01, 0x78, 0x81, 0x00))] },
  { section: '7541 6.1', what: 'the index 0', bytes: [get(1, fields(GET, 0x80))], outcome: 'connection' },
  { section: '7541 6.3', what: 'a table larger than was offered', bytes: [get(1, fields(0x3f, 0xff, 0xff, 0x7f, GET))],
    outcome: 'connection' },
];

const STATUSES: Record<number, number> = { 0x88: 200, 0x8c: 400, 0x8d: 404 };

/** What became of stream 1 and of the connection. */
async function outcomeOf(client: RawHttp2): Promise<Outcome> {
  let pongs = 0;
  const ended = client.closed.then(() => 'connection' as const);
  const came = (async (): Promise<Outcome> => {
    for (;;) {
      const { type, flags, stream, payload } = await client.frames.next();
      if (type === TYPE.GOAWAY) return 'connection';
      if (type === TYPE.RST_STREAM && stream === 1) return 'stream';
      if (type === TYPE.HEADERS && stream === 1) return STATUSES[payload[0]!] ?? payload[0]!;
      if (type !== TYPE.PING || (flags & FLAG.ACK) === 0 || !payload.equals(ASKED)) continue;
      // The first may overtake a reset; what was to be sent before the second is here.
      pongs += 1;
      if (pongs === 2) return 'goes-on';
      await client.write(ASK);
    }
  })();
  return await Promise.race([came, ended]);
}

test('a connection that the client closes its half of, or that is given up for an error, is not kept', async () => {
  await withRawHttp2(async ({ front, join, pass }, connect) => {
    const app = await join();
    app.onRequest = (channel) => app.answer(channel, 'hello');
    const left = connect();
    await left.write(Buffer.concat([PREFACE, get(1)]));
    assert.equal(await outcomeOf(left), 200);
    left.socket.end();
    await left.closed;
    // nghttp2 says goodbye by itself; the client stays.
    for (const bytes of [[frame(TYPE.DATA, 0, 1, Buffer.from('x'))], [get(1), get(2)]]) {
      const bad = connect();
      await bad.write(Buffer.concat([PREFACE, ...bytes]));
      while ((await bad.frames.next()).type !== TYPE.GOAWAY);
      for (let tries = 0; front.report().connections > 0; tries++) {
        assert.ok(tries < 100, 'the connection is kept');
        pass(10_000);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  });
});

test('frames that are not as they should be end their stream or connection, as RFC 9113 has it', async (t) => {
  await withRawHttp2(async (front, connect) => {
    const app = await front.join();
    app.givesCredit = false;
    app.onRequest = (channel, { method, fields: seen }) => {
      assert.ok(seen.every((text) => !/[\r\n\0]/.test(text) && text !== 'b'), seen.join(' '));
      if (method === 'GET') app.answer(channel, 'hello');
    };
    for (const { section, what, bytes, outcome, isBare = false, mayGoOn = false } of CASES) {
      await t.test(`${section.startsWith('7541') ? 'RFC' : 'RFC 9113'} ${section}: ${what}`, async () => {
        const client = connect();
        const all = isBare ? bytes : [PREFACE, ...bytes];
        // An answer takes its time: only what ends nothing is asked for.
        await client.write(Buffer.concat(typeof outcome === 'number' ? all : [...all, ASK]));
        const seen = await outcomeOf(client);
        // RFC 9113 5.4.2: a stream error may be treated as one of the connection.
        const isFit = seen === outcome || (mayGoOn && seen === 'goes-on')
          || (outcome === 'stream' && (seen === 'connection' || seen === 400));
        assert.ok(isFit, `${outcome} was expected, ${seen} came`);
        client.socket.destroy();
      });
    }
  });
});
