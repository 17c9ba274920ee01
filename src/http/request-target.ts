// The four forms of a request target (RFC 9112 3.2) and the value of Host (RFC 9110 7.2). Narrower than
// the grammar where two readers could find different hosts: no user info, no escapes, no empty ports.

import { isIPv6 } from 'node:net';
import { ALPHANUMERICS, byteTable } from './field-lines.ts';

/** RFC 3986 3.2.2 reg-name without escapes and sub-delims, which no host name needs. */
const HOST_BYTES = byteTable(`${ALPHANUMERICS}-._~`);

/** What a target says. `host` is the authority of the absolute form, else ''. */
export interface TargetParts {
  kind: 'target';
  path: string;
  /** With its "?", or ''. */
  query: string;
  host: string;
}

/** The target has none of the four forms; `message` says why. */
export interface BadTarget {
  kind: 'bad';
  message: string;
}

/** True for a port as people write it: 0 to 65535, no sign, no leading zero. */
function isPort(text: string, start: number): boolean {
  const digits = text.length - start;
  if (digits < 1 || digits > 5) return false;
  if (digits > 1 && text.charCodeAt(start) === 0x30) return false;
  let port = 0;
  for (let index = start; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65_535;
}

/** True for a name, an IPv4 address or an [IPv6] address, with or without a port. Never for ''. */
export function isHostValue(text: string): boolean {
  if (text.charCodeAt(0) === 0x5b) {
    const close = text.indexOf(']');
    if (close < 0 || !isIPv6(text.slice(1, close)) || text.includes('%')) return false;
    if (close === text.length - 1) return true;
    return text.charCodeAt(close + 1) === 0x3a && isPort(text, close + 2);
  }
  let at = 0;
  while (at < text.length && HOST_BYTES[text.charCodeAt(at)] === 1) at += 1;
  if (at === 0) return false;
  return at === text.length || (text.charCodeAt(at) === 0x3a && isPort(text, at + 1));
}

function bad(message: string): BadTarget {
  return { kind: 'bad', message };
}

function splitQuery(text: string, host: string): TargetParts {
  const mark = text.indexOf('?');
  if (mark < 0) return { kind: 'target', path: text, query: '', host };
  return { kind: 'target', path: text.slice(0, mark), query: text.slice(mark), host };
}

/** `http://host/path?query`, or https. The host comes out in lower case. */
function splitAbsolute(method: string, target: string): TargetParts | BadTarget {
  const scheme = target.slice(0, target.indexOf('://') + 3).toLowerCase();
  if (scheme !== 'http://' && scheme !== 'https://') {
    return bad('a target that is neither a path nor an http or https URL');
  }
  let end = scheme.length;
  while (end < target.length && target[end] !== '/' && target[end] !== '?') end += 1;
  const host = target.slice(scheme.length, end).toLowerCase();
  if (!isHostValue(host)) return bad('a target whose authority is no plain host and port');
  if (end === target.length) {
    // RFC 9112 3.2.4: an OPTIONS without a path is about the server.
    return { kind: 'target', path: method === 'OPTIONS' ? '*' : '/', query: '', host };
  }
  const rest = target.slice(end);
  return splitQuery(rest.startsWith('/') ? rest : `/${rest}`, host);
}

/** Percent-encodes bytes of 0x80 and above (`text` has a character a byte), so that all readers see the same. */
export function encodeRawBytes(text: string): string {
  return text.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Takes a target apart. `target` holds no white space, no control characters and no "#". */
export function splitTarget(method: string, target: string): TargetParts | BadTarget {
  if (method === 'CONNECT') {
    const isAuthority = isHostValue(target) && /:\d+$/.test(target);
    if (!isAuthority) return bad('a CONNECT whose target is no host with a port');
    return { kind: 'target', path: target, query: '', host: '' };
  }
  if (target.charCodeAt(0) === 0x2f) return splitQuery(target, '');
  if (target === '*') {
    if (method !== 'OPTIONS') return bad('the target "*" with a method other than OPTIONS');
    return { kind: 'target', path: target, query: '', host: '' };
  }
  return splitAbsolute(method, target);
}
