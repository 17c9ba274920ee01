// What the compiler leaves to do: bundles the debugger's page into dist/devtools, the preload and the drop-in
// module into dist/*.cjs, and the programs into few files. What takes long is skipped while its sources are the same.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { UI_MANIFEST } from '../src/debug/ui-files.ts';
import { buildDevtools } from './devtools-build.ts';
import { PROJECT_ROOT } from './project.ts';

/** Entries of src/client that are also published for require(): file in dist -> entry. */
const CLIENT_BUNDLES: Record<string, string> = {
  'register.cjs': 'src/client/register.ts',
  'client.cjs': 'src/client/client.ts',
  'inspector-thread.cjs': 'src/client/inspector-thread.ts',
};

/** Types for programs that are CommonJS, which may not import those of a module: file in dist -> text. */
const COMMONJS_TYPES: Record<string, string> = {
  'client.d.cts': `import type * as client from './src/client/client.js' with { 'resolution-mode': 'import' };
export type DropIn = client.DropIn;
export declare const http: typeof client.http;
export declare const https: typeof client.https;
export declare const isLocalRequest: typeof client.isLocalRequest;
export declare const slipstream: typeof client.slipstream;
`,
  'register.d.cts': 'export {};\n',
};

/** Entries of processes, below src. Each module file that a process loads costs it memory and time. */
const PROGRAMS = ['cli/main.ts', 'process/front-main.ts', 'process/session-main.ts'];
/** What is loaded later, or by several verbs: beside main.js, so that files are found relative to a folder of src. */
const CHUNK_NAMES = 'cli/part-[hash]';

/** Files and folders that decide what is in dist/devtools, besides packages. */
const DEVTOOLS_SOURCES = [
  'src/browser',
  'src/base/assert.ts',
  'src/wire/poll-messages.ts',
  'src/debug/ui-files.ts',
  'scripts/bundle.ts',
  'scripts/devtools-build.ts',
  'scripts/devtools-licences.ts',
  'scripts/devtools-patches.ts',
  'scripts/devtools-plugin.ts',
  'scripts/minify-css.ts',
];

const SOURCE = /\.(?:ts|js|html|css|svg|json)$/;

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesBelow(join(path, name)))
    .filter((file) => SOURCE.test(file) && !file.endsWith('.test.ts'));
}

/** A hash of the files, or of all files below the folders, and of the versions of the packages. */
export function contentDigest(root: string, paths: readonly string[], packages: readonly string[]): string {
  const hash = createHash('sha256');
  const require = createRequire(join(root, 'package.json'));
  for (const name of packages) {
    const { version } = require(`${name}/package.json`) as { version: string };
    hash.update(`${name}@${version}\n`);
  }
  for (const file of paths.flatMap((path) => filesBelow(join(root, path)))) {
    hash.update(`${file.slice(root.length)}\n`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Does `work` unless `products` exist and `stamp` holds `digest`. Returns whether it was done. */
async function unlessFresh(
  stamp: string,
  digest: string,
  products: readonly string[],
  work: () => Promise<void>,
): Promise<boolean> {
  const isFresh =
    products.every((path) => existsSync(path)) &&
    existsSync(stamp) &&
    readFileSync(stamp, 'utf8') === digest;
  if (isFresh) return false;
  await work();
  writeFileSync(stamp, digest);
  return true;
}

function writeIfChanged(path: string, text: string): void {
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}

async function bundleDevtools(root: string): Promise<void> {
  const output = join(root, 'dist', 'devtools');
  const digest = contentDigest(root, DEVTOOLS_SOURCES, ['chrome-devtools-frontend', 'esbuild']);
  const startedMs = performance.now();
  const isBuilt = await unlessFresh(
    join(root, 'dist', '.devtools-built'),
    digest,
    [join(output, UI_MANIFEST)],
    async () => writeIfChanged(join(root, 'THIRD-PARTY-NOTICES.md'), await buildDevtools({ root, output })),
  );
  if (isBuilt) console.log(`bundled DevTools in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}

async function bundleClient(root: string): Promise<void> {
  const entries = Object.entries(CLIENT_BUNDLES).map(([file, entry]) => ({
    in: join(root, entry),
    out: file.replace(/\.cjs$/, ''),
  }));
  const digest = contentDigest(root, ['src/client', 'src/base', 'src/wire', 'scripts/bundle.ts'], ['esbuild']);
  for (const [file, text] of Object.entries(COMMONJS_TYPES)) writeIfChanged(join(root, 'dist', file), text);
  const products = Object.keys(CLIENT_BUNDLES).map((file) => join(root, 'dist', file));
  await unlessFresh(join(root, 'dist', '.client-built'), digest, products, async () => {
    await build({
      absWorkingDir: root,
      entryPoints: entries,
      outdir: join(root, 'dist'),
      outExtension: { '.js': '.cjs' },
      bundle: true,
      format: 'cjs',
      platform: 'node',
      target: 'node20.19',
      packages: 'external',
      // A CommonJS file has no import.meta.
      banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
      define: { 'import.meta.url': 'importMetaUrl' },
      logLevel: 'warning',
    });
  });
}

/** Puts each program into few files, the first in the place of what the compiler made of its entry. */
async function bundlePrograms(root: string): Promise<void> {
  const output = join(root, 'dist', 'src');
  // One by one: what two of them shared, each would have to load whole.
  const results = await Promise.all(PROGRAMS.map((entry) =>
    build({
      absWorkingDir: root,
      entryPoints: [join(root, 'src', entry)],
      outdir: output,
      outbase: join(root, 'src'),
      chunkNames: CHUNK_NAMES,
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      packages: 'external',
      metafile: true,
      logLevel: 'warning',
    }),
  ));
  const outputs = results.flatMap(({ metafile }) => Object.keys(metafile.outputs));
  const made = new Set(outputs.map((path) => join(root, path)));
  for (const name of readdirSync(join(output, 'cli'))) {
    const path = join(output, 'cli', name);
    if (name.startsWith('part-') && !made.has(path)) rmSync(path);
  }
}

/** Bundles what is out of date in the checkout at `root`. Throws what esbuild or a patch complains of. */
export async function bundleAll(root: string): Promise<void> {
  await bundleClient(root);
  await bundlePrograms(root);
  await bundleDevtools(root);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await bundleAll(PROJECT_ROOT);
