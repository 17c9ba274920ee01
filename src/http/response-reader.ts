// Reads what an app or an HTTP/1.1 backend wrote for one exchange: bytes -> informational heads, the final
// head, pieces of the body, end. Checks the framing and takes out what concerns only that connection.
//
//   idle ──start──▶ head ──1xx──▶ head
//                    │ final ──▶ length | chunked | close ──▶ ended
//                    │ no body ─────────────────────────────▶ ended
//                    │ 101, or 2xx to CONNECT ──▶ upgraded
//   any ──a byte too many, or wrong──▶ bad

import { assert } from '../base/assert.ts';
import { responseBody, type ResponseFraming } from './body-length.ts';
import { ChunkedDecoder } from './chunked.ts';
import {
  CR, FIELDS_MAX, FieldScanner, LF, VALUE_BYTES, hasName, isPlainLine, lineStart, listElements,
} from './field-lines.ts';
import { HeldBytes } from './held-bytes.ts';
import { ReceivedHead, fieldsOfLines, type HeadLines, type ResponseHead } from './received-head.ts';
import { SteeringFields, isClose, isKeepAlive, withoutFields } from './steering-fields.ts';

export type { ResponseHead } from './received-head.ts';

/** Largest head of a response. Larger: bad. */
export const RESPONSE_HEAD_BYTES_MAX = 262_144;
/** Most informational heads in front of a final one. More: bad. */
export const INFORMATIONAL_HEADS_MAX = 100;
/** Responses up to this size that come in one piece are handed over whole. */
const WHOLE_BYTES_MAX = 4096;

/** Gets the parts of a response in their order. Must not call the reader back. */
export interface ResponseSink {
  /** A head with a status below 200 other than 101. */
  informational(head: ResponseHead): void;
  /** The final head, once. */
  head(head: ResponseHead): void;
  /** A piece of the body: a view into the pushed chunk. */
  data(slice: Buffer): void;
  /** The response is whole. Never comes after an upgrade. */
  end(trailers: string[]): void;
  /** True while a small response may come by `whole` instead of `head`, `data` and `end`. Absent: never. */
  readonly takesWhole?: boolean;
  /** The final head, and all of the body in Latin-1. */
  whole?(head: ResponseHead, body: string): void;
}

/** `upgraded`: see {@link ResponseReader.rest}. */
export type PushResult = 'more' | 'ended' | 'upgraded' | { kind: 'bad'; message: string };

type Reading =
  | { kind: 'idle' }
  /** `lineEnd` is where the fields start, 0 while the status line is not whole. */
  | { kind: 'head'; lineEnd: number }
  | { kind: 'length'; missing: number }
  | { kind: 'chunked' }
  | { kind: 'close' }
  | { kind: 'ended' }
  | { kind: 'upgraded'; rest: Buffer }
  | { kind: 'bad'; message: string };

/** The status line and the lines that are not of the connection. */
interface KeptLines extends HeadLines {
  /** All are written as we would write them. */
  isPlain: boolean;
}

interface StatusLine {
  version: 10 | 11;
  status: number;
  reason: string;
}

const IDLE: Reading = { kind: 'idle' };
const CHUNKED: Reading = { kind: 'chunked' };
const CLOSE: Reading = { kind: 'close' };
const ENDED: Reading = { kind: 'ended' };
const EMPTY = Buffer.alloc(0);
const DATE = 'date';
const TRANSFER_ENCODING = 'transfer-encoding';

const steering = new SteeringFields();

/** Reads one response after the other; `start` begins each. */
export class ResponseReader {
  #sink: ResponseSink;
  #requestMethod = '';
  #reading: Reading = IDLE;
  #informationalHeads = 0;
  #scanner = new FieldScanner();
  #held = new HeldBytes();
  /** Made for the first body that needs it. */
  #chunked: ChunkedDecoder | null = null;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  /** Expects a response to a request with this method. The response before must have ended. */
  start(requestMethod: string): void {
    const { kind } = this.#reading;
    assert(kind === 'idle' || kind === 'ended', 'a response is read whole before the next is expected');
    this.#requestMethod = requestMethod;
    this.#informationalHeads = 0;
    this.#reading = { kind: 'head', lineEnd: 0 };
  }

  /**
   * Reads the next bytes. Bytes behind the end of the response are bad, but what came before them is
   * delivered first, `end` included. Once bad it stays bad.
   */
  push(chunk: Buffer): PushResult {
    let at = 0;
    for (;;) {
      const reading = this.#reading;
      switch (reading.kind) {
        case 'head':
          if (at === chunk.length) return 'more';
          at = this.#readHead(reading, chunk, at);
          break;
        case 'length': {
          if (at === chunk.length) return 'more';
          const sliceEnd = Math.min(chunk.length, at + reading.missing);
          reading.missing -= sliceEnd - at;
          this.#sink.data(at === 0 && sliceEnd === chunk.length ? chunk : chunk.subarray(at, sliceEnd));
          at = sliceEnd;
          if (reading.missing === 0) this.#end([]);
          break;
        }
        case 'chunked': {
          if (at === chunk.length) return 'more';
          this.#chunked ??= new ChunkedDecoder((slice) => this.#sink.data(slice));
          const result = this.#chunked.push(chunk, at, chunk.length);
          if (result.kind === 'more') return 'more';
          if (result.kind === 'bad') return this.#bad(result.message);
          at += result.bytes;
          this.#end(result.trailers);
          break;
        }
        case 'close':
          if (at < chunk.length) this.#sink.data(at === 0 ? chunk : chunk.subarray(at));
          return 'more';
        case 'ended':
        case 'idle':
          if (at === chunk.length) return 'ended';
          return this.#bad('more bytes than the response has');
        case 'upgraded':
          if (at < chunk.length) reading.rest = Buffer.concat([reading.rest, chunk.subarray(at)]);
          return 'upgraded';
        case 'bad':
          return reading;
      }
    }
  }

  /** The sender said that it is over. Ends a body that ends with the connection. */
  finish(): 'ended' | 'truncated' {
    const { kind } = this.#reading;
    if (kind === 'close') this.#end([]);
    return kind === 'close' || kind === 'ended' || kind === 'upgraded' ? 'ended' : 'truncated';
  }

  /** Takes the bytes that came behind the head of an upgrade, maybe none. */
  rest(): Buffer {
    const reading = this.#reading;
    assert(reading.kind === 'upgraded', 'only an upgrade leaves bytes');
    const { rest } = reading;
    reading.rest = EMPTY;
    return rest;
  }

  #end(trailers: string[]): void {
    this.#reading = ENDED;
    this.#sink.end(trailers);
  }

  #bad(message: string): PushResult {
    const bad = { kind: 'bad' as const, message };
    this.#reading = bad;
    return bad;
  }

  /** Reads on in a head from `at`. Returns the offset of the first byte that is not of the head. */
  #readHead(reading: Reading & { kind: 'head' }, chunk: Buffer, at: number): number {
    const heldBefore = this.#held.length;
    let source = chunk;
    let base = at;
    if (heldBefore > 0) {
      this.#held.append(chunk, at, Math.min(chunk.length, at + RESPONSE_HEAD_BYTES_MAX - heldBefore));
      source = this.#held.view();
      base = 0;
    }
    const end = Math.min(source.length, base + RESPONSE_HEAD_BYTES_MAX);
    const result = this.#scanHead(reading, source, base, end);
    if (result === 'bad') return chunk.length;
    if (result === 'more') {
      if (end - base >= RESPONSE_HEAD_BYTES_MAX) {
        this.#bad(`a head of more than ${RESPONSE_HEAD_BYTES_MAX} bytes`);
      } else if (heldBefore === 0) {
        this.#held.append(chunk, at, chunk.length);
      }
      return chunk.length;
    }
    const { lineEnd } = reading;
    const bytes = this.#scanner.position;
    if (heldBefore > 0) {
      // The offsets of the scan before are not those of this one alone.
      this.#scanner.reset(lineEnd);
      this.#scanner.scan(source, base, base + bytes, FIELDS_MAX);
    }
    const rest = heldBefore === 0 && chunk.length - at <= WHOLE_BYTES_MAX ? chunk.length : base + bytes;
    const text = source.toString('latin1', base, rest);
    this.#held.clear();
    const taken = this.#takeHead(text, lineEnd, bytes);
    if (typeof taken === 'string') this.#bad(taken);
    return at - heldBefore + (typeof taken === 'string' ? bytes : taken);
  }

  #scanHead(reading: Reading & { kind: 'head' }, source: Buffer, base: number, end: number): string {
    if (reading.lineEnd === 0) {
      const fault = startFault(source, base, end);
      if (fault !== '') return this.#scanFault(fault);
      const lineFeed = source.indexOf(LF, base);
      if (lineFeed < 0 || lineFeed >= end) return 'more';
      reading.lineEnd = lineFeed + 1 - base;
      this.#scanner.reset(reading.lineEnd);
    }
    const result = this.#scanner.scan(source, base, end, FIELDS_MAX);
    if (result === 'many') return this.#scanFault(`more than ${FIELDS_MAX} fields`);
    if (result === 'bad') return this.#scanFault(this.#scanner.fault);
    return result;
  }

  #scanFault(fault: string): 'bad' {
    this.#bad(fault);
    return 'bad';
  }

  /**
   * Takes a whole head of `bytes` at the start of `text`, maybe with the body behind it, and moves on. Returns
   * how much it took, or what is wrong with it.
   */
  #takeHead(text: string, lineEnd: number, bytes: number): number | string {
    const line = parseStatusLine(text, lineEnd);
    if (line === null) return 'a status line that is not of the form "HTTP/1.1 200 OK"';
    const lines = this.#readLines(text, bytes);
    const body = responseBody(
      { status: line.status, requestMethod: this.#requestMethod, version: line.version }, steering,
    );
    if (body.kind === 'bad') return body.message;
    const head = makeHead(line, lines, body, this.#requestMethod);
    if (head.upgraded) {
      this.#reading = { kind: 'upgraded', rest: EMPTY };
      this.#sink.head(head);
      return bytes;
    }
    if (line.status < 200) {
      this.#informationalHeads += 1;
      if (this.#informationalHeads > INFORMATIONAL_HEADS_MAX) {
        return `more than ${INFORMATIONAL_HEADS_MAX} informational heads`;
      }
      this.#reading = { kind: 'head', lineEnd: 0 };
      this.#sink.informational(head);
      return bytes;
    }
    return bytes + this.#takeFinal(head, body, text, bytes);
  }

  /** Returns how much of the body behind the head, which is in the text, it took. */
  #takeFinal(head: ResponseHead, body: ResponseFraming, text: string, bytes: number): number {
    const sink = this.#sink;
    const length = body.kind === 'length' ? body.length : 0;
    if (body.kind === 'length' && text.length - bytes >= length && sink.takesWhole === true) {
      this.#reading = ENDED;
      sink.whole!(head, text.slice(bytes, bytes + length));
      return length;
    }
    sink.head(head);
    if (body.kind === 'none') this.#end([]);
    else if (body.kind === 'length') this.#reading = { kind: 'length', missing: length };
    else this.#reading = body.kind === 'chunked' ? CHUNKED : CLOSE;
    return 0;
  }

  /** Fills `steering` and returns the lines that are not of this connection only. */
  #readLines(text: string, bytes: number): KeptLines {
    const { count } = this.#scanner;
    const linesEnd = bytes - 2;
    let kept = '';
    let keptStart = 0;
    let hasDate = false;
    let isPlain = true;
    steering.clear();
    for (let index = 0; index < count; index++) {
      if (!isPlainLine(text, index)) isPlain = false;
      if (hasName(text, index, DATE)) hasDate = true;
      // The framing is chosen anew.
      if (steering.noteLine(text, index) && !hasName(text, index, TRANSFER_ENCODING)) continue;
      kept += text.slice(keptStart, lineStart(index));
      keptStart = index + 1 < count ? lineStart(index + 1) : linesEnd;
    }
    if (keptStart < linesEnd) kept += text.slice(keptStart, linesEnd);
    return { text: kept, hasDate, isPlain };
  }
}

/** Looks at the first bytes, so that what is no HTTP at all is not waited for. */
function startFault(source: Buffer, base: number, end: number): string {
  const text = 'HTTP/1.';
  for (let index = 0; index < text.length && base + index < end; index++) {
    if (source[base + index] !== text.charCodeAt(index)) {
      return 'a response that does not begin with "HTTP/1."';
    }
  }
  return '';
}

/** RFC 9112 4. The space in front of an empty reason may be missing: some backends leave it out. */
function parseStatusLine(text: string, lineEnd: number): StatusLine | null {
  const minor = text.charCodeAt(7) - 0x30;
  if (text.charCodeAt(lineEnd - 2) !== CR || (minor !== 0 && minor !== 1) || text[8] !== ' ') return null;
  let status = 0;
  for (let index = 9; index < 12; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return null;
    status = status * 10 + digit;
  }
  const reasonEnd = lineEnd - 2;
  if (status < 100 || reasonEnd < 12 || (reasonEnd > 12 && text[12] !== ' ')) return null;
  for (let index = 13; index < reasonEnd; index++) {
    if (VALUE_BYTES[text.charCodeAt(index)] === 0) return null;
  }
  return { version: minor === 1 ? 11 : 10, status, reason: reasonEnd > 13 ? text.slice(13, reasonEnd) : '' };
}

function makeHead(
  line: StatusLine,
  lines: KeptLines,
  body: ResponseFraming,
  requestMethod: string,
): ResponseHead {
  const { status, reason, version } = line;
  const isTunnel = requestMethod === 'CONNECT' && status >= 200 && status < 300;
  let closes = version === 10;
  const { connection, upgrade, contentLength, transferEncoding } = steering;
  const dropped: string[] = [];
  // RFC 9110 8.6 and 9.3.6: here a length would be wrong, or would be believed.
  const holdsNoLength = status < 200 || status === 204 || isTunnel || transferEncoding !== null;
  if (contentLength !== null && holdsNoLength) dropped.push('content-length');
  if (connection !== null) {
    const isKept = isKeepAlive(connection);
    if (isKept || isClose(connection)) {
      closes = !isKept;
    } else {
      const options = listElements(connection);
      if (options.includes('close')) closes = true;
      else if (options.includes('keep-alive')) closes = false;
      for (const option of options) {
        if (option !== 'close' && option !== 'keep-alive' && option !== 'content-length') dropped.push(option);
      }
    }
  }
  const head = { status, reason, body, closes, upgraded: status === 101 || isTunnel };
  const isWritten = dropped.length > 0 || upgrade !== null;
  if (!isWritten && version === 11 && reason !== '' && lines.isPlain) return new ReceivedHead(head, lines);
  const fields = fieldsOfLines(lines.text, lines.text.indexOf('\n') + 1);
  if (!isWritten) return { ...head, fields };
  const keepsUpgrade = upgrade !== null && (status === 101 || status === 426);
  return { ...head, fields: withoutFields(fields, ['connection', 'upgrade', ...dropped], keepsUpgrade) };
}
