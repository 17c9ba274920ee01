// Who is behind each viewer, and for how long: one whose session is revoked or over goes at once, also while its poll
// or its socket is held. What it sends until then is looked at, too. And nobody asks more often than
// a fast program does.

import type { Clock, Timer } from '../base/clock.ts';
import type { Visitor } from './access.ts';

/** How often it is looked whether those who are held may stay, in ms. */
export const WELCOME_LOOK_MS = 500;

/** Requests of one viewer in a second; those beyond are to come again later. */
export const REQUESTS_PER_SECOND_MAX = 2000;
const SECOND_MS = 1000;

/** Somebody behind a viewer, and what came of it in this second. */
interface Guest {
  visitor: Visitor;
  sinceMs: number;
  requests: number;
}

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
  #guests = new Map<string, Guest>();
  #timer: Timer | null = null;

  constructor(options: WelcomeOptions) {
    this.#options = options;
  }

  add(viewer: string, visitor: Visitor): void {
    this.#guests.set(viewer, { visitor, sinceMs: this.#options.clock.now(), requests: 0 });
    this.#lookLater();
  }

  remove(viewer: string): void {
    this.#guests.delete(viewer);
  }

  /** False when a viewer has asked too often: this request is not to be performed. */
  mayAsk(viewer: string): boolean {
    const guest = this.#guests.get(viewer);
    if (guest === undefined) return true;
    const nowMs = this.#options.clock.now();
    if (nowMs - guest.sinceMs >= SECOND_MS) [guest.sinceMs, guest.requests] = [nowMs, 0];
    guest.requests += 1;
    return guest.requests <= REQUESTS_PER_SECOND_MAX;
  }

  /** False, and it is dropped, when the visitor behind a viewer may not stay. */
  check(viewer: string): boolean {
    const guest = this.#guests.get(viewer);
    if (guest === undefined || this.#options.isWelcome(guest.visitor)) return true;
    this.#options.drop(viewer, 'its session was revoked or is over');
    return false;
  }

  #lookLater(): void {
    if (this.#timer !== null || ![...this.#guests.values()].some(({ visitor }) => mayEnd(visitor))) return;
    this.#timer = this.#options.clock.after(WELCOME_LOOK_MS, () => {
      this.#timer = null;
      for (const viewer of [...this.#guests.keys()]) this.check(viewer);
      this.#lookLater();
    });
  }
}

/** Of people at this machine nobody can be sent away. */
function mayEnd({ session, known, expiresMs }: Visitor): boolean {
  return session !== undefined || known !== undefined || expiresMs !== undefined;
}
