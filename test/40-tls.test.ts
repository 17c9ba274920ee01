// TLS in the front, by real processes: what apps see of it, client certificates, renewal under load, the verbs.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get as getPlain, until } from './http-client.ts';
import { made, madeAuthority } from './made-certificates.ts';

const authority = madeAuthority();
const NAMES = ['localhost', '127.0.0.1'];
const server = made('localhost', { issuer: authority.issuer, names: NAMES });
const clientAuthority = madeAuthority('Client authority');
const alice = made('alice', { issuer: clientAuthority.issuer, usages: ['clientAuth'] });
const mallory = made('mallory');

const APP = `
const http = require('node:http');
http.createServer((req, res) => {
  if (req.url.endsWith('/wait')) return void setTimeout(() => res.end('waited'), 200);
  const { authorized, authorizationError, alpnProtocol, servername } = req.socket;
  res.end(JSON.stringify({
    version: req.httpVersion, major: req.httpVersionMajor, encrypted: req.socket.encrypted, host: req.headers.host,
    authorized, authorizationError, alpnProtocol, servername, subject: req.socket.getPeerCertificate?.().subject?.CN,
    protocol: req.socket.getProtocol?.(), cipher: req.socket.getCipher?.().name,
    client: { authorized: req.client.authorized, error: req.client.authorizationError,
      subject: req.client.getPeerCertificate?.().subject },
  }));
}).listen(process.env.PORT);
`;

const CONFIG = `
tls:
  certificates: [{ cert: keys/server.pem, key: keys/server.key }]
  clients: [{ certificates: request, trust: keys/clients.pem }]
`;

interface Seen {
  version: string;
  major: number;
  encrypted: boolean;
  host: string;
  authorized: boolean;
  authorizationError: string | null;
  alpnProtocol: string | false;
  servername: string | false;
  subject?: string;
  protocol: string;
  cipher: string;
  client: { authorized?: boolean; error?: string; subject?: string };
}

/** Runs `body` with a host that serves one app over http and https. */
async function withTls(body: (host: RunningHost, port: number) => Promise<void>): Promise<void> {
  const host = await startHost({
    files: {
      'echo/server.js': APP,
      'slip.yml': CONFIG,
      'keys/server.pem': server.cert,
      'keys/server.key': server.key,
      'keys/clients.pem': clientAuthority.cert,
    },
    config: 'slip.yml',
    args: ['--listen', 'http://127.0.0.1:0', '--listen', 'https://127.0.0.1:0'],
  });
  try {
    const port = Number(/https:\/\/127\.0\.0\.1:(\d+)\//.exec(await host.line(/ready on .*https/))![1]);
    await body(host, port);
  } finally {
    await host.stop();
  }
}

function get(port: number, path: string, options: https.RequestOptions = {}): Promise<string> {
  const { promise, resolve, reject } = deferred();
  const request = https.get({ host: '127.0.0.1', port, path, ca: authority.cert, agent: false, ...options });
  request.on('error', reject);
  request.on('response', (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    response.on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(text))));
    response.on('error', reject);
  });
  return promise;
}

function deferred(): { promise: Promise<string>; resolve(text: string): void; reject(error: Error): void } {
  let resolve!: (text: string) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<string>((one, other) => {
    resolve = one;
    reject = other;
  });
  return { promise, resolve, reject };
}

async function seenBy(port: number, options: https.RequestOptions = {}): Promise<Seen> {
  return JSON.parse(await get(port, '/echo/', options)) as Seen;
}

test('an app sees TLS, HTTP/1.1 and HTTP/2 as node shows them', async () => {
  await withTls(async (host, port) => {
    const plain = (await (await fetch(`${host.url}echo/`)).json()) as Seen;
    assert.equal(plain.encrypted, false);
    const first = await seenBy(port, { servername: 'localhost' });
    assert.equal(first.version, '1.1');
    assert.equal(first.encrypted, true);
    assert.equal(first.protocol, 'TLSv1.3');
    assert.equal(first.servername, 'localhost');
    assert.match(first.cipher, /^TLS_AES_|^TLS_CHACHA20_/);
    assert.deepEqual([first.authorized, first.authorizationError], [false, null]);
    assert.equal(first.client.authorized, undefined);
    const session = http2.connect(`https://127.0.0.1:${port}`, { ca: authority.cert });
    const stream = session.request({ ':path': '/echo/?h2' });
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    const second = JSON.parse(text) as Seen;
    assert.deepEqual([second.version, second.major, second.alpnProtocol], ['2.0', 2, 'h2']);
    assert.equal(second.host, `127.0.0.1:${port}`);
    session.destroy();
  });
});

test('client certificates reach the app, trusted or not', async () => {
  await withTls(async (_host, port) => {
    const good = await seenBy(port, { cert: alice.cert, key: alice.key });
    assert.equal(good.authorized, true);
    assert.equal(good.subject, 'alice');
    assert.deepEqual(good.client, { authorized: true, subject: 'CN=alice' });
    const bad = await seenBy(port, { cert: mallory.cert, key: mallory.key });
    assert.equal(bad.authorized, false);
    assert.equal(bad.authorizationError, 'DEPTH_ZERO_SELF_SIGNED_CERT');
    assert.deepEqual(bad.client, { authorized: false, error: 'CERT_E_UNTRUSTEDROOT', subject: 'CN=mallory' });
  });
});

test('20 renewals under load fail no request, and each is shown', async () => {
  await withTls(async (host, port) => {
    await get(port, '/echo/');
    const load = { isOver: false };
    let requests = 0;
    const clients = Array.from({ length: 4 }, async () => {
      while (!load.isOver) {
        await get(port, '/echo/wait');
        requests += 1;
      }
    });
    let renewal = server;
    for (let count = 0; count < 20; count++) {
      renewal = made('localhost', { issuer: authority.issuer, names: NAMES });
      writeFileSync(join(host.root, 'keys/server.key'), renewal.key);
      writeFileSync(join(host.root, 'keys/server.pem'), renewal.cert);
      await shown(port, renewal.cert);
    }
    load.isOver = true;
    await Promise.all(clients);
    assert.ok(requests > 0);
    assert.ok(!/PRIVATE KEY/.test(host.output()));
  });
});

test('redirects and HSTS hold as soon as they are configured, the debugger stays reachable', async () => {
  await withTls(async (host, port) => {
    const request = (path: string): Promise<Response> =>
      fetch(`${host.url}${path}`, { redirect: 'manual', method: 'POST', body: 'x' });
    assert.equal((await request('echo/')).status, 200);
    writeFileSync(join(host.root, 'slip.yml'), `${CONFIG}  hosts: [{ redirect: true, hsts: true }]\n`);
    const sent = await until('a redirect', async () => {
      const answer = await request('echo/?a=b');
      return answer.status === 308 ? answer : undefined;
    });
    assert.equal(sent.headers.get('location'), `https://127.0.0.1:${port}/echo/?a=b`);
    assert.equal(sent.headers.get('strict-transport-security'), null);
    const secure = https.get({ host: '127.0.0.1', port, path: '/echo/', ca: authority.cert, agent: false });
    const [answer] = (await once(secure, 'response')) as [IncomingMessage];
    assert.equal(answer.headers['strict-transport-security'], 'max-age=31536000');
    answer.resume();
    const door = await getPlain(`${host.url}echo/debug`);
    assert.equal(door.status, 301);
    assert.match(door.headers.location ?? '', /^(?:http:[^]*)?\/echo\/debug\/$/);
    assert.equal((await request('.well-known/acme-challenge/token')).status, 404);
    writeFileSync(join(host.root, 'slip.yml'), CONFIG);
    await until('no redirect', async () => ((await request('echo/')).status === 200 ? true : undefined));
  });
});

/** Resolves when new connections see the certificate. */
async function shown(port: number, cert: string): Promise<void> {
  for (;;) {
    const socket = tls.connect({ host: '127.0.0.1', port, ca: authority.cert });
    await once(socket, 'secureConnect');
    const isShown = socket.getPeerX509Certificate()!.toString().trim() === cert.trim();
    socket.destroy();
    if (isShown) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const HERE = import.meta.url;
const CLI = fileURLToPath(new URL(HERE.endsWith('.ts') ? '../dist/src/cli/main.js' : '../src/cli/main.js', HERE));

test('slipstream tls makes, stores, lists, checks and removes certificates', () => {
  const place = mkdtempSync(join(tmpdir(), 'slipstream-test-'));
  const home = join(place, 'home');
  const run = (...words: string[]): { status: number | null; text: string } => {
    const env = { ...process.env, SLIPSTREAM_HOME: home };
    const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'tls', ...words], { env, encoding: 'utf8' });
    return { status, text: stdout + stderr };
  };
  try {
    assert.match(run('list').text, /There are no certificates/);
    assert.match(run('dev').text, /authority\.pem/);
    writeFileSync(join(place, 'c.pem'), server.cert + authority.cert);
    writeFileSync(join(place, 'k.pem'), server.key);
    const files = ['--cert', join(place, 'c.pem'), '--key', join(place, 'k.pem')];
    assert.equal(run('add', '--host', '*', '--listen', '127.0.0.1:8443', ...files).status, 0);
    const wrong = run('add', '--host', 'other.test', ...files);
    assert.equal(wrong.status, 1);
    assert.match(wrong.text, /is for localhost, 127\.0\.0\.1, not for other\.test \[TLS_CERTIFICATE_INVALID\]/);
    assert.match(run('list').text, /^\* +ec/m);
    assert.match(run('list').text, /^https:\/\/127\.0\.0\.1:8443/m);
    assert.deepEqual(run('check'), {
      status: 0,
      text: ['*', '*.localhost', 'https://127.0.0.1:8443', 'localhost'].map((name) => `${name} (ec): good\n`).join(''),
    });
    assert.equal(run('remove', '*').status, 0);
    assert.match(run('remove', '*').text, /TLS_CERTIFICATE_UNKNOWN/);
    assert.equal(run('nonsense').status, 2);
    assert.ok(existsSync(join(home, 'tls', 'authority', 'authority.key')));
    if (process.platform === 'win32') return;
    for (const entry of readdirSync(home, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && /PRIVATE KEY/.test(readFileSync(path, 'latin1'))) {
        assert.equal(statSync(path).mode & 0o777, 0o600, path);
      }
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});
