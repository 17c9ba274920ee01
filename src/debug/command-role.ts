// What each role may ask of the program: a pure table. A command that no list names needs the full role.
// Some commands of lesser roles are answered without doing anything: DevTools says them at its start, and
// they would change what everybody sees.

import type { DebugRole } from './access-grants.ts';
import { textOf } from './message-text.ts';

/** `allow`: perform it. `ignore`: answer as if it were done. `refuse`: answer with an error. */
export type CommandVerdict = 'allow' | 'ignore' | 'refuse';

/** They only look. */
const OBSERVE = new Set([
  'Debugger.enable',
  'Debugger.getPossibleBreakpoints',
  'Debugger.getScriptSource',
  'Debugger.getStackTrace',
  'Debugger.getWasmBytecode',
  'Debugger.searchInContent',
  'Runtime.disable',
  'Runtime.enable',
  'Runtime.getHeapUsage',
  'Runtime.getIsolateId',
  'Runtime.getProperties',
  'Runtime.globalLexicalScopeNames',
  'Runtime.releaseObject',
  'Runtime.runIfWaitingForDebugger',
  'Network.enable',
  'Network.disable',
]);

/** They stop the program or let it go on, without code of the viewer's. */
const STEP = new Set([
  'Debugger.continueToLocation',
  'Debugger.pause',
  'Debugger.removeBreakpoint',
  'Debugger.resume',
  'Debugger.setBreakpoint',
  'Debugger.setBreakpointByUrl',
  'Debugger.setBreakpointsActive',
  'Debugger.setPauseOnExceptions',
  'Debugger.stepInto',
  'Debugger.stepOut',
  'Debugger.stepOver',
]);

/** DevTools says these by itself; for a lesser role nothing comes of them. */
const SETUP = new Set([
  'Debugger.disable',
  'Debugger.setAsyncCallStackDepth',
  'Debugger.setBlackboxExecutionContexts',
  'Debugger.setBlackboxPatterns',
  'Debugger.setBlackboxedRanges',
  'Debugger.setBreakpointsActive',
  'Debugger.setPauseOnExceptions',
  'Debugger.setSkipAllPauses',
  'HeapProfiler.enable',
  'HeapProfiler.disable',
  'NodeTracing.enable',
  'Network.clearAcceptedEncodingsOverride',
  'Network.emulateNetworkConditions',
  'Network.setAttachDebugStack',
  'Network.setBlockedURLs',
  'Network.setBypassServiceWorker',
  'Network.setCacheDisabled',
  'Profiler.enable',
  'Profiler.disable',
  'Runtime.releaseObjectGroup',
  'Runtime.setAsyncCallStackDepth',
  'Runtime.setMaxCallStackSizeToCapture',
]);

/** Judges one command to a thread of the program. */
export function judgeCommand(
  role: DebugRole,
  method: string,
  params: Record<string, unknown>,
): CommandVerdict {
  if (role === 'full') return 'allow';
  // A pattern can hold the thread up for ever.
  if (method === 'Debugger.searchInContent' && params['isRegex'] === true) return 'refuse';
  if (OBSERVE.has(method)) return 'allow';
  if (role === 'step' && STEP.has(method)) {
    // A condition is code, and a logpoint is a condition.
    const condition = params['condition'];
    return condition === undefined || condition === '' ? 'allow' : 'refuse';
  }
  return SETUP.has(method) ? 'ignore' : 'refuse';
}

/** What the audit log keeps of commands: those that change the program. Null: nothing. */
export function auditedText(method: string, params: Record<string, unknown>): string | null {
  switch (method) {
    case 'Runtime.evaluate':
    case 'Debugger.evaluateOnCallFrame':
    case 'Runtime.compileScript':
      return textOf(params['expression']);
    case 'Runtime.callFunctionOn':
      return textOf(params['functionDeclaration']);
    case 'Debugger.setScriptSource':
      return textOf(params['scriptSource']);
    case 'Debugger.setBreakpoint':
    case 'Debugger.setBreakpointByUrl':
    case 'Debugger.setBreakpointOnFunctionCall':
    case 'Debugger.setInstrumentationBreakpoint':
    case 'Debugger.removeBreakpoint':
    case 'Debugger.setBreakpointsActive':
    case 'Debugger.setPauseOnExceptions':
    case 'Debugger.continueToLocation':
    case 'Debugger.setVariableValue':
    case 'Debugger.setReturnValue':
    case 'Debugger.restartFrame':
    case 'Debugger.pause':
    case 'Debugger.resume':
    case 'Debugger.stepInto':
    case 'Debugger.stepOut':
    case 'Debugger.stepOver':
    case 'Debugger.terminateOnResume':
    case 'HeapProfiler.takeHeapSnapshot':
    case 'Runtime.addBinding':
    case 'Runtime.runScript':
    case 'Runtime.terminateExecution':
      return JSON.stringify(params);
    default:
      return null;
  }
}
