import { test } from 'node:test';
import assert from 'node:assert/strict';
import { isLocalClient, isLoopbackAddress, isLoopbackHost } from './loopback.ts';

test('loopback addresses of both families are loopback', () => {
  for (const address of ['127.0.0.1', '127.9.8.7', '::1', '::ffff:127.0.0.1']) {
    assert.equal(isLoopbackAddress(address), true, address);
  }
  for (const address of ['128.0.0.1', '10.0.0.1', '::2', '', '::ffff:10.0.0.1', '127.0.0.1.example']) {
    assert.equal(isLoopbackAddress(address), false, address);
  }
});

test('only literal loopback hosts and localhost are loopback hosts', () => {
  for (const host of ['localhost', 'LOCALHOST:8080', '127.0.0.1:1', '[::1]', '[::1]:8080']) {
    assert.equal(isLoopbackHost(host), true, host);
  }
  const others = ['localhost.evil.com', 'evil.com', 'localhost6', '0x7f.1', '2130706433', ''];
  for (const host of [...others, '[::1].x', '::1', 'localhost:x']) assert.equal(isLoopbackHost(host), false, host);
});

test('a local client has a loopback address, a loopback Host and no proxy field', () => {
  assert.equal(isLocalClient('127.0.0.1', ['Host', 'localhost:8080', 'Accept', '*/*']), true);
  assert.equal(isLocalClient('10.1.1.1', ['Host', 'localhost:8080']), false);
  assert.equal(isLocalClient('127.0.0.1', ['Host', 'shop.example']), false);
  assert.equal(isLocalClient('127.0.0.1', []), false);
  assert.equal(isLocalClient('127.0.0.1', ['Host', 'localhost', 'host', 'localhost']), false);
});

test('any field that a proxy adds makes a client remote', () => {
  const names = ['Forwarded', 'X-Forwarded-For', 'x-forwarded-proto', 'Via', 'X-Real-IP', 'X-Forwarded'];
  for (const name of [...names, 'X-Forwarded-Anything']) {
    assert.equal(isLocalClient('::1', ['Host', '[::1]:80', name, '']), false, name);
  }
});
