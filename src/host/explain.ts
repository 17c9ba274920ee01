// Each setting as it holds, with the place that it comes from: the answer of `slipstream config explain`.

import { APP_SETTINGS, type App } from '../apps/apps.ts';
import { FRONT_LIMITS } from '../base/limits.ts';
import type { SettingTable } from '../base/setting.ts';
import type { ExplainedSetting, Explanation } from '../wire/control-messages.ts';
import type { FolderConfig } from './folder-config.ts';
import { HOST_SETTINGS, type HostConfig } from './host-config.ts';

function rows(
  section: ExplainedSetting['section'],
  table: SettingTable,
  values: Readonly<Record<string, unknown>>,
  sourceOf: (name: string) => string | undefined,
): ExplainedSetting[] {
  return Object.keys(table).map((name) => ({
    section,
    name,
    value: values[name],
    source: sourceOf(name) ?? 'default',
  }));
}

/** The host's own settings and the limits of its front. */
export function explainHost(config: HostConfig): Explanation {
  const { sources } = config;
  return {
    settings: [
      ...rows('host', HOST_SETTINGS, config.host, (name) => sources[name]),
      ...rows('limits', FRONT_LIMITS, config.limits, (name) => sources[`limits.${name}`]),
    ],
  };
}

/** The settings of an app. What the host's file says of it is stronger than the files in its folder. */
export function explainApp(
  app: Pick<App, 'name' | 'path' | 'settings'>,
  config: Pick<HostConfig, 'sources'>,
  folder: FolderConfig | undefined,
): Explanation {
  const { sources } = config;
  const settings = rows(
    'app',
    APP_SETTINGS,
    app.settings,
    (name) =>
      sources[`apps.${app.path}.${name}`] ?? folder?.sources[name] ?? sources[`defaults.${name}`],
  );
  return { app: app.name, settings };
}
