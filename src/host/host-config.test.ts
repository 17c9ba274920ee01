import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HostError } from '../base/host-error.ts';
import { defaultConfig, parseConfig, parsePortRange, readConfigFile } from './host-config.ts';

function failure(text: string): string {
  try {
    parseConfig(text, 's.yml');
  } catch (error) {
    assert.ok(error instanceof HostError && error.code === 'CONFIG_INVALID', String(error));
    return error.message;
  }
  return 'no error';
}

test('an empty file means the defaults', () => {
  assert.deepEqual(parseConfig('', 's.yml'), defaultConfig());
  assert.deepEqual(parseConfig('# nothing\n', 's.yml'), defaultConfig());
});

test('settings of the host, limits and apps are kept apart', () => {
  const config = parseConfig(
    'listen: ["http://127.0.0.1:1"]\nlimits:\n  queueMax: 7\n' +
      'defaults:\n  processes: 2\napps:\n  shop:\n    processes: 3\n',
    's.yml',
  );
  assert.deepEqual(config.host.listen, ['http://127.0.0.1:1']);
  assert.equal(config.limits.queueMax, 7);
  assert.equal(config.apps.defaults.processes, 2);
  assert.deepEqual(config.apps.overrides, { '/shop/': { processes: 3 } });
});

test('app names mean the same with and without slashes', () => {
  const config = parseConfig(
    'apps:\n  /: {processes: 1}\n  /a/b: {processes: 2}\n  c/: {processes: 3}\n',
    's.yml',
  );
  assert.deepEqual(Object.keys(config.apps.overrides), ['/', '/a/b/', '/c/']);
});

test('app names with blanks and letters beyond ASCII mean the encoded path', () => {
  const config = parseConfig('apps:\n  /with space/: {processes: 2}\n  /caf\u00e9/: {processes: 3}\n', 's.yml');
  assert.deepEqual(Object.keys(config.apps.overrides), ['/with%20space/', '/caf%C3%A9/']);
});

test('errors name the file, the line and the nearest setting', () => {
  assert.equal(failure('index: local\nlisen: []\n'), 's.yml:2: unknown setting "lisen"; did you mean "listen"?');
  assert.match(failure('limits:\n  queueMax: 1\n  headFieldsMax: 0\n'), /^s\.yml:3: "headFieldsMax" is 0, expected/);
  assert.match(failure('limits:\n  queMax: 1\n'), /^s\.yml:2: unknown setting "queMax"; did you mean "queueMax"/);
  assert.match(failure('a: [1\n'), /^s\.yml:\d+: /);
  assert.match(failure('- 1\n'), /expected a map/);
  assert.match(failure('apps:\n  shop:\n    proceses: 3\n'), /^s\.yml:3: unknown setting "proceses"; did you mean/);
  assert.match(failure('defaults:\n  startTimeoutMs: no\n'), /^s\.yml:2: "startTimeoutMs" is "no"/);
  assert.match(failure('apps: 3\n'), /^s\.yml:1: "apps" must be a map/);
});

test('what a file can cost is bounded', () => {
  const levels = 'bcdefghi'.split('').map((name, index) => {
    const alias = `*${'abcdefgh'[index]}`;
    return `${name}: &${name} [${Array.from({ length: 9 }, () => alias).join(',')}]\n`;
  });
  assert.match(failure(`a: &a [1]\n${levels.join('')}`), /^s\.yml:1: Excessive alias count/);
  assert.equal(failure(`apps: ${'['.repeat(20_000)}`), 's.yml:1: maps or lists are nested too deeply');
  assert.match(failure('#'.repeat(1_048_577)), /^s\.yml:1: a file of more than 1048576 characters/);
  assert.equal(failure('a: 1\n---\nb: 2\n'), 's.yml:2: a second document ("---"); expected one');
  assert.equal(failure('apps:\n  /a: {env: {x: y}}\n  /a: {}\n'), 's.yml:3: "/a" is there twice');
  // By the square of their number this would take minutes.
  const many = Array.from({ length: 40_000 }, (_, index) => `  /${index}: {processes: 1}\n`).join('');
  assert.equal(Object.keys(parseConfig(`apps:\n${many}`, 's.yml').apps.overrides).length, 40_000);
});

test('a missing file is unreadable', () => {
  assert.throws(
    () => readConfigFile('/nonexistent/slipstream.yml'),
    (error) => error instanceof HostError && error.code === 'CONFIG_UNREADABLE',
  );
});

test('a port range has one or two ports in order', () => {
  assert.deepEqual(parsePortRange('5058-6058'), { start: 5058, end: 6058 });
  assert.deepEqual(parsePortRange('5058'), { start: 5058, end: 5058 });
  for (const text of ['', '80-90', '6000-5000', '6000-70000', 'a-b', '5058-']) {
    assert.throws(() => parsePortRange(text), HostError, text);
  }
});
