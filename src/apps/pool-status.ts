// What people see of a pool. Pure.

import { unreachable } from '../base/assert.ts';
import type { App } from './app-config.ts';
import type { AppStatus } from './app-status.ts';
import type { Crew } from './crew.ts';
import type { StartPacer } from './pacer.ts';
import type { Pause } from './pause.ts';
import type { Failure } from '../wire/front-messages.ts';

/** What the status is made of. */
export interface PoolFacts {
  app: App;
  crew: Crew;
  /** New processes start when the old ones are gone. */
  isReplacing: boolean;
  restarts: Pick<StartPacer, 'isWaiting' | 'isLooping'>;
  pause: Pause['kind'];
  losses: number;
  lastLoss: string | undefined;
  lastFailure: Failure | undefined;
}

function stateOf({ crew, isReplacing, restarts, pause, lastFailure }: PoolFacts): AppStatus['state'] {
  if (crew.debuggee !== undefined) return 'debug';
  switch (pause) {
    case 'stopped':
    case 'offline':
      return pause;
    case 'none':
      break;
    default:
      unreachable(pause);
  }
  if (crew.isServing) return 'ready';
  if (restarts.isLooping) return 'crash-loop';
  if (crew.hasLive || restarts.isWaiting || isReplacing) return 'starting';
  return lastFailure === undefined ? 'idle' : 'failed';
}

/** Puts the status together. */
export function poolStatus(facts: PoolFacts): AppStatus {
  const { app, crew, losses, lastLoss, lastFailure } = facts;
  const status = {
    name: app.name,
    path: app.path,
    state: stateOf(facts),
    pids: crew.pids,
    restarts: losses,
    ...(lastLoss === undefined ? {} : { lastLoss }),
    processes: crew.all.map(({ id, pid, state: { kind }, ageMs }) => ({ id, pid, state: kind, ageMs })),
  };
  return lastFailure === undefined ? status : { ...status, lastFailure };
}
