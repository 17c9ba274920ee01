// The first bytes of a TLS connection: which name does the client ask for (RFC 8446 4.1.2, RFC 6066 3)? Looks and
// judges nothing: what is malformed is left to the handshake. A hello may come in pieces, of bytes and of records.

const RECORD_HANDSHAKE = 22;
const RECORD_HEAD_BYTES = 5;
const CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const NAME_TYPE_HOST = 0;

/** Longest hello that is waited for; some carry keys of 1 kB and more. */
export const CLIENT_HELLO_BYTES_MAX = 16_384;

/** `hello`: the name, in lower case; '' without one or when the hello cannot be read. */
export type HelloResult = { kind: 'hello'; servername: string } | { kind: 'more' } | { kind: 'not-tls' };

const MORE: HelloResult = { kind: 'more' };
const NAMELESS: HelloResult = { kind: 'hello', servername: '' };

/** Looks at everything that came so far. */
export function readClientHello(bytes: Buffer): HelloResult {
  if (bytes.length === 0) return MORE;
  if (bytes[0] !== RECORD_HANDSHAKE) return { kind: 'not-tls' };
  const message = handshakeBytes(bytes);
  const isCut = bytes.length < CLIENT_HELLO_BYTES_MAX;
  if (message === null) return NAMELESS;
  if (message.length < 4) return isCut ? MORE : NAMELESS;
  if (message[0] !== CLIENT_HELLO) return NAMELESS;
  const end = 4 + message.readUIntBE(1, 3);
  if (end > CLIENT_HELLO_BYTES_MAX) return NAMELESS;
  if (message.length < end) return isCut ? MORE : NAMELESS;
  return { kind: 'hello', servername: nameIn(message.subarray(4, end)) };
}

/** What the records carry, the last one maybe cut. Null: a record of another kind is among them. */
function handshakeBytes(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + RECORD_HEAD_BYTES <= bytes.length) {
    if (bytes[at] !== RECORD_HANDSHAKE) return null;
    const length = bytes.readUInt16BE(at + 3);
    at += RECORD_HEAD_BYTES;
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** Skips a vector whose length takes `lengthBytes`; -1 when it does not fit. */
function skip(bytes: Buffer, at: number, lengthBytes: number): number {
  if (at < 0 || at + lengthBytes > bytes.length) return -1;
  const end = at + lengthBytes + bytes.readUIntBE(at, lengthBytes);
  return end > bytes.length ? -1 : end;
}

function nameIn(hello: Buffer): string {
  // Version and random; session id, cipher suites, compression methods.
  let at = skip(hello, 34, 1);
  at = skip(hello, at, 2);
  at = skip(hello, at, 1);
  if (at < 0 || at + 2 > hello.length) return '';
  at += 2;
  while (at + 4 <= hello.length) {
    const end = skip(hello, at + 2, 2);
    if (end < 0) return '';
    if (hello.readUInt16BE(at) === EXTENSION_SERVER_NAME) return hostNameIn(hello.subarray(at + 4, end));
    at = end;
  }
  return '';
}

function hostNameIn(list: Buffer): string {
  if (list.length < 5 || list[2] !== NAME_TYPE_HOST) return '';
  const end = skip(list, 3, 2);
  return end < 0 ? '' : list.toString('latin1', 5, end).toLowerCase();
}
