// Which front is linked with which process, seen as one: a process is ready when every serving front can hand it
// requests, and gone when none can. Pure: front numbers and messages in, what changed as a whole out.
//
//   unlinked, unready ──ready at one──▶ coming ──at all serving, late──▶ ready
//   coming, ready ──at none──▶ unready (linked somewhere still), unlinked
//
// Also who waits: a request that waits at one front for a process that others have starts none.

import type { ExpectedProcess } from '../wire/front-messages.ts';

/** A process as all fronts together see it. */
export type LinkedState = 'unlinked' | 'unready' | 'coming' | 'ready';

/** What changed of a process, or of who waits, for all fronts together. */
export type MergedEvent =
  | { kind: 'ready'; process: string }
  | { kind: 'unready'; process: string }
  | { kind: 'unlinked'; process: string }
  /** Requests wait at a front and no process of the group is ready. */
  | { kind: 'activate'; group: string }
  /** None wait any more. */
  | { kind: 'deactivate'; group: string };

/** What `Fronts` acts on by itself, too. */
export type LinksEvent =
  | MergedEvent
  /** Ready for some fronts; call `late` when it stays so. */
  | { kind: 'coming'; process: string }
  /** No front has an exchange of it left. */
  | { kind: 'drained'; process: string };

interface Row {
  readonly expected: ExpectedProcess;
  state: LinkedState;
  /** By front: whether it may hand requests to the process. */
  readonly links: Map<number, boolean>;
  /** Fronts that may have exchanges of a retired process. Null: it is not retired. */
  draining: Set<number> | null;
}

/** See the head of this file. Fronts are numbers. */
export class ProcessLinks {
  #rows = new Map<string, Row>();
  #serving = new Set<number>();
  /** Fronts that wait for a process, by group. */
  #askers = new Map<string, Set<number>>();

  /** What a front that starts has to expect. */
  get expected(): ExpectedProcess[] {
    return [...this.#rows.values()].map(({ expected }) => expected);
  }

  /** Those that it has to give nothing. */
  get retired(): string[] {
    return [...this.#rows.values()].filter((row) => row.draining !== null).map(({ expected }) => expected.id);
  }

  expect(expected: ExpectedProcess): void {
    if (this.#rows.has(expected.id)) return;
    this.#rows.set(expected.id, { expected, state: 'unlinked', links: new Map(), draining: null });
  }

  forget(process: string): LinksEvent[] {
    const row = this.#rows.get(process);
    if (row === undefined) return [];
    this.#rows.delete(process);
    const drained: LinksEvent[] = row.draining === null ? [] : [{ kind: 'drained', process }];
    return [...drained, ...this.#askAgain(row)];
  }

  /** Every front is told to give it nothing new. `drained` follows, at once where no front serves. */
  retire(process: string): LinksEvent[] {
    const row = this.#rows.get(process);
    if (row === undefined) return [{ kind: 'drained', process }];
    if (row.draining !== null) return row.draining.size === 0 ? [{ kind: 'drained', process }] : [];
    row.draining = new Set(this.#serving);
    const drained: LinksEvent[] = row.draining.size === 0 ? [{ kind: 'drained', process }] : [];
    return [...drained, ...this.#askAgain(row)];
  }

  /** A front accepts clients from now on. */
  serving(front: number): void {
    this.#serving.add(front);
  }

  /** A front is gone, and with it what it was linked with and who waited there. */
  lost(front: number): LinksEvent[] {
    this.#serving.delete(front);
    const events: LinksEvent[] = [];
    for (const [group, askers] of this.#askers) {
      if (!askers.delete(front) || askers.size > 0) continue;
      this.#askers.delete(group);
      events.push({ kind: 'deactivate', group });
    }
    for (const row of [...this.#rows.values()]) {
      events.push(...this.#drainedAt(row, front));
      row.links.delete(front);
      events.push(...this.#settle(row));
    }
    return events;
  }

  /** The processes that the front gives requests to. */
  readyAt(front: number): string[] {
    const rows = [...this.#rows.values()];
    return rows.filter((row) => row.links.get(front) === true).map(({ expected }) => expected.id);
  }

  /** Whether the front lacks a link that others wait for. */
  isAwaited(process: string, front: number): boolean {
    const row = this.#rows.get(process);
    return row !== undefined && row.draining === null && row.links.get(front) !== true;
  }

  ready(front: number, process: string): LinksEvent[] {
    const row = this.#rows.get(process);
    if (row === undefined) return [];
    row.links.set(front, true);
    this.#askers.get(row.expected.group)?.delete(front);
    return this.#settle(row);
  }

  unready(front: number, process: string): LinksEvent[] {
    const row = this.#rows.get(process);
    if (row === undefined) return [];
    row.links.set(front, false);
    return this.#settle(row);
  }

  unlinked(front: number, process: string): LinksEvent[] {
    const row = this.#rows.get(process);
    if (row === undefined) return [];
    row.links.delete(front);
    const events = this.#settle(row);
    // Also of one that never was ready: who released its place waits for this.
    const isTold = events.length > 0 || row.links.size > 0;
    return isTold ? events : [{ kind: 'unlinked', process }];
  }

  drained(front: number, process: string): LinksEvent[] {
    const row = this.#rows.get(process);
    return row === undefined ? [] : this.#drainedAt(row, front);
  }

  /** Not every front came to it in time: it is ready for the others. */
  late(process: string): LinksEvent[] {
    const row = this.#rows.get(process);
    if (row?.state !== 'coming') return [];
    row.state = 'ready';
    return [{ kind: 'ready', process }];
  }

  /** A request waits for the group at a front. */
  activate(front: number, group: string): LinksEvent[] {
    const askers = this.#askers.get(group) ?? new Set();
    this.#askers.set(group, askers.add(front));
    return this.#isServed(group) ? [] : [{ kind: 'activate', group }];
  }

  /** Those who waited for the group have an answer. */
  failed(group: string): void {
    this.#askers.delete(group);
  }

  #drainedAt(row: Row, front: number): LinksEvent[] {
    if (row.draining?.delete(front) !== true || row.draining.size > 0) return [];
    return [{ kind: 'drained', process: row.expected.id }];
  }

  #settle(row: Row): LinksEvent[] {
    const state = this.#stateOf(row);
    if (state === row.state) return [];
    const wasReady = row.state === 'ready';
    row.state = state;
    const event: LinksEvent = { kind: state, process: row.expected.id };
    return wasReady ? [event, ...this.#askAgain(row)] : [event];
  }

  #stateOf({ links, state }: Row): LinkedState {
    const isSomewhere = [...links.values()].some((isReady) => isReady);
    if (!isSomewhere) return links.size > 0 ? 'unready' : 'unlinked';
    if (state === 'ready') return state;
    const isEverywhere = [...this.#serving].every((front) => links.get(front) === true);
    return isEverywhere ? 'ready' : 'coming';
  }

  #isServed(group: string): boolean {
    return [...this.#rows.values()].some((row) => {
      return row.expected.group === group && row.state === 'ready' && row.draining === null;
    });
  }

  /** A process of the group serves no more: those who relied on it need another. */
  #askAgain({ expected: { group } }: Row): LinksEvent[] {
    const isAsked = (this.#askers.get(group)?.size ?? 0) > 0;
    return isAsked && !this.#isServed(group) ? [{ kind: 'activate', group }] : [];
  }
}
