// Expressions and values of a program behind an inspector: reads and writes them, for the debugger
// implementation. What the program throws is an error of the call.

import type { Frame, Scope, Variable } from './debugger-implementation.ts';
import { errorOf, variableOf, variablesOf, type Params } from './inspector-values.ts';

/** Says one command. */
export type Call = (method: string, params: Params) => Promise<Params>;

/** How to evaluate. */
export interface EvaluateOptions {
  /** Null: in the global scope. */
  frame: Frame | null;
  /** It never stops in there. */
  disableBreak: boolean;
}

/** The value of an expression. */
export async function evaluate(call: Call, expression: string, options: EvaluateOptions): Promise<Variable> {
  const { frame, disableBreak } = options;
  if (disableBreak) await call('Debugger.setSkipAllPauses', { skip: true });
  try {
    const common = { expression, silent: disableBreak, objectGroup: 'watch', includeCommandLineAPI: true };
    // Not with replMode: its answer comes by a promise, which a program that stands does not settle.
    const reply = await (frame === null
      ? call('Runtime.evaluate', common)
      : call('Debugger.evaluateOnCallFrame', { ...common, callFrameId: frame.id }));
    return variableOf(expression, resultOf(reply));
  } finally {
    if (disableBreak) await call('Debugger.setSkipAllPauses', { skip: false });
  }
}

/** What is in an object or a scope. */
export async function propertiesOf(call: Call, objectId: string, parent: string | Scope): Promise<Variable[]> {
  const params = { objectId, ownProperties: true, generatePreview: false };
  return variablesOf(await call('Runtime.getProperties', params), parent);
}

/** Sets a variable where it lives; `value` is an expression of `frame`. `frames` are those of the stop. */
export async function setVariable(
  call: Call,
  variable: Variable,
  { value, frame, frames }: { value: string; frame: Frame; frames: readonly Frame[] },
): Promise<Variable> {
  const { name, parent } = variable;
  if (parent === undefined) throw new Error(`${name} is the value of an expression, and lives nowhere`);
  const params = { expression: `(${value})`, callFrameId: frame.id, objectGroup: 'watch' };
  const found = resultOf(await call('Debugger.evaluateOnCallFrame', params));
  const newValue = argumentOf(found);
  if (typeof parent === 'string') {
    const functionDeclaration = 'function (name, value) { this[name] = value; }';
    const args = [{ value: name }, newValue];
    resultOf(await call('Runtime.callFunctionOn', { objectId: parent, functionDeclaration, arguments: args }));
  } else {
    const { index: scopeNumber, frameIndex } = parent;
    const callFrameId = frames[frameIndex]?.id ?? frame.id;
    await call('Debugger.setVariableValue', { scopeNumber, variableName: name, newValue, callFrameId });
  }
  return { ...variableOf(name, found), parent };
}

/** A value as text: source of a function, JSON of an object. */
export async function serialize(call: Call, { reference, value }: Variable): Promise<string> {
  if (reference === undefined) return value;
  const functionDeclaration =
    'function () { return typeof this === "function" ? String(this) : JSON.stringify(this, null, 2); }';
  const params = { objectId: reference, functionDeclaration, returnByValue: true };
  return String(resultOf(await call('Runtime.callFunctionOn', params))['value']);
}

function resultOf({ result, exceptionDetails }: Params): Params {
  if (exceptionDetails !== undefined) throw errorOf(exceptionDetails as Params);
  return result as Params;
}

function argumentOf({ objectId, unserializableValue, value }: Params): Params {
  if (objectId !== undefined) return { objectId };
  return unserializableValue === undefined ? { value } : { unserializableValue };
}
