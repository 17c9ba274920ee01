// Serves the built DevTools page (scripts/devtools-build.ts). Only files that the manifest lists exist: a
// name is looked up, never joined from what a client sent, so no path can lead out of the folder.
// Nothing of it may be framed, sniffed or opened by another page.

import { readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HostError, messageOf } from '../base/host-error.ts';

export type UiEncoding = 'br' | 'gzip';

/** A row of the manifest. */
export interface UiFile {
  /** Content-Type. */
  type: string;
  /** Length of the file as it is. */
  bytes: number;
  /** Hash of the file as it is, without quotes. */
  hash: string;
  /** The name changes with the content. */
  immutable: boolean;
  /** Compressed copies beside the file: `.br`, `.gz`. */
  encodings: UiEncoding[];
}

/** Name of the manifest in the folder of the page. */
export const UI_MANIFEST = 'ui-files.json';

/**
 * What the page may load and connect to: this host and nothing else. In the page's sandbox WebKit does not take 'self'
 * for the host, so it is named, too: `host` as the request says it, with its port.
 */
export function uiPolicy(host = ''): string {
  const isHost = /^[\w.-]+(?::\d+)?$|^\[[\da-f:.]+\](?::\d+)?$/i.test(host);
  const self = isHost ? `'self' http://${host} https://${host}` : "'self'";
  const sockets = isHost ? ` ws://${host} wss://${host}` : '';
  return [
    `default-src ${self}`,
    `script-src ${self}`,
    `style-src ${self} 'unsafe-inline'`,
    `img-src ${self} data: blob:`,
    `connect-src ${self}${sockets} data:`,
    `worker-src ${self} blob:`,
    "object-src 'none'",
    "frame-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

/** Most bytes of files that are kept in memory; what is beyond is read again each time. */
const CACHE_BYTES_MAX = 24 * 1024 * 1024;

const SUFFIX: Record<UiEncoding, string> = { br: '.br', gzip: '.gz' };

export interface UiFiles {
  /** The text of the page. @throws HostError DEBUGGER_UI_MISSING */
  page(): Promise<string>;
  /**
   * Answers a request for the file `name` ('' is the page). False, and nothing done, when there is no such
   * file. A method other than GET and HEAD is answered with 405.
   */
  serve(request: IncomingMessage, response: ServerResponse, name: string): boolean;
}

/** The best encoding that a client takes and a file has; undefined is the file as it is. RFC 9110 12.5.3. */
export function chooseEncoding(
  acceptEncoding: string,
  available: readonly UiEncoding[],
): UiEncoding | undefined {
  const quality = new Map<string, number>();
  for (const part of acceptEncoding.split(',')) {
    const [coding = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const value = weight === undefined ? 1 : Number(weight.slice(2));
    if (coding !== '') quality.set(coding, Number.isFinite(value) ? value : 0);
  }
  const qualityOf = (coding: UiEncoding): number => quality.get(coding) ?? quality.get('*') ?? 0;
  let best: UiEncoding | undefined;
  for (const coding of ['br', 'gzip'] as const) {
    if (!available.includes(coding) || qualityOf(coding) <= 0) continue;
    if (best === undefined || qualityOf(coding) > qualityOf(best)) best = coding;
  }
  return best;
}

/** True when a client's If-None-Match names `etag`. Weak comparison, RFC 9110 13.1.2. */
export function matchesEtag(ifNoneMatch: string, etag: string): boolean {
  return ifNoneMatch
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''))
    .some((tag) => tag === etag || tag === '*');
}

function readManifest(folder: string): Map<string, UiFile> {
  try {
    const text = readFileSync(join(folder, UI_MANIFEST), 'utf8');
    return new Map(Object.entries(JSON.parse(text) as Record<string, UiFile>));
  } catch (error) {
    throw new HostError(
      'DEBUGGER_UI_MISSING',
      `no DevTools page in "${folder}" (${messageOf(error)}); build it with: npm run build`,
      { cause: error },
    );
  }
}

/** Compressed and plain files by the name they have on disk, up to CACHE_BYTES_MAX in all. */
class FileCache {
  #folder: string;
  #files = new Map<string, Promise<Buffer>>();
  #bytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  read(name: string): Promise<Buffer> {
    const known = this.#files.get(name);
    if (known !== undefined) return known;
    const reading = readFile(join(this.#folder, name));
    this.#files.set(name, reading);
    reading.then(
      (data) => {
        if (this.#bytes + data.length > CACHE_BYTES_MAX) this.#files.delete(name);
        else this.#bytes += data.length;
      },
      () => this.#files.delete(name),
    );
    return reading;
  }
}

function cacheControl(name: string, file: UiFile): string {
  if (file.immutable) return 'public, max-age=31536000, immutable';
  // The page itself is not kept: going back to it must not show a debugger that has ended.
  return name === 'index.html' ? 'no-store' : 'no-cache';
}

function headersOf(name: string, file: UiFile, encoding: UiEncoding | undefined): Record<string, string> {
  return {
    'content-type': file.type,
    'cache-control': cacheControl(name, file),
    'content-security-policy': `${uiPolicy()}; frame-ancestors 'none'`,
    // The page has an origin of its own (proxy-access.ts), and its files hold nothing of anybody.
    'access-control-allow-origin': '*',
    'cross-origin-resource-policy': 'cross-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    ...(file.encodings.length > 0 && { vary: 'Accept-Encoding' }),
    ...(encoding !== undefined && { 'content-encoding': encoding }),
    etag: `"${file.hash}${encoding === undefined ? '' : `-${encoding}`}"`,
  };
}

function refuse(response: ServerResponse, status: number, text: string, headers = {}): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(text);
}

/** Opens the folder of a built page. @throws HostError DEBUGGER_UI_MISSING when it holds none. */
export function createUiFiles(folder: string): UiFiles {
  const files = readManifest(folder);
  const cache = new FileCache(folder);

  async function send(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    file: UiFile,
  ): Promise<void> {
    const encoding = chooseEncoding(request.headers['accept-encoding'] ?? '', file.encodings);
    const headers = headersOf(name, file, encoding);
    if (matchesEtag(request.headers['if-none-match'] ?? '', headers['etag']!)) {
      response.writeHead(304, headers);
      response.end();
      return;
    }
    let data: Buffer;
    try {
      data = await cache.read(encoding === undefined ? name : name + SUFFIX[encoding]);
    } catch (error) {
      refuse(response, 500, `DEBUGGER_UI_MISSING: ${name} cannot be read (${messageOf(error)})\n`);
      return;
    }
    response.writeHead(200, { ...headers, 'content-length': data.length });
    if (request.method === 'HEAD') response.end();
    else response.end(data);
  }

  return {
    async page() {
      try {
        return (await cache.read('index.html')).toString();
      } catch (error) {
        throw new HostError('DEBUGGER_UI_MISSING', messageOf(error), { cause: error });
      }
    },
    serve(request, response, name) {
      const asked = name === '' ? 'index.html' : name;
      const file = files.get(asked);
      if (file === undefined) return false;
      if (request.method === 'GET' || request.method === 'HEAD') void send(request, response, asked, file);
      else refuse(response, 405, 'only GET and HEAD\n', { allow: 'GET, HEAD' });
      return true;
    },
  };
}
