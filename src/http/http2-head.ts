// The fields of an HTTP/2 request (RFC 9113 8.3) -> the same head that HTTP/1.1 gives, checked by the same rules.
// nghttp2 has checked the form of pseudo fields, names and lengths before.

import { randomBytes } from 'node:crypto';
import type { ErrorCode } from '../base/host-error.ts';
import { requestLengthOf, type BodyFraming } from './body-length.ts';
import type { HeadLimits, RequestHead } from './request-head.ts';
import { isHostValue, splitTarget } from './request-target.ts';
import { areSafeFields } from './response-head.ts';
import { SteeringFields } from './steering-fields.ts';

/** What came of the fields. */
export type Http2HeadResult =
  | { kind: 'head'; head: RequestHead }
  | { kind: 'bad'; status: number; code: ErrorCode; message: string };

/** RFC 9113 4.1 counts so much for each field beside its bytes. */
const FIELD_OVERHEAD_BYTES = 32;
/** Visible ASCII without "#". */
const TARGET = /^[\x21\x22\x24-\x7e]+$/;
/** RFC 9113 8.2.2: fields of a connection, which HTTP/2 has not. */
const CONNECTION_FIELDS = new Set(['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade']);

const steering = new SteeringFields();

interface Pseudo {
  method: string;
  authority: string;
  path: string;
  protocol: string;
}

function refuse(status: number, code: ErrorCode, message: string): Http2HeadResult {
  return { kind: 'bad', status, code, message };
}

function bad(message: string): Http2HeadResult {
  return refuse(400, 'REQUEST_INVALID', message);
}

/** Makes a head of the fields (flat, pseudo fields first). `ended`: no body follows. */
export function readHttp2Head(raw: readonly string[], ended: boolean, limits: HeadLimits): Http2HeadResult {
  const pseudo: Pseudo = { method: '', authority: '', path: '', protocol: '' };
  const fields: string[] = [];
  const cookies: string[] = [];
  let bytes = 0;
  steering.clear();
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]!;
    const value = raw[index + 1]!;
    bytes += name.length + value.length + FIELD_OVERHEAD_BYTES;
    if (name.charCodeAt(0) === 0x3a) notePseudo(pseudo, name, value);
    else if (CONNECTION_FIELDS.has(name)) return bad(`the field ${name}, which HTTP/2 does not have`);
    else if (name === 'cookie') cookies.push(value);
    else if (steering.note(name, name.charCodeAt(0) | 0x20, value) && name !== 'host') fields.push(name, value);
  }
  if (bytes > limits.headBytesMax) {
    return refuse(431, 'REQUEST_HEAD_TOO_LARGE', `a head of more than ${limits.headBytesMax} bytes (headBytesMax)`);
  }
  if (fields.length > limits.headFieldsMax * 2) {
    return refuse(431, 'REQUEST_HEAD_TOO_LARGE', `more than ${limits.headFieldsMax} fields (headFieldsMax)`);
  }
  if (pseudo.path.length > limits.targetBytesMax) {
    const message = `a target of more than ${limits.targetBytesMax} bytes (targetBytesMax)`;
    return refuse(414, 'REQUEST_TARGET_TOO_LONG', message);
  }
  // RFC 9113 8.2.3: cookies may come in several fields, for the sake of compression.
  if (cookies.length > 0) fields.push('cookie', cookies.join('; '));
  return finish(pseudo, fields, ended);
}

function notePseudo(pseudo: Pseudo, name: string, value: string): void {
  if (name === ':method') pseudo.method = value;
  else if (name === ':authority') pseudo.authority = value;
  else if (name === ':path') pseudo.path = value;
  else if (name === ':protocol') pseudo.protocol = value;
}

function finish(pseudo: Pseudo, fields: string[], ended: boolean): Http2HeadResult {
  const { lookAlike, hosts } = steering;
  if (lookAlike !== '') return bad(`the field ${lookAlike}, which looks like another one`);
  if (!areSafeFields([pseudo.method, '', ...fields])) return bad('a method or a field with bytes that it cannot have');
  const host = (pseudo.authority === '' ? steering.host : pseudo.authority).toLowerCase();
  if (hosts > 1) return bad('more than one Host');
  if (hosts === 1 && steering.host.toLowerCase() !== host) return bad('a Host other than the authority');
  if (host === '' || !isHostValue(host)) return bad('an authority that is no plain host and port');
  const isWebSocket = pseudo.method === 'CONNECT' && pseudo.protocol === 'websocket';
  if (pseudo.method === 'CONNECT' && !isWebSocket) {
    return refuse(501, 'REQUEST_METHOD_UNSUPPORTED', 'CONNECT, but for WebSockets, is not served over HTTP/2');
  }
  const method = isWebSocket ? 'GET' : pseudo.method;
  if (!TARGET.test(pseudo.path)) return bad('a byte in the path that is not allowed there');
  const parts = splitTarget(method, pseudo.path);
  if (parts.kind === 'bad') return bad(parts.message);
  // A backend would wait for a body that never comes, or take the next request for it.
  if (isWebSocket && steering.contentLength !== null) return bad('a CONNECT with a body');
  const body = isWebSocket ? { kind: 'none' as const } : bodyOf(ended);
  if (body === null) return bad('a Content-Length that is no single decimal number below 2^53');
  // Programs see by it that there is a body: RFC 9112 6.
  if (body.kind === 'chunked') fields.push('transfer-encoding', 'chunked');
  if (isWebSocket) fields.push(...webSocketFields());
  const head: RequestHead = {
    method, target: pseudo.path, version: 11, isHttp2: true, fields: ['host', host, ...fields], host,
    path: parts.path, query: parts.query, body, keepAlive: true, upgrade: isWebSocket,
    expectContinue: steering.expect?.toLowerCase() === '100-continue',
  };
  return { kind: 'head', head };
}

function bodyOf(ended: boolean): BodyFraming | null {
  const { contentLength } = steering;
  const length = contentLength === null ? 0 : requestLengthOf(contentLength);
  if (length < 0) return null;
  if (ended) return { kind: 'none' };
  return length === 0 ? { kind: 'chunked' } : { kind: 'length', length };
}

/** RFC 8441 5: an extended CONNECT has no handshake of its own; programs know the one of RFC 6455. */
function webSocketFields(): string[] {
  return [
    'connection', 'Upgrade', 'upgrade', 'websocket', 'sec-websocket-key', randomBytes(16).toString('base64'),
  ];
}
