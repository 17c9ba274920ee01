// By which names a debugger may be asked for. Any site can make its own name point to this machine (DNS rebinding); a
// browser then takes the two for one origin, and on plain HTTP says nothing of who asks. An address cannot be taken
// that way, nor can a name that is ours.

import { isIP } from 'node:net';
import { isLoopbackHost } from '../base/loopback.ts';

/** What {@link isKnownHost} compares with. */
export interface HostRules {
  auth: 'link' | 'none';
  /** In lower case and without a port; none: any, unless everybody is let in. */
  hosts: readonly string[];
}

/** For whoever was refused: what to do differently. */
export const HOST_REASON = 'the debugger is not to be asked for by this name: add it to debuggerHosts';

/** Whether a Host field names a place at which the debugger may be. */
export function isKnownHost(host = '', { auth, hosts }: HostRules): boolean {
  if (isLoopbackHost(host)) return true;
  const name = nameIn(host);
  if (hosts.length > 0) return hosts.includes(name);
  // Everybody else has to show something that a page of another name does not have.
  return auth !== 'none' || isIP(name.replace(/^\[|\]$/g, '')) !== 0;
}

function nameIn(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
}
