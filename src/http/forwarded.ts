// What an app is told about proxies on the way. One rule:
//   - a trusted peer (trustedProxies) may be a proxy: what it sent is passed on, and its own address is added to
//     the X-Forwarded-For and the Forwarded that are there; a direct client at this machine gets nothing added;
//   - from any other peer every field that a proxy would add is dropped, and X-Forwarded-For, -Proto, -Host and
//     -Port say what the front saw itself.

import { isLoopbackAddress } from '../base/loopback.ts';
import type { Origin } from '../wire/link-messages.ts';

const FORWARDED_FOR = 'x-forwarded-for';
const LOWER_CASE = 0x20;
const F = 0x66;
const X = 0x78;

function isForwardedFor(name: string): boolean {
  return (name.charCodeAt(0) | LOWER_CASE) === X && name.length === FORWARDED_FOR.length
    && name.toLowerCase() === FORWARDED_FOR;
}

function isForwarded(name: string): boolean {
  return (name.charCodeAt(0) | LOWER_CASE) === F && name.length === 9 && name.toLowerCase() === 'forwarded';
}

function isForwardedProto(name: string): boolean {
  return (name.charCodeAt(0) | LOWER_CASE) === X && name.toLowerCase() === 'x-forwarded-proto';
}

/** Whether the proxies on the way say that the client came over TLS. For trusted peers only. */
export function isForwardedHttps(fields: readonly string[]): boolean {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index]!;
    const isProto = isForwardedProto(name);
    if (!isProto && !isForwarded(name)) continue;
    // The first proxy saw the client.
    const first = fields[index + 1]!.split(',')[0]!;
    return isProto ? first.trim().toLowerCase() === 'https' : /(?:^|;)\s*proto="?https"?\s*(?:;|$)/i.test(first);
  }
  return false;
}

/** Fields by which a proxy says for whom it asks. */
function isProxyField(name: string): boolean {
  const first = name.charCodeAt(0) | LOWER_CASE;
  if (first !== X && first !== F) return false;
  const plain = name.toLowerCase();
  if (plain === 'forwarded' || plain === 'x-real-ip' || plain === 'x-client-ip') return true;
  return plain === 'x-forwarded' || plain.startsWith('x-forwarded-');
}

/** 127.0.0.1 for ::ffff:127.0.0.1: a listener for both families is no business of an app. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/**
 * The fields for the app: the same array where nothing changes. `host` is what the client asked for,
 * `isTrusted` whether the peer of the connection may speak for others.
 */
export function forwardedFields(
  fields: string[],
  peer: { origin: Origin; isTrusted: boolean; host: string },
): string[] {
  const { origin, isTrusted, host } = peer;
  if (!isTrusted) return withoutClaims(fields, origin, host);
  const added = withPeer(fields, origin);
  if (added !== fields || isLoopbackAddress(origin.remoteAddress)) return added;
  // A client beside the proxy, on its network: it claims nothing, so it is its own.
  return withoutClaims(fields, origin, host);
}

/** Adds the peer to the last X-Forwarded-For and to the last Forwarded. */
function withPeer(fields: string[], origin: Origin): string[] {
  let changed = fields;
  let [hasFor, hasForwarded] = [false, false];
  for (let index = fields.length - 2; index >= 0; index -= 2) {
    const isFor = !hasFor && isForwardedFor(fields[index]!);
    const isForwardedField = !isFor && !hasForwarded && isForwarded(fields[index]!);
    if (!isFor && !isForwardedField) continue;
    hasFor ||= isFor;
    hasForwarded ||= isForwardedField;
    if (changed === fields) changed = [...fields];
    const before = fields[index + 1]!;
    const address = plainAddress(origin.remoteAddress);
    const own = isFor ? address : forwardedNode(address);
    changed[index + 1] = before === '' ? own : `${before}, ${own}`;
  }
  return changed;
}

/** RFC 7239 4 and 6: an element that names the peer. */
function forwardedNode(address: string): string {
  return address.includes(':') ? `for="[${address}]"` : `for=${address}`;
}

function withoutClaims(fields: string[], origin: Origin, host: string): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (!isProxyField(fields[index]!)) kept.push(fields[index]!, fields[index + 1]!);
  }
  kept.push('X-Forwarded-For', plainAddress(origin.remoteAddress));
  kept.push('X-Forwarded-Proto', origin.encrypted ? 'https' : 'http');
  if (host !== '') kept.push('X-Forwarded-Host', host);
  kept.push('X-Forwarded-Port', String(origin.localPort));
  return kept;
}

/** The head without the field that names a user, in lower case ('': none), and without what may pass for it. */
export function withoutUser<Head extends { fields: string[] }>(head: Head, userField: string): Head {
  if (userField === '') return head;
  const { fields } = head;
  const kept: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index]!;
    if (name.toLowerCase().replaceAll('_', '-') !== userField) kept.push(name, fields[index + 1]!);
  }
  return kept.length === fields.length ? head : { ...head, fields: kept };
}
