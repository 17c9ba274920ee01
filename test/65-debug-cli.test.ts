// slipstream debug and slipstream attach as their users run them.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { removedAfter, startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

const CLI_PLACE = import.meta.url.endsWith('.ts') ? '../dist/src/cli/main.js' : '../src/cli/main.js';
const CLI = fileURLToPath(new URL(CLI_PLACE, import.meta.url));
const APP = "require('http').createServer((q, r) => r.end('hi')).listen(process.env.PORT);";

let host: RunningHost;
before(async () => {
  host = await startHost({ files: { 'shop/server.js': APP } });
});
after(() => host?.stop());

async function run(...words: string[]): Promise<{ code: number; text: string }> {
  const child = spawn(process.execPath, [CLI, ...words], {
    env: { ...process.env, SLIPSTREAM_HOME: host.home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => (text += part));
  }
  const [code] = (await once(child, 'close')) as [number];
  return { code, text };
}

test('debug prints a link that signs in once, and --revoke ends what it gave', async () => {
  const { code, text } = await run('debug', 'shop', '--role', 'observe');
  assert.equal(code, 0, text);
  const far = { headers: { 'x-forwarded-for': '203.0.113.9' } };
  const [link] = text.split('\n');
  const answer = await get(link!, far);
  assert.equal(answer.status, 303);
  assert.equal(answer.headers['location'], '/shop/debug/');
  assert.equal((await get(link!, far)).status, 403);
  // Who signs in to the debugger may read the logs, too.
  assert.equal((await run('debug', 'shop', '--revoke')).text, 'revoked: 1 of the debugger, 1 of the logs\n');
});

test('debug --brk starts and --kill ends a debugger', async () => {
  assert.match((await run('debug', 'shop', '--kill')).text, /not running/);
  const links = JSON.parse((await run('debug', '/shop/', '--brk', '--json')).text) as { links: string[] };
  assert.match(links.links[0]!, /\/shop\/debug\/\?link=[\w-]{32}$/);
  assert.equal((await get(`${host.url}shop/debug/cdp/alive`)).status, 204);
  assert.match((await run('debug', 'shop', '--kill')).text, /have been killed/);
});

test('debug --live attaches to the process that serves, and leaves it to serve', async () => {
  await get(`${host.url}shop/`);
  const [before] = host.processes().filter(({ role }) => role === 'app');
  const { text } = await run('debug', 'shop', '--live');
  assert.match(text, /\/shop\/debug\/\?link=[\w-]{32}\n$/);
  assert.equal((await get(`${host.url}shop/debug/cdp/alive`)).status, 204);
  assert.match((await run('debug', 'shop', '--kill')).text, /have been killed/);
  const left = host.processes().filter(({ role }) => role === 'app').map(({ pid }) => pid);
  assert.deepEqual(left, [before!.pid]);
});

test('debug --open opens the link that it prints, in the browser that BROWSER names', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'slip-browser-'));
  removedAfter(t, folder);
  const [browser, opened] = [join(folder, 'browser'), join(folder, 'opened')];
  writeFileSync(browser, `#!/bin/sh\nprintf %s "$1" > '${opened}.part' && mv '${opened}.part' '${opened}'\n`);
  chmodSync(browser, 0o755);
  process.env['BROWSER'] = browser;
  t.after(() => delete process.env['BROWSER']);
  const { text } = await run('debug', 'shop', '--open');
  await until('the browser is there', () => (existsSync(opened) ? true : undefined));
  assert.equal(`${readFileSync(opened, 'utf8')}\n`, text);
  assert.equal((await get(text.trim())).status, 303, 'nobody has used it');
});

test('what is wrong with the words is said', async () => {
  assert.match((await run('debug', 'none')).text, /APP_UNKNOWN/);
  assert.match((await run('debug', 'shop', '--role', 'king')).text, /OPTION_INVALID/);
  assert.match((await run('debug', 'shop', '--url', 'https://apps.example/sub')).text, /OPTION_INVALID/);
  assert.match((await run('attach')).text, /OPTION_INVALID/);
  assert.match((await run('attach', 'http://127.0.0.1:1/debug/')).text, /DEBUGGER_NOT_RUNNING/);
});

test('attach takes a one-time link and shows an inspector address', async () => {
  const [link] = (await run('debug', 'shop')).text.split('\n');
  const words = [CLI, 'attach', link!, '--port', '0'];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  await until('the address is shown', () => (text.includes('\n') ? true : undefined));
  const port = /^Debugger listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(text)?.[1];
  const list = (await get(`http://127.0.0.1:${port}/json/list`)).text;
  assert.match(list, /"type": "node"/);

  // A program that ends says why; whoever attaches again has a new one.
  const address = (JSON.parse(list) as { webSocketDebuggerUrl: string }[])[0]!.webSocketDebuggerUrl;
  const editor = new WebSocket(address);
  await once(editor, 'open');
  const expression = "setTimeout(() => { throw new Error('out of cheese'); }, 20)";
  editor.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }));
  const [code, reason] = (await once(editor, 'close')) as [number, Buffer];
  assert.deepEqual([code, String(reason)], [1000, 'Debug Session Ended']);
  const reported = /last lines of stderr:\n(?:.*\n)*Error: out of cheese/;
  await until('it is said', () => (reported.test(text) ? true : undefined));
  const next = new WebSocket(address);
  await once(next, 'open');
  next.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: 'process.pid' } }));
  const [answer] = (await once(next, 'message')) as [Buffer];
  const pidNow = (JSON.parse(String(answer)) as { result: { result: { value: number } } }).result.result.value;
  const pids = [...text.matchAll(/attached to shop, pid (\d+)/g)].map((match) => Number(match[1]));
  assert.equal(pids.length, 2);
  assert.equal(pids[1], pidNow);
  assert.notEqual(pids[0], pidNow);
  next.terminate();
  child.kill('SIGTERM');
  await once(child, 'exit');
});
