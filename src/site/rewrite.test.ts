import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RewriteAction, RewriteCondition, RewriteRule, TextPattern } from '../wire/site-messages.ts';
import { rewrite, type RewriteInput, type RewriteOutcome } from './rewrite.ts';
import { expandTemplate } from './template.ts';

function pattern(source: string, more: Partial<TextPattern> = {}): TextPattern {
  return { source, ignoreCase: true, negate: false, ...more };
}

function rule(url: string, action: RewriteAction, more: Partial<RewriteRule> = {}): RewriteRule {
  const rest = { conditions: [], isAny: false, tracksAllCaptures: false, stops: false, fields: [] };
  return { name: 'r', match: pattern(url), action, ...rest, ...more };
}

function to(url: string, appendsQuery = true): RewriteAction {
  return { kind: 'rewrite', url, appendsQuery };
}

function redirect(url: string, appendsQuery = true): RewriteAction {
  return { kind: 'redirect', url, appendsQuery, status: 302 };
}

function run(rules: RewriteRule[], path: string, more: Partial<RewriteInput> = {}): RewriteOutcome {
  return rewrite(rules, {
    sitePath: '/shop/',
    path,
    query: '',
    variables: (name) => (name === 'REQUEST_URI' ? `/shop/${path}` : name === 'HTTPS' ? 'off' : undefined),
    rewriteMaps: {},
    disk: {
      pathOf: (name) => `/disk/${name}`,
      isFile: (file) => file === '/disk/there.txt',
      isFolder: (file) => file === '/disk/folder',
    },
    ...more,
  });
}

function pathOf(outcome: RewriteOutcome): string {
  assert.equal(outcome.kind, 'path');
  return outcome.kind === 'path' ? outcome.path + outcome.query : '';
}

test('rewrite applies rules in their order until one stops', () => {
  const rules = [rule('^a$', to('b')), rule('^b$', to('c'), { stops: true }), rule('^c$', to('d'))];
  assert.equal(pathOf(run(rules, 'a')), 'c');
  assert.equal(pathOf(run(rules, 'c')), 'd');
  assert.equal(pathOf(run(rules, 'x')), 'x');
});

test('rewrite matches the decoded path without regard to case', () => {
  assert.equal(pathOf(run([rule('^a b/(.*)$', to('{R:1}'))], 'A%20B/c')), 'c');
  assert.equal(pathOf(run([rule('^A$', to('b'), { match: pattern('^A$', { ignoreCase: false }) })], 'a')), 'a');
  assert.equal(pathOf(run([rule('x', to('b'), { match: pattern('x', { negate: true }) })], 'a')), 'b');
});

test('rewrite joins queries', () => {
  const query = '?q=1';
  assert.equal(pathOf(run([rule('', to('b'))], 'a', { query })), 'b?q=1');
  assert.equal(pathOf(run([rule('', to('b?x=2'))], 'a', { query })), 'b?x=2&q=1');
  assert.equal(pathOf(run([rule('', to('b', false))], 'a', { query })), 'b');
  assert.equal(pathOf(run([rule('', to('b?x=2', false))], 'a', { query })), 'b?x=2');
});

test('rewrite keeps what leads out of the site absolute', () => {
  assert.equal(pathOf(run([rule('', to('/shop/x'))], 'a')), 'x');
  assert.equal(pathOf(run([rule('', to('/other/x')), rule('', to('never'))], 'a')), '/other/x');
  assert.deepEqual(run([rule('', to('http://127.0.0.1/'))], 'a'), { kind: 'foreign', rule: 'r' });
});

test('a redirect is absolute, and nothing of a client ends its field', () => {
  const rules = [rule('^x(.*)', redirect('to/{R:1}'))];
  assert.deepEqual(run(rules, 'x%0d%0aSet-Cookie:a'), {
    kind: 'redirect', status: 302, location: '/shop/to/',
  });
  assert.deepEqual(run([rule('(?s)^x(.*)'.slice(4), redirect('to/{R:1}é\u{1f600}'))], 'xé'), {
    kind: 'redirect', status: 302, location: '/shop/to/%C3%A9%C3%A9%F0%9F%98%80',
  });
  assert.deepEqual(run([rule('', redirect('/{UrlDecode:%0D%0AA:b}'))], 'x'), {
    kind: 'redirect', status: 302, location: '/%0D%0AA:b',
  });
  const secure = run([rule('(.*)', redirect('https://h/{R:1}'))], 'p', { query: '?q' });
  assert.deepEqual(secure, { kind: 'redirect', status: 302, location: 'https://h/p?q' });
});

test('conditions: all or any, negated, on the disk, with their captures', () => {
  const is = (input: string, source: string, negate = false): RewriteCondition =>
    ({ kind: 'pattern', input, pattern: pattern(source, { negate }) });
  const file = (negate: boolean): RewriteCondition => ({ kind: 'file', input: '{REQUEST_FILENAME}', negate });
  const when = (conditions: RewriteCondition[], more: Partial<RewriteRule> = {}): RewriteRule =>
    rule('(.*)', to('hit{C:1}{C:2}'), { conditions, ...more });
  assert.equal(pathOf(run([when([is('{HTTPS}', '^off$'), is('{R:1}', '^(a)')])], 'ab')), 'hita');
  assert.equal(pathOf(run([when([is('{HTTPS}', '^on$'), is('{R:1}', 'a')])], 'ab')), 'ab');
  assert.equal(pathOf(run([when([is('{HTTPS}', '^on$'), is('{R:1}', '(b)')], { isAny: true })], 'ab')), 'hitb');
  assert.equal(pathOf(run([when([is('{HTTPS}', '^on$', true)])], 'ab')), 'hit');
  const both = [is('{R:1}', 'a'), is('{R:1}', '(b)')];
  assert.equal(pathOf(run([when(both, { tracksAllCaptures: true })], 'ab')), 'hitbb');
  assert.equal(pathOf(run([when([file(true)])], 'there.txt')), 'there.txt');
  assert.equal(pathOf(run([when([file(true)])], 'none.txt')), 'hit');
  assert.equal(pathOf(run([when([{ kind: 'folder', input: '{REQUEST_FILENAME}', negate: false }])], 'folder')), 'hit');
  // The conditions of a later rule look at the rewritten path.
  assert.equal(pathOf(run([rule('^x$', to('there.txt')), when([file(false)])], 'x')), 'hit');
});

test('templates: captures, functions, maps, what is unknown or has no end', () => {
  const maps = { m: { defaultValue: 'none', entries: { key: 'value' } } };
  const captures = { rule: ['whole', 'Key'], conditions: ['c0'] };
  const expand = (text: string): string =>
    expandTemplate(text, captures, (name) => (name === 'A_B' ? '{R:0}' : undefined), maps);
  const rows: [string, string][] = [
    ['a{R:0}b{C:0}', 'awholebc0'],
    ['{ToLower:{R:1}}{ToUpper:{R:1}}', 'keyKEY'],
    ['{M:{R:1}} {m:x}', 'value none'],
    ['{UrlEncode:a/b}{UrlDecode:%41%}', 'a%2Fb%41%'],
    ['{a_b}', '{R:0}'],
    ['{R:9}{NOTHING}{Foo:x}', ''],
    ['{R:0', '{R:0'],
    ['x}', 'x}'],
    ['{'.repeat(50) + '}'.repeat(50), ''],
  ];
  for (const [text, value] of rows) assert.equal(expand(text), value, text);
});
