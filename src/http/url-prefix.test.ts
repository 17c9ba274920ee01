import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalAddress, parseUrlPrefix, prefixText, routingPath } from './url-prefix.ts';

function parse(text: string): string {
  const { scheme, category, host, port, path } = parseUrlPrefix(text);
  return `${scheme} ${category} ${host} ${port} ${path}`;
}

test('parseUrlPrefix knows the four categories and plain paths', () => {
  const table: [string, string][] = [
    ['/', '* weak * 0 /'],
    ['/foo', '* weak * 0 /foo/'],
    ['/foo/', '* weak * 0 /foo/'],
    ['http://+:80/', 'http strong + 80 /'],
    ['https://*:443/a/b', 'https weak * 443 /a/b/'],
    ['http://*:8080', 'http weak * 8080 /'],
    ['http://Example.COM.:8080/A/', 'http explicit example.com 8080 /A/'],
    ['http://localhost:1/', 'http explicit localhost 1 /'],
    ['http://bücher.example:65535/', 'http explicit xn--bcher-kva.example 65535 /'],
    ['http://127.0.0.1:80/', 'http ip 127.0.0.1 80 /'],
    ['http://[::1]:80/', 'http ip ::1 80 /'],
    ['http://[2001:DB8:0:0::1]:80/x', 'http ip 2001:db8::1 80 /x/'],
    ['http://[::ffff:127.0.0.1]:80/', 'http ip 127.0.0.1 80 /'],
    ['http://0.0.0.0:80/', 'http weak * 80 /'],
    ['http://[::]:80/', 'http weak * 80 /'],
  ];
  for (const [text, expected] of table) assert.equal(parse(text), expected, text);
});

test('parseUrlPrefix makes paths canonical', () => {
  const table: [string, string][] = [
    ['/a b/', '/a b/'],
    ['/a%20b/', '/a b/'],
    ['/é/', '/é/'],
    ['/%C3%a9/', '/é/'],
    ['/a/../b/./c', '/b/c/'],
    ['/a//b', '/a//b/'],
    ['/a%2fb', '/a%2Fb/'],
    ['/100%/', '/100%25/'],
    ['/100%25/', '/100%25/'],
    ['/%41/', '/A/'],
  ];
  for (const [text, path] of table) {
    assert.equal(parseUrlPrefix(text).path, path, text);
    assert.equal(parseUrlPrefix(prefixText(parseUrlPrefix(text))).path, path, `${text} again`);
  }
});

test('parseUrlPrefix says what is wrong', () => {
  const table: [string, RegExp][] = [
    ['', /neither a path nor/],
    ['foo', /neither a path nor/],
    ['ftp://a:80/', /neither a path nor/],
    ['HTTP://a:80/', /neither a path nor/],
    ['http:/a:80/', /neither a path nor/],
    ['http://:80/', /has no host/],
    ['http://a/', /has no port/],
    ['http://a:/', /has no port/],
    ['http://a:0/', /has a port/],
    ['http://a:080/', /has a port/],
    ['http://a:65536/', /has a port/],
    ['http://a:*/', /has a port/],
    ['http://a:80x/', /has a port/],
    ['http://a:80:81/', /has a port/],
    ['http://u@a:80/', /host/],
    ['http://a b:80/', /host/],
    ['http://*.a:80/', /host/],
    ['http://a,b:80/', /host/],
    ['http://%61:80/', /host/],
    ['http://1.2.3:80/', /neither a name nor an IPv4/],
    ['http://0x7f.1:80/', /neither a name nor an IPv4/],
    ['http://256.1.1.1:80/', /neither a name nor an IPv4|host that is no name/],
    ['http://[::1:80/', /neither a path nor/],
    ['http://[x]:80/', /brackets/],
    ['http://[fe80::1%25eth0]:80/', /brackets/],
    ['http://[::1]x:80/', /neither a path nor/],
    ['/a?b', /"\?"/],
    ['/a#b', /"#"/],
    ['/a\\b', /backslash/],
    ['/a\nb', /characters/],
    ['/\ud800', /characters/],
    ['/a%00b', /two ways/],
    ['/a%c0%afb', /two ways/],
    [`/${'a'.repeat(2048)}`, /longer than 2048/],
  ];
  for (const [text, message] of table) {
    assert.throws(() => parseUrlPrefix(text), { code: 'PREFIX_INVALID', message }, text);
  }
});

test('prefixText gives one text per prefix', () => {
  const table: [string, string][] = [
    ['/Foo', '/Foo/'],
    ['/a%3fb', '/a%3Fb/'],
    ['http://A.b:80', 'http://a.b:80/'],
    ['http://[0:0::1]:80/x', 'http://[::1]:80/x/'],
    ['http://+:80/x/', 'http://+:80/x/'],
  ];
  for (const [text, expected] of table) {
    assert.equal(prefixText(parseUrlPrefix(text)), expected);
    assert.deepEqual(parseUrlPrefix(expected), parseUrlPrefix(text));
  }
});

test('routingPath decodes what is safe and removes dot segments', () => {
  const table: [string, string | null][] = [
    ['/', '/'],
    ['/a/b.c/..d/.e', '/a/b.c/..d/.e'],
    ['*', '/'],
    ['example.com:443', '/'],
    ['/a%20b', '/a b'],
    ['/%61%2D%7e', '/a-~'],
    ['/a%2Fb', '/a%2Fb'],
    ['/a%2fb', '/a%2Fb'],
    ['/a%5cb', '/a%5Cb'],
    ['/a%25b', '/a%25b'],
    ['/a%2541', '/a%2541'],
    ['/a%zz%4', '/a%25zz%254'],
    ['/a%0a%7F', '/a%0A%7F'],
    ['/a%3Fb%23', '/a?b#'],
    ['/%E2%82%ac', '/€'],
    ['/%f0%9f%98%80', '/😀'],
    ['/%e9t', '/%E9t'],
    ['/%e2%82', '/%E2%82'],
    ['/%ed%a0%80', '/%ED%A0%80'],
    ['/%f4%90%80%80', '/%F4%90%80%80'],
    ['/%80%ff', '/%80%FF'],
    ['/a//b', '/a//b'],
    ['//', '//'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/b/..', '/a/'],
    ['/a/.', '/a/'],
    ['/..', '/'],
    ['/../../a', '/a'],
    ['/a/d/../b/c', '/a/b/c'],
    ['/a//../b', '/a/b'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/.%2e/b', '/b'],
    ['/a/..%2fother/debug', '/a/..%2Fother/debug'],
    ['/.../a', '/.../a'],
    ['/a\\b', null],
    ['/a%00', null],
    ['/%c0%af', null],
    ['/%c1%81', null],
    ['/%e0%80%af', null],
    ['/%f0%80%80%af', null],
  ];
  for (const [path, expected] of table) assert.equal(routingPath(path), expected, path);
});

test('routingPath of a canonical path that is encoded again is the same', () => {
  for (const path of ['/a%20b/%2F/%25/%C3%A9/..', '/%e9/%zz', '/x/%3f']) {
    const canonical = routingPath(path)!;
    const encoded = canonical.replace(/[^\u0021-\u007e]/g, encodeURIComponent);
    assert.equal(routingPath(encoded), canonical);
  }
});

test('canonicalAddress gives one text per address', () => {
  const table: [string, string][] = [
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['::FFFF:7f00:1', '127.0.0.1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:DB8::0:1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['', ''],
  ];
  for (const [address, expected] of table) assert.equal(canonicalAddress(address), expected, address);
});
