// Node binaries of other versions, from the npm packages node-<platform>-<arch>, kept in .cache/nodes.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { PROJECT_ROOT } from './project.ts';

/** Majors that the package supports (package.json, engines). */
export const NODE_MAJORS: readonly number[] = [20, 22, 24];

/** Path of a Node binary of that major: the running one, a cached one, or one that npm installs now. */
export function nodeBinary(major: number): string {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const folder = join(PROJECT_ROOT, '.cache', 'nodes', String(major));
  const program = process.platform === 'win32' ? 'node.exe' : 'node';
  const binary = join(folder, 'node_modules', name, 'bin', program);
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const words = ['install', '--no-audit', '--no-fund', '--no-save', '--loglevel=error', `${name}@${major}`];
  const result = spawnSync('npm', words, {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (result.status !== 0 || !existsSync(binary)) {
    throw new Error(`npm cannot install ${name}@${major} into ${folder}`, { cause: result.error });
  }
  return binary;
}

/** An environment in which `node`, and therefore npm, is that binary. */
export function withNode(binary: string, environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return { ...environment, PATH: `${dirname(binary)}${delimiter}${environment['PATH'] ?? ''}` };
}
