import { test } from 'node:test';
import assert from 'node:assert/strict';
import { unattendedMs } from './session-process.ts';

test('a pause that nobody looks at is held only where nobody else waits', () => {
  const auto = { debuggerUnattended: 'auto', debuggerUnattendedAfterMs: 300 };
  assert.equal(unattendedMs(auto, ['http://localhost:8080/', 'https://[::1]:1/', 'http://127.0.0.1:3/']), null);
  assert.equal(unattendedMs(auto, ['http://localhost:8080/', 'http://*:80/']), 300);
  assert.equal(unattendedMs({ ...auto, debuggerUnattended: 'hold' }, ['http://0.0.0.0:80/']), null);
  assert.equal(unattendedMs({ ...auto, debuggerUnattended: 'resume' }, ['http://127.0.0.1:80/']), 300);
});
