// Access at the session proxy: the page with a key in it, keys for programs, and the key of every request that
// is not bound to a viewer already. The page runs in a sandbox, so its origin is nobody's and script on the
// app's own pages can neither look into it nor ask in its name; its requests therefore are cross-origin.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import {
  approachOf,
  isOwnOrigin,
  judgePage,
  judgeProgram,
  visitorOf,
  type AccessRequest,
  type AccessRules,
  type AccessVerdict,
  type Visitor,
} from './access.ts';
import { HOST_REASON, isKnownHost } from './host-names.ts';
import { PageKeys } from './page-keys.ts';
import { readBody, sendError, sendJson, sendWrongMethod } from './poll-answer.ts';
import { KEY_FIELD, type PageData, type SignedIn } from '../wire/poll-messages.ts';

const SIGN_IN_BYTES_MAX = 4096;
/** How long a browser remembers that its page may ask, in seconds. */
const PREFLIGHT_SECONDS = 7200;

/** What the page may do: scripts run, but not in the origin of the app. */
export const PAGE_SANDBOX =
  'sandbox allow-scripts allow-downloads allow-modals allow-popups allow-popups-to-escape-sandbox';

/** Where the data of the page stands in index.html. */
const DATA_PLACE = /(<script type="application\/json" id="slipstream-page">)\{\}(<\/script>)/;

/** Puts the data into the page. */
export function withPageData(html: string, data: PageData): string {
  // In a script element only "<" can end it.
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  return html.replace(DATA_PLACE, (_match, start: string, end: string) => start + json + end);
}

/** What access looks at, of a request that came through the front. */
export function accessRequestOf(request: IncomingMessage, isLocal: boolean): AccessRequest {
  return {
    isLocal,
    field(name) {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    values: (name) => request.headersDistinct[name] ?? [],
    certificate() {
      // As the front judged it (client/tls-members).
      const socket = request.socket as Partial<TLSSocket>;
      return socket.authorized === true ? socket.getPeerX509Certificate?.()?.raw : undefined;
    },
  };
}

/** The access of one session proxy. */
export class ProxyAccess {
  readonly keys: PageKeys;
  #rules: AccessRules;
  #isLocal: (request: IncomingMessage) => boolean;

  constructor(rules: AccessRules, isLocal: (request: IncomingMessage) => boolean) {
    this.#rules = rules;
    this.#isLocal = isLocal;
    this.keys = new PageKeys(rules.grants);
  }

  /** Who may have the page. */
  judgePage(request: IncomingMessage): AccessVerdict {
    return judgePage(this.#requestOf(request), this.#rules);
  }

  /** The holder of the key that a request shows; null, and the answer given, when there is none. */
  checkKey(request: IncomingMessage, response: ServerResponse): Visitor | null {
    if (!this.checkOrigin(request, response)) return null;
    const key = request.headers[KEY_FIELD];
    const visitor = typeof key === 'string' ? this.keys.find(key) : null;
    if (visitor === null) refuse(response, 'the key is missing or over; open the debugger again');
    return visitor;
  }

  /** Lets our page ask across origins; false, and the answer given, for every other page. */
  checkOrigin(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin, host } = request.headers;
    if (!isKnownHost(host, { auth: this.#rules.auth, hosts: this.#rules.signIns.hosts })) {
      refuse(response, HOST_REASON);
      return false;
    }
    if (!isOwnOrigin(origin, host)) {
      refuse(response, 'the request comes from a page of another origin');
      return false;
    }
    if (origin !== undefined) {
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader('Vary', 'Origin');
    }
    return true;
  }

  /** A browser asks whether the page may ask. */
  answerPreflight(request: IncomingMessage, response: ServerResponse): void {
    if (!this.checkOrigin(request, response)) return;
    response.writeHead(204, {
      'Access-Control-Allow-Methods': 'GET, POST',
      'Access-Control-Allow-Headers': `content-type, ${KEY_FIELD}`,
      'Access-Control-Max-Age': PREFLIGHT_SECONDS,
      'Cache-Control': 'no-store',
    });
    response.end();
  }

  /** `POST sign-in`: a key for a program; the visitor when one was given. */
  async signIn(request: IncomingMessage, response: ServerResponse): Promise<Visitor | null> {
    if (!this.checkOrigin(request, response)) return null;
    if (request.method !== 'POST') {
      sendWrongMethod(response, 'POST');
      return null;
    }
    const body = await readBody(request, response, SIGN_IN_BYTES_MAX);
    if (body === null) return null;
    const verdict = this.#judgeSignIn(request, body);
    if (verdict.kind === 'refused') {
      refuse(response, verdict.reason);
      return null;
    }
    const { visitor, session } = verdict;
    const signedIn: SignedIn = {
      key: this.keys.issue(visitor),
      role: visitor.role,
      ...(session === undefined ? {} : { session }),
    };
    sendJson(response, 200, JSON.stringify(signedIn));
    return visitor;
  }

  #judgeSignIn(
    request: IncomingMessage,
    body: string,
  ): { kind: 'allowed'; visitor: Visitor; session?: string } | { kind: 'refused'; reason: string } {
    const { app, auth, grants } = this.#rules;
    const { link, session: secret } = secretsOf(body);
    if (link !== undefined) {
      const redeemed = grants.redeemLink(app, link);
      if (redeemed === null) return { kind: 'refused', reason: 'the link was used, or is over' };
      return { kind: 'allowed', visitor: visitorOf(redeemed.session), session: redeemed.secret };
    }
    if (secret !== undefined) {
      const session = grants.findSession(app, secret);
      if (session === null) return { kind: 'refused', reason: 'the session was revoked, or is over' };
      return { kind: 'allowed', visitor: visitorOf(session), session: secret };
    }
    const asked = this.#requestOf(request);
    // Also where everybody is let in: script on a page acts for itself, not for who looks at the page.
    if (auth !== 'none' || approachOf(asked) !== 'program') return judgeProgram(asked, this.#rules);
    return { kind: 'allowed', visitor: { name: 'anyone', role: 'full' } };
  }

  #requestOf(request: IncomingMessage): AccessRequest {
    return accessRequestOf(request, this.#isLocal(request));
  }
}

function secretsOf(body: string): { link?: string; session?: string } {
  try {
    const { link, session } = JSON.parse(body) as Record<string, unknown>;
    return {
      ...(typeof link === 'string' ? { link } : {}),
      ...(typeof session === 'string' ? { session } : {}),
    };
  } catch {
    // Judged like a request that brings nothing.
    return {};
  }
}

function refuse(response: ServerResponse, message: string): void {
  sendError(response, 403, { code: 'DEBUGGER_FORBIDDEN', message });
}
