// npm run test:all: the tests on every supported Node, one after the other; the checks once.
//   npm run test:all [-- words for scripts/test.ts]

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { NODE_MAJORS, nodeBinary, withNode } from './node-binary.ts';
import { PROJECT_ROOT } from './project.ts';

interface Row {
  major: number;
  version: string;
  result: string;
  seconds: number;
}

const testScript = fileURLToPath(new URL('./test.js', import.meta.url));

function runOn(major: number, words: readonly string[]): Row {
  const startMs = performance.now();
  const binary = nodeBinary(major);
  const version = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(`\n== Node ${version}`);
  const run = spawnSync(binary, [testScript, ...words], {
    cwd: PROJECT_ROOT,
    env: withNode(binary),
    stdio: 'inherit',
  });
  const result = run.status === 0 ? 'passed' : `FAILED (${run.signal ?? run.status})`;
  return { major, version, result, seconds: Math.round((performance.now() - startMs) / 1000) };
}

const words = process.argv.slice(2);
const rows: Row[] = [];
for (const [index, major] of NODE_MAJORS.entries()) {
  rows.push(runOn(major, index === 0 ? words : [...words, '--no-check']));
}
console.log('\n| Node | tests | seconds |\n|---|---|---|');
for (const row of rows) console.log(`| ${row.version} | ${row.result} | ${row.seconds} |`);
process.exitCode = rows.every((row) => row.result === 'passed') ? 0 : 1;
