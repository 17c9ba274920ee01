// The session proxy's side of wire/debug-children.ts: the folder where processes below a debuggee leave their
// offers. Each is told once; whoever hears of it says when the process may go on.

import { mkdirSync, readdirSync, readFileSync, rmSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { ChildOffer } from '../wire/debug-children.ts';

/** An offer, and what lets the process go on. */
export interface OpenOffer extends ChildOffer {
  goOn(): void;
}

/** Offers in a folder. */
export class ChildOffers {
  #folder: string;
  #offered: (offer: OpenOffer) => void;
  #log: Log;
  #known = new Set<string>();
  #watcher: FSWatcher | null = null;

  constructor(folder: string, offered: (offer: OpenOffer) => void, log: Log) {
    this.#folder = folder;
    this.#offered = offered;
    this.#log = log;
  }

  /** Makes the folder: from now on processes wait. */
  open(): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      this.#watcher = watch(this.#folder, () => this.#look());
      this.#watcher.on('error', (error) => this.#log.warn('children-unwatched', { reason: error.message }));
      this.#watcher.unref();
    } catch (error) {
      // No more watches, or no disk: the debuggee is debugged all the same.
      this.#log.warn('children-unwatched', { reason: messageOf(error) });
      this.close();
    }
  }

  /** Nobody waits any more. */
  close(): void {
    this.#watcher?.close();
    this.#watcher = null;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #look(): void {
    if (this.#watcher === null) return;
    const names = readdirSync(this.#folder).filter((name) => /^\d+\.json$/.test(name));
    for (const name of this.#known) if (!names.includes(name)) this.#known.delete(name);
    for (const name of names) {
      if (this.#known.has(name)) continue;
      this.#known.add(name);
      const offer = this.#read(name);
      if (offer !== null) this.#offered({ ...offer, goOn: () => this.#remove(name) });
      else this.#remove(name);
    }
  }

  #read(name: string): ChildOffer | null {
    try {
      const { pid, path, title } = JSON.parse(readFileSync(join(this.#folder, name), 'utf8')) as Partial<ChildOffer>;
      const isWhole = Number.isSafeInteger(pid) && typeof path === 'string' && typeof title === 'string';
      return isWhole ? { pid: pid!, path: path!, title: title.slice(0, 200) } : null;
    } catch (error) {
      // It gave up in this very moment.
      this.#log.debug('offer-unreadable', { reason: messageOf(error) });
      return null;
    }
  }

  #remove(name: string): void {
    rmSync(join(this.#folder, name), { force: true });
  }
}
