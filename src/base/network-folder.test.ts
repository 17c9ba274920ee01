import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetworkFolder } from './network-folder.ts';

test('isNetworkFolder knows the file systems whose changes are not told', () => {
  const on = (type: number): boolean => isNetworkFolder('/srv', { platform: 'linux', statfs: () => ({ type }) });
  for (const type of [0x6969, 0xff534d42, 0x01021997, 0x65735546]) assert.equal(on(type), true, String(type));
  for (const type of [0xef53, 0x01021994, 0x794c7630]) assert.equal(on(type), false, 'ext4, tmpfs, overlay');
  assert.equal(isNetworkFolder('\\\\server\\share\\shop', { platform: 'win32' }), true);
  assert.equal(isNetworkFolder('C:\\shop', { platform: 'win32' }), false);
  assert.equal(isNetworkFolder('/nowhere/at/all', { platform: 'linux' }), false);
});
