// What a front needs to end TLS, as the host tells it: certificates with their keys, whom to trust for client
// certificates, keys of session tickets. Holds secrets: never logged, never part of a status.

/** A certificate chain and its private key, both PEM. */
export interface CertificatePair {
  /** The server's own certificate first. */
  cert: string;
  key: string;
}

/** What is shown to clients that ask for one of `names`. */
export interface TlsCertificate {
  /** Lower case: `shop.example`, `*.shop.example`; `*` is for everybody who asks for none of the others. */
  names: string[];
  /** One pair of each kind of key: RSA and ECDSA side by side. */
  pairs: CertificatePair[];
}

/** Whether clients of a listener are asked for a certificate, and who vouches for it. */
export interface ClientTrust {
  /** `request`: an untrusted certificate, or none, still reaches the app. `require`: it does not. */
  mode: 'request' | 'require';
  /** PEM. Empty: nobody is trusted. */
  authorities: string[];
  /** PEM. When there is one, each issuer of a chain needs one. */
  revocationLists: string[];
}

/** Versions that are spoken. */
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** Settings of the handshake. Ciphers and curves as OpenSSL names them. */
export interface HandshakeSettings {
  minVersion: TlsVersion;
  /** Absent: 1.3. */
  maxVersion?: TlsVersion;
  ciphers: string;
  curves: string;
  /** HTTP/2 is offered. */
  http2: boolean;
}

/** Names that want their clients on https. */
export interface SecureHost {
  /** Lower case, as those of a certificate; `*` is all others. */
  names: string[];
  /** Only for requests to these ports. Absent: all. */
  ports?: number[];
  /** Where plain requests are sent; null: they are served. */
  redirectPort: number | null;
  /** The value of Strict-Transport-Security; null: none is sent. */
  hsts: string | null;
}

/** Everything about TLS. Replaced as a whole; connections that stand are not touched. */
export interface TlsState {
  handshake: HandshakeSettings;
  /** By the origin of the listener: those that have settings of their own. */
  ownHandshakes?: Record<string, HandshakeSettings>;
  /** The first one also serves those who name nobody, unless another one has the name `*`. */
  certificates: TlsCertificate[];
  /** By the origin of the listener, `https://host:port`. Absent: clients are not asked. */
  clientTrust: Record<string, ClientTrust>;
  /** Origins of plain listeners that also take HTTP/2, from clients that begin with it. */
  cleartextHttp2?: string[];
  /** The first row that fits holds. */
  hosts?: SecureHost[];
  /** 48 secret bytes in base64, the same for all fronts: tickets of one are taken by the others. */
  ticketKeys: string;
}
