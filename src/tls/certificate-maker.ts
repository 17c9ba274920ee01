// Makes X.509 certificates (RFC 5280) for keys of node:crypto: the local authority of `tls dev` and what the
// tests need. Not for a public authority: it makes what it is told to make.

import { createHash, createPublicKey, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import {
  bits, element, explicit, implicit, integer, NULL, objectId, octets, pem, sequence, setOf, time, TRUE, utf8,
} from './der.ts';

/** Who signs: its name and its key. */
export interface Issuer {
  commonName: string;
  key: KeyObject;
}

export interface CertificateRequest {
  commonName: string;
  /** Private key of the subject; only its public half goes into the certificate. */
  key: KeyObject;
  /** Default: signs itself. */
  issuer?: Issuer;
  notBefore: Date;
  notAfter: Date;
  /** May sign certificates. Default false. */
  isAuthority?: boolean;
  /** DNS names and IP addresses. */
  names?: readonly string[];
  /** For what it may be used. Default: for everything. */
  usages?: readonly ('serverAuth' | 'clientAuth')[];
  /** An authority may sign for nothing but these DNS names, with all below them, and IP networks. */
  permitted?: { names: readonly string[]; networks: readonly { address: string; mask: string }[] };
  /** Its key usage allows to sign certificates. Default: that of an authority does. */
  maySign?: boolean;
  /** Default: random. */
  serial?: Buffer;
}

const COMMON_NAME = objectId('2.5.4.3');
const EXTENSIONS = 3;
const USAGES = { serverAuth: objectId('1.3.6.1.5.5.7.3.1'), clientAuth: objectId('1.3.6.1.5.5.7.3.2') };
const SHA256_WITH_RSA = sequence(objectId('1.2.840.113549.1.1.11'), NULL);
const ECDSA_WITH_SHA256 = sequence(objectId('1.2.840.10045.4.3.2'));

/** A name with just a common name. */
export function nameOf(commonName: string): Buffer {
  return sequence(setOf(sequence(COMMON_NAME, utf8(commonName))));
}

/** Signs what a certificate or a revocation list says: the whole structure. */
export function signed(toBeSigned: Buffer, key: KeyObject): Buffer {
  return sequence(toBeSigned, signatureAlgorithm(key), bits(sign('sha256', toBeSigned, key)));
}

/** The AlgorithmIdentifier that {@link signed} uses with a key: RSA or elliptic curve. */
export function signatureAlgorithm(key: KeyObject): Buffer {
  return key.asymmetricKeyType === 'rsa' ? SHA256_WITH_RSA : ECDSA_WITH_SHA256;
}

/** What links a certificate to the key of its issuer: RFC 5280 4.2.1.2. */
export function keyIdentifier(key: KeyObject): Buffer {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return createHash('sha1').update(spki).digest();
}

/** An extension, RFC 5280 4.2. */
export function extension(oid: string, content: Buffer, isCritical = false): Buffer {
  return sequence(objectId(oid), ...(isCritical ? [TRUE] : []), octets(content));
}

/** Makes a certificate, as PEM. */
export function makeCertificate(request: CertificateRequest): string {
  const issuer = request.issuer ?? { commonName: request.commonName, key: request.key };
  const toBeSigned = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(request.serial ?? serialNumber()),
    signatureAlgorithm(issuer.key),
    nameOf(issuer.commonName),
    sequence(time(request.notBefore), time(request.notAfter)),
    nameOf(request.commonName),
    createPublicKey(request.key).export({ type: 'spki', format: 'der' }),
    explicit(EXTENSIONS, sequence(...extensionsOf(request, issuer))),
  );
  return pem('CERTIFICATE', signed(toBeSigned, issuer.key));
}

/** Positive, unguessable, at most 20 bytes: RFC 5280 4.1.2.2. */
function serialNumber(): Buffer {
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  return serial;
}

function extensionsOf(request: CertificateRequest, issuer: Issuer): Buffer[] {
  const { isAuthority = false, maySign = isAuthority, names = [], usages = [], permitted } = request;
  const extensions = [
    extension('2.5.29.14', octets(keyIdentifier(request.key))),
    extension('2.5.29.35', sequence(implicit(0, keyIdentifier(issuer.key)))),
    extension('2.5.29.19', isAuthority ? sequence(TRUE) : sequence(), true),
    // keyCertSign and cRLSign, or digitalSignature and keyEncipherment.
    extension('2.5.29.15', maySign ? bits(Buffer.from([0x06]), 1) : bits(Buffer.from([0xa0]), 5), true),
  ];
  if (names.length > 0) extensions.push(extension('2.5.29.17', sequence(...names.map(generalName))));
  if (usages.length > 0) {
    extensions.push(extension('2.5.29.37', sequence(...usages.map((usage) => USAGES[usage]))));
  }
  if (permitted !== undefined) extensions.push(extension('2.5.29.30', permittedTrees(permitted), true));
  return extensions;
}

function generalName(name: string): Buffer {
  const address = addressBytes(name);
  return address === null ? implicit(2, Buffer.from(name, 'latin1')) : implicit(7, address);
}

/** NameConstraints with only permitted subtrees, RFC 5280 4.2.1.10. */
function permittedTrees(permitted: NonNullable<CertificateRequest['permitted']>): Buffer {
  const trees = permitted.names.map((name) => sequence(implicit(2, Buffer.from(name, 'latin1'))));
  for (const { address, mask } of permitted.networks) {
    const range = Buffer.concat([addressBytes(address)!, addressBytes(mask)!]);
    trees.push(sequence(implicit(7, range)));
  }
  return sequence(element(0xa0, Buffer.concat(trees)));
}

/** The bytes of an IP address; null for a name. */
function addressBytes(text: string): Buffer | null {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  if (!isIPv6(text)) return null;
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...before, ...zeros, ...after].entries()) bytes.writeUInt16BE(group, index * 2);
  return bytes;
}
