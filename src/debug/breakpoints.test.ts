// The table of breakpoints before a V8 that answers when told to.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { BREAKPOINTS_MAX, Breakpoints } from './breakpoints.ts';
import { errorTail, readTail, resultTail, SERVER_ERROR, type ReplyTail } from './inspector-client.ts';

type Params = Record<string, unknown>;
interface Sent {
  method: string;
  params: Params;
  reply(tail: ReplyTail): void;
}

function table(): {
  sent: Sent[];
  breakpoints: Breakpoints;
  set(params: Params, method?: string): ReplyTail[];
} {
  const sent: Sent[] = [];
  const breakpoints = new Breakpoints((method, params, reply) => {
    sent.push({ method, params: params as Params, reply });
  });
  const set = (params: Params, method = 'Debugger.setBreakpointByUrl'): ReplyTail[] => {
    const answers: ReplyTail[] = [];
    assert.equal(breakpoints.perform(method, params, (tail) => answers.push(tail)), true);
    return answers;
  };
  return { sent, breakpoints, set };
}

const PLACE = { url: 'file:///a.js', lineNumber: 3 };
const SET = resultTail({ breakpointId: '1:3:0:file:///a.js', locations: [] });

test('a second breakpoint at a place gets the answer of the first, with places found since', () => {
  const { sent, breakpoints, set } = table();
  const first = set(PLACE);
  const early = set({ ...PLACE, columnNumber: 0 });
  assert.equal(sent.length, 1);
  sent[0]!.reply(SET);
  assert.deepEqual([first, early], [[SET], [SET]]);
  const location = { scriptId: '9', lineNumber: 3, columnNumber: 2 };
  breakpoints.resolved({ breakpointId: '1:3:0:file:///a.js', location });
  breakpoints.resolved({ breakpointId: 'unknown', location });
  assert.deepEqual(readTail(set(PLACE)[0]!).result?.['locations'], [location]);
  assert.equal(sent.length, 1);
});

test('other lines, columns and selectors are other places', () => {
  const { sent, set } = table();
  set(PLACE);
  set({ ...PLACE, lineNumber: 4 });
  set({ ...PLACE, columnNumber: 1 });
  set({ urlRegex: 'file:///a.js', lineNumber: 3 });
  set({ location: { scriptId: '3', lineNumber: 3 } }, 'Debugger.setBreakpoint');
  set({ instrumentation: 'beforeScriptExecution' }, 'Debugger.setInstrumentationBreakpoint');
  assert.equal(sent.length, 6);
});

test('a breakpoint that was refused is not kept, and those who waited try themselves', () => {
  const { sent, breakpoints, set } = table();
  const [first, second] = [set(PLACE), set(PLACE)];
  sent[0]!.reply(errorTail(SERVER_ERROR, 'no'));
  assert.equal(readTail(first[0]!).error?.message, 'no');
  assert.equal(sent.length, 2);
  sent[1]!.reply(SET);
  assert.deepEqual(second, [SET]);
  assert.equal(breakpoints.count, 1);
});

test('another condition replaces the breakpoint upstream, under the same id', () => {
  const { sent, set } = table();
  set(PLACE);
  sent[0]!.reply(SET);
  const changed = set({ ...PLACE, condition: 'x' });
  assert.deepEqual(
    sent.map(({ method }) => method),
    ['Debugger.setBreakpointByUrl', 'Debugger.removeBreakpoint', 'Debugger.setBreakpointByUrl'],
  );
  sent[2]!.reply(SET);
  assert.deepEqual(changed, [SET]);
  assert.deepEqual(set({ ...PLACE, condition: 'x' }), [SET]);
});

test('a removed breakpoint can be set again', () => {
  const { sent, breakpoints, set } = table();
  set(PLACE);
  sent[0]!.reply(SET);
  assert.deepEqual(breakpoints.byUrl(), [PLACE]);
  set({ breakpointId: '1:3:0:file:///a.js' }, 'Debugger.removeBreakpoint');
  assert.deepEqual(breakpoints.byUrl(), []);
  assert.deepEqual(set(PLACE), []);
  assert.equal(sent.length, 3);
});

test('the table is bounded, and leaves other commands alone', () => {
  const { sent, breakpoints, set } = table();
  for (let line = 0; line < BREAKPOINTS_MAX; line++) set({ ...PLACE, lineNumber: line });
  const refused = set({ ...PLACE, lineNumber: BREAKPOINTS_MAX });
  assert.match(readTail(refused[0]!).error!.message, /10000 breakpoints/);
  assert.equal(sent.length, BREAKPOINTS_MAX);
  assert.equal(breakpoints.perform('Debugger.resume', {}, () => {}), false);
});

test('instrumentation breakpoints go when nobody is there', () => {
  const { sent, breakpoints, set } = table();
  set(PLACE);
  sent[0]!.reply(SET);
  set({ instrumentation: 'beforeScriptExecution' }, 'Debugger.setInstrumentationBreakpoint');
  sent[1]!.reply(resultTail({ breakpointId: 'i' }));
  breakpoints.removeInstrumentation();
  assert.deepEqual(sent[2]!.params, { breakpointId: 'i' });
  assert.equal(breakpoints.count, 1);
});
