// Field lines of a head or of trailers: bytes -> offsets, in one pass that can stop at any byte.
// The byte classes of RFC 9110 5.5 and 5.6.2 live here. Scanning allocates nothing.

import { assert } from '../base/assert.ts';

/** Horizontal tab. */
export const HTAB = 0x09;
/** Line feed. */
export const LF = 0x0a;
/** Carriage return. */
export const CR = 0x0d;
/** Space. */
export const SP = 0x20;
const COLON = 0x3a;

/** Most fields that any caller may ask for: the scratch offsets are made for them. */
export const FIELDS_MAX = 2000;

/** 1 for each byte of `text`, added to a new table of all bytes. */
export function byteTable(text: string, from = 0, to = -1): Uint8Array {
  const table = new Uint8Array(256);
  for (let index = 0; index < text.length; index++) table[text.charCodeAt(index)] = 1;
  for (let byte = from; byte <= to; byte++) table[byte] = 1;
  return table;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The letters and digits of ASCII. */
export const ALPHANUMERICS = `${LETTERS}0123456789`;

/** 1 where a byte may stand in a token: methods, field names. RFC 9110 5.6.2. */
export const TOKEN_BYTES = byteTable(`${ALPHANUMERICS}!#$%&'*+-.^_\`|~`);

/** 1 where a byte may stand in a field value: HTAB, SP, VCHAR, obs-text. RFC 9110 5.5. */
export const VALUE_BYTES = byteTable('\t', 0x20, 0xff);
VALUE_BYTES[0x7f] = 0;

/** `end`: the empty line was read. `many`: more fields than allowed. `bad`: see `fault`. */
export type ScanResult = 'more' | 'end' | 'many' | 'bad';

// What is read next.
const NAME_START = 0;
const NAME = 1;
const VALUE_START = 2;
const VALUE = 3;
const LINE_FEED = 4;
const LAST_LINE_FEED = 5;

/**
 * Four numbers a field, relative to the base of the last scan: start and end of the name, start and end
 * of the value without white space around it. Shared by all scanners, so it is valid only right after a
 * scan that began at the first field and ended with `end`.
 */
const offsets = new Int32Array(FIELDS_MAX * 4);

/** Scans field lines up to and with the empty line. One per connection, reset for each head. */
export class FieldScanner {
  /** Whole fields so far. */
  count = 0;
  /** Offset of the next byte to look at, relative to the base. After `end`: of the byte behind. */
  position = 0;
  /** What is wrong after `bad`. */
  fault = '';
  #state = NAME_START;
  #valueStart = 0;

  /** Makes ready for the first field line, which starts at `position` from the base. */
  reset(position: number): void {
    this.count = 0;
    this.position = position;
    this.#state = NAME_START;
  }

  /**
   * Goes on at `position` and looks at no byte from `end` on. `base` may differ from call to call: the
   * bytes may have moved, but must all be there.
   */
  scan(buffer: Buffer, base: number, end: number, countMax: number): ScanResult {
    let at = base + this.position;
    let state = this.#state;
    while (at < end) {
      if (state === NAME_START) {
        const byte = buffer[at]!;
        if (byte === CR) {
          state = LAST_LINE_FEED;
          at += 1;
          continue;
        }
        if (TOKEN_BYTES[byte] === 0) return this.#badName(byte, true);
        if (this.count === countMax) return 'many';
        offsets[this.count * 4] = at - base;
        state = NAME;
      }
      if (state === NAME) {
        while (at < end && TOKEN_BYTES[buffer[at]!] === 1) at += 1;
        if (at === end) break;
        if (buffer[at] !== COLON) return this.#badName(buffer[at]!, false);
        offsets[this.count * 4 + 1] = at - base;
        state = VALUE_START;
        at += 1;
      }
      if (state === VALUE_START) {
        while (at < end && (buffer[at] === SP || buffer[at] === HTAB)) at += 1;
        if (at === end) break;
        this.#valueStart = at - base;
        state = VALUE;
      }
      if (state === VALUE) {
        while (at < end && VALUE_BYTES[buffer[at]!] === 1) at += 1;
        if (at === end) break;
        if (buffer[at] !== CR) return this.#badValue(buffer[at]!);
        this.#endValue(buffer, base, at);
        state = LINE_FEED;
        at += 1;
        if (at === end) break;
      }
      if (buffer[at] !== LF) return this.#bad('a CR without its LF');
      at += 1;
      if (state === LAST_LINE_FEED) {
        this.position = at - base;
        return 'end';
      }
      state = NAME_START;
    }
    this.position = at - base;
    this.#state = state;
    return 'more';
  }

  #endValue(buffer: Buffer, base: number, at: number): void {
    let valueEnd = at;
    const valueStart = base + this.#valueStart;
    while (valueEnd > valueStart && (buffer[valueEnd - 1] === SP || buffer[valueEnd - 1] === HTAB)) {
      valueEnd -= 1;
    }
    const index = this.count * 4;
    offsets[index + 2] = this.#valueStart;
    offsets[index + 3] = valueEnd - base;
    this.count += 1;
  }

  #badName(byte: number, isFirst: boolean): 'bad' {
    if (byte === SP || byte === HTAB) {
      // RFC 9112 5.1 and 5.2: either hides a field from one of two readers.
      return this.#bad(isFirst ? 'a field line that starts with white space' : 'white space in a field name');
    }
    if (byte === LF) return this.#bad('a LF without its CR');
    if (byte === COLON) return this.#bad('a field without a name');
    if (byte === CR) return this.#bad('a field line without a colon');
    return this.#bad('a byte in a field name that is not allowed there');
  }

  #badValue(byte: number): 'bad' {
    return this.#bad(byte === LF ? 'a LF without its CR' : 'a control character in a field value');
  }

  #bad(fault: string): 'bad' {
    this.fault = fault;
    return 'bad';
  }
}

/** Start of the name of field `index` of the last whole scan. See {@link FieldScanner}. */
export function nameStart(index: number): number {
  return offsets[index * 4]!;
}

/** The name of field `index` of the last whole scan. `text` holds the scanned bytes from the base on. */
export function nameOf(text: string, index: number): string {
  return text.substring(offsets[index * 4]!, offsets[index * 4 + 1]!);
}

/** The value of field `index` of the last whole scan. */
export function valueOf(text: string, index: number): string {
  return text.substring(offsets[index * 4 + 2]!, offsets[index * 4 + 3]!);
}

/** Where the line of field `index` of the last whole scan starts. */
export function lineStart(index: number): number {
  return offsets[index * 4]!;
}

/** True when field `index` of the last whole scan is written as `Name: value`, with one space and no more. */
export function isPlainLine(text: string, index: number): boolean {
  const nameEnd = offsets[index * 4 + 1]!;
  const valueEnd = offsets[index * 4 + 3]!;
  const gap = offsets[index * 4 + 2]! - nameEnd;
  return gap === 2 && text.charCodeAt(nameEnd + 1) === SP && text.charCodeAt(valueEnd) === CR;
}

/** Length of the name of field `index` of the last whole scan. */
export function nameLength(index: number): number {
  return offsets[index * 4 + 1]! - offsets[index * 4]!;
}

/** True if that is the name, given in lower case, of field `index` of the last whole scan. */
export function hasName(text: string, index: number, name: string): boolean {
  const start = offsets[index * 4]!;
  if (offsets[index * 4 + 1]! - start !== name.length) return false;
  for (let at = 0; at < name.length; at++) {
    const unit = text.charCodeAt(start + at);
    const wanted = name.charCodeAt(at);
    // Letters only: what differs from them in this bit is no token.
    if (unit !== wanted && (unit | 0x20) !== wanted) return false;
  }
  return true;
}

/** True when a tab stands between the value of field `index` of the last whole scan and its CR. */
export function hasTabBehind(text: string, index: number): boolean {
  for (let at = offsets[index * 4 + 3]!; ; at++) {
    const unit = text.charCodeAt(at);
    if (unit !== SP) return unit === HTAB;
  }
}

/** All fields of the last whole scan of `scanner`, flat: name, value, name, value. */
export function fieldsOf(scanner: FieldScanner, text: string): string[] {
  assert(scanner.count <= FIELDS_MAX, 'no scan finds more fields than there is room for');
  const fields: string[] = [];
  for (let index = 0; index < scanner.count; index++) {
    fields.push(nameOf(text, index), valueOf(text, index));
  }
  return fields;
}

/** The elements of a comma-separated list in lower case, without white space and empty ones. */
export function listElements(value: string): string[] {
  const elements: string[] = [];
  for (const part of value.split(',')) {
    const element = part.trim().toLowerCase();
    if (element !== '') elements.push(element);
  }
  return elements;
}

/** Two values of one field as one, RFC 9110 5.3. */
export function joinValues(first: string | null, second: string): string {
  return first === null ? second : `${first}, ${second}`;
}
