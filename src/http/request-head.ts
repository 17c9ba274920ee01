// Request heads (RFC 9112 2 to 6): bytes -> head, more or bad. Strict: what two parsers could read
// differently is refused here, before anything behind the front sees it; docs/refusals.md lists it.
// One pass over the bytes, one text per head. A head may arrive one byte at a time.

import type { ErrorCode } from '../base/host-error.ts';
import type { FrontLimits } from '../base/limits.ts';
import { requestBody } from './body-length.ts';
import type { BodyFraming } from './body-length.ts';
import {
  CR, FIELDS_MAX, FieldScanner, LF, SP, TOKEN_BYTES, byteTable, hasTabBehind, listElements, nameOf,
  nameStart, valueOf,
} from './field-lines.ts';
import { encodeRawBytes, isHostValue, splitTarget } from './request-target.ts';
import { SteeringFields, isClose, isKeepAlive, withoutFields } from './steering-fields.ts';

/** A request without its body, checked. */
export interface RequestHead {
  method: string;
  /** As sent; on a lenient listener with raw bytes percent-encoded. */
  target: string;
  version: 10 | 11;
  /** It came over HTTP/2; all else is as if it had been HTTP/1.1. */
  isHttp2?: true;
  /**
   * Flat: name, value, name, value; original case and order, without white space around values. Fields of
   * this connection are gone: Connection and what it names, Keep-Alive, Proxy-Connection, TE, Upgrade.
   * When `upgrade` is true Upgrade stays, and Connection as `Upgrade`. `Transfer-Encoding: chunked` stays
   * on a chunked body: programs see by it that there is one. Whoever frames anew replaces it.
   */
  fields: string[];
  /** Host, or the authority of an absolute target: lower case, port as sent; '' only in HTTP/1.0. */
  host: string;
  /** Raw path of the target; `*` for OPTIONS *, the authority for CONNECT. */
  path: string;
  /** Raw, with its "?", or ''. */
  query: string;
  body: BodyFraming;
  /** The client wants to go on with the connection. */
  keepAlive: boolean;
  /** The client waits for 100 (Continue) before it sends the body. */
  expectContinue: boolean;
  /** The client wants another protocol (not h2c), or the method is CONNECT. Never with a body. */
  upgrade: boolean;
}

/** `bytes`: how many of the given bytes the head took, empty lines in front of it included. */
export type HeadResult =
  | { kind: 'head'; head: RequestHead; bytes: number }
  | { kind: 'more' }
  | { kind: 'bad'; status: number; code: ErrorCode; message: string };

export type HeadLimits = Pick<FrontLimits, 'targetBytesMax' | 'headBytesMax' | 'headFieldsMax'>;

/** Longest method. Longer: 501, RFC 9112 3. */
export const METHOD_BYTES_MAX = 32;

/** Empty lines that are skipped in front of a request line. RFC 9112 2.2. */
const EMPTY_LINES_MAX = 2;

const MORE: HeadResult = { kind: 'more' };

/** Visible ASCII without "#": RFC 9112 3.2 knows no fragments. */
const TARGET_BYTES = byteTable('', 0x21, 0x7e);
TARGET_BYTES[0x23] = 0;

/** Of lenient listeners: raw bytes too, which are percent-encoded before anybody reads them. */
const LENIENT_TARGET_BYTES = TARGET_BYTES.slice().fill(1, 0x80);

const VERSION_TEXT = 'HTTP/';
const ZERO = 0x30;
const ONE = 0x31;
const DOT = 0x2e;

// What is read next.
const EMPTY_LINES = 0;
const EMPTY_LINE_FEED = 1;
const METHOD = 2;
const TARGET = 3;
const VERSION = 4;
const FIELDS = 5;

const steering = new SteeringFields();

/** Fields that Connection must not name: removing one would change who is asked, or for what. */
const NEVER_NOMINATED = new Set([
  'host', 'content-length', 'transfer-encoding', 'authorization', 'cookie', 'expect', 'forwarded',
  // Without these a client behind a proxy would pass for one at this machine: base/loopback.ts.
  'via', 'x-forwarded', 'x-real-ip', 'x-client-ip',
]);

function refuse(status: number, code: ErrorCode, message: string): HeadResult {
  return { kind: 'bad', status, code, message };
}

function bad(message: string): HeadResult {
  return refuse(400, 'REQUEST_INVALID', message);
}

/** Reads the heads of one connection, one after the other. */
export class RequestHeadParser {
  readonly limits: HeadLimits;
  #fieldsMax: number;
  readonly #targetBytes: Uint8Array;
  #scanner = new FieldScanner();
  #reading = EMPTY_LINES;
  /** Offset of the next byte to look at. Offsets are relative to the start of the head's bytes. */
  #position = 0;
  #emptyLines = 0;
  #methodStart = 0;
  #targetStart = 0;
  #versionStart = 0;
  /** Bytes of this head were looked at in an earlier call. */
  #isResumed = false;

  /** `isLenient`: see docs/refusals.md. */
  constructor(limits: HeadLimits, isLenient = false) {
    this.limits = limits;
    this.#targetBytes = isLenient ? LENIENT_TARGET_BYTES : TARGET_BYTES;
    this.#fieldsMax = Math.min(limits.headFieldsMax, FIELDS_MAX);
  }

  /**
   * Looks for a head in `buffer[start..end)`. After `more` the caller keeps the bytes and calls again with
   * the same bytes and more behind them; those seen before are not scanned again until the head is whole.
   * After `head` it goes on behind it. After `bad` the connection is of no more use.
   */
  parse(buffer: Buffer, start: number, end: number): HeadResult {
    const scanEnd = Math.min(end, start + this.limits.headBytesMax);
    if (this.#reading !== FIELDS) {
      const fault = this.#scanRequestLine(buffer, start, scanEnd);
      if (fault !== null) return fault.kind === 'more' ? this.#wait(start, end) : fault;
      this.#scanner.reset(this.#position);
    }
    const result = this.#scanner.scan(buffer, start, scanEnd, this.#fieldsMax);
    if (result === 'more') return this.#wait(start, end);
    if (result === 'many') {
      const message = `more than ${this.#fieldsMax} fields (headFieldsMax)`;
      return refuse(431, 'REQUEST_HEAD_TOO_LARGE', message);
    }
    if (result === 'bad') return bad(this.#scanner.fault);
    if (this.#isResumed) {
      // Another parser may have used the scratch offsets since: fill them again in one go.
      this.#scanner.reset(this.#position);
      this.#scanner.scan(buffer, start, scanEnd, this.#fieldsMax);
    }
    const head = this.#finish(buffer, start);
    this.#reset();
    return head;
  }

  #wait(start: number, end: number): HeadResult {
    this.#isResumed = true;
    const { headBytesMax } = this.limits;
    if (end - start < headBytesMax) return MORE;
    const message = `a head of more than ${headBytesMax} bytes (headBytesMax)`;
    return refuse(431, 'REQUEST_HEAD_TOO_LARGE', message);
  }

  #reset(): void {
    this.#reading = EMPTY_LINES;
    this.#position = 0;
    this.#emptyLines = 0;
    this.#isResumed = false;
  }

  /** Null when the whole line was read. */
  #scanRequestLine(buffer: Buffer, start: number, end: number): HeadResult | null {
    let at = start + this.#position;
    while (at < end && this.#reading < METHOD) {
      const byte = buffer[at]!;
      if (this.#reading === EMPTY_LINE_FEED) {
        if (byte !== LF) return bad('a CR without its LF');
        this.#reading = EMPTY_LINES;
        this.#emptyLines += 1;
      } else if (byte !== CR) {
        this.#reading = METHOD;
        this.#methodStart = at - start;
        break;
      } else if (this.#emptyLines === EMPTY_LINES_MAX) {
        return bad(`more than ${EMPTY_LINES_MAX} empty lines in front of a request`);
      } else {
        this.#reading = EMPTY_LINE_FEED;
      }
      at += 1;
    }
    if (this.#reading === METHOD) {
      const stop = Math.min(end, start + this.#methodStart + METHOD_BYTES_MAX + 1);
      while (at < stop && TOKEN_BYTES[buffer[at]!] === 1) at += 1;
      if (at < end) {
        if (at === stop) {
          const message = `a method of more than ${METHOD_BYTES_MAX} bytes`;
          return refuse(501, 'REQUEST_METHOD_UNSUPPORTED', message);
        }
        if (buffer[at] !== SP || at === start + this.#methodStart) return bad('a method that is no token');
        at += 1;
        this.#targetStart = at - start;
        this.#reading = TARGET;
      }
    }
    if (this.#reading === TARGET) {
      const fault = this.#scanTarget(buffer, start, at, end);
      if (fault !== null) return fault;
      at = start + this.#position;
    }
    if (this.#reading === VERSION) return this.#scanVersion(buffer, start, at, end);
    this.#position = at - start;
    return MORE;
  }

  #scanTarget(buffer: Buffer, start: number, from: number, end: number): HeadResult | null {
    const { targetBytesMax } = this.limits;
    const targetStart = start + this.#targetStart;
    const stop = Math.min(end, targetStart + targetBytesMax + 1);
    const allowed = this.#targetBytes;
    let at = from;
    while (at < stop && allowed[buffer[at]!] === 1) at += 1;
    if (at - targetStart > targetBytesMax) return this.#tooLong();
    if (at < end) {
      const byte = buffer[at]!;
      if (byte === CR || byte === LF) return bad('a request line without a version');
      if (byte !== SP) return bad('a byte in the target that is not allowed there');
      if (at === targetStart) return bad('more than one space behind the method');
      at += 1;
      this.#versionStart = at - start;
      this.#reading = VERSION;
    }
    this.#position = at - start;
    return null;
  }

  #tooLong(): HeadResult {
    const message = `a target of more than ${this.limits.targetBytesMax} bytes (targetBytesMax)`;
    return refuse(414, 'REQUEST_TARGET_TOO_LONG', message);
  }

  #scanVersion(buffer: Buffer, start: number, from: number, end: number): HeadResult | null {
    const versionStart = start + this.#versionStart;
    for (let at = from; at < end; at++) {
      const byte = buffer[at]!;
      const index = at - versionStart;
      if (index < 5) {
        if (byte !== VERSION_TEXT.charCodeAt(index)) return bad('a version that does not begin with "HTTP/"');
      } else if (index === 5 || index === 7) {
        if (byte < ZERO || byte > 0x39) return bad('a version that is not of the form "HTTP/1.1"');
      } else if (index === 6) {
        if (byte !== DOT) return bad('a version that is not of the form "HTTP/1.1"');
      } else if (index === 8) {
        if (byte === LF) return bad('a LF without its CR');
        if (byte !== CR) return bad('a request line that does not end behind the version');
      } else {
        if (byte !== LF) return bad('a CR without its LF');
        return this.#checkVersion(buffer, versionStart, at + 1 - start);
      }
    }
    this.#position = end - start;
    return MORE;
  }

  #checkVersion(buffer: Buffer, versionStart: number, position: number): HeadResult | null {
    const minor = buffer[versionStart + 7]!;
    if (buffer[versionStart + 5] !== ONE || minor > ONE) {
      return refuse(505, 'HTTP_VERSION_UNSUPPORTED', 'a version other than HTTP/1.0 and HTTP/1.1');
    }
    this.#position = position;
    this.#reading = FIELDS;
    return null;
  }

  /** The bytes are well formed; now what they say. */
  #finish(buffer: Buffer, start: number): HeadResult {
    const bytes = this.#scanner.position;
    const text = buffer.toString('latin1', start, start + bytes);
    const method = text.substring(this.#methodStart, this.#targetStart - 1);
    const sent = text.substring(this.#targetStart, this.#versionStart - 1);
    const target = this.#targetBytes === TARGET_BYTES ? sent : encodeRawBytes(sent);
    if (target.length > this.limits.targetBytesMax) return this.#tooLong();
    const version = text.charCodeAt(this.#versionStart + 7) === ONE ? 11 : 10;
    const fields: string[] = [];
    steering.clear();
    const count = this.#scanner.count;
    for (let index = 0; index < count; index++) {
      const name = nameOf(text, index);
      const value = valueOf(text, index);
      if (steering.note(name, text.charCodeAt(nameStart(index)) | 0x20, value)) fields.push(name, value);
    }
    const { lookAlike } = steering;
    if (lookAlike !== '') return bad(`the field ${lookAlike}, which looks like another one`);

    const parts = splitTarget(method, target);
    if (parts.kind === 'bad') return bad(parts.message);
    const host = settleHost(version, parts.host);
    if (host === null) return bad(hostFault(version, parts.host));
    const body = requestBody(version, steering);
    if (body.kind === 'bad') return bad(body.message);
    const isFramed = steering.contentLength !== null || steering.transferEncoding !== null;
    if (isFramed && isFramingTabbed(text, count)) {
      return bad('a Content-Length or Transfer-Encoding with a tab behind it');
    }
    if (method === 'CONNECT' && body.kind !== 'none') return bad('a CONNECT with a body');
    const head: RequestHead = {
      method, target, version, fields, host, path: parts.path, query: parts.query, body,
      keepAlive: version === 11, // Connection may change it.
      expectContinue: version === 11 && steering.expect?.toLowerCase() === '100-continue',
      upgrade: method === 'CONNECT',
    };
    const fault = settleConnection(head);
    return fault === '' ? { kind: 'head', head, bytes } : bad(fault);
  }
}

/** Lawful, but some readers find no length in `5` or `chunked` with a tab behind it. */
function isFramingTabbed(text: string, count: number): boolean {
  for (let index = 0; index < count; index++) {
    if (!hasTabBehind(text, index)) continue;
    const name = nameOf(text, index).toLowerCase();
    if (name === 'content-length' || name === 'transfer-encoding') return true;
  }
  return false;
}

// Asked for every request, nearly always for the same value: what the last one came to is kept.
let lastHostValue = '';
let lastHost: string | null = null;

/** The value of Host in lower case; null: it is no plain host and port. */
function plainHost(value: string): string | null {
  if (value === lastHostValue) return lastHost;
  lastHostValue = value;
  lastHost = isHostValue(value) ? value.toLowerCase() : null;
  return lastHost;
}

/** The host that is asked, or null if that is unclear. `authority` is that of an absolute target. */
function settleHost(version: number, authority: string): string | null {
  if (steering.hosts === 0) return version === 11 ? null : authority;
  const host = steering.hosts > 1 ? null : plainHost(steering.host);
  return authority === '' || authority === host ? host : null;
}

function hostFault(version: number, authority: string): string {
  if (steering.hosts > 1) return 'more than one Host';
  if (steering.hosts === 0 && version === 11) return 'no Host';
  if (!isHostValue(steering.host)) return 'a Host that is no plain host and port';
  return `a Host other than the authority of the target, ${authority}`;
}

/** Applies Connection and Upgrade: RFC 9110 7.6.1 and 7.8, RFC 9112 9.3. Returns what is wrong, or ''. */
function settleConnection(head: RequestHead): string {
  const { connection, upgrade } = steering;
  if (connection === null) {
    if (upgrade !== null) head.fields = withoutFields(head.fields, ['upgrade'], false);
    return '';
  }
  if (isKeepAlive(connection) && upgrade === null) {
    head.keepAlive = true;
    return '';
  }
  if (isClose(connection) && upgrade === null) {
    head.keepAlive = false;
    return '';
  }
  const options = listElements(connection);
  if (options.includes('close')) head.keepAlive = false;
  else if (options.includes('keep-alive')) head.keepAlive = true;
  for (const option of options) {
    if (NEVER_NOMINATED.has(option) || option.startsWith('x-forwarded-')) {
      return `a Connection that names the field ${option}`;
    }
  }
  // An Upgrade may always be ignored. With a body in between it would be unclear where the tunnel begins.
  const isUpgrade = upgrade !== null && head.version === 11 && options.includes('upgrade')
    && head.body.kind === 'none' && !listElements(upgrade).includes('h2c');
  if (isUpgrade) head.upgrade = true;
  head.fields = withoutFields(head.fields, ['connection', 'upgrade', ...options], isUpgrade);
  return '';
}
