// The state machine of a debugger socket, pure. debugger-socket.ts performs the effects, in order.
//
//   fresh ──connect──▶ dialing ──dialed──▶ connected ──lost──▶ away ──dialed──▶ returning ──enable──▶ connected
//                        │ ▲                                     │ refused
//                 refused│ │proxy-ready, proxy-failed            │
//                        ▼ │ (dials again)                       │
//                      starting ◀───────────tell-end─────────────┘        close: from everywhere to closed
//
// A proxy that cannot be started and reached is a failure: `end`, and the whole cascade again after a pause,
// without end.

import { unreachable } from '../base/assert.ts';

/** Where a debugger socket is. */
export type SocketState =
  | { kind: 'fresh' } // Nothing was asked for yet.
  | { kind: 'dialing'; afterStart: boolean } // To the proxy; `afterStart`: to one that was started just now.
  | { kind: 'starting' } // The proxy process is on its way.
  | { kind: 'waiting' } // The cascade failed; it begins anew after a pause.
  | { kind: 'connected' }
  | { kind: 'away' } // The connection was lost; dialing again. What is sent waits.
  | { kind: 'returning' } // Connected again; `beforeBack` was cancelled, `enable` is to come.
  | { kind: 'closed' }; // By the user; `connect` begins anew.

/** What happens to a debugger socket. */
export type SocketEvent =
  | 'connect' // The user wants it.
  | 'force' // The user wants a new proxy, whatever is there.
  | 'dialed' // A connection to the proxy is there.
  | 'refused' // There is none to be had.
  | 'proxy-ready' // The process says that it can be reached.
  | 'proxy-failed' // It ended, or never began.
  | 'lost' // The connection broke.
  | 'enable' // The user, or nobody objected to going on.
  | 'pause-over'
  | 'close';

/** What the shell does. `tell-…` are events for the user. */
export type SocketEffect =
  | 'dial'
  | 'hang-up'
  | 'start-proxy'
  | 'pause'
  | 'stop-pause'
  | 'tell-connect'
  | 'tell-away'
  | 'tell-before-back' // And then `enable`, unless a listener objects.
  | 'tell-back'
  | 'tell-end' // Everything pending has failed before.
  | 'flush';

type Stepped = [SocketState, SocketEffect[]];

/** The only place where a debugger socket changes its state. */
export function stepSocket(state: SocketState, event: SocketEvent): Stepped {
  if (event === 'close') return close(state);
  if (event === 'force') return force(state);
  switch (state.kind) {
    case 'fresh':
    case 'closed':
      return event === 'connect' ? [{ kind: 'dialing', afterStart: false }, ['dial']] : [state, []];
    case 'dialing':
      return stepDialing(state, event);
    case 'starting':
      // A proxy that found its port taken ends: another starter's is there, so both are dialed.
      if (event !== 'proxy-ready' && event !== 'proxy-failed') return [state, []];
      return [{ kind: 'dialing', afterStart: true }, ['dial']];
    case 'waiting':
      return event === 'pause-over' ? [{ kind: 'dialing', afterStart: false }, ['dial']] : [state, []];
    case 'connected':
      return event === 'lost' ? [{ kind: 'away' }, ['tell-away', 'dial']] : [state, []];
    case 'away':
      if (event === 'dialed') return [{ kind: 'returning' }, ['tell-before-back']];
      // The proxy is gone, and the session with it.
      return event === 'refused' ? [{ kind: 'starting' }, ['tell-end', 'start-proxy']] : [state, []];
    case 'returning':
      if (event === 'enable') return [{ kind: 'connected' }, ['tell-back', 'flush']];
      return event === 'lost' ? [{ kind: 'away' }, ['dial']] : [state, []];
    default:
      return unreachable(state);
  }
}

function stepDialing(state: SocketState & { kind: 'dialing' }, event: SocketEvent): Stepped {
  switch (event) {
    case 'dialed':
      return [{ kind: 'connected' }, ['tell-connect', 'flush']];
    case 'refused':
      if (state.afterStart) return [{ kind: 'waiting' }, ['tell-end', 'pause']];
      return [{ kind: 'starting' }, ['start-proxy']];
    default:
      return [state, []]; // Late, and expected.
  }
}

function force(state: SocketState): Stepped {
  const starting: SocketState = { kind: 'starting' };
  switch (state.kind) {
    case 'fresh':
    case 'closed':
      return [starting, ['start-proxy']];
    case 'dialing':
      return [starting, ['hang-up', 'start-proxy']];
    case 'waiting':
      return [starting, ['stop-pause', 'start-proxy']];
    case 'starting':
    case 'connected':
      return [state, []];
    case 'away':
    case 'returning':
      return [starting, ['hang-up', 'tell-end', 'start-proxy']];
    default:
      return unreachable(state);
  }
}

function close(state: SocketState): Stepped {
  const closed: SocketState = { kind: 'closed' };
  switch (state.kind) {
    case 'fresh':
    case 'closed':
      return [state, []];
    case 'dialing':
    case 'connected':
    case 'away':
    case 'returning':
      return [closed, ['hang-up', 'tell-end']];
    case 'starting':
      return [closed, ['tell-end']];
    case 'waiting':
      return [closed, ['stop-pause', 'tell-end']];
    default:
      return unreachable(state);
  }
}
