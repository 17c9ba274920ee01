// Frames of HTTP/2 by chance, against a whole front: valid ones, valid ones with bytes changed, and nonsense, on
// many connections. The front, a process of its own, must serve others as ever, keep no request and no memory.
//   node src/http/http2-frames.fuzz.ts [--seed 1] [--seconds 10]
// Prints its seed and what was done; ends with 1 when the front fails.

import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import * as http2 from 'node:http2';
import {
  FLAG, frame, GET, literal, POST, PREFACE, RawHttp2, TYPE, word,
} from './http2.test.support.ts';
import { startFrontProcess, type FrontLook, type FrontProcess } from './front-process.test.support.ts';

const FRAMES_MAX = 30;
/** A look at the front after so many connections. */
const LOOK_EVERY = 200;
const TRIES_MAX = 200;
const PASS_MS = 10_000;
/** From here on the front has to keep its size: the engine has compiled what it will. */
const WARM_CONNECTIONS = 2000;
const SAY_EVERY = 10_000;
/** What is alive in the front, and what the system gave it. */
const HELD_BYTES_MAX = 2_000_000;
const GROWTH_BYTES_MAX = 30_000_000;

/** Numbers that a seed gives again: mulberry32. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** From 0 to below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * limit);
  }

  once(times: number): boolean {
    return this.below(times) === 0;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  bytes(max: number): Buffer {
    return Buffer.from(Array.from({ length: this.below(max) }, () => this.below(256)));
  }
}

/** A frame that means something most of the time. */
function likely(random: Random, nextStream: () => number): Buffer {
  const stream = random.once(3) ? random.below(40) : nextStream();
  const extra = random.once(3) ? literal(random.of(['x', 'cookie', 'te', 'expect', ':path', 'host']), 'y') : '';
  const head = Buffer.concat([random.of([GET, POST]), Buffer.from(extra)]);
  switch (random.below(9)) {
    case 0:
      return frame(TYPE.HEADERS, random.of([FLAG.END_HEADERS, 0x5, 0, 0x2d]), stream, head);
    case 1:
      return frame(TYPE.DATA, random.of([0, 0x1, 0x8]), stream, random.bytes(200));
    case 2:
      return frame(TYPE.RST_STREAM, 0, stream, word(random.below(14)));
    case 3:
      return frame(TYPE.SETTINGS, random.below(2), 0, random.once(2) ? Buffer.alloc(0)
        : Buffer.concat([Buffer.from([0, random.below(10)]), word(random.of([0, 1, 65_535, 0x7fffffff, 16_384]))]));
    case 4:
      return frame(TYPE.PING, random.below(2), 0, Buffer.alloc(8));
    case 5:
      return frame(TYPE.WINDOW_UPDATE, 0, random.of([0, stream]), word(random.of([1, 65_535, 0x7fffffff])));
    case 6:
      return frame(TYPE.CONTINUATION, random.of([0, FLAG.END_HEADERS]), stream, random.of([head, Buffer.alloc(0)]));
    case 7:
      return frame(TYPE.PRIORITY, 0, stream, Buffer.concat([word(random.below(40)), Buffer.from([7])]));
    default:
      return frame(TYPE.GOAWAY, 0, 0, Buffer.concat([word(stream), word(random.below(14))]));
  }
}

async function oneClient(random: Random, client: RawHttp2): Promise<number> {
  let stream = -1;
  const nextStream = (): number => (stream += 2);
  let frames = 0;
  await client.write(random.once(40) ? random.bytes(60) : PREFACE);
  for (let count = random.below(FRAMES_MAX) + 1; count > 0; count--) {
    const bytes = random.once(8)
      ? frame(random.below(12), random.below(256), random.below(8), random.bytes(60))
      : likely(random, nextStream);
    if (random.once(10)) bytes[random.below(bytes.length)] = random.below(256);
    // Now and then only a part of it.
    frames += 1;
    if (!(await client.write(random.once(30) ? bytes.subarray(0, random.below(bytes.length)) : bytes))) break;
  }
  // So that some of it is served and answered before the client goes.
  for (let turns = random.below(12); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
  client.socket.destroy();
  await client.closed;
  return frames;
}

/** nghttp2 does not say that it gave a connection up: the front's timeouts end it. */
async function untilEmpty(front: FrontProcess): Promise<FrontLook> {
  for (let tries = 0; ; tries++) {
    const found = await front.look(tries === 0 ? 0 : PASS_MS);
    if (found.connections === 0) return found;
    assert.ok(tries < TRIES_MAX, `${found.connections} connections are left`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Another client is served, and nothing of those before is left. */
async function look(front: FrontProcess): Promise<FrontLook> {
  const session = http2.connect(`http://127.0.0.1:${front.port}`);
  const stream = session.request({ ':path': '/well' });
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  assert.equal(text, '/well');
  session.destroy();
  return await untilEmpty(front);
}

function megabytes({ rssBytes, heapBytes, externalBytes }: FrontLook): string {
  return [rssBytes, heapBytes, externalBytes].map((bytes) => (bytes / 1e6).toFixed(1)).join(' / ');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      seconds: { type: 'string', default: '10' },
    },
  });
  const random = new Random(Number(values.seed));
  console.log(`seed ${values.seed}; MB resident / in the heap / outside it`);
  let [connections, frames] = [0, 0];
  const front = await startFrontProcess({ http2NuisancesMax: 50 });
  try {
    const endMs = performance.now() + Number(values.seconds) * 1000;
    let [before, now] = [await look(front), await look(front)];
    while (performance.now() < endMs) {
      frames += await oneClient(random, new RawHttp2(front.port));
      connections += 1;
      if (connections % LOOK_EVERY !== 0) continue;
      now = await look(front);
      if (connections === WARM_CONNECTIONS) before = now;
      if (connections % SAY_EVERY === 0) console.log(`${connections} connections: ${megabytes(now)}`);
    }
    now = await look(front);
    const heldBytes = now.heapBytes - before.heapBytes + now.externalBytes - before.externalBytes;
    const grownBytes = now.rssBytes - before.rssBytes;
    console.log(JSON.stringify({
      connections, frames, requests: now.requests, heldKb: Math.round(heldBytes / 1e3),
      grownMb: Math.round(grownBytes / 1e6), sockets: now.sockets,
    }));
    assert.ok(heldBytes < HELD_BYTES_MAX, `the front holds ${heldBytes} bytes more`);
    assert.ok(grownBytes < GROWTH_BYTES_MAX, `the front grew by ${grownBytes} bytes`);
  } finally {
    await front.stop();
  }
}

await main();
