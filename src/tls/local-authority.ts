// `tls dev`: an authority of this user and a certificate for localhost. Nothing trusts it until the user says
// so, and then it is good for localhost and loopback addresses only (name constraints), should its key get out.

import { createPrivateKey, generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificate, type Issuer } from './certificate-maker.ts';
import { makeOwnFolder, storeCertificate, tlsFolder, writeOwnFile } from './certificate-folder.ts';
import { readPair } from './certificate-pair.ts';

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
/** Browsers refuse longer ones. */
const CERTIFICATE_DAYS = 397;
/** With less than this left, the authority is made anew. */
const AUTHORITY_DAYS_MIN = CERTIFICATE_DAYS + 1;
const NAMES = ['localhost', '*.localhost', '127.0.0.1', '::1'];
const PERMITTED = {
  names: ['localhost'],
  networks: [
    { address: '127.0.0.0', mask: '255.0.0.0' },
    { address: '::1', mask: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' },
  ],
};

/** What `tls dev` made. */
export interface LocalCertificate {
  /** PEM of the authority: what a browser has to be told. */
  authorityFile: string;
  /** The authority was there already: what trusts it goes on to. */
  isAuthorityOld: boolean;
  validTo: Date;
}

/** Makes a certificate for localhost in `home`, and the authority where there is none. */
export function makeLocalCertificate(home: string, nowMs: number): LocalCertificate {
  const folder = join(tlsFolder(home), 'authority');
  makeOwnFolder(home);
  makeOwnFolder(tlsFolder(home));
  makeOwnFolder(folder);
  const authorityFile = join(folder, 'authority.pem');
  const keyFile = join(folder, 'authority.key');
  const old = readAuthority(authorityFile, keyFile, nowMs);
  const { issuer, pem } = old ?? makeAuthority(nowMs);
  if (old === null) {
    writeOwnFile(keyFile, issuer.key.export({ type: 'pkcs8', format: 'pem' }) as string);
    writeOwnFile(authorityFile, pem);
  }
  const key = newKey();
  const validTo = new Date(nowMs + CERTIFICATE_DAYS * DAY_MS);
  const cert = makeCertificate({
    commonName: 'localhost', key, issuer, names: NAMES, usages: ['serverAuth'],
    notBefore: new Date(nowMs - DAY_MS), notAfter: validTo,
  });
  const content = Buffer.from(cert + pem + (key.export({ type: 'pkcs8', format: 'pem' }) as string));
  const read = readPair({ cert: content, key: content, certWhere: 'localhost', keyWhere: 'localhost' });
  storeCertificate(home, 'localhost', read);
  storeCertificate(home, '*.localhost', read);
  return { authorityFile, isAuthorityOld: old !== null, validTo };
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function makeAuthority(nowMs: number): { issuer: Issuer; pem: string } {
  const key = newKey();
  const day = new Date(nowMs).toISOString().slice(0, 10);
  // Each has a name of its own: two of one name with other keys confuse who trusted the former.
  const issuer = { commonName: `Slipstream local authority ${day} ${process.pid}`, key };
  const pem = makeCertificate({
    commonName: issuer.commonName, key, isAuthority: true, permitted: PERMITTED,
    notBefore: new Date(nowMs - DAY_MS), notAfter: new Date(nowMs + AUTHORITY_DAYS * DAY_MS),
  });
  return { issuer, pem };
}

/** Null: there is none, or it ends too soon. */
function readAuthority(
  authorityFile: string,
  keyFile: string,
  nowMs: number,
): { issuer: Issuer; pem: string } | null {
  if (!existsSync(authorityFile) || !existsSync(keyFile)) return null;
  const pem = readFileSync(authorityFile, 'latin1');
  const certificate = new X509Certificate(pem);
  const key = createPrivateKey(readFileSync(keyFile));
  const daysLeft = (Date.parse(certificate.validTo) - nowMs) / DAY_MS;
  if (daysLeft < AUTHORITY_DAYS_MIN || !certificate.checkPrivateKey(key)) return null;
  const commonName = /^CN=(.+)$/m.exec(certificate.subject)?.[1] ?? '';
  return { issuer: { commonName, key }, pem };
}
