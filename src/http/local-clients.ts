// Which requests come from a person at this machine, and which proxies on it may name a user. A client on loopback
// may be a program of somebody else, or a proxy that says nothing of its clients and has a user of its own: it counts
// only with a socket of the host's user or of root, as the kernel tells on Linux. Where no kernel tells, loopback is
// enough, unless we run programs of other users ourselves.

import { isLocalClient, isLoopbackAddress } from '../base/loopback.ts';
import { connectionTables, userOfPeer, type PeerUser } from '../base/peer-user.ts';
import type { Origin } from '../wire/link-messages.ts';
import type { RequestHead } from './request-head.ts';

/** See the head of this file. */
export class LocalClients {
  /** Programs of other users run here, by our configuration. */
  hasOtherUsers = false;
  #known = new WeakMap<Origin, PeerUser>();
  readonly #read: () => string;
  /** What was read in this callback of the event loop. */
  #tables: string | null = null;

  constructor(read: () => string = connectionTables) {
    this.#read = read;
  }

  /** Reads the tables of the kernel, at most once a connection: not for requests of which nobody asks. */
  isLocal(head: RequestHead | null, origin: Origin): boolean {
    // HTTP/1.0 is no browser: a proxy, which may say nothing of its client.
    if (head === null || origin.relayed === true || head.version === 10) return false;
    if (!isLocalClient(origin.remoteAddress, head.fields)) return false;
    const user = this.#userOf(origin);
    return isOurs(user) || (user === 'unknown' && !this.hasOtherUsers);
  }

  /** Whether a trusted peer is believed who its client is: on loopback it may be a program of another user. */
  mayNameUser(origin: Origin): boolean {
    if (!this.hasOtherUsers) return true;
    // What a PROXY header tells of the ends finds the socket of somebody else.
    return origin.relayed !== true && (!isLoopbackAddress(origin.remoteAddress) || isOurs(this.#userOf(origin)));
  }

  #userOf(origin: Origin): PeerUser {
    let user = this.#known.get(origin);
    if (user === undefined) {
      user = userOfPeer(origin, this.#tables ?? this.#readForNow());
      this.#known.set(origin, user);
    }
    return user;
  }

  /**
   * Where a process ends, hundreds of connections are asked of in one callback, and one look is enough for them all.
   * No longer: a connection that is accepted later may have the ends of one that was there before.
   */
  #readForNow(): string {
    process.nextTick(() => (this.#tables = null));
    return (this.#tables = this.#read());
  }
}

function isOurs(user: PeerUser): boolean {
  return user === 0 || (user !== 'unknown' && user === process.getuid?.());
}
