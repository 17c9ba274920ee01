// The packages of a workspace that an app uses: links in its node_modules, or in one above it, to folders that somebody
// edits. Packages of a store (`node_modules/.pnpm`) are none. Bounded: so many packages, names, folders up.

import { lstat, readFile, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';

const PACKAGES_MAX = 16;
const NAMES_MAX = 500;
const FOLDERS_UP_MAX = 12;

/** Real paths of the packages that the app in `folder` uses, and that these use, in the order they are found. */
export async function linkedPackages(folder: string): Promise<string[]> {
  const found = new Set<string>();
  const own = await realpath(folder).catch(() => folder);
  const queue = [own];
  for (let user = queue.shift(); user !== undefined; user = queue.shift()) {
    for (const name of await dependenciesOf(user)) {
      const place = await linkOf(name, user);
      if (place === undefined || found.has(place) || isWithin(place, own) || isWithin(own, place)) continue;
      if (found.size === PACKAGES_MAX) return [...found];
      found.add(place);
      queue.push(place);
    }
  }
  return [...found];
}

function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep);
}

async function dependenciesOf(folder: string): Promise<string[]> {
  try {
    const content = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
    const names = Object.keys({ ...(content['dependencies'] as object), ...(content['devDependencies'] as object) });
    return names.filter((name) => /^(?:@[\w.~-]+\/)?[\w~-][\w.~-]*$/.test(name)).slice(0, NAMES_MAX);
  } catch {
    return []; // There is none, or it is being written.
  }
}

/** Where a link in the nearest node_modules that has the name leads; undefined for a package that was installed. */
async function linkOf(name: string, user: string): Promise<string | undefined> {
  let folder = user;
  for (let steps = 0; steps < FOLDERS_UP_MAX; steps++) {
    const path = join(folder, 'node_modules', name);
    try {
      if (!(await lstat(path)).isSymbolicLink()) return undefined;
      const place = await realpath(path);
      return place.split(sep).includes('node_modules') ? undefined : place;
    } catch {
      // Not here: node looks further up, too.
    }
    if (dirname(folder) === folder) return undefined;
    folder = dirname(folder);
  }
  return undefined;
}
