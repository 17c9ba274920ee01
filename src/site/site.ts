// The door of this room: what a folder with a web.config answers. Rules first, then scripts, then files. It
// answers with files and redirects itself; for everything else it tells the front what to do (SiteVerdict).

import { constants, realpathSync, statSync } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { assert } from '../base/assert.ts';
import { fileStamp } from '../base/file-stamp.ts';
import { escapeHtml } from '../base/html.ts';
import type { ErrorCode } from '../base/host-error.ts';
import { offlineFailure, offlinePage } from '../wire/offline-page.ts';
import type { Site, SiteVerdict } from '../wire/site-messages.ts';
import { MEDIA_TYPES } from './media-types.ts';
import { decoded, rewrite, type RewriteInput, type RewriteOutcome } from './rewrite.ts';
import { fileNames, pathBelow, segmentsOf } from './site-path.ts';
import { sendFile } from './static-file.ts';
import { variablesOf } from './server-variables.ts';

export interface SitesOptions {
  /** Whether a person at this machine asks. */
  isLocal(request: IncomingMessage): boolean;
  /** Files of a site are others than the site was made of; resolves when it was made anew, or soon. */
  stale(): Promise<void>;
}

/** How often files are compared with what a site was made of. */
const STALE_CHECK_MS = 100;
const FILE_METHODS = ['GET', 'HEAD'];

/** What became of a request. */
type Result =
  | SiteVerdict
  | { kind: 'redirect'; status: number; location: string }
  | { kind: 'respond'; status: number; reason: string; text: string }
  | { kind: 'file'; file: string; mediaType: string; status: number; site: Site }
  | { kind: 'allow'; methods: string[] };

/** All sites of the host. */
export class Sites {
  readonly #options: SitesOptions;
  /** The longest path first. */
  #sites: Site[] = [];
  /** When the files of a site were looked at last. */
  #checkedAtMs = new Map<string, number>();

  constructor(options: SitesOptions) {
    this.#options = options;
  }

  /** Replaces all of them. */
  replace(sites: readonly Site[]): void {
    this.#sites = sites.toSorted((left, right) => right.path.length - left.path.length);
    this.#checkedAtMs.clear();
  }

  /** Answers a request. The verdict is for the front; undefined: the answer is given. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<SiteVerdict | undefined> {
    let result = await this.#decide(request, true);
    if (result === 'stale') {
      await this.#options.stale();
      result = await this.#decide(request, false);
    }
    if (result === 'stale') result = refusal(404, 'ROUTE_NOT_FOUND', 'Nothing is at this URL.');
    return answer(result, request, response);
  }

  async #decide(request: IncomingMessage, mayBeStale: boolean): Promise<Result | 'stale'> {
    const [path = '/', ...rest] = (request.url ?? '/').split('?');
    const segments = segmentsOf(path);
    const nothing = refusal(404, 'ROUTE_NOT_FOUND', 'Nothing is at this URL.');
    if (segments === null) return refusal(400, 'REQUEST_INVALID', 'The path cannot be decoded.');
    for (const site of this.#sites) {
      const below = pathBelow(segments, site);
      if (below === null) continue;
      if (mayBeStale && this.#isStale(site)) return 'stale';
      if (site.problem !== undefined) return problemAnswer(site.problem, this.#options.isLocal(request));
      // As on IIS it is the answer for files, too; the apps answer with it themselves.
      const page = offlinePage(site.folder);
      if (page !== undefined) return { kind: 'refuse', failure: offlineFailure(page, site.path) };
      const query = rest.length === 0 ? '' : `?${rest.join('?')}`;
      return new Visit(site, request, query).decide(below);
    }
    return nothing;
  }

  /** Its files are others now. Looked at only so often. */
  #isStale(site: Site): boolean {
    const now = performance.now();
    if (now - (this.#checkedAtMs.get(site.path) ?? -Infinity) < STALE_CHECK_MS) return false;
    this.#checkedAtMs.set(site.path, now);
    return fileStamp(site.folder, site.watched) !== site.stamp;
  }
}

function ifThere<Value>(look: () => Value): Value | undefined {
  try {
    return look();
  } catch (error) {
    // No right to look, a loop of links, a file where a folder should be: nothing to serve.
    if (typeof (error as NodeJS.ErrnoException).code === 'string') return undefined;
    throw error;
  }
}

/** One request to a site. */
class Visit {
  readonly #site: Site;
  readonly #request: IncomingMessage;
  readonly #query: string;

  constructor(site: Site, request: IncomingMessage, query: string) {
    this.#site = site;
    this.#request = request;
    this.#query = query;
  }

  async decide({ path, isBare }: { path: string; isBare: boolean }): Promise<Result | 'stale'> {
    const outcome = this.#rewritten(path);
    if (outcome.kind === 'redirect') return outcome;
    if (outcome.kind === 'abort') return { kind: 'abort' };
    if (outcome.kind === 'respond') {
      const { status, reason, description } = outcome;
      return { kind: 'respond', status, reason, text: description === '' ? reason : description };
    }
    if (outcome.kind === 'foreign') {
      const message = `The rule "${outcome.rule}" leads to another server; use a backend for that.`;
      return refusal(502, 'UPSTREAM_NONE', message);
    }
    if (outcome.path.startsWith('/')) {
      return { kind: 'hand-over', path: outcome.path, isScript: false, fields: this.#fields(outcome) };
    }
    return (await this.#found(decoded(outcome.path), outcome, isBare))
      ?? this.#failed(404, 'ROUTE_NOT_FOUND', 'Nothing is at this URL.');
  }

  #rewritten(path: string): RewriteOutcome {
    const site = this.#site;
    const { folder, rewriteMaps, path: sitePath } = site;
    const below = (file: string): string | undefined =>
      `${file}${sep}`.startsWith(folder + sep) && !file.split(/[\\/]/).includes('..') ? file : undefined;
    const look = (file: string): ReturnType<typeof statSync> | undefined => {
      const inside = below(file);
      return inside === undefined ? undefined : ifThere(() => statSync(inside, { throwIfNoEntry: false }));
    };
    const input: RewriteInput = {
      sitePath,
      path,
      query: this.#query,
      rewriteMaps,
      variables: variablesOf(this.#request, folder),
      disk: {
        pathOf: (name) => join(folder, '/', name.replaceAll('\0', '')),
        isFile: (file) => look(file)?.isFile() === true,
        isFolder: (file) => look(file)?.isDirectory() === true,
      },
    };
    return rewrite(site.rules, input);
  }

  /** What the app gets besides its own fields: the URL before the rules, as IIS tells it. */
  #fields({ isRewritten, fields }: { isRewritten: boolean; fields: string[] }): string[] {
    return isRewritten ? ['X-Original-URL', this.#request.url ?? '/', ...fields] : fields;
  }

  async #found(
    path: string,
    outcome: RewriteOutcome & { kind: 'path' },
    isBare: boolean,
  ): Promise<Result | 'stale' | undefined> {
    const script = this.#script(path, outcome);
    if (script !== undefined) return script;
    const names = fileNames(path, this.#site);
    if (names === null) return undefined;
    const file = await this.#inside(names);
    if (file === undefined) return undefined;
    const stats = ifThere(() => statSync(file));
    if (stats === undefined) return undefined;
    if (stats.isFile()) return path.endsWith('/') ? undefined : this.#file(file, names);
    if (!stats.isDirectory()) return undefined;
    const isOpen = path === '' ? isBare : !path.endsWith('/');
    if (isOpen && !outcome.isRewritten && FILE_METHODS.includes(this.#request.method ?? '')) {
      const [own = ''] = (this.#request.url ?? '').split('?');
      return { kind: 'redirect', status: 301, location: `${own.replace(/^\/+/, '/')}/${this.#query}` };
    }
    return this.#folder(names, outcome);
  }

  /** The app whose script the path names or goes on behind. */
  #script(asked: string, outcome: RewriteOutcome & { kind: 'path' }): Result | 'stale' | undefined {
    const lower = `${asked.toLowerCase().replace(/\/+$/, '')}/`;
    const method = this.#request.method ?? '';
    const allowed: string[] = [];
    for (const { scripts, methods } of this.#site.handlers) {
      const script = scripts.find((one) => lower.startsWith(`${one.toLowerCase()}/`));
      if (script === undefined) continue;
      if (methods.length > 0 && !methods.includes(method)) allowed.push(...methods);
      else {
        const encoded = script.split('/').map(encodeURIComponent).join('/');
        const path = `${this.#site.path}${encoded}/`;
        return { kind: 'hand-over', path, isScript: true, fields: this.#fields(outcome) };
      }
    }
    if (allowed.length > 0) return { kind: 'allow', methods: allowed };
    return this.#site.handlers.some(({ pattern }) => isNewScript(pattern, asked, this.#site.folder))
      ? 'stale'
      : undefined;
  }

  /** The real path of something in the folder; undefined: it is not there, or a link leads out. */
  async #inside(names: readonly string[]): Promise<string | undefined> {
    try {
      const root = realpathSync(this.#site.folder);
      const real = await realpath(join(root, ...names));
      if (real !== root && !real.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined;
      // What a link leads to may be hidden under its own name.
      const inside = real.slice(root.length).split(sep).join('/');
      const isScript = this.#site.handlers.some(({ scripts }) => scripts.includes(inside.replace(/^\//, '')));
      return isScript || fileNames(inside, this.#site) === null ? undefined : real;
    } catch (error) {
      if (typeof (error as NodeJS.ErrnoException).code === 'string') return undefined;
      throw error;
    }
  }

  #file(file: string, names: readonly string[]): Result | undefined {
    const { mediaTypes, deniedExtensions } = this.#site;
    const extension = extname(names.at(-1) ?? '').toLowerCase() || '.';
    const own = Object.hasOwn(mediaTypes, extension) ? mediaTypes[extension]! : MEDIA_TYPES[extension];
    if (own === undefined || own === '' || deniedExtensions.includes(extension)) return undefined;
    const method = this.#request.method ?? '';
    if (!FILE_METHODS.includes(method)) return { kind: 'allow', methods: FILE_METHODS };
    return { kind: 'file', file, mediaType: own, status: 200, site: this.#site };
  }

  /** A folder is what its default document is. */
  async #folder(names: readonly string[], outcome: RewriteOutcome & { kind: 'path' }): Promise<Result | 'stale'> {
    const base = names.length === 0 ? '' : `${names.join('/')}/`;
    for (const document of this.#site.documents) {
      const path = base + document;
      const script = this.#script(path, outcome);
      if (script !== undefined) return script;
      const inside = fileNames(path, this.#site);
      const file = inside === null ? undefined : await this.#inside(inside);
      if (inside === null || file === undefined || ifThere(() => statSync(file))?.isFile() !== true) continue;
      const found = this.#file(file, inside);
      if (found !== undefined) return found;
    }
    const main = this.#site.handlers.find(({ scripts }) => scripts.length > 0)?.scripts[0];
    if (base === '' && main !== undefined) return this.#script(main, outcome)!;
    return this.#failed(403, 'FOLDER_NOT_LISTED', 'The folder has no default document, and its files are not listed.');
  }

  /** An error of the site itself: its own page, or that of the front. */
  async #failed(status: number, code: ErrorCode, message: string): Promise<Result> {
    const page = this.#site.errorPages[String(status)];
    if (page?.kind === 'redirect') return { kind: 'redirect', status: 302, location: page.path };
    if (page !== undefined) {
      const local = page.path.startsWith(this.#site.path) ? page.path.slice(this.#site.path.length) : page.path;
      const names = fileNames(local, this.#site);
      const file = names === null ? undefined : await this.#inside(names);
      const found = names === null || file === undefined ? undefined : this.#file(file, names);
      if (found?.kind === 'file') return { ...found, status };
    }
    return refusal(status, code, message);
  }
}

/** A file that fits a pattern of a handler and is not among its scripts: it came later. */
function isNewScript(pattern: string, path: string, folder: string): boolean {
  if (!/[*?]/.test(pattern)) return false;
  const slash = pattern.lastIndexOf('/');
  const [inFolder, inFile] = [pattern.slice(0, slash + 1), pattern.slice(slash + 1)];
  if (!path.toLowerCase().startsWith(inFolder.toLowerCase())) return false;
  const name = path.slice(inFolder.length).split('/', 1)[0]!;
  const source = inFile.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.');
  if (name === '' || !new RegExp(`^${source}$`, 'i').test(name)) return false;
  return ifThere(() => statSync(join(folder, inFolder, name), { throwIfNoEntry: false }))?.isFile() === true;
}

function refusal(status: number, code: ErrorCode, message: string): SiteVerdict {
  return { kind: 'refuse', failure: { status, code, message, developer: [] } };
}

/** CF-11 of the original: people at this machine are told in the answer, with status 200. */
function problemAnswer({ file, message }: { file: string; message: string }, isLocal: boolean): Result {
  if (!isLocal) return refusal(500, 'CONFIG_INVALID', 'The configuration of this folder cannot be used.');
  const named = file === 'web.config' ? '' : ` ${file}`;
  const text =
    `iisnode was unable to read the configuration file${named}. ` +
    `Make sure the ${file} file syntax is correct.<pre>${escapeHtml(message)}</pre>`;
  return { kind: 'respond', status: 200, reason: 'OK', text };
}

async function answer(
  result: Result,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<SiteVerdict | undefined> {
  switch (result.kind) {
    case 'hand-over':
    case 'refuse':
    case 'abort':
      return result;
    case 'redirect':
      response.writeHead(result.status, { Location: result.location, 'Content-Length': 0 }).end();
      return undefined;
    case 'allow': {
      const isQuestion = request.method === 'OPTIONS';
      const methods = [...new Set([...result.methods, 'OPTIONS'])].join(', ');
      response.writeHead(isQuestion ? 200 : 405, { Allow: methods, 'Content-Length': 0 }).end();
      return undefined;
    }
    case 'respond': {
      response.statusMessage = result.reason.replace(/[^\x20-\x7e]/g, '?');
      response.setHeader('Content-Length', Buffer.byteLength(result.text));
      response.writeHead(result.status, { 'Content-Type': 'text/html', 'Cache-Control': 'no-cache' }).end(result.text);
      return undefined;
    }
    case 'file': {
      const { file, mediaType, status, site } = result;
      try {
        // Between the look and this a link may have come: it is not followed.
        const handle = await open(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
        const stats = await handle.stat();
        assert(stats.isFile(), 'a file was found to be one');
        await sendFile({ request, response, handle, stats, mediaType, cacheControl: site.cacheControl, status });
        return undefined;
      } catch (error) {
        if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
        return refusal(404, 'ROUTE_NOT_FOUND', 'Nothing is at this URL that can be read.');
      }
    }
  }
}
