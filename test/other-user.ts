// Tests with a second user of the machine: where they can run.

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** True when every user may reach this checkout: their processes load the preload from it. */
function isOpenToOthers(): boolean {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** For `skip`: why no process of another user can run here, or false. */
export function whyNoOtherUser(): string | false {
  if (process.getuid?.() !== 0) return 'only root can start processes of other users';
  return isOpenToOthers() ? false : 'this checkout lies in a folder that other users may not enter';
}
