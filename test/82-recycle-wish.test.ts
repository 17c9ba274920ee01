// Apps that ask for new processes themselves: by process.send, and by the control pipe of iisnode.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { once } from 'node:events';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';

const WISHING_APP = `
const net = require('net');
const pipe = process.env.IISNODE_CONTROL_PIPE;
require('http').createServer((request, response) => {
  const told = (error) => response.end(process.pid + ' ' + (error ? error.message : 'told'));
  if (request.url.endsWith('/wish')) process.send({ type: 'recycle' }, told);
  else if (request.url.endsWith('/other')) process.send('ready', undefined, {}, told);
  else if (request.url.endsWith('/pipe')) net.connect(pipe).on('connect', told).end('recycle');
  else if (request.url.endsWith('/env')) response.end(JSON.stringify([pipe, process.env.SLIPSTREAM_WISH]));
  else response.end(String(process.pid));
}).listen(process.env.PORT);
`;

async function hostFor(t: TestContext, files: Record<string, string>): Promise<RunningHost> {
  const host = await startHost({ files });
  t.after(() => host.stop());
  return host;
}

async function pidAt(url: string): Promise<number> {
  const { status, text } = await get(url);
  assert.equal(status, 200, text);
  return Number.parseInt(text, 10);
}

test('process.send with a wish gets new processes, without a lost request; other messages do nothing', async (t) => {
  const host = await hostFor(t, { 'shop/server.js': WISHING_APP });
  const url = `${host.url}shop/`;
  const old = await pidAt(url);
  assert.equal((await get(`${url}other`)).text, `${old} told`);
  assert.equal(await pidAt(url), old);
  assert.equal((await get(`${url}env`)).text, '[null,null]');
  assert.equal((await get(`${url}wish`)).text, `${old} told`);
  await until('another process', async () => ((await pidAt(url)) !== old ? true : undefined));
  await until('the end of the old one', () => (isAlive(old) ? undefined : true));
  await host.line(/app-reload app=shop reason="its own wish"/);
});

test('the control pipe takes the word in any case, in pieces and again, and nothing else', async (t) => {
  const host = await hostFor(t, {
    'shop/server.js': WISHING_APP,
    'shop/package.json': '{"main": "server.js"}',
    'shop/iisnode.yml': 'recycleSignalEnabled: true\n',
  });
  const url = `${host.url}shop/`;
  const first = await pidAt(url);
  const [path] = JSON.parse((await get(`${url}env`)).text) as [string];
  const wrong = connect(path);
  wrong.write('recycled');
  await once(wrong, 'close');
  assert.equal(await pidAt(url), first);
  assert.equal((await get(`${url}pipe`)).status, 200);
  const second = await until('another process', async () => {
    const pid = await pidAt(url);
    return pid === first ? undefined : pid;
  });
  const kept = connect(path);
  t.after(() => kept.destroy());
  await once(kept, 'connect');
  kept.write('REC');
  kept.write('ycle\n');
  const third = await until('a third process', async () => {
    const pid = await pidAt(url);
    return pid === second ? undefined : pid;
  });
  kept.write('recycle');
  await until('a fourth process', async () => ((await pidAt(url)) !== third ? true : undefined));
});

test('a program that wishes at each start is slowed, and serves', async (t) => {
  const host = await hostFor(t, { 'shop/server.js': `${WISHING_APP}process.send({ type: 'recycle' });` });
  const url = `${host.url}shop/`;
  await pidAt(url);
  await host.line(/app-changes-often|app-wishes-often/);
  await pidAt(url);
});

test('a worker of cluster tells its primary, which decides', async (t) => {
  const host = await hostFor(t, {
    'shop/server.js': `
      const cluster = require('cluster');
      if (cluster.isPrimary) {
        cluster.fork().on('message', (message) => process.send(message));
      } else {
        require('http').createServer((request, response) => {
          if (request.url.endsWith('/wish')) process.send({ type: 'recycle' });
          response.end(String(process.ppid));
        }).listen(process.env.PORT);
      }`,
  });
  const url = `${host.url}shop/`;
  const old = await pidAt(url);
  await pidAt(`${url}wish`);
  await until('another primary', async () => ((await pidAt(url)) !== old ? true : undefined));
});
