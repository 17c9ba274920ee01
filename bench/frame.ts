// The codec of frames by itself: small requests and 64 kB pieces, written and read again.

import { FrameReader, FrameWriter } from '../src/wire/frame.ts';
import { decodeRequest, encodeRequest, LINK, type LinkRequest } from '../src/wire/link-messages.ts';
import { markdownTable, median, type Benchmark } from './measure.ts';

const REQUESTS = 200_000;
const PIECES = 20_000;
const BATCH = 64;

const REQUEST: LinkRequest = {
  version: 11,
  method: 'GET',
  target: '/shop/items?page=2',
  fields: ['Host', 'localhost:8080', 'User-Agent', 'bench', 'Accept', '*/*', 'Cookie', 'session=0123456789'],
  ended: true,
  upgrade: false,
  local: true,
};

/** A writer whose bytes go straight into a reader. */
function pair(onFrame: ConstructorParameters<typeof FrameReader>[0]): FrameWriter {
  const reader = new FrameReader(onFrame);
  return new FrameWriter({
    cork: () => {},
    uncork: () => {},
    write: (chunk) => {
      reader.push(chunk);
      return true;
    },
  });
}

function requestsPerSecond(): number {
  let read = 0;
  const writer = pair((type, channel, buffer, start, end) => {
    if (type === LINK.REQUEST) read += decodeRequest(buffer, start, end).fields.length > 0 ? 1 : channel;
  });
  const startMs = performance.now();
  for (let count = 0; count < REQUESTS; count++) {
    encodeRequest(writer, count, REQUEST);
    if (count % BATCH === BATCH - 1) writer.flush();
  }
  writer.flush();
  if (read !== REQUESTS) throw new Error(`${read} of ${REQUESTS} requests were read`);
  return REQUESTS / ((performance.now() - startMs) / 1000);
}

function megabytesPerSecond(): number {
  const piece = Buffer.alloc(65_536, 'x');
  let read = 0;
  const writer = pair((_type, _channel, _buffer, start, end) => (read += end - start));
  const startMs = performance.now();
  for (let count = 0; count < PIECES; count++) {
    writer.bytes(LINK.DATA, 1, piece);
    writer.flush();
  }
  const bytes = PIECES * piece.length;
  if (read !== bytes) throw new Error(`${read} of ${bytes} bytes were read`);
  return bytes / 1000 / (performance.now() - startMs);
}

/** Medians of the rounds; the first is for the compiler. */
export const benchFrame: Benchmark = async ({ rounds }) => {
  const requests = Array.from({ length: rounds + 1 }, requestsPerSecond).slice(1);
  const megabytes = Array.from({ length: rounds + 1 }, megabytesPerSecond).slice(1);
  return markdownTable(
    ['frames', 'median'],
    [
      ['requests written and read', `${(median(requests) / 1e6).toFixed(2)} million/s`],
      ['64 kB pieces written and read', `${median(megabytes).toFixed(0)} MB/s`],
    ],
  );
};
