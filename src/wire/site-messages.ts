// Host -> site process: the folders whose web.config says who answers what below them (ARCHITECTURE.md, "Sites").
// Everything in it was checked by the host; patterns are known to be good regular expressions.

import type { Failure } from './front-messages.ts';

/** A folder with a web.config. */
export interface Site {
  /** Percent-encoded, with a slash at both ends: `/shop/`. */
  path: string;
  /** Absolute. */
  folder: string;
  /** Tells one state of the files apart from another. */
  stamp: string;
  /** Files whose change makes the site another one: names in the folder. */
  watched: string[];
  /** The files cannot be used and never could: nothing is served. */
  problem?: SiteProblem;
  handlers: SiteHandler[];
  /** Names of the files that stand for a folder, in order. */
  documents: string[];
  rules: RewriteRule[];
  /** By name in lower case, then by key in lower case. */
  rewriteMaps: Record<string, RewriteMap>;
  /** Media types by extension in lower case with its dot; '' takes a type away. */
  mediaTypes: Record<string, string>;
  /** Value of Cache-Control for files; '' sends none. */
  cacheControl: string;
  /** Path segments, in lower case, below which nothing is served. */
  hiddenSegments: string[];
  /** Paths relative to the folder, in lower case, below which nothing is served. */
  hiddenPaths: string[];
  /** Extensions in lower case that are not served. */
  deniedExtensions: string[];
  /** Pages for the site's own errors, by status. */
  errorPages: Record<string, ErrorPage>;
}

/** What a person at this machine is told about files that cannot be used. */
export interface SiteProblem {
  /** The file that is wrong: `web.config`, `iisnode.yml` or another name of it. */
  file: string;
  message: string;
}

/** Who answers for scripts. The first that fits counts. */
export interface SiteHandler {
  /** Scripts that this handler runs, relative to the folder: those that are there now. */
  scripts: string[];
  /** A script, or a wildcard pattern of some with the folder before it; case does not matter. */
  pattern: string;
  /** Upper case; empty: all. */
  methods: string[];
}

export interface RewriteMap {
  defaultValue: string;
  entries: Record<string, string>;
}

export interface RewriteRule {
  name: string;
  /** Matched against the path below the site, decoded, without its first slash. */
  match: TextPattern;
  conditions: RewriteCondition[];
  /** One condition is enough. */
  isAny: boolean;
  tracksAllCaptures: boolean;
  action: RewriteAction;
  stops: boolean;
  /** Request fields to set: flat list of name and template. */
  fields: string[];
}

export interface TextPattern {
  /** Source of a regular expression; wildcards are translated. */
  source: string;
  ignoreCase: boolean;
  negate: boolean;
}

export type RewriteCondition =
  | { kind: 'pattern'; input: string; pattern: TextPattern }
  | { kind: 'file' | 'folder'; input: string; negate: boolean };

export type RewriteAction =
  | { kind: 'none' }
  | { kind: 'rewrite'; url: string; appendsQuery: boolean }
  | { kind: 'redirect'; url: string; appendsQuery: boolean; status: number }
  | { kind: 'respond'; status: number; subStatus: number; reason: string; description: string }
  | { kind: 'abort' };

export interface ErrorPage {
  kind: 'file' | 'url' | 'redirect';
  path: string;
}

/** What the site process says instead of an answer: the front does the rest. */
export type SiteVerdict =
  /**
   * The app that serves this path gets the request as it came, with these fields set. `isScript`: only a route for
   * exactly this path will do.
   */
  | { kind: 'hand-over'; path: string; isScript: boolean; fields: string[] }
  | { kind: 'refuse'; failure: Failure }
  /** The connection is closed without an answer. */
  | { kind: 'abort' };

/** A `ping` is answered with `pong` (host/heartbeat.ts). */
export type HostToSites = { kind: 'sites'; sites: Site[] } | { kind: 'ping' };
export type SitesToHost = { kind: 'pong' } | { kind: 'stale' };
