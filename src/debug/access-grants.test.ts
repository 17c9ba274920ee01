import { afterEach, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessGrants, GRANTS_MAX, LINK_LIFE_MS, SESSION_LIFE_MS } from './access-grants.ts';

let folder: string;
let nowMs: number;
let grants: AccessGrants;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slip-grants-'));
  nowMs = 1_000_000;
  grants = new AccessGrants(folder, () => nowMs);
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a link becomes one session, for its app, while it is fresh', () => {
  const link = grants.createLink('/shop/', 'observe');
  assert.equal(grants.redeemLink('/blog/', link), null);
  const redeemed = grants.redeemLink('/shop/', link)!;
  assert.equal(redeemed.session.role, 'observe');
  assert.equal(grants.redeemLink('/shop/', link), null, 'a link is good once');
  assert.deepEqual(grants.findSession('/shop/', redeemed.secret), redeemed.session);
  assert.equal(grants.findSession('/blog/', redeemed.secret), null);
  const late = grants.createLink('/shop/', 'full');
  nowMs += LINK_LIFE_MS + 1;
  assert.equal(grants.redeemLink('/shop/', late), null);
});

test('a session ends when it expires and when it is revoked', () => {
  const [first, second] = ['/shop/', '/blog/'].map((app) => grants.redeemLink(app, grants.createLink(app, 'full'))!);
  assert.equal(grants.revoke('/shop/'), 1);
  assert.equal(grants.isValid(first!.session), false);
  assert.equal(grants.findSession('/shop/', first!.secret), null);
  assert.equal(grants.isValid(second!.session), true);
  nowMs += SESSION_LIFE_MS + 1;
  assert.equal(grants.isValid(second!.session), false);
  assert.equal(grants.findSession('/blog/', second!.secret), null);
});

test('revoking takes links along, and everything when no app is named', () => {
  const link = grants.createLink('/shop/', 'full');
  grants.redeemLink('/blog/', grants.createLink('/blog/', 'full'));
  assert.equal(grants.revoke(null), 2);
  assert.equal(grants.redeemLink('/shop/', link), null);
});

test('no secret is on the disk, and files are their owner’s only', () => {
  const link = grants.createLink('/shop/', 'full');
  const [name] = readdirSync(join(folder, 'links'));
  const file = join(folder, 'links', name!);
  assert.equal(name!.includes(link), false);
  assert.equal(readFileSync(file, 'utf8').includes(link), false);
  if (process.platform !== 'win32') assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('a damaged file is no grant, and too many are refused until old ones are over', () => {
  const link = grants.createLink('/shop/', 'full');
  const [name] = readdirSync(join(folder, 'links'));
  writeFileSync(join(folder, 'links', name!), '{"app":"/shop/","role":"king","expiresMs":9e15}');
  assert.equal(grants.redeemLink('/shop/', link), null);
  for (let count = 0; count < GRANTS_MAX; count++) grants.createLink('/shop/', 'full');
  assert.throws(() => grants.createLink('/shop/', 'full'), { code: 'DEBUGGER_FORBIDDEN' });
  nowMs += LINK_LIFE_MS + 1;
  grants.createLink('/shop/', 'full');
});
