import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { ServiceNotify, watchdogIntervalMs } from './service-notify.ts';

function notifyWith(environment: Record<string, string>): { told: string[]; clock: HandClock; notify: ServiceNotify } {
  const told: string[] = [];
  const clock = new HandClock();
  const send = async (state: string): Promise<void> => void told.push(state);
  const notify = new ServiceNotify({ environment, pid: 7, clock, log: silentLog, send });
  return { told, clock, notify };
}

test('ServiceNotify says nothing where no service manager listens', () => {
  const { told, clock, notify } = notifyWith({ WATCHDOG_USEC: '1000000' });
  notify.ready();
  clock.advance(10_000);
  notify.stopping();
  assert.deepEqual(told, []);
});

test('ServiceNotify tells readiness, life and the end', () => {
  const { told, clock, notify } = notifyWith({ NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '1000000', WATCHDOG_PID: '7' });
  notify.ready();
  clock.advance(1100);
  assert.deepEqual(told, ['READY=1', 'WATCHDOG=1', 'WATCHDOG=1']);
  notify.stopping();
  clock.advance(5000);
  assert.deepEqual(told.slice(3), ['STOPPING=1']);
});

test('the watchdog is told in half of its time, and only by the process that is watched', () => {
  assert.equal(watchdogIntervalMs({ WATCHDOG_USEC: '30000000' }, 7), 15_000);
  assert.equal(watchdogIntervalMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7), undefined);
  assert.equal(watchdogIntervalMs({}, 7), undefined);
  assert.equal(watchdogIntervalMs({ WATCHDOG_USEC: 'x' }, 7), undefined);
});
