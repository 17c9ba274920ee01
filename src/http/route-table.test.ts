import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouteTable } from './route-table.ts';
import type { RoutedRequest } from './route-table.ts';
import { parseUrlPrefix, prefixText } from './url-prefix.ts';

/** A table whose values are the texts of its prefixes. */
function tableOf(...prefixes: string[]): RouteTable<string> {
  const table = new RouteTable<string>();
  for (const prefix of prefixes) table.add(parseUrlPrefix(prefix), prefix);
  return table;
}

function find(table: RouteTable<string>, path: string, request: Partial<RoutedRequest> = {}): string {
  const found = table.find({
    scheme: 'http', host: 'example.com', port: 80, localAddress: '10.0.0.1', path, ...request,
  });
  return typeof found === 'string' ? found : found.value;
}

test('RouteTable prefers the longest prefix, in whole segments', () => {
  const table = tableOf('/', '/11', '/2/3', '/2', '/11/2');
  const paths: [string, string][] = [
    ['/', '/'], ['/random', '/'], ['/1', '/'], ['/111', '/'], ['//2', '/'],
    ['/11', '/11'], ['/11/', '/11'], ['/11/random', '/11'], ['/11/22', '/11'],
    ['/11/2', '/11/2'], ['/11/2/', '/11/2'], ['/11/2/x/y', '/11/2'],
    ['/2/3/x', '/2/3'], ['/2/33', '/2'], ['/2//3', '/2'],
  ];
  for (const [path, prefix] of paths) assert.equal(find(table, path), prefix, path);
});

test('RouteTable searches categories in their order and stops at the first with a match', () => {
  const table = tableOf(
    'http://*:80/', 'http://*:80/a/b/c/d/', 'http://10.0.0.1:80/a/b/c/', 'http://example.com:80/a/b/',
    'http://+:80/a/',
  );
  assert.equal(find(table, '/a/b/c/d/e'), 'http://+:80/a/');
  assert.ok(table.remove(parseUrlPrefix('http://+:80/a/')));
  assert.equal(find(table, '/a/b/c/d/e'), 'http://example.com:80/a/b/');
  assert.equal(find(table, '/a/b/c/d/e', { host: 'other' }), 'http://10.0.0.1:80/a/b/c/');
  assert.equal(find(table, '/a', { host: 'other' }), 'http://*:80/');
  assert.ok(table.remove(parseUrlPrefix('http://10.0.0.1:80/a/b/c/')));
  assert.equal(find(table, '/a/b/c/d/e', { host: 'other' }), 'http://*:80/a/b/c/d/');
});

test('RouteTable tells an unknown host from an unknown path', () => {
  const table = tableOf('http://example.com:80/a/', 'http://10.0.0.2:80/');
  assert.equal(find(table, '/b'), 'no-path');
  assert.equal(find(table, '/a', { host: 'other' }), 'no-host');
  assert.equal(find(table, '/a', { port: 81 }), 'no-host');
  assert.equal(find(table, '/a', { scheme: 'https' }), 'no-host');
  assert.equal(find(new RouteTable<string>(), '/'), 'no-host');
});

test('RouteTable compares host names without port and without the last dot', () => {
  const table = tableOf('http://example.com:80/', 'http://[::1]:80/');
  const same = ['example.com', 'example.com:80', 'example.com:8080', 'example.com.', 'example.com.:80'];
  for (const host of same) {
    assert.equal(find(table, '/', { host }), 'http://example.com:80/', host);
  }
  for (const host of ['', 'com', 'www.example.com', '[::1]', '[::1]:80', 'example.comx']) {
    assert.equal(find(table, '/', { host }), 'no-host', host);
  }
});

test('RouteTable finds prefixes bound to an address by the address of the connection', () => {
  const table = tableOf('http://[::1]:80/', 'http://127.0.0.1:80/');
  assert.equal(find(table, '/', { localAddress: '::1' }), 'http://[::1]:80/');
  assert.equal(find(table, '/', { localAddress: '::ffff:127.0.0.1' }), 'http://127.0.0.1:80/');
  assert.equal(find(table, '/', { localAddress: '127.0.0.1' }), 'http://127.0.0.1:80/');
  assert.equal(find(table, '/', { localAddress: '127.0.0.2' }), 'no-host');
});

test('RouteTable takes the prefix that names port and scheme when two are equally long', () => {
  const table = tableOf('/a/', 'http://*:80/a/', '/a/b/', 'https://*:80/a/');
  assert.equal(find(table, '/a/x'), 'http://*:80/a/');
  assert.equal(find(table, '/a/x', { scheme: 'https' }), 'https://*:80/a/');
  assert.equal(find(table, '/a/x', { port: 81 }), '/a/');
  assert.equal(find(table, '/a/b/x'), '/a/b/');
});

test('RouteTable ignores case only where it is told to', () => {
  const table = new RouteTable<string>();
  table.add(parseUrlPrefix('/Shop/'), 'any case', { ignoreCase: true });
  table.add(parseUrlPrefix('/Shop/Exact/'), 'exact');
  assert.equal(find(table, '/sHOP'), 'any case');
  assert.equal(find(table, '/SHOP/exact/x'), 'any case');
  assert.equal(find(table, '/Shop/Exact/x'), 'exact');
  assert.ok(table.remove(parseUrlPrefix('/Shop/')));
  assert.equal(find(table, '/shop'), 'no-path');
});

test('RouteTable holds a prefix once', () => {
  const table = tableOf('/foo/', 'http://a:80/');
  assert.equal(table.size, 2);
  assert.equal(table.get(parseUrlPrefix('/foo')), '/foo/');
  assert.equal(table.get(parseUrlPrefix('/Foo')), undefined);
  assert.throws(() => table.add(parseUrlPrefix('/%66oo'), 'x'), { code: 'PREFIX_TAKEN', message: /\/foo\// });
  assert.equal(table.remove(parseUrlPrefix('/Foo')), false);
  assert.equal(table.remove(parseUrlPrefix('/foo')), true);
  assert.equal(table.remove(parseUrlPrefix('/foo')), false);
  assert.equal(find(table, '/foo'), 'no-host');
  assert.equal(table.size, 1);
});

test('RouteTable finds what a plain search finds, among many prefixes and paths', () => {
  const segments = ['', 'a', 'b', 'ab', 'é', 'A'];
  const table = new RouteTable<string>();
  const all: string[] = [];
  for (const first of segments) {
    for (const second of segments) {
      for (const third of segments.slice(0, 3)) {
        const prefix = parseUrlPrefix(`/${first}/${second}/${third}`);
        if ((first.length + second.length * 3 + third.length) % 2 === 0) continue;
        if (table.get(prefix) !== undefined) continue;
        table.add(prefix, prefixText(prefix));
        all.push(prefix.path);
      }
    }
  }
  let hits = 0;
  for (const first of segments) {
    for (const second of segments) {
      for (const end of ['', '/', '/a', '/ab/', '//', '/b/x/y']) {
        const path = `/${first}/${second}${end}`;
        const under = all.filter((start) => `${path}/`.startsWith(start) && start.length <= path.length + 1);
        const longest = under.sort((left, right) => right.length - left.length)[0] ?? 'no-path';
        // A path that ends with a slash is not under the prefix with one more.
        const expected = path.endsWith('/') && longest.length > path.length
          ? under.find((start) => start.length <= path.length) ?? 'no-path'
          : longest;
        assert.equal(find(table, path), expected, path);
        if (expected !== 'no-path') hits += 1;
      }
    }
  }
  assert.ok(hits > 50);
});
