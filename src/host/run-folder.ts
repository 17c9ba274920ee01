// The folder for sockets: SLIPSTREAM_HOME/run-<pid>, mode 0700, gone when the host stops. What a killed
// host left behind is removed by the next one.

import {
  lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { homeFolder } from '../base/home-folder.ts';
import { HostError } from '../base/host-error.ts';
import { ADOPTION_SOCKET } from '../wire/adoption-messages.ts';

/** Unix socket paths are cut at about 104 bytes; the longest one below is `children-1234567/1234567.sock`. */
const FOLDER_BYTES_MAX = 74;
const ROOT_FILE = 'root';

export { backgroundHome, homeFolder } from '../base/home-folder.ts';
export { takeHostLock } from './host-lock.ts';

/** Settings and breakpoints of the debuggers, links and sessions of visitors, the audit log. */
export function debuggerFolder(): string {
  return join(homeFolder(), 'debugger');
}

/**
 * Makes the private folder `home` and this host's run folder in it.
 * @throws HostError HOME_UNSAFE when `home` is somebody else's or open to others.
 * `root` is what tells this host from others of the home.
 */
export function makeRunFolder(home: string, root = ''): { folder: string; remove: () => void } {
  makePrivate(home);
  removeStale(home);
  const named = join(home, `run-${process.pid}`);
  let folder = named;
  if (Buffer.byteLength(folder) > FOLDER_BYTES_MAX) {
    const short = join(tmpdir(), `slipstream-${userInfo().uid}`);
    makePrivate(short);
    removeStale(short);
    folder = join(short, `run-${process.pid}`);
  }
  rmSync(folder, { recursive: true, force: true });
  makePrivate(folder);
  if (folder !== named) {
    // Whoever looks for the host looks in its home.
    rmSync(named, { recursive: true, force: true });
    symlinkSync(folder, named, 'dir');
  }
  if (root !== '') writeFileSync(join(folder, ROOT_FILE), root, { mode: 0o600 });
  return {
    folder,
    remove() {
      rmSync(folder, { recursive: true, force: true });
      rmSync(named, { recursive: true, force: true });
    },
  };
}

/** The root of the host that has this run folder; '' when it does not say. */
export function rootOf(runFolder: string): string {
  try {
    return readFileSync(join(runFolder, ROOT_FILE), 'utf8');
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code === 'string') return '';
    throw error;
  }
}

/** The run folders of the hosts that live and have `home`, by pid. */
export function runFolders(home: string): Map<number, string> {
  const found = new Map<number, string>();
  for (const name of namesIn(home)) {
    const pid = Number(/^run-(\d+)$/.exec(name)?.[1] ?? 0);
    if (pid === 0 || !isAlive(pid)) continue;
    try {
      // The short path behind a link: sockets need it.
      found.set(pid, realpathSync(join(home, name)));
    } catch (error) {
      // It went this moment.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return found;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code === 'string') return [];
    throw error;
  }
}

/** Makes a folder that only this user can enter. @throws HostError HOME_UNSAFE */
export function makePrivate(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (process.platform === 'win32') return;
  const uid = process.getuid?.();
  if (!found.isDirectory() || (uid !== undefined && found.uid !== uid)) {
    throw new HostError('HOME_UNSAFE', `${folder} belongs to another user; set SLIPSTREAM_HOME`);
  }
  if ((found.mode & 0o022) !== 0) {
    const mode = (found.mode & 0o777).toString(8);
    throw new HostError('HOME_UNSAFE', `others can write in ${folder} (mode ${mode}); set SLIPSTREAM_HOME`);
  }
}

/** Removes run folders whose host is gone, and no session of it is left. */
function removeStale(home: string): void {
  for (const name of namesIn(home)) {
    const pid = /^run-(\d+)$/.exec(name)?.[1];
    const folder = join(home, name);
    if (pid === undefined || isAlive(Number(pid)) || sessionSockets(folder).length > 0) continue;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where sessions of a host that is gone may be found. */
export function sessionSockets(runFolder: string): string[] {
  return namesIn(runFolder).filter((name) => ADOPTION_SOCKET.test(name)).map((name) => join(runFolder, name));
}

/** The run folders of other hosts, living or not: where they are, and the name in `home`. */
export function otherRunFolders(home: string, own: string): { pid: number; folder: string; named: string }[] {
  return namesIn(home).flatMap((name) => {
    const named = join(home, name);
    const pid = Number(/^run-(\d+)$/.exec(name)?.[1] ?? 0);
    const folder = pid === 0 ? undefined : realPathOf(named);
    return folder === undefined || folder === realPathOf(own) ? [] : [{ pid, folder, named }];
  });
}

function realPathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code === 'string') return undefined;
    throw error;
  }
}

/** Whether a process with this pid lives. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
