// The slipstream.yml that says what web.config and iisnode.yml, or a PM2 ecosystem file, say: the work of
// `slipstream migrate`. Writes nothing itself.

import { readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HostError, messageOf } from '../base/host-error.ts';
import { mapPm2App, readCompat, type Pm2Mapping } from '../compat/compat.ts';
import { parseAppConfig } from './host-config.ts';
import { yaml } from './yaml.ts';

/** What was made. */
export interface Migration {
  /** Where it was made from. */
  from: string;
  /** The text of slipstream.yml. */
  text: string;
  /** What has no meaning here, and why. */
  notes: string[];
}

const PM2_FILES = [
  'ecosystem.config.js', 'ecosystem.config.cjs', 'ecosystem.config.mjs', 'ecosystem.json', 'ecosystem.config.json',
  'ecosystem.yml', 'ecosystem.config.yml', 'ecosystem.yaml', 'pm2.json', 'process.json',
];

/**
 * Reads the files of a folder. A PM2 file in JavaScript is run, as PM2 does.
 * @throws HostError CONFIG_UNREADABLE when there is nothing to migrate, CONFIG_INVALID
 */
export async function migrateFolder(
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Migration> {
  const root = resolve(folder);
  const compat = readCompat(root, environment);
  if (compat !== undefined) {
    const settings = { ...(compat.entry === undefined ? {} : { entry: compat.entry }), ...compat.settings };
    parseAppConfig(settings, { ...compat.sources, entry: root });
    const notes = compat.notes
      .filter(({ verdict }) => verdict === 'ignored')
      .map(({ name, place, text }) => `${place}: ${name}: ${text}`);
    if (compat.site !== undefined) {
      const what = 'handlers, rewrite, defaultDocument, staticContent and files beside the script';
      const others = compat.scripts.map(({ entry }) => entry).join(', ');
      notes.push(`${what} are read from web.config only: without it all URLs go to ${compat.entry ?? 'the app'}`);
      if (others !== '') notes.push(`scripts ${others}: give each a folder, or keep web.config`);
    }
    return { from: 'web.config, iisnode.yml', text: textOf('iisnode', settings), notes };
  }
  const file = PM2_FILES.map((name) => join(root, name)).find((path) => isFile(path));
  if (file === undefined) {
    const wanted = 'no web.config for iisnode, no iisnode.yml, no PM2 ecosystem file';
    throw new HostError('CONFIG_UNREADABLE', `nothing to migrate in ${root}: ${wanted}`);
  }
  return migratePm2(root, file);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

async function readPm2(file: string): Promise<unknown> {
  try {
    if (file.endsWith('.json')) return JSON.parse(readFileSync(file, 'utf8'));
    if (/\.ya?ml$/.test(file)) return yaml().parse(readFileSync(file, 'utf8'));
    const module = (await import(pathToFileURL(file).href)) as { default?: unknown };
    return module.default ?? module;
  } catch (error) {
    throw new HostError('CONFIG_UNREADABLE', `cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
}

async function migratePm2(root: string, file: string): Promise<Migration> {
  const content = await readPm2(file);
  const listed = (content as { apps?: unknown } | null)?.apps ?? content;
  const apps: unknown[] = Array.isArray(listed) ? listed : [listed];
  const notes: string[] = [];
  const byPath: Record<string, Record<string, unknown>> = {};
  for (const app of apps) {
    if (typeof app !== 'object' || app === null) {
      throw new HostError('CONFIG_INVALID', `${file}: expected { apps: [{ script, … }] }`);
    }
    const mapped: Pm2Mapping = mapPm2App(app as Record<string, unknown>, file);
    const inside = relative(root, resolve(root, mapped.folder)).replaceAll('\\', '/');
    notes.push(...mapped.notes);
    if (inside === '..' || inside.startsWith('../')) {
      notes.push(`${mapped.name}: its folder ${mapped.folder} is not below ${root}; migrate it from there`);
      continue;
    }
    const path = inside === '' ? '/' : `/${inside}/`;
    if (byPath[path] !== undefined) {
      notes.push(`${mapped.name}: ${path} is another app already; give each app a folder`);
      continue;
    }
    parseAppConfig(mapped.settings, Object.fromEntries(Object.keys(mapped.settings).map((name) => [name, file])));
    byPath[path] = mapped.settings;
  }
  return { from: file, text: textOf('PM2', { apps: byPath }), notes };
}

function textOf(from: string, content: Record<string, unknown>): string {
  return `# Made by "slipstream migrate" from the settings of ${from}.\n${yaml().stringify(content)}`;
}
