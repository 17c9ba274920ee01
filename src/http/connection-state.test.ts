import { test } from 'node:test';
import assert from 'node:assert/strict';
import { AssertionFailure } from '../base/assert.ts';
import {
  afterAnswer, stepKeepAlive, stepReading, stepWriting,
  type ConnectionEvent, type Reading, type Writing,
} from './connection-state.ts';

const EVENTS: ConnectionEvent[] = [
  'request', 'body-wanted', 'body-unwanted', 'body-ended', 'answer', 'answered', 'next', 'upgraded', 'last', 'finish',
];

// A column an event, in the order above: the next state, "." stays, "!" cannot happen.
const READINGS: Record<Reading, string> = {
  head: 'hold ! ! ! . . ! ! . linger',
  hold: '! body discard ! . . head tunnel . linger',
  body: '! ! discard hold . . ! ! . linger',
  discard: '! ! ! hold . . ! ! . linger',
  tunnel: '! ! ! ! . . ! ! . linger',
  linger: '! ! ! ! . . ! ! . .',
};

const WRITINGS: Record<Writing, string> = {
  idle: 'waiting . . . answering ! . ! . ended',
  waiting: '! . . . answering ! . tunnel . ended',
  answering: '! . . . ! idle . ! . ended',
  tunnel: '! . . . ! ! . ! . ended',
  ended: '! . . . ! ! . ! . .',
};

function check<State extends string>(
  table: Record<State, string>,
  step: (state: State, event: ConnectionEvent) => State,
): void {
  for (const [state, row] of Object.entries<string>(table) as [State, string][]) {
    const cells = row.split(' ');
    assert.equal(cells.length, EVENTS.length, state);
    for (const [index, event] of EVENTS.entries()) {
      const what = `${state} × ${event}`;
      if (cells[index] === '!') assert.throws(() => step(state, event), AssertionFailure, what);
      else assert.equal(step(state, event), cells[index] === '.' ? state : cells[index], what);
    }
  }
}

test('reading has one answer to every event in every state', () => check(READINGS, stepReading));

test('writing has one answer to every event in every state', () => check(WRITINGS, stepWriting));

test('keep-alive ends once and for all', () => {
  for (const event of EVENTS) {
    const ends = event === 'last' || event === 'finish' || event === 'upgraded';
    assert.equal(stepKeepAlive('keep', event), ends ? 'last' : 'keep', event);
    assert.equal(stepKeepAlive('last', event), 'last', event);
  }
});

test('afterAnswer reads a small rest and closes on a large one', () => {
  const cases: ['keep' | 'last', number, string][] = [
    ['keep', 0, 'next'], ['keep', 1, 'discard'], ['keep', 100, 'discard'], ['keep', 101, 'finish'],
    ['last', 0, 'finish'], ['last', 1, 'finish'],
  ];
  for (const [keepAlive, restBytes, expected] of cases) {
    assert.equal(afterAnswer({ keepAlive, restBytes, discardBytesMax: 100 }), expected);
  }
});
