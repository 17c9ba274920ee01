// The files of an app as its processes met them: what they were at the latest start, and when they change.
// A change between the start and the moment from which the watch sees everything is told too. Packages of a workspace
// that the app uses are watched with it, as they are linked when the watch begins.

import { isAbsolute, join, posix, relative } from 'node:path';
import { linkedPackages } from './linked-packages.ts';
import { createFileFilter, stampOf, watchFiles } from './watch.ts';
import { messageOf } from '../base/host-error.ts';
import { isNetworkFolder } from '../base/network-folder.ts';
import type { App } from './app-config.ts';
import type { FileFilter, Watch } from './watch.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { OFFLINE_FILE } from '../wire/offline-page.ts';

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
    const { app, onChange } = this.#options;
    if (this.#watch !== undefined) return;
    const watch = withLinked(this.#watchFolder(app.folder, this.#filter), async () => {
      const filter = linkedFilterOf(app);
      return (await this.#linked()).map((folder) => this.#watchFolder(folder, filter));
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

  #watchFolder(folder: string, filter: FileFilter): Watch {
    const { app, clock, log, onChange } = this.#options;
    const away = relative(app.folder, folder);
    return watchFiles({
      folder, filter, clock,
      log: log.with({ app: app.name }),
      pollingMs: pollingMsOf(folder, app.settings),
      onChange: away === '' ? onChange : (paths) => onChange(paths.map((path) => join(away, path))),
    });
  }

  /** Folders beside that of the app. Those of another user's app are that user's choice: root does not look there. */
  async #linked(): Promise<string[]> {
    const { folder, settings } = this.#options.app;
    const { recycleOnChange, watchedFiles, user } = settings;
    // Names without a folder hold everywhere; others are meant for the folder of the app.
    const isWide = watchedFiles.some((pattern) => /^[^!/\\]+$/.test(pattern));
    return recycleOnChange && isWide && user === '' ? linkedPackages(folder) : [];
  }

  async #stamp(): Promise<string> {
    const { app, log } = this.#options;
    try {
      const filter = linkedFilterOf(app);
      const linked = (await this.#linked()).map((folder) => stampOf(folder, filter));
      return (await Promise.all([stampOf(app.folder, this.#filter), ...linked])).join(' ');
    } catch (error) {
      log.warn('stamp-failed', { app: app.name, reason: messageOf(error) });
      return '';
    }
  }
}

/** One watch of several folders; the others are known later. */
function withLinked(own: Watch, open: () => Promise<Watch[]>): Watch {
  let isClosed = false;
  const others = open().then(async (watches) => {
    if (isClosed) await Promise.all(watches.map((watch) => watch.close()));
    return isClosed ? [] : watches;
  });
  return {
    ready: others.then(async (watches) => void (await Promise.all([own, ...watches].map(({ ready }) => ready)))),
    async close() {
      isClosed = true;
      await own.close();
      await Promise.all((await others).map((watch) => watch.close()));
    },
  };
}

function pollingMsOf(folder: string, { watchBy, watchPollingMs }: App['settings']): number | undefined {
  const polls = watchBy === 'polling' || (watchBy === 'auto' && isNetworkFolder(folder));
  return polls ? watchPollingMs : undefined;
}

function linkedFilterOf({ settings }: AppFilesOptions['app']): FileFilter {
  return createFileFilter(settings.watchedFiles);
}

function filterOf(app: AppFilesOptions['app']): FileFilter {
  const { recycleOnChange, watchedFiles, envFile } = app.settings;
  const variables = envFile === '' || isAbsolute(envFile) ? [] : [`/${posix.normalize(envFile)}`];
  const always = [OFFLINE_FILE, ...CONFIG_FILES].map((name) => `/${name}`);
  return createFileFilter([...(recycleOnChange ? [...watchedFiles, ...variables] : []), ...always]);
}
