// What programs ask of a TLS connection, on sockets whose TLS ended in the front: node's members on the socket,
// and on `req.client` those of httpsys, with its names of what is wrong with a certificate.

import type { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import type { ClientCertificate, TlsOrigin } from '../wire/link-messages.ts';

/** OpenSSL's codes -> those of Windows. Docs of both describe the same faults. */
const WINDOWS_CODES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'CERT_E_EXPIRED',
  CERT_NOT_YET_VALID: 'CERT_E_EXPIRED',
  INVALID_PURPOSE: 'CERT_E_WRONG_USAGE',
  SELF_SIGNED_CERT_IN_CHAIN: 'CERT_E_UNTRUSTEDROOT',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'CERT_E_UNTRUSTEDROOT',
  UNABLE_TO_GET_ISSUER_CERT: 'CERT_E_CHAINING',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'CERT_E_CHAINING',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'CERT_E_CHAINING',
  INVALID_CA: 'CERT_E_UNTRUSTEDCA',
  CERT_SIGNATURE_FAILURE: 'TRUST_E_CERT_SIGNATURE',
  CERT_REVOKED: 'CRYPT_E_REVOKED',
  UNABLE_TO_GET_CRL: 'CRYPT_E_NO_REVOCATION_CHECK',
  CRL_HAS_EXPIRED: 'CRYPT_E_REVOCATION_OFFLINE',
};

/** TRUST_E_FAIL: no more is known. httpsys gives codes without a name of its own as numbers. */
const OTHER_WINDOWS_CODE = '0x800b010b';

/** httpsys's name for a code of OpenSSL; undefined for ''. */
export function windowsCode(code: string): string | undefined {
  return code === '' ? undefined : (WINDOWS_CODES[code] ?? OTHER_WINDOWS_CODE);
}

/** What `req.client.getPeerCertificate()` gives. */
export interface HttpsysCertificate {
  /** `CN=localhost, O=Example`. */
  subject: string;
  issuer: string;
  valid_from: string;
  valid_to: string;
  /** SHA-1. */
  fingerprint: string;
  /** DER, if the program asked for it by its environment. */
  encoded?: Buffer;
}

type Linked = PeerCertificate & { issuerCertificate?: Linked };

function chainOf(client: ClientCertificate | undefined): X509Certificate[] {
  if (client === undefined) return [];
  // Loaded here: it would cost the start of each app.
  const crypto = process.getBuiltinModule('node:crypto');
  return client.chain.map((text) => new crypto.X509Certificate(Buffer.from(text, 'base64')));
}

/** As node's `getPeerCertificate` gives it: `{}` without a certificate. */
function peerCertificate(client: ClientCertificate | undefined, isDetailed: boolean): object {
  const chain = chainOf(client);
  const [own] = chain;
  if (own === undefined) return {};
  if (!isDetailed) return own.toLegacyObject();
  const linked = chain.map((certificate) => certificate.toLegacyObject() as Linked);
  for (const [index, certificate] of linked.entries()) {
    const issuer = linked[index + 1];
    if (issuer !== undefined) certificate.issuerCertificate = issuer;
    // A root is its own issuer, as node has it.
    else if (chain[index]!.issuer === chain[index]!.subject) certificate.issuerCertificate = certificate;
  }
  return linked[0]!;
}

/** Gives a socket the members that node's TLSSocket has. */
export function addTlsMembers(socket: object, tls: TlsOrigin): void {
  const { client } = tls;
  Object.assign(socket, {
    // Programs of old look at this one to tell https.
    _secureEstablished: true,
    authorized: client?.error === '',
    authorizationError: client === undefined || client.error === '' ? null : client.error,
    servername: tls.servername === '' ? false : tls.servername,
    alpnProtocol: tls.alpn === '' ? false : tls.alpn,
    getPeerCertificate: (isDetailed?: boolean) => peerCertificate(client, isDetailed === true),
    getPeerX509Certificate: () => chainOf(client)[0],
    getCipher: () => ({ ...tls.cipher }),
    getProtocol: () => tls.protocol,
  });
}

function isExported(environment: NodeJS.ProcessEnv): boolean {
  const value = environment['SLIPSTREAM_EXPORT_CLIENT_CERT'] ?? environment['HTTPSYS_EXPORT_CLIENT_CERT'];
  return value === '1' || value?.toLowerCase() === 'true';
}

function httpsysCertificate(client: ClientCertificate, environment: NodeJS.ProcessEnv): HttpsysCertificate {
  const own = chainOf(client)[0]!;
  const oneLine = (name: string | undefined): string => (name ?? '').split('\n').join(', ');
  return {
    subject: oneLine(own.subject),
    issuer: oneLine(own.issuer),
    valid_from: new Date(own.validFrom).toUTCString(),
    valid_to: new Date(own.validTo).toUTCString(),
    fingerprint: own.fingerprint,
    ...(isExported(environment) ? { encoded: own.raw } : {}),
  };
}

const views = new WeakMap<object, object>();

/**
 * `req.client` of a request over TLS: the socket, but for what httpsys says otherwise. `authorized` is
 * undefined without a certificate. The same object for all requests of a connection.
 */
export function httpsysClient(
  socket: object,
  tls: TlsOrigin,
  environment: NodeJS.ProcessEnv = process.env,
): object {
  const known = views.get(socket);
  if (known !== undefined) return known;
  const { client } = tls;
  const own: Record<PropertyKey, unknown> = {
    authorized: client === undefined ? undefined : client.error === '',
    authorizationError: windowsCode(client?.error ?? ''),
    getPeerCertificate: () => (client === undefined ? {} : httpsysCertificate(client, environment)),
  };
  const view = new Proxy(socket, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return own[name];
      // With the socket itself as receiver: its getters read private fields.
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
  views.set(socket, view);
  return view;
}
