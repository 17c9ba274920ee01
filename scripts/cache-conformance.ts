// Runs http-cache-tests (https://cache-tests.fyi) against the front in standard mode and writes
// docs/cache-conformance.md, beside the results that the project has published for others.
//   node dist/scripts/cache-conformance.js <folder of http-cache-tests> [--write]
// The folder is a checkout of the suite with its own packages installed; it is not part of this repository.

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { systemClock } from '../src/base/clock.ts';
import { FRONT_LIMITS } from '../src/base/limits.ts';
import { createLog } from '../src/base/log.ts';
import { defaultsOf } from '../src/base/setting.ts';
import { createFront } from '../src/http/http.ts';
import type { RouteCache } from '../src/wire/cache-messages.ts';
import { PROJECT_ROOT } from './project.ts';

const ORIGIN_PORT = 8391;
const CHUNK = 60;
/** What RFC 9111 allows and is off by default for safety is on. */
const ALLOWING: RouteCache = { mode: 'standard', guessesFreshness: true, keepsSetCookie: true };
const BY_DEFAULT: RouteCache = { mode: 'standard', guessesFreshness: false, keepsSetCookie: false };
const OTHERS = ['nginx', 'varnish', 'squid', 'trafficserver', 'apache', 'haproxy', 'caddy'];

/** Why a test fails, where that is meant. */
const REASONS: Readonly<Record<string, string>> = {
  'headers-store-Transfer-Encoding': 
    'the origin names a random word as the only coding, so the body would last until the connection closes (RFC 9112 ' +
    '6.3), which it keeps; the front takes no coding but `chunked`: 502, as published for nginx, squid and haproxy',
  'method-POST': 
    'the answer with `Content-Location` of its own URL goes on unchanged but is not kept, so the GET goes to the ' +
    'origin; RFC 9110 9.3.3 allows keeping, no cache above passes',
  'vary-normalise-lang-order': 'the order of languages counts: programs take the first of those with the same weight',
  'vary-normalise-lang-select': 
    '`en, de` and `fr;q=0.5, de;q=1.0` are two values of a field in `Vary` (RFC 9111 4.1), so the second goes to the ' +
    'origin; to guess from `Content-Language` what the app would choose is left to the app; no cache above passes',
  'conditional-lm-fresh-no-lm': 'its Date is compared (RFC 9111 4.3.2), and that is later than what is asked for',
  'partial-store-partial-complete': 'what is missing of a part is not asked for by itself; parts are not put together',
};
const PARTS_REASON = 'its Content-Range says 6 bytes (`4-9/10`) and its body has 5: what is not whole is not kept';

type Kind = 'required' | 'optimal' | 'check';
type Results = Record<string, true | [string, string] | undefined>;
interface Test {
  id: string;
  name: string;
  kind?: Kind;
  browser_only?: boolean;
}
interface Suite {
  id: string;
  name: string;
  tests: Test[];
}
interface Modules {
  suites: Suite[];
  runTests(suites: Suite[], fetch: false, origin: string, chunk: number): Promise<void>;
  /** The results by test: the suite refuses a second one for a test that is in it. */
  testResults: Results;
  determineTestResult(suites: Suite[], id: string, results: Results): string[];
}

/** The suite's own modules; it has no types. Loading its server starts it. */
async function load(folder: string): Promise<Modules> {
  const from = async <T>(path: string): Promise<T> => (await import(pathToFileURL(join(folder, path)).href)) as T;
  process.env['npm_config_protocol'] = 'http';
  process.env['npm_config_port'] = String(ORIGIN_PORT);
  process.env['npm_config_pidfile'] = join(mkdtempSync(join(tmpdir(), 'slip-conformance-')), 'pid');
  const { default: suites } = await from<{ default: Suite[] }>('tests/index.mjs');
  await from('test-engine/server/server.mjs');
  const runner = await from<Pick<Modules, 'runTests'>>('test-engine/client/runner.mjs');
  const tests = await from<Pick<Modules, 'testResults'>>('test-engine/client/test.mjs');
  const judge = await from<Pick<Modules, 'determineTestResult'>>('test-engine/lib/results.mjs');
  return { suites, runTests: runner.runTests, testResults: tests.testResults, ...judge };
}

/** The tests that a proxy can be given. */
function testsOf(suites: readonly Suite[]): Test[] {
  return suites.flatMap(({ tests }) => tests).filter(({ browser_only: isForBrowsers }) => isForBrowsers !== true);
}

function passed(modules: Modules, results: Results, kind: Kind): { passed: number; all: number; failed: Test[] } {
  const tests = testsOf(modules.suites).filter((test) => (test.kind ?? 'required') === kind);
  const failed = tests.filter(({ id }) => {
    if (!(id in results)) return true;
    return !['✅', 'Y'].includes(modules.determineTestResult(modules.suites, id, results)[2] ?? '');
  });
  return { passed: tests.length - failed.length, all: tests.length, failed };
}

function row(name: string, modules: Modules, results: Results): string {
  const [required, optimal] = [passed(modules, results, 'required'), passed(modules, results, 'optimal')];
  return `| ${name} | ${required.passed} of ${required.all} | ${optimal.passed} of ${optimal.all} |\n`;
}

function pageOf(modules: Modules, results: Results, byDefault: Results, folder: string): string {
  let text = '# Conformance of the output cache\n\n';
  text += 'Made by `scripts/cache-conformance.ts`: http-cache-tests against the front in standard mode, with\n';
  text += '`cacheHeuristics` and `cacheSetCookie` on, and with the default settings (both off). The others are the\n';
  text += 'results published with the suite.\n\n';
  text += '| cache | required | optimal |\n|---|---|---|\n';
  text += row('**Slipstream**', modules, results);
  text += row('**Slipstream**, default settings', modules, byDefault);
  for (const name of OTHERS) {
    const published = readResults(join(folder, 'results', `${name}.json`));
    if (published !== null) text += row(name, modules, published);
  }
  text += '\n## What fails\n\n| test | kind | why |\n|---|---|---|\n';
  for (const kind of ['required', 'optimal'] as const) {
    for (const { id } of passed(modules, results, kind).failed) {
      const result = results[id];
      const said = Array.isArray(result) ? result[1].replaceAll('|', '\\|') : 'a test that it depends on';
      const why = REASONS[id] ?? (id.startsWith('partial-store-partial-reuse') ? PARTS_REASON : said);
      text += `| \`${id}\` | ${kind} | ${why} |\n`;
    }
  }
  return text + onlyByDefault(modules, results, byDefault);
}

/** What fails with the default settings and passes with the others, in the suite's own words. */
function onlyByDefault(modules: Modules, results: Results, byDefault: Results): string {
  let text = '\n## What fails with the default settings alone\n\n';
  text += '| test | kind | what the suite says |\n|---|---|---|\n';
  for (const kind of ['required', 'optimal'] as const) {
    const others = new Set(passed(modules, results, kind).failed.map(({ id }) => id));
    for (const { id } of passed(modules, byDefault, kind).failed.filter((test) => !others.has(test.id))) {
      const result = byDefault[id];
      const said = Array.isArray(result) ? result[1].replaceAll('|', '\\|') : 'a test that it depends on';
      text += `| \`${id}\` | ${kind} | ${said} |\n`;
    }
  }
  return text;
}

function readResults(file: string): Results | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Results;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return null;
  }
}

/** Runs the suite against a front with the settings `cache`. */
async function resultsWith(cache: RouteCache, modules: Modules): Promise<Results> {
  const limits = defaultsOf(FRONT_LIMITS);
  const nothing = (): void => {};
  const front = createFront({
    limits,
    clock: systemClock,
    log: createLog({ json: false, write: nothing }),
    host: {
      activate: nothing, ready: nothing, unready: nothing, unlinked: nothing, drained: nothing,
      ask: () => Promise.resolve({ kind: 'pass' }),
    },
  });
  front.configure({
    limits,
    routes: [{ prefix: '/', group: 'origin', cache }],
    groups: [{ id: 'origin', name: 'origin', onDemand: false, backend: `http://127.0.0.1:${ORIGIN_PORT}` }],
    processes: [],
  });
  try {
    const { port } = await front.listen({ port: 0, host: '127.0.0.1' }, 'http://127.0.0.1:0');
    // A copy: the suite writes the dates of a run into its tests.
    await modules.runTests(structuredClone(modules.suites), false, `http://127.0.0.1:${port}`, CHUNK);
  } finally {
    front.close();
  }
  const results = { ...modules.testResults };
  for (const id of Object.keys(results)) delete modules.testResults[id];
  return results;
}

/** Runs the suite of `folder`, once for each of the two settings; returns the page. */
export async function runConformance(folder: string): Promise<string> {
  const modules = await load(folder);
  const byDefault = await resultsWith(BY_DEFAULT, modules);
  return pageOf(modules, await resultsWith(ALLOWING, modules), byDefault, folder);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = process.argv[2];
  if (folder === undefined) throw new Error('name the folder of http-cache-tests');
  const page = await runConformance(resolve(folder));
  if (process.argv.includes('--write')) writeFileSync(join(PROJECT_ROOT, 'docs', 'cache-conformance.md'), page);
  else process.stdout.write(page);
  // The suite's server has no other end.
  process.exit(0);
}
