// The version of the installed package.

import { readFileSync } from 'node:fs';

/** This file is <package>/dist/src/process/package-version.js. */
const PACKAGE_FILE = new URL('../../../package.json', import.meta.url);

/** The version of this package. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(PACKAGE_FILE, 'utf8')) as { version: string }).version;
}
