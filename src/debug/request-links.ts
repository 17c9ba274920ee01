// How requests get to a debuggee in scope `mine`: by a cookie that opening the debugger sets, by a field, or by
// a one-time link that sets the cookie in another browser. None of them opens the debugger itself.

import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { AskedRequest, Decision } from '../wire/front-messages.ts';
import { answerWith, fieldOf } from './debug-answer.ts';

/** The cookie by which the front knows requests for the debuggee. */
export const REQUEST_COOKIE = 'slipstream.debug';
/** The field that says the same, for programs. */
export const REQUEST_FIELD = 'slipstream-debug';

/** How long a link may be used, in ms. */
export const REQUEST_LINK_LIFE_MS = 300_000;
/** Most links that wait to be used; the oldest go first. */
export const REQUEST_LINKS_MAX = 100;

/** The links of one session that nobody has used yet. */
export class RequestLinks {
  #clock: Clock;
  #expiries = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Makes a link; its secret. */
  create(): string {
    const link = randomBytes(24).toString('base64url');
    this.#expiries.set(link, this.#clock.now() + REQUEST_LINK_LIFE_MS);
    if (this.#expiries.size > REQUEST_LINKS_MAX) this.#expiries.delete(this.#expiries.keys().next().value!);
    return link;
  }

  /** Uses a link up; false when there is no such link any more. */
  redeem(link: string): boolean {
    const expiresMs = this.#expiries.get(link);
    this.#expiries.delete(link);
    return expiresMs !== undefined && this.#clock.now() < expiresMs;
  }

  /** The session is over. */
  clear(): void {
    this.#expiries.clear();
  }
}

/** The Set-Cookie field, flat, that leads a browser's requests for the app to the debuggee. */
export function requestCookie(app: string, secret: string, isEncrypted: boolean): string[] {
  // Lax: a person who comes from elsewhere is still the same person.
  const secure = isEncrypted ? '; Secure' : '';
  return ['Set-Cookie', `${REQUEST_COOKIE}=${secret}; Path=${app}; HttpOnly; SameSite=Lax${secure}`];
}

/** `?requests=<link>`: the browser's requests go to the debuggee from now on. */
export function admitted(app: string, secret: string, request: AskedRequest): Decision {
  return answerWith(303, '', 'text/plain', ['Location', app, ...requestCookie(app, secret, request.encrypted)]);
}

/** `?requests`: says how requests get to the debuggee. `link` is a fresh one. */
export function requestsPage(request: AskedRequest, secret: string, link: string): Decision {
  const origin = `${request.encrypted ? 'https' : 'http'}://${fieldOf(request, 'host') ?? 'localhost'}`;
  const path = request.target.replace(/\?.*$/, '').replace(/^[/\\]+/, '/');
  const text =
    'Requests go to the debuggee from each browser that opened the debugger; all others are served as ever.\n\n' +
    'For another browser, once and within five minutes; it does not get the debugger itself:\n' +
    `    ${origin}${path}?requests=${link}\n` +
    'For a program, this field in each request:\n' +
    `    ${REQUEST_FIELD}: ${secret}\n`;
  return answerWith(200, text, 'text/plain');
}

/** There is no session in scope `mine`. */
export function noRequests(): Decision {
  const text =
    'No debuggee of this app is set apart: the debugger does not run, or gets the requests of everybody.\n' +
    'Open the debugger with ?mine first.\n';
  return answerWith(409, text, 'text/plain');
}
