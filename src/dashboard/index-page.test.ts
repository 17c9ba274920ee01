import { test } from 'node:test';
import assert from 'node:assert/strict';
import { indexPage } from './index-page.ts';

const APP = { name: 'shop', path: '/shop/', state: 'ready', pids: [7], restarts: 0 } as const;

test('each app has a link to itself and to its debugger', () => {
  const page = indexPage({ version: '1', apps: [{ ...APP, pids: [7], debuggerPath: '/shop/debug/' }] });
  assert.match(page, /<a href="\/shop\/">shop<\/a>/);
  assert.match(page, /<a href="\/shop\/debug\/">debugger<\/a>/);
  assert.match(page, /running/);
});

test('an app without debugging has no debugger link', () => {
  assert.doesNotMatch(indexPage({ version: '1', apps: [{ ...APP, pids: [] }] }), /debugger<\/a>/);
});

test('names and reasons are text, never markup', () => {
  const page = indexPage({ version: '1', apps: [{ ...APP, pids: [], name: '<b>', failure: '<i>' }] });
  assert.doesNotMatch(page, /<b>|<i>/);
  assert.match(page, /&lt;b&gt;/);
});

test('an empty folder says what to do', () => {
  assert.match(indexPage({ version: '1', apps: [] }), /Put a folder/);
});
