// The transport under DevTools: CDP messages over plain HTTP requests (src/wire/poll-messages.ts), exactly
// once and in order, through fronts that are replaced and networks that come and go. One send and one poll
// are under way at a time; both repeat the same numbers until they are answered.

import { unreachable } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { POLL_HOLD_MS } from '../wire/poll-messages.ts';
import type { CdpMessage, Opened } from '../wire/poll-messages.ts';
import { FrameSocket, type SocketLike } from './frame-socket.ts';
import { Outbox } from './outbox.ts';
import { judge, readMessages, readOpened, retryDelayMs } from './poll-answer.ts';
import { stepPoll } from './poll-state.ts';
import type { PollEvent, PollState } from './poll-state.ts';

/** The part of `fetch` that is used here. */
export interface PollRequest {
  method: 'GET' | 'POST';
  credentials: 'omit' | 'same-origin';
  cache: 'no-store';
  /** Answers of a debugger never lead elsewhere. */
  redirect: 'error';
  signal: AbortSignal;
  keepalive?: boolean;
  headers?: Record<string, string>;
  body?: string;
}

export interface PollResponse {
  status: number;
  text(): Promise<string>;
}

export interface PollSocketOptions {
  /** `<app>/debug/cdp/`, absolute. */
  base: string;
  fetch: (url: string, request: PollRequest) => Promise<PollResponse>;
  clock: Clock;
  /** A viewer was opened; before the first message. */
  onOpened(opened: Opened): void;
  /** Each message from the session proxy. */
  onMessage(message: CdpMessage): void;
  /** The connection is over for good. */
  onLost(message: string): void;
  /** The viewer was away for too long but its session lives: start anew. */
  onRenewed(): void;
  /** Makes a WebSocket to an absolute URL (`http:`), where pages may. Absent: only polls are used. */
  makeSocket?(url: string): SocketLike;
  /** The server is out of reach, or answers again. A request that was cut once is not told. */
  onReach?(isReached: boolean): void;
}

type Outcome<Value> =
  | { kind: 'ok'; value: Value }
  | { kind: 'resync'; next: number }
  | { kind: 'gone'; message: string }
  | { kind: 'failed'; message: string }
  | { kind: 'left' };

/** Longest wait for the head of an answer, in ms: a connection that died silently is noticed then. */
const HEAD_TIMEOUT_MS = 20_000;
/** After so many failures in a row the server counts as out of reach. */
const FAILURES_SHOWN = 3;

/** Longest time for the body of an answer, in ms: 4 MB on a bad line. */
const BODY_TIMEOUT_MS = 300_000;

const JSON_TYPE = { 'content-type': 'application/json' };
/** A page in a sandbox may send it without the browser asking first. */
const TEXT_TYPE = { 'content-type': 'text/plain' };

/** One viewer. `open` once, then `send`; ends with `leave`, `onLost` or `onRenewed`. */
export class PollSocket {
  #options: PollSocketOptions;
  #state: PollState = { kind: 'opening' };
  #outbox = new Outbox();
  #sending: 'idle' | 'busy' = 'idle';
  #abort = new AbortController();
  #isReached = true;
  /** Number of the message that comes next. */
  #ack = 0;
  #frames: FrameSocket | null = null;
  /** Polls wait while there is a socket. */
  #resumePolls: (() => void) | null = null;

  constructor(options: PollSocketOptions) {
    this.#options = options;
    const { makeSocket, clock } = options;
    if (makeSocket === undefined) return;
    this.#frames = new FrameSocket({
      clock,
      make: () => makeSocket(this.#socketUrl()),
      onMessages: (first, messages) => this.#take(first, messages),
      onChange: (isOpen) => this.#socketChanged(isOpen),
    });
  }

  get state(): PollState {
    return this.#state;
  }

  /** Asks for a viewer and starts polling. Resolves when it has one or never will. */
  async open(): Promise<void> {
    const outcome = await this.#openViewer();
    if (outcome.kind === 'ok') {
      this.#options.onOpened(outcome.value);
      this.#step({ kind: 'opened', viewer: outcome.value.viewer });
    } else {
      this.#fail(outcome);
    }
  }

  /** Sends a CDP message in JSON; before `open` has finished it waits. */
  send(message: string): void {
    if (this.#state.kind === 'closed') return;
    if (!this.#outbox.put(message)) {
      this.#step({ kind: 'failed', message: 'too many commands wait for the server' });
      return;
    }
    void this.#flush();
  }

  /** Ends the connection from this side. Returns the URL to post to that tells the server, if there is a viewer. */
  leave(): string | undefined {
    const state = this.#state;
    this.#step({ kind: 'left' });
    return state.kind === 'open' || state.kind === 'live' ? this.#url(state.viewer, 'close') : undefined;
  }

  #socketUrl(): string {
    const state = this.#state;
    return 'viewer' in state ? this.#url(state.viewer, 'socket') : this.#options.base;
  }

  #url(viewer: string, verb: string): string {
    return new URL(`${encodeURIComponent(viewer)}/${verb}`, this.#options.base).href;
  }

  #step(event: PollEvent): void {
    const [state, effects] = stepPoll(this.#state, event);
    this.#state = state;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'poll':
          void this.#poll(effect.viewer);
          void this.#flush();
          break;
        case 'ask':
          void this.open();
          break;
        case 'drop':
          void this.#drop(effect.viewer);
          break;
        case 'abort':
          this.#abort.abort();
          this.#abort = new AbortController();
          this.#frames?.stop();
          break;
        case 'tell-lost':
          this.#options.onLost(effect.message);
          break;
        case 'tell-renewed':
          this.#options.onRenewed();
          break;
        default:
          unreachable(effect);
      }
    }
  }

  #fail(outcome: Exclude<Outcome<unknown>, { kind: 'ok' }>): void {
    if (outcome.kind === 'left') return;
    if (outcome.kind === 'resync') {
      // Numbers that cannot be brought together: this viewer is of no use any more.
      this.#step({ kind: 'gone', message: `the server continues with message ${outcome.next}` });
    } else {
      this.#step(outcome);
    }
  }

  #openViewer(): Promise<Outcome<Opened>> {
    // With credentials: this is the request that the access check sees.
    return this.#exchange(
      this.#options.base,
      { method: 'POST', credentials: 'same-origin', headers: JSON_TYPE, body: '{}' },
      HEAD_TIMEOUT_MS,
      readOpened,
    );
  }

  async #poll(viewer: string): Promise<void> {
    while (this.#isOpen()) {
      if (this.#frames?.isOpen === true) await new Promise<void>((resolve) => (this.#resumePolls = resolve));
      if (!this.#isOpen()) return;
      const ack = this.#ack;
      const outcome = await this.#exchange(
        `${this.#url(viewer, 'poll')}?ack=${ack}`,
        { method: 'GET', credentials: 'omit' },
        POLL_HOLD_MS + HEAD_TIMEOUT_MS,
        readMessages,
      );
      if (outcome.kind === 'resync' && this.#ack > ack) continue;
      if (outcome.kind !== 'ok') {
        this.#fail(outcome);
        return;
      }
      this.#take(ack, outcome.value);
      // Where polls work a socket may, and is quicker.
      this.#frames?.start();
    }
  }

  /** Takes messages in, the first with number `first`; some may have come another way. The number that is next. */
  #take(first: number, messages: readonly CdpMessage[]): number {
    if (messages.length > 0 && first > this.#ack) throw new Error(`message ${this.#ack} is missing, ${first} came`);
    const fresh = messages.slice(this.#ack - first);
    this.#ack += fresh.length;
    this.#step({ kind: 'heard' });
    for (const message of fresh) this.#deliver(message);
    return this.#ack;
  }

  #socketChanged(isOpen: boolean): void {
    if (isOpen) {
      this.#reach(true);
      return;
    }
    const resume = this.#resumePolls;
    this.#resumePolls = null;
    resume?.();
  }

  /** A message that DevTools chokes on must not keep the following ones away. */
  #deliver(message: CdpMessage): void {
    if (!this.#isOpen()) return;
    try {
      this.#options.onMessage(message);
    } catch (error) {
      console.error(error);
    }
  }

  async #flush(): Promise<void> {
    if (this.#sending === 'busy' || !this.#isOpen()) return;
    this.#sending = 'busy';
    // Everything that is sent in one task goes together.
    await Promise.resolve();
    for (let batch = this.#outbox.batch(); batch !== null; batch = this.#outbox.batch()) {
      const state = this.#state;
      if (state.kind !== 'open' && state.kind !== 'live') break;
      const taken = this.#frames?.isOpen === true ? await this.#frames.send(batch) : null;
      if (taken !== null && taken > batch.first && this.#outbox.taken(taken)) continue;
      if (!this.#isOpen()) break;
      const outcome = await this.#exchange(
        `${this.#url(state.viewer, 'send')}?n=${batch.first}`,
        { method: 'POST', credentials: 'omit', headers: TEXT_TYPE, body: batch.body },
        HEAD_TIMEOUT_MS,
        // A page with status 200 comes from something in between; the commands did not arrive.
        (text) => (text === '' ? true : undefined),
      );
      if (outcome.kind !== 'ok' && outcome.kind !== 'resync') {
        this.#fail(outcome);
        break;
      }
      const next = outcome.kind === 'ok' ? batch.first + batch.count : outcome.next;
      // A number that is not beyond the one that was sent would be sent for ever.
      if (next <= batch.first || !this.#outbox.taken(next)) {
        this.#fail({ kind: 'resync', next });
        break;
      }
    }
    this.#sending = 'idle';
  }

  #isOpen(): boolean {
    return this.#state.kind === 'open' || this.#state.kind === 'live';
  }

  /** The server forgets the viewer by itself when this fails. */
  async #drop(viewer: string): Promise<void> {
    await this.#attempt(
      this.#url(viewer, 'close'),
      { method: 'POST', credentials: 'omit', keepalive: true },
      HEAD_TIMEOUT_MS,
      this.#abort.signal,
    );
  }

  /** A request and its answer, repeated while that may help. */
  async #exchange<Value>(
    url: string,
    init: Omit<PollRequest, 'cache' | 'redirect' | 'signal'>,
    headTimeoutMs: number,
    read: (text: string) => Value | undefined,
  ): Promise<Outcome<Value>> {
    const { signal } = this.#abort;
    for (let failures = 1; ; failures++) {
      const { status, text } = await this.#attempt(url, init, headTimeoutMs, signal);
      if (signal.aborted) return { kind: 'left' };
      const verdict = status === 0 ? ({ kind: 'retry', message: text } as const) : judge(status, text);
      if (verdict.kind === 'resync' || verdict.kind === 'gone') return verdict;
      if (verdict.kind === 'refused') return { kind: 'failed', message: verdict.message };
      if (verdict.kind === 'ok') {
        const value = read(text);
        if (value !== undefined) {
          this.#reach(true);
          return { kind: 'ok', value };
        }
      }
      if (failures === FAILURES_SHOWN) this.#reach(false);
      const message = verdict.kind === 'ok' ? 'the server answered with something else' : verdict.message;
      const delayMs = retryDelayMs(failures, verdict.kind === 'absent' ? 'absent' : 'retry');
      if (delayMs === null) return { kind: 'failed', message };
      await this.#wait(delayMs, signal);
      if (signal.aborted) return { kind: 'left' };
    }
  }

  #reach(isReached: boolean): void {
    if (this.#isReached === isReached) return;
    this.#isReached = isReached;
    this.#options.onReach?.(isReached);
  }

  /** One request. Status 0 means that there was no whole answer; the text says why. */
  async #attempt(
    url: string,
    init: Omit<PollRequest, 'cache' | 'redirect' | 'signal'>,
    headTimeoutMs: number,
    signal: AbortSignal,
  ): Promise<{ status: number; text: string }> {
    const { clock, fetch } = this.#options;
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    let timer = clock.after(headTimeoutMs, abort);
    try {
      const response = await fetch(url, {
        ...init,
        cache: 'no-store',
        redirect: 'error',
        signal: controller.signal,
      });
      timer.stop();
      timer = clock.after(BODY_TIMEOUT_MS, abort);
      // Read to its end whatever it is: an unread body holds one of the browser's few connections.
      return { status: response.status, text: await response.text() };
    } catch {
      return { status: 0, text: 'the server cannot be reached' };
    } finally {
      timer.stop();
      signal.removeEventListener('abort', abort);
    }
  }

  #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(delayMs, finish);
      function finish(): void {
        timer.stop();
        signal.removeEventListener('abort', finish);
        resolve();
      }
      signal.addEventListener('abort', finish);
      if (signal.aborted) finish();
    });
  }
}
