// Large bodies of many exchanges on one link, to clients that take them at once, late or never: every byte is the
// right one, whatever buffers they went through, and who takes nothing holds nobody up and costs little.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import type { Readable } from 'node:stream';
import { residentMb } from '../bench/contender.ts';
import { startHost, type RunningHost } from './host-fixture.ts';
import { made } from './made-certificates.ts';

const BODY_BYTES = 3_000_000;

/** Bytes that differ from one seed to the next; pieces of sizes that fit no frame and no buffer. */
const PATTERN = `
function pattern(seed, bytes) {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let index = 0, value = seed + 1; index < words.length; index++) {
    value = Math.imul(value, 1664525) + 1013904223 | 0;
    words[index] = value;
  }
  return Buffer.from(words.buffer, 0, bytes);
}
`;

const PROGRAM = `${PATTERN}
const { createHash } = require('node:crypto');
require('node:http').createServer((request, response) => {
  if (request.method === 'POST') {
    const hash = createHash('sha1');
    request.on('data', (chunk) => hash.update(chunk)).on('end', () => response.end(hash.digest('hex')));
    return;
  }
  const [, seed, isChunked] = /(\\d+)(c?)$/.exec(request.url);
  const body = pattern(Number(seed), ${BODY_BYTES});
  if (!isChunked) response.setHeader('Content-Length', body.length);
  const sizes = [1, 100, 5000, 17000, 65536, 90001, 300000];
  let at = 0;
  let step = Number(seed);
  const more = () => {
    while (at < body.length) {
      const piece = body.subarray(at, at + sizes[step++ % sizes.length]);
      at += piece.length;
      if (!response.write(piece)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}).listen(process.env.PORT);
`;

const makePattern = new Function(`${PATTERN}; return pattern;`)() as (seed: number, bytes: number) => Buffer;

interface Download {
  seed: number;
  body: Readable;
  stop(): void;
}

type Way = (seed: number) => Promise<Download>;

function sha1(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('hex');
}

async function overHttp1(url: string, seed: number): Promise<Download> {
  const options = { agent: false, rejectUnauthorized: false };
  const sent = (url.startsWith('https') ? https : http).get(`${url}app/${seed}${seed % 2 === 0 ? 'c' : ''}`, options);
  const [body] = (await once(sent, 'response')) as [http.IncomingMessage];
  // Taken late or not at all, it may be cut.
  sent.on('error', () => {});
  return { seed, body, stop: () => sent.destroy() };
}

async function overHttp2(session: http2.ClientHttp2Session, seed: number): Promise<Download> {
  const body = session.request({ ':path': `/app/${seed}${seed % 2 === 0 ? 'c' : ''}` });
  await once(body, 'response');
  return { seed, body, stop: () => body.close(http2.constants.NGHTTP2_CANCEL) };
}

async function expectWhole({ seed, body }: Download): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  const got = Buffer.concat(chunks);
  assert.equal(got.length, BODY_BYTES);
  assert.equal(sha1(got), sha1(makePattern(seed, BODY_BYTES)), `body ${seed}`);
}

/** Both origins of a host with the program, each with a slash. */
async function start(): Promise<{ host: RunningHost; plain: string; secure: string }> {
  const pair = made('localhost', { names: ['localhost', '127.0.0.1'] });
  const host = await startHost({
    files: {
      'app/server.js': PROGRAM, 'both.pem': pair.cert + pair.key,
      'slip.yml': 'tls:\n  certificates: [{ cert: both.pem }]\n',
    },
    config: 'slip.yml',
    args: ['--listen', 'http://127.0.0.1:0', '--listen', 'https://127.0.0.1:0'],
  });
  const secure = /https:\S+/.exec(await host.line(/ready on .*https/))![0];
  return { host, plain: host.url, secure };
}

test('large bodies arrive as they were sent, beside clients that take theirs late or never', async () => {
  const { host, plain, secure } = await start();
  const session = http2.connect(secure, { rejectUnauthorized: false });
  const ways: Way[] = [
    (seed) => overHttp1(plain, seed), (seed) => overHttp1(secure, seed), (seed) => overHttp2(session, seed),
  ];
  try {
    let seed = 0;
    const open = (count: number): Promise<Download[]> =>
      Promise.all(Array.from({ length: count }, () => ways[seed % ways.length]!(seed++)));
    await Promise.all((await open(6)).map(expectWhole));
    const front = host.processes().find(({ role }) => role === 'front')!.pid;
    const before = residentMb(front);
    // Nobody reads these: what the front has of them stands in buffers that others could be read into.
    const [late, never] = [await open(18), await open(18)];
    for (let round = 0; round < 3; round++) await Promise.all((await open(6)).map(expectWhole));
    // Windows of 36 exchanges, what the sockets and TLS hold, and what the collector has not seen.
    assert.ok(residentMb(front) - before < 60, `${residentMb(front) - before} MB more`);
    for (const download of never) download.stop();
    await Promise.all(late.map(expectWhole));
    await Promise.all((await open(6)).map(expectWhole));
  } finally {
    session.destroy();
    await host.stop();
  }
});

test('large uploads arrive as they were sent', async () => {
  const { host, plain, secure } = await start();
  const session = http2.connect(secure, { rejectUnauthorized: false });
  const send = (sent: http.ClientRequest | http2.ClientHttp2Stream, bytes: Buffer): void => {
    for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 3) % 200_003) {
      sent.write(bytes.subarray(at, at + step));
    }
    sent.end();
  };
  const textOf = async (body: Readable): Promise<string> => {
    let text = '';
    for await (const chunk of body) text += String(chunk);
    return text;
  };
  try {
    await Promise.all(Array.from({ length: 9 }, async (_, seed) => {
      const bytes = makePattern(seed, BODY_BYTES);
      if (seed % 3 === 2) {
        const stream = session.request({ ':path': '/app/', ':method': 'POST' });
        send(stream, bytes);
        assert.equal(await textOf(stream), sha1(bytes));
        return;
      }
      const [module, url] = seed % 3 === 0 ? [http, plain] as const : [https, secure] as const;
      const sent = module.request(`${url}app/`, { method: 'POST', agent: false, rejectUnauthorized: false });
      send(sent, bytes);
      const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
      assert.equal(await textOf(response), sha1(bytes));
    }));
  } finally {
    session.destroy();
    await host.stop();
  }
});
