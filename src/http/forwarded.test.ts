import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Origin } from '../wire/link-messages.ts';
import { forwardedFields } from './forwarded.ts';

function from(remoteAddress: string): Origin {
  return { remoteAddress, remotePort: 5, localAddress: '10.0.0.1', localPort: 8080, encrypted: false };
}

test('a direct client at this machine gets nothing added, not even a new list', () => {
  const fields = ['Host', 'localhost', 'X-Custom', '1'];
  const peer = { origin: from('127.0.0.1'), isTrusted: true, host: 'localhost' };
  assert.equal(forwardedFields(fields, peer), fields);
});

test('a proxy at this machine is believed and added to X-Forwarded-For', () => {
  const fields = ['x-forwarded-for', '1.2.3.4', 'X-Forwarded-Proto', 'https', 'Forwarded', 'for=1.2.3.4'];
  const before = [...fields];
  const peer = { origin: from('::ffff:127.0.0.1'), isTrusted: true, host: 'shop' };
  assert.deepEqual(forwardedFields(fields, peer), [
    'x-forwarded-for', '1.2.3.4, 127.0.0.1', 'X-Forwarded-Proto', 'https', 'Forwarded', 'for=1.2.3.4, for=127.0.0.1',
  ]);
  assert.deepEqual(fields, before, 'the fields as they came are kept for whoever judges them');
});

test('the last of several X-Forwarded-For is added to', () => {
  const peer = { origin: from('::1'), isTrusted: true, host: '' };
  const fields = ['X-Forwarded-For', 'a', 'X-Forwarded-For', ''];
  assert.deepEqual(forwardedFields(fields, peer), ['X-Forwarded-For', 'a', 'X-Forwarded-For', '::1']);
});

test('what any other peer says of itself is replaced by what the front sees', () => {
  const claims = [
    'Host', 'shop', 'FORWARDED', 'x', 'X-Forwarded', 'x', 'x-forwarded-for', 'x', 'X-Forwarded-Anything', 'x',
    'X-Real-IP', 'x', 'X-Client-Ip', 'x', 'From', 'kept', 'X-Forward', 'kept',
  ];
  const peer = { origin: from('192.0.2.1'), isTrusted: false, host: 'shop' };
  assert.deepEqual(forwardedFields(claims, peer), [
    'Host', 'shop', 'From', 'kept', 'X-Forward', 'kept',
    'X-Forwarded-For', '192.0.2.1', 'X-Forwarded-Proto', 'http', 'X-Forwarded-Host', 'shop',
    'X-Forwarded-Port', '8080',
  ]);
});

test('a trusted proxy elsewhere is added in both forms; a client there that claims nothing is its own', () => {
  const peer = { origin: from('fd00::1'), isTrusted: true, host: 'shop' };
  const claims = ['Forwarded', 'for=a', 'X-Forwarded-For', '1.2.3.4', 'X-Forwarded-Proto', 'https'];
  assert.deepEqual(forwardedFields(claims, peer), [
    'Forwarded', 'for=a, for="[fd00::1]"', 'X-Forwarded-For', '1.2.3.4, fd00::1', 'X-Forwarded-Proto', 'https',
  ]);
  assert.deepEqual(forwardedFields(['X-Forwarded-Proto', 'x'], peer).slice(0, 4), [
    'X-Forwarded-For', 'fd00::1', 'X-Forwarded-Proto', 'http',
  ]);
});
