import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFailure } from '../base/assert.ts';
import { dialDelayMs, stepLink } from './link-state.ts';
import type { LinkEvent, LinkState } from './link-state.ts';

const DIALING: LinkState = { kind: 'dialing', attempt: 2, awayMs: 100 };
const OPEN: LinkState = { kind: 'open' };
const CLOSED: LinkState = { kind: 'closed' };
const WELCOMED: LinkEvent = { kind: 'welcomed' };
const FAILED: LinkEvent = { kind: 'failed', elapsedMs: 60 };
const LOST: LinkEvent = { kind: 'lost' };
const STOPPED: LinkEvent = { kind: 'stopped' };

test('stepLink registers when the front welcomes it', () => {
  assert.deepEqual(stepLink(DIALING, WELCOMED), [OPEN, ['register']]);
});

test('stepLink dials again after a failure and counts the time', () => {
  const next = { kind: 'dialing', attempt: 3, awayMs: 160 };
  assert.deepEqual(stepLink(DIALING, FAILED), [next, ['hang-up', 'dial', 'away']]);
});

test('stepLink counts a long suspension as one second', () => {
  const [next] = stepLink(DIALING, { kind: 'failed', elapsedMs: 3_600_000 });
  assert.deepEqual(next, { kind: 'dialing', attempt: 3, awayMs: 1100 });
});

test('stepLink drops its channels and dials when an open link is lost', () => {
  const next = { kind: 'dialing', attempt: 1, awayMs: 0 };
  assert.deepEqual(stepLink(OPEN, LOST), [next, ['hang-up', 'drop-channels', 'dial']]);
});

test('stepLink ends in any state when it is stopped, for good', () => {
  for (const state of [DIALING, OPEN]) {
    assert.deepEqual(stepLink(state, STOPPED), [CLOSED, ['hang-up', 'drop-channels']]);
  }
  for (const event of [WELCOMED, FAILED, LOST, STOPPED]) {
    assert.deepEqual(stepLink(CLOSED, event), [CLOSED, []]);
  }
});

test('stepLink asserts what cannot happen', () => {
  assert.throws(() => stepLink(OPEN, WELCOMED), AssertionFailure);
  assert.throws(() => stepLink(OPEN, FAILED), AssertionFailure);
  assert.throws(() => stepLink(DIALING, LOST), AssertionFailure);
});

test('dialDelayMs grows from 50 ms to 250 ms', () => {
  assert.deepEqual([0, 1, 2, 5, 99].map(dialDelayMs), [0, 50, 100, 250, 250]);
});
