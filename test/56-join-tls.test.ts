// Programs with https servers: what they are given for TLS is not used, the host's certificates are, and nothing
// is served in clear that was meant to be encrypted.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get as getSecure } from 'node:https';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killProcess, processesMarked } from '../scripts/process-list.ts';
import { runCli } from './host-fixture.ts';
import { get, until } from './http-client.ts';
import { hostFor, run } from './join-program.ts';
import { made, madeAuthority } from './made-certificates.ts';

const authority = madeAuthority();
const server = made('localhost', { issuer: authority.issuer, names: ['localhost', '127.0.0.1'] });
const own = made('own.test');

const FILES = {
  'slip.yml': 'tls: { certificates: [{ cert: keys/server.pem, key: keys/server.key }] }\n',
  'keys/server.pem': server.cert,
  'keys/server.key': server.key,
};

/** Two https servers would warn twice; its words are the arguments of listen. */
const PROGRAM = `
const https = require('https');
const options = ${JSON.stringify({ key: own.key, cert: own.cert })};
const words = process.argv.slice(2).map((word) => /^\\d+$/.test(word) ? Number(word) : word);
process.on('warning', ({ code }) => console.log('warned ' + code));
for (const name of ['first', 'second']) {
  const server = https.createServer(options, (request, response) => {
    const { encrypted, servername } = request.socket;
    response.end([name, request.url, encrypted, servername, request.socket.getProtocol?.()].join(' '));
  });
  server.on('error', (error) => console.log(name + ' failed ' + error.code + ' ' + error.message));
  server.listen(...words, () => console.log(name + ' listens on ' + server.address().port));
}
`;

async function ask(url: string, ca = authority.cert): Promise<string> {
  const [response] = (await once(getSecure(url, { ca, agent: false }), 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  return text;
}

/** What comes back on a connection that speaks no TLS. */
async function askInClear(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  let text = '';
  socket.on('data', (piece: string) => (text += piece));
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(socket, 'close');
  return text;
}

test('an https server joins with the certificates of the host, and its own are named once as unused', async (t) => {
  const host = await hostFor(t, FILES, { config: 'slip.yml' });
  const program = run(t, host, PROGRAM, ['0', '127.0.0.1']);
  for (const name of ['first', 'second']) {
    const [, port] = await program.line(new RegExp(`${name} listens on (\\d+)`));
    assert.equal(await ask(`https://localhost:${port}/a?b`), `${name} /a?b true localhost TLSv1.3`);
    assert.doesNotMatch(await askInClear(Number(port)), /first|second/);
  }
  assert.equal((await program.line(/warned SLIPSTREAM_TLS_UNUSED(?![^]*UNUSED)/))[0], 'warned SLIPSTREAM_TLS_UNUSED');
});

test('an https server without a certificate in the host is refused with the ways to one', async (t) => {
  const host = await hostFor(t);
  const program = run(t, host, PROGRAM, ['0']);
  const [text] = await program.line(/first failed TLS_CERTIFICATE_MISSING .*/);
  assert.match(text, /slipstream tls dev .*slipstream tls add .*SLIPSTREAM_JOIN=off/);
  const native = run(t, host, PROGRAM, ['0', '127.0.0.1'], { env: { SLIPSTREAM_JOIN: 'off' } });
  const [, port] = await native.line(/first listens on (\d+)/);
  await assert.rejects(ask(`https://127.0.0.1:${port}/`));
});

test('http and https servers do not share a port, and the error names the holder', async (t) => {
  const host = await hostFor(t, FILES, { config: 'slip.yml' });
  const secure = run(t, host, PROGRAM, ['0']);
  const [, port] = await secure.line(/first listens on (\d+)/);
  const plain = run(t, host, PROGRAM.replaceAll('https', 'http'), [port!]);
  const [text] = await plain.line(/first failed EADDRINUSE .*/);
  assert.match(text, new RegExp(`https://\\*:${port}/ is held by process ${secure.child.pid} .*either http or https`));
});

test('an https server of a hosted app is told how each client came', async (t) => {
  const args = ['--listen', 'http://127.0.0.1:0', '--listen', 'https://127.0.0.1:0'];
  const app = PROGRAM.replace(/const words.*/, 'const words = [process.env.PORT];').replace(", 'second'", '');
  const host = await hostFor(t, { ...FILES, 'secret/server.js': app }, { config: 'slip.yml', args });
  const securePort = Number(/https:\/\/127\.0\.0\.1:(\d+)\//.exec(await host.line(/ready on .*https/))![1]);
  assert.match(await ask(`https://localhost:${securePort}/secret/x`), /^first \/secret\/x true localhost TLSv1\.3$/);
  assert.equal((await get(`${host.url}secret/x`)).text, 'first /secret/x false  ');
});

test('a host in the background takes the certificates of the home that it was started from', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'slipstream-background-'));
  const id = randomUUID();
  t.after(async () => {
    const left = (): { pid: number }[] => processesMarked(`SLIPSTREAM_TEST_HOST=${id}`);
    for (const { pid } of left()) killProcess(pid);
    await until('the end of all', () => (left().length === 0 ? true : undefined));
    rmSync(home, { recursive: true, force: true });
  });
  mkdirSync(join(home, 'keys'));
  writeFileSync(join(home, 'keys', 'pem'), server.cert);
  writeFileSync(join(home, 'keys', 'key'), server.key);
  const files = ['--cert', join(home, 'keys', 'pem'), '--key', join(home, 'keys', 'key')];
  const stored = await runCli(['tls', 'add', '--host', 'localhost', ...files], home);
  assert.equal(stored.code, 0, stored.stderr);
  const env = { SLIPSTREAM_TEST_HOST: id, SLIPSTREAM_JOIN: 'start' };
  const program = run(t, { home }, PROGRAM, ['0'], { env });
  const [, port] = await program.line(/first listens on (\d+)/);
  assert.equal(await ask(`https://localhost:${port}/`), 'first / true localhost TLSv1.3');
});
