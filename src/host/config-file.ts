// The host's configuration file while the host runs: found at the root, watched, read again after each edit.
// A broken edit is refused as a whole; the last good settings stay.

import { statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { watch } from 'chokidar';
import { HostError, messageOf } from '../base/host-error.ts';
import { isNetworkFolder } from '../base/network-folder.ts';
import { defaultConfig, readConfigFile, type HostConfig } from './host-config.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';

/** Names that are looked for at the root, in this order. */
export const CONFIG_NAMES = ['slipstream.yml', 'slipstream.yaml'] as const;

/** An editor writes a file in several steps. */
const QUIET_MS = 100;
/** How often the file is looked at where the system does not tell of changes. */
const POLLING_MS = 1000;

/** The configuration file of a root; undefined when it has none. */
export function findConfigFile(root: string): string | undefined {
  const files = CONFIG_NAMES.map((name) => join(resolve(root), name));
  return files.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
}

export interface ConfigFileOptions {
  root: string;
  /** Named on the command line: no other is looked for. */
  named?: string | undefined;
  clock: Clock;
  log: Log;
  /** A good edit. @throws HostError: it is refused all the same. */
  onChange(config: HostConfig): void;
}

/** See the head of this file. */
export class ConfigFile {
  readonly #options: ConfigFileOptions;
  readonly #watcher: ReturnType<typeof watch>;
  #quiet: Timer | undefined;
  #problem: string | undefined;

  constructor(options: ConfigFileOptions) {
    this.#options = options;
    const { named, root, log } = options;
    const files = named === undefined ? CONFIG_NAMES.map((name) => join(root, name)) : [resolve(named)];
    const folder = dirname(files[0]!);
    this.#watcher = watch(folder, {
      ignoreInitial: true,
      depth: 0,
      ...(isNetworkFolder(folder) ? { usePolling: true, interval: POLLING_MS } : {}),
      ignored: (path) => path !== folder && !files.includes(path),
    });
    this.#watcher.on('all', () => this.#changed());
    this.#watcher.on('error', (error) => log.warn('watch-failed', { folder, reason: messageOf(error) }));
  }

  /** The file that counts now. */
  get file(): string | undefined {
    const { named, root } = this.#options;
    return named === undefined ? findConfigFile(root) : resolve(named);
  }

  /** Why the latest edit was not taken. */
  get problem(): string | undefined {
    return this.#problem;
  }

  async close(): Promise<void> {
    this.#quiet?.stop();
    await this.#watcher.close();
  }

  #changed(): void {
    this.#quiet?.stop();
    this.#quiet = this.#options.clock.after(QUIET_MS, () => this.#read());
  }

  #read(): void {
    const { log, onChange } = this.#options;
    const file = this.file;
    try {
      const config = file === undefined ? defaultConfig() : readConfigFile(file);
      this.#problem = undefined;
      onChange(config);
      log.info('config-changed', { file });
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#problem = error.message;
      log.warn('config-rejected', { code: error.code, reason: error.message });
    }
  }
}
