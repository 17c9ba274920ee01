// What V8 says of frames, scopes and values, as the debugger implementation gives it to its user.

import { messageOf } from '../base/host-error.ts';
import type { Callback, Frame, Scope, Variable } from './debugger-implementation.ts';

/** Parameters or results of a command. */
export type Params = Record<string, unknown>;

/** Where V8 stands. */
export interface Pause {
  reason: string;
  frames: Frame[];
  /** What was thrown, if that is why. */
  exception: Variable | null;
}

/** A breakpoint as the proxy lists it. */
export interface RemoteBreakpoint {
  breakpointId: string;
  params: { url?: string; urlRegex?: string; lineNumber: number; columnNumber?: number; condition?: string };
  locations: { scriptId: string; lineNumber: number; columnNumber?: number }[];
}

interface CallFrame {
  callFrameId: string;
  functionName: string;
  location: { scriptId: string; lineNumber: number; columnNumber?: number };
  url: string;
  scopeChain: { type: string; object: { objectId?: string } }[];
}

/** `Debugger.paused`. `urlOf` gives the URL of a script by its id: V8 itself leaves it out at times. */
export function readPause(
  params: Params,
  { pathOf, urlOf }: { pathOf: (url: string) => string; urlOf: (id: string) => string },
): Pause {
  const { reason, callFrames, data } = params as { reason: string; callFrames: CallFrame[]; data?: Params };
  const isThrown = reason === 'exception' || reason === 'promiseRejection';
  return {
    reason,
    frames: callFrames.map((frame, index) => {
      const { callFrameId, functionName, location, scopeChain } = frame;
      const { scriptId, lineNumber, columnNumber = 0 } = location;
      const url = frame.url === '' ? urlOf(scriptId) : frame.url;
      const place = { sourceId: scriptId, path: pathOf(url), line: lineNumber, column: columnNumber };
      const scopes = scopeChain.map(({ type, object }, at): Scope => {
        return { index: at, frameIndex: index, type, reference: object.objectId ?? '' };
      });
      return { id: callFrameId, index, name: functionName, ...place, scopes };
    }),
    exception: isThrown && data !== undefined ? variableOf('exception', data) : null,
  };
}

/** A value of V8 under a name. */
export function variableOf(name: string, remote: Params): Variable {
  const { type, value, unserializableValue, description, objectId } = remote;
  const plain = typeof value === 'string' || value === undefined ? value : JSON.stringify(value);
  const text = unserializableValue ?? description ?? plain ?? String(type);
  return {
    name,
    type: String(type),
    value: String(text),
    ...(typeof objectId === 'string' ? { reference: objectId } : {}),
  };
}

/** The answer to `Runtime.getProperties`. */
export function variablesOf(reply: Params, parent: string | Scope): Variable[] {
  const { result, exceptionDetails } = reply as { result: Params[]; exceptionDetails?: Params };
  if (exceptionDetails !== undefined) throw errorOf(exceptionDetails);
  const variables: Variable[] = [];
  for (const { name, value, get } of result) {
    const remote = value ?? (get === undefined ? undefined : { type: 'accessor', description: '(computed)' });
    if (remote !== undefined) variables.push({ ...variableOf(String(name), remote as Params), parent });
  }
  return variables;
}

/** What was thrown, as an error of ours. */
export function errorOf(details: Params): Error {
  const { text, exception } = details as { text?: string; exception?: { description?: string; value?: unknown } };
  return new Error(exception?.description ?? (exception === undefined ? text : `${text} ${String(exception.value)}`));
}

/** Tells a callback how work ended. */
export async function settle<Value>(callback: Callback<Value> | undefined, work: Promise<Value>): Promise<void> {
  let value: Value;
  try {
    value = await work;
  } catch (error) {
    callback?.(error instanceof Error ? error : new Error(messageOf(error)));
    return;
  }
  callback?.(null, value);
}
