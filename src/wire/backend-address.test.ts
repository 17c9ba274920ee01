import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HostError } from '../base/host-error.ts';
import { parseBackend } from './backend-address.ts';

test('parseBackend reads http origins and Unix sockets', () => {
  assert.deepEqual(parseBackend('http://127.0.0.1:3000', ''), {
    kind: 'tcp', host: '127.0.0.1', port: 3000, authority: '127.0.0.1:3000',
  });
  assert.deepEqual(parseBackend('http://[::1]/', ''), { kind: 'tcp', host: '::1', port: 80, authority: '[::1]' });
  assert.deepEqual(parseBackend('unix:/run/a.sock', ''), { kind: 'unix', path: '/run/a.sock', authority: 'localhost' });
});

test('parseBackend refuses everything else and names the source', () => {
  for (const bad of ['', 'https://a', 'http://a/path', 'http://a:0', 'http://a:70000', 'http://u@a', 'unix:a', 'a:1']) {
    assert.throws(
      () => parseBackend(bad, 'slipstream.yml:3'),
      (error) => error instanceof HostError && /^slipstream.yml:3: /.test(error.message),
      bad,
    );
  }
});
