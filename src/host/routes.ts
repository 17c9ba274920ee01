// Apps -> what the front must know. Pure.

import type { Diversion, Group, Route, StickyCookie } from '../wire/front-messages.ts';
import { asideGroup, sitePath, type App } from '../apps/apps.ts';
import { queueSettings } from '../base/queue-settings.ts';
import type { Site } from '../wire/site-messages.ts';
import { cacheRules, withCachedPrefixes } from './cache-rules.ts';
import { debuggerPaths, entryPath } from './debugger-paths.ts';
import type { BoundListener } from './listen-origin.ts';
import { LOG_GROUPS, logPaths } from './log-door.ts';

/** The group whose requests the host answers itself. */
export const HOST_GROUP = 'host:';

/** The group of URLs of debuggers where those are not served. */
export const ELSEWHERE_GROUP = 'elsewhere:';

/** The group of the site process, which decides for folders with a web.config. */
export const SITE_GROUP = 'site:';

/** The cookie that leads a client to its process again. */
export const STICKY_COOKIE = 'slipstream.session';

/** The group of an app's session proxy. */
export function debuggerGroup(appPath: string): string {
  return `debug:${appPath}`;
}

/** Requests to the script itself go to it at once, unless a rule or a handler has a say. */
function isDecidedOn({ rules, handlers, problem }: Site, { entry, path, folderPath }: App, prefix: string): boolean {
  const isFolder = folderPath === undefined && prefix === path;
  const hasSay = handlers.some(({ scripts, methods }) => methods.length > 0 && scripts.includes(entry));
  return isFolder || hasSay || rules.length > 0 || problem !== undefined;
}

/** How the front shares requests out among the processes of the app. */
function sharingOf({ settings, path, scriptEnv }: App, stickyKey: string): Partial<Group> {
  const sticky: StickyCookie = { name: STICKY_COOKIE, path, key: stickyKey };
  return {
    ...queueSettings({ ...process.env, ...scriptEnv, ...settings.env }),
    ...(settings.balance === 'least-busy' ? { balance: 'least-busy' } : {}),
    ...(settings.concurrencyMax > 0 ? { concurrencyMax: settings.concurrencyMax } : {}),
    ...(settings.stickySessions ? { sticky } : {}),
    ...(settings.errorPages === 'honest' ? {} : { errorPages: settings.errorPages as 'iisnode' }),
  };
}

/** What leads requests to the debuggee aside; debug/request-links.ts gives it to those who may. */
function diversionOf(app: App, secret: string): Diversion {
  return { group: asideGroup(app.path), cookie: 'slipstream.debug', field: 'slipstream-debug', secret };
}

/** The settings of the host that the table is made of. */
export interface HostRoutes {
  backends: Readonly<Record<string, string>>;
  backendClientCert: string;
  /** Prefixes whose answers are kept, see {@link withCachedPrefixes}. */
  cachedPrefixes: readonly string[];
}

const NO_BACKENDS: HostRoutes = { backends: {}, backendClientCert: 'off', cachedPrefixes: [] };

/** Groups whose requests all go to a debuggee. */
export function debuggedGroups(
  apps: readonly App[],
  debuggers: { status(app: string): { state: string; scope?: string } },
): Set<string> {
  const debugged = apps.filter(({ path }) => {
    const { state, scope } = debuggers.status(path);
    return state !== 'idle' && scope !== 'mine';
  });
  return new Set(debugged.map(({ group }) => group));
}

/** What the table depends on besides the apps. */
export interface RouteOptions {
  /** Signs the cookies of sticky sessions. */
  stickyKey: string;
  /** Its backends come first: of two equal prefixes the front takes the first. */
  host?: HostRoutes;
  /** What leads requests to a debuggee of the app; null: nothing does. */
  secretOf?: (appPath: string) => string | null;
  /** Groups whose requests all belong to a debuggee: they reach it, whatever is kept. */
  debugged?: ReadonlySet<string>;
  sites?: readonly Site[];
  /** The listeners of the debuggers alone; default none: they are found on all others. */
  debuggerListeners?: readonly Pick<BoundListener, 'origin' | 'port'>[];
}

const NOTHING = { status: 404, code: 'ROUTE_NOT_FOUND', message: 'Nothing is served here.' } as const;

/** What prefixes of the debuggers begin with on listeners of their own: `https://+:9443`. */
function debuggerBases(listeners: readonly Pick<BoundListener, 'origin' | 'port'>[]): string[] {
  return [...new Set(listeners.map(({ origin, port }) => `${origin.split(':', 1)[0]!}://+:${port}`))];
}

/** The whole table for these apps and sites. */
export function routesOf(apps: readonly App[], options: RouteOptions): { routes: Route[]; groups: Group[] } {
  const { stickyKey, host = NO_BACKENDS, secretOf = () => null, debugged = new Set(), sites = [] } = options;
  const bases = debuggerBases(options.debuggerListeners ?? []);
  const routes: Route[] = [];
  const groups: Group[] = [];
  const { backends, backendClientCert, cachedPrefixes } = host;
  const isTold = backendClientCert === 'leaf' || backendClientCert === 'chain';
  const clientCert = isTold ? ({ clientCert: backendClientCert } as const) : {};
  for (const [prefix, backend] of Object.entries(backends)) {
    const group = `backend:${prefix}`;
    groups.push({ id: group, name: prefix, onDemand: false, backend, ...clientCert });
    routes.push({ prefix: prefix.endsWith('/') ? prefix : `${prefix}/`, group });
  }
  for (const app of apps) {
    const secret = secretOf(app.path);
    const aside = secret === null ? {} : { diversion: diversionOf(app, secret) };
    groups.push({ id: app.group, name: app.name, onDemand: true, ...sharingOf(app, stickyKey), ...aside });
    // On demand, so that requests wait while the debuggee is started again.
    if (secret !== null) groups.push({ id: asideGroup(app.path), name: app.name, onDemand: true });
    const cache = debugged.has(app.group) ? undefined : cacheRules(app, process.env);
    const site = sites.find(({ path }) => path === sitePath(app));
    for (const prefix of new Set([app.path, entryPath(app)])) {
      const decider = site !== undefined && isDecidedOn(site, app, prefix) ? { decider: SITE_GROUP } : {};
      routes.push({ prefix, group: app.group, ...(cache === undefined ? {} : { cache }), ...decider });
    }
    const paths = debuggerPaths(app);
    const logs = logPaths(app);
    if (logs.length > 0) {
      const absent = { status: 404, code: 'ROUTE_NOT_FOUND' as const, message: 'Nothing is here for you.' };
      groups.push({ id: `${LOG_GROUPS}${app.path}`, name: `logs of ${app.name}`, onDemand: false, absent });
      for (const prefix of logs) routes.push({ prefix, group: `${LOG_GROUPS}${app.path}`, ask: 'always' });
    }
    if (paths.length === 0) continue;
    const group = debuggerGroup(app.path);
    groups.push({
      id: group,
      name: `debugger of ${app.name}`,
      onDemand: false,
      tellsLocal: true,
      absent: {
        status: 410,
        code: 'DEBUGGER_NOT_RUNNING',
        message: `The debugger of app "${app.name}" is not running. Open ${paths[0]} to start it.`,
      },
    });
    const path = app.path.toLowerCase();
    const ignoreCase = !apps.some((other) => other !== app && other.path.toLowerCase() === path);
    const common = { ignoreCase, staysPlain: true };
    for (const prefix of paths) {
      for (const base of bases) routes.push({ prefix: `${base}${prefix}`, group, ask: 'door', ...common });
      if (bases.length === 0) routes.push({ prefix, group, ask: 'door', ...common });
      else routes.push({ prefix, group: ELSEWHERE_GROUP, ask: 'always', ...common });
    }
  }
  if (bases.length > 0) {
    groups.push({ id: ELSEWHERE_GROUP, name: 'debuggers', onDemand: false, absent: NOTHING });
    // Before everything that has no port: on these listeners there is nothing else.
    for (const base of bases) routes.push({ prefix: `${base}/`, group: ELSEWHERE_GROUP, staysPlain: true });
  }
  if (sites.length > 0) groups.push({ id: SITE_GROUP, name: 'files', onDemand: true, tellsLocal: true });
  for (const { path } of sites) {
    if (!apps.some((app) => app.path === path)) routes.push({ prefix: path, group: SITE_GROUP, decider: SITE_GROUP });
  }
  if (![...apps, ...sites].some(({ path }) => path === '/') && backends['/'] === undefined) {
    routes.push({ prefix: '/', group: HOST_GROUP, ask: 'always' });
    groups.push({
      id: HOST_GROUP,
      name: 'Slipstream',
      onDemand: false,
      absent: { status: 404, code: 'ROUTE_NOT_FOUND', message: 'No app serves this path.' },
    });
  }
  return { routes: withCachedPrefixes(routes, cachedPrefixes, debugged), groups };
}
