// Measures the drop-in by node's own tests, which are not part of this checkout: runs test/parallel/test-http-*
// of a node source tree with plain node, and again as processes that join a real host. Prints what differs, and
// fails when a test that plain node passes fails there and docs/compatibility.md does not name it.
//   node dist/scripts/node-http-tests.js <node source>/test [part of a name…] [--node PATH] [--jobs N] [--json FILE]

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PROJECT_ROOT } from './project.ts';

const TEST_TIMEOUT_MS = 20_000;
const HOST_TIMEOUT_MS = 20_000;
const OUTPUT_CHARACTERS_MAX = 20_000;

const BUILT = new URL('../', import.meta.url);

/** What became of one run of a test. */
export interface Outcome {
  isPassed: boolean;
  /** Why not, in a few words; the output says more. */
  reason: string;
  output: string;
}

export interface Compared {
  name: string;
  plain: Outcome;
  joined: Outcome;
}

interface RunOptions {
  folder: string;
  node: string;
  /** Flags and environment that make the test join; none for plain node. */
  flags: readonly string[];
  env: NodeJS.ProcessEnv;
}

/** The flags that a test asks for in its `// Flags:` line. */
export function flagsOf(source: string): string[] {
  const line = /^\/\/ Flags: (.*)$/m.exec(source)?.[1] ?? '';
  return line.split(/\s+/).filter((flag) => flag !== '');
}

async function runTest(name: string, options: RunOptions): Promise<Outcome> {
  const { folder, node, flags, env } = options;
  const file = join(folder, 'parallel', name);
  const words = [...flagsOf(readFileSync(file, 'utf8')), ...flags, file];
  const child = spawn(node, words, { cwd: folder, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARACTERS_MAX);
    });
  }
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killGroup(child.pid);
  }, TEST_TIMEOUT_MS);
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  // What it started and left behind.
  killGroup(child.pid);
  const reason = isLate ? `not over in ${TEST_TIMEOUT_MS} ms` : signal === null ? `exit code ${code}` : signal;
  return { isPassed: code === 0, reason: code === 0 ? '' : reason, output };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // Everything has ended, which is what is wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A host of its own, which serves nothing by itself. */
async function startHost(place: string): Promise<{ home: string; stop(): Promise<void> }> {
  const home = join(place, 'home');
  const root = join(place, 'root');
  mkdirSync(root);
  const main = fileURLToPath(new URL('src/cli/main.js', BUILT));
  const env = { ...process.env, SLIPSTREAM_HOME: home };
  // Some tests of http have an https server beside it, which joins, too.
  execFileSync(process.execPath, [main, 'tls', 'dev'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const words = [main, 'serve', root, '--listen', 'http://127.0.0.1:0'];
  const child = spawn(process.execPath, words, {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  await new Promise<void>((resolved, rejected) => {
    const timer = setTimeout(() => rejected(new Error('the host is not ready')), HOST_TIMEOUT_MS);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text = (text + piece).slice(-OUTPUT_CHARACTERS_MAX);
      if (!text.includes('slipstream ready')) return;
      clearTimeout(timer);
      resolved();
    });
    void exited.then(() => rejected(new Error(`the host ended: ${text}`)));
  });
  return {
    home,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Runs `work` on every name, `jobs` at a time. */
async function inParallel<Result>(
  names: readonly string[],
  jobs: number,
  work: (name: string, job: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const worker = async (job: number): Promise<void> => {
    while (next < names.length) {
      const index = next++;
      results[index] = await work(names[index]!, job);
    }
  };
  await Promise.all(Array.from({ length: jobs }, (_, job) => worker(job)));
  return results;
}

/** Names of tests that the page names as known to differ. */
export function knownDifferences(page: string): Set<string> {
  return new Set([...page.matchAll(/`(test-http-[\w.-]+?)(?:\.js)?`/g)].map((match) => `${match[1]}.js`));
}

/** Prints the difference; returns the exit code. */
export function reportDifference(results: readonly Compared[], known: ReadonlySet<string>): number {
  const plain = results.filter((result) => result.plain.isPassed);
  const both = plain.filter((result) => result.joined.isPassed);
  const worse = plain.filter((result) => !result.joined.isPassed);
  const unnamed = worse.filter((result) => !known.has(result.name));
  for (const { name, joined } of worse) {
    const line = /^\S*(?:Assertion)?Error.*$/m.exec(joined.output)?.[0] ?? '';
    const mark = known.has(name) ? 'named' : 'NOT NAMED';
    console.log(`${mark}  ${name}: ${joined.reason} ${line.slice(0, 160)}`);
  }
  console.log(`${results.length} tests; plain node passes ${plain.length}, of these ${both.length} pass joined too`);
  if (unnamed.length > 0) console.log(`${unnamed.length} differences are not named in docs/compatibility.md`);
  return unnamed.length === 0 ? 0 : 1;
}

function readWords(words: string[]) {
  const options = { node: { type: 'string' }, jobs: { type: 'string' }, json: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args: words, allowPositionals: true, options });
  const [folder, ...parts] = positionals;
  if (folder === undefined || !existsSync(join(folder, 'parallel')) || !existsSync(join(folder, 'common'))) {
    throw new Error('name the test folder of a node source tree: it holds common, fixtures and parallel');
  }
  return { ...values, folder: resolve(folder), parts };
}

/** The whole of it; returns the exit code. */
async function main(words: string[]): Promise<number> {
  const { folder, parts, node = process.execPath, jobs = '2', json } = readWords(words);
  const all = readdirSync(join(folder, 'parallel')).filter((name) => /^test-http-.*\.js$/.test(name)).sort();
  const names = parts.length === 0 ? all : all.filter((name) => parts.some((part) => name.includes(part)));
  const place = mkdtempSync(join(tmpdir(), 'slipstream-node-tests-'));
  try {
    const host = await startHost(place);
    const env = { ...process.env, NODE_TEST_DIR: place, SLIPSTREAM_JOIN: 'off' };
    const preload = fileURLToPath(new URL('register.cjs', BUILT));
    try {
      const results = await inParallel(names, Number(jobs), async (name, job): Promise<Compared> => {
        const own = { ...env, TEST_THREAD_ID: String(job) };
        const plain = await runTest(name, { folder, node, flags: [], env: own });
        const joinedEnv = { ...own, SLIPSTREAM_JOIN: 'auto', SLIPSTREAM_HOME: host.home };
        const flags = ['--require', preload];
        // What plain node fails cannot get worse.
        const joined = plain.isPassed ? await runTest(name, { folder, node, flags, env: joinedEnv }) : plain;
        return { name, plain, joined };
      });
      if (json !== undefined) writeFileSync(json, JSON.stringify(results, null, 1));
      const page = readFileSync(join(PROJECT_ROOT, 'docs', 'compatibility.md'), 'utf8');
      return reportDifference(results, knownDifferences(page));
    } finally {
      await host.stop();
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2));
}
