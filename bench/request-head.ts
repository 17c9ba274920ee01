// The parser of request heads by itself: what curl sends, and what a browser sends.

import { FRONT_LIMITS } from '../src/base/limits.ts';
import { defaultsOf } from '../src/base/setting.ts';
import { RequestHeadParser } from '../src/http/request-head.ts';
import { markdownTable, median, type Benchmark } from './measure.ts';

const HEADS = 200_000;
/** Heads that arrive in one piece, as pipelined requests do. */
const BATCH = 16;

const SAMPLES: Record<string, string> = {
  curl: 'GET / HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n',
  browser: [
    'GET /shop/items?page=2&sort=price HTTP/1.1',
    'Host: localhost:8080',
    'Connection: keep-alive',
    'Cache-Control: max-age=0',
    'Upgrade-Insecure-Requests: 1',
    `User-Agent: Mozilla/5.0 (X11; Linux x86_64) ${'x'.repeat(64)}`,
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'Sec-Fetch-Site: same-origin',
    'Sec-Fetch-Mode: navigate',
    'Sec-Fetch-User: ?1',
    'Sec-Fetch-Dest: document',
    'Referer: http://localhost:8080/shop/',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
    `Cookie: session=${'0123456789abcdef'.repeat(8)}`,
    '\r\n',
  ].join('\r\n'),
};

function headsPerSecond(text: string): number {
  const parser = new RequestHeadParser(defaultsOf(FRONT_LIMITS));
  const buffer = Buffer.from(text.repeat(BATCH), 'latin1');
  const startMs = performance.now();
  for (let count = 0; count < HEADS; count += BATCH) {
    for (let start = 0; start < buffer.length; ) {
      const result = parser.parse(buffer, start, buffer.length);
      if (result.kind !== 'head') throw new Error(`a sound head is "${result.kind}"`);
      start += result.bytes;
    }
  }
  return HEADS / ((performance.now() - startMs) / 1000);
}

/** Medians of the rounds; the first is for the compiler. */
export const benchRequestHead: Benchmark = async ({ rounds }) => {
  const rows = Object.entries(SAMPLES).map(([name, text]) => {
    const rates = Array.from({ length: rounds + 1 }, () => headsPerSecond(text)).slice(1);
    const rate = median(rates);
    const each = `${(1e6 / rate).toFixed(2)} µs`;
    return [name, String(text.length), `${(rate / 1e6).toFixed(2)} million/s`, each];
  });
  return markdownTable(['head of', 'bytes', 'median', 'each'], rows);
};
