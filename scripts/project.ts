// Where the checkout is: the scripts run from scripts/ as TypeScript and from dist/scripts/ compiled.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from '../src/base/assert.ts';

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package-lock.json'))) {
    const parent = dirname(folder);
    assert(parent !== folder, 'the scripts are inside a checkout');
    folder = parent;
  }
  return folder;
}

/** The folder of the checkout, absolute. */
export const PROJECT_ROOT = findRoot();
