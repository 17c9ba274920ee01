// What late viewers hear, from events made by hand.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { CONSOLE_CHARACTERS_MAX, CONSOLE_COUNT_MAX, DomainReplay, SCRIPTS_MAX } from './domain-replay.ts';
import type { InspectorEvent } from './inspector-client.ts';

function event(method: string, params: Record<string, unknown>): InspectorEvent {
  return { method, tail: `"method":"${method}","params":${JSON.stringify(params)}}`, params: () => params };
}

function script(id: number, url = `file:///${id}.js`, executionContextId = 1): InspectorEvent {
  return event('Debugger.scriptParsed', { scriptId: String(id), url, executionContextId, sourceMapURL: '' });
}

function context(id: number): InspectorEvent {
  return event('Runtime.executionContextCreated', { context: { id } });
}

function log(value: string, type = 'log'): InspectorEvent {
  return event('Runtime.consoleAPICalled', { type, args: [{ type: 'string', value }], timestamp: 5 });
}

function pause(reason: string): InspectorEvent {
  return event('Debugger.paused', { reason, callFrames: [{ callFrameId: '1.1.0' }], hitBreakpoints: ['b'] });
}

// oxlint-disable-next-line typescript/no-explicit-any -- read as the test expects; another shape fails it
type Json = any;

const parse = (tails: string[]): Json[] => tails.map((tail) => JSON.parse(`{${tail}`));

test('contexts, console and scripts are said again in order', () => {
  const replay = new DomainReplay();
  for (const said of [context(1), log('a'), script(7), script(8), log('b')]) replay.record(said);
  replay.record(event('Runtime.exceptionThrown', { timestamp: 1 }));
  assert.deepEqual(
    parse(replay.replayRuntime()).map((message) => message.method),
    [
      'Runtime.executionContextCreated',
      'Runtime.consoleAPICalled',
      'Runtime.consoleAPICalled',
      'Runtime.exceptionThrown',
    ],
  );
  assert.deepEqual(parse(replay.replayDebugger()).map((message) => message.params.scriptId), ['7', '8']);
});

test('a destroyed context takes its scripts along', () => {
  const replay = new DomainReplay();
  for (const said of [context(1), context(2), script(1), script(2, 'file:///2.js', 2)]) replay.record(said);
  replay.record(event('Runtime.executionContextDestroyed', { executionContextId: 2 }));
  assert.equal(replay.replayRuntime().length, 1);
  assert.deepEqual([...replay.scripts()].map((found) => found.url), ['file:///1.js']);
  replay.record(event('Runtime.executionContextsCleared', {}));
  assert.equal(replay.replayRuntime().length, 0);
});

test('the console is capped by count, and says how many were dropped', () => {
  const replay = new DomainReplay();
  replay.record(context(1));
  for (let index = 0; index < CONSOLE_COUNT_MAX + 3; index++) replay.record(log(`m${index}`));
  const messages = parse(replay.replayRuntime());
  assert.equal(messages.length, CONSOLE_COUNT_MAX + 2);
  assert.equal(messages[1].params.args[0].value, '3 older console messages were dropped');
  assert.equal(messages[1].params.timestamp, 5);
  assert.equal(messages[2].params.args[0].value, 'm3');
});

test('the console is capped by size, but keeps its last message', () => {
  const replay = new DomainReplay();
  replay.record(log('small'));
  replay.record(log('x'.repeat(CONSOLE_CHARACTERS_MAX + 1)));
  const messages = parse(replay.replayRuntime());
  assert.equal(messages.length, 2);
  assert.equal(messages[0].params.args[0].value, '1 older console message was dropped');
});

test('console.clear forgets what was before', () => {
  const replay = new DomainReplay();
  for (const said of [log('a'), log('console.clear', 'clear'), log('b')]) replay.record(said);
  assert.equal(replay.replayRuntime().length, 2);
});

test('scripts are capped, those without a name go first', () => {
  const replay = new DomainReplay();
  replay.record(script(1));
  replay.record(script(2, ''));
  for (let id = 3; id <= SCRIPTS_MAX + 2; id++) replay.record(script(id));
  const urls = [...replay.scripts()].map((found) => found.url);
  assert.equal(urls.length, SCRIPTS_MAX);
  assert.equal(urls.includes(''), false);
});

test('the pause comes last, with its true reason, until the program goes on', () => {
  const replay = new DomainReplay();
  replay.record(script(1));
  const tail = replay.record(pause('exception'));
  assert.equal(replay.isPaused, true);
  assert.equal(replay.pauseReason, 'exception');
  assert.equal(replay.replayDebugger().at(-1), tail);
  assert.equal(parse([tail])[0].params.callFrames[0].callFrameId, 'e1:1.1.0');
  replay.record(event('Debugger.resumed', {}));
  assert.equal(replay.isPaused, false);
  assert.equal(replay.replayDebugger().length, 1);
});

test('call frames are of one pause', () => {
  const replay = new DomainReplay();
  replay.record(pause('other'));
  const old = replay.markFrame('1.1.0');
  assert.equal(replay.unmarkFrame(old), '1.1.0');
  assert.equal(replay.unmarkFrame('1.1.0'), null);
  replay.record(event('Debugger.resumed', {}));
  assert.equal(replay.unmarkFrame(old), null);
  replay.record(pause('other'));
  assert.equal(replay.unmarkFrame(old), null);
  assert.equal(replay.unmarkFrame(replay.markFrame('1.1.0')), '1.1.0');
});
