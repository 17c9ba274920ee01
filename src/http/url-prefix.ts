// URL prefixes: `http://host:port/path/` in four categories, or a plain path. And the one canonical form of
// a request's path by which routes are found; what the app sees stays raw.

import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { HostError } from '../base/host-error.ts';
import { byteTable } from './field-lines.ts';

/** `strong`: `+`. `explicit`: a host name. `ip`: a local address. `weak`: `*`. Searched in this order. */
export type PrefixCategory = 'strong' | 'explicit' | 'ip' | 'weak';

export interface UrlPrefix {
  /** `*`: both. */
  scheme: 'http' | 'https' | '*';
  category: PrefixCategory;
  /** `+`, `*`, a name in lower case, or an address without brackets. */
  host: string;
  /** 0: any. */
  port: number;
  /** Canonical, as {@link routingPath} makes it, with a slash at both ends. */
  path: string;
}

/** Longest prefix. Longer: PREFIX_INVALID. */
export const PREFIX_LENGTH_MAX = 2048;

/** An address as a socket tells it: IPv6 shortened, IPv4 never mapped. */
export function canonicalAddress(address: string): string {
  const plain = address.toLowerCase();
  if (plain.startsWith('::ffff:') && isIPv4(plain.slice(7))) return plain.slice(7);
  if (!isIPv6(plain) || plain.includes('%')) return plain;
  const short = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
  if (mapped === null) return short;
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/**
 * Parses `http://+:8080/shop/`, `https://example.com:443/`, `http://[::1]:80/`, `http://*:80/a/`, or a
 * plain path like `/shop/` (every listener and host). A missing last slash is added. The path may be
 * percent-encoded or not: a literal "%" is best written `%25`. `0.0.0.0` and `[::]` mean `*`.
 * @throws HostError PREFIX_INVALID
 */
export function parseUrlPrefix(text: string): UrlPrefix {
  if (text.length > PREFIX_LENGTH_MAX) {
    throw invalid(`${text.slice(0, 40)}…`, `is longer than ${PREFIX_LENGTH_MAX} characters`);
  }
  if (text.startsWith('/')) {
    return { scheme: '*', category: 'weak', host: '*', port: 0, path: parsePath(text, text) };
  }
  const match = /^(https?):\/\/(\[[^\]/]*\]|[^:/[\]]*)(:[^/]*)?(\/.*)?$/s.exec(text);
  if (match === null) throw invalid(text, 'is neither a path nor of the form http://host:port/path/');
  const scheme = match[1] === 'https' ? 'https' : 'http';
  const { category, host } = parseHost(text, match[2]!);
  const port = parsePort(text, match[3]);
  return { scheme, category, host, port, path: parsePath(text, match[4] ?? '/') };
}

/** The prefix as text: parsing it again gives the same prefix. Two are the same when their texts are. */
export function prefixText(prefix: UrlPrefix): string {
  const path = prefix.path.replace(/[?#]/g, encodeURIComponent);
  if (prefix.scheme === '*') return path;
  const host = prefix.category === 'ip' && prefix.host.includes(':') ? `[${prefix.host}]` : prefix.host;
  return `${prefix.scheme}://${host}:${prefix.port}${path}`;
}

function invalid(text: string, why: string): HostError {
  return new HostError('PREFIX_INVALID', `the prefix ${JSON.stringify(text)} ${why}`);
}

function parseHost(text: string, host: string): { category: PrefixCategory; host: string } {
  if (host === '+') return { category: 'strong', host };
  if (host === '*' || host === '0.0.0.0') return { category: 'weak', host: '*' };
  if (host === '') throw invalid(text, 'has no host');
  if (isIPv4(host)) return { category: 'ip', host };
  if (host.startsWith('[')) {
    const address = host.slice(1, -1);
    if (!isIPv6(address) || address.includes('%')) throw invalid(text, 'has brackets around no IPv6 address');
    const canonical = canonicalAddress(address);
    return canonical === '::' ? { category: 'weak', host: '*' } : { category: 'ip', host: canonical };
  }
  if (host.includes('%')) throw invalid(text, 'has an escape in its host');
  const name = domainToASCII(host).toLowerCase().replace(/\.$/, '');
  if (name === '' || !/^[a-z0-9._~-]+$/.test(name)) throw invalid(text, 'has a host that is no name');
  // What looks like a number is read as an address by some and as a name by others.
  if (isIPv4(name) || /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(host.toLowerCase())) {
    throw invalid(text, 'has a host that is neither a name nor an IPv4 address in four decimal numbers');
  }
  return { category: 'explicit', host: name };
}

function parsePort(text: string, part: string | undefined): number {
  if (part === undefined || part === ':') throw invalid(text, 'has no port');
  if (!/^:[1-9]\d{0,4}$/.test(part) || Number(part.slice(1)) > 65_535) {
    throw invalid(text, 'has a port that is no number from 1 to 65535 without leading zeros');
  }
  return Number(part.slice(1));
}

function parsePath(text: string, path: string): string {
  if (/[?#\\]/.test(path)) throw invalid(text, 'has a "?", a "#" or a backslash in its path');
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]|\p{Surrogate}/u.test(path)) {
    throw invalid(text, 'has characters in its path that no path can have');
  }
  const encoded = path.replace(/[^\u0021-\u007e]+/g, encodeURIComponent);
  const canonical = routingPath(encoded.endsWith('/') ? encoded : `${encoded}/`);
  if (canonical === null) throw invalid(text, 'has a path that can be read in two ways');
  return canonical;
}

const SLASH = 0x2f;
const PERCENT = 0x25;
const BACKSLASH = 0x5c;
const DOT = 0x2e;

const STAYS_ENCODED = byteTable('/\\%\u007f', 0x00, 0x1f);

/**
 * The path by which routes are compared: percent-decoded as UTF-8, dot segments removed, double slashes
 * kept. `%2F`, `%5C`, `%25`, control characters and what is no UTF-8 stay encoded, with capital digits; a
 * "%" that begins no escape becomes `%25`. `*` and authorities (OPTIONS *, CONNECT) belong to `/`.
 * Null where two readers would see different paths: a raw backslash, `%00`, overlong UTF-8.
 */
export function routingPath(rawPath: string): string | null {
  if (rawPath.charCodeAt(0) !== SLASH) return '/';
  let isPlain = true;
  for (let index = 1; index < rawPath.length; index++) {
    const unit = rawPath.charCodeAt(index);
    if (unit === BACKSLASH) return null;
    if (unit === PERCENT || (unit === DOT && rawPath.charCodeAt(index - 1) === SLASH)) isPlain = false;
  }
  if (isPlain) return rawPath;
  const decoded = rawPath.includes('%') ? decodePath(rawPath) : rawPath;
  return decoded === null ? null : removeDotSegments(decoded);
}

function decodePath(path: string): string | null {
  let isAmbiguous = false;
  // Whole runs, since a character may take several escapes.
  const decoded = path.replace(/(?:%[0-9a-fA-F]{2})+|%/g, (run) => {
    if (run === '%') return '%25';
    const bytes = Buffer.from(run.replaceAll('%', ''), 'hex');
    const text = decodeRun(bytes);
    if (text === null) isAmbiguous = true;
    return text ?? '';
  });
  return isAmbiguous ? null : decoded;
}

function encodeByte(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Bytes to text; null when they hold NUL or overlong UTF-8. */
function decodeRun(bytes: Buffer): string | null {
  let text = '';
  for (let index = 0; index < bytes.length; ) {
    const byte = bytes[index]!;
    if (byte === 0) return null;
    if (byte < 0x80) {
      text += STAYS_ENCODED[byte] === 1 ? encodeByte(byte) : String.fromCharCode(byte);
      index += 1;
      continue;
    }
    const length = sequenceLength(bytes, index);
    if (length < 0) return null;
    text += length === 0 ? encodeByte(byte) : bytes.toString('utf8', index, index + length);
    index += Math.max(1, length);
  }
  return text;
}

/** Bytes of the UTF-8 sequence at `index`, 0 if there is none, -1 if it is overlong. RFC 3629 4. */
function sequenceLength(bytes: Buffer, index: number): number {
  const lead = bytes[index]!;
  const second = bytes[index + 1] ?? 0;
  const isContinued = second >= 0x80 && second < 0xc0;
  if (lead === 0xc0 || lead === 0xc1) return -1;
  if (isContinued && ((lead === 0xe0 && second < 0xa0) || (lead === 0xf0 && second < 0x90))) return -1;
  // Surrogates, and what lies beyond U+10FFFF.
  if ((lead === 0xed && second >= 0xa0) || (lead === 0xf4 && second >= 0x90)) return 0;
  let length = 0;
  if (lead >= 0xc2 && lead < 0xe0) length = 2;
  else if (lead >= 0xe0 && lead < 0xf0) length = 3;
  else if (lead >= 0xf0 && lead < 0xf5) length = 4;
  for (let more = 1; more < length; more++) {
    if (((bytes[index + more] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

/** RFC 3986 5.2.4, on whole segments: an empty segment counts as one. */
function removeDotSegments(path: string): string {
  if (!path.includes('/.')) return path;
  const segments = path.split('/');
  const kept: string[] = [];
  for (let index = 1; index < segments.length; index++) {
    const segment = segments[index]!;
    const isLast = index === segments.length - 1;
    if (segment === '.' || segment === '..') {
      if (segment === '..') kept.pop();
      if (isLast) kept.push('');
    } else {
      kept.push(segment);
    }
  }
  return `/${kept.join('/')}`;
}
