// Apps in folders, by real processes: discovery, start-up failures, recycling, and the death of each process.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { startHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';

const PID_APP = `
require('http').createServer((req, res) => {
  if (req.url.endsWith('/die')) process.kill(process.pid, 'SIGKILL');
  else if (req.url.endsWith('/half')) { res.write('half'); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50); }
  else if (req.url.endsWith('/slow')) setTimeout(() => res.end(String(process.pid)), 300);
  else res.end(JSON.stringify({ pid: process.pid, url: req.url, base: process.env.SLIPSTREAM_BASE_PATH,
    remote: req.socket.remoteAddress, key: process.env.SLIPSTREAM_KEY ?? null }));
}).listen(process.env.PORT);
`;

interface Seen {
  pid: number;
  url: string;
  base: string;
  remote: string;
  key: null;
}

async function see(url: string): Promise<Seen> {
  const got = await get(url);
  assert.equal(got.status, 200, got.text);
  return JSON.parse(got.text) as Seen;
}

test('a folder is an app by main, by start script or by entry name; other folders are not', async (t) => {
  const host = await startHost({
    files: {
      'by-main/package.json': '{"main":"lib/start.js"}',
      'by-main/lib/start.js': PID_APP,
      'by-script/package.json': '{"scripts":{"start":"node --stack-size=900 run.js x"}}',
      'by-script/run.js': PID_APP,
      'by-name/server.js': PID_APP,
      'nested/deeper/app.cjs': PID_APP,
      'esm/main.mjs': `import http from 'node:http'; const body = await Promise.resolve('esm');
        http.createServer((req, res) => res.end(body)).listen(3000);`,
      'none/readme.txt': 'text',
      'by-name/lib/index.js': 'throw new Error("a library is no app")',
      'node_modules/server.js': 'throw new Error("no app either")',
    },
  });
  t.after(() => host.stop());
  for (const place of ['by-main', 'by-script', 'by-name', 'nested/deeper']) {
    const seen = await see(`${host.url}${place}/some/path?q=1`);
    assert.equal(seen.url, `/${place}/some/path?q=1`);
    assert.equal(seen.base, `/${place}`);
    assert.equal(seen.remote, '127.0.0.1');
    assert.equal(seen.key, null);
  }
  assert.equal((await get(`${host.url}esm/`)).text, 'esm');
  for (const place of ['none/', 'none/readme.txt', 'node_modules/', 'nested/', 'package.json']) {
    assert.equal((await get(`${host.url}${place}`)).status, 404, place);
  }
});

test('the entry URL belongs to the app and sources are never served', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': PID_APP, 'shop/package.json': '{"main":"server.js"}' } });
  t.after(() => host.stop());
  const paths = ['shop', 'shop/', 'shop/server.js', 'shop/server.js/x/y?z', 'shop/package.json'];
  for (const path of [...paths, 'shop/../shop/']) {
    assert.equal((await see(host.url + path)).base, '/shop', path);
  }
  assert.equal((await get(`${host.url}shopping`)).status, 404);
});

test('the root itself may be an app', async (t) => {
  const host = await startHost({ files: { 'server.js': PID_APP } });
  t.after(() => host.stop());
  const seen = await see(`${host.url}any/thing`);
  assert.equal(seen.base, '');
  assert.equal(seen.url, '/any/thing');
});

test('the index page lists apps with their state and only for clients at this machine', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': PID_APP, 'blog/server.js': PID_APP } });
  t.after(() => host.stop());
  const page = await get(host.url);
  assert.equal(page.status, 200);
  for (const link of ['href="/shop/"', 'href="/shop/debug/"', 'href="/blog/"', 'href="/blog/debug/"']) {
    assert.ok(page.text.includes(link), link);
  }
  assert.match(page.text, /starts at the first request/);
  await see(`${host.url}shop/`);
  assert.match((await get(host.url)).text, /running/);
  for (const headers of [{ host: 'shop.example' }, { 'x-forwarded-for': '1.2.3.4' }]) {
    const seen = await get(host.url, { headers: headers as unknown as Record<string, string> });
    assert.notEqual(seen.status, 200);
    assert.ok(!seen.text.includes('/shop/debug/'));
  }
});

test('a folder that comes later works at its first request', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': PID_APP } });
  t.after(() => host.stop());
  assert.equal((await get(`${host.url}late/`)).status, 404);
  mkdirSync(join(host.root, 'late'));
  writeFileSync(join(host.root, 'late', 'server.js'), PID_APP);
  assert.equal((await see(`${host.url}late/`)).base, '/late');
});

test('200 first requests at once start one process', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': PID_APP } });
  t.after(() => host.stop());
  const all = await Promise.all(Array.from({ length: 200 }, () => see(`${host.url}shop/`)));
  assert.equal(new Set(all.map((seen) => seen.pid)).size, 1);
});

const FAILURES: { name: string; source: string; says: RegExp; code: string }[] = [
  { name: 'missing', source: `require('no-such-module')`, says: /no-such-module/, code: 'APP_EXITED' },
  { name: 'syntax', source: 'const = <b>', says: /SyntaxError/, code: 'APP_EXITED' },
  { name: 'exit', source: 'console.error("<i>bye</i>"); process.exit(3)', says: /3/, code: 'APP_EXITED' },
  { name: 'late', source: 'setInterval(() => {}, 1000)', says: /700 ms/, code: 'APP_START_TIMED_OUT' },
];

test('a failed start names the app, the reason and the last lines of stderr', async (t) => {
  const files: Record<string, string> = { 'slipstream.yml': 'defaults:\n  startTimeoutMs: 700\n' };
  for (const { name, source } of FAILURES) files[`${name}/server.js`] = source;
  const host = await startHost({ files, config: 'slipstream.yml' });
  t.after(() => host.stop());
  for (const { name, says, code } of FAILURES) {
    const page = await get(`${host.url}${name}/`, { headers: { accept: 'text/html' } });
    assert.equal(page.status, 500, name);
    assert.match(page.headers['content-type'] ?? '', /text\/html/);
    assert.ok(page.text.includes(name) && page.text.includes(code), page.text);
    assert.match(page.text, says);
    assert.doesNotMatch(page.text, /<i>|<b>/);
    const json = await get(`${host.url}${name}/`, { headers: { accept: 'application/json' } });
    assert.equal((JSON.parse(json.text) as { error: { code: string } }).error.code, code);
    const remote = await get(`${host.url}${name}/`, { headers: { accept: 'text/html', 'x-forwarded-for': '9.9.9.9' } });
    assert.equal(remote.status, 500);
    assert.ok(remote.text.includes(name) && !/bye|at Module|node:internal/.test(remote.text), remote.text);
  }
});

test('an edit that mends the file makes the next request work', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': 'throw new Error("broken")' } });
  t.after(() => host.stop());
  assert.equal((await get(`${host.url}shop/`)).status, 500);
  writeFileSync(join(host.root, 'shop/server.js'), PID_APP);
  assert.equal((await get(`${host.url}shop/`)).status, 200);
});

test('a killed app process fails only its own exchanges and the next request starts another', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': PID_APP, 'blog/server.js': PID_APP } });
  t.after(() => host.stop());
  const shop = await see(`${host.url}shop/`);
  const blog = await see(`${host.url}blog/`);
  const bystander = get(`${host.url}blog/slow`);
  const lost = await get(`${host.url}shop/die`);
  assert.equal(lost.status, 502);
  // Who is at this machine hears where the reason stands.
  assert.match(lost.text, /slipstream logs shop$/m);
  assert.equal((await bystander).text, String(blog.pid));
  const next = await see(`${host.url}shop/`);
  assert.notEqual(next.pid, shop.pid);
  await assert.rejects(get(`${host.url}shop/half`), /aborted|reset|hang up/i);
  await see(`${host.url}shop/`);
  assert.equal((await see(`${host.url}blog/`)).pid, blog.pid);
});

test('a killed front comes back with the apps untouched', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': PID_APP } });
  t.after(() => host.stop());
  const before = await see(`${host.url}shop/`);
  for (let round = 0; round < 3; round++) {
    const front = host.processes().find((child) => child.role === 'front');
    assert.ok(front);
    process.kill(front.pid, 'SIGKILL');
    await until('the front is gone', () => (isAlive(front.pid) ? undefined : true));
    // The host keeps the listening socket: this waits in its backlog and is not refused.
    assert.equal((await see(`${host.url}shop/`)).pid, before.pid);
  }
});

test('a killed host leaves no process', async (t) => {
  const spin = `${PID_APP}\nsetTimeout(() => { for (;;); }, 500);`;
  const files = { 'shop/server.js': PID_APP, 'spin/server.js': spin, 'stuck/server.js': 'for (;;);' };
  const host = await startHost({ files });
  t.after(() => host.stop());
  // It never listens, never looks at its link and never ends by itself.
  get(`${host.url}stuck/`).catch(() => {});
  await host.line(/app-starting app=stuck/);
  const pids = [(await see(`${host.url}shop/`)).pid, (await see(`${host.url}spin/`)).pid];
  const all = [...pids, ...host.processes().map((child) => child.pid)];
  process.kill(host.pid, 'SIGKILL');
  await until('all children ended', () => (all.some(isAlive) ? undefined : true), 8000);
});

test('1000 parallel requests while files change lose none', async (t) => {
  const version = (text: string): string =>
    `require('http').createServer((req, res) => setTimeout(() => res.end('${text}'), 5)).listen(0);`;
  const host = await startHost({ files: { 'shop/server.js': version('v0') } });
  t.after(() => host.stop());
  const file = join(host.root, 'shop/server.js');
  assert.equal((await get(`${host.url}shop/`)).text, 'v0');
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  t.after(() => agent.destroy());
  const texts = new Set<string>();
  let sent = 0;
  const clients = Array.from({ length: 50 }, async () => {
    while (sent < 1000 || !texts.has('v3')) {
      if (sent >= 1000) await new Promise((resolve) => setTimeout(resolve, 20));
      sent += 1;
      const got = await get(`${host.url}shop/`, { agent });
      assert.equal(got.status, 200, got.text);
      texts.add(got.text);
    }
  });
  for (let edit = 1; edit <= 3; edit++) {
    writeFileSync(file, version(`v${edit}`));
    await until(`v${edit} answers`, () => (texts.has(`v${edit}`) ? true : undefined));
  }
  await Promise.all(clients);
  assert.deepEqual([...texts].sort(), ['v0', 'v1', 'v2', 'v3']);
});

test('a change that breaks the app leaves the old process serving', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': PID_APP } });
  t.after(() => host.stop());
  const before = await see(`${host.url}shop/`);
  writeFileSync(join(host.root, 'shop/server.js'), 'this is no program');
  await until('the failure is logged', () => host.output().includes('SyntaxError') || undefined);
  assert.equal((await see(`${host.url}shop/`)).pid, before.pid);
  writeFileSync(join(host.root, 'shop/server.js'), PID_APP);
  await until('the mended app answers', async () => {
    return (await see(`${host.url}shop/`)).pid === before.pid ? undefined : true;
  });
});

test('the server on PORT is the app\'s, whatever listened before it', async (t) => {
  const host = await startHost({
    files: Object.fromEntries(['9100', '0'].map((port) => [`port-${port}/server.js`, `
      const http = require('http');
      http.createServer((request, response) => response.end('metrics')).listen(${port});
      http.createServer((request, response) => response.end('app')).listen(process.env.PORT);
    `])),
  });
  t.after(() => host.stop());
  for (const port of ['9100', '0']) assert.equal((await get(`${host.url}port-${port}/`)).text, 'app', port);
});
