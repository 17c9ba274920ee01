// Which user of this machine holds the other end of a loopback connection, where the system tells it (Linux). A
// proxy that says nothing of its clients looks like a person at this machine; mostly it runs as a user of its own
// that no person is.

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
/** Users below this number are programs (SYS_UID_MAX of every distribution), but for root. */
const PERSON_UID_MIN = 1000;
const NOBODY = 65_534;

/** True when the peer is a program with a user of its own, as web servers are; false when that is not known. */
export function isServicePeer(ends: ConnectionEnds): boolean {
  const uid = peerUser(ends);
  return uid !== null && isServiceUser(uid, process.getuid?.());
}

/** True for users that no person is. `own` may be one: who runs the host may debug it. */
export function isServiceUser(uid: number, own: number | undefined): boolean {
  if (uid === 0 || uid === own) return false;
  return uid < PERSON_UID_MIN || uid === NOBODY;
}

/** The user of the peer; null when the system does not tell. */
export function peerUser(ends: ConnectionEnds): number | null {
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

/** The number of the user who holds the other end of a loopback connection; null when that cannot be told. */
export function userOfPeer(ends: ConnectionEnds, tables: string): number | null {
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
