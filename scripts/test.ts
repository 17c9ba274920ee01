// npm test: checks, then unit tests two files at a time, then test/NN-… in order, one at a time.
//   npm test [-- <part of a path>… | --no-check | --no-browser]
// A part of a path runs the files that contain it, without the checks. Fails too when a process that a test
// started lives on. Tests that drive a browser need Chromium or Firefox: without it they fail where CI is
// set, and are left out with a message elsewhere.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCheck } from './check.ts';
import { findChromium, findFirefox } from './browsers.ts';
import { killProcess, processesMarked } from './process-list.ts';
import { PROJECT_ROOT } from './project.ts';

/** Longest time of one test file; a file that hangs fails instead of holding everything up. */
const FILE_TIMEOUT_MS = 240_000;
const LEFT_TIMEOUT_MS = 2000;
const COUNTS = ['tests', 'pass', 'fail', 'cancelled', 'skipped', 'todo'] as const;

type Counts = Record<(typeof COUNTS)[number], number>;

const BUILT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Compiled test files whose source still exists. */
function testFiles(): string[] {
  const files: string[] = [];
  for (const folder of ['src', 'scripts', 'bench', 'test']) {
    if (!existsSync(join(BUILT, folder))) continue;
    for (const name of readdirSync(join(BUILT, folder), { recursive: true }) as string[]) {
      const source = join(PROJECT_ROOT, folder, name.replace(/\.js$/, '.ts'));
      if (/\.test\.[jt]s$/.test(name) && existsSync(source)) files.push(join(BUILT, folder, name));
    }
  }
  return files.sort();
}

/** Runs node's test runner on `files` and adds up what it counted. */
async function runFiles(
  files: readonly string[],
  options: { concurrency: number; env: NodeJS.ProcessEnv; counts: Counts },
): Promise<boolean> {
  if (files.length === 0) return true;
  const args = [
    '--enable-source-maps',
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${options.concurrency}`,
    `--test-timeout=${FILE_TIMEOUT_MS}`,
    ...files,
  ];
  const child = spawn(process.execPath, args, {
    cwd: PROJECT_ROOT,
    env: options.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    process.stdout.write(chunk);
    text = (text + chunk).slice(-2_000_000);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  for (const name of COUNTS) {
    const found = [...text.matchAll(new RegExp(`^\\S*[ℹ#] ${name} (\\d+)`, 'gm'))].at(-1)?.[1];
    options.counts[name] += Number(found ?? 0);
  }
  return code === 0;
}

/** Ends what the tests left behind and names it. */
async function leftovers(mark: string): Promise<string[]> {
  const endMs = performance.now() + LEFT_TIMEOUT_MS;
  let left = processesMarked(mark);
  while (left.length > 0 && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    left = processesMarked(mark);
  }
  for (const { pid } of left) killProcess(pid);
  return left.map(({ pid, command }) => `${pid} ${command}`);
}

/** A browser, the variable that names one, and what the tests that drive it import. */
interface TestBrowser {
  name: string;
  variable: string;
  path: string | undefined;
  pattern: RegExp;
}

function testBrowsers(isWanted: boolean): TestBrowser[] {
  const chromium = isWanted ? findChromium() : undefined;
  const firefox = isWanted ? findFirefox() : undefined;
  return [
    { name: 'Chromium', variable: 'CHROMIUM', path: chromium, pattern: /\bplaywright-core\b|\bdevtools-page\b/ },
    { name: 'Firefox', variable: 'FIREFOX', path: firefox, pattern: /\bfirefox-browser\b/ },
  ];
}

/** Leaves tests out whose browser is not there; undefined when that is a failure. */
function runnable(files: readonly string[], { name, variable, path, pattern }: TestBrowser): string[] | undefined {
  if (path !== undefined) return [...files];
  const isBrowserTest = (file: string): boolean => pattern.test(readFileSync(file, 'utf8'));
  const without = files.filter((file) => !isBrowserTest(file));
  if (without.length === files.length) return without;
  const hint = `install ${name} or set ${variable} to its path`;
  if (process.env['CI'] !== undefined && process.env['CI'] !== 'false') {
    console.error(`test: no ${name} for the tests in a browser: ${hint}`);
    return undefined;
  }
  const names = files.filter(isBrowserTest).map((file) => basename(file, '.test.js'));
  console.error(`test: LEFT OUT, since no ${name} was found: ${names.join(', ')}; ${hint}`);
  return without;
}

function isEndToEnd(file: string): boolean {
  return relative(BUILT, file).split(sep)[0] === 'test';
}

async function main(words: readonly string[]): Promise<number> {
  const startMs = performance.now();
  const filters = words.filter((word) => !word.startsWith('--'));
  const isChecked = filters.length === 0 && !words.includes('--no-check');
  if (isChecked && runCheck([]) !== 0) return 1;
  const browsers = testBrowsers(!words.includes('--no-browser'));
  const all = testFiles();
  const wanted = filters.length === 0
    ? all
    : all.filter((file) => filters.some((part) => relative(BUILT, file).includes(part)));
  const files = browsers.reduce<string[] | undefined>((left, browser) => left && runnable(left, browser), wanted);
  if (files === undefined) return 1;
  if (files.length === 0) {
    console.error(`test: no test file among ${all.length} matches ${filters.join(', ')}`);
    return 1;
  }
  const id = randomUUID();
  const env: NodeJS.ProcessEnv = { ...process.env, SLIPSTREAM_TEST_RUN: id };
  for (const { variable, path } of browsers) if (path !== undefined) env[variable] = path;
  delete env['NODE_TEST_CONTEXT'];
  const counts: Counts = { tests: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
  const units = files.filter((file) => !isEndToEnd(file));
  const endToEnd = files.filter(isEndToEnd);
  const isUnitsPassed = await runFiles(units, { concurrency: 2, env, counts });
  const isEndToEndPassed = await runFiles(endToEnd, { concurrency: 1, env, counts });
  const left = await leftovers(`SLIPSTREAM_TEST_RUN=${id}`);
  for (const entry of left) console.error(`test: a process was left: ${entry}`);
  const isPassed = isUnitsPassed && isEndToEndPassed && left.length === 0;
  const summary = COUNTS.map((name) => `${name} ${counts[name]}`).join(', ');
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const verdict = isPassed ? 'passed' : 'FAILED';
  console.log(`npm test: ${verdict}: ${summary}; ${seconds} s on Node ${process.version}`);
  return isPassed ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
