import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stepChannel } from './channel-state.ts';
import type { ChannelEvent, ChannelState } from './channel-state.ts';

const EVENTS: ChannelEvent[] = [
  'request', 'request-whole', 'response-whole', 'body-dropped', 'upgraded', 'gone',
];

/** What each event leads to, in the order of EVENTS. */
const TABLE: Record<ChannelState, ChannelState[]> = {
  idle: ['receiving', 'idle', 'idle', 'idle', 'idle', 'gone'],
  receiving: ['receiving', 'answering', 'answered', 'receiving', 'tunnel', 'gone'],
  answering: ['receiving', 'answering', 'idle', 'answering', 'tunnel', 'gone'],
  answered: ['receiving', 'idle', 'answered', 'idle', 'answered', 'gone'],
  tunnel: ['tunnel', 'tunnel', 'tunnel', 'tunnel', 'tunnel', 'gone'],
  gone: ['gone', 'gone', 'gone', 'gone', 'gone', 'gone'],
};

for (const [state, row] of Object.entries(TABLE)) {
  EVENTS.forEach((event, index) => {
    test(`stepChannel leads from ${state} with ${event} to ${row[index]}`, () => {
      assert.equal(stepChannel(state as ChannelState, event), row[index]);
    });
  });
}
