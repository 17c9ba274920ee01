import { test } from 'node:test';
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { HostError } from '../base/host-error.ts';
import { inDays, made, madeAuthority } from '../../test/made-certificates.ts';
import { covers, judgePair, readPair, type ReadPair } from './certificate-pair.ts';

const authority = madeAuthority();
const shop = made('shop.test', { issuer: authority.issuer, names: ['shop.test', '*.shop.test', '127.0.0.1'] });

function read(cert: string | Buffer, key: string): ReadPair {
  const files = { cert: Buffer.from(cert as string), key: Buffer.from(key), certWhere: 'c.pem', keyWhere: 'k.pem' };
  return readPair(files);
}

function refusal(cert: string | Buffer, key: string): string {
  try {
    read(cert, key);
  } catch (error) {
    assert.ok(error instanceof HostError);
    assert.equal(error.code, 'TLS_CERTIFICATE_INVALID');
    assert.ok(!error.message.includes('PRIVATE'), 'no key in a message');
    return error.message;
  }
  assert.fail('it was taken');
}

test('a pair is read with its names, its kind and its end', () => {
  const pair = read(shop.cert + authority.cert, shop.key);
  assert.equal(pair.kind, 'ec');
  assert.deepEqual(pair.names, ['shop.test', '*.shop.test', '127.0.0.1']);
  assert.equal(pair.subject, 'CN=shop.test');
  assert.equal(pair.issuer, 'CN=Test authority');
  assert.match(pair.fingerprint, /^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  assert.ok(Math.abs(pair.validTo - inDays(90).getTime()) < 60_000);
});

test('the own certificate comes first however the file has it, and the key may be in the same file', () => {
  const file = authority.cert + shop.key + shop.cert;
  const pair = read(file, file);
  assert.equal(pair.subject, 'CN=shop.test');
  assert.equal(new X509Certificate(pair.pair.cert).subject, 'CN=shop.test');
  assert.deepEqual(judgePair(pair, 'shop.test', Date.now()), []);
});

test('a certificate may be DER', () => {
  assert.equal(read(new X509Certificate(shop.cert).raw, shop.key).subject, 'CN=shop.test');
});

test('what cannot be used is refused with the file and the reason', () => {
  assert.match(refusal('-----BEGIN X-----', shop.key), /^c\.pem: there is no certificate in it$/);
  assert.match(refusal('', shop.key), /^c\.pem: it is no certificate that can be read/);
  assert.match(refusal(shop.cert.replace(/\n.{20}/, '\nAAAA'), shop.key), /^c\.pem: it is no certificate/);
  assert.match(refusal(shop.cert, ''), /^k\.pem: there is no private key in it/);
  assert.match(refusal(shop.cert, authority.key), /^k\.pem: the key does not belong to the certificate in c\.pem$/);
  assert.match(refusal(shop.cert, shop.key.replace(/\n.{20}/, '\nAAAA')), /^k\.pem: the private key cannot be read/);
  const locked = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x',
  }) as string;
  assert.match(refusal(shop.cert, locked), /^k\.pem: the key is encrypted/);
});

test('covers takes a wildcard for one label', () => {
  const names = ['*.shop.test', 'shop.test'];
  assert.ok(covers(names, 'A.shop.test'));
  assert.ok(covers(names, 'shop.test'));
  assert.ok(covers(names, '*.shop.test'));
  assert.ok(!covers(names, 'a.b.shop.test'));
  assert.ok(!covers(['*.test'], 'test'));
});

function findings(request: Parameters<typeof made>[1], name: string): string[] {
  const { cert, key } = made('x', { issuer: authority.issuer, names: ['x.test'], ...request });
  const judged = judgePair(read(cert + authority.cert, key), name, Date.now());
  return judged.map(({ severity, text }) => `${severity} ${text.replace(/\d{4}-\S+/, 'DATE')}`);
}

test('judgePair names what a client would stumble over', () => {
  assert.deepEqual(findings({}, 'x.test'), []);
  assert.deepEqual(findings({}, '*'), []);
  assert.deepEqual(findings({}, 'y.test'), ['error is for x.test, not for y.test']);
  assert.deepEqual(findings({ notAfter: inDays(-0.5) }, '*'), ['error expired on DATE']);
  assert.deepEqual(findings({ notAfter: inDays(20.5) }, '*'), ['warning expires on DATE in 20 days']);
  assert.deepEqual(findings({ notAfter: inDays(21.5) }, '*'), []);
  assert.deepEqual(findings({ notBefore: inDays(1) }, '*'), ['error not valid before DATE']);
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
  const few = 'error has an RSA key of 1024 bits, at least 2048 are needed';
  assert.deepEqual(findings({ key: weak }, '*'), [few]);
});

test('judgePair looks at the chain', () => {
  const text = (cert: string, key: string): string[] =>
    judgePair(read(cert, key), '*', Date.now()).map((finding) => finding.text);
  assert.match(text(shop.cert, shop.key)[0]!, /^has no chain/);
  assert.match(text(shop.cert + made('other').cert, shop.key)[0]!, /^its chain is broken: certificate 2/);
  const own = made('x');
  assert.match(text(own.cert, own.key)[0]!, /^is signed by itself/);
});
