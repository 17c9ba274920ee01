// Every state with every event.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { stepSocket, type SocketEvent, type SocketState } from './debugger-socket-state.ts';

const STATES: Record<string, SocketState> = {
  fresh: { kind: 'fresh' },
  dialing: { kind: 'dialing', afterStart: false },
  'dialing again': { kind: 'dialing', afterStart: true },
  starting: { kind: 'starting' },
  waiting: { kind: 'waiting' },
  connected: { kind: 'connected' },
  away: { kind: 'away' },
  returning: { kind: 'returning' },
  closed: { kind: 'closed' },
};

const EVENTS: SocketEvent[] = [
  'connect', 'force', 'dialed', 'refused', 'proxy-ready', 'proxy-failed', 'lost', 'enable', 'pause-over', 'close',
];

/** State, event, next state, effects. A pair that is not here changes nothing and does nothing. */
const TABLE: [string, SocketEvent, string, string][] = [
  ['fresh', 'connect', 'dialing', 'dial'],
  ['fresh', 'force', 'starting', 'start-proxy'],
  ['dialing', 'dialed', 'connected', 'tell-connect flush'],
  ['dialing', 'refused', 'starting', 'start-proxy'],
  ['dialing', 'force', 'starting', 'hang-up start-proxy'],
  ['dialing', 'close', 'closed', 'hang-up tell-end'],
  ['dialing again', 'dialed', 'connected', 'tell-connect flush'],
  ['dialing again', 'refused', 'waiting', 'tell-end pause'],
  ['dialing again', 'force', 'starting', 'hang-up start-proxy'],
  ['dialing again', 'close', 'closed', 'hang-up tell-end'],
  ['starting', 'proxy-ready', 'dialing again', 'dial'],
  ['starting', 'proxy-failed', 'dialing again', 'dial'],
  ['starting', 'close', 'closed', 'tell-end'],
  ['waiting', 'pause-over', 'dialing', 'dial'],
  ['waiting', 'force', 'starting', 'stop-pause start-proxy'],
  ['waiting', 'close', 'closed', 'stop-pause tell-end'],
  ['connected', 'lost', 'away', 'tell-away dial'],
  ['connected', 'close', 'closed', 'hang-up tell-end'],
  ['away', 'dialed', 'returning', 'tell-before-back'],
  ['away', 'refused', 'starting', 'tell-end start-proxy'],
  ['away', 'force', 'starting', 'hang-up tell-end start-proxy'],
  ['away', 'close', 'closed', 'hang-up tell-end'],
  ['returning', 'enable', 'connected', 'tell-back flush'],
  ['returning', 'lost', 'away', 'dial'],
  ['returning', 'force', 'starting', 'hang-up tell-end start-proxy'],
  ['returning', 'close', 'closed', 'hang-up tell-end'],
  ['closed', 'connect', 'dialing', 'dial'],
  ['closed', 'force', 'starting', 'start-proxy'],
];

for (const [name, state] of Object.entries(STATES)) {
  for (const event of EVENTS) {
    const row = TABLE.find(([from, on]) => from === name && on === event);
    const [, , to, effects] = row ?? [name, event, name, ''];
    test(`a socket that is ${name}, on ${event}, is ${to}`, () => {
      const [next, performed] = stepSocket(state, event);
      assert.deepEqual(next, STATES[to]);
      assert.equal(performed.join(' '), effects);
    });
  }
}

test('the table names states and events that there are', () => {
  for (const [from, event, to] of TABLE) {
    assert.ok(from in STATES && to in STATES && EVENTS.includes(event));
  }
});
