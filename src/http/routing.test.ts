import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Group, Route } from '../wire/front-messages.ts';
import { withFront } from './front.test.support.ts';

/** A group that answers with its own name. */
function group(id: string): Group {
  return { id, name: id, onDemand: false, absent: { status: 410, code: 'UPSTREAM_NONE', message: `<${id}>` } };
}

function routesFor(port: number): Route[] {
  return [
    { prefix: `http://+:${port}/both/`, group: 'plus' },
    { prefix: `http://shop.test:${port}/`, group: 'name' },
    { prefix: `http://shop.test:${port}/both/deep/`, group: 'name-deep' },
    { prefix: `http://shop.test:${port}/a/b/`, group: 'longer' },
    { prefix: `http://127.0.0.1:${port}/own/`, group: 'address' },
    { prefix: `http://*:${port}/any/`, group: 'star' },
    { prefix: `http://*:${port}/own/deep/`, group: 'star-deep' },
    { prefix: `http://*:${port}/gone/`, group: 'gone' },
    { prefix: `http://*:${port}/Case/`, group: 'exact' },
    { prefix: `http://*:${port}/loose/`, group: 'loose', ignoreCase: true },
  ];
}

// Host, target, and who answers: a group, or a status and its code.
const TABLE: [string, string, string][] = [
  // Categories come before length: + , name, address, *.
  ['shop.test', '/both/', 'plus'],
  ['shop.test', '/both/deep/x', 'plus'],
  ['other.test', '/both/', 'plus'],
  ['shop.test', '/x', 'name'],
  ['SHOP.test', '/x', 'name'],
  ['shop.test', '/own/deep/', 'name'],
  ['other.test', '/own/deep/', 'address'],
  ['other.test', '/any/', 'star'],
  // The longest in one category, whole segments, with or without the last slash.
  ['shop.test', '/a/b', 'longer'],
  ['shop.test', '/a/b/c', 'longer'],
  ['shop.test', '/a/bc', 'name'],
  // Decoded but for the slash, dot segments removed.
  ['other.test', '/%61ny/x', 'star'],
  ['other.test', '/x/../any/', 'star'],
  ['other.test', '/any%2Fx', '404 ROUTE_NOT_FOUND'],
  // Case counts unless the route says otherwise.
  ['other.test', '/Case/', 'exact'],
  ['other.test', '/case/', '404 ROUTE_NOT_FOUND'],
  ['other.test', '/LOOSE/x', 'loose'],
  ['other.test', '/none', '404 ROUTE_NOT_FOUND'],
  ['other.test', '/gone/', '503 UPSTREAM_NONE'],
];

test('the front finds the group of a request by category, then by length; 404 and 503 where there is none', () =>
  withFront({}, async ({ front, port, client }) => {
    const routes = routesFor(port);
    const groups = routes.map(({ group: id }) => (id === 'gone' ? { id, name: id, onDemand: false } : group(id)));
    front.routes(routes, groups);
    for (const [host, target, expected] of TABLE) {
      const browser = client();
      const fields = 'Accept: application/json\r\nConnection: close\r\n';
      browser.write(`GET ${target} HTTP/1.1\r\nHost: ${host}:${port}\r\n${fields}\r\n`);
      const answer = await browser.rest();
      const [, status, code] = /^HTTP\/1.1 (\d+) .*"code": ?"(\w+)"/s.exec(answer) ?? [];
      const found = /<([a-z-]+)>/.exec(answer)?.[1] ?? `${status} ${code}`;
      assert.equal(found, expected, `${host} ${target}: ${answer}`);
      if (status === '503') assert.match(answer, /\r\nRetry-After: \d+\r\n/);
    }
  }));

test('a host that no prefix serves is 400', () =>
  withFront({}, async ({ front, port, client }) => {
    front.routes([{ prefix: `http://shop.test:${port}/`, group: 'name' }], [group('name')]);
    const browser = client();
    browser.get('/');
    assert.match(await browser.until('HOST_UNKNOWN'), /^HTTP\/1.1 400 /);
  }));

test('OPTIONS * goes to whoever serves the root, and is answered by the front where nobody does', () =>
  withFront({}, async ({ front, client, join }) => {
    const star = 'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n';
    front.routes([{ prefix: '/shop/', group: 'shop' }], [group('shop')]);
    const nobody = client();
    nobody.write(star);
    assert.match(await nobody.until('\r\n\r\n'), /^HTTP\/1.1 204 [^]*\r\nAllow: GET, .*OPTIONS\r\n/);
    front.routes([{ prefix: '/', group: 'index', ask: 'always' }], [group('index')]);
    nobody.write(star);
    assert.match(await nobody.until('\r\n\r\n'), /^HTTP\/1.1 204 /);
    front.routes([{ prefix: '/', group: 'app' }], [group('app')]);
    const app = await join();
    const browser = client();
    browser.write(star);
    assert.equal((await app.request()).request.target, '*');
  }));
