// Differential fuzzing of requests against node's own parser: what we accept, node must accept too and
// understand the same way: method, target, fields, body, trailers, and where the request ends.
//   node src/http/request-head.fuzz.ts [--seed 1] [--seconds 10]
// Prints its seed; ends with 1 and the bytes of the case on the first difference.

import { METHODS, createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { duplexPair } from 'node:stream';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { ChunkedDecoder } from './chunked.ts';
import { listElements } from './field-lines.ts';
import { RequestHeadParser } from './request-head.ts';

/** A request as one of the two readers understood it. */
interface Understood {
  method: string;
  target: string;
  /** Without those of the connection, which we remove. */
  fields: string[];
  body: string;
  trailers: string[];
}

const LIMITS = { targetBytesMax: 16_384, headBytesMax: 65_536, headFieldsMax: 200 };
const CASE_TIMEOUT_MS = 5000;

/** A small generator of repeatable numbers: mulberry32. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * limit);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

/** What is usual, and what is not. Odd ones are rare, or nothing would be accepted. */
interface Choices {
  usual: readonly string[];
  odd: readonly string[];
}

const METHOD_CHOICES: Choices = {
  usual: ['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'M-SEARCH'],
  odd: ['CONNECT', 'get', 'FOO', 'G T', ''],
};
const TARGETS: Choices = {
  usual: [
    '/', '/a', '/a/b?c=d', '/%2e%2e/x', '//x', '/"<>', '/\\x', '/a?b?c', '/;a=b', 'http://a/', 'HTTP://A?b',
  ],
  odd: [
    '*', '/a b', '/a#b', 'http://b/', 'http://u@a/', 'a:443', '[::1]:1', 'x', '?q', '/\x80', '/\x7f',
    'http:a',
  ],
};
const VERSIONS: Choices = {
  usual: ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'],
  odd: ['HTTP/2.0', 'HTTP/0.9', 'HTTP/1.2', 'http/1.1', 'HTTP/1', '', 'ICE/1.0', 'RTSP/1.0'],
};
const HOSTS: Choices = { usual: ['a', 'A'], odd: ['a:80', 'a b', '', 'a, b', '[::1]:80', 'u@a'] };
const NAMES: Choices = {
  usual: [
    'X-A', 'x-b', 'Accept', 'Cookie', 'Connection', 'Keep-Alive', 'Proxy-Connection', 'TE', 'Upgrade',
    'Expect', 'Trailer', 'X_Y', 'HTTP2-Settings', 'Date', 'Referer', 'X-Forwarded-For', 'Content-Type',
    '!#$%&\'*+-.^_`|~',
  ],
  odd: [
    'Content-Length', 'Transfer-Encoding', 'Host', 'Content_Length', '__proto__', 'X Y', 'X ', '', 'X\xe9',
    'Transfer-Encoding ', ' X', '\tX', 'X\0',
  ],
};
const VALUES: Choices = {
  usual: [
    'a', '', 'a b', '  a \t', 'close', 'keep-alive', 'Upgrade', 'keep-alive, Upgrade', 'X-A, x-b',
    'websocket', 'h2c', 'chunked', '100-continue', 'trailers', 'a, b', '\xe9', '\x80\xff', '[::1]', '"q"',
    '5', 'timeout=5', ' \t ', 'a:8080', 'a\tb', '200-ok',
  ],
  odd: ['a\0b', 'a\x01', 'a\x7f', 'a\rb', 'a\nb', 'a\r\n b', 'a\r\n', '\x0b', '\x0c'],
};
const LENGTHS: Choices = {
  usual: ['5', '5', '005', ' 5 ', '\t5', '0'],
  odd: ['4', '6', '5,5', '0x5', '+5', '', '5 5', '99999999999999999999', '5\t\x0b'],
};
const CODINGS: Choices = {
  usual: ['chunked', 'CHUNKED', ' chunked\t'],
  odd: ['x', 'gzip, chunked', 'chunked, chunked', 'chunked;a', 'identity', '', 'chunked,', ',chunked'],
};
const EXTENSIONS: Choices = {
  usual: [
    '', '', '', ';a', ';a=b', ';a="b"', ';a="b\\"c;"', ';a;b=c', ';a="\t"', ';a="\xe9"',
    ';a=b;c="d";e',
  ],
  odd: [
    ';', ' ;a', ';a=', ';a=b c', ';=b', ';a="b', ' ', ';a\0',
    ';a="\x01"', ';a="\\', ';a "b"', '\n', ';a\n',
  ],
};
const BYTES = ['\0', '\t', '\n', '\r', ' ', '\r\n', ':', ',', ';', '"', '\x7f', '\x80', '\xff', 'A', '#'];

function pick(random: Random, choices: Choices): string {
  return random.of(random.once(16) ? choices.odd : choices.usual);
}

function makeChunks(random: Random): string {
  let body = '';
  for (let count = random.below(4); count > 0; count--) {
    const size = 1 + random.below(20);
    const digits = size.toString(16);
    const sent = random.once(8) ? digits.toUpperCase().padStart(random.below(16), '0') : digits;
    body += `${sent}${pick(random, EXTENSIONS)}\r\n${'x'.repeat(size)}\r\n`;
  }
  body += `${random.of(['0', '0', '0', '00', '0000000'])}${pick(random, EXTENSIONS)}\r\n`;
  while (random.once(4)) body += `${pick(random, NAMES)}: ${pick(random, VALUES)}\r\n`;
  return `${body}\r\n`;
}

/** One request, mostly well formed, with a body that fits what it says more often than not. */
function makeRequest(random: Random): string {
  const body = random.below(4);
  const method = pick(random, METHOD_CHOICES);
  const target = method === 'CONNECT' && !random.once(4) ? 'a:443' : pick(random, TARGETS);
  const fields: string[] = [];
  if (!random.once(12)) fields.push(`Host: ${pick(random, HOSTS)}`);
  if (body === 1) fields.push(`Content-Length: ${pick(random, LENGTHS)}`);
  if (body === 2) fields.push(`Transfer-Encoding: ${pick(random, CODINGS)}`);
  for (let count = random.below(5); count > 0; count--) {
    const field = `${pick(random, NAMES)}:${random.of([' ', '', '\t '])}${pick(random, VALUES)}`;
    fields.splice(random.below(fields.length + 1), 0, field);
  }
  let text = [`${method} ${target} ${pick(random, VERSIONS)}`, ...fields, '', ''].join('\r\n');
  if (random.once(20)) text = `\r\n${text}`;
  if (body === 1) text += 'hello';
  if (body === 2) text += makeChunks(random);
  return random.once(4) ? mutate(random, text) : text;
}

/** Changes, removes, repeats or adds a few bytes. */
function mutate(random: Random, text: string): string {
  let changed = text;
  for (let count = 1 + random.below(3); count > 0; count--) {
    const at = random.below(changed.length + 1);
    const length = random.below(3);
    const insert = random.once(3) ? changed.slice(at, at + random.below(12)) : random.of(BYTES);
    changed = changed.slice(0, at) + (random.once(4) ? '' : insert) + changed.slice(at + length);
  }
  return changed;
}

/** Ours: what was understood and how many bytes that took; null when refused or unfinished. */
function readHere(bytes: Buffer, step: number): { understood: Understood; bytes: number } | null {
  const parser = new RequestHeadParser(LIMITS);
  let result = parser.parse(bytes, 0, Math.min(step, bytes.length));
  for (let end = step * 2; result.kind === 'more' && end < bytes.length + step; end += step) {
    result = parser.parse(bytes, 0, Math.min(end, bytes.length));
  }
  if (result.kind !== 'head') return null;
  const { head } = result;
  const understood: Understood = {
    method: head.method,
    target: head.target,
    fields: endToEnd(head.fields, head.fields),
    body: '',
    trailers: [],
  };
  let at = result.bytes;
  if (head.body.kind === 'length') {
    if (bytes.length - at < head.body.length) return null;
    understood.body = bytes.toString('latin1', at, at + head.body.length);
    at += head.body.length;
  } else if (head.body.kind === 'chunked') {
    const decoder = new ChunkedDecoder((slice) => {
      understood.body += slice.toString('latin1');
    });
    for (;;) {
      if (at >= bytes.length) return null;
      const end = Math.min(bytes.length, at + step);
      const decoded = decoder.push(bytes, at, end);
      if (decoded.kind === 'bad') return null;
      at = decoded.kind === 'end' ? at + decoded.bytes : end;
      if (decoded.kind === 'more') continue;
      understood.trailers = decoded.trailers;
      break;
    }
  }
  return { understood, bytes: at };
}

/** Takes the fields of the connection out, written apart from the parser's own way of doing so. */
function endToEnd(fields: readonly string[], sent: readonly string[]): string[] {
  const dropped = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade']);
  for (let index = 0; index < sent.length; index += 2) {
    if (sent[index]!.toLowerCase() !== 'connection') continue;
    for (const name of listElements(sent[index + 1]!)) dropped.add(name);
  }
  return fields.filter((_, index) => !dropped.has(fields[index - (index % 2)]!.toLowerCase()));
}

/** Asks node's parser, through a server that is never bound to a port. */
class NodeReader {
  #server: Server;
  #seen: Understood[] = [];
  #refusal = '';
  #settle: () => void = () => {};

  constructor() {
    this.#server = createServer({ maxHeaderSize: 131_072, keepAliveTimeout: 0, requestTimeout: 0 });
    const take = (request: IncomingMessage, response?: ServerResponse) => this.#take(request, response);
    this.#server.on('request', take);
    this.#server.on('checkContinue', take);
    this.#server.on('checkExpectation', take);
    this.#server.on('connect', (request) => this.#take(request));
    this.#server.on('clientError', (error: NodeJS.ErrnoException) => {
      this.#refusal = error.code ?? error.message;
      this.#settle();
    });
  }

  #take(request: IncomingMessage, response?: ServerResponse): void {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString('latin1');
    });
    const finish = () => {
      const fields = endToEnd(request.rawHeaders, request.rawHeaders);
      const { method = '', url: target = '', rawTrailers: trailers } = request;
      this.#seen.push({ method, target, fields, body, trailers });
      response?.end();
      // Whatever else is in the bytes shows until the next turn.
      setImmediate(() => this.#settle());
    };
    if (response === undefined) finish();
    else request.on('end', finish);
  }

  /** The requests that node finds in exactly these bytes, or why it refuses them. */
  async read(bytes: Buffer): Promise<{ seen: Understood[]; refusal: string }> {
    this.#seen = [];
    this.#refusal = '';
    const [client, server] = duplexPair();
    const settled = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CASE_TIMEOUT_MS);
      this.#settle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    for (const side of [client, server]) side.on('error', () => this.#settle());
    client.resume();
    this.#server.emit('connection', server);
    client.end(bytes);
    await settled;
    client.destroy();
    server.destroy();
    return { seen: this.#seen, refusal: this.#refusal };
  }
}

/** What is wrong with one case, or ''. */
async function compare(reader: NodeReader, random: Random, bytes: Buffer): Promise<string> {
  const here = readHere(bytes, bytes.length);
  const split = readHere(bytes, 1 + random.below(7));
  if (!isDeepStrictEqual(here, split)) {
    return `whole ${JSON.stringify(here)}, in pieces ${JSON.stringify(split)}`;
  }
  // Node knows a list of methods; to us that is the app's business.
  if (here === null || !METHODS.includes(here.understood.method)) return '';
  const there = await reader.read(bytes.subarray(0, here.bytes));
  accepted += 1;
  if (there.refusal !== '') return `node refuses with ${there.refusal}: ${JSON.stringify(here.understood)}`;
  if (!isDeepStrictEqual(there.seen, [here.understood])) {
    return `here ${JSON.stringify(here.understood)}, node ${JSON.stringify(there.seen)}`;
  }
  return '';
}

let accepted = 0;

const { values } = parseArgs({ options: { seed: { type: 'string' }, seconds: { type: 'string' } } });
const seed = Number(values.seed ?? Math.floor(Math.random() * 4_294_967_296));
const endMs = performance.now() + Number(values.seconds ?? 10) * 1000;
console.log(`seed ${seed}, node ${process.version}`);
const random = new Random(seed);
const reader = new NodeReader();
let cases = 0;
while (performance.now() < endMs) {
  const text = makeRequest(random);
  cases += 1;
  const finding = await compare(reader, random, Buffer.from(text, 'latin1'));
  if (finding !== '') {
    console.error(`case ${cases}: ${JSON.stringify(text)}\n${finding}`);
    process.exit(1);
  }
}
console.log(`${cases} requests, ${accepted} of them accepted: no difference`);
process.exit(0);
