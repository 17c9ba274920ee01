import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HostError } from './host-error.ts';
import { defaultsOf, nearestName, readSettings, type SettingTable } from './setting.ts';

const TABLE = {
  sizeMax: { type: 'integer', default: 5, min: 1, max: 9, unit: 'bytes', text: 'A size.' },
  enabled: { type: 'boolean', default: true, text: 'A switch.' },
  name: { type: 'string', default: '', text: 'A name.' },
  files: { type: 'strings', default: ['a'], text: 'Some files.' },
  mode: { type: 'choice', default: 'fast', choices: ['fast', 'slow'], text: 'A mode.' },
  env: { type: 'map', default: {}, text: 'Names and values.' },
} as const satisfies SettingTable;

function failure(values: Record<string, unknown>): string {
  try {
    readSettings(TABLE, values, 'x.yml:3');
  } catch (error) {
    assert.ok(error instanceof HostError && error.code === 'CONFIG_INVALID');
    return error.message;
  }
  return 'no error';
}

test('readSettings fills in what is not given', () => {
  assert.deepEqual(readSettings(TABLE, { sizeMax: 7 }, 'x'), { ...defaultsOf(TABLE), sizeMax: 7 });
});

test('readSettings names the nearest setting for a mistyped one', () => {
  assert.equal(failure({ sizemax: 1 }), 'x.yml:3: unknown setting "sizemax"; did you mean "sizeMax"?');
  assert.equal(failure({ nothingLikeIt: 1 }), 'x.yml:3: unknown setting "nothingLikeIt"');
});

test('readSettings does not take what every object has for a setting', () => {
  assert.match(failure({ constructor: 1 }), /unknown setting "constructor"/);
});

test('readSettings says what it expected', () => {
  assert.equal(
    failure({ sizeMax: 10 }),
    'x.yml:3: "sizeMax" is 10, expected a whole number from 1 to 9 (bytes)',
  );
  assert.match(failure({ sizeMax: 1.5 }), /is 1.5/);
  assert.match(failure({ sizeMax: '5' }), /is "5"/);
  assert.match(failure({ enabled: 'yes' }), /expected true or false/);
  assert.match(failure({ name: 1 }), /expected a string/);
  assert.match(failure({ files: 'a' }), /expected a list of strings/);
  assert.match(failure({ mode: 'medium' }), /expected one of fast, slow/);
  assert.match(failure({ env: { b: 'x', a: 1 } }), /"env": "a" is 1 \(write "1"\), expected a map of names to strings/);
  assert.match(failure({ env: { a: ['x'] } }), /"env": "a" is \["x"\], expected a map of names to strings/);
  assert.match(failure({ env: null }), /expected a map/);
});

test('nearestName finds nothing for what is far from every name', () => {
  assert.equal(nearestName('abcdef', ['uvwxyz']), undefined);
});
