// Every state with every event.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { AssertionFailure } from '../base/assert.ts';
import { stepDebug, type DebugEvent, type DebugState } from './debug-state.ts';

const IDLE: DebugState = { kind: 'idle' };
const STARTING: DebugState = { kind: 'starting' };
const DEBUG: DebugState = { kind: 'debug' };
const ENDING: DebugState = { kind: 'ending', reopen: null };
const REOPENING: DebugState = { kind: 'ending', reopen: { breakAtStart: false, scope: 'mine' } };
const STOPPED: DebugState = { kind: 'stopped' };

const OPEN: DebugEvent = { kind: 'open', breakAtStart: false, scope: 'mine' };
const BRK: DebugEvent = { kind: 'open', breakAtStart: true, scope: 'mine' };
const KILL: DebugEvent = { kind: 'kill' };
const STARTED: DebugEvent = { kind: 'started' };
const FAILED: DebugEvent = { kind: 'failed' };
const EXITED: DebugEvent = { kind: 'exited' };
const CHANGED: DebugEvent = { kind: 'changed', start: { breakAtStart: false, scope: 'mine' } };
const ENDED: DebugEvent = { kind: 'ended' };
const ADOPTED: DebugEvent = { kind: 'adopted' };
const STOP: DebugEvent = { kind: 'stop' };

/** Effects as words; `start!` stops before the first line. Null: it would be our own mistake. */
const TABLE: [DebugState, DebugEvent, DebugState, string][] = [
  [IDLE, OPEN, STARTING, 'start answer-when-started'],
  [IDLE, BRK, STARTING, 'start! answer-when-started'],
  [IDLE, KILL, IDLE, 'answer-not-running'],
  [IDLE, ADOPTED, DEBUG, ''],
  [IDLE, EXITED, IDLE, ''],
  [IDLE, CHANGED, IDLE, ''],
  [IDLE, STOP, STOPPED, ''],
  [STARTING, OPEN, STARTING, 'answer-when-started'],
  [STARTING, BRK, STARTING, 'answer-when-started'],
  [STARTING, KILL, ENDING, 'tell-openers-killed end answer-when-ended'],
  [STARTING, STARTED, DEBUG, 'tell-openers-pass'],
  [STARTING, FAILED, ENDING, 'tell-openers-failed end'],
  [STARTING, EXITED, STARTING, ''],
  [STARTING, CHANGED, REOPENING, 'end'],
  [STARTING, STOP, STOPPED, 'tell-openers-killed end'],
  [DEBUG, OPEN, DEBUG, 'answer-pass'],
  [DEBUG, BRK, DEBUG, 'answer-pass'],
  [DEBUG, KILL, ENDING, 'end answer-when-ended'],
  [DEBUG, EXITED, ENDING, 'end'],
  [DEBUG, CHANGED, REOPENING, 'end'],
  [DEBUG, STOP, STOPPED, 'tell-openers-killed end'],
  [ENDING, OPEN, REOPENING, 'answer-when-started'],
  [ENDING, BRK, { kind: 'ending', reopen: { breakAtStart: true, scope: 'mine' } }, 'answer-when-started'],
  [ENDING, KILL, ENDING, 'tell-openers-killed answer-when-ended'],
  [ENDING, STARTED, ENDING, ''],
  [ENDING, FAILED, ENDING, ''],
  [ENDING, EXITED, ENDING, ''],
  [ENDING, CHANGED, ENDING, ''],
  [ENDING, ENDED, IDLE, 'tell-killers'],
  [ENDING, STOP, STOPPED, 'tell-openers-killed'],
  [REOPENING, OPEN, REOPENING, 'answer-when-started'],
  [REOPENING, BRK, REOPENING, 'answer-when-started'],
  [REOPENING, KILL, ENDING, 'tell-openers-killed answer-when-ended'],
  [REOPENING, STARTED, REOPENING, ''],
  [REOPENING, FAILED, REOPENING, ''],
  [REOPENING, EXITED, REOPENING, ''],
  [REOPENING, CHANGED, REOPENING, ''],
  [REOPENING, ENDED, STARTING, 'tell-killers start'],
  [REOPENING, STOP, STOPPED, 'tell-openers-killed'],
  [STOPPED, OPEN, STOPPED, 'answer-stopping'],
  [STOPPED, BRK, STOPPED, 'answer-stopping'],
  [STOPPED, KILL, STOPPED, 'answer-not-running'],
  [STOPPED, STARTED, STOPPED, ''],
  [STOPPED, FAILED, STOPPED, ''],
  [STOPPED, EXITED, STOPPED, ''],
  [STOPPED, CHANGED, STOPPED, ''],
  [STOPPED, ENDED, STOPPED, 'tell-killers'],
  [STOPPED, STOP, STOPPED, ''],
];

const IMPOSSIBLE: [DebugState, DebugEvent][] = [
  [IDLE, STARTED],
  [IDLE, FAILED],
  [IDLE, ENDED],
  [STARTING, ENDED],
  ...[STARTING, DEBUG, ENDING, REOPENING, STOPPED].map((state): [DebugState, DebugEvent] => [state, ADOPTED]),
  [DEBUG, STARTED],
  [DEBUG, FAILED],
  [DEBUG, ENDED],
];

const show = (value: unknown): string => JSON.stringify(value);

for (const [state, event, next, effects] of TABLE) {
  test(`${show(state)} and ${show(event)} lead to ${show(next)}`, () => {
    const [reached, performed] = stepDebug(state, event);
    assert.deepEqual(reached, next);
    const words = performed.map((effect) => {
      return effect.kind === 'start' && effect.breakAtStart ? 'start!' : effect.kind;
    });
    assert.equal(words.join(' '), effects);
  });
}

test('what cannot happen is our own mistake', () => {
  for (const [state, event] of IMPOSSIBLE) {
    assert.throws(() => stepDebug(state, event), AssertionFailure, `${show(state)} ${show(event)}`);
  }
});

test('every pair is in one of the two tables', () => {
  const states = [IDLE, STARTING, DEBUG, ENDING, REOPENING, STOPPED];
  const events = [OPEN, BRK, KILL, STARTED, ADOPTED, FAILED, EXITED, CHANGED, ENDED, STOP];
  const known = new Set([...TABLE, ...IMPOSSIBLE].map(([state, event]) => show([state, event])));
  for (const state of states) for (const event of events) assert.ok(known.has(show([state, event])));
  assert.equal(known.size, states.length * events.length);
});
