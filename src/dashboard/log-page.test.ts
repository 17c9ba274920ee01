import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logPage } from './log-page.ts';

test('the log page lists files newest first and lets no name through as markup', () => {
  const file = { machine: '<b>', pid: 7, stream: 'stderr' as const, bytes: 3 };
  const page = logPage('a<b', [
    { ...file, path: '/x/old', createdMs: 1000 },
    { ...file, path: '/x/"new', createdMs: 2000 },
  ]);
  assert.ok(page.indexOf('/x/&quot;new') < page.indexOf('/x/old'));
  assert.ok(page.includes('<h1>Logs of a&lt;b</h1>') && page.includes('&lt;b&gt;'));
  assert.ok(logPage('x', []).includes('No log file yet'));
});
