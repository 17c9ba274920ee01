// What the configuration files in the folders of apps say: slipstream.yml, and for folders that come from IIS
// web.config, iisnode.yml and IISNODE_* variables. A file that cannot be used changes nothing: what was good
// last holds, and the problem is told once and kept for `status`.

import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileStamp } from '../base/file-stamp.ts';
import { HostError } from '../base/host-error.ts';
import { HOST_ONLY_SETTINGS, type FolderSettings } from '../apps/apps.ts';
import { brokenSite, readCompat, type SiteDraft } from '../compat/compat.ts';
import { parseAppConfig } from './host-config.ts';
import type { Log } from '../base/log.ts';
import type { Site } from '../wire/site-messages.ts';

/** Names of an app's own file; the first that is there counts. */
export const APP_CONFIG_NAMES = ['slipstream.yml', 'slipstream.yaml'];

const FILES = [...APP_CONFIG_NAMES, 'web.config', 'iisnode.yml'];
const FILE_BYTES_MAX = 1_048_576;

/** What holds for a folder, and where each setting comes from. */
export interface FolderConfig extends FolderSettings {
  readonly sources: Readonly<Record<string, string>>;
  /** Settings of iisnode that mean nothing here. */
  readonly ignored: readonly string[];
  /** Who answers what in the folder, where its web.config says so. */
  readonly site?: SiteDraft;
  /** Names of files beside the usual ones that it was made of. */
  readonly watched: readonly string[];
}

interface Known {
  /** Its URL: `/shop/`. */
  path: string;
  stamp: string;
  /** The last good one; undefined: the folder has none. */
  config: FolderConfig | undefined;
  problem: string | undefined;
}

export interface FolderConfigsOptions {
  /** Its slipstream.yml is the host's and no app's. */
  root: string;
  environment: Readonly<Record<string, string | undefined>>;
  log: Log;
}

/**
 * Reads the files of one folder.
 * @throws HostError CONFIG_INVALID, CONFIG_UNREADABLE: file, line, what was expected.
 */
export function readFolderConfig(
  folder: string,
  options: Pick<FolderConfigsOptions, 'root' | 'environment'>,
): FolderConfig | undefined {
  const compat = readCompat(folder, options.environment);
  const others = compat?.scripts.map(({ entry, settings, sources }) => ({
    entry,
    settings: parseAppConfig(settings, sources).settings,
  }));
  const name = folder === options.root ? undefined : APP_CONFIG_NAMES.find((one) => isFile(join(folder, one)));
  if (compat === undefined && name === undefined) return undefined;
  const mapped = parseAppConfig(compat?.settings ?? {}, compat?.sources ?? {});
  const own = name === undefined ? undefined : parseAppConfig(readText(join(folder, name)), join(folder, name));
  for (const one of HOST_ONLY_SETTINGS) {
    if (own?.settings[one] === undefined) continue;
    const message = `${own.sources[one]}: "${one}" may stand in the host's file only, under "apps" or "defaults"`;
    throw new HostError('CONFIG_INVALID', message);
  }
  const env = { ...mapped.settings.env, ...own?.settings.env };
  return {
    settings: {
      ...mapped.settings,
      ...own?.settings,
      ...(Object.keys(env).length === 0 ? {} : { env }),
    },
    sources: { ...mapped.sources, ...own?.sources },
    ignored: (compat?.notes ?? []).filter(({ verdict }) => verdict === 'ignored').map(({ name }) => name),
    watched: compat?.watched ?? [],
    ...(compat?.site === undefined ? {} : { site: compat.site, scripts: others ?? [] }),
    ...(compat?.entry === undefined ? {} : { entry: compat.entry }),
  };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function readText(file: string): string {
  try {
    const { size } = statSync(file);
    if (size <= FILE_BYTES_MAX) return readFileSync(file, 'utf8');
  } catch (error) {
    throw new HostError('CONFIG_UNREADABLE', `cannot read ${file}`, { cause: error });
  }
  throw new HostError('CONFIG_UNREADABLE', `${file} has more than ${FILE_BYTES_MAX} bytes`);
}

/** The files of all folders, each read again when it changed. */
export class FolderConfigs {
  readonly #options: FolderConfigsOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: FolderConfigsOptions) {
    this.#options = options;
  }

  /** What holds for the folder at this URL now. Never throws for what is on the disk. */
  of(folder: string, path: string): FolderConfig | undefined {
    const known = this.#known.get(folder);
    const isThere = FILES.some((name) => isFile(join(folder, name)));
    if (known === undefined && !isThere) return undefined;
    if (!isThere) {
      this.#known.delete(folder);
      return undefined;
    }
    if (known !== undefined && stampOf(folder, known.config) === known.stamp) return known.config;
    const next: Known = { path, stamp: '', config: known?.config, problem: undefined };
    // Before the files are read: a change after that is seen the next time.
    const stamp = (config: FolderConfig | undefined): string => stampOf(folder, config);
    const before = stamp(known?.config);
    try {
      next.config = readFolderConfig(folder, this.#options);
      this.#tellIgnored(folder, known?.config?.ignored, next.config?.ignored);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      next.problem = error.message;
      next.config ??= brokenFolder(error.message);
      this.#options.log.warn('config-rejected', { folder, code: error.code, reason: error.message });
    }
    next.stamp = next.config === known?.config ? before : stamp(next.config);
    this.#known.set(folder, next);
    return next.config;
  }

  /** The folders with a web.config that says who answers what in them, as they are now. */
  sites(): Site[] {
    return [...this.#known].flatMap(([folder, { path }]): Site[] => {
      const site = this.of(folder, path)?.site;
      return site === undefined ? [] : [{ ...site, path, folder, stamp: fileStamp(folder, site.watched) }];
    });
  }

  /** Once for each set of them; `slipstream check` tells the reasons. */
  #tellIgnored(folder: string, before: readonly string[] = [], now: readonly string[] = []): void {
    const settings = now.join(', ');
    if (settings === '' || settings === before.join(', ')) return;
    this.#options.log.info('compat-ignored', { folder, settings });
  }

  /** Why the latest files of folders were not taken. */
  problems(): string[] {
    return [...this.#known.values()].flatMap(({ problem }) => problem ?? []);
  }

  /** The same of one folder. */
  problemOf(folder: string): string | undefined {
    return this.#known.get(folder)?.problem;
  }
}

/** Tells a changed set of files from the same one. */
function stampOf(folder: string, config: FolderConfig | undefined): string {
  return fileStamp(folder, [...FILES, ...(config?.watched ?? [])]);
}

/**
 * A folder whose files were never good: those that are not ours say who answers what in it, so nothing does. A
 * bad slipstream.yml leaves the folder what it is without one.
 */
function brokenFolder(message: string): FolderConfig | undefined {
  const file = basename(/^(.*?):\d+: /.exec(message)?.[1] ?? 'web.config');
  if (APP_CONFIG_NAMES.includes(file)) return undefined;
  const site = brokenSite({ file, message });
  return { settings: {}, sources: {}, ignored: [], scripts: [], site, watched: site.watched };
}
