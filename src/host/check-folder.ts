// What a folder is as Slipstream sees it, without running anything: the answer of `slipstream check`.

import { resolve } from 'node:path';
import { ControlGroups, discoverApps, hasKernelLimits, sitePath, type App } from '../apps/apps.ts';
import { HostError } from '../base/host-error.ts';
import { silentLog } from '../base/log.ts';
import { readCompat, type CompatNote } from '../compat/compat.ts';
import { findConfigFile } from './config-file.ts';
import { FolderConfigs } from './folder-config.ts';
import { defaultConfig, readConfigFile, type HostConfig } from './host-config.ts';

/** One app as it was found. */
export interface CheckedApp {
  name: string;
  path: string;
  folder: string;
  entry: string;
  /** Settings from files, with their places. */
  settings: Record<string, { value: unknown; source: string }>;
  /** Why it cannot be started, or why its files cannot be used. */
  problems: string[];
  /** Files of iisnode: what of them is used, mapped or ignored. */
  notes: CompatNote[];
}

export interface FolderCheck {
  root: string;
  /** The host's configuration file. */
  file?: string;
  problems: string[];
  apps: CheckedApp[];
}

/** Looks at a folder. Never throws for what is on the disk. */
export async function checkFolder(
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<FolderCheck> {
  const root = resolve(folder);
  const file = findConfigFile(root);
  const problems: string[] = [];
  const config = told(() => (file === undefined ? defaultConfig() : readConfigFile(file)), problems);
  const used: HostConfig = config ?? defaultConfig();
  const folders = new FolderConfigs({ root, environment, log: silentLog });
  const source = { ...used.apps, ofFolder: (one: string, path: string) => folders.of(one, path) };
  const apps = await discoverApps(root, source, silentLog);
  const hasRootApp = apps.some(({ path }) => path === '/');
  const toldByApps = new Set(apps.map((app) => folders.problemOf(app.folder)));
  // The others are no apps as long as their files are broken.
  const broken = folders.problems().filter((problem) => !toldByApps.has(problem));
  problems.push(...broken);
  if (apps.length === 0 && broken.length === 0) {
    problems.push(`no app in ${root}: no package.json that says what to run, no server.js`);
  }
  for (const name of Object.keys(used.apps.overrides)) {
    if (apps.some(({ path }) => path === name)) continue;
    const what = name === '/' && !hasRootApp ? 'settings of an app at the top level, but the root is no app' : '';
    problems.push(`${file ?? root}: ${what === '' ? `settings for ${name}, where no app is` : what}`);
  }
  const checked = apps.map((app): CheckedApp => {
    const own: string[] = app.problem === undefined ? [] : [app.problem];
    const compat = told(() => readCompat(app.folder, environment), own);
    const problem = folders.problemOf(app.folder);
    if (problem !== undefined && !own.includes(problem)) own.push(problem);
    const unkept = hasKernelLimits(app.settings) ? new ControlGroups().unavailable(app.settings) : undefined;
    if (unkept !== undefined) own.push(`memoryLimitMb and cpuLimitPercent are not kept here: ${unkept}`);
    return {
      name: app.name,
      path: app.path,
      folder: app.folder,
      entry: app.entry,
      settings: settingsOf(folders.of(app.folder, sitePath(app)), app),
      problems: own,
      notes: compat?.notes ?? [],
    };
  });
  return { root, ...(file === undefined ? {} : { file }), problems, apps: checked };
}

function settingsOf(config: ReturnType<FolderConfigs['of']>, { entry }: App): CheckedApp['settings'] {
  const own = config?.scripts?.find((script) => script.entry === entry)?.settings ?? config?.settings ?? {};
  const entries = Object.entries(own).map(([name, value]): [
    string,
    { value: unknown; source: string },
  ] => [name, { value, source: config?.sources[name] ?? '' }]);
  return Object.fromEntries(entries);
}

/** The value, or undefined and the problem told. */
function told<Value>(read: () => Value, problems: string[]): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}
