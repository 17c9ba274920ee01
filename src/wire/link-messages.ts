// The link: what a front and an app process (or a session proxy) say to each other. The process dials
// the front's socket; the front serves many processes, a process has one link to each front.
//
// A channel is one client connection as one process sees it: OPEN rides on its first REQUEST, CLOSE ends
// it. Exchanges on a channel follow each other: the front sends the next REQUEST only after the app's END.
// HTTP/2 streams each get a channel of their own. Channel 0 is the link itself.
//
//   frame       to     channel  payload
//   HELLO       front  0        JSON Hello: version, pid, key
//   WELCOME     app    0        JSON Welcome, the answer to HELLO
//   REFUSED     app    0        JSON Refusal: why HELLO or REGISTER was not taken
//   REGISTER    front  0        JSON Registration: a server listens
//   REGISTERED  app    0        JSON {id}: requests may come for it
//   UNREGISTER  front  0        JSON {id}: the server closed; exchanges under way go on
//   REQUEST     app    n        see encodeRequest
//   DATA        both   n        body bytes, which are handed on as they come, maybe before the frame is whole;
//                               towards the app plain, towards the front the response exactly
//                               as node wrote it (heads, chunk framing and all), or bytes of a tunnel
//   END         both   n        no more DATA of this exchange; towards the app with trailers:
//                               latin1 name NUL value NUL …, or empty
//   LAST        front  n        DATA and, behind it, END without trailers: how an answer that is ready ends
//   CREDIT      both   n        u32: that many more bytes of DATA may be sent on the channel
//   RESET       both   n        u32 ResetReason: the exchange is over, the channel with it
//   META        front  n        JSON AnswerMeta: what the program says beside its answer, before the DATA with
//                               the final head
//   PURGE       front  0        JSON Purging: drop what is kept of the app's own answers
//   PURGED      app    0        JSON {id, isValid}, the answer to PURGE: what it names is not sent any more
//   CLOSE       both   n        to the app: the client connection is gone;
//                               to the front: close it after what was sent (socket.end())
//   DRAIN       both   0        to the app: stop soon; to the front: give this process nothing new
//   PING, PONG  both   0        alive?
//
// Credit: each direction of a channel starts with CREDIT_WINDOW_BYTES. It is never reset: whoever takes
// bytes off the wire, or throws them away, gives credit back, so it is conserved over the exchanges of a
// channel. Receivers give it in portions of at least half a window.

import { HostError } from '../base/host-error.ts';
import type { CachePurge } from './cache-messages.ts';
import type { FrameWriter } from './frame.ts';

/** Both ends say it; they must agree. */
export const LINK_VERSION = 1;

/** Frame types of the link. */
export const LINK = {
  HELLO: 1,
  WELCOME: 2,
  REFUSED: 3,
  REGISTER: 4,
  REGISTERED: 5,
  UNREGISTER: 6,
  PURGE: 7,
  PURGED: 8,
  REQUEST: 16,
  DATA: 17,
  END: 18,
  CREDIT: 19,
  RESET: 20,
  CLOSE: 21,
  META: 22,
  LAST: 23,
  DRAIN: 32,
  PING: 33,
  PONG: 34,
} as const;

/** Body bytes are handed on as they come (see FrameReader): the parts of LAST are DATA, but for the last. */
export function partType(type: number): number {
  return type === LINK.DATA || type === LINK.LAST ? LINK.DATA : 0;
}

/** Why an exchange ended early (payload of RESET). */
export const RESET_REASON = {
  /** The client went away or the front gave up on it. */
  CLIENT_GONE: 1,
  /** The app destroyed the socket or the request: the client's connection ends where the answer stands. */
  APP_ABORTED: 2,
  /** No server of the process listens for the request. */
  NO_SERVER: 3,
  /** A bound was hit; the exchange cannot go on. */
  LIMIT: 4,
  /** The app reset the socket: the client's connection is reset, too. */
  APP_RESET: 5,
} as const;

export interface Hello {
  version: number;
  pid: number;
  /** Proves who dials: the host put it into the environment, or gave it with a claim (join-messages.ts). */
  key?: string;
  /** Shown in status and in errors about conflicts. */
  title?: string;
}

export interface Welcome {
  version: number;
  frontPid: number;
}

export interface Refusal {
  code: 'LINK_VERSION_MISMATCH' | 'LINK_REFUSED' | 'PREFIX_INVALID' | 'PREFIX_TAKEN';
  message: string;
  /** The registration that was refused; absent when HELLO was. */
  id?: number;
}

export interface Registration {
  /** Chosen by the process, unique on its link. */
  id: number;
  /** Empty: a process serves the prefixes of its group; others are claimed from the host. */
  prefixes: string[];
}

/** A program drops kept answers of its own prefixes. */
export interface Purging extends CachePurge {
  /** Chosen by the process, unique on its link. */
  id: number;
}

/** Where a client connection comes from: sent once per channel. Never taken from request fields. */
export interface Origin {
  remoteAddress: string;
  remotePort: number;
  localAddress: string;
  localPort: number;
  encrypted: boolean;
  /** A proxy told the ends: nobody is local. Does not travel on the link. */
  relayed?: true;
  /** Of an encrypted connection: what the handshake settled. */
  tls?: TlsOrigin;
}

/** What an app may know of a TLS connection that ends in the front. Names and codes are OpenSSL's. */
export interface TlsOrigin {
  /** `TLSv1.3`. */
  protocol: string;
  cipher: { name: string; standardName: string; version: string };
  /** The name that the client asked for; '' without one. */
  servername: string;
  /** `h2`, `http/1.1`, or '' when the client offered nothing. */
  alpn: string;
  /** Absent when the client showed no certificate, or was not asked for one. */
  client?: ClientCertificate;
}

/** The certificate of a client: proven to be its own, trusted or not. */
export interface ClientCertificate {
  /** '' when the chain leads to a trusted authority; else OpenSSL's code, such as CERT_HAS_EXPIRED. */
  error: string;
  /** DER in base64, the client's own first, then its issuers as far as they are known. */
  chain: string[];
}

/** A request as it travels. `fields` is flat (name, value, …) in original case and order. */
export interface LinkRequest {
  /** Set on the first request of a channel. */
  origin?: Origin;
  /** 10, 11 or 20. */
  version: number;
  method: string;
  target: string;
  fields: string[];
  /** No body follows: no END will be sent either. */
  ended: boolean;
  /** The client asks to change protocols; if the app answers 101 (2xx to CONNECT) a tunnel begins. */
  upgrade: boolean;
  /** The front judged the client to be a person at this machine, before it rewrote any field. */
  local: boolean;
}

const REQUEST_OPENS = 1;
const REQUEST_ENDED = 2;
const REQUEST_UPGRADES = 4;
const REQUEST_ENCRYPTED = 8;
const REQUEST_LOCAL = 16;

/**
 * REQUEST payload: u8 flags, u8 version, then latin1 texts with NUL between them:
 * [remoteAddress, remotePort, localAddress, localPort when it opens, and if encrypted the TlsOrigin as JSON
 * in ASCII, or '',] method, target, name, value, …
 * NUL cannot occur in a checked head.
 */
export function encodeRequest(writer: FrameWriter, channel: number, request: LinkRequest): void {
  let flags = (request.ended ? REQUEST_ENDED : 0) | (request.upgrade ? REQUEST_UPGRADES : 0);
  if (request.local) flags |= REQUEST_LOCAL;
  let text = `${request.method}\0${request.target}`;
  if (request.fields.length > 0) text += `\0${request.fields.join('\0')}`;
  const origin = request.origin;
  if (origin !== undefined) {
    flags |= REQUEST_OPENS | (origin.encrypted ? REQUEST_ENCRYPTED : 0);
    const from = `${origin.remoteAddress}\0${origin.remotePort}`;
    if (origin.encrypted) text = `${asciiJson(origin.tls)}\0${text}`;
    text = `${from}\0${origin.localAddress}\0${origin.localPort}\0${text}`;
  }
  writer.latin1(LINK.REQUEST, channel, [flags, request.version], text);
}

/** JSON in ASCII without NUL: what is above is escaped, and JSON escapes control characters itself. */
function asciiJson(value: unknown): string {
  if (value === undefined) return '';
  // oxlint-disable-next-line no-control-regex
  return JSON.stringify(value).replace(/[^\x00-\x7f]/g, (character) =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The inverse of {@link encodeRequest}. */
export function decodeRequest(buffer: Buffer, start: number, end: number): LinkRequest {
  const flags = buffer[start]!;
  const version = buffer[start + 1]!;
  const text = buffer.toString('latin1', start + 2, end);
  let at = 0;
  let origin: Origin | undefined;
  if ((flags & REQUEST_OPENS) !== 0) {
    const encrypted = (flags & REQUEST_ENCRYPTED) !== 0;
    const remoteAddress = textAt(text, at);
    at += remoteAddress.length + 1;
    const remotePort = textAt(text, at);
    at += remotePort.length + 1;
    const localAddress = textAt(text, at);
    at += localAddress.length + 1;
    const localPort = textAt(text, at);
    at += localPort.length + 1;
    origin = { remoteAddress, remotePort: Number(remotePort), localAddress, localPort: Number(localPort), encrypted };
    if (encrypted) {
      const tls = textAt(text, at);
      at += tls.length + 1;
      if (tls !== '') origin.tls = JSON.parse(tls) as TlsOrigin;
    }
  }
  const method = textAt(text, at);
  at += method.length + 1;
  const target = textAt(text, at);
  at += target.length + 1;
  const request: LinkRequest = {
    version,
    method,
    target,
    fields: at > text.length ? [] : text.slice(at).split('\0'),
    ended: (flags & REQUEST_ENDED) !== 0,
    upgrade: (flags & REQUEST_UPGRADES) !== 0,
    local: (flags & REQUEST_LOCAL) !== 0,
  };
  if (origin !== undefined) request.origin = origin;
  return request;
}

/** The text from `at` up to the next NUL or the end. */
function textAt(text: string, at: number): string {
  const end = text.indexOf('\0', at);
  return end < 0 ? text.slice(at) : text.slice(at, end);
}

/** END with trailers (flat name, value list). */
export function encodeEnd(writer: FrameWriter, channel: number, trailers: readonly string[]): void {
  if (trailers.length === 0) writer.empty(LINK.END, channel);
  else writer.latin1(LINK.END, channel, [], trailers.join('\0'));
}

/** The trailers of an END frame: flat, maybe empty. */
export function decodeEnd(buffer: Buffer, start: number, end: number): string[] {
  return start === end ? [] : buffer.toString('latin1', start, end).split('\0');
}

/**
 * The JSON payload of a frame, an object. Its members are what the peer says they are: a front, whose peers are
 * programs of any user, checks each that it uses. @throws HostError LINK_FRAME_INVALID
 */
export function decodeJson<Message>(buffer: Buffer, start: number, end: number): Message {
  let message: unknown;
  try {
    message = JSON.parse(buffer.toString('utf8', start, end));
  } catch (error) {
    throw new HostError('LINK_FRAME_INVALID', 'the payload of a frame is not JSON', { cause: error });
  }
  if (typeof message === 'object' && message !== null && !Array.isArray(message)) return message as Message;
  throw new HostError('LINK_FRAME_INVALID', 'the payload of a frame is not an object');
}
