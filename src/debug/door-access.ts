// Access at the door of <app>/debug, on the host's side: who may start a debuggee and end it, and how a
// one-time link becomes a session. access.ts has the rules.

import type { Decision, AskedRequest } from '../wire/front-messages.ts';
import type { Log } from '../base/log.ts';
import { AccessGrants } from './access-grants.ts';
import {
  approachOf,
  judgePage,
  sessionCookie,
  visitorOf,
  type DebuggerAuth,
  type Visitor,
} from './access.ts';
import { auditFile, createAuditLog, type AuditEntry, type AuditLog } from './audit-log.ts';
import { accessRequestOf } from './asked-access.ts';
import { answerWith, refusal } from './debug-answer.ts';
import { HOST_REASON, isKnownHost } from './host-names.ts';
import { NO_SIGN_INS, type SignIns } from '../wire/sign-ins.ts';
import { ReaderAccess } from './reader-access.ts';

/** What somebody wants at the door. */
export type DoorWish = 'attach' | 'start' | 'kill';

/** What {@link DoorAccess} needs. */
export interface DoorAccessOptions {
  /** Links and sessions of visitors, and the audit log. */
  folder: string;
  auth: DebuggerAuth;
  /** Who may debug by who they are; default nobody. */
  signIns?(): SignIns;
  /** See {@link createAuditLog}. */
  auditMask: readonly string[];
  log: Log;
}

/** Judges requests at the door. */
export class DoorAccess {
  #auth: DebuggerAuth;
  #signIns: () => SignIns;
  #grants: AccessGrants;
  #audit: AuditLog;
  /** Who may read. */
  readonly readers: ReaderAccess;

  /** @throws HostError CONFIG_INVALID */
  constructor({ folder, auth, signIns = () => NO_SIGN_INS, auditMask, log }: DoorAccessOptions) {
    this.#auth = auth;
    this.#signIns = signIns;
    this.#grants = new AccessGrants(folder);
    this.readers = new ReaderAccess(folder, signIns);
    this.#audit = createAuditLog({ file: auditFile(folder), maskPatterns: auditMask, log });
  }

  /** Null when the request may have its wish, else the answer. */
  judge(app: string, request: AskedRequest, wish: DoorWish): Decision | null {
    const asked = accessRequestOf(request);
    const verdict = judgePage(asked, { app, auth: this.#auth, grants: this.#grants, signIns: this.#signIns() });
    if (verdict.kind === 'refused') return this.#refuse(app, request, verdict.reason);
    const { visitor } = verdict;
    if (wish === 'attach') return null;
    // A page of the app, or of another site, may lead here but not start or end anything by itself.
    if (approachOf(asked) === 'navigated') {
      return this.#refuse(app, request, 'a page opened it without a click of yours; open it yourself');
    }
    if (visitor.role !== 'full') {
      return this.#refuse(app, request, `your role "${visitor.role}" may neither start nor end a debugger`);
    }
    this.#note(app, request, { event: wish === 'kill' ? 'killed' : 'opened', who: visitor.name });
    return null;
  }

  /** Null unless script or a frame asks for what only a person who opens a page may have. */
  judgeScripted(app: string, request: AskedRequest): Decision | null {
    const asked = accessRequestOf(request);
    const isKnown = isKnownHost(asked.field('host'), { auth: this.#auth, hosts: this.#signIns().hosts });
    if (!isKnown) return this.#refuse(app, request, HOST_REASON);
    return approachOf(asked) === 'scripted' ? this.#refuse(app, request, 'a link is to be opened as a page') : null;
  }

  /** `?link=<secret>`: signs in and leads to the door without the link. */
  signIn(app: string, request: AskedRequest, secret: string): Decision {
    const refused = this.judgeScripted(app, request);
    if (refused !== null) return refused;
    const redeemed = this.#grants.redeemLink(app, secret);
    if (redeemed === null) {
      return this.#refuse(app, request, 'the one-time link was used already, or is over; make a new one');
    }
    const { name: who, role }: Visitor = visitorOf(redeemed.session);
    this.#note(app, request, { event: 'signed-in', who, role });
    // As it was asked for: a browser compares the path of a cookie letter by letter.
    const path = request.target.replace(/\?.*$/, '').replace(/^[/\\]+/, '/').replaceAll(';', '%3B');
    const cookie = sessionCookie(redeemed.secret, path, request.encrypted);
    const reader = this.readers.cookieFor(app, request);
    const cookies = reader === undefined ? ['Set-Cookie', cookie] : ['Set-Cookie', cookie, 'Set-Cookie', reader];
    return answerWith(303, '', 'text/plain', ['Location', path, ...cookies]);
  }

  #refuse(app: string, request: AskedRequest, reason: string): Decision {
    this.#note(app, request, { event: 'refused', who: 'unknown', text: reason });
    return refusal(reason);
  }

  #note(app: string, request: AskedRequest, entry: Omit<AuditEntry, 'app' | 'from'>): void {
    this.#audit.write({ ...entry, app, from: request.remoteAddress });
  }
}
