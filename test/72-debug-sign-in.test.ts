// Who may debug from elsewhere by who they are: a client certificate, or a user whom a trusted proxy names.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import https from 'node:https';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import WebSocket from 'ws';
import { KEY_FIELD } from '../src/wire/poll-messages.ts';
import { runCli, startHost, type RunningHost } from './host-fixture.ts';
import { get, type Got } from './http-client.ts';
import { made, madeAuthority } from './made-certificates.ts';

const authority = madeAuthority();
const server = made('localhost', { issuer: authority.issuer, names: ['localhost'] });
const clients = madeAuthority('clients');
const alice = made('alice', { issuer: clients.issuer, usages: ['clientAuth'] });
const stranger = made('stranger', { issuer: clients.issuer, usages: ['clientAuth'] });
const forger = made('alice', { issuer: madeAuthority('others').issuer, usages: ['clientAuth'] });

const APP = "require('http').createServer((q, s) => s.end(JSON.stringify(q.headers))).listen(process.env.PORT);";
const CONFIG = (proxies: string): string => `
debuggerUserField: X-Remote-User
debuggerUsers: { bob: full, eve: observe }
debuggerCertificates: { CN=alice: step }
trustedProxies: [${proxies}]
tls:
  certificates: [{ cert: keys/server.pem, key: keys/server.key }]
  clients: [{ certificates: request, trust: keys/clients.pem }]
`;

let host: RunningHost;
let securePort = 0;

function start(proxies: string): Promise<RunningHost> {
  const files = {
    'shop/server.js': APP,
    'broken/server.js': "throw new Error('told on stderr');",
    'slip.yml': CONFIG(proxies),
    'keys/server.pem': server.cert,
    'keys/server.key': server.key,
    'keys/clients.pem': clients.cert,
  };
  const listeners = ['http://127.0.0.1:0', 'https://127.0.0.1:0'];
  return startHost({ files, config: 'slip.yml', args: listeners.flatMap((origin) => ['--listen', origin]) });
}

before(async () => {
  host = await start('127.0.0.1');
  securePort = Number(/https:\/\/127\.0\.0\.1:(\d+)\//.exec(await host.line(/ready on .*https/))![1]);
});
after(() => host.stop());

/** From elsewhere, as far as the host can tell; a person opened it. */
const VISIT = {
  host: 'shop.example', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'none',
};

function visit(
  path: string,
  { cert, key }: { cert: string; key: string },
  more: https.RequestOptions = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const ours = { host: '127.0.0.1', port: securePort, path, agent: false, headers: VISIT, cert, key };
    const asked = https.request({ ...ours, ca: authority.cert, servername: 'localhost', ...more }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, text }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

const BY_PROGRAM = { method: 'POST', headers: { host: 'shop.example' } };

const roleIn = (text: string): string | undefined => /"role":"(\w+)"/.exec(text)?.[1];

test('a client certificate of the list opens the debugger, with its role; others do not', async () => {
  await get(`${host.url}shop/debug/`);
  const page = await visit('/shop/debug/', alice);
  assert.deepEqual([page.status, roleIn(page.text)], [200, 'step'], page.text.slice(0, 300));
  for (const other of [stranger, forger]) {
    assert.equal((await visit('/shop/debug/', other)).status, 403);
    const program = await visit('/shop/debug/cdp/sign-in', other, BY_PROGRAM);
    assert.equal(program.status, 403);
  }
  const program = await visit('/shop/debug/cdp/sign-in', alice, BY_PROGRAM);
  assert.deepEqual([program.status, roleIn(program.text)], [200, 'step']);
  // Script on a page of the app shows the same certificate.
  const scripted = { ...VISIT, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' };
  assert.equal((await visit('/shop/debug/', alice, { headers: scripted })).status, 403);
  // Not in this role.
  assert.equal((await visit('/shop/debug/?kill', alice)).status, 403);
  assert.equal((await get(`${host.url}shop/debug/cdp/alive`)).status, 204, 'it runs on');
  const audit = readFileSync(join(host.home, 'debugger', 'audit.jsonl'), 'utf8');
  assert.match(audit, /"certificate:CN=alice"/);
});

const named = (url: string, user: string, more: Record<string, string> = {}): Promise<Got> =>
  get(url, { headers: { ...VISIT, 'x-forwarded-for': '203.0.113.9', 'x-remote-user': user, ...more } });

test('a user whom a trusted proxy names opens the debugger, with the role of the list', async () => {
  await get(`${host.url}shop/debug/`);
  const bob = await named(`${host.url}shop/debug/`, 'bob');
  assert.deepEqual([bob.status, roleIn(bob.text)], [200, 'full']);
  const eve = await named(`${host.url}shop/debug/`, 'eve');
  assert.deepEqual([eve.status, roleIn(eve.text)], [200, 'observe']);
  assert.equal((await named(`${host.url}shop/debug/?kill`, 'eve')).status, 403);
  assert.equal((await get(`${host.url}shop/debug/cdp/alive`)).status, 204, 'it runs on');
  assert.equal((await named(`${host.url}shop/debug/`, 'mallory')).status, 403);
  assert.equal((await named(`${host.url}shop/debug/`, 'bob', { 'sec-fetch-dest': 'iframe' })).status, 403);
  assert.match((await named(`${host.url}shop/debug/?kill`, 'bob')).text, /have been killed/);
  // It may also start one.
  assert.equal((await named(`${host.url}shop/debug/`, 'bob')).status, 200);
});

type Caller = (path: string, more?: { method?: string; headers?: Record<string, string> }) => Promise<{
  status: number;
  text: string;
}>;

/** Two programs elsewhere, each known in its own way. */
const PROGRAMS: [string, Caller, Record<string, string>][] = [
  ['a client certificate', (path, { method = 'GET', headers = {} } = {}) => {
    return visit(path, alice, { method, headers: { host: 'shop.example', ...headers } });
  }, {}],
  ['the field of a trusted proxy', (path, { method = 'GET', headers = {} } = {}) => {
    const named = { host: 'shop.example', 'x-forwarded-for': '203.0.113.9', 'x-remote-user': 'bob' };
    return get(host.url + path.slice(1), { method, headers: { ...named, ...headers } });
  }, { 'x-forwarded-for': '203.0.113.9', 'x-remote-user': 'bob' }],
];

for (const [how, call, fields] of PROGRAMS) {
  test(`--revoke ends at once what ${how} opened: a held poll, a socket, and its key`, async () => {
    await get(`${host.url}shop/debug/`);
    const signedIn = async (): Promise<Record<string, string>> => {
      const { status, text } = await call('/shop/debug/cdp/sign-in', { method: 'POST' });
      assert.equal(status, 200, text);
      return { [KEY_FIELD]: (JSON.parse(text) as { key: string }).key };
    };
    const headers = await signedIn();
    const opened = async (shown = headers): Promise<string> => {
      const { status, text } = await call('/shop/debug/cdp/', { method: 'POST', headers: shown });
      assert.equal(status, 200, text);
      return `/shop/debug/cdp/${(JSON.parse(text) as { viewer: string }).viewer}`;
    };
    const [polling, listening] = [await opened(), await opened()];
    assert.equal((await call(`${polling}/send?n=0`, { method: 'POST' })).status, 400, 'a viewer of its own');
    const held = call(`${polling}/poll?ack=0`);
    const isSecure = fields['x-remote-user'] === undefined;
    const address = isSecure ? `https://127.0.0.1:${securePort}` : host.url.replace(/\/$/, '');
    const { cert, key } = alice;
    const socket = new WebSocket(`${address.replace(/^http/, 'ws')}${listening}/socket`, {
      headers: fields, ca: authority.cert, rejectUnauthorized: false, cert, key,
    });
    await once(socket, 'open');
    socket.send('{"ack":0}');
    socket.send('{"first":0,"messages":[{"id":1,"method":"Target.setDiscoverTargets","params":{"discover":true}}]}');
    await once(socket, 'message');
    assert.equal(socket.readyState, WebSocket.OPEN, 'it serves until then');
    const ended = once(socket, 'close');
    // A poll that is over by its own time says 200.
    const { code } = await runCli(['debug', 'shop', '--revoke'], host.home);
    assert.equal(code, 0);
    assert.match((await held).text, /revoked or is over/);
    assert.equal((await held).status, 410);
    await ended;
    for (const viewer of [polling, listening]) assert.equal((await call(`${viewer}/poll?ack=0`)).status, 410);
    assert.equal((await call('/shop/debug/cdp/', { method: 'POST', headers })).status, 403);
    // Who is still on the list may come again.
    await opened(await signedIn());
  });
}

test('who is known by certificate or proxy reads developer pages and logs; others see neither', async () => {
  const html = { ...VISIT, accept: 'text/html' };
  const bob = { ...html, 'x-forwarded-for': '203.0.113.9', 'x-remote-user': 'bob' };
  const pages: [string, number, (path: string) => Promise<{ status: number; text: string }>][] = [
    ['alice', 200, (path) => visit(path, alice, { headers: html })],
    ['bob', 200, (path) => get(host.url + path.slice(1), { headers: bob })],
    ['stranger', 404, (path) => visit(path, stranger, { headers: html })],
    ['mallory', 404, (path) => get(host.url + path.slice(1), { headers: { ...bob, 'x-remote-user': 'mallory' } })],
    ['alice, by script', 404, (path) => {
      return visit(path, alice, { headers: { ...html, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' } });
    }],
  ];
  for (const [who, logStatus, see] of pages) {
    const isKnown = logStatus === 200;
    const failed = await see('/broken/');
    assert.deepEqual([failed.status, /Error: told on stderr/.test(failed.text)], [500, isKnown], who);
    const logs = await see('/broken/debug/logs/');
    assert.deepEqual([logs.status, /Logs of broken/.test(logs.text)], [logStatus, isKnown], who);
    const file = /href="([^"]+\.txt)"/.exec(logs.text)?.[1];
    if (isKnown) assert.match((await see(file!)).text, /told on stderr/);
  }
});

/** Asks as another user of the machine, as a proxy there does that says nothing of its clients. */
function statusAs(uid: number, url: string): string {
  const script = `require('http').get(process.argv[1], (response) => {
    console.log(response.statusCode);
    response.resume();
  });`;
  const asked = spawnSync(process.execPath, ['-e', script, url], { uid, cwd: '/' });
  return String(asked.stdout).trim() + String(asked.stderr);
}

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const AS_ROOT = { skip: isRoot ? false : 'only root can ask as other users, and only Linux tells who asks' };

test('who runs as another user is no person at this machine: silent proxies, other people', AS_ROOT, async () => {
  const [WEB_SERVER, PERSON] = [33, 1000];
  await get(`${host.url}shop/debug/`);
  for (const path of ['shop/debug/', 'shop/debug/?kill', 'shop/debug/index.html']) {
    for (const uid of [WEB_SERVER, PERSON]) assert.equal(statusAs(uid, host.url + path), '403', `${uid} ${path}`);
  }
  assert.equal(statusAs(0, `${host.url}shop/debug/?kill`), '200', 'root is one everywhere');
});

test('who is no trusted proxy names nobody, to the debugger or to an app', async (t) => {
  const open = await start('192.0.2.1');
  t.after(() => open.stop());
  assert.equal((await named(`${open.url}shop/debug/`, 'bob')).status, 403);
  const seen = await named(`${open.url}shop/`, 'bob', { x_remote_user: 'bob', 'x-other': '1' });
  const fields = JSON.parse(seen.text) as Record<string, string>;
  assert.deepEqual([fields['x-remote-user'], fields['x_remote_user'], fields['x-other']], [undefined, undefined, '1']);
  const believed = JSON.parse((await named(`${host.url}shop/`, 'bob')).text) as Record<string, string>;
  assert.equal(believed['x-remote-user'], 'bob');
});
