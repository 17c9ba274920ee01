// Who may read the logs and the developer pages of an app from elsewhere: who signed in, with a one-time link of
// `slipstream logs <app> --link` or of the debugger. A reader may look, and nothing else: its links and sessions are
// kept apart from those of the debugger. Its cookie is for the app's whole path, so the app's server sees it too, which
// can read its own logs anyway; script on the app's pages cannot use it: a page is given to navigations only, and what
// the page asks by itself shows a key.

import type { AskedRequest, Decision } from '../wire/front-messages.ts';
import { READER_COOKIE } from '../wire/reader.ts';
import type { SignIns } from '../wire/sign-ins.ts';
import { AccessGrants, readersFolder } from './access-grants.ts';
import { approachOf, judgePage, sessionCookie, type AccessRequest } from './access.ts';
import { accessRequestOf } from './asked-access.ts';
import { answerWith } from './debug-answer.ts';
import { PageKeys } from './page-keys.ts';

/** `key`: what the page has to show in the query of its own requests; absent: nothing. */
export type ReaderVerdict =
  | { kind: 'allowed'; key?: string }
  /** A link was used: this is the answer. */
  | { kind: 'signed-in'; decision: Decision }
  | { kind: 'refused'; reason: string };

/** Judges readers of all apps. */
export class ReaderAccess {
  readonly #grants: AccessGrants;
  readonly #signIns: () => SignIns;
  /** By app. */
  readonly #keys = new Map<string, PageKeys>();

  constructor(folder: string, signIns: () => SignIns) {
    this.#grants = new AccessGrants(readersFolder(folder));
    this.#signIns = signIns;
  }

  /** Whether the request may read, or a link in it makes a reader of who sends it. */
  judge(app: string, request: AskedRequest): ReaderVerdict {
    const asked = accessRequestOf(request);
    const query = new URLSearchParams(request.query);
    const link = query.get('link');
    if (link !== null) return this.#signIn(app, request, asked, link);
    const key = query.get('key');
    if (key !== null && this.#keysOf(app).find(key) !== null) return { kind: 'allowed' };
    const [grants, signIns] = [this.#grants, this.#signIns()];
    const verdict = judgePage(asked, { app, auth: 'link', grants, signIns, cookie: READER_COOKIE });
    if (verdict.kind === 'refused') return verdict;
    return request.local ? { kind: 'allowed' } : { kind: 'allowed', key: this.#keysOf(app).issue(verdict.visitor) };
  }

  /** A field that makes the browser a reader; for somebody who just signed in to more than that. */
  cookieFor(app: string, request: AskedRequest): string | undefined {
    const made = this.#grants.redeemLink(app, this.#grants.createLink(app, 'observe'));
    return made === null ? undefined : readerCookie(made.secret, app, request.encrypted);
  }

  #keysOf(app: string): PageKeys {
    const keys = this.#keys.get(app) ?? new PageKeys(this.#grants);
    this.#keys.set(app, keys);
    return keys;
  }

  #signIn(app: string, request: AskedRequest, asked: AccessRequest, link: string): ReaderVerdict {
    if (approachOf(asked) === 'scripted') return { kind: 'refused', reason: 'a link is to be opened as a page' };
    const redeemed = this.#grants.redeemLink(app, link);
    if (redeemed === null) return { kind: 'refused', reason: 'the one-time link was used already, or is over' };
    const path = request.target.replace(/\?.*$/, '').replace(/^[/\\]+/, '/');
    const cookie = readerCookie(redeemed.secret, app, request.encrypted);
    const decision = answerWith(303, '', 'text/plain', ['Location', path, 'Set-Cookie', cookie]);
    return { kind: 'signed-in', decision };
  }
}

function readerCookie(secret: string, app: string, isEncrypted: boolean): string {
  return sessionCookie(secret, app.replaceAll(';', '%3B'), isEncrypted, READER_COOKIE);
}
