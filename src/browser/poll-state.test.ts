import { test } from 'node:test';
import assert from 'node:assert/strict';
import { stepPoll } from './poll-state.ts';
import type { PollEffect, PollEvent, PollState } from './poll-state.ts';

const STATES: Record<string, PollState> = {
  opening: { kind: 'opening' },
  open: { kind: 'open', viewer: 'v' },
  live: { kind: 'live', viewer: 'v' },
  asking: { kind: 'asking' },
  closed: { kind: 'closed', reason: 'left' },
};

const EVENTS: Record<string, PollEvent> = {
  opened: { kind: 'opened', viewer: 'w' },
  heard: { kind: 'heard' },
  gone: { kind: 'gone', message: 'm' },
  failed: { kind: 'failed', message: 'm' },
  left: { kind: 'left' },
};

const lost: [PollState, PollEffect[]] = [
  { kind: 'closed', reason: 'lost' },
  [{ kind: 'abort' }, { kind: 'tell-lost', message: 'm' }],
];
const left: [PollState, PollEffect[]] = [{ kind: 'closed', reason: 'left' }, [{ kind: 'abort' }]];
const same = (state: string): [PollState, PollEffect[]] => [STATES[state]!, []];

const TABLE: Record<string, Record<string, [PollState, PollEffect[]]>> = {
  opening: {
    opened: [{ kind: 'open', viewer: 'w' }, [{ kind: 'poll', viewer: 'w' }]],
    heard: same('opening'),
    gone: lost,
    failed: lost,
    left,
  },
  open: { opened: same('open'), heard: [STATES['live']!, []], gone: lost, failed: lost, left },
  live: {
    opened: same('live'),
    heard: same('live'),
    gone: [{ kind: 'asking' }, [{ kind: 'abort' }, { kind: 'ask' }]],
    failed: lost,
    left,
  },
  asking: {
    opened: [{ kind: 'closed', reason: 'renewed' }, [{ kind: 'drop', viewer: 'w' }, { kind: 'tell-renewed' }]],
    heard: same('asking'),
    gone: lost,
    failed: lost,
    left,
  },
  closed: {
    opened: same('closed'),
    heard: same('closed'),
    gone: same('closed'),
    failed: same('closed'),
    left: same('closed'),
  },
};

for (const [stateName, state] of Object.entries(STATES)) {
  for (const [eventName, event] of Object.entries(EVENTS)) {
    test(`stepPoll: ${stateName} × ${eventName}`, () => {
      assert.deepEqual(stepPoll(state, event), TABLE[stateName]![eventName]);
    });
  }
}
