import { test } from 'node:test';
import assert from 'node:assert/strict';
import { auditedText, judgeCommand } from './command-role.ts';
import { describeProtocol } from './protocol-description.ts';

test('who observes looks and changes nothing', () => {
  for (const method of ['Debugger.enable', 'Runtime.getProperties', 'Debugger.getScriptSource']) {
    assert.equal(judgeCommand('observe', method, {}), 'allow', method);
  }
  for (const method of ['Debugger.disable', 'Debugger.setSkipAllPauses', 'Debugger.setBreakpointsActive']) {
    assert.equal(judgeCommand('observe', method, {}), 'ignore', method);
  }
  assert.equal(judgeCommand('observe', 'Debugger.searchInContent', { query: 'a', isRegex: false }), 'allow');
  assert.equal(judgeCommand('observe', 'Debugger.searchInContent', { query: '(a+)+$', isRegex: true }), 'refuse');
  const refused = ['Runtime.evaluate', 'Debugger.resume', 'Debugger.setBreakpointByUrl', 'No.such'];
  for (const method of refused) assert.equal(judgeCommand('observe', method, {}), 'refuse', method);
});

test('who steps stops the program and lets it go on, without code', () => {
  for (const method of ['Debugger.resume', 'Debugger.stepInto', 'Debugger.setBreakpointByUrl']) {
    assert.equal(judgeCommand('step', method, {}), 'allow', method);
  }
  assert.equal(judgeCommand('step', 'Debugger.setBreakpointByUrl', { condition: 'process.exit()' }), 'refuse');
  assert.equal(judgeCommand('step', 'Debugger.setBreakpointByUrl', { condition: '' }), 'allow');
  for (const method of ['Runtime.evaluate', 'Debugger.evaluateOnCallFrame', 'Debugger.setScriptSource']) {
    assert.equal(judgeCommand('step', method, {}), 'refuse', method);
  }
});

test('the full role may do everything, and what it changes is audited', () => {
  assert.equal(judgeCommand('full', 'Runtime.evaluate', {}), 'allow');
  assert.equal(judgeCommand('full', 'Anything.new', {}), 'allow');
  assert.equal(auditedText('Runtime.evaluate', { expression: '1 + 1' }), '1 + 1');
  assert.equal(auditedText('Debugger.setScriptSource', { scriptSource: 'x' }), 'x');
  assert.equal(auditedText('Debugger.resume', {}), '{}');
  assert.equal(auditedText('Runtime.getProperties', {}), null);
});

/** Of all that Node's inspector takes, what each lesser role may do; whatever else it learns is for the full role. */
const LOOKS = [
  'Debugger.enable', 'Debugger.getPossibleBreakpoints', 'Debugger.getScriptSource', 'Debugger.getStackTrace',
  'Debugger.getWasmBytecode', 'Debugger.searchInContent', 'Network.disable', 'Network.enable', 'Runtime.disable',
  'Runtime.enable', 'Runtime.getHeapUsage', 'Runtime.getIsolateId', 'Runtime.getProperties',
  'Runtime.globalLexicalScopeNames', 'Runtime.releaseObject', 'Runtime.runIfWaitingForDebugger',
];
const STEPS = [
  'Debugger.continueToLocation', 'Debugger.pause', 'Debugger.removeBreakpoint', 'Debugger.resume',
  'Debugger.setBreakpoint', 'Debugger.setBreakpointByUrl', 'Debugger.setBreakpointsActive',
  'Debugger.setPauseOnExceptions', 'Debugger.stepInto', 'Debugger.stepOut', 'Debugger.stepOver',
];

test('of every command of the protocol a lesser role gets what is named for it, and nothing else', async () => {
  const { domains } = (await describeProtocol()) as { domains: { domain: string; commands?: { name: string }[] }[] };
  const all = domains.flatMap(({ domain, commands = [] }) => commands.map(({ name }) => `${domain}.${name}`));
  assert.ok(all.length > 80, `${all.length} commands`);
  // Names that would be found on any object, other spellings, and ends that lists could be searched by.
  const odd = ['constructor', '__proto__', 'Debugger.constructor', 'debugger.enable', 'Debugger.enable ', '.'];
  for (const method of [...all, ...odd]) {
    const may = { observe: LOOKS.includes(method), step: [...LOOKS, ...STEPS].includes(method) };
    for (const role of ['observe', 'step'] as const) {
      assert.equal(judgeCommand(role, method, {}) === 'allow', may[role], `${role} ${method}`);
    }
  }
});
