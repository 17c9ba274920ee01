// Who signed in to which debugger: one-time links and the sessions that they become, a small file each, named
// by the hash of its secret, so that nobody who reads the folder gets in. Removing a file ends what it stands
// for, everywhere and at once; a link is used by whoever removes its file first.

import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HostError } from '../base/host-error.ts';

/** What somebody may do. `observe`: look. `step`: also stop and go on. `full`: also run code. */
export type DebugRole = 'observe' | 'step' | 'full';

/** All roles, the weakest first. */
export const DEBUG_ROLES: readonly DebugRole[] = ['observe', 'step', 'full'];

/** How long a one-time link may be used, in ms. */
export const LINK_LIFE_MS = 300_000;
/** How long a session lasts, in ms. */
export const SESSION_LIFE_MS = 43_200_000;
/** Most links and sessions, each; more are refused. */
export const GRANTS_MAX = 1000;

/** Where the grants of readers are (reader-access.ts), below the folder of the debugger. */
export function readersFolder(folder: string): string {
  return join(folder, 'readers');
}

/** What a link or a session gives. */
export interface Grant {
  /** Path of the app, `/shop/`. */
  app: string;
  role: DebugRole;
  /** Wall clock, in ms. */
  expiresMs: number;
}

/** A session that is valid now. `id` is no secret: it names the session in the audit log. */
export interface DebugSession extends Grant {
  id: string;
}

/** Links and sessions in a private folder. `now` is the wall clock in ms; replaced in tests. */
export class AccessGrants {
  #links: string;
  #sessions: string;
  #revoked: string;
  #now: () => number;

  constructor(folder: string, now: () => number = Date.now) {
    this.#links = join(folder, 'links');
    this.#sessions = join(folder, 'sessions');
    this.#revoked = join(folder, 'revoked');
    this.#now = now;
  }

  /** Makes a link for an app; its secret. @throws HostError DEBUGGER_FORBIDDEN when there are too many. */
  createLink(app: string, role: DebugRole): string {
    return this.#create(this.#links, { app, role, expiresMs: this.#now() + LINK_LIFE_MS });
  }

  /** Uses a link up: the secret of a new session, or null when the link is of no use for this app. */
  redeemLink(app: string, secret: string): { secret: string; session: DebugSession } | null {
    const file = join(this.#links, digestOf(secret));
    const link = readGrant(file);
    if (link === null || link.app !== app || !removed(file) || link.expiresMs < this.#now()) return null;
    const grant: Grant = { ...link, expiresMs: this.#now() + SESSION_LIFE_MS };
    const made = this.#create(this.#sessions, grant);
    return { secret: made, session: { ...grant, id: digestOf(made) } };
  }

  /** The session that a secret stands for, or null. */
  findSession(app: string, secret: string): DebugSession | null {
    const id = digestOf(secret);
    const grant = readGrant(join(this.#sessions, id));
    return grant === null || grant.app !== app || grant.expiresMs < this.#now() ? null : { ...grant, id };
  }

  /** True while the session was neither revoked nor has expired. */
  isValid(session: DebugSession): boolean {
    return session.expiresMs >= this.#now() && existsSync(join(this.#sessions, session.id));
  }

  /** Ends one session. */
  endSession(secret: string): void {
    removed(join(this.#sessions, digestOf(secret)));
  }

  /**
   * Ends all links and sessions of an app, or of all apps; how many there were. Who came without a session has to
   * come again, too.
   */
  revoke(app: string | null): number {
    mkdirSync(this.#revoked, { recursive: true, mode: 0o700 });
    writeFileSync(this.#revocation(app), String(this.#now()), { mode: 0o600 });
    return this.#sweep((grant) => app === null || grant.app === app);
  }

  /** False when all were sent away at that time (wall clock, in ms) or later. */
  isStillWelcome(app: string, sinceMs: number): boolean {
    return [app, null].every((which) => timeIn(this.#revocation(which)) < sinceMs);
  }

  #revocation(app: string | null): string {
    return join(this.#revoked, app === null ? 'all' : digestOf(app));
  }

  #create(folder: string, grant: Grant): string {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (readdirSync(folder).length >= GRANTS_MAX) {
      this.#sweep(() => false);
      if (readdirSync(folder).length >= GRANTS_MAX) {
        throw new HostError('DEBUGGER_FORBIDDEN', `there are ${GRANTS_MAX} grants; slipstream debug --revoke`);
      }
    }
    const secret = randomBytes(24).toString('base64url');
    writeFileSync(join(folder, digestOf(secret)), JSON.stringify(grant), { mode: 0o600, flag: 'wx' });
    return secret;
  }

  /** Removes what is unusable anyway, and what `isUnwanted`; counts only the latter. */
  #sweep(isUnwanted: (grant: Grant) => boolean): number {
    let count = 0;
    for (const folder of [this.#links, this.#sessions]) {
      if (!existsSync(folder)) continue;
      for (const name of readdirSync(folder)) {
        const grant = readGrant(join(folder, name));
        const isOver = grant === null || grant.expiresMs < this.#now();
        if (!isOver && !isUnwanted(grant)) continue;
        if (removed(join(folder, name)) && !isOver) count += 1;
      }
    }
    return count;
  }
}

function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Removes a file; false when somebody else was quicker. */
function removed(file: string): boolean {
  try {
    unlinkSync(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** The time that a file holds; -Infinity when it is not there. */
function timeIn(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return -Infinity;
    throw error;
  }
}

function readGrant(file: string): Grant | null {
  try {
    const { app, role, expiresMs } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Grant>;
    if (typeof app !== 'string' || typeof expiresMs !== 'number') return null;
    return role !== undefined && DEBUG_ROLES.includes(role) ? { app, role, expiresMs } : null;
  } catch {
    // Gone, or half written by a crash: no grant.
    return null;
  }
}
