// Which requests the host decides on, what it is told of them, and the wait for its word; and which one is about
// nobody's place but the server as a whole.

import { messageOf } from '../base/host-error.ts';
import type { Answer, AskedRequest, Decision } from '../wire/front-messages.ts';
import type { Origin } from '../wire/link-messages.ts';
import type { FrontContext, RouteTarget } from './front-context.ts';
import type { RequestHead } from './request-head.ts';
import type { FindResult, RouteMatch } from './route-table.ts';
import { NEVER } from './ticker.ts';

/** How long the host may think about a request. */
export const ASK_TIMEOUT_MS = 30_000;

/** True when the host decides on a request for `path`, which lies under the prefix that was found. */
export function isAsked(found: RouteMatch<RouteTarget>, path: string): boolean {
  const { ask } = found.value;
  if (ask === 'always') return true;
  // A path under the prefix that is no longer than it is the door, with or without its last slash.
  return ask === 'door' && path.length <= found.prefix.path.length;
}

/** The answer to `OPTIONS *` where no app serves the root, RFC 9110 9.3.7. */
export const SERVER_OPTIONS: Answer = {
  status: 204, fields: ['Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'], body: '',
};

/** True for `OPTIONS *` that no app gets: nothing is at the root, or a page of the host. */
export function isAboutServer(head: RequestHead, found: FindResult<RouteTarget>): boolean {
  if (head.path !== '*') return false;
  return typeof found === 'string' ? found === 'no-path' : found.value.ask === 'always';
}

/** What the host needs to decide. `path` is canonical, `local` judged by the fields as they came. */
export function askedRequest(
  head: RequestHead,
  seen: { path: string; local: boolean; origin: Origin },
): AskedRequest {
  const { client } = seen.origin.tls ?? {};
  return {
    ...(client?.error === '' && client.chain[0] !== undefined && { certificate: client.chain[0] }),
    method: head.method,
    target: head.path + head.query,
    path: seen.path,
    query: head.query,
    fields: head.fields,
    remoteAddress: seen.origin.remoteAddress,
    encrypted: seen.origin.encrypted,
    local: seen.local,
  };
}

/** What the host is asked. */
export type HostAsk = Parameters<FrontContext['ask']>[0];

/** The one question that an exchange may have open. */
export class Asking {
  readonly #context: FrontContext;
  /** Of the open question; gets the decision, or why there is none. */
  #decided: ((decision: Decision | string) => void) | null = null;
  #deadline = NEVER;

  constructor(context: FrontContext) {
    this.#context = context;
  }

  /** Asks. `decided` is called once, unless the wait is left. */
  ask(ask: HostAsk, decided: (decision: Decision | string) => void): void {
    const { ticker, log } = this.#context;
    // A function of its own, by which a late decision is known.
    const own = (decision: Decision | string): void => decided(decision);
    this.#decided = own;
    this.#deadline = ticker.deadline(ASK_TIMEOUT_MS);
    const settle = (decision: Decision | string): void => {
      if (own === this.#decided) this.#settle(decision);
    };
    this.#context.ask(ask).then(settle, (error: unknown) => {
      log.error('ask-failed', { message: messageOf(error) });
      settle('The request could not be decided on.');
    });
  }

  /** What is decided from now on is of no interest. */
  leave(): void {
    this.#decided = null;
    this.#deadline = NEVER;
  }

  tick(now: number): void {
    if (now >= this.#deadline) this.#settle(`Nobody decided on the request within ${ASK_TIMEOUT_MS} ms.`);
  }

  #settle(decision: Decision | string): void {
    const decided = this.#decided!;
    this.leave();
    decided(decision);
  }
}
