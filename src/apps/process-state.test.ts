import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLive, stepProcess } from './process-state.ts';
import type { ProcessEffect, ProcessEvent, ProcessState } from './process-state.ts';

const EVENTS: ProcessEvent[] = [
  'ready', 'unready', 'unlinked', 'retire', 'drained', 'stop', 'waits', 'late', 'exited',
];
const END: ProcessEffect[] = ['terminate', 'deadline-kill'];
const DRAIN: ProcessEffect[] = ['ask-drain', 'deadline-drain'];
const GONE: ProcessEffect[] = ['deadline-none', 'forget'];

type Row = [ProcessEvent, ProcessState, ProcessEffect[]];
const told: ProcessState = { kind: 'stopping', reason: 'told' };
const ready: ProcessState = { kind: 'ready' };
const draining: ProcessState = { kind: 'draining' };
const unlinked: ProcessState = { kind: 'away', reason: 'unlinked' };
const unready: ProcessState = { kind: 'away', reason: 'unready' };

/** What each state does with each event; events that are not here change nothing. */
const TABLE: [ProcessState, Row[]][] = [
  [{ kind: 'starting' }, [
    ['waits', { kind: 'starting', isPatient: true }, ['deadline-patient']],
    ['ready', ready, ['deadline-none']],
    ['retire', told, ['forget', ...END]],
    ['stop', told, ['forget', ...END]],
    ['late', { kind: 'stopping', reason: 'start-late' }, ['forget', ...END]],
    ['exited', { kind: 'ended', outcome: 'failed' }, GONE],
  ]],
  [{ kind: 'starting', isPatient: true }, [
    ['ready', ready, ['deadline-none']],
    ['retire', told, ['forget', ...END]],
    ['stop', told, ['forget', ...END]],
    ['late', { kind: 'stopping', reason: 'start-late' }, ['forget', ...END]],
    ['exited', { kind: 'ended', outcome: 'failed' }, GONE],
  ]],
  [ready, [
    ['unlinked', unlinked, ['deadline-link']],
    ['unready', unready, ['deadline-start']],
    ['retire', draining, DRAIN],
    ['stop', told, ['ask-drain', ...END]],
    ['exited', { kind: 'ended', outcome: 'crashed' }, GONE],
  ]],
  [unlinked, [
    ['ready', ready, ['deadline-none']],
    ['unlinked', unlinked, ['deadline-link']],
    ['retire', told, ['forget', ...END]],
    ['stop', told, ['forget', ...END]],
    ['late', { kind: 'stopping', reason: 'away-late' }, ['forget', ...END]],
    ['exited', { kind: 'ended', outcome: 'crashed' }, GONE],
  ]],
  [unready, [
    ['ready', ready, ['deadline-none']],
    ['unlinked', unlinked, ['deadline-link']],
    ['retire', draining, DRAIN],
    ['stop', told, ['forget', ...END]],
    ['late', { kind: 'stopping', reason: 'away-late' }, ['forget', ...END]],
    ['exited', { kind: 'ended', outcome: 'crashed' }, GONE],
  ]],
  [draining, [
    ['drained', told, END],
    ['late', told, END],
    ['unlinked', told, END],
    ['stop', told, END],
    ['exited', { kind: 'ended', outcome: 'stopped' }, GONE],
  ]],
  [told, [
    ['late', told, ['kill', 'deadline-kill']],
    ['exited', { kind: 'ended', outcome: 'stopped' }, GONE],
  ]],
  [{ kind: 'ended', outcome: 'crashed' }, []],
];

for (const [state, rows] of TABLE) {
  const name = state.kind === 'away' ? `${state.kind} (${state.reason})` : state.kind;
  test(`stepProcess takes each event in ${name}`, () => {
    for (const event of EVENTS) {
      const row = rows.find(([on]) => on === event);
      const expected = row === undefined ? [state, []] : [row[1], row[2]];
      assert.deepEqual(stepProcess(state, event), expected, event);
    }
  });
}

test('stepProcess ends every life that is stopped, within two deadlines', () => {
  for (const [state] of TABLE) {
    let [now] = stepProcess(state, 'stop');
    [now] = stepProcess(now, 'late');
    [now] = stepProcess(now, 'exited');
    assert.equal(now.kind, 'ended');
    assert.equal(isLive(now), false);
  }
});
