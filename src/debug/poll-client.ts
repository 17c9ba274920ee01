// A viewer for programs: speaks wire/poll-messages.ts over node's http, exactly once and in order in both
// directions, through networks that come and go. One send and one poll are under way at a time; both repeat
// the same numbers until they are answered.

import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock, Timer } from '../base/clock.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import {
  KEY_FIELD,
  POLL_HOLD_MS,
  type Opened,
  type PollError,
  type SignedIn,
  type SignIn,
} from '../wire/poll-messages.ts';

const ANSWER_BYTES_MAX = 536_870_912;
const ANSWER_TIMEOUT_MS = 20_000;
/** Most messages, and about as many characters, in one send. */
const BATCH_COUNT_MAX = 500;
const BATCH_CHARACTERS_MAX = 1_048_576;
/** Characters of commands that may wait while the server is away; more end the viewer. */
const OUTBOX_CHARACTERS_MAX = 67_108_864;
const RETRY_FIRST_MS = 100;
const RETRY_LONGEST_MS = 3000;

/** One request and its whole answer. */
export interface Exchange {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface ExchangeOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Longest wait without a byte, in ms. Default 20 s. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

const httpAgent = new HttpAgent({ keepAlive: true });
const httpsAgent = new HttpsAgent({ keepAlive: true });

/** Performs one request. Follows nothing. Rejects when there is no whole answer. */
export function exchange(url: URL, options: ExchangeOptions = {}): Promise<Exchange> {
  const { method = 'GET', headers = {}, body, timeoutMs = ANSWER_TIMEOUT_MS, signal } = options;
  const isSecure = url.protocol === 'https:';
  const send = isSecure ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const outgoing = send(
      url,
      { method, headers, agent: isSecure ? httpsAgent : httpAgent, ...(signal && { signal }) },
      (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on('data', (part: Buffer) => {
          size += part.length;
          parts.push(part);
          if (size > ANSWER_BYTES_MAX) outgoing.destroy(new Error('the answer is too long'));
        });
        response.on('error', reject);
        response.on('close', () => reject(new Error('the answer was cut off')));
        response.on('end', () => {
          const text = Buffer.concat(parts).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      },
    );
    outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error(`no answer for ${timeoutMs} ms`)));
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** A key for this program. @throws HostError DEBUGGER_FORBIDDEN, DEBUGGER_NOT_RUNNING */
export async function signIn(base: URL, body: SignIn): Promise<SignedIn> {
  const answer = await exchange(new URL('sign-in', base), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (answer.status === 200) return JSON.parse(answer.text) as SignedIn;
  const code = answer.status === 403 ? 'DEBUGGER_FORBIDDEN' : 'DEBUGGER_NOT_RUNNING';
  throw new HostError(code, errorOf(answer).message);
}

function errorOf({ status, text }: Exchange): { code: string; message: string } {
  try {
    const { code = '', message = '' } = JSON.parse(text) as Partial<PollError>;
    return { code, message };
  } catch {
    // A page of something in between.
    return { code: '', message: `the server answered ${status}` };
  }
}

/** What {@link PollClient} needs. */
export interface PollClientOptions {
  /** `<app>/debug/cdp/`. */
  base: URL;
  key: string;
  clock: Clock;
  /** Each message, as an object. */
  onMessage(message: Record<string, unknown>): void;
  /** The viewer was away for too long and was opened anew: what it had enabled is not. */
  onRenewed(): void;
  /** It is over for good. */
  onEnd(reason: string): void;
}

/** A viewer and the numbers of what comes next in each direction. */
interface OpenViewer {
  id: string;
  next: number;
  acknowledged: number;
}

/** One viewer, from `open` until `close` or `onEnd`. */
export class PollClient {
  #options: PollClientOptions;
  #abort = new AbortController();
  /** Null before it is open and after its end. */
  #viewer: OpenViewer | null = null;
  #outbox: string[] = [];
  #outboxCharacters = 0;
  #isSending = false;
  #isOver = false;

  constructor(options: PollClientOptions) {
    this.#options = options;
  }

  /** Opens the viewer and polls from now on. @throws HostError DEBUGGER_FORBIDDEN, DEBUGGER_NOT_RUNNING */
  async open(): Promise<Opened> {
    const { base, key } = this.#options;
    const answer = await this.#persist(base, { method: 'POST', headers: { [KEY_FIELD]: key } });
    if (answer === null || answer.status !== 200) {
      const error = answer === null ? { message: 'the viewer was closed' } : errorOf(answer);
      const code = answer?.status === 403 ? 'DEBUGGER_FORBIDDEN' : 'DEBUGGER_NOT_RUNNING';
      throw new HostError(code, error.message);
    }
    const opened = JSON.parse(answer.text) as Opened;
    const viewer = { id: opened.viewer, next: 0, acknowledged: 0 };
    this.#viewer = viewer;
    void this.#poll(viewer);
    void this.#flush();
    return opened;
  }

  /** Sends a message, as text of JSON; while the server is away it waits. */
  send(message: string): void {
    if (this.#isOver) return;
    this.#outbox.push(message);
    this.#outboxCharacters += message.length;
    if (this.#outboxCharacters > OUTBOX_CHARACTERS_MAX) this.#end('too many commands wait for the server');
    else void this.#flush();
  }

  /** Leaves; resolves when the server was told, or cannot be. */
  async close(): Promise<void> {
    const viewer = this.#viewer;
    this.#isOver = true;
    this.#viewer = null;
    this.#abort.abort();
    if (viewer === null) return;
    try {
      await exchange(this.#url(viewer.id, 'close'), { method: 'POST', timeoutMs: 1000 });
    } catch {
      // The server forgets the viewer by itself.
      return;
    }
  }

  #url(id: string, verb: string): URL {
    return new URL(`${encodeURIComponent(id)}/${verb}`, this.#options.base);
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#viewer = null;
    this.#abort.abort();
    this.#options.onEnd(reason);
  }

  async #poll(viewer: OpenViewer): Promise<void> {
    while (this.#viewer === viewer) {
      const url = this.#url(viewer.id, 'poll');
      url.searchParams.set('ack', String(viewer.acknowledged));
      const answer = await this.#persist(url, { timeoutMs: POLL_HOLD_MS + ANSWER_TIMEOUT_MS });
      if (this.#viewer !== viewer || answer === null) return;
      const messages = answer.status === 200 ? arrayOf(answer.text) : null;
      if (messages === null) return this.#lost(answer);
      viewer.acknowledged += messages.length;
      for (const message of messages) this.#options.onMessage(message as Record<string, unknown>);
    }
  }

  async #flush(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    // What is sent in one turn travels together.
    await Promise.resolve();
    for (let viewer = this.#viewer; viewer !== null && this.#outbox.length > 0; viewer = this.#viewer) {
      const count = this.#batch();
      const body = `[${this.#outbox.slice(0, count).join(',')}]`;
      const url = this.#url(viewer.id, 'send');
      url.searchParams.set('n', String(viewer.next));
      const answer = await this.#persist(url, { method: 'POST', body });
      if (this.#viewer !== viewer || answer === null) break;
      if (answer.status !== 204) {
        this.#lost(answer);
        break;
      }
      viewer.next += count;
      for (const text of this.#outbox.splice(0, count)) this.#outboxCharacters -= text.length;
    }
    this.#isSending = false;
    if (this.#viewer !== null && this.#outbox.length > 0) void this.#flush();
  }

  #batch(): number {
    let characters = 0;
    let count = 0;
    while (count < this.#outbox.length && count < BATCH_COUNT_MAX) {
      characters += this.#outbox[count]!.length;
      if (count > 0 && characters > BATCH_CHARACTERS_MAX) break;
      count += 1;
    }
    return count;
  }

  #lost(answer: Exchange): void {
    const { code, message } = errorOf(answer);
    if (answer.status !== 410 || code !== 'VIEWER_UNKNOWN') return this.#end(message);
    this.#viewer = null;
    // What waits was for the viewer that is gone; whether it was performed nobody knows.
    this.#outbox.length = 0;
    this.#outboxCharacters = 0;
    this.open().then(
      () => this.#options.onRenewed(),
      (error: unknown) => this.#end(messageOf(error)),
    );
  }

  /** Repeats a request until there is an answer that means something; null when the viewer is over. */
  async #persist(url: URL, options: ExchangeOptions): Promise<Exchange | null> {
    const { signal } = this.#abort;
    for (let failures = 0; !signal.aborted; failures++) {
      if (failures > 0) {
        await this.#wait(Math.min(RETRY_FIRST_MS * 2 ** (failures - 1), RETRY_LONGEST_MS));
        if (signal.aborted) break;
      }
      try {
        const answer = await exchange(url, { ...options, signal });
        if (isMeant(answer)) return answer;
      } catch {
        // Cut off, refused, timed out: the same request again is harmless.
        continue;
      }
    }
    return null;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#abort;
      const timer: Timer = this.#options.clock.after(ms, finish);
      function finish(): void {
        timer.stop();
        signal.removeEventListener('abort', finish);
        resolve();
      }
      signal.addEventListener('abort', finish);
    });
  }
}

/** False for what something in between says while the server is away or being replaced. */
function isMeant({ status, text }: Exchange): boolean {
  if (status === 200) return arrayOf(text) !== null || text.startsWith('{');
  if (status === 204) return true;
  return status === 400 || status === 403 || status === 409 || status === 410 || status === 413;
}

function arrayOf(text: string): unknown[] | null {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : null;
  } catch {
    // A page with status 200 comes from something in between.
    return null;
  }
}
