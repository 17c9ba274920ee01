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

/** What is needed of a process. */
export type LimitedProcess = Pick<AppProcess, 'pid' | 'killNow' | 'exited'>;

/** See the head of this file. */
export class AppLimits {
  readonly #log: Log;
  readonly #groups: ControlGroups;
  /** What was said already, by app. */
  readonly #told = new Map<string, string>();
  /** Kills for memory that the log knows of, by group. */
  readonly #kills = new Map<string, number>();

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
  spawned({ name, settings }: App, process: LimitedProcess, { group }: LimitPlace): void {
    if (group === undefined || process.pid === undefined) return;
    try {
      this.#groups.add(group, process.pid);
    } catch (error) {
      if (settings.limitsRequired) process.killNow();
      this.#tell(name, messageOf(error));
    }
    void process.exited.then(() => this.#tellKills(name, group, settings.memoryLimitMb));
  }

  /** Nothing is started any more. */
  close(): void {
    this.#groups.close();
  }

  /** A SIGKILL without this line came from somebody else. */
  #tellKills(app: string, group: string, memoryLimitMb: number): void {
    const kills = this.#groups.memoryKills(group);
    if (kills > (this.#kills.get(group) ?? 0)) this.#log.warn('app-memory-limit', { app, memoryLimitMb, kills });
    this.#kills.set(group, kills);
  }

  #tell(app: string, reason: string): void {
    if (this.#told.get(app) === reason) return;
    this.#told.set(app, reason);
    this.#log.warn('app-limits-unavailable', { app, reason });
  }
}
