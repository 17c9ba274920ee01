// Who gets in, as tables.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessGrants } from './access-grants.ts';
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
import { PageKeys, KEYS_MAX } from './page-keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'slip-access-'));
after(() => rmSync(folder, { recursive: true }));
const grants = new AccessGrants(folder);
const secret = grants.redeemLink('/shop/', grants.createLink('/shop/', 'step'))!.secret;

function request(isLocal: boolean, fields: Record<string, string>): AccessRequest {
  return { isLocal, field: (name) => fields[name] };
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
    const verdict = judgePage(request(isLocal, fields), { app: '/shop/', auth, grants });
    if (who === null) assert.equal(verdict.kind, 'refused');
    else assert.ok(verdict.kind === 'allowed' && [verdict.visitor.name, verdict.visitor.role].includes(who));
  });
}

test('a session is good for its app only', () => {
  const rules = { app: '/blog/', auth: 'link', grants } as const;
  assert.equal(judgePage(request(false, { ...TYPED, ...COOKIE }), rules).kind, 'refused');
});

test('a program gets a key without a link only at this machine', () => {
  assert.equal(judgeProgram(request(true, {})).kind, 'allowed');
  assert.equal(judgeProgram(request(false, {})).kind, 'refused');
  assert.equal(judgeProgram(request(true, FETCHED)).kind, 'refused');
  assert.equal(judgeProgram(request(true, { origin: 'null' })).kind, 'refused');
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
