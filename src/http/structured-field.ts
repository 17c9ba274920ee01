// Dictionaries of structured fields (RFC 9651 4.2.2): text -> members, or null for any mistake. Members keep
// their bare value; parameters are checked and left out. Strict: half a dictionary would be guessing.

/** A bare item, an inner list, or true for a member without a value. */
export type StructuredValue =
  | { type: 'integer' | 'decimal' | 'date'; value: number }
  | { type: 'string' | 'token' | 'bytes' | 'display'; value: string }
  | { type: 'boolean'; value: boolean }
  | { type: 'list' };

const KEY = /[a-z*][a-z0-9_\-.*]*/y;
const NUMBER = /-?(?:\d{1,12}\.\d{1,3}|\d{1,15})(?![\d.])/y;
const STRING = /"(?:[ !#-[\]-~]|\\["\\])*"/y;
const TOKEN = /[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*/y;
const BYTES = /:[A-Za-z0-9+/]*={0,2}:/y;
const BOOLEAN = /\?[01]/y;
const DISPLAY = /%"(?:[ !#$&-~]|%[0-9a-f]{2})*"/y;
const DATE = /@-?\d{1,15}(?![\d.])/y;
const SPACES = / */y;
const WHITE = /[ \t]*/y;

const TRUE: StructuredValue = { type: 'boolean', value: true };
const LIST: StructuredValue = { type: 'list' };

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  /** What `pattern` matches here, or null. */
  take(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return null;
    this.#at += match[0].length;
    return match[0];
  }

  takeCharacter(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  bareItem(): StructuredValue | null {
    const number = this.take(NUMBER);
    if (number !== null) {
      return { type: number.includes('.') ? 'decimal' : 'integer', value: Number(number) };
    }
    const text = this.take(STRING);
    if (text !== null) return { type: 'string', value: text.slice(1, -1).replace(/\\(.)/g, '$1') };
    const token = this.take(TOKEN);
    if (token !== null) return { type: 'token', value: token };
    const bytes = this.take(BYTES);
    if (bytes !== null) return { type: 'bytes', value: bytes.slice(1, -1) };
    const boolean = this.take(BOOLEAN);
    if (boolean !== null) return { type: 'boolean', value: boolean === '?1' };
    const display = this.take(DISPLAY);
    if (display !== null) return { type: 'display', value: display.slice(2, -1) };
    const date = this.take(DATE);
    return date === null ? null : { type: 'date', value: Number(date.slice(1)) };
  }

  /** False for a mistake. */
  parameters(): boolean {
    while (this.takeCharacter(';')) {
      this.take(SPACES);
      if (this.take(KEY) === null) return false;
      if (this.takeCharacter('=') && this.bareItem() === null) return false;
    }
    return true;
  }

  innerList(): StructuredValue | null {
    for (;;) {
      const spaces = this.take(SPACES)!;
      if (this.takeCharacter(')')) return LIST;
      if (spaces === '' && !this.#isBehind('(')) return null;
      if (this.bareItem() === null || !this.parameters()) return null;
    }
  }

  value(): StructuredValue | null {
    const value = this.takeCharacter('(') ? this.innerList() : this.bareItem();
    return value !== null && this.parameters() ? value : null;
  }

  #isBehind(character: string): boolean {
    return this.#text[this.#at - 1] === character;
  }
}

/** The members of a dictionary, of several the last one of a name; null if the text is no dictionary. */
export function parseDictionary(text: string): Map<string, StructuredValue> | null {
  const reader = new Reader(text);
  const members = new Map<string, StructuredValue>();
  reader.take(SPACES);
  while (!reader.isAtEnd) {
    const key = reader.take(KEY);
    if (key === null) return null;
    let value: StructuredValue | null = TRUE;
    if (reader.takeCharacter('=')) value = reader.value();
    else if (!reader.parameters()) return null;
    if (value === null) return null;
    members.set(key, value);
    reader.take(WHITE);
    if (reader.isAtEnd) return members;
    if (!reader.takeCharacter(',')) return null;
    reader.take(WHITE);
    // A comma must not be the last.
    if (reader.isAtEnd) return null;
  }
  return members;
}
