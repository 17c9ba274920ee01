// Response head -> text, as it goes to a client. Adds Date, Connection and Transfer-Encoding; everything
// else is the caller's. The text is Latin-1: one unit, one byte.

import { STATUS_CODES } from 'node:http';
import { assert } from '../base/assert.ts';
import { VALUE_BYTES, TOKEN_BYTES } from './field-lines.ts';

/**
 * How the client learns where the body ends. `as-is-length`: by the Content-Length among the fields.
 * `chunked`: never to an HTTP/1.0 client. `close`: by the end of the connection. `none`: there is none.
 */
export type WrittenFraming = 'as-is-length' | 'chunked' | 'close' | 'none';

/** What {@link writeResponseHead} needs to know. */
export interface ResponseHeadOptions {
  /** Of the client's request: 10 or 11. */
  version: 10 | 11;
  status: number;
  /** '' means the usual one of the status. */
  reason: string;
  /** Flat, checked: from a ResponseReader, or {@link areSafeFields} holds. No hop-by-hop field. */
  fields: readonly string[];
  framing: WrittenFraming;
  /** The connection is used on, idle for so long at most, in ms. False with framing `close`, and where it is not. */
  keepAlive: number | false;
  /** The value of Date if the fields have none. Default: now. */
  date?: string;
}

let dateSecond = -1;
let dateText = '';

/** The value of Date for now, RFC 9110 5.6.7. Made once a second. */
export function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

function isDate(name: string): boolean {
  return name.length === 4 && (name === 'Date' || name.toLowerCase() === 'date');
}

/**
 * Writes a head with its empty line. The version is always HTTP/1.1 (RFC 9110 6.2). Informational heads
 * and 101 get nothing added.
 */
export function writeResponseHead(options: ResponseHeadOptions): string {
  const { version, status, fields, framing, keepAlive } = options;
  const reason = options.reason === '' ? STATUS_CODES[status] ?? '' : options.reason;
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  let hasDate = status < 200;
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index]!;
    if (!hasDate && isDate(name)) hasDate = true;
    text += `${name}: ${fields[index + 1]!}\r\n`;
  }
  return text + headEnd({ version, status, framing, keepAlive, hasDate, date: options.date });
}

/** What is added behind the fields of a head, with the empty line. */
export function headEnd(
  options: Pick<ResponseHeadOptions, 'version' | 'status' | 'framing' | 'keepAlive'>
    & { hasDate: boolean; date?: string | undefined },
): string {
  const { version, status, framing, keepAlive, hasDate } = options;
  assert(version === 11 || framing !== 'chunked', 'an HTTP/1.0 client gets no chunks');
  assert(keepAlive === false || framing !== 'close', 'a body that ends with the connection ends the connection');
  let text = hasDate ? '' : `Date: ${options.date ?? httpDate()}\r\n`;
  if (status >= 200) {
    if (keepAlive !== false) text += keptLines(keepAlive);
    else if (version === 11) text += 'Connection: close\r\n';
  }
  if (framing === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
  return `${text}\r\n`;
}

let keptMs = -1;
let keptText = '';

/**
 * Tells how long the connection is kept, as node does: clients that know it do not send a request on one that is
 * just being closed.
 */
function keptLines(keepAliveMs: number): string {
  if (keepAliveMs !== keptMs) {
    keptMs = keepAliveMs;
    keptText = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}\r\n`;
  }
  return keptText;
}

function isMadeOf(text: string, table: Uint8Array): boolean {
  for (let index = 0; index < text.length; index++) {
    if (table[text.charCodeAt(index)] !== 1) return false;
  }
  return true;
}

/**
 * True when each name is a token and each value holds only what a value may. To be asked about every
 * flat list that does not come from a ResponseReader: a line break in a value would end the head.
 */
export function areSafeFields(fields: readonly string[]): boolean {
  if (fields.length % 2 !== 0) return false;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    if (name === '' || !isMadeOf(name, TOKEN_BYTES)) return false;
    if (!isMadeOf(fields[index + 1]!, VALUE_BYTES)) return false;
  }
  return true;
}
