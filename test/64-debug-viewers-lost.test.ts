// Viewers that are processes of their own: one is killed while the program stands, one is held asleep for longer than
// a poll. The session and the other viewers go on, and the sleeper is given all that it missed, once and in order.

import { suite, test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';
import { PollViewer } from './poll-viewer.ts';
import { ViewerProgram } from './viewer-program.ts';
import { POLL_HOLD_MS, type CdpMessage } from '../src/wire/poll-messages.ts';

const APP = `const http = require('http');
function answer(text) {
  console.log('asked', text);
  return 'said ' + text;
}
http.createServer((request, response) => {
  response.end(answer(request.url.split('/').pop()));
}).listen(process.env.PORT);
`;
/** Zero-based line of the return in `answer`. */
const RETURN_LINE = 3;
/** How long nothing happens at first, in ms: less than the session waits for a viewer without a poll. */
const QUIET_MS = 8000;

interface Scene {
  host: RunningHost;
  /** The process that goes on. */
  pid: number;
  witness: PollViewer;
  start(): Promise<ViewerProgram>;
}

async function scene(t: TestContext): Promise<Scene> {
  const host = await startHost({ files: { 'shop/server.js': APP } });
  t.after(() => host.stop());
  const place = `${host.url}shop/debug/`;
  await get(place);
  const witness = new PollViewer(place);
  await witness.open();
  t.after(() => witness.vanish());
  await witness.send('Debugger.setBreakpointByUrl', { urlRegex: 'shop/server\\.js$', lineNumber: RETURN_LINE });
  const start = async (): Promise<ViewerProgram> => {
    const viewer = await ViewerProgram.start(place);
    t.after(() => viewer.child.kill('SIGKILL'));
    return viewer;
  };
  return { host, pid: witness.opened!.pid, witness, start };
}

/** One request, its stop, a look and the end of the stop, by the witness. */
async function round({ host, witness }: Scene, name: string): Promise<void> {
  const from = witness.events.length;
  const asked = get(`${host.url}shop/${name}`);
  const paused = await witness.event((message) => message.method === 'Debugger.paused', from);
  const { callFrameId } = (paused.params as { callFrames: { callFrameId: string }[] }).callFrames[0]!;
  const look = await witness.send('Debugger.evaluateOnCallFrame', { callFrameId, expression: 'text' });
  assert.equal((look as { result: { value: string } }).result.value, name);
  await witness.send('Debugger.resume');
  assert.equal((await asked).text, `said ${name}`);
}

/** What the program did, as a viewer was told of it: lines of the console, stops, and their ends. */
function told(events: readonly CdpMessage[]): string[] {
  return events.flatMap(({ method, params }) => {
    if (method === 'Debugger.paused') return ['stop'];
    if (method === 'Debugger.resumed') return ['on'];
    if (method !== 'Runtime.consoleAPICalled') return [];
    return [(params as { args: { value: string }[] }).args.map(({ value }) => value).join(' ')];
  });
}

function undisturbed(names: readonly string[]): string[] {
  return names.flatMap((name) => [`asked ${name}`, 'stop', 'on']);
}

async function numbersThere(viewer: PollViewer): Promise<number[]> {
  const from = viewer.events.length;
  await viewer.send('Slipstream.enable', {}, '');
  const { params } = await viewer.event((message) => message.method === 'Slipstream.changed', from);
  return (params as unknown as { viewers: { viewer: number }[] }).viewers.map(({ viewer: number }) => number);
}

// Side by side: most of their time is waiting.
suite('lost viewers', { concurrency: true }, () => {
  test('a viewer that is killed at a stop takes nothing along, and is forgotten', async (t) => {
    const all = await scene(t);
    const { host, witness } = all;
    const victim = await all.start();
    const before = await numbersThere(witness);
    assert.equal(before.length, 2);
    const asked = get(`${host.url}shop/last`);
    await witness.event((message) => message.method === 'Debugger.paused');
    await until('the victim stands too', () => (told(victim.events).includes('stop') ? true : undefined));
    victim.child.kill('SIGKILL');
    await until('the victim is dead', () => victim.child.signalCode ?? undefined);
    const session = host.processes().find(({ role }) => role === 'session')!.pid;

    const newcomer = await all.start();
    await until('the newcomer finds the stop', () => (told(newcomer.events).includes('stop') ? true : undefined));
    await witness.send('Debugger.resume');
    assert.equal((await asked).text, 'said last');
    await round(all, 'after');
    const expected = undisturbed(['last', 'after']);
    await until('both were told', () => (told(newcomer.events).length >= expected.length ? true : undefined));
    assert.deepEqual(told(newcomer.events), expected);
    assert.deepEqual(told(witness.events), expected);

    const left = await until('the dead viewer is off the list', async () => {
      const there = await numbersThere(witness);
      return there.includes(before[1]!) ? undefined : there;
    }, 60_000);
    assert.deepEqual(left.length, 2, 'the witness and the newcomer');
    await round(all, 'later');
    assert.equal(host.processes().find(({ role }) => role === 'session')!.pid, session);
    assert.equal((await numbersThere(witness)).length, 2);
  });

  test('a viewer that sleeps for longer than a poll is told all that it missed, once and in order', async (t) => {
    const all = await scene(t);
    const sleeper = await all.start();
    const names = ['awake'];
    await round(all, 'awake');
    await until('the sleeper was told', () => (told(sleeper.events).length === 3 ? true : undefined));

    sleeper.child.kill('SIGSTOP');
    const asleepAt = performance.now();
    // Its poll stays open for a while; what happens then is the answer to a poll that nobody reads.
    await until('it was quiet', async () => {
      await all.witness.send('Runtime.evaluate', { expression: '6 * 7' });
      return performance.now() - asleepAt > QUIET_MS ? true : undefined;
    });
    while (performance.now() - asleepAt < POLL_HOLD_MS + 1000) {
      const name = `n${names.length}`;
      names.push(name);
      await round(all, name);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    assert.equal(told(sleeper.events).length, 3, 'it sleeps');
    sleeper.child.kill('SIGCONT');
    const expected = undisturbed(names);
    await until('the sleeper has caught up', () => (told(sleeper.events).length >= expected.length ? true : undefined));
    await round(all, 'together');
    names.push('together');
    const whole = undisturbed(names);
    await until('the sleeper goes on', () => (told(sleeper.events).length >= whole.length ? true : undefined));
    assert.deepEqual(told(sleeper.events), whole);
    assert.deepEqual(told(all.witness.events), whole);
    assert.deepEqual(sleeper.standings, ['open'], 'it was the same viewer all the time');
    assert.equal(all.witness.opened!.pid, all.pid);
  });
});
