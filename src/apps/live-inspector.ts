// Opens the inspector of a process that runs, also of one that spins: node starts it on SIGUSR1 and says on
// stderr where. The preload has set the port to 0, so that processes never meet.

import { HostError } from '../base/host-error.ts';
import type { Clock } from '../base/clock.ts';

/** How long a process may take to say where its inspector is, in ms. */
export const INSPECTOR_TIMEOUT_MS = 5000;

const LISTENING = /^Debugger listening on ws:\/\/127\.0\.0\.1:(\d+)\//;

/** The inspector of one process, as its stderr tells. */
export class LiveInspector {
  #clock: Clock;
  #port: number | undefined;
  #waiting = new Set<(port: number) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A line of stderr. */
  hear(line: string): void {
    const port = LISTENING.exec(line)?.[1];
    if (port === undefined) return;
    this.#port = Number(port);
    for (const tell of this.#waiting) tell(this.#port);
    this.#waiting.clear();
  }

  /**
   * Opens it, or finds it open; its port on 127.0.0.1. The process must have run node's start already: before,
   * the signal would end it. @throws HostError DEBUGGEE_UNREACHABLE
   */
  open(pid: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const known = this.#port;
      const timer = this.#clock.after(INSPECTOR_TIMEOUT_MS, () => {
        this.#waiting.delete(tell);
        // It was opened before, and says so only once.
        if (known !== undefined) return resolve(known);
        const message = `process ${pid} did not open its inspector within ${INSPECTOR_TIMEOUT_MS} ms`;
        reject(new HostError('DEBUGGEE_UNREACHABLE', message));
      });
      const tell = (port: number): void => {
        timer.stop();
        resolve(port);
      };
      this.#waiting.add(tell);
      startInspector(pid);
    });
  }

  /** Another host opened it. */
  found(port: number): void {
    this.#port = port;
  }

  /** It was closed: the next one has another port. */
  forget(): void {
    this.#port = undefined;
  }
}

function startInspector(pid: number): void {
  // Undocumented, and the only way on Windows, where there are no signals.
  const debug = (process as unknown as { _debugProcess(pid: number): void })._debugProcess;
  debug.call(process, pid);
}
