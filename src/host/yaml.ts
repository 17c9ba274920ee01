// The YAML parser, loaded when the first file is read: it costs 10 MB, and most hosts have no file.

import { createRequire } from 'node:module';

let loaded: typeof import('yaml') | undefined;

/** The package `yaml`. */
export function yaml(): typeof import('yaml') {
  return (loaded ??= createRequire(import.meta.url)('yaml') as typeof import('yaml'));
}
