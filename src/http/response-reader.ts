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
import { knownHeadOf, rememberHead } from './known-heads.ts';
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
export type PushResult = 'more' | 'ended' | 'upgraded' | BadResponse;

/** No response, or none that goes on. `message` is for the log. */
export interface BadResponse {
  kind: 'bad';
  code: 'UPSTREAM_BAD_RESPONSE' | 'UPSTREAM_HEAD_TOO_LARGE';
  message: string;
}

/** What the client is told, if nothing of an answer is out. */
export const BAD_RESPONSE_TEXTS: Readonly<Record<BadResponse['code'], string>> = {
  UPSTREAM_BAD_RESPONSE: 'The app answered with something that is no HTTP response.',
  UPSTREAM_HEAD_TOO_LARGE: `The app answered with a head of more than ${RESPONSE_HEAD_BYTES_MAX} bytes.`,
};

type Reading =
  | { kind: 'idle' }
  /** `lineEnd` is where the fields start, 0 while the status line is not whole. */
  | { kind: 'head'; lineEnd: number }
  | { kind: 'length'; missing: number }
  | { kind: 'chunked' }
  | { kind: 'close' }
  | { kind: 'ended' }
  | { kind: 'upgraded'; rest: Buffer }
  | BadResponse;

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
const HEAD_TOO_LONG = `a head of more than ${RESPONSE_HEAD_BYTES_MAX} bytes`;
const DATE = 'date';
const TRANSFER_ENCODING = 'transfer-encoding';

const steering = new SteeringFields();
/** Scanners are alike between two heads: one serves all readers that are not inside a head. */
let spareScanner: FieldScanner | null = null;

/** Reads one response after the other; `start` begins each. */
export class ResponseReader {
  #sink: ResponseSink;
  #requestMethod = '';
  #reading: Reading = IDLE;
  #informationalHeads = 0;
  /** While inside a head. */
  #scanner: FieldScanner | null = null;
  /** Made for the first head that comes in pieces. */
  #held: HeldBytes | null = null;
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
   * Reads the next bytes, `chunk[start..end)`. Bytes behind the end of the response are bad, but what came before
   * them is delivered first, `end` included. Once bad it stays bad.
   */
  push(chunk: Buffer, start: number = 0, end: number = chunk.length): PushResult {
    let at = start;
    for (;;) {
      const reading = this.#reading;
      switch (reading.kind) {
        case 'head':
          if (at === end) return 'more';
          at = this.#readHead(reading, chunk, at, end);
          break;
        case 'length': {
          if (at === end) return 'more';
          const sliceEnd = Math.min(end, at + reading.missing);
          reading.missing -= sliceEnd - at;
          this.#sink.data(chunk.subarray(at, sliceEnd));
          at = sliceEnd;
          if (reading.missing === 0) this.#end([]);
          break;
        }
        case 'chunked': {
          if (at === end) return 'more';
          this.#chunked ??= new ChunkedDecoder((slice) => this.#sink.data(slice));
          const result = this.#chunked.push(chunk, at, end);
          if (result.kind === 'more') return 'more';
          if (result.kind === 'bad') return this.#bad(result.message);
          at += result.bytes;
          this.#end(result.trailers);
          break;
        }
        case 'close':
          if (at < end) this.#sink.data(chunk.subarray(at, end));
          return 'more';
        case 'ended':
        case 'idle':
          if (at === end) return 'ended';
          return this.#bad('more bytes than the response has');
        case 'upgraded':
          if (at < end) reading.rest = Buffer.concat([reading.rest, chunk.subarray(at, end)]);
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
    const code = message === HEAD_TOO_LONG ? 'UPSTREAM_HEAD_TOO_LARGE' : 'UPSTREAM_BAD_RESPONSE';
    const bad = { kind: 'bad', code, message } as const;
    this.#reading = bad;
    return bad;
  }

  /** Reads on in a head from `at`. Returns the offset of the first byte that is not of the head. */
  #readHead(reading: Reading & { kind: 'head' }, chunk: Buffer, at: number, end: number): number {
    if (this.#held !== null && this.#held.length > 0) return this.#readHeldHead(reading, chunk, at, end);
    let text = '';
    if (end - at <= WHOLE_BYTES_MAX) {
      text = chunk.toString('latin1', at, end);
      const known = this.#isBodyByHead ? knownHeadOf(text) : undefined;
      if (known !== undefined) return at + this.#takeFinal(known.head, text, known.text.length);
    }
    const scanEnd = Math.min(end, at + RESPONSE_HEAD_BYTES_MAX);
    const result = this.#scanHead(reading, chunk, at, scanEnd);
    if (result === 'bad') return end;
    if (result === 'more') {
      if (scanEnd - at < RESPONSE_HEAD_BYTES_MAX) (this.#held ??= new HeldBytes()).append(chunk, at, end);
      else this.#bad(HEAD_TOO_LONG);
      return end;
    }
    const bytes = this.#scanner!.position;
    if (text === '') text = chunk.toString('latin1', at, at + bytes);
    return at + this.#takeHead(text, reading.lineEnd, bytes);
  }

  /** Reads on in a head whose first part is held. */
  #readHeldHead(reading: Reading & { kind: 'head' }, chunk: Buffer, at: number, end: number): number {
    const held = this.#held!;
    const heldBefore = held.length;
    held.append(chunk, at, Math.min(end, at + RESPONSE_HEAD_BYTES_MAX - heldBefore));
    const source = held.view();
    const result = this.#scanHead(reading, source, 0, source.length);
    if (result === 'bad') return end;
    if (result === 'more') {
      if (source.length >= RESPONSE_HEAD_BYTES_MAX) this.#bad(HEAD_TOO_LONG);
      return end;
    }
    const { lineEnd } = reading;
    const scanner = this.#scanner!;
    const bytes = scanner.position;
    // The offsets of the scan before are not those of this one alone.
    scanner.reset(lineEnd);
    scanner.scan(source, 0, bytes, FIELDS_MAX);
    const text = source.toString('latin1', 0, bytes);
    held.clear();
    return at - heldBefore + this.#takeHead(text, lineEnd, bytes);
  }

  /** The request's method changes nothing in what a head says of its body. */
  get #isBodyByHead(): boolean {
    return this.#requestMethod !== 'HEAD' && this.#requestMethod !== 'CONNECT';
  }

  #scanHead(reading: Reading & { kind: 'head' }, source: Buffer, base: number, end: number): string {
    if (this.#scanner === null) [this.#scanner, spareScanner] = [spareScanner ?? new FieldScanner(), null];
    const scanner = this.#scanner;
    if (reading.lineEnd === 0) {
      const fault = startFault(source, base, end);
      if (fault !== '') return this.#scanFault(fault);
      const lineFeed = source.indexOf(LF, base);
      if (lineFeed < 0 || lineFeed >= end) return 'more';
      reading.lineEnd = lineFeed + 1 - base;
      scanner.reset(reading.lineEnd);
    }
    const result = scanner.scan(source, base, end, FIELDS_MAX);
    if (result === 'many') return this.#scanFault(`more than ${FIELDS_MAX} fields`);
    if (result === 'bad') return this.#scanFault(scanner.fault);
    return result;
  }

  #scanFault(fault: string): 'bad' {
    this.#bad(fault);
    return 'bad';
  }

  /**
   * Takes a whole head of `bytes` at the start of `text`, maybe with the body behind it, and moves on. Returns
   * how much it took.
   */
  #takeHead(text: string, lineEnd: number, bytes: number): number {
    const line = parseStatusLine(text, lineEnd);
    if (line === null) return this.#badHead(bytes, 'a status line that is not of the form "HTTP/1.1 200 OK"');
    const lines = this.#readLines(text, bytes);
    [spareScanner, this.#scanner] = [this.#scanner, null];
    const body = responseBody(
      { status: line.status, requestMethod: this.#requestMethod, version: line.version }, steering,
    );
    if (body.kind === 'bad') return this.#badHead(bytes, body.message);
    const head = makeHead(line, lines, body, this.#requestMethod);
    if (head.upgraded) {
      this.#reading = { kind: 'upgraded', rest: EMPTY };
      this.#sink.head(head);
      return bytes;
    }
    if (line.status < 200) {
      this.#informationalHeads += 1;
      if (this.#informationalHeads > INFORMATIONAL_HEADS_MAX) {
        return this.#badHead(bytes, `more than ${INFORMATIONAL_HEADS_MAX} informational heads`);
      }
      this.#reading = { kind: 'head', lineEnd: 0 };
      this.#sink.informational(head);
      return bytes;
    }
    if (head instanceof ReceivedHead && this.#isBodyByHead) rememberHead(text, bytes, head);
    return this.#takeFinal(head, text, bytes);
  }

  #badHead(bytes: number, message: string): number {
    this.#bad(message);
    return bytes;
  }

  /** Takes the head of `bytes`, and the body behind it where it is in the text. Returns how much it took. */
  #takeFinal(head: ResponseHead, text: string, bytes: number): number {
    const sink = this.#sink;
    const { body } = head;
    const length = body.kind === 'length' ? body.length : 0;
    if (body.kind === 'length' && text.length - bytes >= length && sink.takesWhole === true) {
      this.#reading = ENDED;
      sink.whole!(head, text.slice(bytes, bytes + length));
      return bytes + length;
    }
    sink.head(head);
    if (body.kind === 'none') this.#end([]);
    else if (body.kind === 'length') this.#reading = { kind: 'length', missing: length };
    else this.#reading = body.kind === 'chunked' ? CHUNKED : CLOSE;
    return bytes;
  }

  /** Fills `steering` and returns the lines that are not of this connection only. */
  #readLines(text: string, bytes: number): KeptLines {
    const { count } = this.#scanner!;
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
  const keepAliveMs = keepAliveMsOf(steering.keepAlive);
  const head = { status, reason, body, closes, keepAliveMs, upgraded: status === 101 || isTunnel };
  const isWritten = dropped.length > 0 || upgrade !== null;
  if (!isWritten && version === 11 && reason !== '' && lines.isPlain) return new ReceivedHead(head, lines);
  const fields = fieldsOfLines(lines.text, lines.text.indexOf('\n') + 1);
  if (!isWritten) return { ...head, fields };
  const keepsUpgrade = upgrade !== null && (status === 101 || status === 426);
  return { ...head, fields: withoutFields(fields, ['connection', 'upgrade', ...dropped], keepsUpgrade) };
}

/** What `Keep-Alive: timeout=9, max=3` says, in ms. 5 s is node's default, which nobody chose: it says nothing. */
function keepAliveMsOf(value: string | null): number | undefined {
  if (value === null || value === 'timeout=5') return undefined;
  const seconds = /^timeout=(\d{1,6})(?:,|$)/i.exec(value)?.[1];
  return seconds === undefined || seconds === '5' ? undefined : Number(seconds) * 1000;
}
