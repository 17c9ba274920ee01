// Bytes that flow: a clock over server-sent events, a large download, an upload that is counted and hashed.
// Nothing is collected: memory stays flat however much goes through.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { readFileSync } from 'node:fs';

const base = process.env.SLIPSTREAM_BASE_PATH ?? '';
const page = readFileSync(new URL('page.html', import.meta.url));
const BLOCK_BYTES = 65_536;
const MEGABYTES_MAX = 10_000;

function sendClock(response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const tick = () => response.write(`data: ${new Date().toISOString()}\n\n`);
  tick();
  const timer = setInterval(tick, 1000);
  response.on('close', () => clearInterval(timer));
}

/** Block n is filled with the byte n mod 256: a receiver can check every byte. */
function* blocks(bytes) {
  for (let sent = 0, value = 0; sent < bytes; sent += BLOCK_BYTES, value = (value + 1) % 256) {
    yield Buffer.alloc(Math.min(BLOCK_BYTES, bytes - sent), value);
  }
}

async function sendDownload(query, response) {
  const megabytes = Number(query.get('megabytes') ?? 100);
  if (!Number.isInteger(megabytes) || megabytes < 1 || megabytes > MEGABYTES_MAX) {
    response.writeHead(400).end(`megabytes: a whole number from 1 to ${MEGABYTES_MAX}\n`);
    return;
  }
  const bytes = megabytes * 1_000_000;
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': bytes,
    'Content-Disposition': `attachment; filename="${megabytes}-megabytes.bin"`,
  });
  await pipeline(Readable.from(blocks(bytes)), response);
}

async function takeUpload(request, response) {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ bytes, sha256: hash.digest('hex') }));
}

async function answer(request, response) {
  const url = new URL(request.url, 'http://localhost');
  switch (`${request.method} ${url.pathname.slice(base.length)}`) {
    case 'GET /clock':
      return sendClock(response);
    case 'GET /download':
      return sendDownload(url.searchParams, response);
    case 'POST /upload':
      return takeUpload(request, response);
    case 'GET /memory':
      return response.end(`${process.memoryUsage.rss()}\n`);
    default:
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      return response.end(page);
  }
}

const server = createServer((request, response) => {
  // A client that goes away in the middle is no failure of the server.
  answer(request, response).catch((error) => response.destroy(error));
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`streaming: http://localhost:${server.address().port}${base}/`);
});
