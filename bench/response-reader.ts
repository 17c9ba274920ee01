// The reader of responses by itself: what node writes for a small answer, and for one in chunks.

import { ResponseReader, type ResponseSink } from '../src/http/response-reader.ts';
import { markdownTable, median, type Benchmark } from './measure.ts';

const RESPONSES = 200_000;

const HEAD = [
  'HTTP/1.1 200 OK',
  'Content-Type: text/plain',
  'Date: Sat, 21 Nov 2026 04:00:00 GMT',
  'Connection: keep-alive',
  'Keep-Alive: timeout=5',
].join('\r\n');

const LENGTH = `${HEAD}\r\nContent-Length: 13\r\n`;

/** The texts take turns. */
const SAMPLES: Record<string, string[]> = {
  'a length': [`${LENGTH}\r\nHello, World!`],
  'a length, and a head unlike the one before': [1, 2].map((id) => `${LENGTH}X-Id: ${id}\r\n\r\nHello, World!`),
  chunks: [`${HEAD}\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nHello, World!\r\n0\r\n\r\n`],
};

/** Counts bytes of bodies, so that nothing can be left out. */
class CountingSink implements ResponseSink {
  readonly takesWhole = true;
  bytes = 0;

  informational(): void {}

  head(): void {}

  data(slice: Buffer): void {
    this.bytes += slice.length;
  }

  end(): void {}

  whole(_head: unknown, body: string): void {
    this.bytes += body.length;
  }
}

function responsesPerSecond(texts: readonly string[]): number {
  const sink = new CountingSink();
  const reader = new ResponseReader(sink);
  const samples = texts.map((text) => Buffer.from(text, 'latin1'));
  const startMs = performance.now();
  for (let count = 0; count < RESPONSES; count++) {
    reader.start('GET');
    if (reader.push(samples[count % samples.length]!) !== 'ended') throw new Error('a sound response does not end');
  }
  if (sink.bytes !== RESPONSES * 13) throw new Error(`${sink.bytes} bytes of bodies`);
  return RESPONSES / ((performance.now() - startMs) / 1000);
}

/** Medians of the rounds; the first is for the compiler. */
export const benchResponseReader: Benchmark = async ({ rounds }) => {
  const rows = Object.entries(SAMPLES).map(([name, texts]) => {
    const rate = median(Array.from({ length: rounds + 1 }, () => responsesPerSecond(texts)).slice(1));
    return [name, String(texts[0]!.length), `${(rate / 1e6).toFixed(2)} million/s`, `${(1e6 / rate).toFixed(2)} µs`];
  });
  return markdownTable(['response with', 'bytes', 'median', 'each'], rows);
};
