// Folders of which the system tells only the changes made at this machine: those on network file systems, and on others
// that a program serves (FUSE). Whoever wants to know what others change there has to look again and again.

import { statfsSync } from 'node:fs';

/** Numbers of statfs(2) on Linux. */
const NETWORK_TYPES: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0x517b, 0xff534d42, 0xfe534d42, // SMB
  0x01021997, // 9P
  0x65735546, // FUSE: sshfs, virtiofs and others
  0x00c36400, // Ceph
  0x5346414f, 0x6b414653, // AFS
  0x786f4256, // shared folders of VirtualBox
]);

/** True where changes made elsewhere are not told. A folder that cannot be looked at is none. */
export function isNetworkFolder(
  folder: string,
  { platform = process.platform, statfs = statfsSync as (path: string) => { type: number } } = {},
): boolean {
  if (platform === 'win32') return folder.startsWith('\\\\');
  if (platform !== 'linux') return false;
  try {
    return NETWORK_TYPES.has(statfs(folder).type);
  } catch {
    return false; // Who watches it says why.
  }
}
