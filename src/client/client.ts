// The library door: `slipstream()`, `http()` and `https()` for programs that ask for the drop-in themselves,
// and what a request knows of its client. The objects are node's modules with the drop-in behind `listen`.

import nodeHttp from 'node:http';
import { IncomingMessage } from 'node:http';
import type nodeHttps from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import { purgeCache } from './cache-purge.ts';
import { installHosted } from './hosted-process.ts';
import { LOCAL_REQUEST } from './serve-exchange.ts';

declare module 'http' {
  interface ServerResponse {
    /** How long the fronts keep the answer, in whole seconds: see `cache` in docs/settings.md. */
    cacheDuration?: number | undefined;
    /** By which the kept answer can be purged; like the field `Cache-Tag`. */
    cacheTags?: string[] | undefined;
  }
}

/** What `http()` and `https()` add to node's modules. */
export interface DropIn {
  /** The version of the drop-in. */
  readonly httpsys_version: string;
}

/** What `http()` adds: a name of old for the class of requests, which httpsys had. */
export interface HttpDropIn extends DropIn {
  readonly ServerRequest: typeof IncomingMessage;
}

const VERSION = '0.1.0';

let httpModule: (typeof nodeHttp & HttpDropIn) | undefined;
let httpsModule: (typeof nodeHttps & DropIn) | undefined;

/** A copy of a module: the very same members, getters as getters. */
function dropInOf<Module extends object>(module: Module): Module & DropIn {
  const copy = Object.defineProperties({}, Object.getOwnPropertyDescriptors(module));
  return Object.assign(copy as Module, { httpsys_version: VERSION });
}

function markBuiltin(module: object): void {
  installHosted();
  Object.assign(module, { httpsys_version: VERSION });
  syncBuiltinESMExports();
}

function makeHttp(): typeof nodeHttp & HttpDropIn {
  installHosted();
  return (httpModule ??= Object.assign(dropInOf(nodeHttp), { ServerRequest: IncomingMessage }));
}

function makeHttps(): typeof nodeHttps & DropIn {
  installHosted();
  return (httpsModule ??= dropInOf(process.getBuiltinModule('node:https')));
}

/**
 * Node's `http` with the drop-in: the same object at every call. `http.slipstream()` is the half of
 * {@link slipstream} for `node:http`.
 */
export const http: (() => typeof nodeHttp & HttpDropIn) & { slipstream(): void } = Object.assign(makeHttp, {
  slipstream: () => markBuiltin(nodeHttp),
});

/** Node's `https` with the drop-in: see {@link http}. Keys and certificates are the front's. */
export const https: (() => typeof nodeHttps & DropIn) & { slipstream(): void } = Object.assign(
  makeHttps,
  { slipstream: () => markBuiltin(process.getBuiltinModule('node:https')) },
);

/**
 * Makes the servers of this program reachable through Slipstream, and shows `httpsys_version` on node's own
 * `http` and `https`. Under the host the preload has done it already; elsewhere the program joins the host
 * that runs for its SLIPSTREAM_HOME. Without one the first server starts one in the background; an https server
 * on a port stays node's then, with its own certificate.
 */
export function slipstream(): void {
  http.slipstream();
  https.slipstream();
}

/** The output cache of the fronts, as far as it keeps answers of this app. */
slipstream.cache = { purge: purgeCache };

/**
 * True when the front judged the client to be a person at this machine who came through no proxy. False for
 * requests that did not come through Slipstream.
 */
export function isLocalRequest(request: IncomingMessage): boolean {
  return (request as unknown as Record<symbol, unknown>)[LOCAL_REQUEST] === true;
}
