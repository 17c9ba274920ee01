// What a session keeps for viewers that come and go, beyond breakpoints and pauses: objects, edits, exceptions,
// memory of the program, workers.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { output, scene, withLoop, type Json, type Page } from './session-proxy.test.support.ts';

async function objectOf(page: Page, expression: string, objectGroup: string): Promise<string> {
  const { result } = await page.call('Runtime.evaluate', { expression, objectGroup });
  return result.objectId;
}

async function isGone(page: Page, objectId: string): Promise<void> {
  const { error } = await page.reply('Runtime.getProperties', { objectId });
  assert.match(error!.message, /Could not find object/);
}

test('what a viewer releases, or takes along when it leaves, is its own', async () => {
  const { page } = await withLoop();
  const [one, other] = [await page(), await page()];
  const ofOne = await objectOf(one, '({ of: 1 })', 'watch');
  const ofOther = await objectOf(other, '({ of: 2 })', 'watch');
  const logged = await objectOf(other, '({ of: 3 })', 'console');
  await one.call('Runtime.releaseObjectGroup', { objectGroup: 'watch' });
  await one.call('Runtime.releaseObjectGroup', { objectGroup: 'console' });
  await isGone(one, ofOne);
  for (const objectId of [ofOther, logged]) {
    const { result } = await other.call('Runtime.getProperties', { objectId, ownProperties: true });
    assert.equal(result[0].name, 'of');
  }
  const left = await objectOf(one, '({ of: 4 })', 'watch');
  await one.close();
  await isGone(other, left);
  await other.call('Runtime.getProperties', { objectId: ofOther });
  await other.call('Runtime.releaseObjectGroup', { objectGroup: 'console' });
  // Nobody else is there any more.
  await isGone(other, logged);
});

test('a live edit outlives the viewer that made it, and the next one sees its text', async () => {
  const { page, url, child } = await withLoop();
  const editor = await page();
  const { scriptId } = editor.events('Debugger.scriptParsed').find((script) => script.url === url);
  const { scriptSource } = await editor.call('Debugger.getScriptSource', { scriptId });
  const edited = scriptSource.replace("+ ' ' +", "+ ' edited ' +");
  assert.equal((await editor.call('Debugger.setScriptSource', { scriptId, scriptSource: edited })).status, 'Ok');
  await editor.close();
  const printed = output(child);
  child.stdin!.write('one');
  assert.equal(await printed, 'one edited 1\n');
  const next = await page();
  const sources = next.events('Debugger.scriptParsed').filter((script) => script.url === url);
  const texts = await Promise.all(
    sources.map((script) => next.call('Debugger.getScriptSource', { scriptId: script.scriptId })),
  );
  assert.ok(texts.some((text) => text.scriptSource === edited));
});

test('pausing on exceptions is one state for all, and stays when the viewer that chose it leaves', async () => {
  const { page, child } = await scene(
    `process.stdin.on('data', () => {
       try { throw new Error('caught'); } catch (error) { console.log(error.message); }
     });`,
  );
  const chooser = await page();
  await chooser.call('Debugger.setPauseOnExceptions', { state: 'all' });
  await chooser.close();
  child.stdin!.write('x');
  const next = await page();
  const pause = await next.event('Debugger.paused');
  assert.equal(pause.reason, 'exception');
  assert.match(pause.data.description, /^Error: caught/);
  await next.call('Debugger.setPauseOnExceptions', { state: 'uncaught' });
  const printed = output(child);
  await next.call('Debugger.resume');
  assert.equal(await printed, 'caught\n');
  const again = output(child);
  child.stdin!.write('x');
  assert.equal(await again, 'caught\n', 'one that is caught stops nothing any more');
});

test('a program that logs objects while nobody looks does not grow by them', async () => {
  const { page, child } = await scene(
    `require('node:v8').setFlagsFromString('--expose-gc');
     const collect = require('node:vm').runInNewContext('gc');
     const heap = () => { collect(); return process.memoryUsage().heapUsed; };
     process.stdin.on('data', async () => {
       const before = heap();
       for (let round = 0; round < 30; round++) {
         for (let index = 0; index < 500; index++) console.debug({ text: new Array(200).fill(index) });
         await new Promise((resolve) => setImmediate(resolve));
       }
       // What lets them go is on its way.
       for (let tries = 0; tries < 100 && heap() - before > 8_000_000; tries++) {
         await new Promise((resolve) => setTimeout(resolve, 100));
       }
       process.stderr.write('grown ' + (heap() - before) + ' bytes\\n');
     });`,
  );
  await (await page()).close();
  let said = '';
  child.stderr!.on('data', (part) => (said += String(part)));
  child.stdout!.resume();
  child.stdin!.write('go');
  while (!/grown -?\d+ bytes/.test(said)) await once(child.stderr!, 'data');
  // 15 000 arrays of 200: 24 MB if they were kept.
  assert.ok(Number(/grown (-?\d+)/.exec(said)![1]) < 8_000_000, said);
});

test('a worker that stands is let go with the session', async () => {
  const { page, folder, proxy, child } = await scene(
    `const { Worker } = require('node:worker_threads');
     process.stdin.on('data', () => new Worker(__dirname + '/worker.cjs').on('message', (text) => console.log(text)));`,
  );
  const file = join(folder, 'worker.cjs');
  writeFileSync(file, `const { parentPort } = require('node:worker_threads');\nparentPort.postMessage('went on');\n`);
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url: pathToFileURL(file).href, lineNumber: 1 });
  await viewer.call('Target.setAutoAttach', { autoAttach: true, flatten: true });
  child.stdin!.write('x');
  await viewer.until(() => viewer.events('Target.attachedToTarget').length === 2);
  const { sessionId } = viewer.events('Target.attachedToTarget')[1];
  await viewer.call('Debugger.enable', {}, sessionId);
  await viewer.event('Debugger.paused');
  const printed = output(child);
  proxy.close();
  assert.equal(await printed, 'went on\n');
});

test('a frame takes hovers, new values and a fresh start, and the program continues to a line', async () => {
  const { page, url, child } = await scene(
    `function work(text) {
       let doubled = text.trim() + text.trim();
       const loud = doubled.toUpperCase();
       console.log(loud);
     }
     process.stdin.on('data', (text) => work(String(text)));`,
  );
  const viewer = await page();
  await viewer.call('Debugger.setBreakpointByUrl', { url, lineNumber: 2 });
  child.stdin!.write('a');
  const pause = await viewer.event('Debugger.paused');
  const { callFrameId, scopeChain, location } = pause.callFrames[0];
  const hover = { callFrameId, expression: 'doubled = "changed"', throwOnSideEffect: true };
  const refused = await viewer.call('Debugger.evaluateOnCallFrame', hover);
  assert.match(refused.exceptionDetails.exception.description, /side-effect/);
  const scopeNumber = scopeChain.findIndex((scope: { type: string }) => scope.type === 'local');
  const set = { callFrameId, scopeNumber, variableName: 'doubled', newValue: { value: 'set' } };
  await viewer.call('Debugger.setVariableValue', set);
  await viewer.call('Debugger.continueToLocation', { location: { scriptId: location.scriptId, lineNumber: 3 } });
  await viewer.until(() => viewer.events('Debugger.paused').length === 2);
  const later = viewer.events('Debugger.paused')[1].callFrames[0];
  assert.equal(later.location.lineNumber, 3);
  const seen = { callFrameId: later.callFrameId, expression: 'loud' };
  assert.equal((await viewer.call('Debugger.evaluateOnCallFrame', seen)).result.value, 'SET');
  await viewer.call('Debugger.restartFrame', { callFrameId: later.callFrameId, mode: 'StepInto' });
  await viewer.until(() => viewer.events('Debugger.paused').length === 3);
  assert.equal(viewer.events('Debugger.paused')[2].callFrames[0].location.lineNumber, 1);
  await viewer.call('Debugger.resume');
  await viewer.until(() => viewer.events('Debugger.paused').length === 4);
  const printed = output(child);
  await viewer.call('Debugger.resume');
  assert.equal(await printed, 'AA\n');
});

test('ignored files and the depth of asynchronous stacks stay for whoever comes later', async () => {
  const { page, url, child, folder } = await scene(`process.stdin.on('data', () => outer());
function outer() {
  return inner(require('./ignored.cjs'));
}
async function inner({ skip }) {
  await null;
  skip();
  return 'behind';
}
`);
  writeFileSync(join(folder, 'ignored.cjs'), 'exports.skip = () => {\n  return 1;\n};\n');
  const first = await page();
  await first.call('Debugger.setBlackboxPatterns', { patterns: ['/ignored\\.cjs$'] });
  await first.call('Debugger.setAsyncCallStackDepth', { maxDepth: 8 });
  await first.close();
  const second = await page();
  await second.call('Debugger.setBreakpointByUrl', { url, lineNumber: 6 });
  child.stdin!.write('go');
  const pause = await second.event('Debugger.paused');
  const names = pause.asyncStackTrace.callFrames.map((frame: Json) => frame.functionName);
  assert.ok(names.includes('outer'), names.join());
  const from = second.messages.length;
  await second.call('Debugger.stepInto');
  const next = await second.event('Debugger.paused', from);
  assert.deepEqual([next.callFrames[0].functionName, next.callFrames[0].location.lineNumber], ['inner', 7]);
});
