import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inDays, made, madeAuthority, madeRevocationList } from '../../test/made-certificates.ts';
import { element, integer, objectId, pemBlocks, time } from './der.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

test('DER lengths, numbers, object identifiers and times are those of X.690', () => {
  assert.equal(element(4, Buffer.alloc(127)).subarray(0, 2).toString('hex'), '047f');
  assert.equal(element(4, Buffer.alloc(128)).subarray(0, 3).toString('hex'), '048180');
  assert.equal(element(4, Buffer.alloc(256)).subarray(0, 4).toString('hex'), '04820100');
  assert.equal(integer(Buffer.from([0x00, 0x80])).toString('hex'), '02020080');
  assert.equal(integer(Buffer.from([0x00, 0x00, 0x7f])).toString('hex'), '02017f');
  assert.equal(integer(Buffer.from([0])).toString('hex'), '020100');
  assert.equal(objectId('1.2.840.113549.1.1.11').toString('hex'), '06092a864886f70d01010b');
  assert.equal(time(new Date('2049-12-31T23:59:59Z')).toString('latin1', 2), '491231235959Z');
  assert.equal(time(new Date('2050-01-01T00:00:00Z')).toString('latin1', 2), '20500101000000Z');
});

for (const kind of ['ec', 'rsa'] as const) {
  test(`a certificate with an ${kind} key is read by node and issued by its authority`, () => {
    const authority = madeAuthority();
    const { cert, issuer } = made('shop.test', {
      kind, issuer: authority.issuer, names: ['shop.test', '*.shop.test', '127.0.0.1', '::1', 'fe80::1:2'],
      usages: ['serverAuth'], serial: Buffer.from([0x80, 1]),
    });
    const read = new X509Certificate(cert);
    const root = new X509Certificate(authority.cert);
    assert.equal(read.subject, 'CN=shop.test');
    assert.equal(read.issuer, 'CN=Test authority');
    assert.equal(read.serialNumber, '8001');
    assert.ok(read.checkPrivateKey(issuer.key));
    assert.ok(read.checkIssued(root) && read.verify(root.publicKey));
    assert.equal(read.ca, false);
    assert.equal(root.ca, true);
    assert.deepEqual(read.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    assert.equal(read.checkHost('a.shop.test'), '*.shop.test');
    assert.equal(read.checkIP('127.0.0.1'), '127.0.0.1');
    assert.equal(read.checkIP('fe80:0:0:0:0:0:1:2'), 'fe80:0:0:0:0:0:1:2');
    assert.ok(Math.abs(Date.parse(read.validTo) - inDays(90).getTime()) < 60_000);
  });
}

test('openssl verifies a chain, and knows revocation and constraints', { skip: !hasOpenssl }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'slip-tls-'));
  const verify = (authority: string, cert: string, ...words: string[]): string => {
    writeFileSync(join(folder, 'ca.pem'), authority);
    writeFileSync(join(folder, 'cert.pem'), cert);
    const args = ['verify', '-x509_strict', '-CAfile', join(folder, 'ca.pem'), ...words, join(folder, 'cert.pem')];
    const { stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
    return stdout + stderr;
  };
  try {
    const root = made('Root', {
      isAuthority: true,
      permitted: { names: ['localhost'], networks: [{ address: '127.0.0.0', mask: '255.0.0.0' }] },
    });
    const good = made('x', { issuer: root.issuer, names: ['a.localhost', '127.0.0.1'], serial: Buffer.from([5]) });
    const bad = made('x', { issuer: root.issuer, names: ['bank.example'] });
    assert.match(verify(root.cert, good.cert), /: OK\n$/);
    assert.match(verify(root.cert, bad.cert), /permitted subtree violation/);
    writeFileSync(join(folder, 'crl.pem'), madeRevocationList(root.issuer, [Buffer.from([5])]));
    const words = ['-crl_check', '-CRLfile', join(folder, 'crl.pem')];
    assert.match(verify(root.cert, good.cert, ...words), /certificate revoked/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('pemBlocks finds the blocks of a label among other text', () => {
  const { cert, key } = made('x');
  assert.equal(pemBlocks(`${key}text\n${cert}\n${cert}`, 'CERTIFICATE').length, 2);
  assert.deepEqual(pemBlocks('', 'CERTIFICATE'), []);
});
