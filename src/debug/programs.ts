// The programs of one session: the debuggee, other processes of the app that were opened with it, and the node
// processes below them, each with an inspector session of its own. A program that comes later stops where the
// first one does. The session is over when the last of those is gone that it began with.

import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { SessionPause, UnattendedPolicy } from '../wire/session-messages.ts';
import { readArmed, writeArmed, type ArmedState } from './armed-state.ts';
import { ChildOffers, type OpenOffer } from './child-offers.ts';
import { Debuggee, type ListedTarget, type ProgramIds } from './debuggee.ts';
import type { ReadSource } from './source-file.ts';

/** Programs beyond these are not inspected. */
export const PROGRAMS_MAX = 64;
const NOTHING_ARMED: ArmedState = { remembered: [], breakpoints: [] };

/** What {@link Programs} needs. */
export interface ProgramsOptions {
  app: string;
  /** What the session begins with; the first is the one that programs without a choice mean. */
  programs: readonly ProgramIds[];
  /** Where it is kept what is armed. */
  armedFile: string;
  /** Where processes below the first program offer themselves; undefined: nowhere. */
  childrenFolder: string | undefined;
  unattended: UnattendedPolicy;
  /** Default: as this process may. */
  readSource?: ReadSource | undefined;
  clock: Clock;
  log: Log;
  /** A thread came; its breakpoints are armed. */
  attached(target: ListedTarget): void;
  detached(target: ListedTarget): void;
  /** A program stands, or goes on. */
  pauseChanged(): void;
}

/** See the head of this file. */
export class Programs {
  /** Settles with the reason when the session is over. */
  readonly ended: Promise<string>;
  #options: ProgramsOptions;
  #first: Debuggee;
  /** In order of arrival. */
  #all = new Set<Debuggee>();
  /** Those that the session began with and that live. */
  #founders = new Set<Debuggee>();
  /** Viewers may see them. */
  #announced = new Set<Debuggee>();
  #offers: ChildOffers | null;
  #resolveEnded: (reason: string) => void = () => {};
  #isOver = false;

  constructor(options: ProgramsOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    const [first, ...others] = options.programs.map((ids) => this.#make(ids, `${options.app} [${ids.pid}]`));
    this.#first = first!;
    for (const founder of [first!, ...others]) this.#founders.add(founder);
    const { childrenFolder, log } = options;
    this.#offers =
      childrenFolder === undefined ? null : new ChildOffers(childrenFolder, (offer) => void this.#take(offer), log);
  }

  /**
   * Attaches to what the session begins with, and lets it go. Resolves when the first one is there.
   * @throws HostError DEBUGGEE_UNREACHABLE
   */
  async attach(): Promise<void> {
    this.#offers?.open();
    await this.#first.attach();
    this.#announce(this.#first);
    for (const founder of this.#founders) if (founder !== this.#first) void this.#attachLater(founder);
  }

  /** A process of the app that came later. */
  add(ids: ProgramIds): void {
    const isKnown = [...this.#all].some(({ pid }) => pid === ids.pid);
    if (this.#isOver || isKnown || this.#all.size >= PROGRAMS_MAX) return;
    const program = this.#make(ids, `${this.#options.app} [${ids.pid}]`);
    this.#founders.add(program);
    void this.#attachLater(program);
  }

  /** Every thread that viewers may see; parents come before their workers. */
  targets(): ListedTarget[] {
    const listed: ListedTarget[] = [];
    for (const program of this.#announced) {
      if (program.main !== null) listed.push(program.main, ...program.workers());
    }
    return listed;
  }

  /** The processes whose main thread stands. */
  pauses(): SessionPause[] {
    const pauses: SessionPause[] = [];
    for (const program of this.#announced) {
      const pause = program.main?.target.replay.pause ?? null;
      if (pause !== null) pauses.push({ pid: program.pid, ...pause });
    }
    return pauses;
  }

  /** Slows the inspectors down while viewers lag behind. */
  setPressure(isHigh: boolean): void {
    for (const program of this.#all) program.setPressure(isHigh);
  }

  /** The programs go on without an inspector that others could find. Follow it by {@link close}. */
  closeInspectors(): void {
    for (const program of this.#all) program.closeInspector();
  }

  /** Lets all programs go. */
  close(reason: string): void {
    this.#end(reason);
  }

  #make(ids: ProgramIds, title: string): Debuggee {
    const { armedFile, unattended, readSource, clock, log, attached, detached, pauseChanged } = this.#options;
    const isFirst = this.#all.size === 0;
    const program: Debuggee = new Debuggee({
      ...ids,
      title,
      armed: () => (isFirst ? readArmed(armedFile, log) : (this.#first.main?.target.armed() ?? NOTHING_ARMED)),
      armedChanged: (state) => {
        // What is armed in the others was armed in the first one too, or is theirs alone.
        if (program === this.#first) writeArmed(armedFile, state, log);
      },
      unattended,
      readSource,
      clock,
      log,
      // Those that came before their program was announced are announced with it.
      workerAttached: (worker) => this.#announced.has(program) && attached(worker),
      workerDetached: (worker) => this.#announced.has(program) && detached(worker),
      pauseChanged,
    });
    this.#all.add(program);
    void program.ended.then((reason) => this.#gone(program, reason));
    return program;
  }

  async #take(offer: OpenOffer): Promise<void> {
    if (this.#all.size >= PROGRAMS_MAX) {
      this.#options.log.warn('child-not-inspected', { pid: offer.pid, reason: `${PROGRAMS_MAX} programs are` });
      offer.goOn();
      return;
    }
    const title = `${offer.title} [${offer.pid}]`;
    await this.#attachLater(this.#make({ pid: offer.pid, inspector: { kind: 'thread', path: offer.path } }, title));
    offer.goOn();
  }

  /** It may end before it is attached to; then nobody ever hears of it. */
  async #attachLater(program: Debuggee): Promise<void> {
    try {
      await program.attach();
      if (!this.#isOver && this.#all.has(program)) this.#announce(program);
    } catch (error) {
      this.#options.log.debug('program-not-inspected', { pid: program.pid, reason: messageOf(error) });
      program.close(messageOf(error));
    }
  }

  #announce(program: Debuggee): void {
    this.#announced.add(program);
    this.#options.attached(program.main!);
    for (const worker of program.workers()) this.#options.attached(worker);
  }

  #gone(program: Debuggee, reason: string): void {
    this.#all.delete(program);
    this.#founders.delete(program);
    if (this.#founders.size === 0) this.#end(reason);
    else if (program === this.#first) this.#first = this.#founders.values().next().value!;
    if (this.#isOver || !this.#announced.delete(program)) return;
    this.#options.detached(program.main!);
    this.#options.pauseChanged();
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#offers?.close();
    // Viewers first: they hear of all threads at once.
    this.#resolveEnded(reason);
    for (const program of this.#all) program.close(reason);
  }
}
