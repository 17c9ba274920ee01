// A DevTools viewer without DevTools: speaks the poll protocol of src/wire/poll-messages.ts over fetch.

import { request } from 'node:http';
import { KEY_FIELD, type CdpMessage, type Opened, type SignedIn, type SignIn } from '../src/wire/poll-messages.ts';

/** A key for a program. Not by fetch, which says what a browser says of its pages. */
export function signIn(base: string, body: SignIn = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${base}sign-in`, { method: 'POST', agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => {
        if (response.statusCode === 200) resolve((JSON.parse(text) as SignedIn).key);
        else reject(new Error(`no key: ${response.statusCode} ${text}`));
      });
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(JSON.stringify(body));
  });
}

/** One viewer. Commands go to the debuggee unless a session says otherwise. */
export class PollViewer {
  readonly events: CdpMessage[] = [];
  opened: Opened | null = null;
  /** The flat session of the debuggee. */
  session = '';
  #base: string;
  #nextSend = 0;
  #acknowledged = 0;
  #nextId = 1;
  #waiting = new Set<() => void>();
  #polling: AbortController = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(debuggerUrl: string) {
    this.#base = `${debuggerUrl}cdp/`;
  }

  /** Starts the viewer, enables what DevTools enables first, and polls from now on. */
  async open(): Promise<void> {
    const key = await signIn(this.#base);
    const response = await fetch(this.#base, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json', [KEY_FIELD]: key },
    });
    if (!response.ok) throw new Error(`no viewer: ${response.status} ${await response.text()}`);
    this.opened = (await response.json()) as Opened;
    this.#loop = this.#poll();
    await this.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: true }, '');
    const attached = await this.event((message) => message.method === 'Target.attachedToTarget');
    this.session = (attached.params as { sessionId: string }).sessionId;
    await this.send('Runtime.enable');
    await this.send('Debugger.enable');
  }

  /** Sends a command and resolves with its result; rejects with its error. */
  async send(
    method: string,
    params: Record<string, unknown> = {},
    sessionId: string = this.session,
  ): Promise<Record<string, unknown>> {
    const id = this.#nextId++;
    const message: CdpMessage = { id, method, params, ...(sessionId !== '' && { sessionId }) };
    const url = `${this.#base}${this.opened!.viewer}/send?n=${this.#nextSend++}`;
    const response = await fetch(url, {
      method: 'POST',
      body: JSON.stringify([message]),
      headers: { 'content-type': 'text/plain' },
    });
    await response.arrayBuffer();
    if (response.status !== 204) throw new Error(`send: ${response.status}`);
    const answer = await this.event((candidate) => candidate.id === id);
    if (answer.error !== undefined) throw new Error(answer.error.message);
    return answer.result ?? {};
  }

  /** The first message, past or coming, that `matches`, from index `from` of the events on. */
  async event(matches: (message: CdpMessage) => boolean, from = 0): Promise<CdpMessage> {
    for (;;) {
      const found = this.events.slice(from).find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Stops polling without a word, as a crashed browser does. */
  async vanish(): Promise<void> {
    this.#polling.abort();
    await this.#loop;
  }

  /** Leaves, as a page does that is closed. */
  async close(): Promise<void> {
    await fetch(`${this.#base}${this.opened!.viewer}/close`, { method: 'POST' });
    await this.vanish();
  }

  async #poll(): Promise<void> {
    while (!this.#polling.signal.aborted) {
      try {
        const url = `${this.#base}${this.opened!.viewer}/poll?ack=${this.#acknowledged}`;
        const response = await fetch(url, { signal: this.#polling.signal });
        if (!response.ok) return;
        const batch = (await response.json()) as CdpMessage[];
        this.#acknowledged += batch.length;
        this.events.push(...batch);
        for (const wake of this.#waiting) wake();
        this.#waiting.clear();
      } catch {
        // The test is over, or it killed who answers: this viewer hears no more.
        return;
      }
    }
  }
}
