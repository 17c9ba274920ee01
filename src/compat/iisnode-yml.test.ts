import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIisnodeYml } from './iisnode-yml.ts';

test('parseIisnodeYml reads lines as the original does', () => {
  const text =
    '# all\r\nnode_env: production # why\r\n\r\nwatchedFiles: *.js;a:b\nlogDirectory : "x y"\n' +
    'empty:\nnone:   # c\n';
  assert.deepEqual(parseIisnodeYml(text, 'i'), [
    { key: 'node_env', value: 'production', line: 2 },
    { key: 'watchedFiles', value: '*.js;a:b', line: 4 },
    { key: 'logDirectory', value: '"x y"', line: 5 },
  ]);
  assert.deepEqual(parseIisnodeYml('', 'i'), []);
});

test('parseIisnodeYml names the line that it cannot read', () => {
  const rows: [string, RegExp][] = [
    ['a: 1\nb', /^i:2: a line without a colon/],
    [': x', /^i:1: a line that begins with a colon/],
    ['a b: 1', /^i:1: "a b" is not one word/],
  ];
  for (const [text, message] of rows) {
    assert.throws(() => parseIisnodeYml(text, 'i'), { code: 'CONFIG_INVALID', message });
  }
});
