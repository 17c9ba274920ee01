// The user of the system that an app runs as, where that is another one than the host's. Only a host of root can do
// that. The app gets that user's number, group and home, none of the host's other groups.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { HostError } from '../base/host-error.ts';
import type { AppSettings } from './app-config.ts';

/** Who runs an app. */
export interface AppUser {
  uid: number;
  gid: number;
  name: string;
  /** '/' where none is known. */
  home: string;
}

/** The numbers of the system, by name or number. Undefined: there is none. */
function ask(kind: 'passwd' | 'group', name: string): string[] | undefined {
  if (!/^[\w.-]+$/.test(name) || name.startsWith('-')) return undefined;
  try {
    const line = execFileSync('getent', [kind, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return line.trimEnd().split(':');
  } catch {
    // Exit 2: no such name; or a system without getent.
    return inFile(kind, name);
  }
}

function inFile(kind: 'passwd' | 'group', name: string): string[] | undefined {
  try {
    const rows = readFileSync(`/etc/${kind}`, 'utf8').split('\n').map((line) => line.split(':'));
    return rows.find((row) => row[0] === name || row[2] === name);
  } catch {
    return undefined;
  }
}

const NUMBER = /^\d{1,10}$/;
const known = new Map<string, AppUser>();

/**
 * The user that the settings name; undefined: that of the host. Asks the system once for each name.
 * @throws HostError APP_USER_INVALID
 */
export function userOf({ user, group }: Pick<AppSettings, 'user' | 'group'>): AppUser | undefined {
  if (user === '' && group === '') return undefined;
  const key = `${user}:${group}`;
  let found = known.get(key);
  if (found === undefined) {
    found = lookUp(user === '' ? String(process.getuid?.() ?? '') : user, group);
    known.set(key, found);
  }
  const own = process.getuid?.();
  if (own !== 0 && (found.uid !== own || found.gid !== process.getgid?.())) {
    const message = `only a host of root can run apps as another user (user "${user}", group "${group}")`;
    throw new HostError('APP_USER_INVALID', message);
  }
  return found;
}

function lookUp(user: string, group: string): AppUser {
  const row = ask('passwd', user);
  if (row === undefined && !NUMBER.test(user)) {
    throw new HostError('APP_USER_INVALID', `there is no user "${user}" (user)`);
  }
  const groupRow = group === '' ? undefined : ask('group', group);
  if (group !== '' && groupRow === undefined && !NUMBER.test(group)) {
    throw new HostError('APP_USER_INVALID', `there is no group "${group}" (group)`);
  }
  const gid = group === '' ? row?.[3] : (groupRow?.[2] ?? group);
  if (gid === undefined) {
    throw new HostError('APP_USER_INVALID', `user ${user} has no group of its own; name one (group)`);
  }
  return { uid: Number(row?.[2] ?? user), gid: Number(gid), name: row?.[0] ?? user, home: row?.[5] || '/' };
}

/** What such a process finds in its environment in place of what the host has there. */
export function userVariables(user: AppUser | undefined): Record<string, string> {
  return user === undefined ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name };
}

/** Variables of the host's user that mean nothing to another one. */
export const NOT_FOR_OTHERS: ReadonlySet<string> = new Set([
  'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS', 'SSH_AUTH_SOCK', 'MAIL', 'SUDO_USER', 'SUDO_UID', 'SUDO_GID',
]);
