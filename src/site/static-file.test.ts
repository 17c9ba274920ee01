import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Site } from '../wire/site-messages.ts';
import { fileNames, pathBelow, segmentsOf } from './site-path.ts';
import { conditionOf, rangeOf } from './static-file.ts';

test('rangeOf reads one range; what it cannot read means all', () => {
  const rows: [string | undefined, number, ReturnType<typeof rangeOf>][] = [
    [undefined, 10, 'whole'],
    ['bytes=0-', 10, { first: 0, last: 9 }],
    ['bytes=2-4', 10, { first: 2, last: 4 }],
    ['bytes=2-400', 10, { first: 2, last: 9 }],
    ['bytes=-3', 10, { first: 7, last: 9 }],
    ['bytes=-30', 10, { first: 0, last: 9 }],
    ['bytes=-0', 10, 'outside'],
    ['bytes=10-', 10, 'outside'],
    ['bytes=0-', 0, 'outside'],
    ['bytes=4-2', 10, 'whole'],
    ['bytes=0-1,3-4', 10, 'whole'],
    ['bytes=-', 10, 'whole'],
    ['lines=0-1', 10, 'whole'],
  ];
  for (const [field, size, expected] of rows) assert.deepEqual(rangeOf(field, size), expected, String(field));
});

test('conditionOf follows the precedence of RFC 9110', () => {
  const at = Date.UTC(2026, 0, 1);
  const then = new Date(at).toUTCString();
  const before = new Date(at - 5000).toUTCString();
  const rows: [Record<string, string>, ReturnType<typeof conditionOf>][] = [
    [{}, 'send'],
    [{ 'if-none-match': '"t"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"t", "x"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"x"', 'if-modified-since': then }, 'send'],
    [{ 'if-modified-since': then }, 'not-modified'],
    [{ 'if-modified-since': before }, 'send'],
    [{ 'if-modified-since': 'whenever' }, 'send'],
    [{ 'if-match': '"t"', 'if-unmodified-since': before }, 'send'],
    [{ 'if-match': 'W/"t"' }, 'failed'],
    [{ 'if-match': '"x"' }, 'failed'],
    [{ 'if-unmodified-since': before }, 'failed'],
    [{ 'if-unmodified-since': then }, 'send'],
  ];
  for (const [headers, expected] of rows) {
    assert.equal(conditionOf(headers, '"t"', at + 300), expected, JSON.stringify(headers));
  }
});

test('a path is what lies below the site, without dot segments', () => {
  const below = (path: string, site = '/a%20b/c/'): unknown => pathBelow(segmentsOf(path)!, { path: site });
  assert.deepEqual(below('/a%20b/c/x/y'), { path: 'x/y', isBare: false });
  assert.deepEqual(below('/%61%20b/c'), { path: '', isBare: true });
  assert.deepEqual(below('/a%20b/c/'), { path: '', isBare: false });
  assert.deepEqual(below('/a%20b/c/x/../y/./z/'), { path: 'y/z/', isBare: false });
  assert.equal(below('/a%20b/cc/x'), null);
  assert.equal(below('/a%20b/c/../x'), null);
  assert.deepEqual(below('/', '/'), { path: '', isBare: false });
  assert.equal(segmentsOf('/%zz'), null);
});

test('what is hidden, or has another name on another system, is no file', () => {
  const site = { hiddenSegments: ['web.config', 'bin'], hiddenPaths: ['conf/app.yml', 'logs'] } as unknown as Site;
  const rows: [string, string[] | null][] = [
    ['a/b.txt', ['a', 'b.txt']],
    ['a//b.txt', ['a', 'b.txt']],
    ['.well-known/x', ['.well-known', 'x']],
    ['BIN/x', null],
    ['a/Web.Config', null],
    ['.git/x', null],
    ['a/..', null],
    ['logs', null],
    ['LOGS/x', null],
    ['logs2/x', ['logs2', 'x']],
    ['conf/app.yml', null],
    ['x.txt.', null],
    ['x.txt ', null],
    ['x.txt::$DATA', null],
    ['a\\b', null],
    ['a\0b', null],
  ];
  for (const [path, names] of rows) assert.deepEqual(fileNames(path, site), names, path);
});
