// The life of a viewer's connection to its session proxy, as a pure step: PollSocket performs the effects.
//
//   opening ──opened──▶ open ──heard──▶ live ──gone──▶ asking ──opened──▶ closed(renewed)
//      │ gone, failed     │ gone, failed  │ failed         │ gone, failed
//      ▼                  ▼               ▼                ▼
//   closed(lost)       closed(lost)    closed(lost)     closed(lost)
//   any ──left──▶ closed(left)
//
// A viewer that was dropped while it lived (a laptop asleep) asks once whether the session is still there and
// then starts anew. One that was never answered must not: it would start anew for ever.

import { unreachable } from '../base/assert.ts';

export type PollState =
  | { kind: 'opening' } // No viewer yet; messages wait.
  | { kind: 'open'; viewer: string } // Has an id; no poll was answered yet.
  | { kind: 'live'; viewer: string } // Polls are answered.
  | { kind: 'asking' } // The viewer was dropped; does its session live?
  | { kind: 'closed'; reason: 'left' | 'lost' | 'renewed' }; // Final.

export type PollEvent =
  | { kind: 'opened'; viewer: string } // POST . was answered.
  | { kind: 'heard' } // A poll was answered.
  | { kind: 'gone'; message: string } // 410: no such viewer, or no session for a new one.
  | { kind: 'failed'; message: string } // Refused, or not reached in spite of all retries.
  | { kind: 'left' }; // This side has had enough.

export type PollEffect =
  | { kind: 'poll'; viewer: string } // Start polling and sending.
  | { kind: 'ask' } // POST . to see whether the session lives.
  | { kind: 'drop'; viewer: string } // Close the viewer that only asked.
  | { kind: 'abort' } // End what is under way.
  | { kind: 'tell-lost'; message: string }
  | { kind: 'tell-renewed' };

function lost(message: string): [PollState, PollEffect[]] {
  return [{ kind: 'closed', reason: 'lost' }, [{ kind: 'abort' }, { kind: 'tell-lost', message }]];
}

/** The only place where the state of a connection changes. */
export function stepPoll(state: PollState, event: PollEvent): [PollState, PollEffect[]] {
  if (state.kind === 'closed') return [state, []]; // Answers that were under way.
  if (event.kind === 'left') return [{ kind: 'closed', reason: 'left' }, [{ kind: 'abort' }]];
  if (event.kind === 'failed') return lost(event.message);
  switch (state.kind) {
    case 'opening':
      if (event.kind === 'gone') return lost(event.message);
      if (event.kind === 'heard') return [state, []];
      return [{ kind: 'open', viewer: event.viewer }, [{ kind: 'poll', viewer: event.viewer }]];
    case 'open':
      if (event.kind === 'gone') return lost(event.message);
      return event.kind === 'heard' ? [{ kind: 'live', viewer: state.viewer }, []] : [state, []];
    case 'live':
      return event.kind === 'gone' ? [{ kind: 'asking' }, [{ kind: 'abort' }, { kind: 'ask' }]] : [state, []];
    case 'asking':
      if (event.kind === 'heard') return [state, []];
      if (event.kind === 'gone') return lost(event.message);
      return [
        { kind: 'closed', reason: 'renewed' },
        [{ kind: 'drop', viewer: event.viewer }, { kind: 'tell-renewed' }],
      ];
    default:
      return unreachable(state);
  }
}
