// Finds who serves a URL: categories in their order, then the longest prefix, in whole segments.
// Finding allocates nothing: paths are compared by a hash that grows from slash to slash.

import { HostError } from '../base/host-error.ts';
import { canonicalAddress, prefixText } from './url-prefix.ts';
import type { PrefixCategory, UrlPrefix } from './url-prefix.ts';

/** What a request asks for. */
export interface RoutedRequest {
  scheme: 'http' | 'https';
  /** As in RequestHead: lower case, with or without a port, maybe ''. */
  host: string;
  /** The port that the connection was accepted on. */
  port: number;
  /** The address that the connection was accepted on, as its socket tells it. */
  localAddress: string;
  /** From `routingPath`. */
  path: string;
}

/** A row of the table. */
export interface RouteMatch<T> {
  readonly value: T;
  readonly prefix: UrlPrefix;
}

/** `no-host`: nothing is served under the host and port. `no-path`: something is, but not there. */
export type FindResult<T> = RouteMatch<T> | 'no-host' | 'no-path';

interface Row<T> extends RouteMatch<T> {
  /** What paths must begin with: the prefix's path, in lower case if case is ignored. */
  start: string;
}

const SLASH = 0x2f;
const CATEGORIES: readonly PrefixCategory[] = ['strong', 'explicit', 'ip', 'weak'];

/** One step of the hash; stays a small integer, which a Map finds without allocating. */
function mix(hash: number, unit: number): number {
  return (Math.imul(hash ^ unit, 0x01000193) >>> 0) & 0x3fff_ffff;
}

function hashOf(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index++) hash = mix(hash, text.charCodeAt(index));
  return hash;
}

/** Paths that all end with a slash. */
class PathIndex<T> {
  #rows = new Map<number, Row<T>[]>();

  get isEmpty(): boolean {
    return this.#rows.size === 0;
  }

  add(row: Row<T>): void {
    const hash = hashOf(row.start);
    const rows = this.#rows.get(hash);
    if (rows === undefined) this.#rows.set(hash, [row]);
    else rows.push(row);
  }

  remove(start: string): boolean {
    const hash = hashOf(start);
    const rows = this.#rows.get(hash);
    const index = rows?.findIndex((row) => row.start === start) ?? -1;
    if (rows === undefined || index < 0) return false;
    rows.splice(index, 1);
    if (rows.length === 0) this.#rows.delete(hash);
    return true;
  }

  /** The longest row that `path` lies under. `path` need not end with a slash. */
  longest(path: string): Row<T> | null {
    let found: Row<T> | null = null;
    let hash = 0;
    for (let index = 0; index < path.length; index++) {
      const unit = path.charCodeAt(index);
      hash = mix(hash, unit);
      if (unit === SLASH) found = this.#at(hash, path, index + 1) ?? found;
    }
    if (path.charCodeAt(path.length - 1) === SLASH) return found;
    // "/foo" lies under "/foo/".
    return this.#at(mix(hash, SLASH), path, path.length + 1) ?? found;
  }

  /** The row whose start has this hash and is the first `length` units of `path` + "/". */
  #at(hash: number, path: string, length: number): Row<T> | null {
    const rows = this.#rows.get(hash);
    if (rows === undefined) return null;
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index]!;
      if (row.start.length !== length) continue;
      if (length <= path.length ? path.startsWith(row.start) : row.start.startsWith(path)) return row;
    }
    return null;
  }
}

/** The rows of one scheme, host and port. */
class Site<T> {
  readonly scheme: UrlPrefix['scheme'];
  readonly port: number;
  readonly exact = new PathIndex<T>();
  readonly ignoringCase = new PathIndex<T>();

  constructor(prefix: UrlPrefix) {
    this.scheme = prefix.scheme;
    this.port = prefix.port;
  }

  get isEmpty(): boolean {
    return this.exact.isEmpty && this.ignoringCase.isEmpty;
  }

  longest(path: string): Row<T> | null {
    const row = this.exact.isEmpty ? null : this.exact.longest(path);
    if (this.ignoringCase.isEmpty) return row;
    const other = this.ignoringCase.longest(path.toLowerCase());
    if (row === null || other === null) return row ?? other;
    return other.start.length > row.start.length ? other : row;
  }
}

/** Prefixes and what they lead to. A prefix is in the table once. */
export class RouteTable<T> {
  /** By category: sites by host. */
  #sites: Map<string, Site<T>[]>[] = CATEGORIES.map(() => new Map<string, Site<T>[]>());
  /** All rows by the text of their prefix. */
  #rows = new Map<string, Row<T>>();
  #isAnySiteFound = false;
  // The last address, since a front has few.
  #address = '';
  #canonicalAddress = '';

  /** Number of prefixes. */
  get size(): number {
    return this.#rows.size;
  }

  /**
   * Adds a prefix. `ignoreCase`: the case of letters in the path does not matter; default false.
   * @throws HostError PREFIX_TAKEN when the same prefix is there already; see {@link get}.
   */
  add(prefix: UrlPrefix, value: T, options?: { ignoreCase?: boolean }): void {
    const text = prefixText(prefix);
    if (this.#rows.has(text)) throw new HostError('PREFIX_TAKEN', `the prefix ${text} is in use`);
    const ignoreCase = options?.ignoreCase === true;
    const start = ignoreCase ? prefix.path.toLowerCase() : prefix.path;
    const row: Row<T> = { value, prefix, start };
    const site = this.#site(prefix);
    const index = ignoreCase ? site.ignoringCase : site.exact;
    this.#rows.set(text, row);
    index.add(row);
  }

  /** What exactly this prefix leads to. */
  get(prefix: UrlPrefix): T | undefined {
    return this.#rows.get(prefixText(prefix))?.value;
  }

  /** Takes a prefix out. False: it was not there. */
  remove(prefix: UrlPrefix): boolean {
    const text = prefixText(prefix);
    const row = this.#rows.get(text);
    if (row === undefined) return false;
    this.#rows.delete(text);
    const site = this.#site(prefix);
    if (!site.exact.remove(row.start)) site.ignoringCase.remove(row.start);
    if (site.isEmpty) this.#dropSite(prefix, site);
    return true;
  }

  /**
   * The longest prefix in the first category that has any. The match is the same object each time: it
   * belongs to the table.
   */
  find(request: RoutedRequest): FindResult<T> {
    this.#isAnySiteFound = false;
    const found = this.#findAt(0, '+', request)
      ?? (this.#sites[1]!.size > 0 ? this.#findAt(1, hostName(request.host), request) : null)
      ?? (this.#sites[2]!.size > 0 ? this.#findAt(2, this.#addressOf(request), request) : null)
      ?? this.#findAt(3, '*', request);
    if (found !== null) return found;
    return this.#isAnySiteFound ? 'no-path' : 'no-host';
  }

  #findAt(category: number, host: string, request: RoutedRequest): Row<T> | null {
    const sites = this.#sites[category]!.get(host);
    if (sites === undefined) return null;
    let found: Row<T> | null = null;
    for (let index = 0; index < sites.length; index++) {
      const site = sites[index]!;
      if (site.port !== 0 && site.port !== request.port) continue;
      if (site.scheme !== '*' && site.scheme !== request.scheme) continue;
      this.#isAnySiteFound = true;
      const row = site.longest(request.path);
      if (row === null) continue;
      if (found === null || isBetter(row, found)) found = row;
    }
    return found;
  }

  #addressOf(request: RoutedRequest): string {
    if (request.localAddress !== this.#address) {
      this.#address = request.localAddress;
      this.#canonicalAddress = canonicalAddress(request.localAddress);
    }
    return this.#canonicalAddress;
  }

  #site(prefix: UrlPrefix): Site<T> {
    const byHost = this.#sites[CATEGORIES.indexOf(prefix.category)]!;
    const sites = byHost.get(prefix.host) ?? [];
    byHost.set(prefix.host, sites);
    const known = sites.find((site) => site.port === prefix.port && site.scheme === prefix.scheme);
    if (known !== undefined) return known;
    const site = new Site<T>(prefix);
    sites.push(site);
    return site;
  }

  #dropSite(prefix: UrlPrefix, site: Site<T>): void {
    const byHost = this.#sites[CATEGORIES.indexOf(prefix.category)]!;
    const sites = byHost.get(prefix.host)!.filter((other) => other !== site);
    if (sites.length === 0) byHost.delete(prefix.host);
    else byHost.set(prefix.host, sites);
  }
}

/** Longer paths first; of two equal ones that which names a port, then that which names a scheme. */
function isBetter<T>(row: Row<T>, other: Row<T>): boolean {
  if (row.start.length !== other.start.length) return row.start.length > other.start.length;
  if ((row.prefix.port === 0) !== (other.prefix.port === 0)) return row.prefix.port !== 0;
  return row.prefix.scheme !== '*' && other.prefix.scheme === '*';
}

/** The name in a Host without port and without the dot of the root. */
function hostName(host: string): string {
  const colon = host.lastIndexOf(':');
  let end = colon > host.lastIndexOf(']') ? colon : host.length;
  if (host.charCodeAt(end - 1) === 0x2e) end -= 1;
  return end === host.length ? host : host.slice(0, end);
}
