// One answer to a poll: an array of messages, written as fast as the client takes it. Only what is on its way exists as
// bytes, so that a large answer needs no second copy of itself, and each portion that is taken shows that the client
// is there.

import type { ServerResponse } from 'node:http';
import { JSON_FIELDS } from './poll-answer.ts';

/** Shorter messages travel together, longer ones in parts, in characters. */
const PORTION_CHARACTERS = 65_536;

/** See the head of this file. */
export class BatchAnswer {
  #response: ServerResponse;
  #portions: string[];
  #progress: () => void;

  /** `progress` is called whenever the client has taken something, and at the end, be it a good one or not. */
  constructor(response: ServerResponse, messages: readonly string[], progress: () => void) {
    this.#response = response;
    this.#portions = portionsOf(messages).reverse();
    this.#progress = progress;
    let bytes = 0;
    for (const portion of this.#portions) bytes += Buffer.byteLength(portion);
    response.writeHead(200, { ...JSON_FIELDS, 'Content-Length': bytes });
    response.on('drain', () => {
      this.#progress();
      this.#write();
    });
    response.once('close', () => {
      this.#portions.length = 0;
      this.#progress();
    });
    this.#write();
  }

  /** The client does not wait for it any more. */
  abandon(): void {
    this.#progress = () => {};
    if (!this.#response.writableEnded) this.#response.destroy();
  }

  #write(): void {
    for (let portion = this.#portions.pop(); portion !== undefined; portion = this.#portions.pop()) {
      if (this.#portions.length === 0) this.#response.end(portion);
      else if (!this.#response.write(portion)) return;
    }
  }
}

function portionsOf(messages: readonly string[]): string[] {
  const portions: string[] = [];
  let portion = '[';
  for (const [index, message] of messages.entries()) {
    portion += index === 0 ? message : `,${message}`;
    while (portion.length >= PORTION_CHARACTERS) {
      const isCut = isHighSurrogate(portion.charCodeAt(PORTION_CHARACTERS - 1));
      const end = isCut ? PORTION_CHARACTERS - 1 : PORTION_CHARACTERS;
      portions.push(portion.slice(0, end));
      portion = portion.slice(end);
    }
  }
  portions.push(`${portion}]`);
  return portions;
}

/** The first half of a character: halves apart would be written as two wrong ones. */
function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
