import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import type { Visitor } from './access.ts';
import { REQUESTS_PER_SECOND_MAX, Welcome, WELCOME_LOOK_MS } from './welcome.ts';

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

test('a viewer that asks too often has to come again later, others need not', () => {
  const clock = new HandClock();
  const welcome = new Welcome({ clock, isWelcome: () => true, drop: () => {} });
  for (const viewer of ['one', 'two']) welcome.add(viewer, LOCAL);
  for (let count = 0; count < REQUESTS_PER_SECOND_MAX; count++) assert.equal(welcome.mayAsk('one'), true);
  assert.deepEqual(['one', 'one', 'two', 'nobody'].map((viewer) => welcome.mayAsk(viewer)), [false, false, true, true]);
  clock.advance(999);
  assert.equal(welcome.mayAsk('one'), false);
  clock.advance(1);
  assert.equal(welcome.mayAsk('one'), true);
});
