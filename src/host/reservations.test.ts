import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../base/host-error.ts';
import type { JoinPrefix } from './claims.ts';
import { Reservations, userNumber } from './reservations.ts';

function parse(text: string): JoinPrefix {
  const match = /^(https?):\/\/([^:]+):(\d+)(\/.*)$/.exec(text);
  assert.ok(match !== null);
  const [, scheme, host, port, path] = match as unknown as [string, string, string, string, string];
  const category = host === '+' ? 'strong' : host === '*' ? 'weak' : 'explicit';
  return { text, scheme, category, host, port: Number(port), path };
}

const ROOT = 0;
const RESERVED = { 'http://*:80/shop/': '1001', 'http://*:80/shop/admin/': '0', 'http://+:81/': '1002' };

function mayClaim(text: string, uid: number | null): boolean {
  try {
    Reservations.read(RESERVED, parse, ROOT).check(parse(text), uid);
    return true;
  } catch (error) {
    assert.ok(error instanceof HostError && /^PREFIX_(UN)?RESERVED$/.test(error.code), String(error));
    return false;
  }
}

test('a reservation holds for its prefix and what lies below, and the longer one decides', () => {
  const rows: [string, number | null, boolean][] = [
    ['http://*:80/shop/', 1001, true],
    ['http://*:80/shop/cart/', 1001, true],
    ['http://*:80/shop/admin/', 1001, false],
    ['http://*:80/shop/admin/', null, true],
    ['http://*:80/shop/', null, false],
    ['http://*:80/shop/', 1002, false],
    ['http://*:80/shopping/', 1001, false],
    ['http://*:80/', 1001, false],
    ['http://*:80/', null, true],
    ['http://+:80/shop/', 1001, false],
    ['http://name:80/shop/', 1001, false],
    ['https://*:80/shop/', 1001, false],
    ['http://*:81/shop/', 1001, false],
    ['http://+:81/any/', 1002, true],
    ['http://elsewhere:9/', null, true],
    ['http://elsewhere:9/', 1001, false],
  ];
  for (const [text, uid, expected] of rows) assert.equal(mayClaim(text, uid), expected, `${text} by ${uid}`);
  assert.deepEqual(Reservations.read(RESERVED, parse, ROOT).users, [1001, 1002]);
});

test('reservations that cannot hold are refused with their reason', () => {
  const reason = (setting: Record<string, string>, own: number): string => {
    try {
      Reservations.read(setting, parse, own);
    } catch (error) {
      assert.ok(error instanceof HostError && error.code === 'CONFIG_INVALID');
      return error.message;
    }
    return '';
  };
  assert.match(reason({ 'http://*:80/': 'no-such-user-here' }, ROOT), /there is no user "no-such-user-here"/);
  assert.match(reason({ '/shop/': '1001' }, ROOT), /of the form http:/);
  assert.match(reason({ 'http://*:80/': '1001' }, 1000), /only a host of root/);
  assert.equal(reason({ 'http://*:80/': '1000' }, 1000), '');
});

test('userNumber takes names and numbers, no options', { skip: process.platform === 'win32' }, () => {
  assert.equal(userNumber('root'), 0);
  assert.equal(userNumber('1234'), 1234);
  for (const bad of ['', '-u', '--help', 'a b', '$(id)']) assert.equal(userNumber(bad), undefined, bad);
});
