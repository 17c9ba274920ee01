// Limits of apps that the kernel keeps, where it can. Where it cannot, an app runs without them and the log says so
// once, or it is not started (`limitsRequired`).

import { ControlGroups, hasKernelLimits } from './control-groups.ts';
import type { App } from './app-config.ts';
import type { AppProcess } from './app-process.ts';
import { messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';

/** A place for one process: its group, or why there is none. */
export interface LimitPlace {
  group?: string;
  /** The process shall not start. */
  problem?: string;
}

/** See the head of this file. */
export class AppLimits {
  readonly #log: Log;
  readonly #groups: ControlGroups;
  /** What was said already, by app. */
  readonly #told = new Map<string, string>();

  constructor(log: Log, groups = new ControlGroups()) {
    this.#log = log;
    this.#groups = groups;
  }

  /** To be asked before each start. */
  placeFor({ name, settings }: App): LimitPlace {
    if (!hasKernelLimits(settings)) return {};
    try {
      return { group: this.#groups.open(name, settings) };
    } catch (error) {
      const reason = messageOf(error);
      if (settings.limitsRequired) return { problem: `its limits cannot be kept: ${reason} (limitsRequired)` };
      this.#tell(name, reason);
      return {};
    }
  }

  /** The process was spawned a moment ago. */
  spawned({ name, settings }: App, process: AppProcess, { group }: LimitPlace): void {
    if (group === undefined || process.pid === undefined) return;
    try {
      this.#groups.add(group, process.pid);
    } catch (error) {
      if (settings.limitsRequired) process.killNow();
      this.#tell(name, messageOf(error));
    }
  }

  /** Nothing is started any more. */
  close(): void {
    this.#groups.close();
  }

  #tell(app: string, reason: string): void {
    if (this.#told.get(app) === reason) return;
    this.#told.set(app, reason);
    this.#log.warn('app-limits-unavailable', { app, reason });
  }
}
