// Certificates for tests, made on the spot: an authority, what it issues, and each fault that a client
// certificate can have. PEM throughout.

import { generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto';
import { explicit, implicit, integer, objectId, pem, sequence, time } from '../src/tls/der.ts';
import {
  extension, keyIdentifier, makeCertificate, nameOf, signatureAlgorithm, signed, type CertificateRequest,
  type Issuer,
} from '../src/tls/certificate-maker.ts';

export { pem };

const DAY_MS = 86_400_000;

export interface MadeCertificate {
  cert: string;
  key: string;
  /** To sign others with. */
  issuer: Issuer;
}

/** A new private key. */
export function newKey(kind: 'ec' | 'rsa' = 'ec'): KeyObject {
  return kind === 'ec'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    : generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}

/** `days` from now; negative ones are past. */
export function inDays(days: number): Date {
  return new Date(Date.now() + days * DAY_MS);
}

/** A certificate that is valid now unless the request says otherwise. */
export function made(
  commonName: string,
  request: Partial<CertificateRequest> & { kind?: 'ec' | 'rsa' } = {},
): MadeCertificate {
  const { kind, ...rest } = request;
  const key = rest.key ?? newKey(kind);
  const cert = makeCertificate({ commonName, notBefore: inDays(-1), notAfter: inDays(90), ...rest, key });
  return { cert, key: key.export({ type: 'pkcs8', format: 'pem' }) as string, issuer: { commonName, key } };
}

/** An authority that vouches for itself. */
export function madeAuthority(commonName = 'Test authority'): MadeCertificate {
  return made(commonName, { isAuthority: true });
}

/** A certificate as OpenSSL keeps it in a store of authorities: trusted for clients, whatever it says itself. */
export function explicitlyTrusted({ cert }: MadeCertificate): string {
  const uses = sequence(sequence(objectId('1.3.6.1.5.5.7.3.2')));
  return pem('TRUSTED CERTIFICATE', Buffer.concat([new X509Certificate(cert).raw, uses]));
}

/** A revocation list, RFC 5280 5.1, of these serial numbers. */
export function madeRevocationList(
  issuer: Issuer,
  revoked: readonly Buffer[],
  times: { thisUpdate: Date; nextUpdate: Date } = { thisUpdate: inDays(-1), nextUpdate: inDays(7) },
): string {
  const rows = revoked.map((serial) => sequence(integer(serial), time(times.thisUpdate)));
  const toBeSigned = sequence(
    integer(Buffer.from([1])),
    signatureAlgorithm(issuer.key),
    nameOf(issuer.commonName),
    time(times.thisUpdate),
    time(times.nextUpdate),
    ...(rows.length === 0 ? [] : [sequence(...rows)]),
    explicit(0, sequence(
      extension('2.5.29.35', sequence(implicit(0, keyIdentifier(issuer.key)))),
      extension('2.5.29.20', integer(Buffer.from([1]))),
    )),
  );
  return pem('X509 CRL', signed(toBeSigned, issuer.key));
}
