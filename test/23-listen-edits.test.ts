// Edits of where to listen and whom to believe, while a host runs: what stays, what opens, what closes.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { get as getSecure } from 'node:https';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { HostSnapshot } from '../src/wire/status.ts';
import { runCli, startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';
import { made, madeAuthority } from './made-certificates.ts';

const APP = `
const held = [];
require('node:http').createServer((request, response) => {
  if (request.url.endsWith('/hold')) return held.push(response);
  for (const other of held.splice(0)) other.end('held');
  response.end(request.socket.remoteAddress + ' ' + request.headers['x-forwarded-for']);
}).listen(process.env.PORT);
`;

const FIRST = 'http://127.0.0.1:0';

/** Two fronts: each has to be told. */
function settings(listen: string[], more = ''): string {
  return `frontProcesses: 2\nlisten: ${JSON.stringify(listen)}\n${more}`;
}

async function hostAt(t: TestContext, listen: string[], more = ''): Promise<RunningHost> {
  const files = { 'slipstream.yml': settings(listen, more), 'app/server.js': APP };
  const host = await startHost({ files, listensByFile: true });
  t.after(() => host.stop());
  return host;
}

function edit(host: RunningHost, listen: string[], more = ''): void {
  writeFileSync(join(host.root, 'slipstream.yml'), settings(listen, more));
}

async function statusOf(host: RunningHost): Promise<HostSnapshot> {
  return JSON.parse((await runCli(['status', '--json'], host.home)).stdout) as HostSnapshot;
}

/** The URLs, once there are so many. */
function urlsOf(host: RunningHost, count: number): Promise<readonly string[]> {
  return until(`${count} listeners`, async () => {
    const { urls } = await statusOf(host);
    return urls?.length === count ? urls : undefined;
  });
}

function isRefused(url: string): Promise<boolean> {
  return get(url).then(() => false, (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED');
}

test('an edit of listen opens and closes listeners; what stays keeps its port and its connections', async (t) => {
  const host = await hostAt(t, [FIRST]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  assert.equal((await get(`${host.url}app/`, { agent })).status, 200);
  edit(host, [FIRST, 'http://127.0.0.2:0']);
  const [kept, added] = await urlsOf(host, 2);
  assert.equal(kept, host.url);
  await until('it answers there', async () => ((await isRefused(`${added}app/`)) ? undefined : true));
  const underWay = get(`${added}app/hold`);
  await until('it is held', async () => {
    return (await statusOf(host)).apps[0]!.processes![0]!.active === 1 ? true : undefined;
  });
  edit(host, [FIRST]);
  await until('it is closed', async () => ((await isRefused(added!)) ? true : undefined));
  const again = await get(`${host.url}app/`, { agent });
  assert.equal(again.status, 200);
  assert.equal((await underWay).text, 'held');
  assert.equal((await statusOf(host)).fronts!.every(({ restarts }) => restarts === 0), true);
});

test('an address that cannot be had refuses the whole edit, and status says why', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const host = await hostAt(t, [FIRST]);
  const { port } = taken.address() as AddressInfo;
  edit(host, [FIRST, `http://127.0.0.1:${port}`], 'limits: { targetBytesMax: 64 }\n');
  await host.line(/config-rejected/);
  const { urls, configProblem } = await statusOf(host);
  assert.deepEqual(urls, [host.url]);
  assert.match(configProblem ?? '', /the port is taken by another process/);
  assert.equal((await get(`${host.url}app/?${'x'.repeat(100)}`)).status, 200);
});

test('an edit that leaves nowhere to listen is refused', async (t) => {
  const host = await hostAt(t, [FIRST]);
  edit(host, []);
  await host.line(/config-rejected.*nothing to listen on/);
  assert.equal((await get(`${host.url}app/`)).status, 200);
});

test('an edit of trustedProxies and proxyProtocol holds for the next connections', async (t) => {
  const host = await hostAt(t, [FIRST]);
  const headers = { 'X-Forwarded-For': '192.0.2.9' };
  const seen = async (): Promise<string> => (await get(`${host.url}app/`, { headers })).text;
  assert.equal(await seen(), '127.0.0.1 192.0.2.9, 127.0.0.1');
  edit(host, [FIRST], 'trustedProxies: [10.0.0.0/8]\n');
  await until('nobody here is believed', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, seen));
    return all.every((text) => text === '127.0.0.1 127.0.0.1') ? true : undefined;
  });
  edit(host, [FIRST], `proxyProtocol: ['${FIRST}']\n`);
  const answer = async (): Promise<string> => {
    const socket = connect(host.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('PROXY TCP4 192.0.2.7 10.0.0.1 4000 80\r\nGET /app/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    let text = '';
    socket.on('data', (piece: Buffer) => (text += piece.toString('latin1')));
    await once(socket, 'close');
    return text;
  };
  await until('the header is read', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, answer));
    return all.every((text) => text.endsWith('192.0.2.7 192.0.2.7')) ? true : undefined;
  });
});

test('a listener with TLS is opened once there is a certificate', async (t) => {
  const authority = madeAuthority();
  const server = made('localhost', { issuer: authority.issuer, names: ['localhost', '127.0.0.1'] });
  const host = await hostAt(t, [FIRST]);
  edit(host, [FIRST, 'https://127.0.0.1:0']);
  await host.line(/config-rejected.*TLS_CERTIFICATE_MISSING/);
  writeFileSync(join(host.root, 's.pem'), server.cert);
  writeFileSync(join(host.root, 's.key'), server.key);
  edit(host, [FIRST, 'https://127.0.0.1:0'], 'tls: { certificates: [{ cert: s.pem, key: s.key }] }\n');
  const [, url] = await urlsOf(host, 2);
  const statuses = await until('TLS answers', () => Promise.all(Array.from({ length: 20 }, async () => {
    const [response] = await once(getSecure(`${url}app/`, { ca: authority.cert, agent: false }), 'response');
    return (response as { statusCode: number }).statusCode;
  })).catch(() => undefined));
  assert.deepEqual([...new Set(statuses)], [200]);
});

test('the command line says where to listen, whatever the file is edited to', async (t) => {
  const host = await startHost({ files: { 'slipstream.yml': settings([]), 'app/server.js': APP } });
  t.after(() => host.stop());
  edit(host, ['http://127.0.0.2:0']);
  await host.line(/config-changed/);
  assert.deepEqual((await statusOf(host)).urls, [host.url]);
  assert.equal((await get(`${host.url}app/`)).status, 200);
});

/** The first line of the answer to a request with raw bytes in its target, and its last. */
async function rawAnswer(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const head = 'GET /app/caf\xe9?\xc3\xa9 HTTP/1.1\r\nHost: a\r\nx-forwarded-for: 9.9.9.9\r\nConnection: close\r\n\r\n';
  socket.write(Buffer.from(head, 'latin1'));
  let text = '';
  for await (const bytes of socket.setEncoding('latin1')) text += bytes as string;
  return `${text.split('\r\n')[0]} ${text.split('\r\n').at(-1)}`;
}

test('raw bytes in a target are read on a lenient listener, and refused on every other one', async (t) => {
  const listen = ['http://127.0.0.2:0', 'http://127.0.0.3:0'];
  const app = `require('node:http').createServer((asked, answer) => answer.end(asked.url)).listen(process.env.PORT)`;
  const config = settings(listen, 'lenientListeners: ["http://127.0.0.3:0"]\n');
  const host = await startHost({ files: { 'slipstream.yml': config, 'app/server.js': app }, listensByFile: true });
  t.after(() => host.stop());
  const [strict, lenient] = await urlsOf(host, 2);
  assert.match(await rawAnswer(strict!), /^HTTP\/1\.1 400 .*REQUEST_INVALID/s);
  assert.equal(await rawAnswer(lenient!), 'HTTP/1.1 200 OK /app/caf%E9?%C3%A9');
  writeFileSync(join(host.root, 'slipstream.yml'), settings(listen, 'lenientListeners: ["http://127.0.0.2:0"]\n'));
  await until('the edit holds', async () => ((await rawAnswer(strict!)).includes(' 200 ') ? true : undefined));
  await until('for all fronts', async () => ((await rawAnswer(lenient!)).includes(' 400 ') ? true : undefined));
  writeFileSync(join(host.root, 'slipstream.yml'), settings(listen, 'lenientListeners: ["http://127.0.0.2"]\n'));
  await until('it is refused', async () => {
    const { configProblem } = await statusOf(host);
    return configProblem?.includes('did you mean "http://127.0.0.2:0"?') ? true : undefined;
  });
});
