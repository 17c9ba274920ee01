// TLS as its owner meets it: https prefixes of programs, PKCS #12 files, who can read keys, what is ever printed.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import * as https from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { runCli, startHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';
import { hostFor, run, SAYS_PID } from './join-program.ts';
import { inDays, made, madeAuthority } from './made-certificates.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function secureGet(port: number, path: string, ca: string): Promise<string> {
  const request = https.get({ host: '127.0.0.1', port, path, ca, agent: false });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return text;
}

test('a program that joins listens on https, and a port speaks either https or http', async (t) => {
  const host = await hostFor(t);
  const port = await freePort();
  const secure = `https://*:${port}/foo/`;
  const without = run(t, host, SAYS_PID, [secure]);
  const [missing] = await without.line(/failed \S+ .*/);
  assert.match(missing, /TLS_CERTIFICATE_MISSING .*https:\/\/\*:\d+.*slipstream tls dev/);
  await without.end();
  assert.equal((await runCli(['tls', 'dev'], host.home)).code, 0);
  const ca = readFileSync(join(host.home, 'tls', 'authority', 'authority.pem'), 'utf8');
  const first = run(t, host, SAYS_PID, [secure]);
  await first.line(/listens on/);
  assert.equal(await secureGet(port, '/foo/x', ca), `${first.child.pid} /foo/x`);
  for (const place of [`http://*:${port}/bar/`, String(port)]) {
    const other = run(t, host, SAYS_PID, [place]);
    const [said] = await other.line(/failed \S+ .*/);
    assert.ok(said.includes(`http://*:${port}/`) && said.includes(secure), said);
    assert.match(said, new RegExp(`process ${first.child.pid} .* either http or https`));
    await other.end();
  }
  const taken = run(t, host, SAYS_PID, [`https://*:${host.port}/foo/`]);
  assert.match((await taken.line(/failed \S+ .*/))[0], /the host listens on http:.* either http or https/);
  first.child.kill('SIGTERM');
  await first.line(/closed/);
  const plain = run(t, host, SAYS_PID, [`http://*:${port}/foo/`]);
  await plain.line(/listens on/);
  assert.equal((await get(`http://127.0.0.1:${port}/foo/y`)).text, `${plain.child.pid} /foo/y`);
});

test('a hosted program that listens on an https prefix is served where its folder is', async (t) => {
  const host = await hostFor(t, {
    'shop/server.js': `require('node:http').createServer((request, response) => response.end(request.url))
      .listen('https://*:8443/foo/');`,
  });
  assert.equal((await get(`${host.url}shop/x`)).text, '/shop/x');
});

test('slipstream tls add takes PKCS #12, and says why it does not', async () => {
  const place = mkdtempSync(join(tmpdir(), 'slipstream-test-'));
  const home = join(place, 'home');
  try {
    const pair = made('pfx.test', { kind: 'rsa', names: ['pfx.test'] });
    writeFileSync(join(place, 'c.pem'), pair.cert);
    writeFileSync(join(place, 'k.pem'), pair.key);
    const file = join(place, 'c.pfx');
    const made12 = spawnSync('openssl', [
      'pkcs12', '-export', '-in', join(place, 'c.pem'), '-inkey', join(place, 'k.pem'), '-out', file,
      '-passout', 'pass:open sesame',
    ]);
    assert.equal(made12.status, 0, String(made12.stderr));
    const add = async (passphrase: string | undefined): ReturnType<typeof runCli> => {
      if (passphrase === undefined) delete process.env['SLIPSTREAM_PFX_PASSPHRASE'];
      else process.env['SLIPSTREAM_PFX_PASSPHRASE'] = passphrase;
      return runCli(['tls', 'add', '--host', 'pfx.test', '--pfx', file], home);
    };
    for (const wrong of ['sesame', undefined]) {
      const refused = await add(wrong);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /cannot read .*c\.pfx: .*\[TLS_CERTIFICATE_INVALID\]/);
      assert.doesNotMatch(refused.stderr, /open sesame|PRIVATE/);
    }
    assert.equal((await add('open sesame')).code, 0);
    assert.match((await runCli(['tls', 'list'], home)).stdout, /^pfx\.test +rsa/m);
  } finally {
    delete process.env['SLIPSTREAM_PFX_PASSPHRASE'];
    rmSync(place, { recursive: true, force: true });
  }
});

test('slipstream tls list says where certificates are shown; what is stored or removed shows at once', async (t) => {
  const authority = madeAuthority();
  const one = made('one.test', { issuer: authority.issuer, names: ['one.test'] });
  const soon = made('soon.test', { issuer: authority.issuer, names: ['soon.test'], notAfter: inDays(20) });
  const host = await startHost({
    files: {
      'slip.yml': 'tls:\n  certificates: [{ cert: one.pem, key: one.key }]\n',
      'one.pem': one.cert + authority.cert, 'one.key': one.key, 'soon.pem': soon.cert + authority.cert + soon.key,
    },
    config: 'slip.yml',
    args: ['--listen', 'http://127.0.0.1:0', '--listen', 'https://127.0.0.1:0'],
  });
  t.after(() => host.stop());
  const [origin] = /https:\/\/127\.0\.0\.1:\d+/.exec(await host.line(/ready on .*https/))!;
  const add = await runCli(['tls', 'add', '--host', 'soon.test', '--cert', join(host.root, 'soon.pem')], host.home);
  assert.deepEqual([add.code, /ends on/.test(add.stdout), /expires on/.test(add.stderr)], [0, true, true]);
  const listed = await until('both', async () => {
    const { stdout } = await runCli(['tls', 'list'], host.home);
    return stdout.split(origin).length === 3 ? stdout : undefined;
  });
  const day = new Date(new X509Certificate(soon.cert).validTo).toISOString().slice(0, 10);
  const print = new X509Certificate(soon.cert).fingerprint256.slice(0, 23);
  assert.ok(listed.includes(day) && listed.includes(print), listed);
  assert.match(listed, /^soon\.test +ec .*https:\/\/127\.0\.0\.1:\d+$/m);
  assert.match(listed, /^one\.test +ec .*https:\/\/127\.0\.0\.1:\d+$/m);
  assert.match((await runCli(['status'], host.home)).stdout, /certificate for soon\.test: expires on .*, in \d+ days/);
  assert.match(await host.line(/certificate-warning/), /soon\.test: expires on/);
  const subject = (): Promise<string> => new Promise((resolve, reject) => {
    const port = Number(new URL(origin).port);
    const socket = tls.connect({ host: '127.0.0.1', port, servername: 'soon.test', rejectUnauthorized: false });
    socket.on('error', reject).on('secureConnect', () => {
      resolve(socket.getPeerX509Certificate()!.subject);
      socket.destroy();
    });
  });
  assert.equal(await subject(), 'CN=soon.test');
  assert.equal((await runCli(['tls', 'remove', 'soon.test'], host.home)).code, 0);
  await until('the other', async () => ((await subject()) === 'CN=one.test' ? true : undefined));
});

/** Whether a file can be read by a user. */
function canRead(file: string, uid: number): boolean {
  const program = `try { require('node:fs').readFileSync(process.argv[1]); console.log('read'); }
    catch (error) { console.log(error.code); }`;
  const { stdout } = spawnSync(process.execPath, ['-e', program, file], { uid, gid: uid, encoding: 'utf8', cwd: '/' });
  assert.match(stdout, /read|EACCES/);
  return stdout.startsWith('read');
}

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

test('another user of the machine cannot read keys', { skip: !isRoot && 'needs root, for a second user' }, async () => {
  const place = mkdtempSync(join(tmpdir(), 'slipstream-test-'));
  const home = join(place, 'home');
  try {
    // What keeps others out is what the program made, not the folder of the test.
    chmodSync(place, 0o755);
    assert.equal((await runCli(['tls', 'dev'], home)).code, 0);
    const files = readdirSync(home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const keys = files.map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => /PRIVATE KEY/.test(readFileSync(file, 'latin1')));
    assert.ok(keys.length >= 2);
    for (const file of keys) {
      assert.equal(canRead(file, NOBODY), false, file);
      assert.equal(canRead(file, 0), true, file);
    }
    writeFileSync(join(place, 'open'), '', { mode: 0o644 });
    assert.equal(canRead(join(place, 'open'), NOBODY), true);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

test('nothing that is printed or answered holds key material, also when keys are broken', async (t) => {
  const authority = madeAuthority();
  const good = made('localhost', { issuer: authority.issuer, names: ['localhost', '127.0.0.1'] });
  const stranger = made('localhost');
  const host = await startHost({
    files: {
      'slip.yml': 'tls:\n  certificates: [{ cert: c.pem, key: k.pem }]\n', 'c.pem': good.cert, 'k.pem': good.key,
    },
    config: 'slip.yml',
    args: ['--listen', 'http://127.0.0.1:0', '--listen', 'https://127.0.0.1:0'],
  });
  t.after(() => host.stop());
  const said: string[] = [];
  /** Behind what all keys of a kind begin with. */
  const inner = (key: string): string => key.split('\n')[1]!.slice(40, 60);
  const half = `${good.key.slice(0, 80)}\n-----END PRIVATE KEY-----\n`;
  for (const [key, reason] of [[stranger.key, /k\.pem|c\.pem/], [half, /k\.pem/], ['no key', /k\.pem/]] as const) {
    writeFileSync(join(host.root, 'k.pem'), key);
    await until('a refusal', async () => {
      const { stdout } = await runCli(['status', '--json'], host.home);
      said.push(stdout);
      return reason.test(stdout) || /refused/.test(stdout) ? true : undefined;
    });
  }
  for (const words of [['status'], ['tls', 'check'], ['config', 'explain', '--json'], ['tls', 'list', '--json']]) {
    const { stdout, stderr } = await runCli(words, host.home);
    said.push(stdout, stderr);
  }
  said.push(host.output(), (await get(host.url)).text);
  for (const text of said) {
    assert.doesNotMatch(text, /PRIVATE KEY/);
    for (const key of [good.key, stranger.key]) assert.ok(!text.includes(inner(key)));
  }
});
