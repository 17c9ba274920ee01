// A response head as it was read. Most heads go on as they came: so they are kept as text, and the fields are
// made of it only for whoever wants to look at them.

import type { ResponseFraming } from './body-length.ts';
import { HTAB, SP } from './field-lines.ts';

/** A response without its body. */
export interface ResponseHead {
  /** 100 to 999. */
  readonly status: number;
  /** Latin-1, maybe ''. */
  readonly reason: string;
  /**
   * Flat. Gone are Connection and what it names, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, and
   * Content-Length where it does not hold. On 101 and 426 Upgrade stays, and Connection as `Upgrade`.
   */
  readonly fields: readonly string[];
  readonly body: ResponseFraming;
  /** The sender closes its connection after this response. */
  readonly closes: boolean;
  /** How long the sender keeps an idle connection; absent: it does not say, or means its default. */
  readonly keepAliveMs?: number | undefined;
  /** 101, or 2xx to CONNECT: what follows is another protocol. */
  readonly upgraded: boolean;
  /** Status line and fields as they can go out, each line with its CRLF. Absent where they have to be written. */
  readonly lines?: HeadLines;
}

/** Checked lines of a head with HTTP/1.1. */
export interface HeadLines {
  text: string;
  /** A Date is among them. */
  hasDate: boolean;
}

/** A head whose fields are made when they are asked for. */
export class ReceivedHead implements ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly body: ResponseFraming;
  readonly closes: boolean;
  readonly keepAliveMs: number | undefined;
  readonly upgraded: boolean;
  readonly lines: HeadLines;
  #fields: readonly string[] | null = null;

  constructor(head: Omit<ResponseHead, 'fields' | 'lines'>, lines: HeadLines) {
    this.status = head.status;
    this.reason = head.reason;
    this.body = head.body;
    this.closes = head.closes;
    this.keepAliveMs = head.keepAliveMs;
    this.upgraded = head.upgraded;
    this.lines = lines;
  }

  get fields(): readonly string[] {
    return (this.#fields ??= fieldsOfLines(this.lines.text, this.lines.text.indexOf('\n') + 1));
  }
}

/** The same head with other fields. */
export function withFields(head: ResponseHead, fields: readonly string[]): ResponseHead {
  const { status, reason, body, closes, keepAliveMs, upgraded } = head;
  return { status, reason, fields, body, closes, keepAliveMs, upgraded };
}

/** Flat fields of checked lines that begin at `start`, without white space around values. */
export function fieldsOfLines(text: string, start: number): string[] {
  const fields: string[] = [];
  let at = start;
  while (at < text.length) {
    const colon = text.indexOf(':', at);
    const lineEnd = text.indexOf('\r', colon);
    let [valueStart, valueEnd] = [colon + 1, lineEnd];
    while (valueStart < valueEnd && isSpace(text.charCodeAt(valueStart))) valueStart += 1;
    while (valueEnd > valueStart && isSpace(text.charCodeAt(valueEnd - 1))) valueEnd -= 1;
    fields.push(text.slice(at, colon), text.slice(valueStart, valueEnd));
    at = lineEnd + 2;
  }
  return fields;
}

function isSpace(unit: number): boolean {
  return unit === SP || unit === HTAB;
}
