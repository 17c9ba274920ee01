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

/** What the kernel tells of all TCP connections, in its words; '' where it does not. Slower the more there are. */
export function connectionTables(): string {
  return TABLES.map((path) => {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      // Another system, or one without IPv6.
      return '';
    }
  }).join('\n');
}

/** The user who holds the other end, by what `connectionTables` gave while the connection was there. */
export function userOfPeer(ends: ConnectionEnds, tables: string): PeerUser {
  if (endianness() !== 'LE' || tables.trim() === '') return 'unknown';
  for (const from of spellingsOf(ends.remoteAddress, ends.remotePort)) {
    for (const to of spellingsOf(ends.localAddress, ends.localPort)) {
      // One search in the whole: a table of thousands of lines is not taken apart for one of them.
      const start = tables.indexOf(` ${from} ${to} `);
      if (start !== -1) return userOfRow(tables.slice(start, tables.indexOf('\n', start) >>> 0));
    }
  }
  return 'nobody';
}

/** By a row from its addresses on. */
function userOfRow(row: string): PeerUser {
  const [, , state, , , , uid, , inode] = row.trim().split(/\s+/);
  // A socket that its process has closed already is nobody's, and shown as root's.
  return state === ESTABLISHED && inode !== '0' && /^\d+$/.test(uid ?? '') ? Number(uid) : 'nobody';
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
