import assert from 'node:assert/strict';
import { test } from 'node:test';
import { elementAt, parseXml } from './xml.ts';

test('parseXml reads elements, attributes, entities and lines', () => {
  const root = parseXml(
    '\uFEFF<?xml version="1.0"?>\n<!-- <x> -->\n<a one="1 &amp; &#65;&#x42;"\n   two=\'"\'>\n' +
      '  <b/><![CDATA[<no>]]><b c="d">text</b>\n</a>\n',
    'w',
  );
  assert.equal(root.name, 'a');
  assert.equal(root.line, 3);
  assert.equal(root.attributes.get('one')?.value, '1 & AB');
  assert.deepEqual(root.attributes.get('two'), { value: '"', line: 4 });
  assert.deepEqual(root.children.map(({ name, line }) => `${name}:${line}`), ['b:5', 'b:5']);
  assert.equal(elementAt(root, 'B')?.name, 'b');
  assert.equal(elementAt(root, 'b', 'z'), undefined);
});

test('parseXml refuses what is not well-formed, with its line', () => {
  const rows: [string, RegExp][] = [
    ['', /w:1: no element/],
    ['<a>', /<a> of line 1 has no end/],
    ['<a>\n<b></a>', /w:2: an end that does not fit, expected <\/b> of line 2/],
    ['<a/><b/>', /second root/],
    ['<a/>x', /text outside/],
    ['</a>', /does not fit/],
    ['<a b=c/>', /<a> is not well-formed/],
    ['<a b="1" b="2"/>', /"b" twice/],
    ['<a b="&nope;"/>', /no known entity/],
    ['<a b="&amp"/>', /no known entity/],
    ['<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a/>', /document type/],
    ['<a><!-- ', /without "-->"/],
    ['<a>< b</a>', /begins no element/],
    ['<a>'.repeat(100), /more than 64 elements in one another/],
  ];
  for (const [text, expected] of rows) {
    assert.throws(() => parseXml(text, 'w'), { code: 'CONFIG_INVALID', message: expected }, text.slice(0, 40));
  }
});

test('parseXml ends for every beginning of a document', () => {
  const whole = '<?xml version="1.0"?><a b="&lt;"><!--c--><d e=\'f\'/><![CDATA[g]]></a>';
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => parseXml(whole.slice(0, length), 'w'), { code: 'CONFIG_INVALID' }, String(length));
  }
  parseXml(whole, 'w');
});
