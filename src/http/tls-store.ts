// Certificates by name: exact, wildcard, everybody else's; and what a handshake with one of them is like.
// Replacing the state takes effect for the next handshake; connections keep what they have.

import { constants, createHash, X509Certificate } from 'node:crypto';
import type * as tls from 'node:tls';
import { assert } from '../base/assert.ts';
import type {
  CertificatePair, ClientTrust, HandshakeSettings, TlsCertificate, TlsState,
} from '../wire/tls-messages.ts';

/** How long a session may be resumed, in s. Tickets die earlier when their keys are replaced. */
const SESSION_SECONDS = 43_200;

/** What a client may agree on with a front. */
const PROTOCOLS_HTTP1 = ['http/1.1'];
const PROTOCOLS = ['h2', 'http/1.1'];

/** A name as it is looked up: lower case, without the dot of the root. */
function plainName(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

/** Finds what fits a name: the name itself, then `*` for its first label (RFC 6125 6.4.3). */
export class NameTable<Value> {
  #exact = new Map<string, Value>();
  #wildcards = new Map<string, Value>();
  #everybody: Value | undefined;

  /** The first value of a name stays. */
  add(name: string, value: Value): void {
    const plain = plainName(name);
    if (plain === '*') this.#everybody ??= value;
    else if (plain.startsWith('*.')) setOnce(this.#wildcards, plain.slice(2), value);
    else setOnce(this.#exact, plain, value);
  }

  /** Undefined: nothing fits but maybe {@link everybody}. */
  find(name: string): Value | undefined {
    const plain = plainName(name);
    const exact = this.#exact.get(plain);
    if (exact !== undefined) return exact;
    const dot = plain.indexOf('.');
    return dot > 0 ? this.#wildcards.get(plain.slice(dot + 1)) : undefined;
  }

  /** All but that of `*`. */
  *values(): Iterable<Value> {
    yield* this.#exact.values();
    yield* this.#wildcards.values();
  }

  /** The value of `*`. */
  get everybody(): Value | undefined {
    return this.#everybody;
  }
}

function setOnce<Value>(map: Map<string, Value>, name: string, value: Value): void {
  if (!map.has(name)) map.set(name, value);
}

/** See the file head. */
export class TlsStore {
  #state: TlsState | null = null;
  #names = new NameTable<TlsCertificate>();
  /** For those who ask a listener for none of the names. */
  #ofListener = new Map<string, TlsCertificate>();
  #generation = 0;

  /** Changes with each state. */
  get generation(): number {
    return this.#generation;
  }

  /** Takes a new state. */
  replace(state: TlsState): void {
    this.#state = state;
    this.#generation += 1;
    this.#names = new NameTable();
    this.#ofListener.clear();
    for (const certificate of state.certificates) {
      for (const name of certificate.names) {
        if (name.startsWith('https://')) setOnce(this.#ofListener, name, certificate);
        else this.#names.add(name, certificate);
      }
    }
  }

  /** A plain listener takes HTTP/2 from clients that begin with it. */
  hasCleartextHttp2(origin: string): boolean {
    return this.#state?.cleartextHttp2?.includes(origin) === true;
  }

  /** Whom a listener trusts, if it asks for client certificates. */
  trustOf(origin: string): ClientTrust | undefined {
    return this.#state?.clientTrust[origin];
  }

  /**
   * What a listener shows to clients that ask for `servername`, '' for nobody: what has the name, then what
   * the listener has, then `*`, then the first. Undefined: there is none at all.
   */
  certificateFor(origin: string, servername: string): TlsCertificate | undefined {
    const ofListener = this.#ofListener.get(origin);
    return this.#names.find(servername) ?? ofListener ?? this.#names.everybody ?? this.#state?.certificates[0];
  }

  /** The name that a client asks for makes a difference at this listener. */
  hasNames(origin: string): boolean {
    return this.#shownAt(origin).size > 1;
  }

  /**
   * All that a listener may show has one pair, of one kind of key and with issuers or without: each can take the
   * place of any other in a handshake under way, and nothing of that one is left.
   */
  hasAlike(origin: string): boolean {
    const kinds = new Set<string>();
    for (const { pairs } of this.#shownAt(origin)) kinds.add(pairs.map(kindOf).join());
    return kinds.size === 1 && ![...kinds][0]!.includes(',');
  }

  #shownAt(origin: string): Set<TlsCertificate> {
    const shown = new Set(this.#names.values());
    const nameless = this.certificateFor(origin, '');
    if (nameless !== undefined) shown.add(nameless);
    return shown;
  }

  /** Options of the handshakes of a listener that shows this certificate. */
  optionsFor(origin: string, certificate: TlsCertificate): tls.TlsOptions {
    assert(this.#state !== null, 'who has a certificate has a state');
    const trust = this.trustOf(origin);
    const handshake = this.#state.ownHandshakes?.[origin] ?? this.#state.handshake;
    return {
      ...contextOptions(handshake, certificate, { origin, trust }),
      ticketKeys: Buffer.from(this.#state.ticketKeys, 'base64'),
      requestCert: trust !== undefined,
      rejectUnauthorized: trust?.mode === 'require',
      ALPNProtocols: handshake.http2 ? PROTOCOLS : PROTOCOLS_HTTP1,
    };
  }
}

/** '' for what cannot be read: the handshake will say so. */
function kindOf({ cert }: CertificatePair): string {
  try {
    const chain = cert.split('-----BEGIN CERTIFICATE-----').length - 1;
    return `${new X509Certificate(cert).publicKey.asymmetricKeyType} ${chain > 1 ? 'with issuers' : 'alone'}`;
  } catch {
    return '';
  }
}

function contextOptions(
  handshake: HandshakeSettings,
  certificate: TlsCertificate,
  listener: { origin: string; trust: ClientTrust | undefined },
): tls.SecureContextOptions {
  const { trust } = listener;
  return {
    cert: certificate.pairs.map((pair) => pair.cert),
    key: certificate.pairs.map((pair) => pair.key),
    minVersion: handshake.minVersion,
    maxVersion: handshake.maxVersion ?? 'TLSv1.3',
    ciphers: handshake.ciphers,
    ecdhCurve: handshake.curves,
    // All ciphers of the list are good; the client knows which one its hardware does best.
    honorCipherOrder: false,
    dhparam: 'auto',
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    sessionTimeout: SESSION_SECONDS,
    sessionIdContext: sessionContextOf(listener),
    ...(trust === undefined ? {} : { ca: trust.authorities }),
    ...(trust === undefined || trust.revocationLists.length === 0 ? {} : { crl: trust.revocationLists }),
  };
}

/**
 * A session holds the verdict on its client. It is resumed only where the same rules led to it: not on
 * another listener, and not after a change of authorities or revocation lists.
 */
function sessionContextOf(listener: { origin: string; trust: ClientTrust | undefined }): string {
  return createHash('sha256').update(JSON.stringify(listener)).digest('hex').slice(0, 32);
}
