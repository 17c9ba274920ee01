// The keys of one session proxy: each page of the debugger, and each program that signed in, holds one and
// shows it in a header. A key lives as long as the session behind it, at most as long as this process.

import { randomBytes } from 'node:crypto';
import type { Visitor } from './access.ts';
import type { AccessGrants } from './access-grants.ts';

/** Most keys; the one that was not used for longest goes first. */
export const KEYS_MAX = 1000;

/** Keys and who holds them. */
export class PageKeys {
  #grants: AccessGrants;
  #now: () => number;
  #visitors = new Map<string, Visitor>();

  /** `now` is the wall clock in ms; replaced in tests. */
  constructor(grants: AccessGrants, now: () => number = Date.now) {
    this.#grants = grants;
    this.#now = now;
  }

  /** A new key. */
  issue(visitor: Visitor): string {
    const key = randomBytes(24).toString('base64url');
    this.#visitors.set(key, visitor);
    if (this.#visitors.size > KEYS_MAX) this.#visitors.delete(this.#visitors.keys().next().value!);
    return key;
  }

  /** Who holds the key; null when nobody may any more. */
  find(key: string): Visitor | null {
    const visitor = this.#visitors.get(key);
    if (visitor === undefined) return null;
    this.#visitors.delete(key);
    if (!this.isWelcome(visitor)) return null;
    this.#visitors.set(key, visitor);
    return visitor;
  }

  /** False once the session behind a visitor was revoked or has expired; who had none was sent away, or is over. */
  isWelcome({ session, known, expiresMs = Infinity }: Visitor): boolean {
    if (expiresMs < this.#now()) return false;
    if (known !== undefined && !this.#grants.isStillWelcome(known.app, known.sinceMs)) return false;
    return session === undefined || this.#grants.isValid(session);
  }
}
