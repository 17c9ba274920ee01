// The host's settings and the file that holds them (YAML), with the settings of apps in it. A file is
// taken whole or not at all; what is wrong in it is named with its line.

import { readFileSync } from 'node:fs';
import { FRONT_LIMITS, type FrontLimits } from '../base/limits.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import { APP_SETTINGS, DEFAULT_APP_SETTINGS, readAppOverrides, readAppSettings } from '../apps/apps.ts';
import type { AppSettingsSource } from '../apps/apps.ts';
import { checkSignIns, DEBUGGER_SETTINGS } from './debugger-settings.ts';
import { defaultTlsConfig, readTlsConfig, type TlsConfig } from './tls-config.ts';
import { readYamlMap, type LineOf } from './yaml-map.ts';
import { parseBackend } from '../wire/backend-address.ts';
import { isNetwork } from '../wire/trusted-networks.ts';
import { nearestName, readSettings, type SettingsOf, type SettingTable } from '../base/setting.ts';

/** Settings of the host. */
export const HOST_SETTINGS = {
  listen: {
    type: 'strings',
    default: ['http://localhost:8080'],
    text: 'Where to listen: `http://host:port` or `https://host:port`. `localhost` means both loopback families.',
  },
  frontProcesses: {
    type: 'integer',
    default: 1,
    min: 1,
    max: 64,
    unit: 'processes',
    text:
      'Front processes that share the listeners: more than one where HTTP or TLS needs more than one core. One ' +
      'that dies costs its own connections only. Holds after a restart.',
  },
  hangTimeoutMs: {
    type: 'integer',
    default: 10_000,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    text:
      'A front, a session proxy or the site process that gives no sign of life for so long, while the host itself ' +
      'runs well, is killed and replaced; 0 leaves it alone.',
  },
  index: {
    type: 'choice',
    default: 'local',
    choices: ['local', 'everyone', 'off'],
    text: 'Who sees the index page at `/` when no app is there: clients at this machine, everyone, nobody.',
  },
  ...DEBUGGER_SETTINGS,
  backends: {
    type: 'map',
    default: {},
    text:
      'Servers that are no apps, by URL prefix: `/legacy/: http://127.0.0.1:3000` or `unix:/path`. They get the ' +
      'path as it came. A backend wins over an app at the same path.',
  },
  backendClientCert: {
    type: 'choice',
    default: 'off',
    choices: ['off', 'leaf', 'chain'],
    text:
      'Whether backends are told of a trusted client certificate in `Client-Cert`, with `chain` also in ' +
      '`Client-Cert-Chain` as far as node tells it (RFC 9440). From clients these fields are never passed on.',
  },
  cachedPrefixes: {
    type: 'strings',
    default: [],
    text:
      'URL prefixes whose answers are kept as their fields allow (RFC 9111), whoever serves there: backends, joined ' +
      'processes (`http://*:3000/`) or a part of an app (`/shop/static/`).',
  },
  trustedProxies: {
    type: 'strings',
    default: ['127.0.0.0/8', '::1/128'],
    text:
      'Addresses and networks of proxies in front. What they say in `Forwarded` and `X-Forwarded-*` is passed on ' +
      'and added to; from everybody else it is replaced. Only they may send PROXY protocol.',
  },
  proxyProtocol: {
    type: 'strings',
    default: [],
    text: 'Listeners, as they stand in `listen`, whose connections begin with a PROXY protocol header (v1 or v2).',
  },
  lenientListeners: {
    type: 'strings',
    default: [],
    text:
      'Listeners, as they stand in `listen`, that take raw bytes of 0x80 and above in a target, as IIS did for old ' +
      'clients, and read them percent-encoded. Nothing else is read otherwise: docs/refusals.md.',
  },
  ignorePathCase: {
    type: 'boolean',
    default: false,
    text: 'Whether the case of letters in paths of URL prefixes and apps does not matter, as on IIS.',
  },
  reservations: {
    type: 'map',
    default: {},
    text:
      'Which user (name or number) may claim which URL prefixes: `http://*:8080/shop/: alice`, for what lies below ' +
      'too. What is not listed belongs to the user of the host. Other users need a host of root.',
  },
  reservationFolder: {
    type: 'string',
    default: '/run/slipstream',
    text:
      'Where those users, and apps with a `user`, find their sockets: the `SLIPSTREAM_RESERVATIONS` of programs that ' +
      'claim, with the same default.',
  },
  joinedIdleTimeoutMs: {
    type: 'integer',
    default: 10_000,
    min: 100,
    max: 86_400_000,
    unit: 'ms',
    text:
      'How long a host that a program started in the background lives without a program. Stands in ' +
      '`background/slipstream.yml` in SLIPSTREAM_HOME.',
  },
  drainTimeoutMs: {
    type: 'integer',
    default: 5000,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    text: 'How long a stopping host lets requests finish. Then connections are closed.',
  },
} as const satisfies SettingTable;

export type HostSettings = SettingsOf<typeof HOST_SETTINGS>;

export interface HostConfig {
  /** Where each setting that a file has comes from: `limits.queueMax` -> `slipstream.yml:3`. */
  sources: Readonly<Record<string, string>>;
  host: HostSettings;
  limits: FrontLimits;
  apps: AppSettingsSource;
  tls: TlsConfig;
}

const SECTIONS = ['limits', 'defaults', 'apps', 'tls'] as const;

/** The configuration without a file. */
export function defaultConfig(): HostConfig {
  return {
    sources: {},
    host: readSettings(HOST_SETTINGS, {}, 'defaults'),
    limits: readSettings(FRONT_LIMITS, {}, 'defaults'),
    apps: DEFAULT_APP_SETTINGS,
    tls: defaultTlsConfig(),
  };
}

/**
 * Reads a configuration file.
 * @throws HostError CONFIG_UNREADABLE or CONFIG_INVALID; the message starts with file:line.
 */
export function readConfigFile(file: string): HostConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new HostError('CONFIG_UNREADABLE', `cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
  return parseConfig(text, file);
}

/** Parses the text of a configuration file; `file` is for messages. @throws HostError CONFIG_INVALID */
export function parseConfig(text: string, file: string): HostConfig {
  const read = readYamlMap(text, file);
  if (read === undefined) return defaultConfig();
  const { whole, lineOf } = read;
  const own: Record<string, unknown> = {};
  const rootApp: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(whole)) {
    if ((SECTIONS as readonly string[]).includes(name)) continue;
    // The file of an app is the host's too when that app is the root.
    if (isAppSetting(name)) rootApp[name] = value;
    else own[name] = value;
  }
  const root = parseEach(rootApp, (name) => `${file}:${lineOf([name])}`);
  const host = checked(HOST_SETTINGS, own, [], file, lineOf);
  checkPeers(host, file, lineOf);
  return {
    sources: sourcesOf(whole, file, lineOf),
    host,
    limits: checked(FRONT_LIMITS, section(whole, 'limits', file, lineOf), ['limits'], file, lineOf),
    apps: withRootApp(readApps(whole, file, lineOf), root.settings),
    tls: readTlsConfig(whole['tls'], file, `${file}:${lineOf(['tls'])}`),
  };
}

/** Settings of one app, and where each comes from. */
export interface AppConfig {
  settings: AppSettingsSource['overrides'][string];
  sources: Record<string, string>;
}

/**
 * Checks the settings of one app: the text of a file of its own, named in `where`, or values that were found
 * elsewhere, with the place of each. @throws HostError CONFIG_INVALID
 */
export function parseAppConfig(text: string, where: string): AppConfig;
export function parseAppConfig(
  values: Readonly<Record<string, unknown>>,
  where: Readonly<Record<string, string>>,
): AppConfig;
export function parseAppConfig(
  given: string | Readonly<Record<string, unknown>>,
  where: string | Readonly<Record<string, string>>,
): AppConfig {
  if (typeof given !== 'string') {
    return parseEach(given, (name) => (where as Readonly<Record<string, string>>)[name] ?? '');
  }
  const read = readYamlMap(given, where as string);
  return parseEach(read?.whole ?? {}, (name) => `${where as string}:${read!.lineOf([name])}`);
}

function parseEach(values: Readonly<Record<string, unknown>>, placeOf: (name: string) => string): AppConfig {
  const sources: Record<string, string> = {};
  const settings: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    const place = placeOf(name);
    Object.assign(settings, readAppOverrides({ [name]: value }, place));
    sources[name] = place;
  }
  return { settings, sources };
}

function isAppSetting(name: string): boolean {
  return Object.hasOwn(APP_SETTINGS, name) && !Object.hasOwn(HOST_SETTINGS, name);
}

function withRootApp(apps: AppSettingsSource, rootApp: AppConfig['settings']): AppSettingsSource {
  if (Object.keys(rootApp).length === 0) return apps;
  return { ...apps, overrides: { ...apps.overrides, '/': { ...rootApp, ...apps.overrides['/'] } } };
}

/** The places of all settings that a file has. */
function sourcesOf(whole: Record<string, unknown>, file: string, lineOf: LineOf): Record<string, string> {
  const sources: Record<string, string> = {};
  const add = (map: unknown, path: readonly string[]): void => {
    for (const name of Object.keys((map ?? {}) as object)) {
      sources[[...path, name].join('.')] = `${file}:${lineOf([...path, name])}`;
    }
  };
  add(whole, []);
  for (const name of Object.keys(whole).filter(isAppSetting)) {
    sources[`apps./.${name}`] = `${file}:${lineOf([name])}`;
  }
  add(whole['limits'], ['limits']);
  add(whole['defaults'], ['defaults']);
  for (const [name, values] of Object.entries((whole['apps'] ?? {}) as object)) {
    for (const setting of Object.keys((values ?? {}) as object)) {
      sources[`apps.${appPath(name)}.${setting}`] = `${file}:${lineOf(['apps', name, setting])}`;
    }
  }
  return sources;
}

/** "shop", "/shop" and "/shop/" mean the same app; a name with blanks or letters beyond ASCII is encoded. */
function appPath(name: string): string {
  const wellFormed = name.replace(/\p{Surrogate}/gu, '\uFFFD');
  const encoded = wellFormed.replace(/[^\u0021-\u007e]+/gu, encodeURIComponent);
  return `/${encoded.replace(/^\/+|\/+$/g, '')}/`.replace('//', '/');
}

function checkLines(
  table: SettingTable,
  values: Record<string, unknown>,
  path: readonly string[],
  file: string,
  lineOf: LineOf,
): void {
  for (const [name, value] of Object.entries(values)) {
    const where = `${file}:${lineOf([...path, name])}`;
    if (!Object.hasOwn(table, name)) {
      const near = nearestName(name, [...Object.keys(table), ...(path.length === 0 ? SECTIONS : [])]);
      const hint = near === undefined ? '' : `; did you mean "${near}"?`;
      throw new HostError('CONFIG_INVALID', `${where}: unknown setting "${name}"${hint}`);
    }
    readSettings(table, { [name]: value }, where);
  }
}

function checked<Table extends SettingTable>(
  table: Table,
  values: Record<string, unknown>,
  path: readonly string[],
  file: string,
  lineOf: LineOf,
): SettingsOf<Table> {
  checkLines(table, values, path, file, lineOf);
  return readSettings(table, values, file);
}

/** What a table of settings cannot tell. */
function checkPeers(host: HostSettings, file: string, lineOf: LineOf): void {
  checkSignIns(host, (path) => `${file}:${lineOf(path)}`);
  for (const [prefix, address] of Object.entries(host.backends)) {
    const where = `${file}:${lineOf(['backends', prefix])}`;
    if (!/^(?:\/|https?:\/\/)/.test(prefix)) {
      throw new HostError('CONFIG_INVALID', `${where}: "${prefix}" is no URL prefix; expected /path/`);
    }
    parseBackend(address, where);
  }
  for (const prefix of host.cachedPrefixes) {
    if (/^(?:\/|https?:\/\/)/.test(prefix)) continue;
    const where = `${file}:${lineOf(['cachedPrefixes'])}`;
    throw new HostError('CONFIG_INVALID', `${where}: "${prefix}" is no URL prefix; expected /path/`);
  }
  for (const network of host.trustedProxies) {
    if (isNetwork(network)) continue;
    const where = `${file}:${lineOf(['trustedProxies'])}`;
    throw new HostError('CONFIG_INVALID', `${where}: "${network}" is neither an address nor address/bits`);
  }
  for (const name of ['proxyProtocol', 'lenientListeners'] as const) {
    const unknown = host[name].find((origin) => !host.listen.includes(origin));
    if (unknown === undefined) continue;
    const near = nearestName(unknown, host.listen);
    const hint = near === undefined ? '' : `; did you mean "${near}"?`;
    const where = `${file}:${lineOf([name])}`;
    throw new HostError('CONFIG_INVALID', `${where}: "${unknown}" (${name}) does not stand in "listen"${hint}`);
  }
}

function section(
  whole: Record<string, unknown>,
  name: string,
  file: string,
  lineOf: LineOf,
): Record<string, unknown> {
  const value = whole[name] ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new HostError('CONFIG_INVALID', `${file}:${lineOf([name])}: "${name}" must be a map`);
  }
  return value as Record<string, unknown>;
}

function readApps(whole: Record<string, unknown>, file: string, lineOf: LineOf): AppSettingsSource {
  const defaults = section(whole, 'defaults', file, lineOf);
  checkLines(APP_SETTINGS, defaults, ['defaults'], file, lineOf);
  const overrides: Record<string, AppSettingsSource['overrides'][string]> = {};
  const apps = section(whole, 'apps', file, lineOf);
  for (const name of Object.keys(apps)) {
    const values = section(apps, name, file, (path) => lineOf(['apps', ...path]));
    checkLines(APP_SETTINGS, values, ['apps', name], file, lineOf);
    const where = `${file}:${lineOf(['apps', name])}`;
    overrides[appPath(name)] = readAppOverrides(values, where);
  }
  return { defaults: readAppSettings(defaults, `${file}:${lineOf(['defaults'])}`), overrides };
}

/** First and last port of `first-last` or `first`. @throws HostError CONFIG_INVALID */
export function parsePortRange(text: string): { start: number; end: number } {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text.trim());
  const start = Number(match?.[1]);
  const end = Number(match?.[2] ?? match?.[1]);
  if (match === null || start < 1025 || end < start || end > 65_535) {
    throw new HostError(
      'CONFIG_INVALID',
      `debuggerPortRange is "${text}", expected first-last with 1025 ≤ first ≤ last ≤ 65535`,
    );
  }
  return { start, end };
}
