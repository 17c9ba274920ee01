// The breakpoints of one inspected thread, shared by all viewers: one place, one breakpoint upstream. V8
// refuses a second one at a place; here the second viewer gets the first one's id and where it is now. A
// viewer that leaves takes none along. Removing one removes it for everybody.

import { errorTail, readTail, resultTail, SERVER_ERROR, type ReplyTail } from './inspector-client.ts';
import { textOf } from './message-text.ts';

/** Most breakpoints of one thread. */
export const BREAKPOINTS_MAX = 10_000;
/** Most places that one breakpoint is remembered to be bound to. */
const LOCATIONS_MAX = 1000;

/** Sends a command upstream; its answer always comes. */
export type Forward = (method: string, params: unknown, onReply: (tail: ReplyTail) => void) => void;

type Params = Record<string, unknown>;
type OnReply = (tail: ReplyTail) => void;

/** A breakpoint at one place. */
type Breakpoint =
  | { kind: 'setting'; waiting: { params: Params; onReply: OnReply }[] } // Its answer is on the way.
  | { kind: 'set'; id: string; method: string; params: Params; result: Params }; // V8 has it.

const SETTERS = new Set([
  'Debugger.setBreakpointByUrl',
  'Debugger.setBreakpoint',
  'Debugger.setInstrumentationBreakpoint',
]);

/** The table of breakpoints. */
export class Breakpoints {
  #forward: Forward;
  #places = new Map<string, Breakpoint>();
  #placeById = new Map<string, string>();

  #changed: () => void;

  /** `changed` hears when a breakpoint was set or removed. */
  constructor(forward: Forward, changed: () => void = () => {}) {
    this.#forward = forward;
    this.#changed = changed;
  }

  /** How many are set or being set. */
  get count(): number {
    return this.#places.size;
  }

  /** Performs a command if it is about breakpoints; false when it is about something else. */
  perform(method: string, params: Params, onReply: OnReply): boolean {
    if (SETTERS.has(method)) this.#set(method, params, onReply);
    else if (method === 'Debugger.removeBreakpoint') this.#remove(params, onReply);
    else return false;
    return true;
  }

  /** V8 found a place for a breakpoint in a script that came later. */
  resolved(params: Params): void {
    const place = this.#placeById.get(String(params['breakpointId']));
    const breakpoint = place === undefined ? undefined : this.#places.get(place);
    if (breakpoint?.kind !== 'set') return;
    const locations = breakpoint.result['locations'];
    if (!Array.isArray(locations)) return;
    locations.push(params['location']);
    if (locations.length > LOCATIONS_MAX) locations.shift();
  }

  /** Parameters of all breakpoints that name their script by URL: they hold for another thread too. */
  byUrl(): Params[] {
    const found: Params[] = [];
    for (const breakpoint of this.#places.values()) {
      if (breakpoint.kind === 'set' && breakpoint.method === 'Debugger.setBreakpointByUrl') {
        found.push(breakpoint.params);
      }
    }
    return found;
  }

  /** All that are set at a line, with their ids and where they are now. */
  list(): { breakpointId: string; params: Params; locations: unknown }[] {
    const found: { breakpointId: string; params: Params; locations: unknown }[] = [];
    for (const breakpoint of this.#places.values()) {
      if (breakpoint.kind !== 'set' || breakpoint.method !== 'Debugger.setBreakpointByUrl') continue;
      const { id, params, result } = breakpoint;
      found.push({ breakpointId: id, params, locations: result['locations'] ?? [] });
    }
    return found;
  }

  /** Takes those away that stop at every script: without a viewer nobody would let the program go on. */
  removeInstrumentation(): void {
    for (const breakpoint of this.#places.values()) {
      if (breakpoint.kind === 'set' && breakpoint.method === 'Debugger.setInstrumentationBreakpoint') {
        this.#remove({ breakpointId: breakpoint.id }, () => {});
      }
    }
  }

  #set(method: string, params: Params, onReply: OnReply): void {
    const place = placeOf(method, params);
    const present = this.#places.get(place);
    if (present === undefined) {
      this.#setUpstream(place, method, params, onReply);
    } else if (present.kind === 'setting') {
      present.waiting.push({ params, onReply });
    } else if (conditionOf(present.params) === conditionOf(params)) {
      onReply(resultTail(present.result));
    } else {
      // The same place with another condition: the last one wins, under the same id.
      this.#forward('Debugger.removeBreakpoint', { breakpointId: present.id }, () => {});
      this.#forget(place, present.id);
      this.#setUpstream(place, method, params, onReply);
    }
  }

  #setUpstream(place: string, method: string, params: Params, onReply: OnReply): void {
    if (this.#places.size >= BREAKPOINTS_MAX) {
      onReply(errorTail(SERVER_ERROR, `there are ${BREAKPOINTS_MAX} breakpoints already`));
      return;
    }
    const setting: Breakpoint = { kind: 'setting', waiting: [] };
    this.#places.set(place, setting);
    this.#forward(method, params, (tail) => {
      const { result } = readTail(tail);
      const id = result?.['breakpointId'];
      if (result !== undefined && typeof id === 'string') {
        this.#places.set(place, { kind: 'set', id, method, params, result });
        this.#placeById.set(id, place);
        this.#changed();
      } else {
        this.#places.delete(place);
      }
      onReply(tail);
      for (const waiter of setting.waiting) this.#set(method, waiter.params, waiter.onReply);
    });
  }

  #remove(params: Params, onReply: OnReply): void {
    const id = textOf(params['breakpointId']);
    const place = this.#placeById.get(id);
    if (place !== undefined) this.#forget(place, id);
    this.#forward('Debugger.removeBreakpoint', params, onReply);
  }

  #forget(place: string, id: string): void {
    this.#places.delete(place);
    this.#placeById.delete(id);
    this.#changed();
  }
}

/** What V8 takes for the same breakpoint: its kind, script selector, line and column. */
function placeOf(method: string, params: Params): string {
  if (method === 'Debugger.setInstrumentationBreakpoint') {
    return JSON.stringify([method, params['instrumentation']]);
  }
  if (method === 'Debugger.setBreakpoint') {
    const location = (params['location'] ?? {}) as Params;
    const { scriptId, lineNumber, columnNumber } = location;
    return JSON.stringify([method, scriptId, lineNumber, columnNumber ?? 0]);
  }
  const { url, urlRegex, scriptHash, lineNumber, columnNumber } = params;
  return JSON.stringify([method, url, urlRegex, scriptHash, lineNumber, columnNumber ?? 0]);
}

function conditionOf(params: Params): string {
  const condition = params['condition'];
  return typeof condition === 'string' ? condition : '';
}
