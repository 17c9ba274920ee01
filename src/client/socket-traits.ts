// What a socket of node's has of its server and its address.

import type { Server } from 'node:http';

/** As net.Socket names the family of an address. */
export function familyOf(address: string): string {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

/** The option of the server that its sockets, and with them requests and responses, take over. */
export function highWaterMarkOf(server: Server): { highWaterMark?: number } {
  const { highWaterMark } = server as Server & { highWaterMark?: number };
  return typeof highWaterMark === 'number' ? { highWaterMark } : {};
}
