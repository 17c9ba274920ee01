// Commands and answers over one inspector transport: gives ids, matches answers, reports events. Answers and
// events stay text as long as nobody needs their content, so that a heap snapshot passes through unread.

import type { Clock } from '../base/clock.ts';
import { HostError } from '../base/host-error.ts';
import type { CdpMessage } from '../wire/poll-messages.ts';
import type { InspectorTransport } from './inspector-socket.ts';

/** Most commands without an answer; more are refused. */
export const PENDING_MAX = 20_000;

/** What pending commands hear when the session is over. */
export const SESSION_ENDED_TEXT = 'Debug Session Ended';

/** Error code of V8 for a command that failed. */
export const SERVER_ERROR = -32_000;
/** Error code of V8 for a command that it does not know. */
export const METHOD_NOT_FOUND = -32_601;

/** `{"result":…}` or `{"error":…}` as text without its first brace: an id can be put in front. */
export type ReplyTail = string;

/** An event: its text without the first brace, and its parameters when somebody asks. */
export interface InspectorEvent {
  method: string;
  tail: string;
  params(): Record<string, unknown>;
}

/** The tail of an answer that is an error. */
export function errorTail(code: number, message: string): ReplyTail {
  return `"error":${JSON.stringify({ code, message })}}`;
}

/** The tail of an answer that is a result. */
export function resultTail(result: Record<string, unknown>): ReplyTail {
  return `"result":${JSON.stringify(result)}}`;
}

/** Reads a tail. */
export function readTail(tail: ReplyTail): CdpMessage {
  return JSON.parse(`{${tail}`) as CdpMessage;
}

/** The one who speaks on a transport. */
export class InspectorClient {
  #transport: InspectorTransport;
  #clock: Clock;
  #pending = new Map<number, (tail: ReplyTail) => void>();
  #nextId = 1;
  #isEnded = false;

  constructor(
    transport: InspectorTransport,
    clock: Clock,
    listener: { onEvent(event: InspectorEvent): void; onEnd(reason: string): void },
  ) {
    this.#transport = transport;
    this.#clock = clock;
    transport.listen({
      onMessage: (text) => this.#receive(text, listener.onEvent),
      onEnd: (reason) => {
        this.#end();
        listener.onEnd(reason);
      },
    });
  }

  /**
   * Our own command. Without `timeoutMs` it waits for as long as the session lasts: a program that blocks
   * answers nothing, and that is no failure.
   * @throws HostError DEBUGGEE_UNREACHABLE: an error answer, the end of the session, or the time is over.
   */
  call(
    method: string,
    params: Record<string, unknown> = {},
    timeoutMs?: number,
  ): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        reject(new HostError('DEBUGGEE_UNREACHABLE', `${method} failed: ${why}`));
      };
      const timer =
        timeoutMs === undefined
          ? null
          : this.#clock.after(timeoutMs, () => fail(`no answer after ${timeoutMs} ms`));
      this.forward(method, params, (tail) => {
        timer?.stop();
        const reply = readTail(tail);
        if (reply.error === undefined) resolve(reply.result ?? {});
        else fail(reply.error.message);
      });
    });
  }

  /** A command whose answer goes on as it is; always answered, at the end of the session with an error. */
  forward(method: string, params: unknown, onReply: (tail: ReplyTail) => void): void {
    if (this.#isEnded) {
      onReply(errorTail(SERVER_ERROR, SESSION_ENDED_TEXT));
      return;
    }
    if (this.#pending.size >= PENDING_MAX) {
      onReply(errorTail(SERVER_ERROR, `more than ${PENDING_MAX} commands wait for an answer`));
      return;
    }
    const id = this.#nextId++;
    this.#pending.set(id, onReply);
    this.#transport.send(JSON.stringify({ id, method, params }));
  }

  /** Ends the session; whatever waits for an answer hears of it now. */
  close(): void {
    this.#transport.close();
    this.#end();
  }

  #receive(text: string, onEvent: (event: InspectorEvent) => void): void {
    const reply = /^\{"id":(\d+),/.exec(text);
    if (reply !== null) {
      this.#reply(Number(reply[1]), text.slice(reply[0].length));
      return;
    }
    const method = /^\{"method":"([\w.]+)"/.exec(text)?.[1];
    if (method !== undefined) {
      onEvent(eventOf(method, text.slice(1)));
      return;
    }
    // Node 20 writes errors with the id at their end.
    const message = JSON.parse(text) as CdpMessage;
    const { id, error, result } = message;
    if (id === undefined) return;
    const tail =
      error === undefined ? resultTail(result ?? {}) : `"error":${JSON.stringify(error)}}`;
    this.#reply(id, tail);
  }

  #reply(id: number, tail: ReplyTail): void {
    const onReply = this.#pending.get(id);
    this.#pending.delete(id);
    onReply?.(tail);
  }

  #end(): void {
    this.#isEnded = true;
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const onReply of waiting) onReply(errorTail(SERVER_ERROR, SESSION_ENDED_TEXT));
  }
}

function eventOf(method: string, tail: string): InspectorEvent {
  let params: Record<string, unknown> | null = null;
  return {
    method,
    tail,
    params: () => (params ??= (JSON.parse(`{${tail}`) as CdpMessage).params ?? {}),
  };
}
