// How new processes take over where they cannot simply run beside the old ones: a second port, apps that run once,
// lazy recycling. Under a client that asks all the time: nothing it asks is lost.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { runCli, startHost, type RunningHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const MAIN = `
const http = require('http');
const metrics = http.createServer((request, response) => response.end('metrics ' + process.pid));
const main = http.createServer((request, response) => setTimeout(() => response.end(String(process.pid)), 5));
process.on('SIGTERM', () => process.exit(0));
`;

/** Both at once, as most programs do it. */
const BESIDE = (port: number): string => `${MAIN} main.listen(process.env.PORT); metrics.listen(${port}, '127.0.0.1');`;
/** The same, the other one first. */
const BEFORE = (port: number): string => `${MAIN} metrics.listen(${port}, '127.0.0.1'); main.listen(process.env.PORT);`;
/** The app's server only when the port is there, which is no HTTP server's at first. */
const BEHIND = (port: number): string => `${MAIN}
require('net').createServer((socket) => metrics.emit('connection', socket))
  .listen({ port: ${port}, host: '127.0.0.1' }, () => main.listen(process.env.PORT));`;

interface Asking {
  pids: Set<string>;
  failures: string[];
  stop(): Promise<void>;
}

/** Asks again and again, one request at a time, until it is stopped. */
function askOn(t: TestContext, url: string): Asking {
  const asking: Asking = { pids: new Set(), failures: [], stop: async () => {} };
  const over = new AbortController();
  const loop = (async () => {
    while (!over.signal.aborted) {
      try {
        const { status, text } = await get(url);
        if (status === 200) asking.pids.add(text);
        else asking.failures.push(`${status} ${text}`);
      } catch (error) {
        asking.failures.push(String(error));
      }
    }
  })();
  asking.stop = async () => {
    over.abort();
    await loop;
  };
  t.after(asking.stop);
  return asking;
}

/** What the second server says, once it listens. */
function metricsAt(port: number): Promise<string> {
  const asked = (): Promise<string | undefined> =>
    get(`http://127.0.0.1:${port}/`).then(({ text }) => text, () => undefined);
  return until('the second server', asked);
}

async function hostWith(t: TestContext, files: Record<string, string>): Promise<RunningHost> {
  const host = await startHost({ files });
  t.after(() => host.stop());
  return host;
}

test('an app with a second fixed port is recycled without a lost request, whichever it opens first', async (t) => {
  const ports = { beside: await freePort(), before: await freePort(), behind: await freePort() };
  const host = await hostWith(t, {
    'beside/server.js': BESIDE(ports.beside),
    'before/server.js': BEFORE(ports.before),
    'behind/server.js': BEHIND(ports.behind),
  });
  for (const [app, port] of Object.entries(ports)) {
    const url = `${host.url}${app}/`;
    const old = (await get(url)).text;
    assert.equal(await metricsAt(port), `metrics ${old}`);
    const asking = askOn(t, url);
    for (let round = 0; round < 2; round++) {
      const reload = await runCli(['reload', app], host.home);
      assert.equal(reload.code, 0, reload.stderr);
    }
    const fresh = await until('a third process', () => [...asking.pids][2]);
    await asking.stop();
    assert.deepEqual(asking.failures, [], host.output());
    await until('its second port', async () => ((await metricsAt(port)) === `metrics ${fresh}` ? true : undefined));
    await until('the end of the old one', () => (isAlive(Number(old)) ? undefined : true));
  }
  assert.equal(host.output().match(/app-replacing app=behind/g)?.length, 2);
  assert.doesNotMatch(host.output(), /app-replacing app=be(?:side|fore)|EADDRINUSE/);
});

test('a broken edit of such an app leaves the old process in its place', async (t) => {
  const port = await freePort();
  const host = await hostWith(t, { 'app/server.js': BEHIND(port) });
  const old = (await get(`${host.url}app/`)).text;
  writeFileSync(join(host.root, 'app/server.js'), `throw new Error('broken'); ${BEHIND(port)}`);
  await host.line(/app-recycle-failed/);
  assert.equal((await get(`${host.url}app/`)).text, old);
  assert.equal(await metricsAt(port), `metrics ${old}`);
});

test('a port that somebody else has, or another process of the same pool, is EADDRINUSE as ever', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const other = await freePort();
  const app = (number: number): string => `
const second = require('net').createServer().on('error', (error) => (result = error.code));
let result = 'none';
second.listen(${number}, '127.0.0.1', () => (result = 'listens'));
require('http').createServer((request, response) => response.end(result)).listen(process.env.PORT);
`;
  const host = await hostWith(t, {
    'strange/server.js': app(port),
    'pool/server.js': app(other),
    'slipstream.yml': 'apps: { pool: { processes: 2 } }\n',
  });
  const resultAt = (name: string): Promise<string> => until('a result', async () => {
    const { text } = await get(`${host.url}${name}/`);
    return text === 'none' ? undefined : text;
  });
  assert.equal(await resultAt('strange'), 'EADDRINUSE');
  await until('both processes', async () => {
    const seen = new Set([await resultAt('pool'), await resultAt('pool')]);
    return seen.size === 2 ? true : undefined;
  });
});

test('recycleMode replace ends the old process before the new one starts, and no request is lost', async (t) => {
  const host = await hostWith(t, {
    'once/server.js': `
const fs = require('fs');
fs.writeFileSync('lock', String(process.pid), { flag: 'wx' });
process.on('exit', () => fs.unlinkSync('lock'));
process.on('SIGTERM', () => process.exit(0));
require('http').createServer((request, response) => {
  setTimeout(() => response.end(String(process.pid)), request.url.endsWith('slow') ? 300 : 5);
}).listen(process.env.PORT);
`,
    'once/slipstream.yml': 'recycleMode: replace\n',
  });
  const url = `${host.url}once/`;
  const old = (await get(url)).text;
  const slow = get(`${url}slow`);
  const asking = askOn(t, url);
  assert.equal((await runCli(['reload', 'once'], host.home)).code, 0);
  assert.equal((await slow).text, old);
  const fresh = await until('another process', () => [...asking.pids].find((pid) => pid !== old));
  await asking.stop();
  assert.deepEqual(asking.failures, [], host.output());
  assert.equal(readFileSync(join(host.root, 'once/lock'), 'utf8'), fresh);
});

test('recycleMode lazy keeps the old process, without requests, until somebody asks', async (t) => {
  const app = (then: string): string => `
${then}
process.on('SIGTERM', () => process.exit(0));
require('http').createServer((request, response) => response.end('${then} ' + process.pid)).listen(process.env.PORT);
`;
  const host = await hostWith(t, { 'lazy/server.js': app('1;'), 'lazy/slipstream.yml': 'recycleMode: lazy\n' });
  const url = `${host.url}lazy/`;
  const old = (await get(url)).text.split(' ')[1]!;
  const edit = async (then: string): Promise<void> => {
    const seen = host.output().length;
    writeFileSync(join(host.root, 'lazy/server.js'), app(then));
    await until('the change', () => (host.output().slice(seen).includes('app-changed') ? true : undefined));
  };
  await edit('2;');
  // In this time a process that does not wait for a request would have started.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.deepEqual(host.processes().filter(({ role }) => role === 'app').map(({ pid }) => String(pid)), [old]);
  const [first, second] = await Promise.all([get(url), get(url)]);
  assert.match(first.text, /^2; \d+$/);
  assert.equal(second.text, first.text);
  await until('the end of the old one', () => (isAlive(Number(old)) ? undefined : true));
  await edit("throw new Error('no');");
  assert.equal((await get(url)).status, 500);
  await edit('3;');
  assert.match((await get(url)).text, /^3; \d+$/);
});
