// The processes of one app, by what they are for. A process is in one set at a time, or in none once it ended.
//
//   regular   serve the app                       next      start beside them after a change
//   debuggee  has the app to itself               leaving   finish what they have, then go
//   aside     a debuggee that has only some requests; the others go on as if it were not there

import { isLive } from './process-state.ts';
import type { AppProcess } from './app-process.ts';
import type { PoolSituation } from './recycle-policy.ts';

/** See the head of this file. The pool moves processes between the sets. */
export class Crew {
  regular = new Set<AppProcess>();
  next: Set<AppProcess> | undefined;
  debuggee: AppProcess | undefined;
  aside: AppProcess | undefined;
  readonly leaving = new Set<AppProcess>();

  /** All that live or end. */
  get all(): AppProcess[] {
    const debuggees = [this.debuggee, this.aside].filter((process) => process !== undefined);
    return [...this.regular, ...(this.next ?? []), ...debuggees, ...this.leaving];
  }

  get hasDebuggee(): boolean {
    return this.debuggee !== undefined || this.aside !== undefined;
  }

  get hasLive(): boolean {
    return this.debuggee !== undefined || this.regular.size > 0;
  }

  get pids(): number[] {
    return this.all.filter((process) => isLive(process.state)).flatMap((process) => process.pid ?? []);
  }

  /** Some regular process gets requests. */
  get isServing(): boolean {
    return [...this.regular].some((process) => process.state.kind === 'ready');
  }

  get situation(): PoolSituation {
    if (this.debuggee !== undefined) return 'debug';
    if (this.next !== undefined) return 'recycling';
    if (this.regular.size === 0) return 'idle';
    const isStarting = [...this.regular].every((process) => process.state.kind === 'starting');
    return isStarting ? 'starting' : 'serving';
  }

  /** The app has `count` regular processes, all ready, and none that shall replace them. */
  isWhole(count: number): boolean {
    const isReady = [...this.regular].every((process) => process.state.kind === 'ready');
    return isReady && this.regular.size >= count && this.next === undefined;
  }

  /** The next ones become the regular ones. */
  promote(next: Set<AppProcess>): void {
    this.regular = next;
    this.next = undefined;
  }

  /**
   * The process with this pid, if some of `holders` are of another generation: of two generations one goes. Those of
   * its own stay beside it, and so does one aside.
   */
  waiterWith(pid: number, holders: readonly number[]): AppProcess | undefined {
    const process = this.all.find((one) => one.pid === pid);
    if (process === undefined || process === this.aside) return undefined;
    if (this.leaving.has(process)) return process;
    const own = [this.regular, this.next].find((set) => set?.has(process)) ?? new Set();
    const others = this.all.filter((one) => one !== process && one !== this.aside && !own.has(one));
    return others.some((one) => one.pid !== undefined && holders.includes(one.pid)) ? process : undefined;
  }

  /** All but the debuggee finish what they have and go. */
  retireRegular(): void {
    const old = [...this.regular, ...(this.next ?? [])];
    this.regular.clear();
    this.next = undefined;
    this.leave(old);
  }

  /** It serves no more. */
  lose(process: AppProcess): void {
    this.regular.delete(process);
    if (this.debuggee === process) this.debuggee = undefined;
    if (process.state.kind !== 'ended') this.leaving.add(process);
  }

  /** One of the next ones came to nothing: none takes over. */
  giveUpNext(process: AppProcess): void {
    this.next?.delete(process);
    const others = [...(this.next ?? [])];
    this.next = undefined;
    this.lose(process);
    this.leave(others);
  }

  /** All finish what they have and go; debuggees go at once. */
  retireAll(): void {
    this.retireRegular();
    this.#stopDebuggees();
  }

  #stopDebuggees(): void {
    void this.debuggee?.stop();
    void this.aside?.stop();
  }

  /** It has ended, whatever it was for besides serving the app. */
  forgetEnded(process: AppProcess): void {
    this.leaving.delete(process);
    if (this.aside === process) this.aside = undefined;
  }

  /** They finish what they have and go. They are in no other set when their states change. */
  leave(processes: readonly AppProcess[]): void {
    for (const process of processes) this.leaving.add(process);
    for (const process of processes) process.handle('retire');
  }
}
