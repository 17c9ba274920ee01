import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HostError } from '../base/host-error.ts';
import { parseConfig } from './host-config.ts';
import { readTlsConfig } from './tls-config.ts';

function refusal(value: unknown): string {
  try {
    readTlsConfig(value, '/etc/s.yml', '/etc/s.yml:3');
  } catch (error) {
    assert.ok(error instanceof HostError && error.code === 'CONFIG_INVALID');
    return error.message;
  }
  assert.fail('it was taken');
}

test('the tls section has settings, certificates and client certificates; paths are from its folder', () => {
  const config = parseConfig(
    [
      'listen: [https://localhost:8443]', 'tls:', '  minVersion: TLSv1.3', '  certificates:',
      '    - { host: [Shop.test, "*.shop.test"], cert: shop.pem, key: /k/shop.key }', '    - cert: both.pem',
      '  clients:', '    - listen: "https://localhost:8443"', '      certificates: require',
      '      trust: cas', '      revocationLists: [a.crl]',
    ].join('\n'),
    '/etc/slip/slipstream.yml',
  );
  assert.equal(config.tls.settings.minVersion, 'TLSv1.3');
  assert.equal(config.tls.settings.http2, true);
  assert.deepEqual(config.tls.certificates, [
    { hosts: ['shop.test', '*.shop.test'], certFile: '/etc/slip/shop.pem', keyFile: '/k/shop.key' },
    { hosts: [], certFile: '/etc/slip/both.pem', keyFile: '/etc/slip/both.pem' },
  ]);
  assert.deepEqual(config.tls.clients, [{
    listen: 'https://localhost:8443', mode: 'require', trust: ['/etc/slip/cas'], revocationLists: ['/etc/slip/a.crl'],
  }]);
});

test('a listener may have a handshake of its own, over the common one', () => {
  const rows = [{ listen: 'https://*:8443/', maxVersion: 'TLSv1.2', curves: 'prime256v1', http2: false }];
  const { settings, listeners } = readTlsConfig({ ciphers: 'A', listeners: rows }, '/x/s.yml', 'x');
  assert.deepEqual([settings.minVersion, settings.maxVersion, settings.http2], ['TLSv1.2', 'TLSv1.3', true]);
  assert.equal(listeners[0]?.listen, 'https://*:8443');
  const { minVersion, maxVersion, ciphers, curves, http2 } = listeners[0].settings;
  assert.deepEqual([minVersion, maxVersion, ciphers], ['TLSv1.2', 'TLSv1.2', 'A']);
  assert.deepEqual([curves, http2], ['prime256v1', false]);
  assert.match(refusal({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }), /"minVersion" TLSv1\.3 is newer than "max/);
  assert.match(refusal({ minVersion: 'TLSv1.3', listeners: [{ listen: 'x', maxVersion: 'TLSv1.2' }] }), /is newer/);
  assert.match(refusal({ listeners: [{ listen: 'x', ticketRotationMs: 60_000 }] }), /unknown setting "ticketRot/);
  assert.match(refusal({ listeners: [{ maxVersion: 'TLSv1.2' }] }), /"listen" must be a text/);
});

test('hosts say whether plain requests are sent to https, and HSTS', () => {
  const rows = [{ host: 'A.test', redirect: true, hsts: true }, { listen: 'http://*:80/', redirect: 8443 }];
  assert.deepEqual(readTlsConfig({ hosts: rows }, '/x/s.yml', 'x').hosts, [
    { names: ['a.test'], listen: undefined, redirect: 'default', hsts: 'max-age=31536000' },
    { names: ['*'], listen: 'http://*:80', redirect: 8443, hsts: null },
  ]);
  assert.match(refusal({ hosts: [{ redirect: 'yes' }] }), /"redirect" must be true, false or a port/);
  assert.match(refusal({ hosts: [{ redirect: 70_000 }] }), /"redirect" must be/);
  assert.match(refusal({ hosts: [{ hsts: 'max-age=1\r\nX: y' }] }), /"hsts" must be true, false or a text/);
});

test('a list is the list of certificates', () => {
  const { certificates } = readTlsConfig([{ host: 'a', cert: 'a.pem', key: 'a.key' }], '/x/s.yml', 'x');
  assert.deepEqual(certificates, [{ hosts: ['a'], certFile: '/x/a.pem', keyFile: '/x/a.key' }]);
});

test('what is wrong is named with its place', () => {
  assert.match(refusal(5), /^\/etc\/s\.yml:3: "tls" must be a map/);
  assert.match(refusal({ minVersion: 'TLSv1' }), /minVersion/);
  assert.match(refusal({ certificates: 'x' }), /"certificates" must be a list of maps/);
  assert.match(refusal([{ cert: 'a', keys: 'b' }]), /unknown setting "keys"; known are host, cert, key/);
  assert.match(refusal([{ key: 'b' }]), /"cert" must be a text/);
  assert.match(refusal({ clients: [{ certificates: 'yes' }] }), /"certificates" must be one of/);
  assert.match(refusal({ clients: [{ certificates: 'require' }] }), /"trust" is missing/);
});
