// Who gets in, as tables.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { made } from '../../test/made-certificates.ts';
import { AccessGrants, SESSION_LIFE_MS } from './access-grants.ts';
import {
  approachOf,
  isOriginOf,
  isOwnOrigin,
  judgePage,
  judgeProgram,
  sessionCookie,
  type AccessRequest,
  type Approach,
} from './access.ts';
import { NO_SIGN_INS, type SignIns } from '../wire/sign-ins.ts';
import { isKnownHost } from './host-names.ts';
import { PageKeys, KEYS_MAX } from './page-keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'slip-access-'));
after(() => rmSync(folder, { recursive: true }));
const grants = new AccessGrants(folder);
const secret = grants.redeemLink('/shop/', grants.createLink('/shop/', 'step'))!.secret;

function request(isLocal: boolean, fields: Record<string, string | string[]>, certificate?: Buffer): AccessRequest {
  const all: Record<string, string | string[]> = { host: '127.0.0.1:8080', ...fields };
  const values = (name: string): string[] => [all[name] ?? []].flat();
  return { isLocal, field: (name) => values(name)[0], values, certificate: () => certificate };
}

const TYPED = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'none' };
const CLICKED = { ...TYPED, 'sec-fetch-site': 'cross-site', 'sec-fetch-user': '?1' };
const SENT = { ...TYPED, 'sec-fetch-site': 'same-origin' };
const FETCHED = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' };
const COOKIE = { cookie: `a=b; slipstream-debug=wrong; slipstream-debug=${secret}` };

const APPROACHES: [Approach, Record<string, string>][] = [
  ['program', {}],
  ['opened', TYPED],
  ['opened', CLICKED],
  ['navigated', SENT],
  ['scripted', FETCHED],
  ['scripted', { origin: 'http://localhost:8080' }],
  ['scripted', { ...TYPED, 'sec-fetch-dest': 'iframe' }],
  ['scripted', { ...TYPED, 'sec-fetch-dest': 'empty' }],
  ['scripted', { ...TYPED, 'service-worker-navigation-preload': 'true' }],
  ['scripted', { ...TYPED, 'sec-purpose': 'prefetch' }],
];

for (const [approach, fields] of APPROACHES) {
  test(`a request with ${JSON.stringify(fields)} is ${approach}`, () => {
    assert.equal(approachOf(request(true, fields)), approach);
  });
}

const PAGES: [string | null, boolean, Record<string, string>, 'link' | 'none'][] = [
  ['local', true, {}, 'link'],
  ['local', true, TYPED, 'link'],
  ['local', true, SENT, 'link'],
  [null, true, FETCHED, 'link'],
  [null, false, TYPED, 'link'],
  [null, false, {}, 'link'],
  ['step', false, { ...TYPED, ...COOKIE }, 'link'],
  ['step', false, { ...CLICKED, ...COOKIE }, 'link'],
  [null, false, { ...FETCHED, ...COOKIE }, 'link'],
  // A cookie without a word on who asks: script on a plain HTTP page would look the same.
  [null, false, COOKIE, 'link'],
  ['step', false, { 'slipstream-session': secret }, 'link'],
  [null, false, { 'slipstream-session': 'wrong' }, 'link'],
  ['anyone', false, TYPED, 'none'],
  [null, false, FETCHED, 'none'],
];

for (const [who, isLocal, fields, auth] of PAGES) {
  test(`the page is for ${who}: local ${isLocal}, ${auth}, ${JSON.stringify(Object.keys(fields))}`, () => {
    const verdict = judgePage(request(isLocal, fields), { app: '/shop/', auth, grants, signIns: NO_SIGN_INS });
    if (who === null) assert.equal(verdict.kind, 'refused');
    else assert.ok(verdict.kind === 'allowed' && [verdict.visitor.name, verdict.visitor.role].includes(who));
  });
}

const HOSTS: [string, 'link' | 'none', string[], boolean][] = [
  ['localhost:8080', 'none', [], true],
  ['127.0.0.1', 'none', [], true],
  ['192.0.2.7:8080', 'none', [], true],
  ['[2001:db8::1]:443', 'none', [], true],
  // Any site can make its name point here.
  ['evil.example:8080', 'none', [], false],
  ['127.0.0.1.evil.example', 'none', [], false],
  ['0x7f.1', 'none', [], false],
  ['', 'none', [], false],
  ['Apps.Example.:443', 'none', ['apps.example'], true],
  ['192.0.2.7', 'none', ['apps.example'], false],
  ['evil.example', 'link', [], true],
  ['evil.example', 'link', ['apps.example'], false],
  ['apps.example:8443', 'link', ['apps.example'], true],
  ['[::1]:1', 'link', ['apps.example'], true],
];

for (const [host, auth, hosts, isKnown] of HOSTS) {
  test(`the debugger may ${isKnown ? '' : 'not '}be asked for as "${host}": ${auth}, ${hosts.join()}`, () => {
    assert.equal(isKnownHost(host, { auth, hosts }), isKnown);
    const rules = { app: '/shop/', auth, grants, signIns: { ...NO_SIGN_INS, hosts } };
    const verdict = judgePage(request(false, { ...TYPED, ...COOKIE, host }), rules);
    assert.equal(verdict.kind, isKnown ? 'allowed' : 'refused');
  });
}

test('a session is good for its app only', () => {
  const rules = { app: '/blog/', auth: 'link', grants, signIns: NO_SIGN_INS } as const;
  assert.equal(judgePage(request(false, { ...TYPED, ...COOKIE }), rules).kind, 'refused');
});

const NOBODY = { app: '/shop/', signIns: NO_SIGN_INS };

test('a program gets a key without a link only at this machine', () => {
  assert.equal(judgeProgram(request(true, {}), NOBODY).kind, 'allowed');
  assert.equal(judgeProgram(request(false, {}), NOBODY).kind, 'refused');
  assert.equal(judgeProgram(request(true, FETCHED), NOBODY).kind, 'refused');
  assert.equal(judgeProgram(request(true, { origin: 'null' }), NOBODY).kind, 'refused');
});

const alice = derOf('alice');
const fingerprint = new X509Certificate(alice).fingerprint256;

function derOf(commonName: string): Buffer {
  return new X509Certificate(made(commonName).cert).raw;
}

const SIGN_INS: SignIns = {
  userField: 'x-remote-user',
  users: { ann: 'full', bob: 'step', '*': 'observe' },
  certificates: { 'CN=alice': 'step', [fingerprint]: 'full', 'CN=x, CN=y': 'full', 'CN=carol': 'observe' },
  hosts: [],
};

const KNOWN: [string, Record<string, string | string[]>, Buffer | undefined, string | null][] = [
  ['a user of the list', { ...TYPED, 'x-remote-user': 'ann' }, undefined, 'user:ann full'],
  ['another one of it', { ...TYPED, 'x-remote-user': 'bob' }, undefined, 'user:bob step'],
  ['any other user', { ...TYPED, 'x-remote-user': 'constructor' }, undefined, 'user:constructor observe'],
  ['no user', { ...TYPED, 'x-remote-user': '' }, undefined, null],
  ['two users', { ...TYPED, 'x-remote-user': ['ann', 'bob'] }, undefined, null],
  ['another field', { ...TYPED, 'x-user': 'ann' }, undefined, null],
  ['a certificate, by the stronger of two rows', TYPED, alice, `certificate:${fingerprint.slice(0, 64)} full`],
  ['a certificate, by its subject', TYPED, derOf('carol'), 'certificate:CN=carol observe'],
  ['a certificate of nobody', TYPED, derOf('mallory'), null],
  ['a name with a comma in it', TYPED, derOf('x, CN=y'), null],
  ['script', { ...FETCHED, 'x-remote-user': 'ann' }, alice, null],
  ['a browser that says nothing', { 'x-remote-user': 'ann' }, alice, null],
];

for (const [what, fields, certificate, who] of KNOWN) {
  test(`who is known signs in: ${what}`, () => {
    const asked = request(false, fields, certificate);
    const verdict = judgePage(asked, { app: '/shop/', auth: 'link', grants, signIns: SIGN_INS });
    const seen = verdict.kind === 'allowed' ? `${verdict.visitor.name} ${verdict.visitor.role}` : null;
    assert.equal(seen, who);
    const unlisted = judgePage(asked, { app: '/shop/', auth: 'link', grants, signIns: NO_SIGN_INS });
    assert.equal(unlisted.kind, 'refused');
  });
}

test('a program that is known gets a key, for twelve hours', () => {
  const verdict = judgeProgram(request(false, { 'x-remote-user': 'bob' }), { app: '/shop/', signIns: SIGN_INS });
  assert.ok(verdict.kind === 'allowed' && verdict.visitor.role === 'step');
  let now = Date.now();
  const keys = new PageKeys(grants, () => now);
  const key = keys.issue(verdict.visitor);
  now += SESSION_LIFE_MS - 60_000;
  assert.equal(keys.find(key)?.name, 'user:bob');
  now += 120_000;
  assert.equal(keys.find(key), null);
  const scripted = request(false, { ...FETCHED, 'x-remote-user': 'bob' });
  assert.equal(judgeProgram(scripted, { app: '/shop/', signIns: SIGN_INS }).kind, 'refused');
});

test('the key of one that is known ends when its app, or all, are revoked', () => {
  for (const revoked of ['/shop/', null]) {
    const mine = new AccessGrants(join(folder, `known-${revoked === null}`));
    const keys = new PageKeys(mine);
    const verdict = judgeProgram(request(false, {}, alice), { app: '/shop/', signIns: SIGN_INS });
    assert.ok(verdict.kind === 'allowed');
    const key = keys.issue(verdict.visitor);
    const local = keys.issue({ name: 'local', role: 'full' });
    mine.revoke('/blog/');
    assert.equal(keys.find(key)?.role, 'full');
    mine.revoke(revoked);
    assert.equal(keys.find(key), null);
    assert.equal(keys.find(local)?.name, 'local');
    const { known, ...visitor } = verdict.visitor;
    const again = keys.issue({ ...visitor, known: { ...known!, sinceMs: Date.now() + 1 } });
    assert.equal(keys.find(again)?.role, 'full', 'who is still on the list may come again');
  }
});

test('a key ends with the session behind it, and the oldest of too many goes', () => {
  const mine = new AccessGrants(join(folder, 'keys'));
  const keys = new PageKeys(mine);
  const { session } = mine.redeemLink('/x/', mine.createLink('/x/', 'full'))!;
  const key = keys.issue({ name: 'a', role: 'full', session });
  const local = keys.issue({ name: 'local', role: 'full' });
  assert.equal(keys.find(key)?.name, 'a');
  assert.equal(mine.revoke('/x/'), 1);
  assert.equal(keys.find(key), null);
  assert.equal(keys.find('unknown'), null);
  for (let count = 1; count < KEYS_MAX; count++) keys.issue({ name: 'more', role: 'full' });
  assert.equal(keys.find(local)?.name, 'local');
  const oldest = keys.issue({ name: 'more', role: 'full' });
  for (let count = 0; count < KEYS_MAX; count++) keys.issue({ name: 'more', role: 'full' });
  assert.equal(keys.find(oldest), null);
});

test('the cookie of a session is for the debugger only', () => {
  const cookie = sessionCookie('s', '/shop/debug/', true);
  assert.equal(cookie, 'slipstream-debug=s; Path=/shop/debug/; HttpOnly; SameSite=Lax; Secure');
  assert.doesNotMatch(sessionCookie('s', '/', false), /Secure/);
});

test('an origin is compared by host and port, default ports left out', () => {
  assert.equal(isOriginOf('http://localhost', 'localhost:80'), true);
  assert.equal(isOriginOf('https://LOCALHOST:443', 'localhost'), true);
  assert.equal(isOriginOf('http://[::1]:8080', '[::1]:8080'), true);
  assert.equal(isOriginOf('http://localhost:8080', undefined), false);
  assert.equal(isOriginOf('http://localhost:8080/', 'localhost:8080'), false);
  assert.equal(isOriginOf('ftp://localhost', 'localhost'), false);
  assert.equal(isOriginOf('http://localhost.evil', 'localhost'), false);
  assert.equal(isOwnOrigin('null', 'localhost'), true);
  assert.equal(isOwnOrigin('http://evil.example', 'localhost'), false);
});
