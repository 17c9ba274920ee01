// The door to certificates on disk: read, judge, store, make. Knows neither sockets nor who serves what.

export {
  certificateName, removeCertificate, storeCertificate, storedCertificates, tlsFolder,
  type StoredCertificate,
} from './certificate-folder.ts';
export {
  EXPIRY_WARNING_DAYS, judgePair, readChain, readPair,
  type CertificateFinding, type KeyKind, type ReadPair,
} from './certificate-pair.ts';
export { pem, pemBlocks } from './der.ts';
export { makeLocalCertificate, type LocalCertificate } from './local-authority.ts';
