// The door of this room: what web.config, iisnode.yml and IISNODE_* variables of a folder mean in Slipstream's
// own settings, in the original's order: web.config, over it the variables of the host, over them iisnode.yml.
// Files are read from scratch each time; nothing is changed.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { HostError } from '../base/host-error.ts';
import { IISNODE_ALIASES, IISNODE_DEFAULTS, IISNODE_SETTINGS, type IisnodeRow } from './iisnode-settings.ts';
import { parseIisnodeYml } from './iisnode-yml.ts';
import { parseWebConfig, type RawSetting, type WebConfig } from './web-config.ts';

export { mapPm2App } from './pm2.ts';
export type { Pm2Mapping } from './pm2.ts';

/** One thing that was found, and what became of it. */
export interface CompatNote {
  /** `web.config:12`, `iisnode.yml:3` or the name of a variable. */
  place: string;
  /** The name in the original. */
  name: string;
  verdict: 'used' | 'mapped' | 'ignored';
  /** For a person: to what it was mapped, or why it is ignored. */
  text: string;
}

/** What the files of a folder say. */
export interface CompatConfig {
  /** By Slipstream's names; values are still to be checked. */
  settings: Record<string, unknown>;
  /** Where each comes from. */
  sources: Record<string, string>;
  /** The script that the handlers name. */
  entry?: string;
  notes: CompatNote[];
}

type Environment = Readonly<Record<string, string | undefined>>;
type Value = string | number | boolean;

const FILE_BYTES_MAX = 1_048_576;
const VALUE_CHARACTERS_MAX = 1024;
const SOURCE_DEFAULT = 'default of iisnode';

/**
 * Reads the files of a folder; undefined when none is about iisnode.
 * @throws HostError CONFIG_INVALID, CONFIG_UNREADABLE
 */
export function readCompat(folder: string, environment: Environment): CompatConfig | undefined {
  const webFile = join(folder, 'web.config');
  const webText = readIfThere(webFile);
  const web = webText === undefined ? undefined : parseWebConfig(webText, webFile);
  const named = web?.settings.find(({ name }) => name.toLowerCase() === 'configoverrides')?.value;
  const ymlFile = join(folder, named === undefined || named === '' ? 'iisnode.yml' : named);
  const ymlText = readIfThere(ymlFile);
  if (web === undefined && ymlText === undefined) return undefined;
  const values = new Map<string, { value: Value; raw: RawSetting }>();
  for (const raw of web?.settings ?? []) take(values, raw, environment, 'web.config');
  for (const raw of variablesOf(environment)) take(values, raw, environment, 'variable');
  for (const { key, value, line } of parseIisnodeYml(ymlText ?? '', ymlFile)) {
    const name = IISNODE_ALIASES[key.toLowerCase()] ?? key;
    // Unknown keys mean nothing to the original.
    if (!Object.hasOwn(IISNODE_SETTINGS, name.toLowerCase())) continue;
    take(values, { name, value, place: `${ymlFile}:${line}` }, environment, 'yml');
  }
  return combine(folder, web, values);
}

function readIfThere(file: string): string | undefined {
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats === undefined || !stats.isFile()) return undefined;
    if (stats.size <= FILE_BYTES_MAX) return readFileSync(file, 'utf8');
  } catch (error) {
    throw new HostError('CONFIG_UNREADABLE', `cannot read ${file}`, { cause: error });
  }
  throw new HostError('CONFIG_UNREADABLE', `${file} has more than ${FILE_BYTES_MAX} bytes`);
}

/** IISNODE_* variables of the host; their names compare without case, as on Windows. */
function variablesOf(environment: Environment): RawSetting[] {
  const found: RawSetting[] = [];
  for (const [variable, value] of Object.entries(environment)) {
    const name = /^IISNODE_(\w+)$/i.exec(variable)?.[1];
    if (name === undefined || value === undefined) continue;
    if (Object.hasOwn(IISNODE_SETTINGS, name.toLowerCase())) found.push({ name, value, place: variable });
  }
  return found;
}

type Origin = 'web.config' | 'variable' | 'yml';

function take(
  values: Map<string, { value: Value; raw: RawSetting }>,
  raw: RawSetting,
  environment: Environment,
  origin: Origin,
): void {
  const name = raw.name.toLowerCase();
  const row = IISNODE_SETTINGS[name]!;
  const text = row.isExpanded === true && origin !== 'variable' ? expanded(raw.value, environment) : raw.value;
  values.set(name, { value: valueOf(row, { ...raw, value: text }, origin), raw });
}

/** `%NAME%` -> the variable; one that is not set stays as it is. */
function expanded(text: string, environment: Environment): string {
  return text.replace(/%([^%\s]{1,200})%/g, (whole, name: string) => {
    const key = Object.keys(environment).find((one) => one.toLowerCase() === name.toLowerCase());
    return (key === undefined ? undefined : environment[key]) ?? whole;
  });
}

function valueOf(row: IisnodeRow, raw: RawSetting, origin: Origin): Value {
  const { name, value, place } = raw;
  const bad = (expected: string): HostError =>
    new HostError('CONFIG_INVALID', `${place}: "${name}" is ${JSON.stringify(value)}, expected ${expected}`);
  if (value.length >= VALUE_CHARACTERS_MAX) throw bad(`less than ${VALUE_CHARACTERS_MAX} characters`);
  switch (row.type) {
    case 'string':
      return value;
    case 'boolean': {
      const text = value.toLowerCase();
      if (text === 'true' || text === '1' || (origin === 'yml' && text === 'yes')) return true;
      if (text === 'false' || text === '0' || (origin === 'yml' && text === 'no')) return false;
      throw bad('true or false');
    }
    case 'uint': {
      if (/^\d{1,10}$/.test(value)) return Number(value);
      // The original reads what is no number in iisnode.yml as 0, or as the number that it begins with.
      if (origin === 'yml') return Number(/^\d{1,10}/.exec(value)?.[0] ?? 0);
      throw bad('a whole number');
    }
  }
}

function combine(
  folder: string,
  web: WebConfig | undefined,
  values: ReadonlyMap<string, { value: Value; raw: RawSetting }>,
): CompatConfig {
  const defaults = Object.keys(IISNODE_DEFAULTS).map((name) => [name, SOURCE_DEFAULT]);
  const config: CompatConfig & { settings: { env?: Record<string, string> } } = {
    settings: { ...IISNODE_DEFAULTS },
    sources: Object.fromEntries(defaults) as Record<string, string>,
    notes: [],
  };
  const set = (settings: Record<string, unknown>, place: string): void => {
    const { env, ...others } = settings as { env?: Record<string, string> };
    if (env !== undefined) config.settings.env = { ...config.settings.env, ...env };
    Object.assign(config.settings, others);
    for (const name of Object.keys(settings)) config.sources[name] = place;
  };
  for (const { name, value, place } of web?.variables ?? []) {
    set({ env: { [name]: value } }, place);
    config.notes.push({ place, name, verdict: 'mapped', text: `env.${name}` });
  }
  for (const { value, raw } of values.values()) {
    const meaning = IISNODE_SETTINGS[raw.name.toLowerCase()]!.meaning(value);
    const { name, place } = raw;
    if ('ignored' in meaning) {
      config.notes.push({ place, name, verdict: 'ignored', text: meaning.ignored });
    } else {
      set(meaning.settings, place);
      const isSame = meaning.text === name;
      config.notes.push({ place, name, verdict: isSame ? 'used' : 'mapped', text: meaning.text });
    }
  }
  setStartTimeout(values, set);
  for (const { name, place, text } of web?.ignored ?? []) {
    config.notes.push({ place, name, verdict: 'ignored', text });
  }
  const scripts = (web?.scripts ?? []).filter(({ path }) => path !== '');
  const entry = scripts.find(({ path }) => statSync(join(folder, path), { throwIfNoEntry: false })?.isFile());
  for (const script of scripts) {
    const { path: name, place } = script;
    if (script === entry) config.notes.push({ place, name, verdict: 'used', text: 'the entry of the app' });
    else {
      const text = 'a folder is one app, and this is not its script';
      config.notes.push({ place, name, verdict: 'ignored', text });
    }
  }
  return entry === undefined ? config : { ...config, entry: entry.path };
}

/** The original tries so often, and waits so long between. */
function setStartTimeout(
  values: ReadonlyMap<string, { value: Value; raw: RawSetting }>,
  set: (settings: Record<string, unknown>, place: string) => void,
): void {
  const retry = values.get('maxnamedpipeconnectionretry');
  const delay = values.get('namedpipeconnectionretrydelay');
  const place = delay?.raw.place ?? retry?.raw.place;
  if (place === undefined) return;
  const startTimeoutMs = Number(retry?.value ?? 100) * Number(delay?.value ?? 250);
  set({ startTimeoutMs: Math.min(3_600_000, Math.max(1000, startTimeoutMs)) }, place);
}
