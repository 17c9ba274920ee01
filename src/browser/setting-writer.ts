// Carries changed settings to the server: gathered for a moment, sent one batch at a time, tried again while
// the server is away, and handed over in a hurry when the page goes.

import type { Clock, Timer } from '../base/clock.ts';

/** The part of `fetch` that is used here. */
export interface SettingRequest {
  method: 'POST';
  credentials: 'same-origin';
  keepalive: boolean;
  headers: Record<string, string>;
  body: string;
}

export interface SettingWriterOptions {
  /** `<app>/debug/cdp/settings`, absolute. */
  url: string;
  fetch: (url: string, request: SettingRequest) => Promise<{ status: number }>;
  clock: Clock;
}

/** How long changes are gathered, in ms. */
const GATHER_MS = 150;
const RETRY_FIRST_MS = 500;
const RETRY_LONGEST_MS = 5000;
const RETRIES_MAX = 30;

/** A value that is longer stays in the page: characters. */
export const SETTING_CHARACTERS_MAX = 262_144;

/** Browsers let requests that outlive their page carry 64 KiB together. */
const KEEPALIVE_CHARACTERS_MAX = 20_000;

type Changes = Map<string, string | null>;

/** Writes settings back; never throws, never rejects. */
export class SettingWriter {
  #options: SettingWriterOptions;
  #waiting: Changes = new Map();
  #sending: Changes = new Map();
  #timer: Timer | null = null;
  #failures = 0;

  constructor(options: SettingWriterOptions) {
    this.#options = options;
  }

  /** Notes a change, null for a removal. The last one of a name counts. */
  change(name: string, value: string | null): void {
    if (value !== null && value.length > SETTING_CHARACTERS_MAX) return;
    this.#waiting.set(name, value);
    if (this.#timer === null) this.#schedule(GATHER_MS);
  }

  /** For the end of the page: sends everything at once, also what was not answered yet. */
  flush(): void {
    this.#timer?.stop();
    this.#timer = null;
    const changes = new Map([...this.#sending, ...this.#waiting]);
    this.#waiting.clear();
    let part: Changes = new Map();
    let characters = 0;
    for (const [name, value] of changes) {
      const length = name.length + (value?.length ?? 0);
      if (part.size > 0 && characters + length > KEEPALIVE_CHARACTERS_MAX) {
        void this.#post(part);
        part = new Map();
        characters = 0;
      }
      part.set(name, value);
      characters += length;
    }
    if (part.size > 0) void this.#post(part);
  }

  async #send(): Promise<void> {
    if (this.#sending.size > 0 || this.#waiting.size === 0) return;
    this.#sending = this.#waiting;
    this.#waiting = new Map();
    const status = await this.#post(this.#sending);
    const unsent = this.#sending;
    this.#sending = new Map();
    // Settings that the server refuses, or that belong to a session that is over, are not asked about again.
    const mayRetry = status === 0 || status === 429 || status >= 500;
    this.#failures = mayRetry ? this.#failures + 1 : 0;
    if (mayRetry && this.#failures <= RETRIES_MAX) this.#waiting = new Map([...unsent, ...this.#waiting]);
    if (this.#waiting.size === 0) return;
    const delayMs =
      this.#failures === 0
        ? GATHER_MS
        : Math.min(RETRY_FIRST_MS * 2 ** (this.#failures - 1), RETRY_LONGEST_MS);
    this.#schedule(delayMs);
  }

  #schedule(delayMs: number): void {
    this.#timer?.stop();
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#timer = null;
      void this.#send();
    });
  }

  /** The status, or 0 when there was no answer. */
  async #post(changes: Changes): Promise<number> {
    const body = JSON.stringify(Object.fromEntries(changes));
    try {
      const response = await this.#options.fetch(this.#options.url, {
        method: 'POST',
        credentials: 'same-origin',
        keepalive: body.length <= 3 * KEEPALIVE_CHARACTERS_MAX,
        headers: { 'content-type': 'application/json' },
        body,
      });
      return response.status;
    } catch {
      return 0;
    }
  }
}
