// A pause as text, for whoever comes later: the stack and the variables that its functions had, bounded. Getters
// are not called; objects are shown by their previews.

import type { Clock } from '../base/clock.ts';
import type { InspectorClient } from './inspector-client.ts';

/** Snapshots of one thread in a minute; more pauses only count. */
export const SNAPSHOTS_PER_MINUTE = 30;
const MINUTE_MS = 60_000;
/** Frames whose variables are kept. */
export const FRAMES_MAX = 8;
const SCOPES_MAX = 3;
/** Variables of a scope. */
const VARIABLES_MAX = 50;
const VALUE_CHARACTERS_MAX = 200;
/** Characters of a whole snapshot. */
export const SNAPSHOT_CHARACTERS_MAX = 32_768;
/** Frames of the stack that travels along. */
const STACK_MAX = 50;
/** A program that does not answer goes on without all of its variables, in ms. */
const ANSWER_TIMEOUT_MS = 1000;

/** Scopes that hold what a function had, not the whole program. */
const OWN_SCOPES = new Set(['local', 'block', 'closure', 'catch', 'with', 'eval']);

interface CallFrame {
  functionName: string;
  url: string;
  location: { scriptId: string; lineNumber: number; columnNumber?: number };
  scopeChain: { type: string; name?: string; object: { objectId?: string } }[];
  this?: RemoteObject;
}

interface RemoteObject {
  type: string;
  subtype?: string;
  value?: unknown;
  unserializableValue?: string;
  description?: string;
  preview?: { properties: { name: string; type: string; value?: string }[]; overflow?: boolean; subtype?: string };
}

/** A line of the console, without what every such line has. */
export interface ConsoleLine {
  type: 'trace' | 'warning';
  args: { type: 'string'; value: string }[];
  stackTrace?: { callFrames: Record<string, unknown>[] };
}

/** What {@link Snapshots} needs. */
export interface SnapshotsOptions {
  client: InspectorClient;
  clock: Clock;
  urlOf(scriptId: string): string;
  /** Gets each snapshot, and how many were left out. */
  keep(line: ConsoleLine): void;
}

/** Takes snapshots of one thread. A breakpoint in a busy place costs no more than counting, after a while. */
export class Snapshots {
  #options: SnapshotsOptions;
  #minuteStartMs = -Infinity;
  #taken = 0;
  #omitted = 0;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** Keeps the pause with these parameters; resolves when the thread may go on. Never rejects. */
  async take(params: Record<string, unknown>): Promise<void> {
    const { clock, keep } = this.#options;
    const nowMs = clock.now();
    if (nowMs - this.#minuteStartMs >= MINUTE_MS) {
      this.#minuteStartMs = nowMs;
      this.#taken = 0;
      if (this.#omitted > 0) keep(omittedLine(this.#omitted));
      this.#omitted = 0;
    }
    if (this.#taken < SNAPSHOTS_PER_MINUTE) {
      this.#taken += 1;
      keep(await takeSnapshot(this.#options, params));
    } else {
      this.#omitted += 1;
    }
  }
}

async function takeSnapshot(
  { client, urlOf }: SnapshotsOptions,
  params: Record<string, unknown>,
): Promise<ConsoleLine> {
  const frames = (params['callFrames'] ?? []) as CallFrame[];
  const [top] = frames;
  // All at once: the program stands for one answer, not for one after the other.
  const parts = frames.slice(0, FRAMES_MAX).map(async (frame) => {
    const scopes = frame.scopeChain.filter(({ type }) => OWN_SCOPES.has(type)).slice(0, SCOPES_MAX);
    const variables = await Promise.all(scopes.map((scope) => variablesOf(client, scope)));
    return [`${frame.functionName || '(anonymous)'}  ${placeOf(frame, urlOf)}`, ...variables.flat()];
  });
  const head = `Snapshot of ${placeOf(top, urlOf)}: nobody was there, the program went on`;
  const lines = [head, ...(await Promise.all(parts)).flat()];
  const text = lines.join('\n');
  const isCut = text.length > SNAPSHOT_CHARACTERS_MAX;
  const value = isCut ? `${text.slice(0, SNAPSHOT_CHARACTERS_MAX)}\n… the rest was not kept` : text;
  return { type: 'trace', args: [{ type: 'string', value }], stackTrace: { callFrames: stackOf(frames, urlOf) } };
}

function omittedLine(count: number): ConsoleLine {
  const value = `${count} more pause${count === 1 ? '' : 's'} that nobody looked at went by without a snapshot`;
  return { type: 'warning', args: [{ type: 'string', value }] };
}

async function variablesOf(client: InspectorClient, scope: CallFrame['scopeChain'][number]): Promise<string[]> {
  const { objectId } = scope.object;
  if (objectId === undefined) return [];
  let found: { name: string; value?: RemoteObject; get?: unknown }[];
  try {
    const asked = { objectId, ownProperties: true, generatePreview: true };
    const reply = await client.call('Runtime.getProperties', asked, ANSWER_TIMEOUT_MS);
    found = (reply['result'] ?? []) as typeof found;
  } catch {
    return [`    (${scope.type}: no answer)`];
  }
  const lines = found.slice(0, VARIABLES_MAX).map(({ name, value, get }) => {
    return `    ${name} = ${value === undefined ? (get === undefined ? '(not there yet)' : '(getter)') : shown(value)}`;
  });
  if (found.length > VARIABLES_MAX) lines.push(`    … ${found.length - VARIABLES_MAX} more`);
  return lines;
}

/** A value in a line. */
function shown(value: RemoteObject): string {
  return cut(textOf(value));
}

function textOf({ type, subtype, value, unserializableValue, description, preview }: RemoteObject): string {
  if (unserializableValue !== undefined) return unserializableValue;
  if (type === 'string') return JSON.stringify(value);
  if (preview === undefined) return type === 'function' ? firstLine(description ?? '') : (description ?? String(value));
  const rows = preview.properties.map((row) => {
    const text = row.type === 'string' ? JSON.stringify(row.value ?? '') : (row.value ?? row.type);
    return subtype === 'array' ? text : `${row.name}: ${text}`;
  });
  if (preview.overflow === true) rows.push('…');
  const name = description === undefined || description === 'Object' ? '' : `${firstLine(description)} `;
  return subtype === 'array' ? `${name}[${rows.join(', ')}]` : `${name}{${rows.join(', ')}}`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!;
}

function cut(text: string): string {
  return text.length <= VALUE_CHARACTERS_MAX ? text : `${text.slice(0, VALUE_CHARACTERS_MAX)}…`;
}

function placeOf(frame: CallFrame | undefined, urlOf: (scriptId: string) => string): string {
  if (frame === undefined) return 'an unknown place';
  const { scriptId, lineNumber } = frame.location;
  return `${(frame.url || urlOf(scriptId)).replace(/^file:\/\//, '')}:${lineNumber + 1}`;
}

/** Lines of the console lead to the places of the stack. */
function stackOf(frames: readonly CallFrame[], urlOf: (scriptId: string) => string): Record<string, unknown>[] {
  return frames.slice(0, STACK_MAX).map(({ functionName, url, location }) => ({
    functionName,
    scriptId: location.scriptId,
    url: url || urlOf(location.scriptId),
    lineNumber: location.lineNumber,
    columnNumber: location.columnNumber ?? 0,
  }));
}
