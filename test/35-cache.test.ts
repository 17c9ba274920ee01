// The output cache, by real processes: hits without any process, what programs say, purging by all doors.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import type { CacheShown } from '../src/wire/control-messages.ts';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

const run = promisify(execFile);
const HERE = import.meta.url;
const CLI = fileURLToPath(new URL(HERE.endsWith('.ts') ? '../dist/src/cli/main.js' : '../src/cli/main.js', HERE));

/** Counts its answers; what it says about keeping them is in the query. */
const COUNTER = `
const { slipstream } = require(process.env.CLIENT);
let count = 0;
require('http').createServer(async (req, res) => {
  const url = new URL(req.url, 'http://x');
  if (url.pathname.endsWith('/purge')) {
    const [target, tag] = ['target', 'tag'].map((name) => url.searchParams.get(name) ?? undefined);
    await slipstream.cache.purge(target, { tag });
    res.setHeader('Cache-Control', 'no-store');
    return res.end('purged');
  }
  const seconds = url.searchParams.get('s');
  res.setHeader('Content-Type', 'text/plain');
  if (url.searchParams.has('head')) res.writeHead(200);
  if (seconds !== null) res.cacheDuration = Number(seconds);
  if (url.searchParams.has('socket')) req.socket.cacheDuration = 60;
  if (url.searchParams.has('tag')) res.cacheTags = [url.searchParams.get('tag')];
  if (url.searchParams.has('control')) res.setHeader('Cache-Control', url.searchParams.get('control'));
  count += 1;
  if (url.searchParams.has('pieces')) { res.write('pieces '); await new Promise(setImmediate); }
  res.end(String(count));
}).listen(process.env.PORT);
`;

const CLIENT = fileURLToPath(new URL(HERE.endsWith('.ts') ? '../dist/client.cjs' : '../client.cjs', HERE));

async function hostWith(t: TestContext, env: Record<string, string>, config?: string): Promise<RunningHost> {
  const files = {
    'shop/server.js': COUNTER,
    'blog/server.js': COUNTER,
    ...(config === undefined ? {} : { 'slipstream.yml': config }),
  };
  const host = await startHost({ files, env: { CLIENT, ...env } });
  t.after(() => host.stop());
  return host;
}

async function body(host: RunningHost, path: string): Promise<string> {
  const got = await get(host.url + path);
  assert.equal(got.status, 200, got.text);
  return got.text;
}

async function slipstream(host: RunningHost, ...words: string[]): Promise<string> {
  const env = { ...process.env, SLIPSTREAM_HOME: host.home };
  const { stdout } = await run(process.execPath, [CLI, ...words], { env });
  return stdout;
}

test('hits are served while every app process is stopped, and after all are killed', async (t) => {
  const host = await hostWith(t, { SLIPSTREAM_CACHE_DURATION: '0' });
  assert.equal(await body(host, 'shop/a?s=60'), '1');
  const apps = host.processes().filter(({ role }) => role === 'app');
  assert.equal(apps.length, 1);
  for (const { pid } of apps) process.kill(pid, 'SIGSTOP');
  try {
    for (let turn = 0; turn < 20; turn++) assert.equal(await body(host, 'shop/a?s=60'), '1');
  } finally {
    for (const { pid } of apps) process.kill(pid, 'SIGKILL');
  }
  await until('the app is gone', () => (host.processes().some(({ role }) => role === 'app') ? undefined : true));
  assert.equal(await body(host, 'shop/a?s=60'), '1');
  assert.equal(host.processes().some(({ role }) => role === 'app'), false);
});

test('cacheDuration counts before and after writeHead, on the socket, and for pieces', async (t) => {
  const host = await hostWith(t, { HTTPSYS_CACHE_DURATION: '' });
  for (const query of ['s=60', 's=60&head', 'socket', 's=60&pieces']) {
    assert.equal(await body(host, `shop/?${query}`), await body(host, `shop/?${query}`), query);
  }
  for (const query of ['', 's=0', 's=1.5', 's=-1', 's=60&control=private']) {
    assert.notEqual(await body(host, `shop/?x&${query}`), await body(host, `shop/?x&${query}`), query);
  }
});

test('SLIPSTREAM_CACHE_DURATION decides for answers that say nothing, and unset is off', async (t) => {
  const cases: [string | undefined, string, boolean][] = [
    ['60', '', true], ['60', 's=0', false], ['0', '', false], ['', 's=60', true],
    ['abc', 's=60', false], ['-1', 's=60', false], [undefined, 's=60', false],
  ];
  for (const [value, query, isKept] of cases) {
    const host = await hostWith(t, value === undefined ? {} : { SLIPSTREAM_CACHE_DURATION: value });
    const [first, second] = [await body(host, `shop/?${query}`), await body(host, `shop/?${query}`)];
    assert.equal(first === second, isKept, `${value} ${query}`);
    await host.stop();
  }
});

test('standard mode is an app setting, and off keeps nothing', async (t) => {
  const config = 'apps:\n  shop:\n    cache: standard\n    cacheStatus: true\n  blog:\n    cache: "off"\n';
  const host = await hostWith(t, { SLIPSTREAM_CACHE_DURATION: '60' }, config);
  const path = 'shop/?control=max-age%3D60';
  assert.equal(await body(host, path), await body(host, path));
  assert.match(String((await get(host.url + path)).headers['cache-status']), /^Slipstream; hit; ttl=\d+$/);
  assert.notEqual(await body(host, 'blog/'), await body(host, 'blog/'));
});

test('cache show lists, cache purge drops by URL, prefix, tag and all', async (t) => {
  const host = await hostWith(t, { SLIPSTREAM_CACHE_DURATION: '0' });
  const path = 'shop/list/1?s=60&tag=red';
  const purges = [
    [`/${path}`], [`${host.url}${path}`], ['/shop/list', '--recursive'], ['--tag', 'red'], ['--all'],
  ];
  for (const words of purges) {
    const before = await body(host, path);
    assert.equal(await body(host, path), before);
    assert.match(await slipstream(host, 'cache', 'show'), /shop\/list\/1\?s=60&tag=red +200/);
    await slipstream(host, 'cache', 'purge', ...words);
    assert.notEqual(await body(host, path), before, words.join(' '));
  }
  await slipstream(host, 'cache', 'purge', '/elsewhere');
  await assert.rejects(slipstream(host, 'cache', 'purge', 'no url'), /CACHE_TARGET_INVALID/);
  await assert.rejects(slipstream(host, 'cache', 'purge'), /OPTION_INVALID/);
  const shown = JSON.parse(await slipstream(host, 'cache', 'show', '--json')) as CacheShown;
  assert.ok(shown.report.counters.hits >= purges.length);
});

test('a program purges its own prefixes and no others', async (t) => {
  const host = await hostWith(t, { SLIPSTREAM_CACHE_DURATION: '0' });
  const [own, other] = ['shop/x?s=60&tag=t', 'blog/x?s=60&tag=t'];
  const before = [await body(host, own), await body(host, other)];
  await body(host, 'shop/purge?tag=t');
  assert.notEqual(await body(host, own), before[0]);
  assert.equal(await body(host, other), before[1]);
  const again = await body(host, own);
  await body(host, 'shop/purge?target=/blog/x?s=60%26tag=t');
  assert.equal(await body(host, other), before[1]);
  assert.equal(await body(host, own), again);
  await body(host, 'shop/purge');
  assert.notEqual(await body(host, own), again);
});

test('a purge under load never lets the old body come back', async (t) => {
  const host = await hostWith(t, {}, 'apps:\n  shop:\n    cache: standard\n');
  const path = 'shop/p?control=max-age%3D60';
  const state = { isOver: false, floor: 0 };
  const load = async (): Promise<void> => {
    while (!state.isOver) {
      const least = state.floor;
      assert.ok(Number(await body(host, path)) > least, 'an answer from before the purge');
    }
  };
  const loads = Array.from({ length: 8 }, load);
  for (let turn = 0; turn < 10; turn++) {
    const seen = Number(await body(host, path));
    assert.equal(await body(host, 'shop/purge'), 'purged');
    state.floor = Math.max(state.floor, seen);
  }
  state.isOver = true;
  await Promise.all(loads);
});

test('while an app is debugged for everybody its requests reach the debuggee, and nothing is kept', async (t) => {
  const host = await hostWith(t, { SLIPSTREAM_CACHE_DURATION: '60' });
  for (let turn = 0; turn < 2; turn++) assert.equal(await body(host, 'shop/'), '1');
  assert.equal((await get(`${host.url}shop/debug/`)).status, 200);
  const seen = [await body(host, 'shop/'), await body(host, 'shop/')];
  assert.deepEqual(seen, ['1', '2'], 'a process of its own, asked each time');
  assert.equal(await body(host, 'blog/'), await body(host, 'blog/'), 'other apps are kept as ever');
  await get(`${host.url}shop/debug/?kill`);
  const after = await body(host, 'shop/');
  assert.equal(await body(host, 'shop/'), after);
});

test('cachedPrefixes keeps answers of backends and below an app', async (t) => {
  let count = 0;
  const backend = createServer((request, response) => {
    count += 1;
    response.setHeader('Cache-Control', 'max-age=60').end(`${request.url} ${count}`);
  });
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  t.after(() => backend.close());
  const { port } = backend.address() as AddressInfo;
  const config = `backends:\n  /legacy/: http://127.0.0.1:${port}\n`
    + 'cachedPrefixes: [/legacy/, /shop/static]\n';
  const host = await hostWith(t, {}, config);
  for (let turn = 0; turn < 3; turn++) assert.equal(await body(host, 'legacy/a'), '/legacy/a 1');
  backend.close();
  backend.closeAllConnections();
  assert.equal(await body(host, 'legacy/a'), '/legacy/a 1', 'also while it is gone');
  const path = 'static/x?control=max-age%3D60';
  assert.equal(await body(host, `shop/${path}`), await body(host, `shop/${path}`));
  const other = 'shop/other?control=max-age%3D60';
  assert.notEqual(await body(host, other), await body(host, other));
  assert.match((await get(`${host.url}shop/static/debug/`)).text, /^\d+$/);
});
