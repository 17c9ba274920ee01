// The esbuild plugin that makes chrome-devtools-frontend, which is published as bare TypeScript, into something
// that can be bundled: style sheets and images as modules, addresses of workers, patches, and the few files
// that its own build would generate. What is neither found nor known to be dead fails the build.

import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import type { OnLoadResult, OnResolveResult, Plugin } from 'esbuild';
import { applyPatches, DEVTOOLS_PATCHES } from './devtools-patches.ts';
import { minifyCss } from './minify-css.ts';

const PACKAGE = 'chrome-devtools-frontend/front_end/';

/** Entries of worker threads, below front_end; each becomes a file of its own name in the output. */
export const DEVTOOLS_WORKERS: readonly string[] = [
  'entrypoints/heap_snapshot_worker/heap_snapshot_worker-entrypoint',
  'entrypoints/formatter_worker/formatter_worker-entrypoint',
  'entrypoints/wasmparser_worker/wasmparser_worker-entrypoint',
];

/** Logos and pictures of other people's products; ours is shown where one would be. */
const BRANDED = /^(?:devtools|devtools-thumbnail|google|gdp-logo-.*|gemini.*|chrome[A-Z].*|nodeIcon)$/;

/** What nothing that Node shows ever asks for. */
const DEAD_ASSETS = [
  'models/live-metrics/web-vitals-injected/web-vitals-injected.generated.js',
  'entrypoints/lighthouse_worker/lighthouse_worker.js',
  'panels/whats_new/resources/WNDT.md',
];

/** Old CodeMirror modes name the library in a branch for other module systems. */
const DEAD_IMPORT = /^third_party\/codemirror\/.*\/lib\/codemirror(?:\.js)?$/;

const LOCALES = `export const LOCALES = ['en-US'];
export const BUNDLED_LOCALES = ['en-US'];
export const DEFAULT_LOCALE = 'en-US';
export const REMOTE_FETCH_PATTERN = '';
export const LOCAL_FETCH_PATTERN = '';`;

const SKILL = "export const skill = { name: '', description: '', allowedTools: [], instructions: '' };";

export interface DevtoolsPlugin {
  plugin: Plugin;
  /** Throws an Error that names the patches whose file was not part of the bundle. */
  checkPatches(): void;
}

export interface DevtoolsPluginOptions {
  /** The folder front_end of the package. */
  frontend: string;
  /** Our logo, as the text of an SVG. */
  logo: string;
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

/** An SVG as a data URL, in the few escapes that CSS and HTML need. */
export function svgDataUrl(svg: string): string {
  const text = svg
    .replace(/<\?xml[^>]*>/, '')
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/>\s+</g, '><')
    .replace(/\s+/g, ' ')
    .trim()
    .replaceAll('"', "'");
  return `data:image/svg+xml,${text.replace(/[%#{}<>\\^`|?&+]/g, encodeURIComponent)}`;
}

/** The module that names every picture for the style sheets, and the source rewriting around addresses. */
class Assets {
  #options: DevtoolsPluginOptions;
  #workers: Set<string>;

  constructor(options: DevtoolsPluginOptions) {
    this.#options = options;
    this.#workers = new Set(DEVTOOLS_WORKERS.map((worker) => `${worker}.js`));
  }

  #imageUrl(name: string): string {
    if (BRANDED.test(name.replace(/\.[^.]+$/, ''))) return svgDataUrl(this.#options.logo);
    const path = join(this.#options.frontend, 'Images', 'src', name);
    if (!isFile(path)) throw new Error(`there is no picture ${name}`);
    return svgDataUrl(readFileSync(path, 'utf8'));
  }

  /** Only SVG: the few other pictures belong to panels that are left out. */
  imagesModule(): string {
    const names = readdirSync(join(this.#options.frontend, 'Images', 'src')).filter((name) => name.endsWith('.svg'));
    const rows = names.sort().map((name) => {
      const property = `--image-file-${name.replace(/\.svg$/, '')}`;
      return `set(${JSON.stringify(property)}, ${JSON.stringify(`url("${this.#imageUrl(name)}")`)});`;
    });
    return [
      'const sheet = new CSSStyleSheet();',
      "sheet.replaceSync(':root {}');",
      'const set = (name, url) => sheet.cssRules[0].style.setProperty(name, url);',
      ...rows,
      'document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];',
    ].join('\n');
  }

  /** All output lies in one folder, so what is addressed relative to a module moves beside it. */
  rewriteAddresses(file: string, source: string): string {
    const targetOf = (url: string): string => {
      const path = resolve(this.#options.frontend, dirname(file), url);
      return relative(this.#options.frontend, path).split(sep).join('/');
    };
    return source
      .replace(
        /new URL\(\s*'([^']+)',\s*import\.meta\.url\)(\.toString\(\))?/g,
        (match: string, url: string, asText: string | undefined) => {
          const target = targetOf(url);
          if (target.startsWith('Images/')) {
            const image = JSON.stringify(this.#imageUrl(basename(target)));
            return asText === undefined ? `new URL(${image})` : image;
          }
          if (this.#workers.has(target)) return `new URL('./${basename(target)}', import.meta.url)${asText ?? ''}`;
          if (DEAD_ASSETS.includes(target)) return match;
          throw new Error(`${file} asks for ${target}, which nobody knows`);
        },
      )
      .replace(/import\.meta\.resolve\(\s*'([^']+)'\s*\)/g, (_match, url: string) => {
        const target = targetOf(url);
        if (!this.#workers.has(target)) throw new Error(`${file} asks for ${target}, which is no worker`);
        return `new URL('./${basename(target)}', import.meta.url).toString()`;
      });
  }
}

/** Makes the plugin for one build. */
export function devtoolsPlugin(options: DevtoolsPluginOptions): DevtoolsPlugin {
  const { frontend } = options;
  const assets = new Assets(options);
  const patched = new Set<string>();
  const nameOf = (path: string): string => relative(frontend, path).split(sep).join('/');

  function locate(path: string, importer: string): OnResolveResult {
    const name = nameOf(path);
    if (name === 'Images/Images.js') return { path, namespace: 'devtools-images', sideEffects: true };
    if (name === 'core/i18n/locales.js') return { path, namespace: 'devtools-locales' };
    // Prompts for an assistant that this build does not have.
    if (name.endsWith('.skill.js')) return { path, namespace: 'devtools-skill' };
    if (isFile(path)) return { path };
    if (name.endsWith('.css.js') && isFile(path.slice(0, -3))) {
      return { path: path.slice(0, -3), namespace: 'devtools-css' };
    }
    if (name.endsWith('.js') && isFile(`${path.slice(0, -3)}.ts`)) return { path: `${path.slice(0, -3)}.ts` };
    if (DEAD_IMPORT.test(name)) return { path, namespace: 'devtools-dead' };
    return { errors: [{ text: `${nameOf(importer)} imports ${name}, which is not in the package` }] };
  }

  async function loadScript(path: string): Promise<OnLoadResult | undefined> {
    const name = nameOf(path);
    const isPatched = DEVTOOLS_PATCHES.some(({ file }) => file === name);
    if (name.startsWith('..') || (name.startsWith('third_party/') && !isPatched)) return undefined;
    let contents = applyPatches(name, await readFile(path, 'utf8'), DEVTOOLS_PATCHES);
    patched.add(name);
    if (contents.includes('import.meta')) contents = assets.rewriteAddresses(name, contents);
    return { contents, loader: 'ts' };
  }

  const plugin: Plugin = {
    name: 'devtools',
    setup(build) {
      build.onResolve({ filter: /^chrome-devtools-frontend\/front_end\// }, ({ path, importer }) =>
        locate(join(frontend, path.slice(PACKAGE.length)), importer),
      );
      build.onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir, importer }) =>
        nameOf(resolveDir).startsWith('..') ? undefined : locate(resolve(resolveDir, path), importer),
      );
      build.onLoad({ filter: /.*/, namespace: 'devtools-images' }, () => ({ contents: assets.imagesModule() }));
      build.onLoad({ filter: /.*/, namespace: 'devtools-locales' }, () => ({ contents: LOCALES }));
      build.onLoad({ filter: /.*/, namespace: 'devtools-skill' }, () => ({ contents: SKILL }));
      build.onLoad({ filter: /.*/, namespace: 'devtools-dead' }, () => ({ contents: 'export default undefined;' }));
      build.onLoad({ filter: /.*/, namespace: 'devtools-css' }, async ({ path }) => ({
        contents: `export default ${JSON.stringify(minifyCss(await readFile(path, 'utf8')))};`,
      }));
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => loadScript(path));
    },
  };
  return {
    plugin,
    checkPatches() {
      const unused = DEVTOOLS_PATCHES.filter(({ file }) => !patched.has(file)).map(({ file }) => file);
      if (unused.length > 0) throw new Error(`patched but not bundled: ${unused.join(', ')}`);
    },
  };
}
