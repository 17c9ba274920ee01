import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import * as tls from 'node:tls';
import { made, madeAuthority } from '../../test/made-certificates.ts';
import type { FrontLimits } from '../base/limits.ts';
import type { TlsState } from '../wire/tls-messages.ts';
import { withFront } from './front.test.support.ts';

// What a client can do with frames alone, written by hand: node's own client would not.

const authority = madeAuthority();
const shop = made('shop.test', { issuer: authority.issuer, names: ['shop.test'] });
const STATE: TlsState = {
  handshake: { minVersion: 'TLSv1.2', ciphers: 'TLS_AES_128_GCM_SHA256', curves: 'X25519', http2: true },
  certificates: [{ names: ['*'], pairs: [shop] }],
  clientTrust: {},
  ticketKeys: Buffer.alloc(48, 7).toString('base64'),
};

const TYPE = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, CONTINUATION: 9 } as const;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const NUISANCES_MAX = 20;
const FRAME_BYTES_MAX = 16_384;

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(TYPE.SETTINGS, 0, 0)]);
/** RFC 7541: GET https /, authority shop.test, without an entry in the table. */
const GET = Buffer.concat([Buffer.from([0x82, 0x87, 0x84, 0x01, 9]), Buffer.from('shop.test')]);

/** A client that writes what it likes, and how it ended. */
interface RawHttp2 {
  /** Writes; false once the connection is closed. */
  write(bytes: Buffer): Promise<boolean>;
  closed: Promise<void>;
}

interface Abused {
  connect(): Promise<RawHttp2>;
  /** Requests that reached the app. */
  requests(): number;
  /** The front serves others as ever. */
  isWell(): Promise<void>;
}

async function withAbuse(body: (abused: Abused) => Promise<void>, limits: Partial<FrontLimits> = {}): Promise<void> {
  await withFront({ limits: { http2NuisancesMax: NUISANCES_MAX, ...limits } }, async (front) => {
    front.front.tls(STATE);
    const { port } = await front.front.listen({ port: 0, host: '127.0.0.1' }, 'https://127.0.0.1:0');
    const app = await front.join();
    let requests = 0;
    app.onRequest = (channel, request) => {
      requests += 1;
      // Others wait for an answer that does not come, so that a reset takes work away.
      if (request.target === '/well') app.answer(channel, 'well');
    };
    const sockets: tls.TLSSocket[] = [];
    const connect = async (): Promise<RawHttp2> => {
      const socket = tls.connect({
        host: '127.0.0.1', port, servername: 'shop.test', ca: authority.cert, ALPNProtocols: ['h2'],
      });
      sockets.push(socket);
      socket.on('error', () => socket.destroy());
      socket.resume();
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      await once(socket, 'secureConnect');
      socket.write(PREFACE);
      const write = (bytes: Buffer): Promise<boolean> =>
        new Promise((resolve) => {
          if (socket.destroyed || socket.writableEnded) resolve(false);
          else socket.write(bytes, () => setImmediate(() => resolve(!socket.destroyed)));
        });
      return { write, closed };
    };
    const isWell = async (): Promise<void> => {
      const session = http2.connect(`https://127.0.0.1:${port}`, { servername: 'shop.test', ca: authority.cert });
      const stream = session.request({ ':path': '/well', ':authority': 'shop.test' });
      let text = '';
      for await (const chunk of stream) text += String(chunk);
      assert.equal(text, 'well');
      session.destroy();
    };
    try {
      await body({ connect, requests: () => requests, isWell });
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });
}

/** Writes pieces until the front ends the connection; how many it took. Fails above `piecesMax`. */
async function untilClosed(client: RawHttp2, piece: (index: number) => Buffer, piecesMax: number): Promise<number> {
  for (let index = 0; index < piecesMax; index++) {
    if (!(await client.write(piece(index)))) return index;
  }
  await client.closed;
  return piecesMax;
}

test('rapid resets end their connection, and few of them reach the app', async () => {
  await withAbuse(async ({ connect, requests, isWell }) => {
    const client = await connect();
    const cancel = Buffer.from([0, 0, 0, 8]);
    await untilClosed(client, (index) => {
      const stream = index * 2 + 1;
      const headers = frame(TYPE.HEADERS, END_HEADERS | END_STREAM, stream, GET);
      return Buffer.concat([headers, frame(TYPE.RST_STREAM, 0, stream, cancel)]);
    }, 5000);
    assert.ok(requests() <= NUISANCES_MAX * 10, `${requests()} requests`);
    await isWell();
  });
});

test('resets in one write end their connection too', async () => {
  await withAbuse(async ({ connect, requests, isWell }) => {
    const client = await connect();
    const pieces: Buffer[] = [];
    for (let stream = 1; stream < 4000; stream += 2) {
      pieces.push(frame(TYPE.HEADERS, END_HEADERS | END_STREAM, stream, GET));
      pieces.push(frame(TYPE.RST_STREAM, 0, stream, Buffer.from([0, 0, 0, 8])));
    }
    await client.write(Buffer.concat(pieces));
    await client.closed;
    assert.ok(requests() < 2000, `${requests()} requests`);
    await isWell();
  });
});

test('a head that never ends is cut after a bounded number of bytes', async () => {
  await withAbuse(async ({ connect, requests, isWell }) => {
    const client = await connect();
    const line = Buffer.concat([Buffer.from([0x00, 1]), Buffer.from('x'), Buffer.from([100]), Buffer.alloc(100, 'y')]);
    const lines = Buffer.concat(Array.from({ length: 100 }, () => line));
    await client.write(frame(TYPE.HEADERS, END_STREAM, 1, GET));
    const count = await untilClosed(client, () => frame(TYPE.CONTINUATION, 0, 1, lines), 2000);
    assert.ok(count < 2000);
    const empty = await connect();
    await empty.write(frame(TYPE.HEADERS, END_STREAM, 1, GET));
    assert.ok((await untilClosed(empty, () => frame(TYPE.CONTINUATION, 0, 1), 100_000)) < 100_000);
    assert.equal(requests(), 0);
    await isWell();
  });
});

test('a small head that stands for a large one is refused', async () => {
  await withAbuse(async ({ connect, requests, isWell }) => {
    const client = await connect();
    // A literal of 4000 bytes that goes into the table, then references to it: 48 MB out of 16 kB.
    const value = Buffer.alloc(4000, 'v');
    const literal = Buffer.concat([Buffer.from([0x40, 1]), Buffer.from('x'), Buffer.from([0x7f, 0xa1, 0x1e]), value]);
    const references = Buffer.alloc(FRAME_BYTES_MAX - GET.length - literal.length, 0xbe);
    const before = process.memoryUsage().rss;
    for (let stream = 1; stream < 41; stream += 2) {
      const bomb = stream === 1 ? Buffer.concat([GET, literal, references]) : Buffer.concat([GET, references]);
      if (!(await client.write(frame(TYPE.HEADERS, END_HEADERS | END_STREAM, stream, bomb)))) break;
    }
    assert.equal(requests(), 0);
    await isWell();
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 200_000_000, `${grown} bytes`);
  });
});

for (const [what, flood] of [
  ['pings', frame(TYPE.PING, 0, 0, Buffer.alloc(8))],
  ['settings', frame(TYPE.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255]))],
] as const) {
  test(`a flood of ${what} whose answers nobody reads ends its connection`, async () => {
    await withAbuse(async ({ connect, isWell }) => {
      const client = await connect();
      const count = await untilClosed(client, () => Buffer.concat(Array.from({ length: 100 }, () => flood)), 1000);
      assert.ok(count < 1000);
      await isWell();
    });
  });
}

/** Numbers that a seed gives again: mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

test('frames of chance leave the front as it was', async (t) => {
  const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`FUZZ_SEED=${seed}`);
  const random = randomOf(seed);
  const below = (end: number): number => Math.floor(random() * end);
  await withAbuse(async ({ connect, isWell }) => {
    for (let round = 0; round < 60; round++) {
      const client = await connect();
      for (let count = 0; count < 20; count++) {
        const bytes = Buffer.from(Array.from({ length: below(40) }, () => below(256)));
        const payload = random() < 0.3 ? Buffer.concat([GET, bytes]) : bytes;
        const one = frame(below(12), below(256), below(8), payload);
        // A length that is not that of the payload.
        if (random() < 0.1) one[2] = below(256);
        if (!(await client.write(one))) break;
      }
    }
    await isWell();
  });
});
