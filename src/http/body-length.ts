// How long a body is (RFC 9112 6.3). Whatever two readers could measure differently is refused: that is
// how requests are smuggled. Pure decisions on field values.

/** `none`: no byte follows the head. `length`: bytes, never 0. */
export type BodyFraming = { kind: 'none' } | { kind: 'length'; length: number } | { kind: 'chunked' };

/** A response may also end with its connection. */
export type ResponseFraming = BodyFraming | { kind: 'close' };

/** The body cannot be measured; `message` says why. */
export interface BadFraming {
  kind: 'bad';
  message: string;
}

/** The field values that decide. Null: absent. Several fields of a name: joined with a comma. */
export interface FramingFields {
  contentLength: string | null;
  transferEncoding: string | null;
}

const NONE: BodyFraming = { kind: 'none' };
const CHUNKED: BodyFraming = { kind: 'chunked' };
const CLOSE: ResponseFraming = { kind: 'close' };

/** 2^53 - 1 has 16 digits. */
const LENGTH_DIGITS_MAX = 16;

function bad(message: string): BadFraming {
  return { kind: 'bad', message };
}

/** The number that a Content-Length says, or -1: not all digits, a list, or 2^53 and more. */
export function contentLengthOf(value: string): number {
  if (value.length === 0 || value.length > LENGTH_DIGITS_MAX) return -1;
  let length = 0;
  for (let index = 0; index < value.length; index++) {
    const digit = value.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : -1;
}

/**
 * The length of a request body, or -1 as above or for a leading zero: RFC 9110 8.6 allows it, but a backend may take
 * `010` for eight bytes.
 */
export function requestLengthOf(value: string): number {
  return value.length > 1 && value.charCodeAt(0) === 0x30 ? -1 : contentLengthOf(value);
}

/** True for exactly `chunked`, in any case. */
function isChunked(value: string): boolean {
  return value === 'chunked' || (value.length === 7 && value.toLowerCase() === 'chunked');
}

function framingOfLength(length: number): BodyFraming | BadFraming {
  if (length < 0) return bad('a Content-Length that is no single decimal number below 2^53');
  return length === 0 ? NONE : { kind: 'length', length };
}

/** The framing of a request body. `version` is 10 or 11. */
export function requestBody(version: number, fields: FramingFields): BodyFraming | BadFraming {
  const { contentLength, transferEncoding } = fields;
  if (transferEncoding === null) return contentLength === null ? NONE : framingOfLength(requestLengthOf(contentLength));
  // RFC 9112 6.1 and 6.3: each of these may be an attack, so none is repaired.
  if (contentLength !== null) return bad('Transfer-Encoding together with Content-Length');
  if (version < 11) return bad('Transfer-Encoding in an HTTP/1.0 request');
  if (!isChunked(transferEncoding)) return bad('a Transfer-Encoding other than exactly "chunked"');
  return CHUNKED;
}

/** What {@link responseBody} looks at besides the fields. */
export interface ResponseLine {
  status: number;
  requestMethod: string;
  /** Of the response: 10 or 11. */
  version: number;
}

/** True when a response to this never has a body, whatever its fields say. RFC 9112 6.3, 1 and 2. */
export function isBodiless(status: number, requestMethod: string): boolean {
  if (requestMethod === 'HEAD' || status < 200 || status === 204 || status === 304) return true;
  return requestMethod === 'CONNECT' && status < 300;
}

/**
 * The framing of a response body. Transfer-Encoding wins over Content-Length, which the caller then has
 * to remove; `identity` counts as absent: programs set it to turn chunks off.
 */
export function responseBody(line: ResponseLine, fields: FramingFields): ResponseFraming | BadFraming {
  if (isBodiless(line.status, line.requestMethod)) return NONE;
  const { contentLength, transferEncoding } = fields;
  if (transferEncoding !== null && transferEncoding.toLowerCase() !== 'identity') {
    if (!isChunked(transferEncoding)) return bad('a Transfer-Encoding other than exactly "chunked"');
    if (line.version < 11) return bad('Transfer-Encoding in an HTTP/1.0 response');
    return CHUNKED;
  }
  return contentLength === null ? CLOSE : framingOfLength(contentLengthOf(contentLength));
}
