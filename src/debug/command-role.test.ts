import { test } from 'node:test';
import assert from 'node:assert/strict';
import { auditedText, judgeCommand } from './command-role.ts';

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
