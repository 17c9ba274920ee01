// TLS as other programs meet it: curl, openssl and h2load against a host with its defaults; and what other users,
// and who finds a core file, get of its keys.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removedAfter, runCli, startHost, type RunningHost } from './host-fixture.ts';
import { get } from './http-client.ts';
import { made, madeAuthority } from './made-certificates.ts';
import { whyNoOtherUser } from './other-user.ts';

const authority = madeAuthority();
const NAMES = ['localhost', '127.0.0.1'];
const ec = made('localhost', { issuer: authority.issuer, names: NAMES });
const rsa = made('localhost', { kind: 'rsa', issuer: authority.issuer, names: NAMES });
const BODY_BYTES = 1_000_000;

const APP = `
require('node:http').createServer(async (request, response) => {
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  const { socket, httpVersion } = request;
  response.end(JSON.stringify({
    httpVersion, bytes, protocol: socket.getProtocol?.(), cipher: socket.getCipher?.().name,
    servername: socket.servername, alpnProtocol: socket.alpnProtocol,
  }) + '\\n');
}).listen(process.env.PORT);
`;

interface Served {
  host: RunningHost;
  port: number;
  place: string;
}

async function serve(t: TestContext): Promise<Served> {
  const host = await startHost({
    files: {
      'app/server.js': APP, 'ca.pem': authority.cert, 'body': 'x'.repeat(BODY_BYTES),
      'slip.yml': 'tls:\n  certificates: [{ cert: ec.pem }, { cert: rsa.pem }]\n',
      'ec.pem': ec.cert + ec.key, 'rsa.pem': rsa.cert + rsa.key,
    },
    config: 'slip.yml',
    args: ['--listen', 'http://127.0.0.1:0', '--listen', 'https://127.0.0.1:0'],
  });
  t.after(() => host.stop());
  const port = Number(/https:\/\/127\.0\.0\.1:(\d+)\//.exec(await host.line(/ready on .*https/))![1]);
  await get(`${host.url}app/`);
  return { host, port, place: host.root };
}

interface Ran {
  code: number | null;
  text: string;
}

async function run(command: string, words: readonly string[], input = ''): Promise<Ran> {
  const child = spawn(command, words, { stdio: ['pipe', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => (text += part));
  }
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, text };
}

function without(command: string, word: string): string | false {
  return spawnSync(command, [word]).error === undefined ? false : `${command} is not installed`;
}

test('curl is served over HTTP/1.1 and HTTP/2, with bodies both ways', { skip: without('curl', '-V') }, async (t) => {
  const { port, place } = await serve(t);
  const url = `https://localhost:${port}/app/`;
  const common = ['-sS', '--cacert', join(place, 'ca.pem'), '--resolve', `localhost:${port}:127.0.0.1`];
  for (const [word, version, alpn] of [['--http1.1', '1.1', 'http/1.1'], ['--http2', '2.0', 'h2']] as const) {
    for (const tls of [['--tlsv1.3'], ['--tls-max', '1.2']]) {
      const body = ['--data-binary', `@${join(place, 'body')}`];
      const { code, text } = await run('curl', [...common, word, ...tls, ...body, url, url]);
      assert.equal(code, 0, text);
      const answers = text.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
      assert.equal(answers.length, 2, text);
      const protocol = tls[0] === '--tlsv1.3' ? 'TLSv1.3' : 'TLSv1.2';
      for (const { cipher, ...seen } of answers) {
        const bytes = BODY_BYTES;
        assert.deepEqual(seen, { httpVersion: version, bytes, protocol, servername: 'localhost', alpnProtocol: alpn });
        assert.match(String(cipher), protocol === 'TLSv1.3' ? /^TLS_/ : /^ECDHE-/);
      }
    }
  }
});

/** A handshake with `openssl s_client`, and a request behind it. */
async function shake(port: number, ...words: string[]): Promise<Ran> {
  const all = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'localhost', '-ign_eof', ...words];
  return await run('openssl', all, 'GET /app/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
}

test('openssl agrees on what is safe and on nothing else, with the key that it can verify, and resumes', {
  skip: without('openssl', 'version'),
}, async (t) => {
  const { port, place } = await serve(t);
  const weak = 'ALL:@SECLEVEL=0';
  for (const words of [['-tls1_3'], ['-tls1_2'], ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256']]) {
    const session = join(place, `session-${words.join('')}`);
    const first = await shake(port, ...words, '-CAfile', join(place, 'ca.pem'), '-sess_out', session);
    assert.match(first.text, /Verify return code: 0 \(ok\)[^]*HTTP\/1\.1 200 OK/);
    assert.match(first.text, words.includes('-cipher') ? /Peer signature type: RSA/ : /Peer signature type: ECDSA/);
    assert.match((await shake(port, ...words, '-sess_in', session)).text, /Reused, TLSv1\.[23][^]*HTTP\/1\.1 200 OK/);
  }
  for (const words of [
    ['-tls1_1', '-cipher', weak], ['-tls1', '-cipher', weak],
    // No forward secrecy; no AEAD; no encryption at all.
    ...['AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-RSA-AES256-SHA384', 'eNULL'].map(
      (cipher) => ['-tls1_2', '-cipher', `${cipher}:@SECLEVEL=0`],
    ),
    ['-tls1_3', '-groups', 'P-521'],
  ]) {
    const { text } = await shake(port, ...words);
    assert.doesNotMatch(text, /HTTP\/1\.1 200/, words.join(' '));
    assert.match(text, /alert|no protocols available/, words.join(' '));
  }
  const many = await run('openssl', ['s_time', '-connect', `127.0.0.1:${port}`, '-time', '1', '-new', '-www', '/app/']);
  assert.match(many.text, /[1-9]\d* connections in/);
});

test('h2load has all of its requests answered', { skip: without('h2load', '--version') }, async (t) => {
  const { port } = await serve(t);
  const { text } = await run('h2load', ['-n', '500', '-c', '4', '-m', '8', `https://127.0.0.1:${port}/app/`]);
  assert.match(text, /500 succeeded, 0 failed, 0 errored, 0 timeout/);
  assert.match(text, /Application protocol: h2/);
});

const READER = `
const fs = require('node:fs');
require('node:http').createServer((request, response) => {
  const errors = JSON.parse(request.headers['x-paths']).map((path) => {
    try { fs.readFileSync(path); return 'read'; } catch (error) { return error.code; }
  });
  response.end(JSON.stringify({ uid: process.getuid(), errors }));
}).listen(process.env.PORT);
`;

test('an app of another user reads no key: not of the store, the configuration, or the memory of a front', {
  skip: whyNoOtherUser(),
}, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'slipstream-keys-'));
  removedAfter(t, place);
  chmodSync(place, 0o755);
  const root = join(place, 'root');
  mkdirSync(join(root, 'app'), { recursive: true });
  writeFileSync(join(root, 'app/server.js'), READER);
  writeFileSync(join(root, 'key.pem'), ec.key, { mode: 0o600 });
  writeFileSync(join(root, 'cert.pem'), ec.cert);
  const settings = 'tls: { certificates: [{ cert: cert.pem, key: key.pem }] }\ndefaults: { user: nobody }\n';
  writeFileSync(join(root, 'slipstream.yml'), `reservationFolder: ${join(place, 'run')}\n${settings}`);
  const host = await startHost({
    root, args: ['--listen', 'http://127.0.0.1:0', '--listen', 'https://127.0.0.1:0'],
  });
  t.after(() => host.stop());
  assert.equal((await runCli(['tls', 'dev'], host.home)).code, 0);
  const stored = readdirSync(join(host.home, 'tls'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => /PRIVATE KEY/.test(readFileSync(file, 'latin1')));
  assert.ok(stored.length >= 2);
  const pids = [host.pid, ...host.processes().filter(({ role }) => role === 'front').map(({ pid }) => pid)];
  const ofMemory = pids.flatMap((pid) => [`/proc/${pid}/mem`, `/proc/${pid}/environ`]);
  const keys = [...stored, join(root, 'key.pem'), ...ofMemory];
  const paths = JSON.stringify([...keys, join(root, 'cert.pem')]);
  const { uid, errors } = JSON.parse((await get(`${host.url}app/`, { headers: { 'x-paths': paths } })).text) as {
    uid: number;
    errors: string[];
  };
  assert.notEqual(uid, 0);
  assert.equal(errors.pop(), 'read', 'what is open can be read');
  for (const [index, path] of keys.entries()) assert.match(errors[index]!, /^E(?:ACCES|PERM)$/, path);
});

/** What a process writes of itself into a core file: a mask of kinds of memory. */
function coreFilter(pid: number | 'self'): number {
  return Number.parseInt(readFileSync(`/proc/${pid}/coredump_filter`, 'latin1'), 16);
}

test('a front leaves no core file, that of a host holds no memory, those of apps are as they were', {
  skip: process.platform !== 'linux' && 'only Linux has a filter for core files',
}, async (t) => {
  const { host } = await serve(t);
  const [front] = host.processes().filter(({ role }) => role === 'front').map(({ pid }) => pid);
  const [app] = host.processes().filter(({ role }) => role === 'app').map(({ pid }) => pid);
  const limitOf = (pid: number | 'self'): string =>
    /^Max core file size +(\S+ +\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'latin1'))![1]!;
  assert.match(limitOf(front!), /^0 +0$/);
  assert.equal(limitOf(app!), limitOf('self'));
  assert.deepEqual([coreFilter(host.pid), coreFilter(front!)], [0, 0]);
  assert.equal(coreFilter(app!), coreFilter('self'));
  assert.notEqual(coreFilter('self'), 0);
});
