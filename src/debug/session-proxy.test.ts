// What viewers of a session share and what is theirs alone, before real programs: pause, breakpoints, console,
// commands.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { CdpMessage } from '../wire/poll-messages.ts';
import {
  ask,
  BASE,
  frameValue,
  type Json,
  keyOf,
  mainSession,
  output,
  scene,
  withLoop,
  WORK_LINE,
} from './session-proxy.test.support.ts';

test('the program runs at once without brk, and viewers see its context, script and console', async () => {
  const { page, url, child } = await withLoop();
  const viewer = await page();
  const { targetInfo } = viewer.events('Target.attachedToTarget')[0];
  assert.equal(targetInfo.title, `shop [${child.pid}]`);
  assert.equal(targetInfo.type, 'node');
  assert.equal(targetInfo.url, url);
  assert.equal(viewer.events('Runtime.executionContextCreated').length, 1);
  assert.equal(viewer.events('Debugger.scriptParsed').filter((script) => script.url === url).length, 1);
  const logged = await viewer.event('Runtime.consoleAPICalled');
  assert.equal(logged.args[0].value, 'started');
});

test('a breakpoint survives its viewer, and the pause is there with its reason and frames', async () => {
  const { page, url, child } = await withLoop();
  const first = await page();
  const set = await first.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  assert.equal(set.locations.length, 1);
  child.stdin!.write('one');
  await first.event('Debugger.paused');
  await first.close();

  const second = await page();
  const pause = await second.event('Debugger.paused');
  assert.equal(pause.reason, 'other');
  assert.deepEqual(pause.hitBreakpoints, [set.breakpointId]);
  assert.equal(await frameValue(second, pause, 'text'), 'one');
  // The pause comes before the answer to Debugger.enable, as from V8, and once.
  assert.equal(second.events('Debugger.paused').length, 1);
  const again = await second.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  assert.deepEqual(again, set);
  // What a fresh DevTools says at its start leaves the pause alone.
  await second.call('Debugger.setPauseOnExceptions', { state: 'none' });
  await second.call('Debugger.setBlackboxPatterns', { patterns: [] });
  await second.call('Debugger.setBreakpointsActive', { active: true });
  await second.call('Debugger.setSkipAllPauses', { skip: false });
  await second.call('Debugger.disable');
  await second.call('Debugger.enable');
  assert.equal(second.events('Debugger.resumed').length, 0);
  assert.equal(second.events('Debugger.paused').length, 2);
  const answered = output(child);
  await second.call('Debugger.resume');
  assert.equal(await answered, 'one 1\n');
  child.stdin!.write('two');
  await second.until(() => second.events('Debugger.paused').length === 3);
});

test('a call frame of an earlier pause is refused', async () => {
  const { page, url, child } = await withLoop();
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  child.stdin!.write('one');
  const pause = await viewer.event('Debugger.paused');
  const { callFrameId } = pause.callFrames[0];
  const resumed = viewer.messages.length;
  await viewer.call('Debugger.resume');
  await viewer.event('Debugger.resumed', resumed);
  const query = { callFrameId, expression: 'text' };
  assert.match((await viewer.reply('Debugger.evaluateOnCallFrame', query)).error!.message, /earlier pause/);
  child.stdin!.write('two');
  await viewer.until(() => viewer.events('Debugger.paused').length === 2);
  assert.match((await viewer.reply('Debugger.evaluateOnCallFrame', query)).error!.message, /earlier pause/);
  assert.equal(await frameValue(viewer, viewer.events('Debugger.paused')[1], 'text'), 'two');
  const bare = { callFrameId: '1.2.3', expression: '1' };
  assert.match((await viewer.reply('Debugger.evaluateOnCallFrame', bare)).error!.message, /earlier pause/);
});

test('two viewers share pause and breakpoints, and one that leaves takes nothing along', async () => {
  const { page, url, child } = await withLoop();
  const [left, right] = [await page(), await page()];
  const params = { url, lineNumber: WORK_LINE };
  const [one, two] = await Promise.all([
    left.call('Debugger.setBreakpointByUrl', params),
    right.call('Debugger.setBreakpointByUrl', params),
  ]);
  assert.equal(one.breakpointId, two.breakpointId);
  child.stdin!.write('one');
  const pause = await left.event('Debugger.paused');
  await right.event('Debugger.paused');
  await left.close();
  assert.equal(await frameValue(right, pause, 'text'), 'one');
  const answered = output(child);
  await right.call('Debugger.resume');
  assert.equal(await answered, 'one 1\n');
  // Removing takes it away for everybody; setting it again works.
  await right.call('Debugger.removeBreakpoint', { breakpointId: one.breakpointId });
  const unhindered = output(child);
  child.stdin!.write('two');
  assert.equal(await unhindered, 'two 2\n');
  await right.call('Debugger.setBreakpointByUrl', { ...params, condition: 'text === "three"' });
  child.stdin!.write('three');
  await right.until(() => right.events('Debugger.paused').length === 2);
});

test('another condition at the same place replaces the first', async () => {
  const { page, url, child } = await withLoop();
  const viewer = await page();
  const params = { url, lineNumber: WORK_LINE };
  await viewer.call('Debugger.setBreakpointByUrl', { ...params, condition: 'text === "never"' });
  await viewer.call('Debugger.setBreakpointByUrl', { ...params, condition: 'text === "two"' });
  const answered = output(child);
  child.stdin!.write('one');
  assert.equal(await answered, 'one 1\n');
  child.stdin!.write('two');
  assert.equal(await frameValue(viewer, await viewer.event('Debugger.paused'), 'text'), 'two');
});

test('a late viewer gets the console in order, with objects that can be opened', async () => {
  const { page, child } = await scene(
    `for (let i = 0; i < 20; i++) console.log('line', i, { i });
     setInterval(() => {}, 1000);`,
  );
  const early = await page();
  await early.until(() => early.events('Runtime.consoleAPICalled').length === 20);
  const late = await page();
  const logged = late.events('Runtime.consoleAPICalled');
  assert.deepEqual(logged.map((event) => event.args[1].value), [...Array(20).keys()]);
  const { result } = await late.call('Runtime.getProperties', { objectId: logged[7].args[2].objectId });
  assert.equal(result.find((property: Json) => property.name === 'i').value.value, 7);
  await late.call('Runtime.discardConsoleEntries');
  assert.equal((await page()).events('Runtime.consoleAPICalled').length, 0);
  child.kill('SIGKILL');
});

test('a command that is sent twice is performed once, and a gap is refused', async () => {
  const { page } = await withLoop();
  const viewer = await page();
  const sessionId = mainSession(viewer.messages);
  const bump = (id: number): CdpMessage => {
    const params = { expression: 'globalThis.hits = (globalThis.hits ?? 0) + 1' };
    return { id, sessionId, method: 'Runtime.evaluate', params };
  };
  const number = viewer.next;
  const batch = [bump(9001), bump(9002)];
  const [once, twice] = await Promise.all([viewer.post(batch, number), viewer.post(batch, number)]);
  assert.deepEqual([once.status, twice.status], [204, 204]);
  // Overlaps: the first is known, the second is new.
  assert.equal((await viewer.post([bump(9002), bump(9003)], number + 1)).status, 204);
  viewer.next += 3;
  const gap = await viewer.post([bump(9009)], number + 7);
  assert.equal(gap.status, 409);
  assert.equal(JSON.parse(gap.body).next, number + 3);
  assert.equal((await viewer.call('Runtime.evaluate', { expression: 'hits' })).result.value, 3);
});

test('messages whose poll answer was lost come again, in order', async () => {
  const { origin } = await withLoop();
  const opened = await ask(origin, `${BASE}cdp/`, { method: 'POST', body: '{}', headers: await keyOf(origin) });
  const path = `${BASE}cdp/${JSON.parse(opened.body).viewer}/`;
  const body = JSON.stringify([1, 2, 3].map((id) => ({ id, method: 'Target.getTargets' })));
  assert.equal((await ask(origin, `${path}send?n=0`, { method: 'POST', body })).status, 204);
  const lost = JSON.parse((await ask(origin, `${path}poll?ack=0`)).body);
  const again = JSON.parse((await ask(origin, `${path}poll?ack=0`)).body);
  assert.deepEqual(lost.map((message: CdpMessage) => message.id), [1, 2, 3]);
  assert.deepEqual(again, lost);
  const rest = JSON.parse((await ask(origin, `${path}poll?ack=2`)).body);
  assert.deepEqual(rest.map((message: CdpMessage) => message.id), [3]);
  await ask(origin, `${path}close`, { method: 'POST' });
});

test('a heap snapshot goes to the viewer who took it', async () => {
  const { page } = await withLoop();
  const [taker, other] = [await page(), await page()];
  await taker.call('HeapProfiler.enable');
  await other.call('HeapProfiler.enable');
  await taker.call('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
  const text = taker.events('HeapProfiler.addHeapSnapshotChunk').map((event) => event.chunk).join('');
  assert.ok(Array.isArray(JSON.parse(text).nodes));
  await other.call('Runtime.evaluate', { expression: '1' });
  assert.equal(other.events('HeapProfiler.addHeapSnapshotChunk').length, 0);
});

test('while the only viewer records a profile, breakpoints do not stop the program', async () => {
  const { page, url, child } = await withLoop();
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: WORK_LINE });
  await viewer.call('Debugger.disable');
  const answered = output(child);
  child.stdin!.write('one');
  assert.equal(await answered, 'one 1\n');
  await viewer.call('Debugger.enable');
  child.stdin!.write('two');
  await viewer.event('Debugger.paused');
  // A viewer that leaves with the debugger off leaves it on.
  await viewer.call('Debugger.resume');
  await viewer.call('Debugger.disable');
  await viewer.close();
  const next = await page();
  await next.call('Runtime.evaluate', { expression: '1' });
  child.stdin!.write('three');
  await next.event('Debugger.paused');
});

test('commands that Node lacks are answered as DevTools needs, others with the error of V8', async () => {
  const { page } = await withLoop();
  const viewer = await page();
  const rules = await viewer.call('Network.emulateNetworkConditionsByRule', {});
  assert.deepEqual(rules, { ruleIds: [] });
  await viewer.call('Network.enable');
  await viewer.call('Network.setAttachDebugStack', { enabled: true });
  assert.equal((await viewer.reply('Nothing.atAll')).error?.code, -32601);
  assert.equal((await viewer.reply('Page.enable', {}, '')).error?.code, -32601);
  assert.equal((await viewer.reply('Runtime.evaluate', { expression: '1' }, 'p0')).error?.code, -32001);
  await viewer.call('Target.setDiscoverTargets', { discover: true }, '');
  await viewer.event('Target.targetCreated');
});

test('messages that are no commands are answered with an error', async () => {
  const { page } = await withLoop();
  const viewer = await page();
  const before = viewer.messages.length;
  const bad = [null, 7, 'x', [], {}, { id: 'a', method: 'Runtime.enable' }];
  const half = [{ id: 1 }, { id: 2, method: 3 }, { id: 3, method: 'A.b', params: 4 }];
  assert.equal((await viewer.post([...bad, ...half] as CdpMessage[], viewer.next)).status, 204);
  viewer.next += bad.length + half.length;
  await viewer.until(() => viewer.messages.length === before + bad.length + half.length);
  assert.ok(viewer.messages.slice(before).every((message) => message.error?.code === -32600));
});

test('objects where texts belong are the mistake of who sends them', async () => {
  const { page } = await withLoop();
  const viewer = await page();
  const sessionId = mainSession(viewer.messages);
  const odd = { toString: 1 };
  const messages = [
    { id: 901, method: 'Target.attachToTarget', params: { targetId: odd } },
    { id: 902, method: 'Target.detachFromTarget', params: { sessionId: odd } },
    { id: 903, sessionId, method: 'Debugger.getScriptSource', params: { scriptId: odd } },
    { id: 904, sessionId, method: 'Debugger.removeBreakpoint', params: { breakpointId: odd } },
    { id: 905, sessionId, method: 'Runtime.evaluate', params: { expression: odd } },
    { id: 906, method: 'Slipstream.setRole', params: { viewer: odd, role: odd } },
  ];
  assert.equal((await viewer.post(messages as unknown as CdpMessage[], viewer.next)).status, 204);
  viewer.next += messages.length;
  const answered = (id: number): CdpMessage | undefined => viewer.messages.find((message) => message.id === id);
  await viewer.until(() => messages.every(({ id }) => answered(id) !== undefined));
  for (const { id } of messages) assert.equal(answered(id)!.error === undefined, id === 902, `${id}`);
});
