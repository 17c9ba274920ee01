// Files that DevTools may read through the session proxy: scripts that V8 announced, the source maps that
// these scripts name, and the sources that those maps name. Nothing else, and nothing large. Scripts and maps name
// what they like, so a map is called .map, or is beside its script, and a source has the name of one; nothing is
// fetched from anywhere.

import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Largest file that is read, in bytes. */
export const SOURCE_BYTES_MAX = 67_108_864;
/** Longest `data:` source map that is looked into, in characters. */
const INLINE_MAP_MAX = 33_554_432;
/** Most source URLs that are remembered from maps. */
const SOURCES_MAX = 100_000;

/** Reads at a time, where each one is a process. */
const READERS_MAX = 8;
const READ_TIMEOUT_MS = 10_000;

/** What V8 said about a script. */
export interface AnnouncedScript {
  url: string;
  sourceMapURL: string;
}

/** Reads what may be read. */
export interface SourceFiles {
  /** The content, or null when the URL is none of those, too large or not there. */
  read(url: string): Promise<Buffer | null>;
}

/** Reads the file of a URL that was announced; null when it is too large, or not there. */
export type ReadSource = (url: string) => Promise<Buffer | null>;

/** `scripts` is asked at each read for what is announced at that moment. */
export function createSourceFiles(
  scripts: () => Iterable<AnnouncedScript>,
  readSource: ReadSource = readAnnounced,
): SourceFiles {
  const sources = new Set<string>();
  const inlineSeen = new Set<string>();
  const learn = (mapText: string, mapUrl: string): void => {
    for (const source of sourcesOf(mapText, mapUrl)) {
      if (sources.size < SOURCES_MAX) sources.add(source);
    }
  };
  return {
    async read(url) {
      if (!url.startsWith('file://')) return null;
      const kind = classify(url, scripts()) ?? (sources.has(url) ? 'source' : null);
      if (kind !== null) {
        const content = await readSource(url);
        if (content !== null && kind === 'map') learn(content.toString(), url);
        return content;
      }
      for (const script of scripts()) learnInline(script, inlineSeen, learn);
      return sources.has(url) ? readSource(url) : null;
    },
  };
}

function classify(url: string, scripts: Iterable<AnnouncedScript>): 'script' | 'map' | null {
  for (const script of scripts) {
    if (script.url === url) return 'script';
    if (script.sourceMapURL !== '' && mapUrlOf(script) === url) return 'map';
  }
  return null;
}

/** Names of files that programs are written in, and pages that hold them: no keys, no tables, no configuration. */
const SOURCE_NAME = new RegExp(
  '\\.(?:[cm]?[jt]sx?|coffee|litcoffee|vue|svelte|astro|marko|mdx?|html?|css|s[ac]ss|less|styl|elm|resi?|mli?|purs|' +
    'dart|kt|scala|clj[cs]?|rs|go|cc?|cpp|hh?|hpp|py|rb|as|wat|imba|civet|ls|gql|graphql|pug|ejs|hbs)$',
  'i',
);

/** Where the map of a script is when it is a file that looks like a map, else null. */
export function mapUrlOf({ url, sourceMapURL }: AnnouncedScript): string | null {
  if (!url.startsWith('file://') || sourceMapURL.startsWith('data:')) return null;
  const resolved = resolveUrl(sourceMapURL, url);
  if (resolved === null) return null;
  const { pathname } = new URL(resolved);
  if (/\.map$/i.test(pathname)) return resolved;
  const folder = new URL('.', url).pathname;
  return /\.json$/i.test(pathname) && pathname.startsWith(folder) ? resolved : null;
}

function resolveUrl(relative: string, base: string): string | null {
  try {
    const url = new URL(relative, base);
    return url.protocol === 'file:' ? url.href : null;
  } catch {
    // A name like "webpack:///x" with bad characters: no file.
    return null;
  }
}

function learnInline(
  script: AnnouncedScript,
  seen: Set<string>,
  learn: (text: string, mapUrl: string) => void,
): void {
  const { url, sourceMapURL } = script;
  if (!sourceMapURL.startsWith('data:') || !url.startsWith('file://') || seen.has(url)) return;
  if (sourceMapURL.length > INLINE_MAP_MAX || seen.size >= SOURCES_MAX) return;
  seen.add(url);
  const comma = sourceMapURL.indexOf(',');
  const isBase64 = /;base64$/i.test(sourceMapURL.slice(0, comma));
  const payload = sourceMapURL.slice(comma + 1);
  learn(isBase64 ? Buffer.from(payload, 'base64').toString() : decodeText(payload), url);
}

function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not percent-encoded properly: taken as it is, and then probably no JSON.
    return text;
  }
}

/** The file URLs that a source map names; none when the text is no source map. */
function sourcesOf(text: string, mapUrl: string): string[] {
  let map: unknown;
  try {
    map = JSON.parse(text.replace(/^\)\]\}'[^\n]*\n/, ''));
  } catch {
    // Whoever reads the map itself will complain.
    return [];
  }
  return typeof map === 'object' && map !== null ? sourcesOfMap(map as Record<string, unknown>, mapUrl) : [];
}

function sourcesOfMap(map: Record<string, unknown>, mapUrl: string): string[] {
  const found: string[] = [];
  const { sources, sections } = map;
  const sourceRoot = map['sourceRoot'];
  const root = typeof sourceRoot === 'string' && sourceRoot !== '' ? sourceRoot.replace(/\/?$/, '/') : '';
  for (const source of Array.isArray(sources) ? (sources as unknown[]) : []) {
    if (typeof source !== 'string') continue;
    const url = resolveUrl(root + source, mapUrl) ?? resolveUrl(source, mapUrl);
    if (url !== null && SOURCE_NAME.test(new URL(url).pathname)) found.push(url);
  }
  for (const section of Array.isArray(sections) ? (sections as { map?: unknown }[]) : []) {
    if (typeof section?.map !== 'object' || section.map === null) continue;
    // Sections do not nest in an index map, so neither does this.
    found.push(...sourcesOfMap({ ...section.map, sections: undefined }, mapUrl));
  }
  return found;
}

/** The file of a script that V8 announced; null when it is too large, or not there. */
export async function readAnnounced(url: string): Promise<Buffer | null> {
  try {
    const path = fileURLToPath(url);
    const found = await stat(path);
    if (!found.isFile() || found.size > SOURCE_BYTES_MAX) return null;
    return await readFile(path);
  } catch {
    // Gone, unreadable or no path of this system: the same answer for all.
    return null;
  }
}

/**
 * Reads as another user: a program announces what it likes, and must not thereby read what is the host's. Only for a
 * process of root.
 */
export function readAsUser({ uid, gid }: { uid: number; gid: number }): ReadSource {
  const waiting: (() => void)[] = [];
  let running = 0;
  const env = { PATH: process.env['PATH'] };
  const limits = { maxBuffer: SOURCE_BYTES_MAX, timeout: READ_TIMEOUT_MS };
  const options = { uid, gid, env, cwd: '/', encoding: 'buffer', ...limits } as const;
  const read = (path: string): Promise<Buffer | null> =>
    new Promise((resolve) => {
      // A folder, a lack of rights, a pipe: the same answer for all.
      execFile('cat', ['--', path], options, (error, content) => resolve(error ? null : content));
    });
  return async (url) => {
    const path = pathOf(url);
    if (path === null) return null;
    if (running >= READERS_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      return await read(path);
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}

function pathOf(url: string): string | null {
  try {
    return fileURLToPath(url);
  } catch {
    // No path of this system.
    return null;
  }
}
