// HTTP/2 by hand, for tests and fuzzing: frames as bytes, and a client that writes what it likes over plain TCP
// and keeps the frames that come. Node's own client would refuse to send most of it.

import * as net from 'node:net';
import type { TlsState } from '../wire/tls-messages.ts';
import { Inbox, withFront, type TestFront } from './front.test.support.ts';
import type { FrontLimits } from '../base/limits.ts';

/** Types of frames, RFC 9113 6. */
export const TYPE = {
  DATA: 0, HEADERS: 1, PRIORITY: 2, RST_STREAM: 3, SETTINGS: 4, PUSH_PROMISE: 5, PING: 6, GOAWAY: 7,
  WINDOW_UPDATE: 8, CONTINUATION: 9,
} as const;

/** Flags of frames; ACK is that of SETTINGS and PING. */
export const FLAG = { ACK: 0x1, END_STREAM: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

const HEAD_BYTES = 9;

/** One frame. `length` says something else than the payload has. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
  length: number = payload.length,
): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

/** What each client begins with. */
export const MAGIC = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const PREFACE = Buffer.concat([MAGIC, frame(TYPE.SETTINGS, 0, 0)]);

/** 32 bits, as many frames have them. */
export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** A field that is not indexed, RFC 7541 6.2.2. */
export function literal(name: string, value: string): Buffer {
  const part = (text: string): Buffer[] => [Buffer.from([text.length]), Buffer.from(text, 'latin1')];
  return Buffer.concat([Buffer.from([0]), ...part(name), ...part(value)]);
}

/** Method, scheme, path of a GET and of a POST as the static table has them, RFC 7541 A. */
export const STATIC = { GET: 0x82, POST: 0x83, PATH: 0x84, HTTP: 0x86, HTTPS: 0x87 } as const;
export const AUTHORITY = Buffer.concat([Buffer.from([0x01, 9]), Buffer.from('shop.test')]);
/** Fields of `GET https://shop.test/`. */
export const GET = Buffer.concat([Buffer.from([STATIC.GET, STATIC.HTTPS, STATIC.PATH]), AUTHORITY]);
/** Fields of a POST there. */
export const POST = Buffer.concat([Buffer.from([STATIC.POST, STATIC.HTTPS, STATIC.PATH]), AUTHORITY]);

/** A frame that came. */
export interface CameFrame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

/** A client on plain TCP. */
export class RawHttp2 {
  readonly socket: net.Socket;
  readonly frames = new Inbox<CameFrame>();
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(port: number) {
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < end) return;
      const [type, flags] = [this.#bytes[3]!, this.#bytes[4]!];
      const stream = this.#bytes.readUInt32BE(5) & 0x7fffffff;
      this.frames.push({ type, flags, stream, payload: this.#bytes.subarray(HEAD_BYTES, end) });
      this.#bytes = this.#bytes.subarray(end);
    }
  }

  /** Resolves when the bytes are with the system; false once the connection is closed. */
  write(bytes: Buffer): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.socket.destroyed || this.socket.writableEnded) resolve(false);
      else this.socket.write(bytes, () => setImmediate(() => resolve(!this.socket.destroyed)));
    });
  }
}

const ORIGIN = 'http://127.0.0.1:0';
const STATE: TlsState = {
  handshake: { minVersion: 'TLSv1.2', ciphers: '', curves: '', http2: true },
  certificates: [], clientTrust: {}, cleartextHttp2: [ORIGIN], ticketKeys: '',
};

/** A front that takes HTTP/2 with prior knowledge, and clients for it. */
export async function withRawHttp2(
  body: (front: TestFront, connect: () => RawHttp2) => Promise<void>,
  limits: Partial<FrontLimits> = {},
): Promise<void> {
  await withFront({ limits }, async (front) => {
    front.front.tls(STATE);
    const clients: RawHttp2[] = [];
    const connect = (): RawHttp2 => {
      const client = new RawHttp2(front.port);
      clients.push(client);
      return client;
    };
    try {
      await body(front, connect);
    } finally {
      for (const client of clients) client.socket.destroy();
    }
  });
}
