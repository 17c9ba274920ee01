// Builds the debugger's page into dist/devtools: DevTools from chrome-devtools-frontend bundled with our
// entry, everything in one flat folder, compressed copies beside the files, and a manifest of what may be
// served. The folder is replaced as a whole: a build that fails leaves the last one.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { build } from 'esbuild';
import type { BuildOptions, Metafile } from 'esbuild';
import { UI_MANIFEST } from '../src/debug/ui-files.ts';
import type { UiFile } from '../src/debug/ui-files.ts';
import { thirdPartyNotices } from './devtools-licences.ts';
import { DEVTOOLS_WORKERS, devtoolsPlugin } from './devtools-plugin.ts';
import { minifyCss } from './minify-css.ts';

export interface DevtoolsBuildOptions {
  /** The folder of the checkout, with node_modules. */
  root: string;
  /** The folder to make. */
  output: string;
  /** 0 to 11; default 11. */
  brotliQuality?: number;
  /** Smaller names and texts; default true. False is for reading the bundle. */
  minify?: boolean;
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** esbuild ends the names of chunks with a hash of eight capitals and digits. */
const HASHED = /-[A-Z0-9]{8}\.js$/;

/** Files that are copied from src/browser as they are. */
const PAGE_FILES = ['index.html', 'favicon.svg'];

const STYLE_SHEETS = ['application_tokens.css', 'design_system_tokens.css'];

/** Where DevTools keeps settings, replaced by ours: they go to the server (src/browser/setting-storage.ts). */
const STORAGE_NAME = 'slipstreamStorage';
const STORAGE_DEFINE = Object.fromEntries(
  ['localStorage', 'window.localStorage', 'globalThis.localStorage', 'self.localStorage'].map((name) => [
    name,
    STORAGE_NAME,
  ]),
);

const gzipAsync = promisify(gzip);
const brotliAsync = promisify(brotliCompress);

async function bundle(options: DevtoolsBuildOptions, output: string): Promise<Metafile> {
  // esbuild names files by their real paths.
  const frontend = realpathSync(join(options.root, 'node_modules', 'chrome-devtools-frontend', 'front_end'));
  const browser = join(options.root, 'src', 'browser');
  const { plugin, checkPatches } = devtoolsPlugin({
    frontend,
    logo: readFileSync(join(browser, 'favicon.svg'), 'utf8'),
  });
  const shared: BuildOptions = {
    absWorkingDir: options.root,
    bundle: true,
    outdir: output,
    target: 'es2022',
    minify: options.minify ?? true,
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'warning',
  };
  // A classic script, because it must have run before the first module.
  await build({ ...shared, format: 'iife', entryPoints: [join(browser, 'devtools-start.ts')] });
  const workers = DEVTOOLS_WORKERS.map((worker) => [basename(worker), join(frontend, `${worker}.ts`)]);
  const modules = {
    ...shared,
    format: 'esm',
    entryNames: '[name]',
    define: STORAGE_DEFINE,
    plugins: [plugin],
    // DevTools is written with decorators of the old kind.
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: true } },
    metafile: true,
  } as const satisfies BuildOptions;
  const { metafile } = await build({
    ...modules,
    splitting: true,
    entryPoints: { 'devtools-app': join(browser, 'devtools-app.ts') },
    chunkNames: '[name]-[hash]',
  });
  // A classic script each: in its sandbox the page starts a worker from a text, which can import nothing.
  const { metafile: ofWorkers } = await build({
    ...modules,
    format: 'iife',
    entryPoints: Object.fromEntries(workers),
    logOverride: { 'empty-import-meta': 'silent' },
  });
  checkPatches();
  for (const name of STYLE_SHEETS) {
    await writeFile(join(output, name), minifyCss(await readFile(join(frontend, name), 'utf8')));
  }
  for (const name of PAGE_FILES) await writeFile(join(output, name), await readFile(join(browser, name)));
  return {
    inputs: { ...ofWorkers.inputs, ...metafile.inputs },
    outputs: { ...ofWorkers.outputs, ...metafile.outputs },
  };
}

/** Writes the compressed copies of one file and describes it. */
async function finish(folder: string, name: string, quality: number): Promise<UiFile> {
  const path = join(folder, name);
  const data = await readFile(path);
  const type = TYPES[extname(name)];
  if (type === undefined) throw new Error(`${name} has no known content type`);
  const [zipped, brotli] = await Promise.all([
    gzipAsync(data, { level: 9 }),
    brotliAsync(data, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: quality,
        [constants.BROTLI_PARAM_SIZE_HINT]: data.length,
      },
    }),
  ]);
  await Promise.all([writeFile(`${path}.gz`, zipped), writeFile(`${path}.br`, brotli)]);
  return {
    type,
    bytes: data.length,
    hash: createHash('sha256').update(data).digest('base64url'),
    immutable: HASHED.test(name),
    encodings: ['br', 'gzip'],
  };
}

/** Builds the page. Returns the text of THIRD-PARTY-NOTICES.md. Throws what esbuild or a patch complains of. */
export async function buildDevtools(options: DevtoolsBuildOptions): Promise<string> {
  const fresh = `${options.output}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  const metafile = await bundle(options, fresh);
  const names = (await readdir(fresh)).sort();
  // All at once: zlib's own threads take them in turn. The largest first, or one thread ends long after the rest.
  const sizes = new Map(names.map((name) => [name, statSync(join(fresh, name)).size]));
  const bySize = [...names].sort((left, right) => sizes.get(right)! - sizes.get(left)!);
  const rows = new Map(
    await Promise.all(
      bySize.map(async (name) => [name, await finish(fresh, name, options.brotliQuality ?? 11)] as const),
    ),
  );
  const manifest = Object.fromEntries(names.map((name) => [name, rows.get(name)]));
  await writeFile(join(fresh, UI_MANIFEST), `${JSON.stringify(manifest, null, 1)}\n`);
  if (existsSync(options.output)) await rm(options.output, { recursive: true });
  await rename(fresh, options.output);
  return thirdPartyNotices(join(options.root, 'node_modules', 'chrome-devtools-frontend'), metafile);
}
