import { test } from 'node:test';
import assert from 'node:assert/strict';
import { DEBUGGER_SETTINGS } from './debugger-settings.ts';
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

test('by default a pause that nobody looks at ends after 300 s where a listener is open to others', () => {
  const settings = {
    debuggerUnattended: DEBUGGER_SETTINGS.debuggerUnattended.default,
    debuggerUnattendedAfterMs: DEBUGGER_SETTINGS.debuggerUnattendedAfterMs.default,
  };
  const resume = { kind: 'resume', afterMs: 300_000 };
  const hold = { kind: 'hold' };
  const local = ['127.0.0.1', '127.8.9.1', 'localhost', 'LOCALHOST', '[::1]'];
  // All addresses, addresses and names of a machine, and what only begins or ends like loopback.
  const open = [
    '*', '+', '0.0.0.0', '[::]', '192.168.1.4', '[fe80::1]', 'shop.example', 'localhost.example', '127.0.0.1.example',
  ];
  for (const scheme of ['http', 'https']) {
    const urlOf = (host: string): string => `${scheme}://${host}:8080/`;
    assert.deepEqual(unattendedPolicy(settings, local.map(urlOf), 'everyone'), hold);
    for (const host of local) assert.deepEqual(unattendedPolicy(settings, [urlOf(host)], 'everyone'), hold, host);
    for (const host of open) {
      assert.deepEqual(unattendedPolicy(settings, [urlOf(host)], 'everyone'), resume, host);
      // One open listener beside those of the machine is enough, wherever it stands.
      assert.deepEqual(unattendedPolicy(settings, [...local, host].map(urlOf), 'everyone'), resume, host);
      assert.deepEqual(unattendedPolicy(settings, [host, ...local].map(urlOf), 'everyone'), resume, host);
      assert.deepEqual(unattendedPolicy(settings, [urlOf(host)], 'mine'), hold, host);
    }
  }
});
