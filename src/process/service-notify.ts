// Tells systemd that the host is ready, that it lives, and that it stops (sd_notify, sd_watchdog_enabled).
// Node has no datagram sockets of the Unix family, so systemd-notify speaks for us; without it, or outside of
// systemd, nothing happens.

import { execFile } from 'node:child_process';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';

const NOTIFY_TIMEOUT_MS = 5000;

/** The words of the protocol that are used. */
export type ServiceState = 'READY=1' | 'STOPPING=1' | 'WATCHDOG=1';

export interface ServiceNotifyOptions {
  environment: Readonly<Record<string, string | undefined>>;
  pid: number;
  clock: Clock;
  log: Log;
  /** Passes a word on. Default: systemd-notify. */
  send?: (state: ServiceState) => Promise<void>;
}

/** How often the watchdog is told, in ms; undefined when systemd asks for none of this process. */
export function watchdogIntervalMs(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  const microseconds = Number(environment['WATCHDOG_USEC']);
  const watched = environment['WATCHDOG_PID'];
  if (!(microseconds > 0) || (watched !== undefined && Number(watched) !== pid)) return undefined;
  // Half of the limit, as sd_watchdog_enabled(3) recommends.
  return Math.max(100, microseconds / 2000);
}

function speak(pid: number, state: ServiceState): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { timeout: NOTIFY_TIMEOUT_MS };
    execFile('systemd-notify', [`--pid=${pid}`, state], options, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/** The host's word to the service manager. */
export class ServiceNotify {
  readonly #options: ServiceNotifyOptions;
  readonly #isManaged: boolean;
  #watchdog: Timer | undefined;

  constructor(options: ServiceNotifyOptions) {
    this.#options = options;
    this.#isManaged = (options.environment['NOTIFY_SOCKET'] ?? '') !== '';
  }

  /** Requests are answered. */
  ready(): void {
    if (!this.#isManaged) return;
    this.#tell('READY=1');
    const { environment, pid } = this.#options;
    const intervalMs = watchdogIntervalMs(environment, pid);
    if (intervalMs !== undefined) this.#watch(intervalMs);
  }

  stopping(): void {
    this.#watchdog?.stop();
    if (this.#isManaged) this.#tell('STOPPING=1');
  }

  #watch(intervalMs: number): void {
    this.#watchdog = this.#options.clock.after(intervalMs, () => {
      this.#tell('WATCHDOG=1');
      this.#watch(intervalMs);
    });
  }

  #tell(state: ServiceState): void {
    const { pid, log, send } = this.#options;
    (send?.(state) ?? speak(pid, state)).catch((error: unknown) => {
      log.warn('notify-failed', { state, reason: error instanceof Error ? error.message : String(error) });
    });
  }
}
