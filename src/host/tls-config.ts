// The `tls` section of the configuration: settings of the handshake, certificates, client certificates. Paths
// are taken from the folder of the file.

import { dirname, resolve } from 'node:path';
import { HostError } from '../base/host-error.ts';
import { readSettings, type SettingsOf, type SettingTable } from '../base/setting.ts';

/** Settings of TLS, `tls` in the file. Defaults are Mozilla's intermediate recommendation (version 5.7). */
export const TLS_SETTINGS = {
  minVersion: {
    type: 'choice',
    default: 'TLSv1.2',
    choices: ['TLSv1.2', 'TLSv1.3'],
    text: 'Oldest version of TLS.',
  },
  maxVersion: {
    type: 'choice',
    default: 'TLSv1.3',
    choices: ['TLSv1.2', 'TLSv1.3'],
    text: 'Newest version of TLS.',
  },
  ciphers: {
    type: 'string',
    default: [
      'TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256',
      'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384',
      'ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305',
      'DHE-RSA-AES128-GCM-SHA256', 'DHE-RSA-AES256-GCM-SHA384', 'DHE-RSA-CHACHA20-POLY1305',
    ].join(':'),
    text: 'Ciphers as OpenSSL names them, joined by colons. The client chooses.',
  },
  curves: {
    type: 'string',
    default: 'X25519:prime256v1:secp384r1',
    text: 'Groups of the key exchange as OpenSSL names them, joined by colons, or `auto`.',
  },
  http2: {
    type: 'boolean',
    default: true,
    text: 'Offers HTTP/2 on https listeners.',
  },
  http2Cleartext: {
    type: 'strings',
    default: [],
    text:
      'Listeners for plain HTTP, as they stand in `listen`, that also take HTTP/2 from clients that begin with it ' +
      '(prior knowledge, RFC 9113 3.3).',
  },
  ticketRotationMs: {
    type: 'integer',
    default: 43_200_000,
    min: 60_000,
    max: 604_800_000,
    unit: 'ms',
    text: 'How long the keys of session tickets hold. Then sessions begin with a full handshake.',
  },
} as const satisfies SettingTable;

/** A certificate of the configuration. */
export interface ConfiguredCertificate {
  /** Names that it is shown for; empty: those in the certificate. */
  hosts: string[];
  certFile: string;
  keyFile: string;
}

/** Who is asked for a certificate. */
export interface ConfiguredClients {
  /** A listener as `listen` has it; `*` is all https listeners. */
  listen: string;
  mode: 'off' | 'request' | 'require';
  /** Files and folders. */
  trust: string[];
  revocationLists: string[];
}

/** Hosts that want their clients on https. */
export interface ConfiguredHost {
  names: string[];
  /** A listener as `listen` has it; undefined is all. */
  listen: string | undefined;
  /** `default`: to the port of the first https listener. */
  redirect: 'off' | 'default' | number;
  /** The value of Strict-Transport-Security; null: none. */
  hsts: string | null;
}

/** A listener whose handshake differs from that of the others. */
export interface ConfiguredListener {
  /** As `listen` has it. */
  listen: string;
  /** The settings of {@link TLS_SETTINGS} with those of the row over them. */
  settings: SettingsOf<typeof TLS_SETTINGS>;
}

/** The section, read. */
export interface TlsConfig {
  settings: SettingsOf<typeof TLS_SETTINGS>;
  listeners: ConfiguredListener[];
  certificates: ConfiguredCertificate[];
  clients: ConfiguredClients[];
  hosts: ConfiguredHost[];
}

/** TLS without a configuration: certificates come from SLIPSTREAM_HOME. */
export function defaultTlsConfig(): TlsConfig {
  const settings = readSettings(TLS_SETTINGS, {}, 'defaults');
  return { settings, listeners: [], certificates: [], clients: [], hosts: [] };
}

const LISTS = ['listeners', 'certificates', 'clients', 'hosts'] as const;
/** What a listener may have of its own. */
const OF_LISTENER = ['minVersion', 'maxVersion', 'ciphers', 'curves', 'http2'] as const;

/** RFC 6797 6.1. */
const HSTS = /^max-age=\d{1,10}(?:; ?includeSubDomains)?(?:; ?preload)?$/i;
const HSTS_DEFAULT = 'max-age=31536000';

/** Reads one list of the section. */
class Rows {
  readonly #where: string;
  readonly #folder: string;

  constructor(where: string, folder: string) {
    this.#where = where;
    this.#folder = folder;
  }

  fault(text: string): HostError {
    return new HostError('CONFIG_INVALID', `${this.#where}: ${text}`);
  }

  list(value: unknown, name: string): Record<string, unknown>[] {
    if (value === undefined || value === null) return [];
    const isList = Array.isArray(value)
      && value.every((row) => typeof row === 'object' && row !== null && !Array.isArray(row));
    if (!isList) throw this.fault(`"${name}" must be a list of maps`);
    return value as Record<string, unknown>[];
  }

  /** A row with exactly these names. */
  known(row: Record<string, unknown>, names: readonly string[]): void {
    const unknown = Object.keys(row).find((name) => !names.includes(name));
    if (unknown !== undefined) throw this.fault(`unknown setting "${unknown}"; known are ${names.join(', ')}`);
  }

  texts(value: unknown, name: string): string[] {
    if (value === undefined) return [];
    const texts = Array.isArray(value) ? value : [value];
    if (!texts.every((text) => typeof text === 'string')) {
      throw this.fault(`"${name}" must be a text or a list of texts`);
    }
    return texts as string[];
  }

  text(value: unknown, name: string): string {
    if (typeof value !== 'string' || value === '') throw this.fault(`"${name}" must be a text`);
    return value;
  }

  path(value: unknown, name: string): string {
    return resolve(this.#folder, this.text(value, name));
  }

  paths(value: unknown, name: string): string[] {
    return this.texts(value, name).map((path) => resolve(this.#folder, path));
  }
}

/**
 * Reads the section: a map, or just the list of certificates. `where` is its file and line.
 * @throws HostError CONFIG_INVALID
 */
export function readTlsConfig(value: unknown, file: string, where: string): TlsConfig {
  if (value === undefined || value === null) return defaultTlsConfig();
  const rows = new Rows(where, dirname(resolve(file)));
  if (typeof value !== 'object') throw rows.fault('"tls" must be a map, or a list of certificates');
  const map = (Array.isArray(value) ? { certificates: value } : value) as Record<string, unknown>;
  const scalars = Object.entries(map).filter(([name]) => !(LISTS as readonly string[]).includes(name));
  const settings = readHandshake(rows, Object.fromEntries(scalars), where);
  return {
    settings,
    listeners: rows.list(map['listeners'], 'listeners').map((row) => readListener(rows, row, { settings, where })),
    certificates: rows.list(map['certificates'], 'certificates').map((row) => readCertificate(rows, row)),
    clients: rows.list(map['clients'], 'clients').map((row) => readClients(rows, row)),
    hosts: rows.list(map['hosts'], 'hosts').map((row) => readHost(rows, row)),
  };
}

function readHandshake(rows: Rows, values: Record<string, unknown>, where: string): TlsConfig['settings'] {
  const settings = readSettings(TLS_SETTINGS, values, where);
  if (settings.minVersion > settings.maxVersion) {
    throw rows.fault(`"minVersion" ${settings.minVersion} is newer than "maxVersion" ${settings.maxVersion}`);
  }
  return settings;
}

function readListener(
  rows: Rows,
  row: Record<string, unknown>,
  common: { settings: TlsConfig['settings']; where: string },
): ConfiguredListener {
  rows.known(row, ['listen', ...OF_LISTENER]);
  const { listen, ...own } = row;
  return {
    listen: rows.text(listen, 'listen').replace(/\/$/, ''),
    settings: readHandshake(rows, { ...common.settings, ...own }, common.where),
  };
}

function readCertificate(rows: Rows, row: Record<string, unknown>): ConfiguredCertificate {
  rows.known(row, ['host', 'cert', 'key']);
  const certFile = rows.path(row['cert'], 'cert');
  return {
    hosts: rows.texts(row['host'], 'host').map((host) => host.toLowerCase()),
    certFile,
    // One file may hold both.
    keyFile: row['key'] === undefined ? certFile : rows.path(row['key'], 'key'),
  };
}

function readHost(rows: Rows, row: Record<string, unknown>): ConfiguredHost {
  rows.known(row, ['host', 'listen', 'redirect', 'hsts']);
  const { redirect = false, hsts = false } = row;
  const isPort = Number.isInteger(redirect) && (redirect as number) > 0 && (redirect as number) <= 65_535;
  if (typeof redirect !== 'boolean' && !isPort) throw rows.fault('"redirect" must be true, false or a port');
  if (typeof hsts !== 'boolean' && (typeof hsts !== 'string' || !HSTS.test(hsts))) {
    throw rows.fault('"hsts" must be true, false or a text such as "max-age=31536000; includeSubDomains"');
  }
  const names = rows.texts(row['host'] ?? '*', 'host').map((name) => name.toLowerCase());
  return {
    names,
    listen: row['listen'] === undefined ? undefined : rows.text(row['listen'], 'listen').replace(/\/$/, ''),
    redirect: redirect === false ? 'off' : redirect === true ? 'default' : (redirect as number),
    hsts: hsts === false ? null : hsts === true ? HSTS_DEFAULT : hsts,
  };
}

function readClients(rows: Rows, row: Record<string, unknown>): ConfiguredClients {
  rows.known(row, ['listen', 'certificates', 'trust', 'revocationLists']);
  const mode = row['certificates'];
  if (mode !== 'off' && mode !== 'request' && mode !== 'require') {
    throw rows.fault('"certificates" must be one of "off", "request", "require"');
  }
  const trust = rows.paths(row['trust'], 'trust');
  if (mode === 'require' && trust.length === 0) {
    throw rows.fault('"trust" is missing: who requires certificates has to say whose');
  }
  return {
    listen: row['listen'] === undefined ? '*' : rows.text(row['listen'], 'listen').replace(/\/$/, ''),
    mode,
    trust,
    revocationLists: rows.paths(row['revocationLists'], 'revocationLists'),
  };
}
