// Whether a link to one front stands. A pure step; host-link.ts performs the effects.
//
//   dialing ──welcomed──▶ open ──lost──▶ dialing        dialing ──failed──▶ dialing, a little later
//   any ──stopped──▶ closed

import { assert, unreachable } from '../base/assert.ts';

export type LinkState =
  /** No front yet. `awayMs` is how long the process has tried in vain. */
  | { kind: 'dialing'; attempt: number; awayMs: number }
  /** Requests may come. */
  | { kind: 'open' }
  /** Final. */
  | { kind: 'closed' };

export type LinkEvent =
  | { kind: 'welcomed' }
  /** A dial was refused or not answered; `elapsedMs` since the failure or loss before it. */
  | { kind: 'failed'; elapsedMs: number }
  | { kind: 'lost' }
  | { kind: 'stopped' };

export type LinkEffect =
  /** Dial after `dialDelayMs`. */
  | 'dial'
  /** Tell the front what listens. */
  | 'register'
  /** The exchanges of the link are over. */
  | 'drop-channels'
  | 'hang-up'
  /** The front has been away; count it. */
  | 'away';

/** A process that was suspended is not said to have tried all that time. */
const ATTEMPT_MS_MAX = 1000;
const DIAL_DELAY_MS = 50;
const DIAL_DELAY_MS_MAX = 250;

/** How long to wait before the next dial, in ms. */
export function dialDelayMs(attempt: number): number {
  return attempt === 0 ? 0 : Math.min(attempt * DIAL_DELAY_MS, DIAL_DELAY_MS_MAX);
}

/** The only place a link changes. The caller performs the effects, in order. */
export function stepLink(state: LinkState, event: LinkEvent): [LinkState, LinkEffect[]] {
  if (state.kind === 'closed') return [state, []]; // Late events are expected.
  if (event.kind === 'stopped') return [{ kind: 'closed' }, ['hang-up', 'drop-channels']];
  switch (event.kind) {
    case 'welcomed':
      assert(state.kind === 'dialing', 'only a dial is welcomed');
      return [{ kind: 'open' }, ['register']];
    case 'failed': {
      assert(state.kind === 'dialing', 'only a dial fails');
      const awayMs = state.awayMs + Math.min(event.elapsedMs, ATTEMPT_MS_MAX);
      const next: LinkState = { kind: 'dialing', attempt: state.attempt + 1, awayMs };
      return [next, ['hang-up', 'dial', 'away']];
    }
    case 'lost':
      assert(state.kind === 'open', 'only an open link is lost');
      return [
        { kind: 'dialing', attempt: 1, awayMs: 0 },
        ['hang-up', 'drop-channels', 'dial'],
      ];
    default:
      return unreachable(event);
  }
}
