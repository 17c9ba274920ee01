import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import nodeHttp from 'node:http';
import nodeHttps from 'node:https';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { http, https, isLocalRequest, slipstream } from './client.ts';

const require = createRequire(import.meta.url);

test('http() and https() are the same objects at every call, with the members of node', () => {
  assert.equal(http(), http());
  assert.equal(https(), https());
  assert.notEqual(http(), https());
  for (const name of ['request', 'get', 'Agent', 'createServer', 'Server', 'ServerResponse'] as const) {
    assert.equal(http()[name], nodeHttp[name]);
  }
  assert.equal(https().request, nodeHttps.request);
  assert.equal(http().globalAgent, nodeHttp.globalAgent);
});

test('httpsys_version is the version of the package', () => {
  const root = dirname(dirname(require.resolve('typescript/package.json')));
  const text = readFileSync(join(dirname(root), 'package.json'), 'utf8');
  assert.equal(http().httpsys_version, JSON.parse(text).version);
  assert.equal(https().httpsys_version, http().httpsys_version);
});

test('slipstream() marks the modules of node and leaves a process without a host alone', () => {
  slipstream();
  const marked = require('node:http') as { httpsys_version?: string };
  assert.equal(marked.httpsys_version, http().httpsys_version);
  const markedToo = require('node:https') as { httpsys_version?: string };
  assert.equal(markedToo.httpsys_version, marked.httpsys_version);
  assert.equal(typeof http.slipstream, 'function');
  assert.equal(typeof https.slipstream, 'function');
});

test('isLocalRequest is false for a request that came another way', () => {
  assert.equal(isLocalRequest(new nodeHttp.IncomingMessage(null as never)), false);
});
