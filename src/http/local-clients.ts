// Which requests come from a person at this machine (D8), and which proxies on it may name a user. Where programs of
// other users run here, a client on loopback may be one of those: then it counts only when its socket is the host's
// user's or root's, as the kernel tells on Linux. What cannot be told counts as "no".

import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { isLocalClient, isLoopbackAddress } from '../base/loopback.ts';
import type { Origin } from '../wire/link-messages.ts';
import type { RequestHead } from './request-head.ts';

type Ends = Pick<Origin, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>;

/** Both, since a socket for IPv6 also speaks IPv4. */
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
const ESTABLISHED = '01';
const IP6_LOOPBACK = '00000000000000000000000001000000';
const MAPPED = '0000000000000000FFFF0000';

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
      const uid = userOfPeer(origin, readTables());
      isOurs = uid === 0 || (uid !== null && uid === process.getuid?.());
      this.#known.set(origin, isOurs);
    }
    return isOurs;
  }
}

function readTables(): string {
  return TABLES.map((path) => {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      // Another system, or one without IPv6.
      return '';
    }
  }).join('\n');
}

/** The number of the user who holds the other end of a loopback connection; null when that cannot be told. */
export function userOfPeer(ends: Ends, tables: string): number | null {
  const spelledFrom = spellingsOf(ends.remoteAddress, ends.remotePort);
  const spelledTo = spellingsOf(ends.localAddress, ends.localPort);
  for (const line of tables.split('\n')) {
    const [, from, to, state, , , , uid, , inode] = line.trim().split(/\s+/);
    if (from === undefined || to === undefined || !spelledFrom.includes(from) || !spelledTo.includes(to)) continue;
    // A socket that its process has closed already is nobody's, and shown as root's.
    return state === ESTABLISHED && inode !== '0' && /^\d+$/.test(uid ?? '') ? Number(uid) : null;
  }
  return null;
}

/** How the tables may write an end: addresses in words of the machine's byte order. */
function spellingsOf(address: string, port: number): string[] {
  if (endianness() !== 'LE') return [];
  const shownPort = port.toString(16).toUpperCase().padStart(4, '0');
  if (address === '::1') return [`${IP6_LOOPBACK}:${shownPort}`];
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  const bytes = plain.split('.').map((byte) => Number(byte).toString(16).toUpperCase().padStart(2, '0'));
  const word = bytes.reverse().join('');
  return [`${word}:${shownPort}`, `${MAPPED}${word}:${shownPort}`];
}
