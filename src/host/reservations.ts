// Which user may claim which URL prefixes. A reservation holds for its prefix and all that lie below it; of
// two, the longer one decides. What nobody reserved belongs to the host's own user.

import { execFileSync } from 'node:child_process';
import { HostError } from '../base/host-error.ts';
import type { JoinPrefix } from './claims.ts';

/** A prefix and whose it is. */
export interface Reservation {
  prefix: JoinPrefix;
  user: string;
  uid: number;
}

/** The number of a user of this machine, or undefined. */
export function userNumber(user: string): number | undefined {
  if (/^\d{1,10}$/.test(user)) return Number(user);
  if (!/^[\w.-]+$/.test(user) || user.startsWith('-')) return undefined;
  try {
    return Number(execFileSync('id', ['-u', user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return undefined;
  }
}

function covers(outer: JoinPrefix, inner: JoinPrefix): boolean {
  const isSite =
    outer.scheme === inner.scheme &&
    outer.category === inner.category &&
    outer.host === inner.host &&
    outer.port === inner.port;
  return isSite && inner.path.startsWith(outer.path);
}

/** See the head of the file. */
export class Reservations {
  readonly rows: readonly Reservation[];
  readonly #own: number;

  constructor(rows: readonly Reservation[], own: number) {
    this.rows = rows;
    this.#own = own;
  }

  /**
   * Reads the setting: prefix -> name or number of a user. `own` is the user of the host.
   * @throws HostError CONFIG_INVALID, also where the host may not make sockets for others.
   */
  static read(
    setting: Readonly<Record<string, unknown>>,
    parsePrefix: (text: string) => JoinPrefix,
    own: number = process.getuid?.() ?? -1,
  ): Reservations {
    const rows = Object.entries(setting).map(([text, user]): Reservation => {
      const where = `reservations: ${text}`;
      if (!/^https?:\/\//.test(text)) {
        throw new HostError('CONFIG_INVALID', `${where}: expected a prefix of the form http://host:port/path/`);
      }
      const uid = userNumber(String(user));
      if (uid === undefined) throw new HostError('CONFIG_INVALID', `${where}: there is no user "${String(user)}"`);
      if (uid !== own && own !== 0) {
        throw new HostError('CONFIG_INVALID', `${where}: only a host of root can let another user claim`);
      }
      return { prefix: parsePrefix(text), user: String(user), uid };
    });
    return new Reservations(rows, own);
  }

  /** Users besides the host's own: each needs a socket. */
  get users(): number[] {
    return [...new Set(this.rows.map(({ uid }) => uid))].filter((uid) => uid !== this.#own);
  }

  /** Whose a prefix is. Undefined: nobody reserved it. */
  ownerOf(prefix: JoinPrefix): Reservation | undefined {
    const over = this.rows.filter((row) => covers(row.prefix, prefix));
    return over.sort((left, right) => right.prefix.path.length - left.prefix.path.length)[0];
  }

  /**
   * Passes when the user may claim the prefix. `uid` null: the host's own.
   * @throws HostError PREFIX_RESERVED, PREFIX_UNRESERVED
   */
  check(prefix: JoinPrefix, uid: number | null): void {
    const owner = this.ownerOf(prefix);
    if ((owner?.uid ?? this.#own) === (uid ?? this.#own)) return;
    if (owner === undefined) {
      const message = `the prefix ${prefix.text} is not reserved for this user (reservations)`;
      throw new HostError('PREFIX_UNRESERVED', message);
    }
    throw new HostError('PREFIX_RESERVED', `the prefix ${prefix.text} is reserved for the user ${owner.user}`);
  }
}
