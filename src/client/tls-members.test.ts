import { test } from 'node:test';
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { made, madeAuthority } from '../../test/made-certificates.ts';
import type { TlsOrigin } from '../wire/link-messages.ts';
import { addTlsMembers, httpsysClient, windowsCode, type HttpsysCertificate } from './tls-members.ts';

const authority = madeAuthority();
const alice = made('alice', { issuer: authority.issuer });

function base64(cert: string): string {
  return new X509Certificate(cert).raw.toString('base64');
}

function originOf(error?: string): TlsOrigin {
  return {
    protocol: 'TLSv1.3',
    cipher: { name: 'A', standardName: 'A', version: 'TLSv1.3' },
    servername: 'shop.test',
    alpn: 'h2',
    ...(error === undefined ? {} : { client: { error, chain: [base64(alice.cert), base64(authority.cert)] } }),
  };
}

interface TlsSocket {
  authorized: boolean;
  authorizationError: string | null;
  servername: string | false;
  alpnProtocol: string | false;
  getPeerCertificate(detailed?: boolean): {
    subject?: { CN: string };
    raw?: Buffer;
    issuerCertificate?: { subject: { CN: string }; issuerCertificate: unknown };
  };
  getPeerX509Certificate(): X509Certificate | undefined;
  getCipher(): object;
  getProtocol(): string;
}

function socketOf(error?: string): TlsSocket {
  const socket = {} as TlsSocket;
  addTlsMembers(socket, originOf(error));
  return socket;
}

test('a socket says of TLS what node says', () => {
  const good = socketOf('');
  assert.equal(good.authorized, true);
  assert.equal((good as { _secureEstablished?: boolean })._secureEstablished, true);
  assert.equal(good.authorizationError, null);
  assert.equal(good.servername, 'shop.test');
  assert.equal(good.alpnProtocol, 'h2');
  assert.equal(good.getProtocol(), 'TLSv1.3');
  assert.deepEqual(good.getCipher(), { name: 'A', standardName: 'A', version: 'TLSv1.3' });
  assert.equal(good.getPeerCertificate().subject?.CN, 'alice');
  assert.equal(good.getPeerCertificate().issuerCertificate, undefined);
  assert.equal(good.getPeerX509Certificate()?.subject, 'CN=alice');
  const { issuerCertificate } = good.getPeerCertificate(true);
  assert.equal(issuerCertificate?.subject.CN, 'Test authority');
  assert.equal(issuerCertificate.issuerCertificate, issuerCertificate);
  const bad = socketOf('CERT_HAS_EXPIRED');
  assert.equal(bad.authorized, false);
  assert.equal(bad.authorizationError, 'CERT_HAS_EXPIRED');
  const nobody = socketOf();
  assert.equal(nobody.authorized, false);
  assert.deepEqual(nobody.getPeerCertificate(), {});
  assert.equal(nobody.getPeerX509Certificate(), undefined);
  // What only the end of TLS could do is not there, so that a call fails.
  for (const name of ['renegotiate', 'exportKeyingMaterial', 'getSession', 'setMaxSendFragment', 'getFinished']) {
    assert.equal(name in good, false, name);
  }
});

interface Client {
  authorized: boolean | undefined;
  authorizationError: string | undefined;
  getPeerCertificate(): HttpsysCertificate;
  remoteAddress: string;
}

class Socket {
  #address = '10.0.0.1';
  get remoteAddress(): string {
    return this.#address;
  }
}

function clientOf(error: string | undefined, environment: NodeJS.ProcessEnv = {}): Client {
  return httpsysClient(new Socket(), originOf(error), environment) as Client;
}

test('req.client says what httpsys says, and is a socket otherwise', () => {
  const good = clientOf('');
  assert.equal(good.authorized, true);
  assert.equal(good.authorizationError, undefined);
  assert.equal(good.remoteAddress, '10.0.0.1');
  const read = new X509Certificate(alice.cert);
  assert.deepEqual(JSON.parse(JSON.stringify(good.getPeerCertificate())), {
    subject: 'CN=alice', issuer: 'CN=Test authority', fingerprint: read.fingerprint,
    valid_from: new Date(read.validFrom).toUTCString(), valid_to: new Date(read.validTo).toUTCString(),
  });
  const bad = clientOf('CERT_REVOKED');
  assert.equal(bad.authorized, false);
  assert.equal(bad.authorizationError, 'CRYPT_E_REVOKED');
  const nobody = clientOf(undefined);
  assert.equal(nobody.authorized, undefined);
  assert.equal(nobody.authorizationError, undefined);
});

test('the encoded certificate is there for programs that ask for it', () => {
  const on = [{ SLIPSTREAM_EXPORT_CLIENT_CERT: '1' }, { HTTPSYS_EXPORT_CLIENT_CERT: 'true' }];
  const off = [{}, { HTTPSYS_EXPORT_CLIENT_CERT: '0' }, { SLIPSTREAM_EXPORT_CLIENT_CERT: '' }];
  for (const environment of on) {
    assert.deepEqual(clientOf('', environment).getPeerCertificate().encoded, new X509Certificate(alice.cert).raw);
  }
  for (const environment of off) assert.equal(clientOf('', environment).getPeerCertificate().encoded, undefined);
});

test('every fault has the name of httpsys', () => {
  const names = {
    CERT_HAS_EXPIRED: 'CERT_E_EXPIRED', CERT_NOT_YET_VALID: 'CERT_E_EXPIRED',
    INVALID_PURPOSE: 'CERT_E_WRONG_USAGE', SELF_SIGNED_CERT_IN_CHAIN: 'CERT_E_UNTRUSTEDROOT',
    DEPTH_ZERO_SELF_SIGNED_CERT: 'CERT_E_UNTRUSTEDROOT', UNABLE_TO_GET_ISSUER_CERT: 'CERT_E_CHAINING',
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'CERT_E_CHAINING', UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'CERT_E_CHAINING',
    INVALID_CA: 'CERT_E_UNTRUSTEDCA', CERT_SIGNATURE_FAILURE: 'TRUST_E_CERT_SIGNATURE',
    CERT_REVOKED: 'CRYPT_E_REVOKED', UNABLE_TO_GET_CRL: 'CRYPT_E_NO_REVOCATION_CHECK',
    CRL_HAS_EXPIRED: 'CRYPT_E_REVOCATION_OFFLINE', PATH_LENGTH_EXCEEDED: '0x800b010b',
  };
  for (const [code, name] of Object.entries(names)) assert.equal(windowsCode(code), name);
  assert.equal(windowsCode(''), undefined);
});
