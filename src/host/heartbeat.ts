// Whether a process that the host started still turns its event loop: it is asked for a sign of life over IPC, and
// named as hung when it owes one for too long. Only time in which the host itself ran well counts: a machine that
// slept, was stopped or is overloaded makes nobody guilty.

import type { ChildProcess } from 'node:child_process';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';

/** Questions in the time that a process has. */
const PINGS = 5;
/** How much later than planned a look may come, as a share of the gap between looks. */
const LATE_SHARE = 0.5;
/** How often the setting is looked at while it is off. */
const OFF_GAP_MS = 2000;

export type Heartbeat =
  | { kind: 'starting'; lookedMs: number } // Nothing was heard yet: a start has no measure here.
  | { kind: 'watching'; silentMs: number; lookedMs: number } // For how long nothing was heard; when that was counted.
  | { kind: 'hung'; silentMs: number }; // Final.

export type HeartbeatEvent = { kind: 'heard' } | { kind: 'look'; nowMs: number; gapMs: number };

/** The only place a heartbeat changes. `look` comes every `gapMs`, as nearly as the host manages. */
export function stepHeartbeat(state: Heartbeat, event: HeartbeatEvent, limitMs: number): Heartbeat {
  if (state.kind === 'hung') return state;
  if (event.kind === 'heard') return { kind: 'watching', silentMs: 0, lookedMs: state.lookedMs };
  const { nowMs, gapMs } = event;
  if (state.kind === 'starting') return { kind: 'starting', lookedMs: nowMs };
  const passedMs = nowMs - state.lookedMs;
  // Whoever looks so late may have an answer unread, and the other one had no more time than we.
  if (passedMs > gapMs * (1 + LATE_SHARE)) return { kind: 'watching', silentMs: 0, lookedMs: nowMs };
  const silentMs = state.silentMs + passedMs;
  return silentMs >= limitMs ? { kind: 'hung', silentMs } : { kind: 'watching', silentMs, lookedMs: nowMs };
}

interface HeartbeatOptions {
  clock: Clock;
  /** The setting; 0 turns it off. It holds from the next look on. */
  limitMs(): number;
  /** Asks for a sign of life. */
  ping(): void;
  /** Called once. */
  onHung(silentMs: number): void;
}

/** Watches one process from its first word on, until `stop`. Every word of the process is told to `heard`. */
export class HeartbeatWatch {
  #options: HeartbeatOptions;
  #state: Heartbeat;
  #timer: Timer;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#state = { kind: 'starting', lookedMs: options.clock.now() };
    options.ping();
    this.#timer = this.#lookLater(options.limitMs());
  }

  heard(): void {
    this.#state = stepHeartbeat(this.#state, { kind: 'heard' }, this.#options.limitMs());
  }

  stop(): void {
    this.#timer.stop();
  }

  #lookLater(limitMs: number): Timer {
    const gapMs = limitMs === 0 ? OFF_GAP_MS : limitMs / PINGS;
    return this.#options.clock.after(gapMs, () => this.#look(gapMs));
  }

  #look(gapMs: number): void {
    const { clock, limitMs, ping, onHung } = this.#options;
    const limit = limitMs();
    if (limit === 0) this.heard();
    this.#state = stepHeartbeat(this.#state, { kind: 'look', nowMs: clock.now(), gapMs }, limit || Infinity);
    if (this.#state.kind === 'hung') {
      onHung(this.#state.silentMs);
      return;
    }
    if (limit > 0) ping();
    this.#timer = this.#lookLater(limit);
  }
}

/** Watches a child that answers `ping` and kills it when it hangs. The caller tells the watch what the child says. */
export function watchChild(
  child: ChildProcess,
  name: string,
  { clock, log, hangTimeoutMs }: { clock: Clock; log: Log; hangTimeoutMs(): number },
): HeartbeatWatch {
  return new HeartbeatWatch({
    clock,
    limitMs: hangTimeoutMs,
    ping() {
      // It may have ended a moment ago; its exit follows.
      if (child.connected) child.send({ kind: 'ping' }, () => {});
    },
    onHung(silentMs) {
      const silence = { silentMs: Math.round(silentMs), limitMs: hangTimeoutMs() };
      log.error('process-hung', { code: 'PROCESS_HUNG', process: name, pid: child.pid, ...silence });
      child.kill('SIGKILL');
    },
  });
}
