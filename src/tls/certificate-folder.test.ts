import { test } from 'node:test';
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostError } from '../base/host-error.ts';
import { made } from '../../test/made-certificates.ts';
import {
  certificateName, removeCertificate, storeCertificate, storedCertificates, tlsFolder,
} from './certificate-folder.ts';
import { readPair, type ReadPair } from './certificate-pair.ts';
import { makeLocalCertificate } from './local-authority.ts';

function readMade(kind: 'ec' | 'rsa', commonName = 'x.test'): ReadPair {
  const { cert, key } = made(commonName, { kind, names: [commonName] });
  return readPair({ cert: Buffer.from(cert), key: Buffer.from(key), certWhere: 'c', keyWhere: 'k' });
}

function withHome(body: (home: string) => void): void {
  const place = mkdtempSync(join(tmpdir(), 'slip-tls-'));
  try {
    body(join(place, 'home'));
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof HostError && error.code === code;
}

test('a name has a certificate of each kind of key, and a new one takes the place of its kind', () => {
  withHome((home) => {
    storeCertificate(home, '*.x.test', readMade('rsa', '*.x.test'));
    storeCertificate(home, '*.x.test', readMade('ec', '*.x.test'));
    const second = readMade('ec', '*.x.test');
    storeCertificate(home, '*.x.test', second);
    storeCertificate(home, '*', second);
    storeCertificate(home, 'https://[::1]:8443', second);
    const stored = storedCertificates(home);
    assert.deepEqual(stored.map(({ name, kind }) => `${name} ${kind}`), [
      '* ec', '*.x.test ec', '*.x.test rsa', 'https://[::1]:8443 ec',
    ]);
    const found = stored[1]!;
    assert.ok('read' in found);
    assert.equal(found.read.fingerprint, second.fingerprint);
    removeCertificate(home, '*.x.test', 'ec');
    removeCertificate(home, '*');
    assert.deepEqual(storedCertificates(home).map(({ name }) => name), ['*.x.test', 'https://[::1]:8443']);
    assert.throws(() => removeCertificate(home, '*'), isCode('TLS_CERTIFICATE_UNKNOWN'));
  });
});

test('only the owner may enter the folder and read the files', { skip: process.platform === 'win32' }, () => {
  withHome((home) => {
    const file = storeCertificate(home, 'x.test', readMade('ec'));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    makeLocalCertificate(home, Date.now());
    const entries = readdirSync(tlsFolder(home), { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      const mode = statSync(join(entry.parentPath, entry.name)).mode & 0o777;
      assert.equal(mode, entry.isDirectory() ? 0o700 : 0o600, entry.name);
    }
    assert.equal(statSync(tlsFolder(home)).mode & 0o777, 0o700);
  });
});

test('a broken file is listed with its problem', () => {
  withHome((home) => {
    const file = storeCertificate(home, 'x.test', readMade('ec'));
    writeFileSync(file, readFileSync(file, 'latin1').slice(0, 100));
    const [stored] = storedCertificates(home);
    assert.ok(stored !== undefined && 'problem' in stored);
    assert.match(stored.problem, /ec\.pem: there is no certificate in it/);
  });
});

test('what is not ours in the folder is passed over', () => {
  withHome((home) => {
    storeCertificate(home, 'x.test', readMade('ec'));
    for (const name of ['%zz', 'a b', '.DS_Store']) writeFileSync(join(tlsFolder(home), 'certificates', name), 'x');
    assert.deepEqual(storedCertificates(home).map(({ name }) => name), ['x.test']);
  });
});

test('names are host names, wildcards, * and listeners, and nothing that leaves the folder', () => {
  for (const name of ['x', 'x.test', '*.x.test', '_a.x-y.test', '*', 'https://10.0.0.1:443', 'https://[::]:1']) {
    assert.equal(certificateName(name.toUpperCase().replace('HTTPS', 'https')), name);
  }
  for (const name of ['', '..', '../x', 'a/b', 'x..test', 'a.*.test', '-x', 'https://x/', 'a b', 'x\0', 'http://a:1']) {
    assert.throws(() => certificateName(name), isCode('OPTION_INVALID'), name);
  }
});

test('the local authority stays, its certificate is made anew', () => {
  withHome((home) => {
    const first = makeLocalCertificate(home, Date.now());
    const authority = readFileSync(first.authorityFile, 'latin1');
    const second = makeLocalCertificate(home, Date.now());
    assert.equal(first.isAuthorityOld, false);
    assert.equal(second.isAuthorityOld, true);
    assert.equal(readFileSync(first.authorityFile, 'latin1'), authority);
    const stored = storedCertificates(home);
    assert.deepEqual(stored.map(({ name }) => name), ['*.localhost', 'localhost']);
    const [local] = stored;
    assert.ok(local !== undefined && 'read' in local);
    const root = new X509Certificate(authority);
    assert.ok(local.read.chain[0]!.verify(root.publicKey) && local.read.chain[0]!.checkIssued(root));
    const late = makeLocalCertificate(home, Date.now() + 3300 * 86_400_000);
    assert.equal(late.isAuthorityOld, false);
  });
});
