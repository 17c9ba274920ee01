// The state machine of <app>/debug/, pure. The shell in debug.ts performs the effects, in order.
//
//   idle ──open──▶ starting ──started──▶ debug
//     ▲               │ kill, failed       │ kill, exited
//     │               ▼                    ▼
//     └──ended──── ending ◀────────────────┘        stop: from everywhere to stopped; adopted: from idle to debug
//                     └──ended, opened meanwhile or files changed──▶ starting

import { assert, unreachable } from '../base/assert.ts';

/** Whose requests a debuggee gets: all of the app, or those that show the secret of the session. */
export type DebugScope = 'everyone' | 'mine';

/** How a debuggee comes to be. */
export interface DebugStart {
  /** Stop before the first line. */
  breakAtStart: boolean;
  scope: DebugScope;
  /** A process that runs already, instead of one that takes its place; the one with `pid`, or any. */
  live?: { pid?: number };
}

/** Where the debugger of one app is. */
export type DebugState =
  | { kind: 'idle' } // No debuggee. The app may run regularly, or not at all.
  | { kind: 'starting' } // A debuggee or its session proxy is on its way; openers wait.
  | { kind: 'debug' } // Both are there: `<app>/debug/` belongs to the session proxy.
  | { kind: 'ending'; reopen: DebugStart | null } // Both are being ended.
  | { kind: 'stopped' }; // Final: the host stops.

/** What happens to the debugger of one app. */
export type DebugEvent =
  | ({ kind: 'open' } & DebugStart) // Somebody asked for /debug/, with ?brk or ?live maybe.
  | { kind: 'kill' } // Somebody asked for /debug/?kill.
  | { kind: 'started' } // The session proxy serves.
  | { kind: 'adopted' } // Both were started by a host before this one.
  | { kind: 'failed' } // The start came to nothing.
  | { kind: 'changed'; start: DebugStart } // Files of the app are others than those that it was started with.
  | { kind: 'exited' } // The debuggee or its proxy ended by itself.
  | { kind: 'ended' } // The last of the two is gone.
  | { kind: 'stop' }; // The host stops.

/**
 * What the shell does. `answer-…` is for the one who asks now, `tell-…` for everybody who waits.
 * `fail` tells openers the reason that the shell knows.
 */
export type DebugEffect =
  | ({ kind: 'start' } & DebugStart)
  | { kind: 'end' }
  | { kind: 'answer-pass' }
  | { kind: 'answer-not-running' }
  | { kind: 'answer-stopping' }
  | { kind: 'answer-when-started' }
  | { kind: 'answer-when-ended' }
  | { kind: 'tell-openers-pass' }
  | { kind: 'tell-openers-failed' }
  | { kind: 'tell-openers-killed' }
  | { kind: 'tell-killers' };

/** The only place where the debugger of an app changes its state. */
export function stepDebug(state: DebugState, event: DebugEvent): [DebugState, DebugEffect[]] {
  if (event.kind === 'stop') return stop(state);
  switch (state.kind) {
    case 'idle':
      return stepIdle(state, event);
    case 'starting':
      return stepStarting(state, event);
    case 'debug':
      return stepRunning(state, event);
    case 'ending':
      return stepEnding(state, event);
    case 'stopped':
      return stepStopped(state, event);
    default:
      return unreachable(state);
  }
}

type Stepped = [DebugState, DebugEffect[]];
type LiveEvent = Exclude<DebugEvent, { kind: 'stop' }>;

function stop(state: DebugState): Stepped {
  const stopped: DebugState = { kind: 'stopped' };
  switch (state.kind) {
    case 'idle':
    case 'stopped':
      return [stopped, []];
    case 'starting':
    case 'debug':
      return [stopped, [{ kind: 'tell-openers-killed' }, { kind: 'end' }]];
    case 'ending':
      return [stopped, [{ kind: 'tell-openers-killed' }]];
    default:
      return unreachable(state);
  }
}

function stepIdle(state: DebugState & { kind: 'idle' }, event: LiveEvent): Stepped {
  switch (event.kind) {
    case 'open': {
      const start: DebugEffect = { ...event, kind: 'start' };
      return [{ kind: 'starting' }, [start, { kind: 'answer-when-started' }]];
    }
    case 'kill':
      return [state, [{ kind: 'answer-not-running' }]];
    case 'adopted':
      return [{ kind: 'debug' }, []];
    case 'exited':
    case 'changed':
      return [state, []];
    case 'started':
    case 'failed':
    case 'ended':
      assert(false, `nothing is on its way that could have ${event.kind}`);
    default:
      return unreachable(event);
  }
}

function stepStarting(state: DebugState & { kind: 'starting' }, event: LiveEvent): Stepped {
  switch (event.kind) {
    case 'open':
      return [state, [{ kind: 'answer-when-started' }]];
    case 'kill':
      return [
        { kind: 'ending', reopen: null },
        [{ kind: 'tell-openers-killed' }, { kind: 'end' }, { kind: 'answer-when-ended' }],
      ];
    case 'started':
      return [{ kind: 'debug' }, [{ kind: 'tell-openers-pass' }]];
    case 'failed':
      return [{ kind: 'ending', reopen: null }, [{ kind: 'tell-openers-failed' }, { kind: 'end' }]];
    case 'changed':
      return restart(event.start);
    case 'exited':
      // The start itself finds out, with a reason.
      return [state, []];
    case 'adopted':
    case 'ended':
      assert(false, `a start is under way, and nothing was told to end: it cannot have ${event.kind}`);
    default:
      return unreachable(event);
  }
}

/** Ends what runs and starts it again; openers wait for the new one. */
function restart(reopen: DebugStart): Stepped {
  return [{ kind: 'ending', reopen }, [{ kind: 'end' }]];
}

function stepRunning(state: DebugState & { kind: 'debug' }, event: LiveEvent): Stepped {
  switch (event.kind) {
    case 'open':
      return [state, [{ kind: 'answer-pass' }]];
    case 'kill':
      return [{ kind: 'ending', reopen: null }, [{ kind: 'end' }, { kind: 'answer-when-ended' }]];
    case 'changed':
      return restart({ ...event.start, breakAtStart: false });
    case 'exited':
      return [{ kind: 'ending', reopen: null }, [{ kind: 'end' }]];
    case 'started':
    case 'adopted':
    case 'failed':
    case 'ended':
      assert(false, `it runs already and cannot have ${event.kind}`);
    default:
      return unreachable(event);
  }
}

function stepEnding(state: DebugState & { kind: 'ending' }, event: LiveEvent): Stepped {
  switch (event.kind) {
    case 'open': {
      // The first one to ask decides how the next debuggee starts.
      const { kind: _kind, ...how } = event;
      const reopen = state.reopen ?? how;
      return [{ kind: 'ending', reopen }, [{ kind: 'answer-when-started' }]];
    }
    case 'kill':
      return [
        { kind: 'ending', reopen: null },
        [{ kind: 'tell-openers-killed' }, { kind: 'answer-when-ended' }],
      ];
    case 'adopted':
      assert(false, 'what ends was there before');
    case 'started':
    case 'failed':
    case 'exited':
    case 'changed':
      return [state, []]; // Late, and expected.
    case 'ended': {
      if (state.reopen === null) return [{ kind: 'idle' }, [{ kind: 'tell-killers' }]];
      return [{ kind: 'starting' }, [{ kind: 'tell-killers' }, { kind: 'start', ...state.reopen }]];
    }
    default:
      return unreachable(event);
  }
}

function stepStopped(state: DebugState & { kind: 'stopped' }, event: LiveEvent): Stepped {
  switch (event.kind) {
    case 'open':
      return [state, [{ kind: 'answer-stopping' }]];
    case 'kill':
      return [state, [{ kind: 'answer-not-running' }]];
    case 'ended':
      return [state, [{ kind: 'tell-killers' }]];
    case 'adopted':
      assert(false, 'a host that stops adopts nothing');
    case 'started':
    case 'failed':
    case 'exited':
    case 'changed':
      return [state, []]; // Late, and expected.
    default:
      return unreachable(event);
  }
}
