import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { claimAddress } from './host-join.ts';
import { JoinChannel, joinSockets } from './join-channel.ts';
import { prefixOf } from './join-listen.ts';

test('prefixOf knows URL prefixes from paths, names and ports', () => {
  assert.equal(prefixOf(['http://*:8080/foo/', () => {}]), 'http://*:8080/foo/');
  assert.equal(prefixOf(['HTTPS://a.test:443/']), 'HTTPS://a.test:443/');
  for (const first of ['8080', '/tmp/http://x', 'localhost', 8080, undefined, { port: 1 }]) {
    assert.equal(prefixOf([first]), null);
  }
});

test('claimAddress is an IP address, or empty for all', () => {
  assert.deepEqual(['127.0.0.1', '::1', '', null].map(claimAddress), ['127.0.0.1', '::1', '', '']);
});

test('joinSockets finds the sockets of run folders only', (t) => {
  const home = mkdtempSync(join(tmpdir(), 'slipstream-sockets-'));
  t.after(() => rmSync(home, { recursive: true }));
  for (const name of ['run-1', 'run-2', 'other']) mkdirSync(join(home, name));
  writeFileSync(join(home, 'run-1', 'joined.sock'), '');
  writeFileSync(join(home, 'other', 'joined.sock'), '');
  assert.equal(joinSockets(home).length, 1);
  assert.deepEqual(joinSockets(join(home, 'nowhere')), []);
});

test('JoinChannel finds no host behind a dead socket or a file, and does not wait', (t) => {
  const home = mkdtempSync(join(tmpdir(), 'slipstream-sockets-'));
  t.after(() => rmSync(home, { recursive: true }));
  mkdirSync(join(home, 'run-1'));
  writeFileSync(join(home, 'run-1', 'joined.sock'), '');
  assert.equal(JoinChannel.open(joinSockets(home), () => assert.fail('never was open')), null);
});
