// All front processes of a host, to the rest of it as one: each is told everything and started again when it
// dies; what they tell of processes is merged (process-links.ts), and so are their numbers (front-merge.ts).

import { join } from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { assert } from '../base/assert.ts';
import { messageOf } from '../base/host-error.ts';
import type { CacheAnswer, CacheAsk } from '../wire/cache-messages.ts';
import type {
  AskedRequest, Decision, ExpectedProcess, Failure, FrontReport, FrontToHost, HostToFront,
} from '../wire/front-messages.ts';
import type { FrontSnapshot } from '../wire/status.ts';
import { groupsOf, limitsOf, mergeCacheAnswers, mergeReports } from './front-merge.ts';
import { FrontProcess } from './front-process.ts';
import type { BoundListener } from './listen-origin.ts';
import type { UserSockets } from './user-sockets.ts';
import { ProcessLinks, type LinksEvent, type MergedEvent } from './process-links.ts';

/** How long a process may be ready for some fronts only, before it counts as ready. */
const COMING_TIMEOUT_MS = 1000;
/** How long a front that replaces a lost one waits for the links of its predecessor before it accepts clients. */
const RELINK_TIMEOUT_MS = 500;

/** What is not the same for all. */
type OfFront = 'linkSocket' | 'userLinks' | 'formerLinks';

/** The state of the moment, for a front that starts. */
export type FrontConfiguration = Omit<HostToFront & { kind: 'configure' }, 'kind' | OfFront>;

/** A request that the host decides on. */
export interface FrontAsk {
  group: string;
  request: AskedRequest;
}

export interface FrontsOptions {
  /** How many. */
  count: number;
  mainPath: string;
  /** Where link sockets are made. */
  folder: string;
  /** Where processes of other users dial in. */
  users: readonly UserSockets[];
  json: boolean;
  listeners: BoundListener[];
  /** How long one may owe a sign of life; 0 is for ever. */
  hangTimeoutMs(): number;
  clock: Clock;
  log: Log;
  /** `expected`: the processes that may dial. */
  configuration(expected: ExpectedProcess[]): FrontConfiguration;
  /** What changed of processes and groups, for all fronts together. */
  onEvent(event: MergedEvent): void;
  decide(ask: FrontAsk): Promise<Decision>;
}

/** Where processes dial that a host before this one started; one path a front. */
export interface FormerLinks {
  links: readonly string[];
  /** Of a user of their own. */
  userLinks?: { uid: number; paths: readonly string[] };
}

/** A front that waits for links before it listens. */
interface Relinking {
  missing: Set<string>;
  timer: Timer;
  done(): void;
}

/** See the head of this file. Made once, `start`ed once. */
export class Fronts {
  /** Where processes dial in, a socket a front. */
  readonly linkSockets: string[];
  #options: FrontsOptions;
  #fronts: FrontProcess[];
  #links = new ProcessLinks();
  #retiring = new Map<string, (() => void)[]>();
  /** What each lost front was linked with. */
  #lostLinks = new Map<number, string[]>();
  #relinking = new Map<number, Relinking>();
  /** Where processes dial that a host before this one started: for each front. */
  #formerLinks: { own: string[]; users: { path: string; uid: number }[] }[];

  constructor(options: FrontsOptions) {
    this.#options = options;
    const { count, folder, mainPath, json, listeners, hangTimeoutMs, clock, log } = options;
    const indexes = Array.from({ length: count }, (_, index) => index);
    this.linkSockets = indexes.map((index) => join(folder, `front-${index}.sock`));
    this.#formerLinks = indexes.map(() => ({ own: [], users: [] }));
    this.#fronts = indexes.map((index) => new FrontProcess({
      mainPath, json, listeners, hangTimeoutMs, clock, log,
      configuration: () => this.#configuration(index),
      onMessage: (message) => this.#onMessage(index, message),
      beforeListening: () => this.#relinked(index),
      onServing: () => this.#links.serving(index),
      onLost: () => this.#onLost(index),
    }));
  }

  /**
   * A process of a host before this one dials at `links`, one path a front: each has a moment for it before it accepts
   * clients. To be called before `start`.
   */
  awaitFormer({ links, userLinks }: FormerLinks, process: string): void {
    this.#formerLinks.forEach(({ own, users }, index) => {
      const path = userLinks?.paths[index];
      if (!own.includes(links[index]!)) own.push(links[index]!);
      if (path !== undefined && !users.some((user) => user.path === path)) users.push({ path, uid: userLinks!.uid });
      this.#lostLinks.set(index, [...(this.#lostLinks.get(index) ?? []), process]);
    });
  }

  /** Resolves when all answer. @throws HostError LISTEN_FAILED, FRONT_FAILED */
  async start(): Promise<void> {
    await Promise.all(this.#fronts.map((front) => front.start()));
  }

  /** Tells all of them. What holds for all together reaches each as its share. */
  send(message: HostToFront): void {
    const { count } = this.#options;
    this.#fronts.forEach((front, index) => {
      if (message.kind === 'routes') {
        front.send({ ...message, groups: groupsOf(message.groups, index, count) });
      } else if (message.kind === 'reconfigure') {
        const limits = limitsOf(message.limits, index, count);
        front.send({ ...message, limits, groups: groupsOf(message.groups, index, count) });
      } else front.send(message);
    });
  }

  /** The process is about to dial. */
  expect(process: ExpectedProcess): void {
    this.#links.expect(process);
    this.send({ kind: 'expect', process });
  }

  /** The process is gone or given up. */
  forget(process: string): void {
    this.send({ kind: 'forget', process });
    this.#tell(this.#links.forget(process));
    for (const index of this.#relinking.keys()) this.#linked(index, process);
  }

  /** Nothing new to the process; resolves when no front has an exchange of it left. */
  retire(process: string): Promise<void> {
    return new Promise((resolve) => {
      this.#retiring.set(process, [...(this.#retiring.get(process) ?? []), resolve]);
      this.send({ kind: 'retire', process });
      this.#tell(this.#links.retire(process));
    });
  }

  /** All that wait for the group get this. */
  failed(group: string, failure: Failure): void {
    this.#links.failed(group);
    this.send({ kind: 'failed', group, failure });
  }

  /** Listens on one more address. @throws HostError LISTEN_FAILED */
  async addListener(listener: BoundListener): Promise<void> {
    await Promise.all(this.#fronts.map((front) => front.addListener(listener)));
  }

  /** Takes an added address away. */
  removeListener(listener: BoundListener): void {
    for (const front of this.#fronts) front.removeListener(listener);
  }

  /** Listens where an edit says, and no more where it does not. What fails is logged. */
  relisten({ added, removed }: { added: readonly BoundListener[]; removed: readonly BoundListener[] }): void {
    for (const listener of removed) this.removeListener(listener);
    for (const listener of added) {
      this.addListener(listener).catch((error: unknown) => {
        this.#options.log.error('listen-failed', { reason: messageOf(error) });
      });
    }
  }

  /** The numbers of all, or null when none answers in time. */
  async report(): Promise<FrontReport | null> {
    return mergeReports((await this.#reports()).filter((report) => report !== null)) ?? null;
  }

  /** The numbers of all, and a row for each. */
  async status(): Promise<{ report: FrontReport | null; fronts: FrontSnapshot[] }> {
    const reports = await this.#reports();
    const fronts = this.#fronts.map((front, index): FrontSnapshot => {
      const report = reports[index];
      const numbers = report && { connections: report.connections, requests: report.requests };
      return { pid: front.pid ?? 0, state: front.state, restarts: front.restarts, ...numbers };
    });
    return { report: mergeReports(reports.filter((report) => report !== null)) ?? null, fronts };
  }

  #reports(): Promise<(FrontReport | null)[]> {
    return Promise.all(this.#fronts.map((front) => front.report()));
  }

  /** Shows or purges what all keep; null when one does not answer in time. A front that died keeps nothing. */
  async cache(ask: CacheAsk): Promise<CacheAnswer | null> {
    const answers = await Promise.all(this.#fronts.map((front) => front.cache(ask)));
    if (answers.includes('late')) return null;
    const merged = mergeCacheAnswers(answers.filter((answer) => answer !== 'late' && answer !== 'gone'));
    if (merged !== null || ask.kind === 'show') return merged;
    return { kind: 'purged', isValid: true };
  }

  /** Lets requests finish, at most `timeoutMs`; resolves when all have ended. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopRelinking();
    await Promise.all(this.#fronts.map((front) => front.stop(timeoutMs)));
  }

  /** Ends all without a word. */
  kill(): void {
    this.#stopRelinking();
    for (const front of this.#fronts) front.kill();
  }

  #configuration(index: number): (HostToFront & { kind: 'configure' | 'retire' })[] {
    const { configuration, count, users } = this.#options;
    const state = configuration(this.#links.expected);
    const former = this.#formerLinks[index]!;
    const configure: HostToFront & { kind: 'configure' } = {
      kind: 'configure',
      ...state,
      linkSocket: this.linkSockets[index]!,
      formerLinks: former.own,
      userLinks: [...users.map(({ uid, links }) => ({ uid, path: links[index]! })), ...former.users],
      limits: limitsOf(state.limits, index, count),
      groups: groupsOf(state.groups, index, count),
    };
    return [configure, ...this.#links.retired.map((process) => ({ kind: 'retire' as const, process }))];
  }

  #onMessage(index: number, message: FrontToHost): void {
    const links = this.#links;
    switch (message.kind) {
      case 'activate':
        this.#tell(links.activate(index, message.group));
        break;
      case 'ask':
        void this.#decide(index, message);
        break;
      case 'ready':
        this.#tell(links.ready(index, message.process));
        this.#linked(index, message.process);
        break;
      case 'unready':
        this.#tell(links.unready(index, message.process));
        break;
      case 'unlinked':
        this.#tell(links.unlinked(index, message.process));
        break;
      case 'drained':
        this.#tell(links.drained(index, message.process));
        break;
      default:
        assert(false, `message ${message.kind} is answered by the front process class`);
    }
  }

  async #decide(index: number, { ask, group, request }: FrontToHost & { kind: 'ask' }): Promise<void> {
    const decision = await this.#options.decide({ group, request });
    this.#fronts[index]!.send({ kind: 'decision', ask, decision });
  }

  #tell(events: readonly LinksEvent[]): void {
    for (const event of events) {
      if (event.kind === 'coming') {
        const { process } = event;
        this.#options.clock.after(COMING_TIMEOUT_MS, () => this.#tell(this.#links.late(process)));
      } else if (event.kind === 'drained') {
        const waiting = this.#retiring.get(event.process) ?? [];
        this.#retiring.delete(event.process);
        for (const resolve of waiting) resolve();
      } else this.#options.onEvent(event);
    }
  }

  #onLost(index: number): void {
    this.#stopRelinking(index);
    this.#lostLinks.set(index, this.#links.readyAt(index));
    this.#tell(this.#links.lost(index));
  }

  /** Resolves when the processes of the front's predecessor have dialled, so that no request misses them. */
  #relinked(index: number): Promise<void> {
    const former = this.#lostLinks.get(index) ?? [];
    const missing = new Set(former.filter((process) => this.#links.isAwaited(process, index)));
    this.#lostLinks.delete(index);
    if (missing.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(RELINK_TIMEOUT_MS, () => {
        this.#options.log.debug('front-relink-late', { pid: this.#fronts[index]!.pid, missing: missing.size });
        this.#stopRelinking(index);
      });
      this.#relinking.set(index, { missing, timer, done: resolve });
    });
  }

  #linked(index: number, process: string): void {
    const relinking = this.#relinking.get(index);
    relinking?.missing.delete(process);
    if (relinking?.missing.size === 0) this.#stopRelinking(index);
  }

  #stopRelinking(only?: number): void {
    for (const [index, { timer, done }] of this.#relinking) {
      if (only !== undefined && only !== index) continue;
      this.#relinking.delete(index);
      timer.stop();
      done();
    }
  }
}
