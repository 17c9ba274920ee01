// The door of this room: what web.config, iisnode.yml and IISNODE_* variables of a folder mean in Slipstream's
// own settings, in the original's order: web.config, over it the variables of the host, over them iisnode.yml.
// Files are read from scratch each time; nothing is changed.

import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { HostError } from '../base/host-error.ts';
import { IISNODE_ALIASES, IISNODE_DEFAULTS, IISNODE_SETTINGS, type IisnodeRow } from './iisnode-settings.ts';
import { parseIisnodeYml } from './iisnode-yml.ts';
import type { SiteHandler, SiteProblem } from '../wire/site-messages.ts';
import { parseWebConfig, type RawSetting, type ScriptScope, type WebConfig } from './web-config.ts';
import { emptySections, findScripts, type SiteDraft } from './web-site.ts';

export { mapPm2App } from './pm2.ts';
export type { Pm2Mapping } from './pm2.ts';
export type { SiteDraft } from './web-site.ts';

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

/** One script and how it is run. */
export interface CompatScript {
  /** Relative to the folder, with "/". */
  entry: string;
  /** By Slipstream's names; values are still to be checked. */
  settings: Record<string, unknown>;
  /** Where each comes from. */
  sources: Record<string, string>;
}

/** What the files of a folder say. */
export interface CompatConfig extends Omit<CompatScript, 'entry'> {
  /** The first script that the handlers name. */
  entry?: string;
  /** The others. */
  scripts: CompatScript[];
  /** Who answers what in the folder; undefined: all of it is the app's. */
  site?: SiteDraft;
  /** Names of the files that were read, and of those whose coming would change something. */
  watched: string[];
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
  const yml = parseIisnodeYml(ymlText ?? '', ymlFile).flatMap(({ key, value, line }) => {
    const name = IISNODE_ALIASES[key.toLowerCase()] ?? key;
    // Unknown keys mean nothing to the original.
    const isKnown = Object.hasOwn(IISNODE_SETTINGS, name.toLowerCase());
    return isKnown ? [{ name, value, place: `${ymlFile}:${line}` }] : [];
  });
  const layers: Layers = { web: web?.settings ?? [], variables: web?.variables ?? [], yml };
  const handlers = findScripts(folder, web?.sections.handlers ?? []);
  const [entry, ...others] = [...new Set(handlers.flatMap(({ scripts }) => preferred(scripts)))];
  const scopeOf = (script: string | undefined): ScriptScope | undefined =>
    web?.scopes.find(({ path }) => path === script?.toLowerCase());
  const notes: CompatNote[] = [];
  const main = combine(layers, scopeOf(entry), environment, notes);
  if (web !== undefined) noteSections(web, handlers, entry, notes);
  const watched = ['web.config', relative(folder, ymlFile)];
  const config: CompatConfig = {
    ...main,
    scripts: others.map((one) => ({ entry: one, ...combine(layers, scopeOf(one), environment, []) })),
    watched,
    notes,
    ...(entry === undefined ? {} : { entry }),
  };
  if (web === undefined || web.sections.handlers.length === 0) return config;
  for (const { pattern } of handlers) watched.push(/[*?]/.test(pattern) ? (dirname(pattern) || '.') : pattern);
  const { draft } = web.sections;
  const logs = String(main.settings['logDirectory'] ?? '').toLowerCase().replace(/^(?:\.?\/)+|\/+$/g, '');
  const hiddenPaths = [...draft.hiddenPaths, ...(logs === '' ? [] : [logs]), relative(folder, ymlFile).toLowerCase()];
  return { ...config, site: { ...draft, watched, handlers, hiddenPaths } };
}

/** The scripts of a pattern, that with a usual name first. */
function preferred(scripts: readonly string[]): string[] {
  const rank = (script: string): number => {
    const at = ['server', 'app', 'index', 'main'].indexOf(basename(script).replace(/\.\w+$/, '').toLowerCase());
    return at === -1 ? 4 : at;
  };
  return scripts.toSorted((left, right) => rank(left) - rank(right));
}

/** What became of the sections of IIS itself. */
function noteSections(
  { sections, scopes }: WebConfig,
  handlers: readonly SiteHandler[],
  entry: string | undefined,
  notes: CompatNote[],
): void {
  for (const [index, { path: name, place }] of sections.handlers.entries()) {
    const scripts = handlers[index]?.scripts ?? [];
    const isMain = entry !== undefined && scripts.includes(entry);
    const text = scripts.length === 0 ? 'no such file: 404' : isMain ? 'the entry of the app' : 'an app of its own';
    const some = /[*?]/.test(name) ? `each an app of its own: ${scripts.slice(0, 8).join(', ')}` : text;
    if (scripts.length === 0) notes.push({ place, name, verdict: 'ignored', text });
    else notes.push({ place, name, verdict: 'used', text: some });
  }
  notes.push(...sections.notes);
  const known = handlers.flatMap(({ scripts }) => scripts.map((one) => one.toLowerCase()));
  for (const { path, settings } of scopes) {
    if (known.includes(path) || settings.length === 0) continue;
    const text = 'no handler names this script';
    notes.push({ place: settings[0]!.place, name: `location ${path}`, verdict: 'ignored', text });
  }
}

/** The site of a folder whose files cannot be used and never could: it serves nothing. */
export function brokenSite(problem: SiteProblem): SiteDraft {
  return { ...emptySections().draft, watched: ['web.config', problem.file], problem };
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

/** What the files of a folder say of all its scripts, the weakest first. */
interface Layers {
  web: readonly RawSetting[];
  variables: readonly RawSetting[];
  yml: readonly RawSetting[];
}

/** How one script is run. Tells in `notes` what became of each setting. */
function combine(
  layers: Layers,
  scope: ScriptScope | undefined,
  environment: Environment,
  notes: CompatNote[],
): Omit<CompatScript, 'entry'> {
  const values = new Map<string, { value: Value; raw: RawSetting }>();
  for (const raw of [...layers.web, ...(scope?.settings ?? [])]) take(values, raw, environment, 'web.config');
  for (const raw of variablesOf(environment)) take(values, raw, environment, 'variable');
  for (const raw of layers.yml) take(values, raw, environment, 'yml');
  const defaults = Object.keys(IISNODE_DEFAULTS).map((name) => [name, SOURCE_DEFAULT]);
  const result: Omit<CompatScript, 'entry'> & { settings: { env?: Record<string, string> } } = {
    settings: { ...IISNODE_DEFAULTS },
    sources: Object.fromEntries(defaults) as Record<string, string>,
  };
  const set = (settings: Record<string, unknown>, place: string): void => {
    const { env, ...others } = settings as { env?: Record<string, string> };
    if (env !== undefined) result.settings.env = { ...result.settings.env, ...env };
    Object.assign(result.settings, others);
    for (const name of Object.keys(settings)) result.sources[name] = place;
  };
  for (const { name, value, place } of [...layers.variables, ...(scope?.variables ?? [])]) {
    set({ env: { [name]: value } }, place);
    notes.push({ place, name, verdict: 'mapped', text: `env.${name}` });
  }
  for (const { value, raw } of values.values()) {
    const meaning = IISNODE_SETTINGS[raw.name.toLowerCase()]!.meaning(value);
    const { name, place } = raw;
    if ('ignored' in meaning) {
      notes.push({ place, name, verdict: 'ignored', text: meaning.ignored });
    } else {
      set(meaning.settings, place);
      const isSame = meaning.text === name;
      notes.push({ place, name, verdict: isSame ? 'used' : 'mapped', text: meaning.text });
    }
  }
  setStartTimeout(values, set);
  result.settings.env = { ...result.settings.env, ...logVariables(result.settings) };
  return result;
}

/** What the original tells the program about its logs. */
function logVariables(settings: Readonly<Record<string, unknown>>): Record<string, string> {
  if (settings['loggingEnabled'] === false) return {};
  const kilobytes = (name: string): string => String(Math.round(Number(settings[name]) / 1024));
  return {
    IISNODE_LOGGINGENABLED: '1',
    IISNODE_LOGDIRECTORY: String(settings['logDirectory']),
    IISNODE_MAXTOTALLOGFILESIZEINKB: kilobytes('logTotalBytesMax'),
    IISNODE_MAXLOGFILESIZEINKB: kilobytes('logFileBytesMax'),
    IISNODE_MAXLOGFILES: String(settings['logFilesMax']),
  };
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
