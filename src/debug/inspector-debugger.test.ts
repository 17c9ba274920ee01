// The V8 implementation of the plugin contract against real programs: the whole of it in one stop, a user who
// leaves and one who comes, a network that is cut, and the end.

import { after, afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Breakpoint, Callback, DebuggerImplementation, Frame } from './debugger-implementation.ts';
import { DebuggerSocket, type SocketProxy } from './debugger-socket.ts';
import { startInspected } from './inspected-program.test.support.ts';
import { InspectorDebugger } from './inspector-debugger.ts';

const cleanups: (() => unknown)[] = [];
const alive = setInterval(() => {}, 60_000);
after(() => clearInterval(alive));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const PROGRAM = `'use strict';
const state = { count: 0, list: [1, 2] };
function work(step) {
  let doubled = step * 2;
  state.count += doubled;
  return answer(state.count);
}
function answer(count) {
  return 'first ' + count;
}
const timer = setInterval(() => {
  globalThis.last = work(1);
  if (globalThis.isOver) clearInterval(timer);
  if (globalThis.isAngry) { globalThis.isAngry = false; try { throw new Error('angry'); } catch {} }
}, 10);
`;
const WORK_LINE = 4;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

interface Program {
  file: string;
  folder: string;
  debugPort: number;
  child: ChildProcess;
}

async function startProgram(): Promise<Program> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'slipstream-plugin-')));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'program.js');
  writeFileSync(file, PROGRAM);
  const { child, port } = await startInspected(file, 'inspect-brk');
  cleanups.push(() => child.kill('SIGKILL'));
  return { file, folder, debugPort: port, child };
}

/** A debugger and its socket; `breakpoints` is what its user has set. */
function openDebugger(proxy: SocketProxy, breakpoints: Breakpoint[] = [], reconnect = false) {
  const plugin: DebuggerImplementation = new InspectorDebugger();
  const socket = new DebuggerSocket(0, { ...proxy, retryIntervalMs: 20 });
  cleanups.push(() => {
    plugin.detach();
    socket.close();
  });
  plugin.on('getBreakpoints', (list) => list.push(...breakpoints));
  const events: string[] = [];
  const names = ['attach', 'detach', 'break', 'exception', 'suspend', 'sourcesCompile', 'setScriptSource'] as const;
  for (const name of names) plugin.on(name, () => void events.push(name));
  plugin.on('stateChange', ({ state }) => void events.push(String(state)));
  const attached = ask<void>((done) => plugin.attach(socket, reconnect, done));
  return { plugin, socket, events, attached };
}

function ask<Value>(act: (done: Callback<Value>) => void): Promise<Value> {
  return promisify<Value>((done) => act(done as Callback<Value>))();
}

async function nextBreak(plugin: DebuggerImplementation): Promise<Frame[]> {
  const [{ frames }] = (await once(plugin, 'break')) as [{ frames: Frame[] }];
  return frames;
}

/** The proxy outlives its users by design. It goes when the program goes. */
async function proxyOf(plugin: InspectorDebugger, debugPort: number): Promise<SocketProxy> {
  return plugin.getProxySource({ debugPort, proxyPort: await freePort() });
}

interface Value {
  name: string;
  type: string;
  value: string;
  reference?: string;
}

function evaluateIn(plugin: DebuggerImplementation, frame: Frame | null, text: string): Promise<Value> {
  return ask<Value>((done) => plugin.evaluate(text, frame, frame === null, true, done));
}

/** Reads and writes variables at the stop in `work`. */
async function useValues(plugin: DebuggerImplementation, frame: Frame): Promise<void> {
  const local = frame.scopes.find(({ type }) => type === 'local')!;
  const variables = await ask<Value[]>((done) => plugin.getScope(frame, local, done));
  const doubled = variables.find(({ name }) => name === 'doubled')!;
  assert.equal(doubled.value, '2');
  const changed = await ask<Value>((done) => plugin.setVariable(doubled, '20 + 1', frame, done));
  assert.equal(changed.value, '21');
  assert.equal((await evaluateIn(plugin, frame, 'doubled + step')).value, '22');
  await assert.rejects(evaluateIn(plugin, frame, 'nothing.there'), /ReferenceError: nothing is not defined/);
  assert.equal((await evaluateIn(plugin, null, 'typeof step')).value, 'undefined');
  const state = await evaluateIn(plugin, frame, 'state');
  const properties = await ask<Value[]>((done) => plugin.getProperties(state, done));
  assert.equal(properties.find(({ name }) => name === 'count')?.value, '0');
  const count = properties.find(({ name }) => name === 'count')!;
  await ask((done) => plugin.setVariable(count, '100', frame, done));
  const text = await ask<string>((done) => plugin.serializeVariable(state, done));
  assert.deepEqual(JSON.parse(text), { count: 100, list: [1, 2] });
}

test('a program that waits at its start stops where the user wants, and tells all that is asked', async () => {
  const { file, debugPort } = await startProgram();
  const wanted: Breakpoint = { path: file, line: WORK_LINE, condition: 'step === 1', enabled: true };
  const { plugin, events, attached } = openDebugger(await proxyOf(new InspectorDebugger(), debugPort), [wanted]);
  const stopped = nextBreak(plugin);
  assert.equal(plugin.state, null);
  await attached;
  const [frame] = (await stopped) as [Frame];
  assert.equal(plugin.state, 'stopped');
  assert.deepEqual([frame.name, frame.path, frame.line], ['work', file, WORK_LINE]);
  assert.deepEqual(wanted.actual, { line: WORK_LINE, column: 2 });
  assert.deepEqual(events.slice(0, 1), ['attach']);
  assert.deepEqual((await ask<Frame[]>((done) => plugin.getFrames(done)))[0], frame);

  await useValues(plugin, frame);

  const sources = await ask<{ id: string; url: string; path: string }[]>((done) => plugin.getSources(done));
  const source = sources.find(({ path }) => path === file)!;
  assert.equal(await ask<string>((done) => plugin.getSource(source, done)), PROGRAM);
  const better = PROGRAM.replace("'first '", "'second '");
  await ask<void>((done) => plugin.setScriptSource(source, better, true, done));
  assert.ok(!events.includes('setScriptSource'));
  await ask<void>((done) => plugin.setScriptSource(source, better, false, done));
  await assert.rejects(ask<void>((done) => plugin.setScriptSource(source, 'let (', false, done)));

  for (const [step, name, line] of [
    ['stepOver', 'work', 5],
    ['stepInto', 'answer', 8],
    ['stepOut', 'work', 5],
  ] as const) {
    const next = nextBreak(plugin);
    await ask<void>((done) => plugin[step](done));
    const [there] = (await next) as [Frame];
    assert.deepEqual([there.name, there.line], [name, line]);
  }
  const again = nextBreak(plugin);
  const [now] = (await ask<Frame[]>((done) => plugin.getFrames(done))) as [Frame];
  await ask<void>((done) => plugin.restartFrame(now, done));
  assert.equal((await again)[0]?.name, 'work');
  await ask((done) => plugin.changeBreakpoint(Object.assign(wanted, { condition: 'false' }), done));
  const running = once(plugin, 'stateChange');
  await ask<void>((done) => plugin.resume(done));
  assert.deepEqual(await running, [{ state: 'running' }]);
  const caught = once(plugin, 'exception');
  await ask<void>((done) => plugin.setBreakBehavior('all', true, done));
  assert.equal(plugin.breakOnExceptions, true);
  plugin.evaluate('globalThis.isAngry = true', null, true, false, () => {});
  const [{ exception }] = (await caught) as [{ exception: { value: string } }];
  assert.match(exception.value, /Error: angry/);
  await ask<void>((done) => plugin.setBreakBehavior('all', false, done));
  await ask<void>((done) => plugin.resume(done));
  const suspended = once(plugin, 'suspend');
  const standing = nextBreak(plugin);
  await ask<void>((done) => plugin.suspend(done));
  await suspended;
  await standing;
  await ask<void>((done) => plugin.resume(done));
  assert.match((await evaluateIn(plugin, null, 'last')).value, /^second \d+/, 'the live edit holds');
  await ask((done) => plugin.clearBreakpoint(wanted, done));
  assert.deepEqual(await ask<Breakpoint[]>((done) => plugin.listBreakpoints(done)), []);
});

test('who comes later finds stop and breakpoints, also of a linked folder; the end fails what waits', async () => {
  const { file, folder, debugPort, child } = await startProgram();
  const socketPath = join(folder, 'debugger.sock');
  const proxy = new InspectorDebugger().getProxySource({ debugPort, socketPath });
  symlinkSync(folder, join(folder, 'link'));
  const linked = join(folder, 'link', 'program.js');
  const first = openDebugger(proxy, [{ path: linked, line: WORK_LINE, enabled: true }]);
  await nextBreak(first.plugin);
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
  first.plugin.detach();
  assert.equal(first.events.at(-1), 'detach');
  first.socket.close();

  const second = openDebugger(proxy, [], true);
  const added: Breakpoint[] = [];
  second.plugin.on('attach', ({ breakpoints }) => added.push(...breakpoints));
  const [frame] = (await nextBreak(second.plugin)) as [Frame];
  assert.equal(frame.line, WORK_LINE);
  assert.deepEqual(added.map(({ path, line, serverOnly }) => [path, line, serverOnly]), [[file, WORK_LINE, true]]);
  await ask((done) => second.plugin.clearBreakpoint(added[0]!, done));
  await ask<void>((done) => second.plugin.resume(done));
  const forever = ask((done) => second.plugin.evaluate('new Promise(() => {})', null, true, false, done));
  await forever;
  const asked = ask((done) => second.plugin.evaluate('while (true) {}', null, true, false, done));
  const detached = once(second.plugin, 'detach');
  const failed = assert.rejects(asked, /Debug Session Ended/);
  child.kill('SIGKILL');
  await Promise.all([failed, detached]);
  assert.equal(second.plugin.state, null);
});

test('a step whose answer was lost is not made twice; a question is', async () => {
  const { file, debugPort } = await startProgram();
  const proxy = await proxyOf(new InspectorDebugger(), debugPort);
  const outer = openDebugger(proxy, [{ path: file, line: WORK_LINE, enabled: true }]);
  await nextBreak(outer.plugin);
  // Between user and proxy stands a network that can stop to carry answers, and be cut.
  const pairs = new Set<Socket>();
  let isMute = false;
  const network = createServer((near) => {
    const far = connect(proxy.port!, '127.0.0.1');
    for (const socket of [near, far]) {
      pairs.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => (near.destroy(), far.destroy()));
    }
    near.pipe(far);
    far.on('data', (part) => isMute || near.write(part));
  }).listen(0, '127.0.0.1');
  await once(network, 'listening');
  const cut = (): void => {
    for (const socket of pairs) socket.resetAndDestroy();
    pairs.clear();
  };
  cleanups.push(() => (network.close(), cut()));
  const { port } = network.address() as AddressInfo;
  const { plugin, socket, attached } = openDebugger({ source: 'process.exit(3)', port }, [], true);
  const stopped = nextBreak(plugin);
  await attached;
  await stopped;
  isMute = true;
  const [source] = await ask<never[]>((done) => plugin.getSources(done as never));
  const text = ask<string>((done) => plugin.getSource(source!, done));
  const step = ask<void>((done) => plugin.stepOver(done));
  const isLost = assert.rejects(step, /the connection was lost; whether Debugger.stepOver was performed is not known/);
  await once(outer.plugin, 'break');
  isMute = false;
  const back = Promise.all([once(socket, 'away'), once(socket, 'back'), nextBreak(plugin)]);
  cut();
  const [, , frames] = await back;
  await isLost;
  assert.equal(frames[0]?.line, WORK_LINE + 1, 'one step, not two');
  assert.equal(typeof (await text), 'string');
});
