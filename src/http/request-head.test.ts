// What a head means once it is accepted. What is refused: refusals.test.ts and docs/refusals.md.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestHeadParser } from './request-head.ts';
import type { HeadLimits, HeadResult, RequestHead } from './request-head.ts';

const LIMITS: HeadLimits = { targetBytesMax: 100, headBytesMax: 2000, headFieldsMax: 20 };

function accept(text: string, limits = LIMITS): RequestHead {
  const bytes = Buffer.from(text, 'latin1');
  const result = new RequestHeadParser(limits).parse(bytes, 0, bytes.length);
  assert.equal(result.kind, 'head', JSON.stringify(result));
  assert.ok(result.kind === 'head');
  return result.head;
}

function withFields(...lines: string[]): RequestHead {
  return accept(['GET / HTTP/1.1', 'Host: a', ...lines, '', ''].join('\r\n'));
}

const TYPICAL =
  'POST /shop/items?id=12&x HTTP/1.1\r\nHost: Localhost:8080\r\nuser-AGENT:  a b\t\r\nX-Empty:\r\n' +
  'Accept: a\r\nAccept: b\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nTE: trailers\r\n' +
  'Proxy-Connection: close\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n';

const TYPICAL_HEAD: RequestHead = {
  method: 'POST',
  target: '/shop/items?id=12&x',
  version: 11,
  fields: [
    'Host', 'Localhost:8080', 'user-AGENT', 'a b', 'X-Empty', '', 'Accept', 'a', 'Accept', 'b',
    'Expect', '100-Continue', 'Content-Length', '3',
  ],
  host: 'localhost:8080',
  path: '/shop/items',
  query: '?id=12&x',
  body: { kind: 'length', length: 3 },
  keepAlive: true,
  expectContinue: true,
  upgrade: false,
};

test('RequestHeadParser reads a head into its parts', () => {
  assert.deepEqual(accept(TYPICAL), TYPICAL_HEAD);
});

test('RequestHeadParser reads a head that is split anywhere', () => {
  const bytes = Buffer.from(TYPICAL);
  for (let cut = 0; cut < bytes.length; cut++) {
    const parser = new RequestHeadParser(LIMITS);
    assert.deepEqual(parser.parse(bytes, 0, cut), { kind: 'more' }, `cut at ${cut}`);
    // The bytes may have moved meanwhile.
    const moved = Buffer.concat([Buffer.from('###'), bytes, Buffer.from('rest')]);
    const result = parser.parse(moved, 3, moved.length);
    assert.deepEqual(result, { kind: 'head', head: TYPICAL_HEAD, bytes: bytes.length }, `cut at ${cut}`);
  }
});

test('RequestHeadParser keeps apart the heads of two connections that arrive in turns', () => {
  const texts = [
    'GET /a HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n',
    'GET /bb HTTP/1.1\r\nHost: bb\r\nLonger: 22\r\n\r\n',
  ];
  const all = texts.map((text) => Buffer.from(text));
  const parsers = texts.map(() => new RequestHeadParser(LIMITS));
  const heads: RequestHead[] = [];
  for (let end = 1; heads.length < 2; end++) {
    for (const [index, bytes] of all.entries()) {
      if (end > bytes.length) continue;
      const result = parsers[index]!.parse(bytes, 0, end);
      if (result.kind === 'head') heads.push(result.head);
    }
  }
  assert.deepEqual(heads.map((head) => head.fields), [
    ['Host', 'a', 'X', '1'],
    ['Host', 'bb', 'Longer', '22'],
  ]);
});

test('RequestHeadParser reads pipelined heads one after the other', () => {
  const bytes = Buffer.from(
    'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n',
  );
  const parser = new RequestHeadParser(LIMITS);
  const seen: string[] = [];
  for (let start = 0; start < bytes.length; ) {
    const result: HeadResult = parser.parse(bytes, start, bytes.length);
    assert.ok(result.kind === 'head');
    seen.push(`${result.head.path} ${result.head.host} ${result.head.keepAlive}`);
    start += result.bytes;
  }
  assert.deepEqual(seen, ['/1 a true', '/2 b false']);
});

test('RequestHeadParser looks at nothing behind the end it was given', () => {
  const bytes = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const parser = new RequestHeadParser(LIMITS);
  assert.equal(parser.parse(bytes, 0, 0).kind, 'more');
  assert.equal(parser.parse(bytes, 0, bytes.length - 1).kind, 'more');
  assert.equal(parser.parse(bytes, 0, bytes.length).kind, 'head');
});

test('RequestHeadParser takes heads exactly as large as the limits and no larger', () => {
  const limits: HeadLimits = { targetBytesMax: 8, headBytesMax: 64, headFieldsMax: 3 };
  const parse = (text: string) => {
    const bytes = Buffer.from(text);
    const result = new RequestHeadParser(limits).parse(bytes, 0, bytes.length);
    return result.kind === 'bad' ? result.status : result.kind;
  };
  assert.equal(parse(`GET /${'a'.repeat(7)} HTTP/1.1\r\nHost: a\r\n\r\n`), 'head');
  assert.equal(parse(`GET /${'a'.repeat(8)} HTTP/1.1\r\nHost: a\r\n\r\n`), 414);
  assert.equal(parse(`GET /${'a'.repeat(8)}`), 414);
  assert.equal(parse(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(64 - 32)}\r\n\r\n`), 'head');
  assert.equal(parse(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(65 - 32)}\r\n\r\n`), 431);
  assert.equal(parse('GET / HTTP/1.1\r\nHost: a\r\nX:y\r\nX:y\r\n\r\n'), 'head');
  assert.equal(parse('GET / HTTP/1.1\r\nHost: a\r\nX:y\r\nX:y\r\nX:y\r\n\r\n'), 431);
});

test('RequestHeadParser decides on keep-alive by version and Connection', () => {
  const table: [string, string, boolean][] = [
    ['1.1', '', true],
    ['1.1', 'Connection: close\r\n', false],
    ['1.1', 'Connection: CLOSE\r\n', false],
    ['1.1', 'Connection: keep-alive, close\r\n', false],
    ['1.1', 'Connection: keep-alive\r\nConnection: close\r\n', false],
    ['1.1', 'Connection: Foo\r\n', true],
    ['1.0', '', false],
    ['1.0', 'Connection: Keep-Alive\r\n', true],
    ['1.0', 'Connection: foo, keep-alive\r\n', true],
    ['1.0', 'Connection: keep-alive, close\r\n', false],
  ];
  for (const [version, field, keepAlive] of table) {
    const head = accept(`GET / HTTP/${version}\r\nHost: a\r\n${field}\r\n`);
    assert.equal(head.keepAlive, keepAlive, `${version} ${field}`);
    assert.deepEqual(head.fields, ['Host', 'a'], `${version} ${field}`);
  }
});

test('RequestHeadParser removes what Connection names', () => {
  const head = withFields(
    'x-a: 1', 'Connection: X-A ,, x-b', 'X-B: 2', 'X-C: 3', 'Connection: X-D', 'X-D: 4',
  );
  assert.deepEqual(head.fields, ['Host', 'a', 'X-C', '3']);
});

test('RequestHeadParser reports an upgrade that is asked for properly', () => {
  const head = withFields('Connection: keep-alive, X-A, Upgrade', 'X-A: 1', 'UPGRADE: WebSocket', 'X-B: 2');
  assert.equal(head.upgrade, true);
  assert.deepEqual(head.fields, ['Host', 'a', 'Connection', 'Upgrade', 'UPGRADE', 'WebSocket', 'X-B', '2']);
});

test('RequestHeadParser ignores an upgrade that is not', () => {
  const table: string[][] = [
    ['Upgrade: websocket'],
    ['Upgrade: websocket', 'Connection: keep-alive'],
    ['Connection: Upgrade'],
    ['Connection: Upgrade', 'Upgrade: h2c'],
    ['Connection: Upgrade', 'Upgrade: websocket, H2C'],
  ];
  for (const lines of table) {
    const head = withFields(...lines);
    assert.equal(head.upgrade, false, lines.join());
    assert.deepEqual(head.fields, ['Host', 'a'], lines.join());
  }
  const withBody = withFields('Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 1');
  assert.equal(withBody.upgrade, false);
  const old = accept('GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  assert.equal(old.upgrade, false);
});

test('RequestHeadParser keeps Transfer-Encoding on a chunked body: programs look for it', () => {
  const head = withFields('transfer-ENCODING: chunked');
  assert.deepEqual(head.body, { kind: 'chunked' });
  assert.deepEqual(head.fields, ['Host', 'a', 'transfer-ENCODING', 'chunked']);
});

test('RequestHeadParser leaves other expectations to the app', () => {
  assert.equal(withFields('Expect: 200-ok').expectContinue, false);
  assert.equal(accept('GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n').expectContinue, false);
});

test('RequestHeadParser takes the host of an absolute target from it when HTTP/1.0 sends none', () => {
  const head = accept('GET http://Example.com:81/a?b HTTP/1.0\r\n\r\n');
  assert.equal(head.host, 'example.com:81');
  assert.equal(head.target, 'http://Example.com:81/a?b');
  assert.equal(head.path, '/a');
  assert.equal(head.query, '?b');
});
