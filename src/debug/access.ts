// Who may use a debugger, decided from requests alone (docs/ARCHITECTURE.md, Access). A page of the
// debugger is given, with a key in it, only to somebody who opens it: never to script that asks for it, be
// it script on the app's own pages, which have the same origin. Whatever changes something shows that key
// in a header.

import { X509Certificate } from 'node:crypto';
import { DEBUG_ROLES, SESSION_LIFE_MS, type AccessGrants, type DebugRole, type DebugSession } from './access-grants.ts';
import type { SignIns } from '../wire/sign-ins.ts';
import { HOST_REASON, isKnownHost } from './host-names.ts';

/** Name of the cookie that holds the secret of a session; its path is the debugger's. */
export const SESSION_COOKIE = 'slipstream-debug';

/** Name of the field by which a program that is no browser shows the secret of its session. */
export const SESSION_FIELD = 'slipstream-session';

const SCRIPTED_REASON =
  'only a person who opens it gets the page; script, a frame or a service worker of the app asked for it';

const SILENT_REASON = 'over plain HTTP to another machine a browser cannot say who asks: use HTTPS or ssh -L';

/** The part of a request that access depends on. Names of fields in lower case. */
export interface AccessRequest {
  field(name: string): string | undefined;
  /** All values of a field, a value a line. */
  values(name: string): readonly string[];
  /** The certificate of the client in DER, if its listener trusts it. */
  certificate(): Buffer | undefined;
  /** A person at this machine who came through no proxy, as the front judged. */
  isLocal: boolean;
}

/** Somebody who may use the debugger of an app. */
export interface Visitor {
  /** For the audit log: `local`, `anyone`, `user:…`, `certificate:…`, or the beginning of the session's id. */
  name: string;
  role: DebugRole;
  /** When a key ends that was given for who somebody is; wall clock, in ms. */
  expiresMs?: number;
  /** Came as who that is (certificate, field), to this app at this time: `--revoke` ends it. */
  known?: { app: string; sinceMs: number };
  /** Absent: needs none. */
  session?: DebugSession;
}

/** `reason` is for the client: it says what to do differently. */
export type AccessVerdict = { kind: 'allowed'; visitor: Visitor } | { kind: 'refused'; reason: string };

/** `link`: strangers sign in with a link of the command line. `none`: everybody is let in. */
export type DebuggerAuth = 'link' | 'none';

/** What {@link judgePage} compares with. */
export interface AccessRules {
  /** Path of the app. */
  app: string;
  auth: DebuggerAuth;
  grants: AccessGrants;
  /** Who may debug by who they are. */
  signIns: SignIns;
  /** Default {@link SESSION_COOKIE}. */
  cookie?: string;
}

/** How a request came to be, as the browser says it (Fetch Metadata); other programs say nothing. */
export type Approach =
  | 'program' // No browser, or one on a plain HTTP connection to another machine.
  | 'opened' // A person opened a page: typed, bookmarked, followed a link, clicked.
  | 'navigated' // A page is opened, maybe by script.
  | 'scripted'; // Script or markup asks for it: fetch, frame, prefetch, service worker.

/** Tells how a request came to be. */
export function approachOf(request: AccessRequest): Approach {
  const mode = request.field('sec-fetch-mode');
  // A service worker may read what is preloaded for it, and a prefetch is not a visit.
  if (request.field('service-worker-navigation-preload') !== undefined) return 'scripted';
  if (request.field('sec-purpose') !== undefined) return 'scripted';
  if (mode === undefined) return request.field('origin') === undefined ? 'program' : 'scripted';
  // A service worker that passes a navigation on says "empty" here.
  if (mode !== 'navigate' || request.field('sec-fetch-dest') !== 'document') return 'scripted';
  const isOwnAct = request.field('sec-fetch-site') === 'none' || request.field('sec-fetch-user') === '?1';
  return isOwnAct ? 'opened' : 'navigated';
}

/** Who asks, apart from how. */
export function judgeVisitor(request: AccessRequest, rules: AccessRules): AccessVerdict {
  const { auth, signIns } = rules;
  if (!isKnownHost(request.field('host'), { auth, hosts: signIns.hosts })) return refused(HOST_REASON);
  if (request.isLocal) return allowed({ name: 'local', role: 'full' });
  if (auth === 'none') return allowed({ name: 'anyone', role: 'full' });
  const shown = request.field(SESSION_FIELD);
  for (const secret of shown === undefined ? cookiesOf(request.field('cookie') ?? '', rules.cookie) : [shown]) {
    const session = rules.grants.findSession(rules.app, secret);
    if (session === null) continue;
    // A cookie alone shows nothing: on plain HTTP script on the app's pages would be taken for a program.
    if (shown !== undefined || approachOf(request) !== 'program') return allowed(visitorOf(session));
    return refused(SILENT_REASON);
  }
  const known = knownVisitor(request, rules);
  if (known !== null) return approachOf(request) === 'program' ? refused(SILENT_REASON) : allowed(known);
  return refused('it needs a one-time link: run `slipstream debug <app>` on the machine of the host');
}

/** Whether a request may have the page of the debugger, which holds a key. */
export function judgePage(request: AccessRequest, rules: AccessRules): AccessVerdict {
  const verdict = judgeVisitor(request, rules);
  if (verdict.kind === 'refused') return verdict;
  return approachOf(request) === 'scripted' ? refused(SCRIPTED_REASON) : verdict;
}

type KnownRules = Pick<AccessRules, 'app' | 'signIns'>;

/** Who a certificate or a proxy says it is, if that one may debug; the stronger of two roles. */
function knownVisitor(
  request: AccessRequest,
  { app, signIns: { userField, users, certificates } }: KnownRules,
): Visitor | null {
  const found: Visitor[] = [];
  const sinceMs = Date.now();
  const expiresMs = sinceMs + SESSION_LIFE_MS;
  const add = (name: string, role: DebugRole | undefined): void => {
    if (role === undefined || !DEBUG_ROLES.includes(role)) return;
    found.push({ name, role, known: { app, sinceMs }, expiresMs });
  };
  const [user, ...more] = userField === '' ? [] : request.values(userField);
  // Two answers to the question who it is are none.
  if (user !== undefined && user !== '' && more.length === 0) {
    add(`user:${user.slice(0, 64)}`, Object.hasOwn(users, user) ? users[user] : users['*']);
  }
  const der = Object.keys(certificates).length === 0 ? undefined : request.certificate();
  for (const [key, role] of der === undefined ? [] : Object.entries(certificates)) {
    if (isCertificateOf(new X509Certificate(der!), key)) add(`certificate:${key.slice(0, 64)}`, role);
  }
  found.sort((left, right) => DEBUG_ROLES.indexOf(right.role) - DEBUG_ROLES.indexOf(left.role));
  return found[0] ?? null;
}

/** Compared part by part: a name with a comma in it is not two names. */
function isCertificateOf({ fingerprint256, subject }: X509Certificate, key: string): boolean {
  const plain = (text: string): string => text.replaceAll(':', '').toLowerCase();
  if (/^[0-9a-f:]{64,95}$/i.test(key)) return plain(key) === plain(fingerprint256);
  const [parts, wanted] = [subject.split('\n'), key.split(', ')];
  return parts.length === wanted.length && parts.every((part, index) => part === wanted[index]);
}

/** Whether a program that is no browser may have a key without a link. */
export function judgeProgram(request: AccessRequest, rules: KnownRules): AccessVerdict {
  const isProgram = approachOf(request) === 'program';
  if (request.isLocal && isProgram) return allowed({ name: 'local', role: 'full' });
  const known = isProgram ? knownVisitor(request, rules) : null;
  if (known !== null) return allowed(known);
  return refused('the debugger gives a key to programs on this machine, or for a one-time link');
}

/** The visitor of a session. */
export function visitorOf(session: DebugSession): Visitor {
  return { name: session.id.slice(0, 12), role: session.role, session };
}

/** True when an Origin field is none, that of our sandboxed page, or that of `host` itself. */
export function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  return origin === undefined || origin === 'null' || isOriginOf(origin, host);
}

/** True when an Origin field names the host and port of a Host field. */
export function isOriginOf(origin: string, host: string | undefined): boolean {
  const match = /^(https?):\/\/([^/]+)$/i.exec(origin);
  if (match === null || host === undefined) return false;
  const defaultPort = match[1]!.toLowerCase() === 'http' ? ':80' : ':443';
  const plain = (text: string): string => {
    const lower = text.toLowerCase();
    return lower.endsWith(defaultPort) ? lower.slice(0, -defaultPort.length) : lower;
  };
  return plain(match[2]!) === plain(host);
}

/** The field that makes a browser keep the secret of a session, for the debugger below `path` only. */
export function sessionCookie(secret: string, path: string, isEncrypted: boolean, name = SESSION_COOKIE): string {
  // Lax: a page that loads itself again has an origin of its own, and is still to be let in.
  const secure = isEncrypted ? '; Secure' : '';
  return `${name}=${secret}; Path=${path}; HttpOnly; SameSite=Lax${secure}`;
}

/** All values of our cookie: an app may have set one of the same name. */
function cookiesOf(field: string, cookie = SESSION_COOKIE): string[] {
  const values: string[] = [];
  for (const pair of field.split(';').slice(0, 100)) {
    const [name, value] = pair.trim().split('=', 2);
    if (name === cookie && value !== undefined && value !== '') values.push(value);
  }
  return values.slice(0, 8);
}

function allowed(visitor: Visitor): AccessVerdict {
  return { kind: 'allowed', visitor };
}

function refused(reason: string): AccessVerdict {
  return { kind: 'refused', reason };
}
