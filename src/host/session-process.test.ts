import { test } from 'node:test';
import assert from 'node:assert/strict';
import { unattendedPolicy } from './session-process.ts';

test('a pause that nobody looks at is held only where nobody else waits', () => {
  const auto = { debuggerUnattended: 'auto', debuggerUnattendedAfterMs: 300 };
  const local = ['http://localhost:8080/', 'https://[::1]:1/', 'http://127.0.0.1:3/'];
  const open = ['http://localhost:8080/', 'http://*:80/'];
  const hold = { kind: 'hold' };
  const resume = { kind: 'resume', afterMs: 300 };
  assert.deepEqual(unattendedPolicy(auto, local, 'everyone'), hold);
  assert.deepEqual(unattendedPolicy(auto, open, 'everyone'), resume);
  assert.deepEqual(unattendedPolicy(auto, open, 'mine'), hold);
  for (const scope of ['everyone', 'mine'] as const) {
    assert.deepEqual(unattendedPolicy({ ...auto, debuggerUnattended: 'hold' }, open, scope), hold);
    assert.deepEqual(unattendedPolicy({ ...auto, debuggerUnattended: 'resume' }, local, scope), resume);
    assert.deepEqual(unattendedPolicy({ ...auto, debuggerUnattended: 'snapshot' }, local, scope), { kind: 'snapshot' });
  }
});
