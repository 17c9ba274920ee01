// What V8 keeps alive for viewers of one thread: objects of their own groups, and those of the console, which all
// share. V8 has one session here, so that a group that one viewer releases would be gone for all: each has names of its
// own. Logged objects are let go after a while; their messages stay, with previews.

/** Logged objects are kept alive by the session: so many without a viewer, so many with one. */
const UNWATCHED_MAX = 1000;
const WATCHED_MAX = 20_000;
const GROUPS_MAX = 200;
/** V8 means something by this name: its last evaluation is `$_`, and what the program logs is in it. */
const CONSOLE = 'console';

type Params = Record<string, unknown>;

/** See the head of this file. */
export class RetainedObjects {
  #release: (group: string) => void;
  #consoleCount = 0;
  /** V8's names of the groups of each viewer. */
  #groups = new Map<object, Set<string>>();
  #numbers = new WeakMap<object, number>();
  #lastNumber = 0;

  /** `release` lets a group go. */
  constructor(release: (group: string) => void) {
    this.#release = release;
  }

  /** One more object in the console's group. */
  logged(isWatched: boolean): void {
    this.#consoleCount += 1;
    this.#trimConsole(isWatched ? WATCHED_MAX : UNWATCHED_MAX);
  }

  /**
   * A command of a viewer, as V8 is to get it; null when it is done already. `isAlone`: no other viewer looks.
   */
  own(viewer: object, method: string, params: Params, isAlone: boolean): Params | null {
    const group = params['objectGroup'];
    if (typeof group !== 'string') return params;
    const isRelease = method === 'Runtime.releaseObjectGroup';
    if (group === CONSOLE) {
      if (isRelease && !isAlone) return null;
      if (isRelease) this.#consoleCount = 0;
      else this.logged(true);
      return params;
    }
    const objectGroup = this.#nameOf(viewer, group);
    const groups = this.#groups.get(viewer) ?? new Set();
    this.#groups.set(viewer, groups);
    if (isRelease) groups.delete(objectGroup);
    else if (groups.size < GROUPS_MAX) groups.add(objectGroup);
    return { ...params, objectGroup };
  }

  /** A viewer left. `isLast`: nobody looks any more. */
  left(viewer: object, isLast: boolean): void {
    for (const group of this.#groups.get(viewer) ?? []) this.#release(group);
    this.#groups.delete(viewer);
    if (isLast) this.#trimConsole(UNWATCHED_MAX);
  }

  #nameOf(viewer: object, group: string): string {
    let number = this.#numbers.get(viewer);
    if (number === undefined) this.#numbers.set(viewer, (number = ++this.#lastNumber));
    return `${number}:${group}`;
  }

  #trimConsole(countMax: number): void {
    if (this.#consoleCount <= countMax) return;
    this.#consoleCount = 0;
    this.#release(CONSOLE);
  }
}
