// The listeners of the configuration: bound here, kept bound while fronts come and go, and changed by edits of
// `listen`. An edit is tried as a whole before it holds: what cannot be bound leaves everything as it was.

import { HostError } from '../base/host-error.ts';
import {
  bindErrno, bindOrigin, defaultPort, originOf, parseListenOrigin, type BoundListener, type ListenOrigin,
} from './listen-origin.ts';

/** An entry of `listen`. */
interface Entry {
  text: string;
  bound: BoundListener[];
}

/** An edit that is bound and does not hold before its `commit`, which follows. */
export interface ListenEdit {
  /** What fronts listen on then. */
  readonly added: readonly BoundListener[];
  readonly removed: readonly BoundListener[];
  /** The edit holds. Handles that it does not need are closed. */
  commit(): void;
}

/** See the head of this file. */
export class Listeners {
  #entries: Entry[] = [];

  /** @throws HostError OPTION_INVALID, LISTEN_FAILED; nothing is bound then. */
  constructor(texts: readonly string[]) {
    this.prepare(texts).commit();
  }

  get bound(): BoundListener[] {
    return this.#entries.flatMap(({ bound }) => bound);
  }

  /** Where people go: the texts with their real ports. */
  get urls(): string[] {
    return this.#entries.map(({ text, bound }) => shownUrl(text, bound[0]!.port));
  }

  /**
   * Binds what is new. `onSecure` may refuse listeners with TLS by what it throws.
   * @throws HostError OPTION_INVALID, LISTEN_FAILED, of `onSecure`; nothing has changed then.
   */
  prepare(texts: readonly string[], onSecure: (text: string) => void = () => {}): ListenEdit {
    const origins = texts.map(parseListenOrigin);
    const left = [...this.#entries];
    const kept = origins.map(({ text }) => {
      const index = left.findIndex((entry) => entry.text === text);
      return index < 0 ? undefined : left.splice(index, 1)[0];
    });
    const removed = left.flatMap(({ bound }) => bound);
    const fresh: BoundListener[] = [];
    try {
      const entries = origins.map((origin, index): Entry => {
        return kept[index] ?? { text: origin.text, bound: this.#bind(origin, removed, fresh) };
      });
      for (const [index, { text }] of entries.entries()) {
        if (kept[index] === undefined && text.startsWith('https:')) onSecure(text);
      }
      return this.#edit(entries, removed);
    } catch (error) {
      for (const { handle } of fresh) handle.close();
      throw error;
    }
  }

  /** Closes all. */
  close(): void {
    for (const { handle } of this.bound) handle.close();
    this.#entries = [];
  }

  #edit(entries: Entry[], removed: BoundListener[]): ListenEdit {
    const before = new Set(this.bound);
    return {
      added: entries.flatMap(({ bound }) => bound).filter((listener) => !before.has(listener)),
      removed,
      commit: () => {
        this.#entries = entries;
        const handles = new Set(this.bound.map(({ handle }) => handle));
        for (const { handle } of removed) if (!handles.has(handle)) handle.close();
      },
    };
  }

  /** Takes over sockets of `removed` entries at the same address; binds the others and adds those to `fresh`. */
  #bind(origin: ListenOrigin, removed: readonly BoundListener[], fresh: BoundListener[]): BoundListener[] {
    const { text, port } = origin;
    const known = origin.addresses.map((address): BoundListener | undefined => {
      const wanted = originOf({ text, address, port });
      const place = wanted.replace(/^https?/, '');
      const former = removed.find((listener) => listener.origin.replace(/^https?/, '') === place);
      return former && { handle: former.handle, origin: wanted, port, text };
    });
    const addresses = origin.addresses.filter((_, index) => known[index] === undefined);
    if (addresses.length === 0) return known.filter((listener) => listener !== undefined);
    try {
      const bound = bindOrigin({ ...origin, addresses });
      fresh.push(...bound);
      return [...known.filter((listener) => listener !== undefined), ...bound];
    } catch (error) {
      const own = this.bound.find((listener) => listener.port === port);
      if (bindErrno(error) !== 'EADDRINUSE' || own === undefined) throw error;
      const why = `this host holds the port with ${own.text ?? own.origin}; restart it to move there`;
      throw new HostError('LISTEN_FAILED', `cannot listen on ${text}: ${why}`, { cause: error });
    }
  }
}

function shownUrl(text: string, port: number): string {
  return `${text.replace(/\/$/, '').replace(/:\d+$/, '')}${port === defaultPort(text) ? '' : `:${port}`}/`;
}
