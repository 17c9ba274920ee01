// Processes that are killed and apps that misbehave: every client gets an answer or a reset, nothing is left.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import * as tls from 'node:tls';
import { FAULT_APP, faultRound, openFiles, untilServed, type Victim } from './fault-round.ts';
import { startHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';
import { made } from './made-certificates.ts';

const REQUESTS = 500;

test('a killed front or app hangs no request, and the next one is served', async (t) => {
  const host = await startHost({ files: { 'app/server.js': FAULT_APP } });
  t.after(() => host.stop());
  await untilServed(host);
  assert.deepEqual(await faultRound(host, { victim: 'nobody', requests: REQUESTS, delayMs: 0 }), {
    answered: REQUESTS, refused: 0, cut: 0, hung: 0,
  });
  const before = openFiles(host);
  for (const victim of ['app', 'front', 'app', 'front'] satisfies Victim[]) {
    const outcomes = await faultRound(host, { victim, requests: REQUESTS, delayMs: 40 });
    assert.equal(outcomes.hung, 0, `${victim}: ${JSON.stringify(outcomes)}`);
    await untilServed(host);
  }
  await until('files are closed', () => {
    const { front, host: ofHost } = openFiles(host);
    return front <= before.front + 5 && ofHost <= before.host + 5 ? true : undefined;
  });
});

test('a killed host hangs no request and leaves no process', async () => {
  const host = await startHost({ files: { 'app/server.js': FAULT_APP } });
  try {
    await untilServed(host);
    const outcomes = await faultRound(host, { victim: 'host', requests: REQUESTS, delayMs: 40 });
    assert.equal(outcomes.hung, 0, JSON.stringify(outcomes));
  } finally {
    // Fails when a process is left.
    await host.stop();
  }
});

test('nobody is killed because a program says so: a front without a host ends what the host started', async (t) => {
  const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
  t.after(() => bystander.kill('SIGKILL'));
  const host = await startHost({
    files: {
      'liar/server.js': `Object.defineProperty(process, 'pid', { value: ${bystander.pid} });
        require('node:http').createServer((request, response) => response.end('fine')).listen(0);`,
    },
  });
  t.after(() => host.stop());
  assert.equal((await get(`${host.url}liar/`)).text, 'fine');
  const front = host.processes().find(({ role }) => role === 'front')!.pid;
  process.kill(host.pid, 'SIGKILL');
  await until('the end of the front', () => (isAlive(front) ? undefined : true));
  assert.equal(bystander.exitCode ?? bystander.signalCode, null);
  assert.equal(isAlive(bystander.pid!), true);
});

test('an app that writes too much, too little or another protocol costs only that exchange', async (t) => {
  const host = await startHost({
    files: {
      'app/server.js': `require('node:http').createServer((request, response) => {
        const write = (text) => response.socket.write(text, () => response.socket.end());
        if (request.url.endsWith('/much')) write('HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\n\\r\\nabc');
        else if (request.url.endsWith('/little')) write('HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nabc');
        else if (request.url.endsWith('/twice')) write('HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\n\\r\\na'.repeat(2));
        else if (request.url.endsWith('/other')) write('SSH-2.0-x\\r\\n');
        else if (request.url.endsWith('/never')) response.socket.destroy();
        else response.end('fine');
      }).listen(0);`,
    },
  });
  t.after(() => host.stop());
  for (const name of ['much', 'little', 'twice', 'other', 'never']) {
    await get(`${host.url}app/${name}`).then(
      ({ status }) => assert.ok(status === 200 || status === 502, `${name}: ${status}`),
      (error: NodeJS.ErrnoException) => assert.match(error.code ?? '', /ECONNRESET|HPE_/, name),
    );
    assert.equal((await get(`${host.url}app/`)).text, 'fine', name);
  }
});

test('a backend that is no app answers below its prefix, and 502 when it is gone', async (t) => {
  const backend = createServer((request, response) => {
    response.end(`${request.url} ${request.headers['x-forwarded-for']} ${request.headers.via}`);
  });
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const { port } = backend.address() as AddressInfo;
  const host = await startHost({
    files: { 'slipstream.yml': `backends:\n  /legacy/: http://127.0.0.1:${port}\n` },
  });
  t.after(async () => {
    backend.close();
    await host.stop();
  });
  assert.equal((await get(`${host.url}legacy/a?b`)).text, '/legacy/a?b undefined 1.1 slipstream');
  backend.close();
  backend.closeAllConnections();
  await until('502', async () => ((await get(`${host.url}legacy/`)).status === 502 ? true : undefined));
});

test('a listener that asks for PROXY protocol gives the app the address that the proxy tells', async (t) => {
  const origin = 'http://127.0.0.1:0';
  const host = await startHost({
    files: {
      'slipstream.yml': `listen: ['${origin}']\nproxyProtocol: ['${origin}']\n`,
      'app/server.js': `require('node:http').createServer((request, response) => {
        response.end(request.socket.remoteAddress + '|' + request.headers['x-forwarded-for']);
      }).listen(0);`,
    },
    args: ['--listen', origin],
  });
  t.after(() => host.stop());
  const socket = connect({ port: host.port, host: '127.0.0.1' });
  t.after(() => socket.destroy());
  socket.write('PROXY TCP4 192.0.2.7 10.0.0.1 4000 80\r\n');
  socket.write('GET /app/ HTTP/1.1\r\nHost: shop\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  await once(socket, 'close');
  assert.match(text, /\r\n\r\n192\.0\.2\.7\|192\.0\.2\.7$/);
});

test('the PROXY header stands in front of the TLS handshake, in both versions', async (t) => {
  const origin = 'https://127.0.0.1:0';
  const server = made('localhost', { names: ['localhost'] });
  const host = await startHost({
    files: {
      'slip.yml': `listen: ['http://127.0.0.1:0', '${origin}']
proxyProtocol: ['${origin}']
tls:
  certificates: [{ cert: s.pem, key: s.key }]
`,
      's.pem': server.cert,
      's.key': server.key,
      'app/server.js': `require('node:http').createServer((request, response) => {
        response.end(request.socket.remoteAddress + '|' + request.socket.encrypted);
      }).listen(0);`,
    },
    config: 'slip.yml',
    args: ['--listen', 'http://127.0.0.1:0', '--listen', origin],
  });
  t.after(() => host.stop());
  const port = Number(/https:\/\/127\.0\.0\.1:(\d+)\//.exec(await host.line(/ready on .*https/))![1]);
  const second = Buffer.concat([
    Buffer.from('0d0a0d0a000d0a515549540a', 'hex'), // The signature.
    Buffer.from('2111000c', 'hex'), // Version 2, PROXY; TCP over IPv4; 12 bytes.
    Buffer.from('c00002080a0000010fa00050', 'hex'), // 192.0.2.8:4000 to 10.0.0.1:80.
  ]);
  for (const [header, address] of [
    [Buffer.from('PROXY TCP4 192.0.2.7 10.0.0.1 4000 80\r\n'), '192.0.2.7'],
    [second, '192.0.2.8'],
  ] as const) {
    const raw = connect({ port, host: '127.0.0.1' });
    await once(raw, 'connect');
    raw.write(header);
    const socket = tls.connect({ socket: raw, ca: server.cert, servername: 'localhost' });
    t.after(() => socket.destroy());
    socket.write('GET /app/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    await once(socket, 'close');
    assert.equal(text.slice(text.indexOf('\r\n\r\n') + 4), `${address}|true`);
  }
});
