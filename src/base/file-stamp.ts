// Tells one state of some files apart from another, without reading them.

import { statSync } from 'node:fs';
import { join } from 'node:path';

/** Times, sizes and identities of the files `names` of a folder. Those that are not there or closed count as such. */
export function fileStamp(folder: string, names: readonly string[]): string {
  return names.map((name) => `${name} ${stampOf(join(folder, name))}`).join('\n');
}

function stampOf(path: string): string {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? '' : `${stats.mtimeMs} ${stats.size} ${stats.ino}`;
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
    return 'unreadable';
  }
}
