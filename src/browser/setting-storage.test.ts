import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createSettingStorage } from './setting-storage.ts';
import type { SettingStorage } from './setting-storage.ts';

interface Scene {
  storage: SettingStorage & Record<string, unknown>;
  changes: unknown[];
}

function scene(initial: Record<string, string> = {}): Scene {
  const changes: unknown[] = [];
  const storage = createSettingStorage(initial, (name, value) => changes.push([name, value]));
  return { storage: storage as SettingStorage & Record<string, unknown>, changes };
}

test('SettingStorage answers methods, properties, in and enumeration alike', () => {
  const { storage } = scene({ breakpoints: '[]', theme: '"dark"' });
  assert.equal(storage.getItem('theme'), '"dark"');
  assert.equal(storage['theme'], '"dark"');
  assert.equal(storage.getItem('none'), null);
  assert.equal(storage['none'], undefined);
  assert.equal('theme' in storage, true);
  assert.equal('none' in storage, false);
  assert.deepEqual(Object.keys(storage), ['breakpoints', 'theme']);
  const names: string[] = [];
  for (const name in storage) names.push(name);
  assert.deepEqual(names, ['breakpoints', 'theme']);
  assert.equal(storage.length, 2);
  assert.equal(storage.key(1), 'theme');
  assert.equal(storage.key(2), null);
});

test('SettingStorage tells each change once, whichever way it was made', () => {
  const { storage, changes } = scene({ a: '1' });
  storage['a'] = '2';
  storage.setItem('a', '2');
  storage.setItem('b', '3');
  delete storage['a'];
  storage.removeItem('a');
  storage.clear();
  assert.deepEqual(changes, [
    ['a', '2'],
    ['b', '3'],
    ['a', null],
    ['b', null],
  ]);
  assert.equal(storage.length, 0);
});

test('SettingStorage turns values into text and keeps names apart from the prototype of objects', () => {
  const { storage } = scene();
  storage['count'] = 5;
  assert.equal(storage.getItem('count'), '5');
  assert.equal(storage['toString'], undefined);
  storage.setItem('__proto__', 'x');
  assert.equal(storage.getItem('__proto__'), 'x');
});
