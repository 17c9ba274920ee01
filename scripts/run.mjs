// The one script behind `npm start|test|build|check|bench`. Plain JavaScript without dependencies, because
// it is what installs them: it makes a fresh clone ready, then hands over to the compiled code.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync, mkdirSync, readdirSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const [verb = 'build', ...words] = process.argv.slice(2);
/** npm takes the first `--` away, other runners pass it on. */
const rest = words[0] === '--' ? words.slice(1) : words;

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', ...options });
  if (result.error) throw result.error;
  return result.status ?? 1;
}

function must(command, args, options) {
  const status = run(command, args, options);
  if (status !== 0) process.exit(status);
}

/** True when `stamp` was written for the same content of `files`. */
function isFresh(stamp, digest) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
}

function install() {
  const digest = createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json'))).digest('hex');
  const stamp = join(ROOT, 'node_modules', '.slipstream-installed');
  if (isFresh(stamp, digest)) return;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  must(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { shell: process.platform === 'win32' });
  writeFileSync(stamp, digest);
}

function newestMs(folder, matches) {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) newest = Math.max(newest, newestMs(path, matches));
    else if (matches.test(entry.name)) newest = Math.max(newest, statSync(path).mtimeMs);
  }
  return newest;
}

/** Compiles when a source is newer than the last build. */
function build() {
  const stamp = join(ROOT, 'dist', '.built');
  const newest = Math.max(
    statSync(join(ROOT, 'package-lock.json')).mtimeMs,
    statSync(join(ROOT, 'tsconfig.json')).mtimeMs,
    ...['src', 'test', 'bench', 'scripts'].map((name) => newestMs(join(ROOT, name), /\.(?:ts|mjs|html|css|js)$/)),
  );
  if (existsSync(stamp) && statSync(stamp).mtimeMs > newest) return;
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  must(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json']);
  must(process.execPath, ['dist/scripts/bundle.js']);
  writeFileSync(stamp, '');
}

/** The words for `serve`: the samples are served unless a folder is named. */
function withRoot(words) {
  const takesValue = (word) => word === '--listen' || word === '--config';
  const hasRoot = words.some((word, index) => !word.startsWith('-') && !takesValue(words[index - 1]));
  return hasRoot ? words : ['samples', ...words];
}

function node(args) {
  return run(process.execPath, args);
}

/** Stays until the host has stopped. A terminal signals both; who signals only this process means the host. */
function serve(args) {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    throw error;
  });
  child.on('exit', (code) => process.exit(code ?? 1));
}

install();
switch (verb) {
  case 'setup':
  case 'build':
    build();
    break;
  case 'start':
    build();
    serve(['dist/src/cli/main.js', 'serve', ...withRoot(rest)]);
    break;
  case 'check':
    build();
    process.exit(node(['dist/scripts/check.js', ...rest]));
    break;
  case 'test':
    build();
    process.exit(node(['dist/scripts/test.js', ...rest]));
    break;
  case 'test-all':
    build();
    process.exit(node(['dist/scripts/test-all.js', ...rest]));
    break;
  case 'run':
    // A longer run that is no test: fuzz, chaos, conformance; a file below dist.
    build();
    process.exit(node([join('dist', rest[0] ?? ''), ...rest.slice(1)]));
    break;
  case 'bench':
    build();
    process.exit(node(['dist/bench/bench.js', ...rest]));
    break;
  default:
    console.error(`run.mjs: unknown verb "${verb}"`);
    process.exit(2);
}
