// The PROXY protocol, versions 1 and 2: what a TCP proxy says in front of a connection about the client behind
// it. Bytes -> header, more or bad. Strict; extensions (TLVs) are skipped. May arrive one byte at a time.

import { isIPv4, isIPv6 } from 'node:net';

/** Most bytes of a header with its extensions. More: bad. */
export const PROXY_HEADER_BYTES_MAX = 4096;
/** Most bytes of a version 1 header, as its specification says. */
const LINE_BYTES_MAX = 107;
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const LINE_START = Buffer.from('PROXY ', 'latin1');
const HEAD_BYTES = 16;

/** The two ends of the connection at the proxy. */
export interface ProxiedEnds {
  remoteAddress: string;
  remotePort: number;
  localAddress: string;
  localPort: number;
}

/** `ends` null: the proxy speaks for itself (health checks) or of something that is no TCP. */
export type ProxyHeaderResult =
  | { kind: 'more' }
  | { kind: 'header'; bytes: number; ends: ProxiedEnds | null }
  | { kind: 'bad'; message: string };

const MORE: ProxyHeaderResult = { kind: 'more' };

function bad(message: string): ProxyHeaderResult {
  return { kind: 'bad', message };
}

function startsAlike(bytes: Buffer, start: Buffer): boolean {
  const count = Math.min(bytes.length, start.length);
  return bytes.subarray(0, count).equals(start.subarray(0, count));
}

/** Looks for a header at the start of `bytes`. After `more` call again with the same bytes and more behind them. */
export function parseProxyHeader(bytes: Buffer): ProxyHeaderResult {
  if (bytes.length === 0) return MORE;
  if (startsAlike(bytes, SIGNATURE)) return bytes.length < HEAD_BYTES ? MORE : parseBinary(bytes);
  if (startsAlike(bytes, LINE_START)) return parseLine(bytes);
  return bad('a connection that does not begin with a PROXY protocol header');
}

/** Version 1: `PROXY TCP4 from to port port` CR LF. */
function parseLine(bytes: Buffer): ProxyHeaderResult {
  const lineFeed = bytes.subarray(0, LINE_BYTES_MAX).indexOf(0x0a);
  if (lineFeed < 0) return bytes.length < LINE_BYTES_MAX ? MORE : bad('a PROXY line that is too long');
  const line = bytes.toString('latin1', 0, lineFeed + 1);
  if (!line.endsWith('\r\n')) return bad('a PROXY line without its CR');
  const count = lineFeed + 1;
  if (/^PROXY UNKNOWN(?: [^\r]*)?\r\n$/.test(line)) return { kind: 'header', bytes: count, ends: null };
  const match = /^PROXY TCP([46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n$/.exec(line);
  if (match === null) return bad('a PROXY line of another form');
  const [, family, remoteAddress = '', localAddress = '', from, to] = match;
  const isAddress = family === '4' ? isIPv4 : isIPv6;
  if (!isAddress(remoteAddress) || !isAddress(localAddress) || /%/.test(remoteAddress + localAddress)) {
    return bad('a PROXY line with something that is no address');
  }
  const [remotePort, localPort] = [Number(from), Number(to)];
  if (remotePort > 65_535 || localPort > 65_535) return bad('a PROXY line with a port above 65535');
  return { kind: 'header', bytes: count, ends: { remoteAddress, remotePort, localAddress, localPort } };
}

/** Version 2: signature, version and command, family, length, addresses, extensions. */
function parseBinary(bytes: Buffer): ProxyHeaderResult {
  const [version, command] = [bytes[12]! >> 4, bytes[12]! & 15];
  if (version !== 2 || command > 1) return bad('a PROXY header of an unknown version or command');
  const length = bytes.readUInt16BE(14);
  if (HEAD_BYTES + length > PROXY_HEADER_BYTES_MAX) {
    return bad(`a PROXY header of more than ${PROXY_HEADER_BYTES_MAX} bytes`);
  }
  if (bytes.length < HEAD_BYTES + length) return MORE;
  const count = HEAD_BYTES + length;
  const family = bytes[13]!;
  if (command === 0 || (family !== 0x11 && family !== 0x21)) return { kind: 'header', bytes: count, ends: null };
  const size = family === 0x11 ? 4 : 16;
  if (length < size * 2 + 4) return bad('a PROXY header that is too short for its addresses');
  const addressAt = (at: number): string => {
    const address = bytes.subarray(at, at + size);
    return size === 4 ? address.join('.') : ipv6Text(address);
  };
  const ports = HEAD_BYTES + size * 2;
  const ends = {
    remoteAddress: addressAt(HEAD_BYTES),
    remotePort: bytes.readUInt16BE(ports),
    localAddress: addressAt(HEAD_BYTES + size),
    localPort: bytes.readUInt16BE(ports + 2),
  };
  return { kind: 'header', bytes: count, ends };
}

/** RFC 5952, as node shows addresses. */
function ipv6Text(address: Buffer): string {
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(address.readUInt16BE(at).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
