// Where other users reach this host: <folder>/run-<pid>/<uid>.sock and <uid>-front-<n>.sock, each owned by its
// user with mode 0600, so that who can open it is that user. The folders are the host's: nobody else can put
// anything there, and they hold nothing but these sockets.

import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { userOf, type AppSettingsSource, type OtherSockets } from '../apps/apps.ts';
import { HostError } from '../base/host-error.ts';
import type { JoinPrefix } from './claims.ts';
import type { HostConfig } from './host-config.ts';
import { Reservations } from './reservations.ts';
import { isAlive } from './run-folder.ts';

const FOLDER_MODE = 0o755;
const SOCKET_MODE = 0o600;

/** The sockets of one user. */
export interface UserSockets {
  uid: number;
  /** For claims. */
  join: string;
  /** For links, one a front. */
  links: string[];
}

/** Users besides the host's own that its file lets apps run as. Unknown ones are told when such an app starts. */
function appUserNumbers({ defaults, overrides }: AppSettingsSource): number[] {
  const own = process.getuid?.();
  const all = [defaults, ...Object.values(overrides).map((settings) => ({ ...defaults, ...settings }))];
  const numbers = all.flatMap((settings): number[] => {
    try {
      const uid = userOf(settings)?.uid;
      return uid === undefined || uid === own ? [] : [uid];
    } catch (error) {
      if (error instanceof HostError) return [];
      throw error;
    }
  });
  return [...new Set(numbers)];
}

/** Where apps wish new processes, and where those of other users reach the host. */
export function appSockets(
  wishFolder: string,
  users: readonly UserSockets[],
): { wishFolder: string; socketsOf(uid: number): OtherSockets | undefined } {
  return {
    wishFolder,
    socketsOf(uid) {
      const found = users.find((user) => user.uid === uid);
      return found && { fronts: found.links.join(delimiter), folder: dirname(found.join) };
    },
  };
}

/** What is reserved for whom, and where other users reach the host. */
export interface Reserved {
  reservations: Reservations;
  users: UserSockets[];
  /** Removes what hosts left that are gone, but for folders in which sockets at these paths are ours from now on. */
  removeFormer(kept: readonly string[]): void;
  remove(): void;
}

/** Reads the settings and makes the folders. @throws HostError CONFIG_INVALID, HOME_UNSAFE */
export function makeReserved({ host, apps }: HostConfig, parsePrefix: (text: string) => JoinPrefix): Reserved {
  const reservations = Reservations.read(host.reservations, parsePrefix);
  return { reservations, ...makeUserSockets(host, [...reservations.users, ...appUserNumbers(apps)]) };
}

/** Makes the folders. @throws HostError HOME_UNSAFE */
function makeUserSockets(
  { reservationFolder: folder, frontProcesses }: { reservationFolder: string; frontProcesses: number },
  uids: readonly number[],
): Pick<Reserved, 'users' | 'removeFormer' | 'remove'> {
  if (uids.length === 0) return { users: [], removeFormer: () => {}, remove: () => {} };
  makeReachable(folder);
  const remove = (path: string): void => rmSync(path, { recursive: true, force: true });
  const ours: string[] = [];
  const run = join(folder, `run-${process.pid}`);
  remove(run);
  makeReachable(run);
  ours.push(run);
  return {
    users: [...new Set(uids)].map((uid) => ({
      uid,
      join: join(run, `${uid}.sock`),
      links: Array.from({ length: frontProcesses }, (_, index) => join(run, `${uid}-front-${index}.sock`)),
    })),
    removeFormer(kept) {
      for (const name of readdirSync(folder)) {
        const pid = /^run-(\d+)$/.exec(name)?.[1];
        if (pid === undefined || isAlive(Number(pid))) continue;
        const path = join(folder, name);
        if (kept.some((socket) => dirname(socket) === path)) ours.push(path);
        else remove(path);
      }
    },
    remove: () => ours.forEach(remove),
  };
}

function makeReachable(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  const { uid, mode } = lstatSync(folder);
  if (!lstatSync(folder).isDirectory() || uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new HostError('HOME_UNSAFE', `others can change ${folder} (reservationFolder); use another one`);
  }
  chmodSync(folder, FOLDER_MODE);
}

/** Gives a socket, which only the host can open so far, to its user. */
export function giveSocket(path: string, uid: number): void {
  chmodSync(path, SOCKET_MODE);
  chownSync(path, uid, -1);
}
