// slipstream tls <what>: the certificates in SLIPSTREAM_HOME. A running host takes changes over by itself.

import { readFileSync } from 'node:fs';
import { homeFolder } from '../base/home-folder.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import {
  certificateName, judgePair, makeLocalCertificate, readPair, removeCertificate, storeCertificate,
  storedCertificates, type ReadPair, type StoredCertificate,
} from '../tls/tls.ts';
import { askHost } from '../process/control-client.ts';
import type { CertificateSnapshot, HostSnapshot } from '../wire/status.ts';
import { HOST_OPTIONS, hostPid, parseWords, printJson } from './options.ts';
import { textTable } from './text-table.ts';
import { readPfx } from './tls-pfx.ts';

/** What `slipstream tls --help` prints. */
export const TLS_HELP = `Usage: slipstream tls <what> [options]

  tls dev                               a local authority and a certificate for localhost
  tls add --host NAME --cert FILE --key FILE
                                        stores a certificate: for a name, *.name, or * for everybody else
  tls add --listen IP:PORT …            for clients of a listener that ask for no known name
  tls add --host NAME --pfx FILE        from a PKCS #12 file (needs openssl); its passphrase is read from
                                        SLIPSTREAM_PFX_PASSPHRASE
  tls list [--json] [--host PID]        names, ends, fingerprints, and which listeners of the running host show
                                        them; with those of its configuration file
  tls check [--json]                    what is wrong with them; exit code 1 if anything is
  tls remove NAME                       removes the certificates of a name

dev, add and remove take --json, too.

A name may have an RSA and an ECDSA certificate. A certificate that is stored again takes the place of the
former one; a running host shows it at the next handshake.
`;

const ADD_OPTIONS = {
  host: { type: 'string', multiple: true },
  listen: { type: 'string', multiple: true },
  cert: { type: 'string' },
  key: { type: 'string' },
  pfx: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

const JSON_OPTIONS = { json: { type: 'boolean', default: false } } as const;

/** Runs the verb. @throws HostError OPTION_…, TLS_CERTIFICATE_…, HOME_UNSAFE */
export async function tls(words: string[]): Promise<void> {
  const [what, ...rest] = words;
  switch (what) {
    case 'dev':
      return makeLocal(rest);
    case 'add':
      return add(rest);
    case 'list':
      return list(rest);
    case 'check':
      return check(rest);
    case 'remove':
      return remove(rest);
    default:
      throw new HostError('OPTION_INVALID', 'tls takes dev, add, list, check or remove; see slipstream tls --help');
  }
}

function makeLocal(words: string[]): void {
  const { values } = parseWords('tls', words, JSON_OPTIONS, 0);
  const { authorityFile, isAuthorityOld, validTo } = makeLocalCertificate(homeFolder(), Date.now());
  if (values.json) return printJson({ authorityFile, isAuthorityOld, validTo });
  const lines = [
    `A certificate for localhost, *.localhost, 127.0.0.1 and ::1 is stored; it ends on ${day(validTo)}.`,
    `Its authority is ${isAuthorityOld ? 'the one from before' : 'new'}: ${authorityFile}`,
    'Nothing trusts it yet. To make browsers and curl trust it, add that file to their authorities:',
    `  curl --cacert ${authorityFile} https://localhost:8443/`,
    process.platform === 'darwin'
      ? `  security add-trusted-cert -k ~/Library/Keychains/login.keychain-db ${authorityFile}`
      : `  certutil -A -d sql:$HOME/.pki/nssdb -t C -n slipstream -i ${authorityFile}`,
    'It is good for localhost and loopback addresses only. Now: slipstream serve --listen https://localhost:8443',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new HostError('TLS_CERTIFICATE_INVALID', `cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
}

function add(words: string[]): void {
  const { values } = parseWords('tls', words, ADD_OPTIONS, 0);
  const listeners = (values.listen ?? []).map((listen) => `https://${listen.replace(/^https:\/\//, '')}`);
  const names = [...(values.host ?? []), ...listeners].map(certificateName);
  if (names.length === 0) throw new HostError('OPTION_INVALID', 'tls add needs --host NAME or --listen IP:PORT');
  const read = readGiven(values);
  const stored: { name: string; file: string; validTo: string; warnings: string[] }[] = [];
  for (const name of names) {
    const findings = judgePair(read, name, Date.now());
    const error = findings.find(({ severity }) => severity === 'error');
    if (error !== undefined) {
      const where = values.cert ?? values.pfx;
      throw new HostError('TLS_CERTIFICATE_INVALID', `${where}: the certificate ${error.text}`);
    }
    const file = storeCertificate(homeFolder(), name, read);
    const [validTo, warnings] = [new Date(read.validTo), findings.map(({ text }) => text)];
    stored.push({ name, file, validTo: validTo.toISOString(), warnings });
    if (values.json) continue;
    process.stdout.write(`${name}: stored in ${file}, ends on ${day(validTo)}\n`);
    for (const text of warnings) process.stderr.write(`slipstream: warning: the certificate ${text}\n`);
  }
  if (values.json) printJson(stored);
}

function readGiven(values: { cert?: string; key?: string; pfx?: string }): ReadPair {
  const { cert, key, pfx } = values;
  if (pfx !== undefined) {
    if (cert !== undefined || key !== undefined) {
      throw new HostError('OPTION_INVALID', '--pfx holds certificate and key: leave --cert and --key out');
    }
    const content = readPfx(pfx, process.env['SLIPSTREAM_PFX_PASSPHRASE'] ?? '');
    return readPair({ cert: content, key: content, certWhere: pfx, keyWhere: pfx });
  }
  if (cert === undefined) {
    throw new HostError('OPTION_INVALID', 'tls add needs --cert FILE and --key FILE, or --pfx FILE');
  }
  const keyFile = key ?? cert;
  return readPair({ cert: contentOf(cert), key: contentOf(keyFile), certWhere: cert, keyWhere: keyFile });
}

interface Row {
  name: string;
  kind: string;
  file: string;
  subject?: string;
  issuer?: string;
  validTo?: string;
  fingerprint?: string;
  /** Listeners of the running host that show it. */
  listeners?: string[];
  findings: { severity: string; text: string }[];
}

function rowOf(stored: StoredCertificate): Row {
  const { name, kind, file } = stored;
  if ('problem' in stored) return { name, kind, file, findings: [{ severity: 'error', text: stored.problem }] };
  const { read } = stored;
  const { subject, issuer, fingerprint } = read;
  const validTo = new Date(read.validTo).toISOString();
  const findings = judgePair(read, name, Date.now());
  return { name, kind, file, subject, issuer, validTo, fingerprint, findings };
}

/** What the running host shows; none when there is none, or several. */
async function shownBy(host: string | undefined): Promise<readonly CertificateSnapshot[]> {
  try {
    const { certificates = [] } = (await askHost({ verb: 'status' }, { pid: hostPid(host) })) as HostSnapshot;
    return certificates;
  } catch (error) {
    const mayBeMissing = host === undefined && error instanceof HostError
      && (error.code === 'HOST_NOT_RUNNING' || error.code === 'HOST_AMBIGUOUS');
    if (mayBeMissing) return [];
    throw error;
  }
}

/** A certificate of the host's configuration file, which is not in the store. */
function configuredRow(shown: CertificateSnapshot): Row {
  const { names, kind = '-', findings, ...rest } = shown;
  return { name: names.join(' '), kind, ...rest, findings: findings.map((text) => ({ severity: 'warning', text })) };
}

async function list(words: string[]): Promise<void> {
  const { values } = parseWords('tls', words, HOST_OPTIONS, 0);
  const shown = await shownBy(values.host);
  const stored = storedCertificates(homeFolder()).map((one): Row => {
    const used = shown.find(({ file, listeners }) => file === one.file && listeners.length > 0);
    return { ...rowOf(one), ...(used && { listeners: used.listeners }) };
  });
  const configured = shown.filter(({ file }) => stored.every((row) => row.file !== file)).map(configuredRow);
  const rows = [...stored, ...configured];
  if (values.json) {
    printJson(rows);
    return;
  }
  if (rows.length === 0) {
    process.stdout.write('There are no certificates; slipstream tls dev makes one for localhost.\n');
    return;
  }
  const lines = rows.map(({ name, kind, validTo, issuer, fingerprint, listeners = [] }) => [
    name, kind, validTo?.slice(0, 10) ?? 'broken', issuer ?? '-', fingerprint?.slice(0, 23) ?? '-',
    listeners.join(' ') || '-',
  ]);
  process.stdout.write(textTable([['name', 'key', 'ends', 'issuer', 'SHA-256', 'shown by'], ...lines]));
}

function check(words: string[]): void {
  const { values } = parseWords('tls', words, JSON_OPTIONS, 0);
  const rows = storedCertificates(homeFolder()).map(rowOf);
  if (values.json) printJson(rows);
  else {
    for (const { name, kind, findings } of rows) {
      const texts = findings.map(({ severity, text }) => `${severity}: ${text}`);
      process.stdout.write(`${name} (${kind}): ${texts.length === 0 ? 'good' : texts.join('; ')}\n`);
    }
  }
  const isBad = rows.some(({ findings }) => findings.some(({ severity }) => severity === 'error'));
  if (isBad) process.exitCode = 1;
}

function remove(words: string[]): void {
  const { values, positionals } = parseWords('tls', words, JSON_OPTIONS, 1);
  const [name] = positionals;
  if (name === undefined) throw new HostError('OPTION_INVALID', 'tls remove needs a name; see slipstream tls list');
  removeCertificate(homeFolder(), certificateName(name));
  if (values.json) printJson({ removed: name });
  else process.stdout.write(`${name}: removed\n`);
}
