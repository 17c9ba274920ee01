// The certificates of a host: SLIPSTREAM_HOME/tls, mode 0700, a folder a name and in it a file (0600) of each
// kind of key, certificate chain and key together, so that a renewal is one rename and never half done.

import {
  chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { HostError, messageOf } from '../base/host-error.ts';
import { readPair, type KeyKind, type ReadPair } from './certificate-pair.ts';

const CERTIFICATES = 'certificates';
const KINDS: readonly KeyKind[] = ['ec', 'rsa', 'ed25519'];

/** A certificate of the folder; `problem` when its file cannot be used. */
export type StoredCertificate =
  | { name: string; kind: KeyKind; file: string; read: ReadPair }
  | { name: string; kind: KeyKind; file: string; problem: string };

/** Where things are below SLIPSTREAM_HOME. */
export function tlsFolder(home: string): string {
  return join(home, 'tls');
}

/** Makes a folder that only its owner may enter. @throws HostError HOME_UNSAFE */
export function makeOwnFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (process.platform === 'win32') return;
  const found = lstatSync(folder);
  const uid = process.getuid?.();
  if (!found.isDirectory() || (uid !== undefined && found.uid !== uid)) {
    throw new HostError('HOME_UNSAFE', `${folder} belongs to another user; set SLIPSTREAM_HOME`);
  }
  if ((found.mode & 0o077) !== 0) chmodSync(folder, 0o700);
}

/**
 * A name as the folder keeps it: a host name, `*.` and a host name, `*`, or `https://address:port`.
 * @throws HostError OPTION_INVALID
 */
export function certificateName(text: string): string {
  const name = text.toLowerCase().replace(/\.$/, '');
  const isHost = /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)*[a-z0-9_][a-z0-9_-]{0,62}$/.test(name);
  const isListener = /^https:\/\/(?:\[[0-9a-f:.]+\]|[0-9.]+|\*|localhost):\d{1,5}$/.test(name);
  if ((isHost && name.length <= 253) || isListener || name === '*') return name;
  throw new HostError('OPTION_INVALID', `"${text}" is no host name, *.name, * or https://address:port`);
}

function folderOf(home: string, name: string): string {
  // Of the characters in a name only "*" would stay that some systems do not take.
  return join(tlsFolder(home), CERTIFICATES, encodeURIComponent(name).replaceAll('*', '%2A'));
}

/** Writes a file that only its owner may read, whole or not at all. */
export function writeOwnFile(file: string, content: string): void {
  const fresh = `${file}.${process.pid}.new`;
  writeFileSync(fresh, content, { mode: 0o600 });
  chmodSync(fresh, 0o600);
  renameSync(fresh, file);
}

/** Stores a pair under a name, in the place of the one with the same kind of key. */
export function storeCertificate(home: string, name: string, read: ReadPair): string {
  makeOwnFolder(home);
  makeOwnFolder(tlsFolder(home));
  makeOwnFolder(join(tlsFolder(home), CERTIFICATES));
  const folder = folderOf(home, certificateName(name));
  makeOwnFolder(folder);
  const file = join(folder, `${read.kind}.pem`);
  writeOwnFile(file, read.pair.cert + read.pair.key);
  return file;
}

/** Null: the folder is not one of ours. */
function nameOfFolder(entry: string): string | null {
  try {
    return certificateName(decodeURIComponent(entry));
  } catch (error) {
    if (error instanceof URIError || error instanceof HostError) return null;
    throw error;
  }
}

/** All certificates, by name. A file that cannot be used is listed with its problem. */
export function storedCertificates(home: string): StoredCertificate[] {
  const found: StoredCertificate[] = [];
  for (const entry of namesIn(join(tlsFolder(home), CERTIFICATES))) {
    const folder = join(tlsFolder(home), CERTIFICATES, entry);
    const name = nameOfFolder(entry);
    if (name === null) continue;
    for (const kind of KINDS) {
      if (!namesIn(folder).includes(`${kind}.pem`)) continue;
      const file = join(folder, `${kind}.pem`);
      try {
        const content = readFileSync(file);
        const read = readPair({ cert: content, key: content, certWhere: file, keyWhere: file });
        found.push({ name, kind, file, read });
      } catch (error) {
        found.push({ name, kind, file, problem: messageOf(error) });
      }
    }
  }
  return found;
}

/** Names of the files and folders in it, sorted; none when it is no folder. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

/** Removes the certificates of a name, or the one of a kind. @throws HostError TLS_CERTIFICATE_UNKNOWN */
export function removeCertificate(home: string, name: string, kind?: KeyKind): void {
  const folder = folderOf(home, certificateName(name));
  const files = namesIn(folder).filter((file) => kind === undefined || file === `${kind}.pem`);
  if (files.length === 0) {
    throw new HostError('TLS_CERTIFICATE_UNKNOWN', `there is no certificate for ${name}; see slipstream tls list`);
  }
  for (const file of files) rmSync(join(folder, file));
  if (namesIn(folder).length === 0) rmSync(folder, { recursive: true });
}
