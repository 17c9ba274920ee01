import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import type { Visitor } from './access.ts';
import { Welcome, WELCOME_LOOK_MS } from './welcome.ts';

const LOCAL: Visitor = { name: 'local', role: 'full' };
const KNOWN: Visitor = { name: 'user:bob', role: 'full', known: { app: '/shop/', sinceMs: 1 } };

test('who may not stay goes at the next look, or with what it sends before', () => {
  const clock = new HandClock();
  const gone = new Set<Visitor>();
  const dropped: string[] = [];
  const welcome = new Welcome({
    clock,
    isWelcome: (visitor) => !gone.has(visitor),
    drop(viewer) {
      dropped.push(viewer);
      welcome.remove(viewer);
    },
  });
  welcome.add('here', LOCAL);
  const [one, two] = [{ ...KNOWN }, { ...KNOWN }];
  welcome.add('one', one);
  welcome.add('two', two);
  clock.advance(10 * WELCOME_LOOK_MS);
  assert.deepEqual(dropped, []);
  gone.add(one);
  assert.deepEqual([welcome.check('two'), welcome.check('one'), welcome.check('one')], [true, false, true]);
  gone.add(two);
  clock.advance(WELCOME_LOOK_MS);
  assert.deepEqual(dropped, ['one', 'two']);
  welcome.add('three', KNOWN);
  gone.add(KNOWN);
  clock.advance(WELCOME_LOOK_MS);
  assert.deepEqual(dropped, ['one', 'two', 'three'], 'it looks again when somebody comes');
});
