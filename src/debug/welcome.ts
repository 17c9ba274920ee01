// Who is behind each viewer, and for how long: one whose session is revoked or over goes at once, also while its poll
// or its socket is held. What it sends until then is looked at, too.

import type { Clock, Timer } from '../base/clock.ts';
import type { Visitor } from './access.ts';

/** How often it is looked whether those who are held may stay, in ms. */
export const WELCOME_LOOK_MS = 500;

/** What {@link Welcome} needs. */
export interface WelcomeOptions {
  clock: Clock;
  isWelcome(visitor: Visitor): boolean;
  /** The viewer with this id is to go. */
  drop(viewer: string, reason: string): void;
}

/** The visitors of one session. */
export class Welcome {
  #options: WelcomeOptions;
  #visitors = new Map<string, Visitor>();
  #timer: Timer | null = null;

  constructor(options: WelcomeOptions) {
    this.#options = options;
  }

  add(viewer: string, visitor: Visitor): void {
    this.#visitors.set(viewer, visitor);
    this.#lookLater();
  }

  remove(viewer: string): void {
    this.#visitors.delete(viewer);
  }

  /** False, and it is dropped, when the visitor behind a viewer may not stay. */
  check(viewer: string): boolean {
    const visitor = this.#visitors.get(viewer);
    if (visitor === undefined || this.#options.isWelcome(visitor)) return true;
    this.#options.drop(viewer, 'its session was revoked or is over');
    return false;
  }

  #lookLater(): void {
    if (this.#timer !== null || ![...this.#visitors.values()].some(mayEnd)) return;
    this.#timer = this.#options.clock.after(WELCOME_LOOK_MS, () => {
      this.#timer = null;
      for (const viewer of [...this.#visitors.keys()]) this.check(viewer);
      this.#lookLater();
    });
  }
}

/** Of people at this machine nobody can be sent away. */
function mayEnd({ session, known, expiresMs }: Visitor): boolean {
  return session !== undefined || known !== undefined || expiresMs !== undefined;
}
