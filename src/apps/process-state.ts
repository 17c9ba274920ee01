// The life of one app process, as a pure machine. `late` is the deadline of the present state; entering a
// state sets it or clears it.
//
//   starting ──ready──▶ ready ──retire──▶ draining ──drained, late, unlinked──▶ stopping ──exited──▶ ended
//                       │   ▲             ▲                                     ▲  late: KILL
//     unlinked, unready ▼   │ ready       │ retire (unready)                    │
//                       away ─────────────┴── late, retire (unlinked) ──────────┤
//   starting ── late, retire ───────────────────────────────────────────────────┘
//   any but ended ── stop ──▶ stopping                  any ── exited ──▶ ended

import { unreachable } from '../base/assert.ts';

export type ProcessState =
  /** Spawned; no server of it has listened yet. Patient: others have to go before it can. */
  | { kind: 'starting'; isPatient?: true }
  /** Gets requests. */
  | { kind: 'ready' }
  /** Was ready. The front lost it, or it closed its server: it may come back. */
  | { kind: 'away'; reason: 'unlinked' | 'unready' }
  /** Gets nothing new and finishes what it has. */
  | { kind: 'draining' }
  /** Was asked to end. `reason` says why. */
  | { kind: 'stopping'; reason: StopReason }
  /** Gone. `failed`: before it listened; `crashed`: later, by itself; `stopped`: as it was told. */
  | { kind: 'ended'; outcome: 'failed' | 'crashed' | 'stopped' };

/** `start-late`: did not listen in time; `away-late`: did not come back; `told`: retired or stopped. */
export type StopReason = 'start-late' | 'away-late' | 'told';

/** What happens to a process. `late`: the deadline of its state passed. */
export type ProcessEvent =
  | 'ready'
  | 'unready'
  | 'unlinked'
  | 'retire'
  | 'drained'
  | 'stop'
  /** It needs what processes have that go. */
  | 'waits'
  | 'late'
  | 'exited';

/** What the caller does, in order. Deadlines replace each other. */
export type ProcessEffect =
  /** The front gives it nothing new and says when its last exchange is over. */
  | 'ask-drain'
  /** The front forgets the process. */
  | 'forget'
  /** SIGTERM to the process. */
  | 'terminate'
  /** SIGKILL to its whole group. */
  | 'kill'
  | 'deadline-none'
  | 'deadline-link'
  | 'deadline-start'
  /** As long as the others may take, and then that. */
  | 'deadline-patient'
  | 'deadline-drain'
  | 'deadline-kill';

/** True while the process serves or may serve: not told to go, not gone. */
export function isLive(state: ProcessState): boolean {
  return state.kind === 'starting' || state.kind === 'ready' || state.kind === 'away';
}

function ended(state: ProcessState): ProcessState {
  switch (state.kind) {
    case 'starting':
      return { kind: 'ended', outcome: 'failed' };
    case 'ready':
    case 'away':
      return { kind: 'ended', outcome: 'crashed' };
    case 'draining':
    case 'stopping':
    case 'ended':
      return { kind: 'ended', outcome: 'stopped' };
    default:
      return unreachable(state);
  }
}

function stopping(reason: StopReason, before: ProcessEffect[]): [ProcessState, ProcessEffect[]] {
  return [{ kind: 'stopping', reason }, [...before, 'terminate', 'deadline-kill']];
}

/** The only place a process changes. The caller performs the effects, in order. */
export function stepProcess(state: ProcessState, event: ProcessEvent): [ProcessState, ProcessEffect[]] {
  if (state.kind === 'ended') return [state, []]; // Late events are expected.
  if (event === 'exited') return [ended(state), ['deadline-none', 'forget']];
  switch (state.kind) {
    case 'starting':
      if (event === 'ready') return [{ kind: 'ready' }, ['deadline-none']];
      if (event === 'retire' || event === 'stop') return stopping('told', ['forget']);
      if (event === 'late') return stopping('start-late', ['forget']);
      if (event === 'waits' && state.isPatient !== true) {
        return [{ kind: 'starting', isPatient: true }, ['deadline-patient']];
      }
      return [state, []];
    case 'ready':
      if (event === 'unlinked') return [{ kind: 'away', reason: event }, ['deadline-link']];
      if (event === 'unready') return [{ kind: 'away', reason: event }, ['deadline-start']];
      if (event === 'retire') return [{ kind: 'draining' }, ['ask-drain', 'deadline-drain']];
      if (event === 'stop') return stopping('told', ['ask-drain']);
      return [state, []];
    case 'away':
      if (event === 'ready') return [{ kind: 'ready' }, ['deadline-none']];
      // A process without a server may still be answering; one without a link cannot.
      if (event === 'retire' && state.reason === 'unready') {
        return [{ kind: 'draining' }, ['ask-drain', 'deadline-drain']];
      }
      if (event === 'unlinked') return [{ kind: 'away', reason: event }, ['deadline-link']];
      if (event === 'retire' || event === 'stop') return stopping('told', ['forget']);
      if (event === 'late') return stopping('away-late', ['forget']);
      return [state, []];
    case 'draining':
      // Without its link no exchange of it can end well.
      if (event === 'drained' || event === 'late' || event === 'unlinked' || event === 'stop') {
        return stopping('told', []);
      }
      return [state, []];
    case 'stopping':
      return event === 'late' ? [state, ['kill', 'deadline-kill']] : [state, []];
    default:
      return unreachable(state);
  }
}
