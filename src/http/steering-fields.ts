// Fields that steer a message instead of describing it: framing, host, connection. Noting them costs a
// look at the length and the first letter of each name. Used on requests and on responses.

import type { FramingFields } from './body-length.ts';
import { joinValues, nameLength, nameOf, nameStart, valueOf } from './field-lines.ts';

/** An underscore after the change to lower case that is right for letters. */
const UNDERSCORE = 0x5f | 0x20;

/** What the steering fields of one head said. May be reused once the head is finished. */
export class SteeringFields implements FramingFields {
  hosts = 0;
  host = '';
  contentLength: string | null = null;
  transferEncoding: string | null = null;
  connection: string | null = null;
  /** The last one counts. */
  keepAlive: string | null = null;
  upgrade: string | null = null;
  expect: string | null = null;
  /** A field that some program would take for another: "_" for "-", or a name that objects have. */
  lookAlike = '';

  clear(): void {
    this.hosts = 0;
    this.host = '';
    this.contentLength = null;
    this.transferEncoding = null;
    this.connection = null;
    this.keepAlive = null;
    this.upgrade = null;
    this.expect = null;
    this.lookAlike = '';
  }

  /** As `note`, for field `index` of the last whole scan. Most fields need no text of their own for it. */
  noteLine(text: string, index: number): boolean {
    const start = nameStart(index);
    const length = nameLength(index);
    const first = text.charCodeAt(start) | 0x20;
    if (!maySteer(length, first) && !mayLookAlike(text, start, length, first)) return true;
    return this.note(nameOf(text, index), first, valueOf(text, index));
  }

  /**
   * Notes a field if it steers. False: the field ends here. `first` is the first byte in lower case. A
   * Connection that names other fields, and Upgrade, go on until {@link withoutFields}.
   */
  note(name: string, first: number, value: string): boolean {
    switch (name.length) {
      case 2:
        return first !== 0x74 || name.toLowerCase() !== 'te';
      case 4:
        if (first === 0x68 && (name === 'Host' || name.toLowerCase() === 'host')) {
          this.hosts += 1;
          this.host = value;
        }
        return true;
      case 6:
        if (first === 0x65 && name.toLowerCase() === 'expect') {
          this.expect = joinValues(this.expect, value);
        }
        return true;
      case 7:
        if (first === 0x75 && name.toLowerCase() === 'upgrade') {
          this.upgrade = joinValues(this.upgrade, value);
        }
        return true;
      case 9:
        if (first === UNDERSCORE && name.toLowerCase() === '__proto__') this.lookAlike = name;
        break;
      case 10:
        return this.#noteTen(name, first, value);
      case 11:
        // RFC 9440 2.4: nobody but the front says this.
        if (first === 0x63 && name.toLowerCase() === 'client-cert') return false;
        break;
      case 14:
        if (first === 0x63 && (name === 'Content-Length' || name.toLowerCase() === 'content-length')) {
          this.contentLength = joinValues(this.contentLength, value);
          return true;
        }
        break;
      case 16:
        if (first === 0x70 && name.toLowerCase() === 'proxy-connection') return false;
        break;
      case 17:
        if (first === 0x63 && name.toLowerCase() === 'client-cert-chain') return false;
        if (first === 0x74 && name.toLowerCase() === 'transfer-encoding') {
          this.transferEncoding = joinValues(this.transferEncoding, value);
          return true;
        }
        break;
    }
    if (mayLookAlike(name, 0, name.length, first)) this.#noteLookAlike(name);
    return true;
  }

  #noteTen(name: string, first: number, value: string): boolean {
    if (first === 0x63 && (name === 'Connection' || name.toLowerCase() === 'connection')) {
      this.connection = joinValues(this.connection, value);
      // The usual values name no other field: the rest of the work can be left out.
      return !isKeepAlive(value) && !isClose(value);
    }
    if (first !== 0x6b || (name !== 'Keep-Alive' && name.toLowerCase() !== 'keep-alive')) return true;
    this.keepAlive = value;
    return false;
  }

  #noteLookAlike(name: string): void {
    const plain = name.toLowerCase().replaceAll('_', '-');
    const isSteering = plain === 'content-length' || plain === 'transfer-encoding';
    const isIdentity = plain.startsWith('x-forwarded-') || plain === 'x-real-ip' || plain === 'x-client-ip'
      || plain.startsWith('client-cert');
    if (isSteering || isIdentity) this.lookAlike = name;
  }
}

/** The lengths and first letters that `note` looks closer at. */
function maySteer(length: number, first: number): boolean {
  switch (length) {
    case 2:
    case 17:
      return first === 0x74;
    case 4:
      return first === 0x68;
    case 6:
      return first === 0x65;
    case 7:
      return first === 0x75;
    case 9:
      return first === UNDERSCORE;
    case 10:
      return first === 0x63 || first === 0x6b;
    case 14:
      return first === 0x63;
    case 16:
      return first === 0x70;
    default:
      return false;
  }
}

/** Names that begin with c, t or x and have a "_": content_length, transfer_encoding, x_forwarded_for. */
function mayLookAlike(text: string, start: number, length: number, first: number): boolean {
  if (first !== 0x63 && first !== 0x74 && first !== 0x78) return false;
  for (let at = start; at < start + length; at++) {
    if (text.charCodeAt(at) === 0x5f) return true;
  }
  return false;
}

/** True for exactly `keep-alive`, in any case. */
export function isKeepAlive(value: string): boolean {
  return value === 'keep-alive' || (value.length === 10 && value.toLowerCase() === 'keep-alive');
}

/** True for exactly `close`, in any case. */
export function isClose(value: string): boolean {
  return value === 'close' || (value.length === 5 && value.toLowerCase() === 'close');
}

/**
 * The fields without those named, in lower case. With `keepsUpgrade` Upgrade stays whatever is named, and
 * Connection says just `Upgrade`.
 */
export function withoutFields(
  fields: readonly string[],
  names: readonly string[],
  keepsUpgrade: boolean,
): string[] {
  const kept: string[] = [];
  let hasConnection = false;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    const plain = name.toLowerCase();
    if (keepsUpgrade && plain === 'upgrade') {
      kept.push(name, fields[index + 1]!);
    } else if (keepsUpgrade && plain === 'connection') {
      if (!hasConnection) kept.push(name, 'Upgrade');
      hasConnection = true;
    } else if (!names.includes(plain)) {
      kept.push(name, fields[index + 1]!);
    }
  }
  return kept;
}
