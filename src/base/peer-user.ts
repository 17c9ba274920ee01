// Which user of this machine holds the other end of a loopback connection, where the system tells it (Linux).

import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';

/** Both ends of a connection, as the one that accepted it sees them. */
export interface ConnectionEnds {
  remoteAddress: string;
  remotePort: number;
  localAddress: string;
  localPort: number;
}

/** Both, since a socket for IPv6 also speaks IPv4. */
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
const ESTABLISHED = '01';
const IP6_LOOPBACK = '00000000000000000000000001000000';
const MAPPED = '0000000000000000FFFF0000';

/** Whose a socket is: the number of a user, nobody's (any more), or not to be told on this system. */
export type PeerUser = number | 'nobody' | 'unknown';

/** The user who holds the other end. */
export function peerUser(ends: ConnectionEnds): PeerUser {
  return userOfPeer(ends, readTables());
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

/** The same by the text of the kernel's tables; '' where there are none. */
export function userOfPeer(ends: ConnectionEnds, tables: string): PeerUser {
  if (endianness() !== 'LE' || tables.trim() === '') return 'unknown';
  const spelledFrom = spellingsOf(ends.remoteAddress, ends.remotePort);
  const spelledTo = spellingsOf(ends.localAddress, ends.localPort);
  for (const line of tables.split('\n')) {
    const [, from, to, state, , , , uid, , inode] = line.trim().split(/\s+/);
    if (from === undefined || to === undefined || !spelledFrom.includes(from) || !spelledTo.includes(to)) continue;
    // A socket that its process has closed already is nobody's, and shown as root's.
    return state === ESTABLISHED && inode !== '0' && /^\d+$/.test(uid ?? '') ? Number(uid) : 'nobody';
  }
  return 'nobody';
}

/** How the tables may write an end: addresses in words of the machine's byte order. */
function spellingsOf(address: string, port: number): string[] {
  const shownPort = port.toString(16).toUpperCase().padStart(4, '0');
  if (address === '::1') return [`${IP6_LOOPBACK}:${shownPort}`];
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  const bytes = plain.split('.').map((byte) => Number(byte).toString(16).toUpperCase().padStart(2, '0'));
  const word = bytes.reverse().join('');
  return [`${word}:${shownPort}`, `${MAPPED}${word}:${shownPort}`];
}
