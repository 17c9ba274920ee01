// A response -> the bytes of an HTTP/1.x answer: chooses the framing for the client's version, encodes chunks
// anew, leaves out bodies that the request or the status forbids. Writes into a ClientOutput.

import { assert } from '../base/assert.ts';
import type { Answer } from '../wire/front-messages.ts';
import { addedAnew, addedLines, withAdded } from './added-fields.ts';
import { isBodiless } from './body-length.ts';
import { chunkEnd, chunkHead } from './chunked.ts';
import type { CacheHit } from './cache-answer.ts';
import type { ClientOutput } from './client-output.ts';
import { areSafeFields, headEnd, writeResponseHead, type WrittenFraming } from './response-head.ts';
import type { ResponseHead, ResponseSink } from './response-reader.ts';

/** What the writer asks of the client's side while it writes. */
export interface AnswerClient {
  /** The final head goes out now. `closes`: the connection must end behind it. Returns if it is kept. */
  answerStarts(closes: boolean): boolean;
  /** How long the connection is kept when it is idle. `saidMs`: what the response says of that. */
  keepAliveMs(saidMs: number | undefined): number;
}

export type AnswerState =
  | 'none' // Nothing of the final answer is out.
  | 'body' // The head is out.
  | 'ended'; // All of it is out.

/** What an exchange writes its answers to, whatever the client speaks. */
export type AnswerOutput = Pick<AnswerWriter, keyof AnswerWriter>;

const NOTHING: readonly string[] = [];

/** Writes one answer after the other; `start` begins each. */
export class AnswerWriter implements ResponseSink {
  #output: ClientOutput;
  #client: AnswerClient;
  #state: AnswerState = 'none';
  #version: 10 | 11 = 11;
  #method = 'GET';
  #framing: WrittenFraming = 'none';
  /** 100 (Continue) or another informational answer went out. */
  #hasContinued = false;
  /** For the final head, beside those of the response. */
  #added = NOTHING;

  constructor(output: ClientOutput, client: AnswerClient) {
    this.#output = output;
    this.#client = client;
  }

  get state(): AnswerState {
    return this.#state;
  }

  /** The end of the connection shows a client that the answer is not whole. */
  get isDelimited(): boolean {
    return this.#state === 'none' || this.#framing === 'chunked' || this.#framing === 'as-is-length';
  }

  /** The client has been told to go on with its body. */
  get hasContinued(): boolean {
    return this.#hasContinued;
  }

  /** Expects the answer to such a request. */
  start(method: string, version: 10 | 11): void {
    this.#state = 'none';
    this.#method = method;
    this.#version = version;
    this.#hasContinued = false;
    this.#added = NOTHING;
  }

  /** Adds safe fields (flat) to the final head of this answer: those of the front, not of the response. */
  addFields(fields: readonly string[]): void {
    assert(areSafeFields(fields), 'the front adds safe fields');
    if (fields.length > 0) this.#added = addedAnew(this.#added, fields);
  }

  /** RFC 9110 15.2: an HTTP/1.0 client must not get these. */
  informational(head: ResponseHead): void {
    if (head.status === 100) this.#hasContinued = true;
    if (this.#version === 10) return;
    const { status, reason, fields } = head;
    this.#output.text(
      writeResponseHead({ version: 11, status, reason, fields, framing: 'none', keepAlive: 0 }),
    );
  }

  head(head: ResponseHead): void {
    assert(this.#state === 'none', 'one final head an answer');
    this.#state = 'body';
    this.#framing = head.upgraded ? 'none' : this.#framingFor(head);
    const closes = head.closes || this.#framing === 'close';
    const keepAlive = (head.upgraded || this.#client.answerStarts(closes))
      && this.#client.keepAliveMs(head.keepAliveMs);
    this.#output.text(this.#headText(head, keepAlive));
  }

  #headText(head: ResponseHead, keepAlive: number | false): string {
    const { status, reason, lines } = head;
    const [version, framing] = [this.#version, this.#framing];
    if (lines !== undefined && this.#added.length === 0) {
      return lines.text + headEnd({ version, status, framing, keepAlive, hasDate: lines.hasDate || status < 200 });
    }
    const fields = this.#added.length === 0 ? head.fields : withAdded(head.fields, this.#added);
    return writeResponseHead({ version, status, reason, fields, framing, keepAlive });
  }

  /** A head and all of its body, whose length is among the fields. */
  whole(head: ResponseHead, body: string): void {
    this.head(head);
    this.#output.text(body);
    this.end([]);
  }

  data(slice: Buffer): void {
    if (this.#framing !== 'chunked') {
      this.#output.bytes(slice);
      return;
    }
    // An empty chunk would end the body.
    if (slice.length === 0) return;
    this.#output.text(chunkHead(slice.length));
    this.#output.bytes(slice);
    this.#output.text('\r\n');
  }

  end(trailers: string[]): void {
    this.#state = 'ended';
    if (this.#framing === 'chunked') this.#output.text(chunkEnd(trailers));
  }

  /** A whole answer that was made here or by the host. */
  answer(answer: Answer): void {
    assert(areSafeFields(answer.fields), 'the fields of our own answers are safe');
    const { status } = answer;
    const body = Buffer.from(answer.body);
    const fields = withLength(answer.fields, status === 204 || status === 304 ? null : body.length);
    this.head({
      status,
      reason: '',
      fields,
      body: { kind: 'none' },
      closes: false,
      upgraded: false,
    });
    if (!isBodiless(status, this.#method)) this.#output.bytes(body);
    this.end([]);
  }

  /** A kept answer, which stands ready. */
  kept(hit: CacheHit): void {
    assert(this.#state === 'none', 'one final head an answer');
    this.#state = 'ended';
    this.#framing = 'as-is-length';
    this.#client.answerStarts(false);
    if (this.#added.length > 0) this.#keptWithAdded(hit);
    else {
      if (hit.head !== '') this.#output.text(hit.head);
      if (hit.bytes.length > 0) this.#output.kept(hit.bytes);
    }
  }

  /** What is added stands behind the status line. */
  #keptWithAdded({ head, bytes }: CacheHit): void {
    const isJoined = head === '';
    const text = isJoined ? bytes.toString('latin1', 0, bytes.indexOf('\r\n\r\n') + 4) : head;
    const start = text.indexOf('\r\n') + 2;
    this.#output.text(text.slice(0, start) + addedLines(text, this.#added) + text.slice(start));
    const body = isJoined ? bytes.subarray(text.length) : bytes;
    if (body.length > 0) this.#output.bytes(body);
  }

  /**
   * Writes something that changes no answer: a client that is gone altogether, rather than done with
   * sending, resets the connection on it. Returns false where there is no room for such bytes.
   */
  probe(): boolean {
    if (this.#version === 10) return false;
    if (this.#state === 'none') {
      this.#output.text('HTTP/1.1 102 Processing\r\n\r\n');
      return true;
    }
    // A leading zero of the next chunk size, RFC 9112 7.1.
    if (this.#state !== 'body' || this.#framing !== 'chunked') return false;
    this.#output.text('0');
    return true;
  }

  #framingFor(head: ResponseHead): WrittenFraming {
    switch (head.body.kind) {
      case 'none':
        return 'none';
      case 'length':
        return 'as-is-length';
      default:
        return this.#version === 11 ? 'chunked' : 'close';
    }
  }
}

/** The fields with the Content-Length that holds, or without any. */
function withLength(fields: readonly string[], length: number | null): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index]!.toLowerCase() !== 'content-length') kept.push(fields[index]!, fields[index + 1]!);
  }
  if (length !== null) kept.push('Content-Length', String(length));
  return kept;
}
