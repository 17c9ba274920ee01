import { test } from 'node:test';
import assert from 'node:assert/strict';
import { isNetwork, networkTest } from './trusted-networks.ts';

test('isNetwork takes addresses and networks of both families, nothing else', () => {
  for (const good of ['10.0.0.1', '10.0.0.0/8', '0.0.0.0/0', '::1', 'fd00::/8', '::1/128']) {
    assert.equal(isNetwork(good), true, good);
  }
  for (const bad of ['', 'localhost', '10.0.0.0/33', '::1/129', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0/8', 'fe80::1%1']) {
    assert.equal(isNetwork(bad), false, bad);
  }
});

test('networkTest knows members, IPv4-mapped ones too; what is no address is none', () => {
  const isTrusted = networkTest(['10.0.0.0/8', '192.0.2.1', '::1/128', 'fd00::/8']);
  for (const member of ['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.1', '::1', 'fd12::1']) {
    assert.equal(isTrusted(member), true, member);
  }
  for (const other of ['11.0.0.1', '192.0.2.2', '::2', '', 'localhost']) assert.equal(isTrusted(other), false, other);
});

test('networkTest answers for each address anew, whatever was asked before', () => {
  const isMember = networkTest(['10.0.0.0/8']);
  const addresses = ['', '10.1.2.3', '10.1.2.3', '11.1.2.3', '11.1.2.3', '::ffff:10.1.2.3', '10.1.2.3', 'none', ''];
  assert.deepEqual(addresses.map(isMember), [false, true, true, false, false, true, true, false, false]);
});
