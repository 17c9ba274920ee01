// Enough XML to read configuration files: elements, attributes, the five entities and numeric ones, comments,
// CDATA, processing instructions. Document types are refused: they can include files and grow without bound.

import { HostError } from '../base/host-error.ts';

const DEPTH_MAX = 64;
const ELEMENTS_MAX = 20_000;

/** An element. Text between elements is of no use in these files and left out. */
export interface XmlElement {
  name: string;
  attributes: ReadonlyMap<string, XmlAttribute>;
  children: XmlElement[];
  /** From 1. */
  line: number;
}

export interface XmlAttribute {
  value: string;
  line: number;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const NAME = /[A-Za-z_:][\w:.-]*/y;
const ATTRIBUTE = /\s+([A-Za-z_:][\w:.-]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;

/** Parses one document. `file` is for messages. @throws HostError CONFIG_INVALID: file, line, what is wrong. */
export function parseXml(text: string, file: string): XmlElement {
  return new Parser(text.replace(/^\uFEFF/, ''), file).document();
}

class Parser {
  readonly #text: string;
  readonly #file: string;
  #at = 0;
  /** The line of `#lineAt`, kept to count on from. */
  #line = 1;
  #lineAt = 0;
  #elements = 0;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  document(): XmlElement {
    const open: XmlElement[] = [];
    let root: XmlElement | undefined;
    for (;;) {
      const start = this.#text.indexOf('<', this.#at);
      const between = this.#text.slice(this.#at, start === -1 ? undefined : start);
      if (open.length === 0 && between.trim() !== '') throw this.#bad('text outside of an element');
      if (start === -1) break;
      this.#at = start;
      if (this.#skipped()) continue;
      if (this.#text.startsWith('</', start)) {
        this.#close(open.pop());
        continue;
      }
      if (root !== undefined && open.length === 0) throw this.#bad('a second root element');
      const { element, isEmpty } = this.#element();
      open.at(-1)?.children.push(element);
      root ??= element;
      if (!isEmpty) open.push(element);
      if (open.length > DEPTH_MAX) throw this.#bad(`more than ${DEPTH_MAX} elements in one another`);
    }
    if (open.length > 0) throw this.#bad(`<${open.at(-1)!.name}> of line ${open.at(-1)!.line} has no end`);
    if (root === undefined) throw this.#bad('no element');
    return root;
  }

  /** Passes over what is no element. */
  #skipped(): boolean {
    const pairs = [['<!--', '-->'], ['<![CDATA[', ']]>'], ['<?', '?>']] as const;
    for (const [start, end] of pairs) {
      if (!this.#text.startsWith(start, this.#at)) continue;
      const found = this.#text.indexOf(end, this.#at + start.length);
      if (found === -1) throw this.#bad(`"${start}" without "${end}"`);
      this.#at = found + end.length;
      return true;
    }
    if (this.#text.startsWith('<!', this.#at)) throw this.#bad('a document type, which is not read');
    return false;
  }

  #close(element: XmlElement | undefined): void {
    const match = /<\/([A-Za-z_:][\w:.-]*)\s*>/y;
    match.lastIndex = this.#at;
    const name = match.exec(this.#text)?.[1];
    if (name === undefined || element === undefined || element.name !== name) {
      const expected = element === undefined ? 'no end here' : `</${element.name}> of line ${element.line}`;
      throw this.#bad(`an end that does not fit, expected ${expected}`);
    }
    this.#at = match.lastIndex;
  }

  #element(): { element: XmlElement; isEmpty: boolean } {
    this.#elements += 1;
    if (this.#elements > ELEMENTS_MAX) throw this.#bad(`more than ${ELEMENTS_MAX} elements`);
    const line = this.#lineNow();
    NAME.lastIndex = this.#at + 1;
    const name = NAME.exec(this.#text)?.[0];
    if (name === undefined) throw this.#bad('"<" that begins no element; write &lt; in a value');
    this.#at = NAME.lastIndex;
    const attributes = new Map<string, XmlAttribute>();
    for (;;) {
      ATTRIBUTE.lastIndex = this.#at;
      const match = ATTRIBUTE.exec(this.#text);
      if (match === null) break;
      this.#at = ATTRIBUTE.lastIndex;
      if (attributes.has(match[1]!)) throw this.#bad(`attribute "${match[1]!}" twice`);
      const value = this.#plain(match[2] ?? match[3] ?? '');
      attributes.set(match[1]!, { value, line: this.#lineNow() });
    }
    const end = /\s*(\/?)>/y;
    end.lastIndex = this.#at;
    const match = end.exec(this.#text);
    if (match === null) throw this.#bad(`<${name}> is not well-formed`);
    this.#at = end.lastIndex;
    return { element: { name, attributes, children: [], line }, isEmpty: match[1] === '/' };
  }

  #plain(text: string): string {
    return text.replace(/&([^;&]{0,10});?/g, (whole, name: string) => {
      const number = /^#(?:x([0-9A-Fa-f]{1,6})|(\d{1,7}))$/.exec(name);
      const code = number === null ? undefined : parseInt(number[1] ?? number[2]!, number[1] ? 16 : 10);
      if (code !== undefined && code > 0 && code <= 0x10ffff) return String.fromCodePoint(code);
      const plain = Object.hasOwn(ENTITIES, name) && whole.endsWith(';') ? ENTITIES[name] : undefined;
      if (plain === undefined) throw this.#bad(`"${whole}" is no known entity; write &amp; for "&"`);
      return plain;
    });
  }

  #lineNow(): number {
    for (let at = this.#lineAt; at < this.#at; at++) if (this.#text[at] === '\n') this.#line += 1;
    this.#lineAt = this.#at;
    return this.#line;
  }

  #bad(what: string): HostError {
    return new HostError('CONFIG_INVALID', `${this.#file}:${this.#lineNow()}: ${what}`);
  }
}

/** The first element at a path of names below `element`, compared without case as IIS does. */
export function elementAt(element: XmlElement, ...names: string[]): XmlElement | undefined {
  let found: XmlElement | undefined = element;
  for (const name of names) {
    found = found?.children.find((child) => child.name.toLowerCase() === name.toLowerCase());
  }
  return found;
}

/** The first child with this name. */
export function childNamed(element: XmlElement, name: string): XmlElement | undefined {
  return elementAt(element, name);
}

/** The value of an attribute, '' without one. Names compare as they are written: IIS takes no other. */
export function textOf(element: XmlElement, name: string): string {
  return element.attributes.get(name)?.value ?? '';
}

/** The value of a boolean attribute. @throws HostError CONFIG_INVALID when it is neither true nor false. */
export function flagOf(element: XmlElement, name: string, byDefault: boolean, file: string): boolean {
  const attribute = element.attributes.get(name);
  const text = attribute?.value.toLowerCase();
  if (text === undefined || text === '') return byDefault;
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  const bad = `${file}:${attribute!.line}: "${name}" is ${JSON.stringify(attribute!.value)}`;
  throw new HostError('CONFIG_INVALID', `${bad}, expected true or false`);
}
