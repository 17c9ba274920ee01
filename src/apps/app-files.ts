// The files of an app as its processes met them: what they were at the latest start, and when they change.
// A change between the start and the moment from which the watch sees everything is told too.

import { isAbsolute, posix } from 'node:path';
import { OFFLINE_FILE } from './pause.ts';
import { createFileFilter, stampOf, watchFiles } from './watch.ts';
import { messageOf } from '../base/host-error.ts';
import { isNetworkFolder } from '../base/network-folder.ts';
import type { App } from './app-config.ts';
import type { FileFilter, Watch } from './watch.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';

/** Files in the app's folder that configure it. They are watched always. */
export const CONFIG_FILES: readonly string[] = ['slipstream.yml', 'slipstream.yaml', 'web.config', 'iisnode.yml'];

export interface AppFilesOptions {
  app: Pick<App, 'name' | 'folder' | 'settings'>;
  clock: Clock;
  log: Log;
  /** Gets some of the changed paths; none when only the digest tells it. */
  onChange: (paths: string[]) => void;
}

/** See the head of this file. */
export class AppFiles {
  #options: AppFilesOptions;
  #filter: FileFilter;
  #watch: Watch | undefined;
  #started: Promise<string> = Promise.resolve('');

  constructor(options: AppFilesOptions) {
    this.#options = options;
    this.#filter = filterOf(options.app);
  }

  /** The app has other settings now. */
  update(app: AppFilesOptions['app']): void {
    const [before, after] = [this.#options.app.settings, app.settings];
    this.#options = { ...this.#options, app };
    const isSame =
      before.recycleOnChange === after.recycleOnChange &&
      before.envFile === after.envFile &&
      before.watchBy === after.watchBy &&
      before.watchPollingMs === after.watchPollingMs &&
      before.watchedFiles.join('\n') === after.watchedFiles.join('\n');
    if (isSame) return;
    this.#filter = filterOf(app);
    if (this.#watch === undefined) return;
    this.close();
    this.open();
  }

  /**
   * To be called at each start. The files are looked at while the process boots, or a process that runs already has
   * met them as `stamp` says.
   */
  noteStart(stamp?: string): void {
    this.#started = stamp === undefined ? this.#stamp() : Promise.resolve(stamp);
  }

  /** What they were at the latest start. */
  get startedStamp(): Promise<string> {
    return this.#started;
  }

  /** Whether a start would meet other files than the latest one. */
  async isChanged(): Promise<boolean> {
    const [started, present] = await Promise.all([this.#started, this.#stamp()]);
    return started !== present;
  }

  /** Watches until `close`. Does nothing when it does so already. */
  open(): void {
    const { app, clock, log, onChange } = this.#options;
    if (this.#watch !== undefined) return;
    const watch = watchFiles({
      folder: app.folder, filter: this.#filter, clock, log: log.with({ app: app.name }), onChange,
      pollingMs: pollingMsOf(app),
    });
    this.#watch = watch;
    void watch.ready.then(async () => {
      if ((await this.isChanged()) && this.#watch === watch) onChange([]);
    });
  }

  close(): void {
    const watch = this.#watch;
    this.#watch = undefined;
    watch?.close().catch((error: unknown) => {
      this.#options.log.warn('watch-failed', { app: this.#options.app.name, reason: messageOf(error) });
    });
  }

  async #stamp(): Promise<string> {
    const { app, log } = this.#options;
    try {
      return await stampOf(app.folder, this.#filter);
    } catch (error) {
      log.warn('stamp-failed', { app: app.name, reason: messageOf(error) });
      return '';
    }
  }
}

function pollingMsOf({ folder, settings }: AppFilesOptions['app']): number | undefined {
  const { watchBy, watchPollingMs } = settings;
  const polls = watchBy === 'polling' || (watchBy === 'auto' && isNetworkFolder(folder));
  return polls ? watchPollingMs : undefined;
}

function filterOf(app: AppFilesOptions['app']): FileFilter {
  const { recycleOnChange, watchedFiles, envFile } = app.settings;
  const variables = envFile === '' || isAbsolute(envFile) ? [] : [`/${posix.normalize(envFile)}`];
  const always = [OFFLINE_FILE, ...CONFIG_FILES].map((name) => `/${name}`);
  return createFileFilter([...(recycleOnChange ? [...watchedFiles, ...variables] : []), ...always]);
}
