// Which requests come from a person at this machine (D8), and which proxies on it may name a user. Where programs of
// other users run here, a client on loopback may be one of those: then it counts only when its socket is the host's
// user's or root's, as the kernel tells on Linux. What cannot be told counts as "no".

import { isLocalClient, isLoopbackAddress } from '../base/loopback.ts';
import { peerUser } from '../base/peer-user.ts';
import type { Origin } from '../wire/link-messages.ts';
import type { RequestHead } from './request-head.ts';

/** See the head of this file. */
export class LocalClients {
  /** Programs of other users run here, by our configuration. */
  hasOtherUsers = false;
  #known = new WeakMap<Origin, boolean>();

  /** HTTP/1.0 is no browser: a proxy, which may say nothing of its client. */
  isLocal(head: RequestHead | null, origin: Origin): boolean {
    if (head === null || origin.relayed === true || head.version === 10) return false;
    return isLocalClient(origin.remoteAddress, head.fields) && (!this.hasOtherUsers || this.#isOurs(origin));
  }

  /** Whether a trusted peer is believed who its client is: on loopback it may be a program of another user. */
  mayNameUser(origin: Origin): boolean {
    if (!this.hasOtherUsers) return true;
    // What a PROXY header tells of the ends finds the socket of somebody else.
    return origin.relayed !== true && (!isLoopbackAddress(origin.remoteAddress) || this.#isOurs(origin));
  }

  #isOurs(origin: Origin): boolean {
    let isOurs = this.#known.get(origin);
    if (isOurs === undefined) {
      const uid = peerUser(origin);
      isOurs = uid === 0 || (uid !== null && uid === process.getuid?.());
      this.#known.set(origin, isOurs);
    }
    return isOurs;
  }
}
