// Writes an answer to an HTTP/2 stream: the same parts that AnswerWriter makes HTTP/1.1 of. Collected during a
// turn of the event loop, so that a small answer is two frames and one write.

import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { assert } from '../base/assert.ts';
import type { Answer } from '../wire/front-messages.ts';
import type { AnswerOutput, AnswerState } from './answer-writer.ts';
import { addedAnew, withAdded } from './added-fields.ts';
import { isBodiless } from './body-length.ts';
import { hitParts, type CacheHit } from './cache-answer.ts';
import { keep, type KeptBytes } from './lent-reads.ts';
import { areSafeFields } from './response-head.ts';
import type { ResponseHead } from './response-reader.ts';

/** Fields of the HTTP/1.1 handshake and connection, which a stream does not have: RFC 9113 8.2.2, RFC 8441 5. */
const DROPPED = new Set([
  'connection', 'upgrade', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'http2-settings',
  'sec-websocket-accept',
]);

/** Fields that a message has once: node refuses two; the first counts. */
const SINGLE = new Set([
  'access-control-allow-credentials', 'access-control-max-age', 'age', 'alt-svc', 'content-encoding',
  'content-language', 'content-length', 'content-location', 'content-md5', 'content-range', 'content-type', 'date',
  'etag', 'expires', 'last-modified', 'location', 'retry-after', 'server', 'x-content-type-options',
]);

/**
 * A large kept body is handed over in pieces of this size: nghttp2 counts what it has against the memory of the
 * whole connection, and refuses further requests when that is used up.
 */
const PIECE_BYTES = 32_768;
const NOTHING = Buffer.alloc(0);

/** Node sends no higher one over HTTP/2. */
const STATUS_MAX = 599;

function headersOf(fields: readonly string[]): OutgoingHttpHeaders {
  const headers = Object.create(null) as Record<string, string | string[]>;
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index]!.toLowerCase();
    const value = fields[index + 1]!;
    if (DROPPED.has(name)) continue;
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (SINGLE.has(name)) continue;
    else if (typeof before === 'string') headers[name] = [before, value];
    else before.push(value);
  }
  return headers;
}

/** The outgoing half of one stream after the other; `start` begins each. */
export class Http2Answer implements AnswerOutput {
  #stream: ServerHttp2Stream | null = null;
  #state: AnswerState = 'none';
  #method = 'GET';
  #hasContinued = false;
  #added: readonly string[] = [];
  #head: OutgoingHttpHeaders | null = null;
  #mayHaveTrailers = false;
  #chunks: KeptBytes[] = [];
  /** What follows the chunks as the client takes them: the rest of a kept body. */
  #rest: Buffer = NOTHING;
  #trailers: string[] = [];
  #isEnding = false;
  #isSent = false;
  #written = 0;

  /** The stream of the next answer. */
  attach(stream: ServerHttp2Stream): void {
    this.#stream = stream;
    this.#isSent = false;
    this.#isEnding = false;
    this.#head = null;
    this.#drop();
    this.#trailers = [];
    this.#written = 0;
  }

  get state(): AnswerState {
    return this.#state;
  }

  get hasContinued(): boolean {
    return this.#hasContinued;
  }

  /** A reset tells a client that an answer is not whole. */
  get isDelimited(): boolean {
    return true;
  }

  /** The client has to take bytes before more is worth making. */
  get isStalled(): boolean {
    return this.#stream?.writableNeedDrain === true;
  }

  /** Bytes wait for the client. */
  get hasUnsent(): boolean {
    return (this.#stream?.writableLength ?? 0) > 0 || this.#rest.length > 0;
  }

  /** Changes whenever the client takes bytes. */
  get sendProgress(): number {
    return this.#written - (this.#stream?.writableLength ?? 0);
  }

  start(method: string): void {
    this.#state = 'none';
    this.#method = method;
    this.#hasContinued = false;
    this.#added = [];
  }

  addFields(fields: readonly string[]): void {
    assert(areSafeFields(fields), 'the front adds safe fields');
    if (fields.length > 0) this.#added = addedAnew(this.#added, fields);
  }

  informational(head: ResponseHead): void {
    if (head.status === 100) this.#hasContinued = true;
    const stream = this.#stream!;
    if (stream.destroyed || stream.headersSent) return;
    attempt(stream, () => stream.additionalHeaders({ ...headersOf(head.fields), ':status': head.status }));
  }

  head(head: ResponseHead): void {
    assert(this.#state === 'none', 'one final head an answer');
    this.#state = 'body';
    const headers = headersOf(this.#added.length === 0 ? head.fields : withAdded(head.fields, this.#added));
    // RFC 8441 4: what HTTP/1.1 says with 101 is any success here.
    headers[':status'] = head.upgraded ? 200 : Math.min(head.status, STATUS_MAX);
    this.#head = headers;
    this.#mayHaveTrailers = head.body.kind === 'chunked';
  }

  data(slice: Buffer): void {
    if (slice.length > 0) this.#chunks.push(keep(slice));
  }

  whole(head: ResponseHead, body: string): void {
    this.head(head);
    this.data(Buffer.from(body, 'latin1'));
    this.end([]);
  }

  end(trailers: string[]): void {
    this.#state = 'ended';
    this.#isEnding = true;
    this.#trailers = trailers;
  }

  answer(answer: Answer): void {
    const { status } = answer;
    const fields = answer.fields.filter((_, index) => fieldName(answer.fields, index) !== 'content-length');
    const body = Buffer.from(answer.body);
    if (status !== 204 && status !== 304) fields.push('content-length', String(body.length));
    assert(areSafeFields(fields), 'the fields of our own answers are safe');
    this.head({ status, reason: '', fields, body: { kind: 'none' }, closes: false, upgraded: false });
    if (!isBodiless(status, this.#method)) this.data(body);
    this.end([]);
  }

  kept(hit: CacheHit): void {
    const { fields, body } = hitParts(hit);
    this.head({ status: hit.status, reason: '', fields, body: { kind: 'none' }, closes: false, upgraded: false });
    this.data(body.subarray(0, PIECE_BYTES));
    this.#rest = body.subarray(PIECE_BYTES);
    this.end([]);
  }

  /** A stream that is reset says so itself. */
  probe(): boolean {
    return false;
  }

  /** Bytes of a tunnel. */
  bytes(slice: Buffer): void {
    this.data(slice);
  }

  /** Writes what was collected. */
  flush(): void {
    const stream = this.#stream;
    if (stream === null || stream.destroyed || stream.closed) {
      this.#drop();
      return;
    }
    if (this.#head !== null) this.#sendHead(stream);
    if (stream.destroyed) return this.#drop();
    const chunks = this.#chunks;
    this.#chunks = [];
    for (const [index, { bytes, release }] of chunks.entries()) {
      this.#written += bytes.length;
      const isLast = this.#isEnding && this.#rest.length === 0 && index === chunks.length - 1;
      if (isLast) this.#sendEnd(stream, bytes, release);
      else stream.write(bytes, release ?? undefined);
    }
    if (this.#rest.length > 0) this.#sendRest(stream);
    else if (this.#isEnding && !this.#isSent) this.#sendEnd(stream);
  }

  #drop(): void {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#rest = NOTHING;
    for (const { release } of chunks) release?.();
  }

  /** The client took bytes. */
  drained(stream: ServerHttp2Stream): void {
    this.#sendRest(stream);
  }

  #sendRest(stream: ServerHttp2Stream): void {
    if (stream !== this.#stream || this.#head !== null || this.#chunks.length > 0) return;
    while (this.#rest.length > 0 && !stream.writableNeedDrain && !stream.destroyed) {
      const piece = this.#rest.subarray(0, PIECE_BYTES);
      this.#rest = this.#rest.subarray(PIECE_BYTES);
      this.#written += piece.length;
      if (this.#rest.length === 0) this.#sendEnd(stream, piece);
      else stream.write(piece);
    }
  }

  #sendHead(stream: ServerHttp2Stream): void {
    const headers = this.#head!;
    this.#head = null;
    const isEmpty = this.#isEnding && this.#chunks.length === 0 && this.#trailers.length === 0;
    const waitForTrailers = this.#isEnding ? this.#trailers.length > 0 : this.#mayHaveTrailers;
    if (waitForTrailers) stream.on('wantTrailers', () => this.#sendTrailers(stream));
    attempt(stream, () => stream.respond(headers, isEmpty ? { endStream: true } : { waitForTrailers }));
    if (isEmpty) this.#isSent = true;
  }

  #sendEnd(stream: ServerHttp2Stream, chunk: Buffer = NOTHING, release: (() => void) | null = null): void {
    this.#isSent = true;
    if (stream.writableEnded) release?.();
    else if (chunk.length === 0) stream.end();
    else stream.end(chunk, release ?? undefined);
  }

  #sendTrailers(stream: ServerHttp2Stream): void {
    if (this.#stream !== stream || stream.destroyed) return;
    if (this.#trailers.length === 0) stream.close();
    else attempt(stream, () => stream.sendTrailers(headersOf(this.#trailers)));
  }
}

/** Node judges fields by rules of its own, which differ from version to version: what it refuses is a reset. */
function attempt(stream: ServerHttp2Stream, send: () => void): void {
  try {
    send();
  } catch (error) {
    stream.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

function fieldName(fields: readonly string[], index: number): string {
  return fields[index - (index % 2)]!.toLowerCase();
}
