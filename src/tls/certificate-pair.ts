// A certificate chain and its key as a file holds them: read, understood, judged. Nothing here ever puts a
// private key into a message.

import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { HostError, messageOf } from '../base/host-error.ts';
import { pem, pemBlocks } from './der.ts';
import type { CertificatePair } from '../wire/tls-messages.ts';

/** Within so many days of its end a certificate is warned of. */
export const EXPIRY_WARNING_DAYS = 21;

const DAY_MS = 86_400_000;
const RSA_BITS_MIN = 2048;

/** Kinds of keys; a name may have a certificate of each. */
export type KeyKind = 'rsa' | 'ec' | 'ed25519';

/** A pair that fits together. */
export interface ReadPair {
  pair: CertificatePair;
  kind: KeyKind;
  /** DNS names and addresses that the certificate is for. */
  names: string[];
  subject: string;
  issuer: string;
  /** Ms since 1970. */
  validFrom: number;
  validTo: number;
  /** SHA-256, upper case with colons. */
  fingerprint: string;
  chain: X509Certificate[];
}

/** Something to tell the owner of a certificate. */
export interface CertificateFinding {
  severity: 'error' | 'warning';
  text: string;
}

function invalid(where: string, why: string, cause?: unknown): HostError {
  return new HostError('TLS_CERTIFICATE_INVALID', `${where}: ${why}`, { cause });
}

/** The certificates of a file, PEM or DER. @throws HostError TLS_CERTIFICATE_INVALID */
export function readChain(content: Buffer, where: string): X509Certificate[] {
  const text = content.toString('latin1');
  const blocks = pemBlocks(text, 'CERTIFICATE');
  const isBinary = !text.includes('-----BEGIN ');
  if (blocks.length === 0 && !isBinary) throw invalid(where, 'there is no certificate in it');
  try {
    return isBinary ? [new X509Certificate(content)] : blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw invalid(where, `it is no certificate that can be read: ${messageOf(error)}`, error);
  }
}

function readKey(content: Buffer, where: string): KeyObject {
  const text = content.toString('latin1');
  if (/-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw invalid(where, 'the key is encrypted; remove its passphrase first (openssl pkey -in … -out …)');
  }
  const blocks = text.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----/);
  if (blocks === null) throw invalid(where, 'there is no private key in it (PEM)');
  try {
    return createPrivateKey(blocks[0]);
  } catch (error) {
    // The reasons of the decoder name formats, never bytes of the key.
    throw invalid(where, `the private key cannot be read: ${messageOf(error)}`);
  }
}

/**
 * Reads a pair. `where` names the files in messages.
 * @throws HostError TLS_CERTIFICATE_INVALID: unreadable, encrypted, of an unknown kind, not of one another.
 */
export function readPair(files: {
  cert: Buffer;
  key: Buffer;
  certWhere: string;
  keyWhere: string;
}): ReadPair {
  const { certWhere, keyWhere } = files;
  const chain = readChain(files.cert, certWhere);
  const key = readKey(files.key, keyWhere);
  const index = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (index < 0) throw invalid(keyWhere, `the key does not belong to the certificate in ${certWhere}`);
  // Some tools write the issuers first.
  const ordered = [chain[index]!, ...chain.filter((_, at) => at !== index)];
  const [own] = ordered as [X509Certificate];
  return {
    pair: {
      cert: ordered.map((certificate) => pem('CERTIFICATE', certificate.raw)).join(''),
      key: key.export({ type: 'pkcs8', format: 'pem' }) as string,
    },
    kind: kindOf(key, keyWhere),
    names: namesIn(own),
    subject: oneLine(own.subject),
    issuer: oneLine(own.issuer),
    validFrom: Date.parse(own.validFrom),
    validTo: Date.parse(own.validTo),
    fingerprint: own.fingerprint256,
    chain: ordered,
  };
}

function kindOf(key: KeyObject, where: string): KeyKind {
  const { asymmetricKeyType: type } = key;
  if (type === 'rsa' || type === 'ec' || type === 'ed25519') return type;
  throw invalid(where, `a key of type ${type} cannot be used; RSA, EC and Ed25519 can`);
}

function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ');
}

function namesIn(certificate: X509Certificate): string[] {
  const names: string[] = [];
  for (const entry of (certificate.subjectAltName ?? '').split(', ')) {
    const match = /^(?:DNS|IP Address):(.+)$/.exec(entry);
    if (match !== null) names.push(match[1]!.toLowerCase());
  }
  return names;
}

/** True when the certificate is for a name; `*` in either stands for one label. */
export function covers(names: readonly string[], name: string): boolean {
  const plain = name.toLowerCase();
  const parent = `*.${plain.slice(plain.indexOf('.') + 1)}`;
  return names.some((own) => own === plain || (plain.includes('.') && own === parent));
}

/** What is wrong with a pair for a name; `*` and listeners have no name. Errors first. */
export function judgePair(read: ReadPair, name: string, nowMs: number): CertificateFinding[] {
  const errors: string[] = [];
  const warnings: string[] = [];
  const daysLeft = Math.floor((read.validTo - nowMs) / DAY_MS);
  const endsOn = new Date(read.validTo).toISOString().slice(0, 10);
  if (nowMs > read.validTo) errors.push(`expired on ${endsOn}`);
  else if (daysLeft < EXPIRY_WARNING_DAYS) warnings.push(`expires on ${endsOn}, in ${daysLeft} days`);
  if (nowMs < read.validFrom) errors.push(`not valid before ${new Date(read.validFrom).toISOString()}`);
  const isNamed = name !== '*' && !name.startsWith('https://');
  if (isNamed && !covers(read.names, name)) {
    errors.push(`is for ${read.names.join(', ') || 'no name'}, not for ${name}`);
  }
  if (read.kind === 'rsa') {
    const bits = read.chain[0]!.publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
    if (bits < RSA_BITS_MIN) errors.push(`has an RSA key of ${bits} bits, at least ${RSA_BITS_MIN} are needed`);
  }
  warnings.push(...chainFindings(read.chain));
  return [
    ...errors.map((text) => ({ severity: 'error' as const, text })),
    ...warnings.map((text) => ({ severity: 'warning' as const, text })),
  ];
}

function chainFindings(chain: readonly X509Certificate[]): string[] {
  for (let index = 0; index + 1 < chain.length; index++) {
    if (!chain[index]!.checkIssued(chain[index + 1]!)) {
      return [`its chain is broken: certificate ${index + 2} in the file did not issue certificate ${index + 1}`];
    }
  }
  const last = chain.at(-1)!;
  const isRoot = last.subject === last.issuer && last.verify(last.publicKey);
  if (chain.length === 1 && isRoot) return ['is signed by itself: clients trust it only when told to'];
  if (chain.length === 1) return ['has no chain: add the certificates of its issuers behind it'];
  return [];
}
