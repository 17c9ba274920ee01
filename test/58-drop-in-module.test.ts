// The module itself: what it exports to CommonJS, to ES modules and through process.getBuiltinModule, and that a
// program which asks for it in either way, or has the preload in either way, serves through the host.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { runCli } from './host-fixture.ts';
import { get } from './http-client.ts';
import { hostFor, PRELOAD, run } from './join-program.ts';

const HERE = import.meta.url;
const DIST = HERE.endsWith('.ts') ? '../dist/' : '../';
const placeOf = (path: string): string => fileURLToPath(new URL(`${DIST}${path}`, HERE));
const REQUIRED = JSON.stringify(placeOf('client.cjs'));
const IMPORTED = JSON.stringify(new URL(`${DIST}src/client/client.js`, HERE).href);

/** What both kinds of programs look at: `drop` is the module, `nodes` are those of node as they had them before. */
const LOOK = `
const CLIENT = ['STATUS_CODES', 'IncomingMessage', 'OutgoingMessage', 'Agent', 'globalAgent', 'ClientRequest',
  'request', 'get', 'METHODS', 'validateHeaderName', 'maxHeaderSize', 'Server', 'ServerResponse', 'createServer'];
function look(drop, nodes) {
  const { http, https } = nodes;
  const same = (made, module) => CLIENT.filter((name) => name in module && made[name] !== module[name]);
  return {
    memoised: [drop.http() === drop.http(), drop.https() === drop.https(), drop.http() === drop.https()],
    other: [same(drop.http(), http), same(drop.https(), https)],
    servers: [typeof drop.https().Server, drop.http().ServerRequest === http.IncomingMessage],
    versions: [drop.http().httpsys_version, drop.https().httpsys_version],
    halves: [typeof drop.http.slipstream, typeof drop.https.slipstream],
  };
}
`;
const COMMONJS = `${LOOK}
const nodes = { http: require('http'), https: require('node:https') };
const drop = require(${REQUIRED});
const seen = look(drop, nodes);
const marks = () => [require('http'), require('node:http'), require('https'), process.getBuiltinModule('http'),
  process.getBuiltinModule('node:https')].map(({ httpsys_version }) => httpsys_version);
drop.http.slipstream();
const half = marks();
drop.slipstream();
const all = () => JSON.stringify({ ...seen, half, whole: marks() });
const server = drop.http().createServer((request, response) => response.end(all()));
server.listen(0, '127.0.0.1', () => console.log('listens on ' + server.address().port));
`;
const MODULE = `
import * as drop from ${IMPORTED};
import http, { createServer } from 'node:http';
import https from 'https';
${LOOK}
const seen = look(drop, { http, https });
const marks = () => [http, http, https, process.getBuiltinModule('http'), process.getBuiltinModule('node:https')]
  .map(({ httpsys_version }) => httpsys_version);
drop.http.slipstream();
const half = marks();
drop.slipstream();
const all = () => JSON.stringify({ ...seen, half, whole: marks() });
const server = createServer((request, response) => response.end(all()));
server.listen(0, '127.0.0.1', () => console.log('listens on ' + server.address().port));
`;
/** References taken before the drop-in comes serve through the host, too. */
const EARLY = `
const { createServer, Server } = require('http');
require(${REQUIRED}).slipstream();
const server = new Server((request, response) => response.end(String(server instanceof Server)));
createServer((request, response) => response.end('made before')).listen(0, '127.0.0.1', function () {
  server.listen(0, '127.0.0.1', () => console.log('listens on ' + server.address().port));
});
`;
const PLAIN = `
const server = require('http').createServer((request, response) => response.end('plain'));
server.listen(0, '127.0.0.1', () => console.log('listens on ' + server.address().port));
`;

/** Tries to send what it serves to a child, and as a child to its parent; then what node itself can send. */
const SENDS = `
const { fork } = require('child_process');
const http = require('http');
const net = require('net');
const attempt = (channel, handle) => {
  try { return channel.send('a', handle); } catch (error) { return error.code + (error instanceof TypeError); }
};
if (process.send !== undefined) {
  const server = http.createServer().listen(0, '127.0.0.1', () => process.send({ code: attempt(process, server) }));
  process.on('message', (message, handle) => process.send({ got: handle.constructor.name }));
} else {
  const server = http.createServer(async (request, response) => {
    const child = fork(__filename);
    const once = () => new Promise((resolve) => child.once('message', resolve));
    const tried = [attempt(child, request.socket), attempt(child, server), (await once()).code];
    const plain = net.createServer().listen(0, '127.0.0.1', async () => {
      child.send('b', plain);
      const { got } = await once();
      plain.close();
      child.disconnect();
      child.kill();
      response.end(JSON.stringify([...tried, got]));
    });
  });
  server.listen(0, '127.0.0.1', () => console.log('listens on ' + server.address().port));
}
`;

test('a server or socket without a descriptor cannot be sent to another process, and send says so', async (t) => {
  const host = await hostFor(t);
  const [, port] = await run(t, host, SENDS).line(/listens on (\d+)/);
  const refused = 'ERR_INVALID_HANDLE_TYPEtrue';
  assert.deepEqual(JSON.parse((await get(`http://127.0.0.1:${port}/`)).text), [refused, refused, refused, 'Server']);
});

test('the module is the same to CommonJS and to ES modules, and programs join by it or by the preload', async (t) => {
  const host = await hostFor(t);
  const register = new URL(`${DIST}src/client/register.js`, HERE).href;
  const rows: [source: string, flags: string[], isModule: boolean][] = [
    [COMMONJS, [], false],
    [MODULE, [], true],
    [EARLY, [], false],
    [PLAIN, ['--require', PRELOAD], false],
    [PLAIN, ['--import', register], false],
  ];
  const texts: string[] = [];
  for (const [source, flags, isModule] of rows) {
    const program = run(t, host, source, [], { flags, isModule });
    const [, port] = await program.line(/listens on (\d+)/);
    texts.push((await get(`http://127.0.0.1:${port}/`)).text);
    const { joined = [] } = JSON.parse((await runCli(['status', '--json'], host.home)).stdout) as {
      joined?: { pid: number; prefix: string }[];
    };
    const prefix = `http://127.0.0.1:${port}/`;
    assert.ok(joined.some((row) => row.pid === program.child.pid && row.prefix === prefix), `${flags} ${source}`);
  }
  const [commonjs, module, early, required, imported] = texts;
  const { version } = JSON.parse((await runCli(['status', '--json'], host.home)).stdout) as { version: string };
  const seen = {
    memoised: [true, true, false],
    other: [[], []],
    servers: ['function', true],
    versions: [version, version],
    halves: ['function', 'function'],
    half: [version, version, null, version, null],
    whole: [version, version, version, version, version],
  };
  assert.deepEqual(JSON.parse(commonjs!), seen);
  assert.deepEqual(JSON.parse(module!), seen);
  assert.deepEqual([early, required, imported], ['true', 'plain', 'plain']);
});
