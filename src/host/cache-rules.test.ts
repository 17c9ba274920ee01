import { test } from 'node:test';
import assert from 'node:assert/strict';
import { DEFAULT_APP_SETTINGS, type App, type AppSettings } from '../apps/apps.ts';
import type { Route } from '../wire/front-messages.ts';
import { cacheRules, withCachedPrefixes } from './cache-rules.ts';

const SETTINGS = DEFAULT_APP_SETTINGS.defaults as AppSettings;

function app(settings: Partial<AppSettings> = {}, scriptEnv: Record<string, string> = {}): App {
  return {
    name: 'shop', path: '/shop/', folder: '/srv/shop', entry: 'server.js', group: 'app:/shop/',
    settings: { ...SETTINGS, ...settings }, nodeFlags: [], args: [], scriptEnv, problem: undefined,
  };
}

test('the one-line duration means what its forerunner meant', () => {
  const cases: [string | undefined, number | undefined][] = [
    [undefined, undefined], ['', 0], [' ', 0], ['0', 0], ['1', 1], ['1.5', 1], ['1e3', 1000], ['0x10', 16],
    ['abc', undefined], ['-1', undefined], ['Infinity', undefined], ['99999999999', 4_294_967_295],
  ];
  for (const [text, seconds] of cases) {
    for (const name of ['SLIPSTREAM_CACHE_DURATION', 'HTTPSYS_CACHE_DURATION']) {
      const rules = cacheRules(app(), text === undefined ? {} : { [name]: text });
      assert.equal(rules?.durationDefault, seconds, `${name}=${text}`);
      assert.equal(rules?.mode, seconds === undefined ? undefined : 'one-line');
    }
  }
});

test('our name goes before that of the forerunner, the app before the host', () => {
  const both = { SLIPSTREAM_CACHE_DURATION: '1', HTTPSYS_CACHE_DURATION: '2' };
  assert.equal(cacheRules(app(), both)?.durationDefault, 1);
  assert.equal(cacheRules(app({}, { SLIPSTREAM_CACHE_DURATION: '3' }), both)?.durationDefault, 3);
  const own = { SLIPSTREAM_CACHE_DURATION: '4' };
  assert.equal(cacheRules(app({ env: own }, { SLIPSTREAM_CACHE_DURATION: '3' }), both)?.durationDefault, 4);
});

test('off keeps nothing, and standard needs no duration', () => {
  assert.equal(cacheRules(app({ cache: 'off' }), { SLIPSTREAM_CACHE_DURATION: '60' }), undefined);
  assert.deepEqual(cacheRules(app({ cache: 'standard' }), {}), {
    mode: 'standard', durationDefault: null, guessesFreshness: false, keepsSetCookie: false,
  });
});

test('every setting of the cache arrives', () => {
  const settings = {
    cache: 'standard', cacheHeuristics: true, cacheSetCookie: true, cacheCollapsing: 'off', cacheStatus: true,
    cacheObjectBytesMax: 5000,
  } as const;
  assert.deepEqual(cacheRules(app(settings), {}), {
    mode: 'standard', durationDefault: null, guessesFreshness: true, keepsSetCookie: true, collapses: false,
    objectBytesMax: 5000, statusName: 'Slipstream',
  });
  assert.equal(cacheRules(app({ ...settings, cacheCollapsing: 'on' }), {})?.collapses, true);
});

const ROUTES: Route[] = [
  { prefix: '/legacy/', group: 'backend:/legacy/' },
  { prefix: '/shop/', group: 'app:/shop/', cache: { mode: 'one-line', durationDefault: 0 } },
  { prefix: '/shop/debug/', group: 'debug:/shop/', ask: 'door' },
  { prefix: 'http://*:3000/', group: 'joined' },
  { prefix: '/', group: 'host:', ask: 'always' },
];

function cached(...prefixes: string[]): Record<string, string> {
  const routes = withCachedPrefixes(ROUTES, prefixes, new Set(['app:/busy/']));
  const standard = routes.filter(({ cache }) => cache?.mode === 'standard');
  return Object.fromEntries(standard.map(({ prefix, group }) => [prefix, group]));
}

test('a cached prefix is that of a route or lies below one', () => {
  assert.deepEqual(cached('/legacy/', '/shop/static', 'http://*:3000/'), {
    '/legacy/': 'backend:/legacy/', '/shop/static/': 'app:/shop/', 'http://*:3000/': 'joined',
  });
  assert.equal(withCachedPrefixes(ROUTES, ['/legacy/'], new Set()).length, ROUTES.length, 'in its place');
});

test('what the host decides on is not kept, nor what nobody serves', () => {
  assert.deepEqual(cached('/shop/debug/', '/shop/debug/x/', '/nowhere/', 'http://*:4000/', 'ftp://x/'), {});
});

test('a debugged group is left out', () => {
  const routes = withCachedPrefixes(ROUTES, ['/shop/static/'], new Set(['app:/shop/']));
  assert.deepEqual(routes, ROUTES);
});
