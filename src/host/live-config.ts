// The settings that hold now: the host's file and the files in the folders of apps, with the edits made while
// the host runs.

import { sitePath, type App, type AppSettingsSource } from '../apps/apps.ts';
import type { Clock } from '../base/clock.ts';
import { HostError } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { Site } from '../wire/site-messages.ts';
import type { Explanation } from '../wire/control-messages.ts';
import { ConfigFile } from './config-file.ts';
import { explainApp, explainHost } from './explain.ts';
import { FolderConfigs } from './folder-config.ts';
import type { HostConfig } from './host-config.ts';

export interface LiveConfigOptions {
  root: string;
  config: HostConfig;
  /** The file that was named on the command line. */
  named: string | undefined;
  /** Where a configuration listens. Default: where its file says. */
  listenOf?: ((config: HostConfig) => readonly string[]) | undefined;
  clock: Clock;
  log: Log;
  /** An edit is about to hold. @throws HostError: it is refused as a whole. */
  beforeChange(next: HostConfig): void;
  /** Other settings hold from now on. */
  onChange(): void;
}

/** Edits of these hold after a restart. */
const SETTLED_AT_START = ['frontProcesses', 'debuggerPortRange'] as const;

/** See the head of this file. */
export class LiveConfig {
  readonly #options: LiveConfigOptions;
  readonly #file: ConfigFile;
  readonly #folders: FolderConfigs;
  #current: HostConfig;

  constructor(options: LiveConfigOptions) {
    const { root, config, named, clock, log } = options;
    this.#options = options;
    this.#current = config;
    this.#folders = new FolderConfigs({ root, environment: process.env, log });
    this.#file = new ConfigFile({ root, named, clock, log, onChange: (changed) => this.#changed(changed) });
  }

  get current(): HostConfig {
    return this.#current;
  }

  /** The host's file and why its latest edit was not taken. */
  get file(): { file: string | undefined; problem: string | undefined } {
    const { file, problem } = this.#file;
    return { file, problem };
  }

  /** What apps are set to. */
  get apps(): AppSettingsSource {
    return { ...this.#current.apps, ofFolder: (folder, path) => this.#folders.of(folder, path) };
  }

  /** The folders with a web.config that says who answers what in them. */
  sites(): Site[] {
    return this.#folders.sites();
  }

  /** Why the files in an app's folder were not taken. */
  problemOf(folder: string): string | undefined {
    return this.#folders.problemOf(folder);
  }

  /** The settings of an app, or of the host, with their places. */
  explain(app: App | undefined): Explanation {
    const { file, problem: ofFile } = this.file;
    const problem = app === undefined ? ofFile : this.problemOf(app.folder);
    return {
      ...(file === undefined ? {} : { file }),
      ...(problem === undefined ? {} : { problem }),
      ...(app === undefined
        ? explainHost(this.#current)
        : explainApp(app, this.#current, this.#folders.of(app.folder, sitePath(app)))),
    };
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** A good edit of the host's file. What was settled at the start stays. */
  #changed(changed: HostConfig): void {
    const { listenOf } = this.#options;
    const host = { ...changed.host, listen: listenOf?.(changed) ?? changed.host.listen };
    if (changed.host.listen.length + host.listen.length === 0) {
      throw new HostError('CONFIG_INVALID', 'there is nothing to listen on: "listen" is empty');
    }
    const settled = SETTLED_AT_START.filter((name) => String(host[name]) !== String(this.#current.host[name]));
    const next = { ...changed, host };
    this.#options.beforeChange(next);
    if (settled.length > 0) this.#options.log.warn('config-needs-restart', { settings: settled.join(', ') });
    for (const name of SETTLED_AT_START) Object.assign(host, { [name]: this.#current.host[name] });
    this.#current = next;
    this.#options.onChange();
  }
}
