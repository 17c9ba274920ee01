// Settings -> how the front keeps answers: of an app, and below prefixes that the host names. Pure but for the
// environment it is given.

import type { App } from '../apps/apps.ts';
import type { RouteCache } from '../wire/cache-messages.ts';
import type { Route } from '../wire/front-messages.ts';

/** What Cache-Status calls this cache. */
const STATUS_NAME = 'Slipstream';
const UINT32_MAX = 4_294_967_295;

/**
 * Seconds by SLIPSTREAM_CACHE_DURATION or its forerunner HTTPSYS_CACHE_DURATION. Null is off: unset, not a
 * number, negative. An empty text counts as 0: caching is on, and only answers that say so are kept.
 */
function durationOf(env: Readonly<Record<string, string | undefined>>): number | null {
  const text = env['SLIPSTREAM_CACHE_DURATION'] ?? env['HTTPSYS_CACHE_DURATION'];
  if (text === undefined) return null;
  const seconds = Number(text);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(Math.trunc(seconds), UINT32_MAX) : null;
}

/** How answers of the app are kept; undefined: they are not. `inherited` is the environment of the host. */
export function cacheRules(app: App, inherited: NodeJS.ProcessEnv): RouteCache | undefined {
  const { settings } = app;
  if (settings.cache === 'off') return undefined;
  const mode = settings.cache === 'standard' ? 'standard' : 'one-line';
  const durationDefault = durationOf({ ...inherited, ...app.scriptEnv, ...settings.env });
  if (mode === 'one-line' && durationDefault === null) return undefined;
  return {
    mode,
    durationDefault,
    guessesFreshness: settings.cacheHeuristics,
    keepsSetCookie: settings.cacheSetCookie,
    ...(settings.cacheCollapsing === 'auto' ? {} : { collapses: settings.cacheCollapsing === 'on' }),
    ...(settings.cacheObjectBytesMax > 0 ? { objectBytesMax: settings.cacheObjectBytesMax } : {}),
    ...(settings.cacheStatus ? { statusName: STATUS_NAME } : {}),
  };
}

/**
 * The routes with those that make the front keep answers below `prefixes`, as their fields allow: of whoever
 * serves there, a backend, a joined process or an app. What the host decides on is left out, and groups in
 * `debugged`.
 */
export function withCachedPrefixes(
  routes: readonly Route[],
  prefixes: readonly string[],
  debugged: ReadonlySet<string>,
): Route[] {
  let all = [...routes];
  for (const text of prefixes) {
    const prefix = text.endsWith('/') ? text : `${text}/`;
    let found: Route | null = null;
    for (const route of all) {
      if (prefix.startsWith(route.prefix) && route.prefix.length > (found?.prefix.length ?? 0)) found = route;
    }
    if (found === null || found.ask !== undefined || debugged.has(found.group)) continue;
    all = all.filter((route) => route.prefix !== prefix);
    all.push({ ...found, prefix, cache: { mode: 'standard' } });
  }
  return all;
}
