// One session with many processes, by the real program: forks, other node processes and cluster workers below the
// debuggee are targets of their own, and stop at the breakpoints that were set in the first one.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';
import { PollViewer } from './poll-viewer.ts';
import type { CdpMessage } from '../src/wire/poll-messages.ts';

const SERVER = `const http = require('http');
const { execFile, fork } = require('child_process');
http.createServer((req, res) => {
  if (req.url.endsWith('/fork')) {
    const child = fork(__dirname + '/child.js', { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += text));
    child.on('message', (answer) => (child.answer = answer));
    child.on('close', (code) => res.end(JSON.stringify({ ...child.answer, code, stderr })));
  } else if (req.url.endsWith('/exec')) {
    execFile(process.execPath, ['-p', '6 * 7'], (error, stdout, stderr) => {
      res.end(JSON.stringify({ stdout, stderr, code: error ? error.code : 0 }));
    });
  } else {
    res.end(String(process.pid));
  }
}).listen(process.env.PORT);
`;
const CHILD = `const first = 'line one';
const sum = [1, 2].reduce((a, b) => a + b);
process.send({ sum, pid: process.pid, isNew: process.env.NODE_OPTIONS !== undefined });
process.disconnect();
`;
const CLUSTER = `const cluster = require('cluster');
const http = require('http');
if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
} else {
  http.createServer((req, res) => {
    const name = 'worker';
    res.setHeader('Connection', 'close').end(name + ' ' + process.pid);
  }).listen(process.env.PORT);
}
`;

async function debugged(t: TestContext, files: Record<string, string>): Promise<[RunningHost, PollViewer]> {
  const host = await startHost({ files });
  t.after(() => host.stop());
  assert.equal((await get(`${host.url}shop/debug/`)).status, 200);
  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  t.after(() => viewer.vanish());
  return [host, viewer];
}

interface Attached {
  sessionId: string;
  targetInfo: { type: string; title: string; url: string };
}

function isAttached({ method, params }: CdpMessage, title: RegExp): boolean {
  return method === 'Target.attachedToTarget' && title.test((params as unknown as Attached).targetInfo.title);
}

/** What a program wrote to stderr, without what node says there of any debugger. */
function ownWords(stderr: string): string {
  return stderr.replace('Debugger attached.\n', '').replace('Waiting for the debugger to disconnect...\n', '');
}

test('a forked process is a target, stops in its first line, and ends as it would without', async (t) => {
  const [host, viewer] = await debugged(t, { 'shop/server.js': SERVER, 'shop/child.js': CHILD });
  await viewer.send('Debugger.setBreakpointByUrl', { urlRegex: 'shop/child\\.js$', lineNumber: 0 });
  const asked = get(`${host.url}shop/fork`);
  const attached = await viewer.event((message) => isAttached(message, /^child\.js \[\d+\]$/));
  const { sessionId, targetInfo } = attached.params as unknown as Attached;
  assert.equal(targetInfo.type, 'node');
  await viewer.send('Runtime.enable', {}, sessionId);
  await viewer.send('Debugger.enable', {}, sessionId);
  const paused = await viewer.event(({ method, sessionId: of }) => method === 'Debugger.paused' && of === sessionId);
  const { callFrames } = paused.params as { callFrames: { location: { lineNumber: number } }[] };
  assert.equal(callFrames[0]!.location.lineNumber, 0);
  // The parent serves on meanwhile.
  assert.match((await get(`${host.url}shop/`)).text, /^\d+$/);
  await viewer.send('Debugger.resume', {}, sessionId);
  const answer = JSON.parse((await asked).text) as Record<string, unknown>;
  assert.deepEqual([answer['sum'], answer['code'], ownWords(String(answer['stderr']))], [3, 0, '']);
  const gone = await viewer.event((message) => message.method === 'Target.detachedFromTarget');
  assert.equal((gone.params as { sessionId: string }).sessionId, sessionId);
  assert.equal(viewer.session, `p${(await get(`${host.url}shop/`)).text}`);
});

test('a process that the debuggee runs for a moment answers as ever', async (t) => {
  const [host, viewer] = await debugged(t, { 'shop/server.js': SERVER });
  for (let count = 0; count < 3; count++) {
    const { stdout, stderr, code } = JSON.parse((await get(`${host.url}shop/exec`)).text) as Record<string, string>;
    assert.deepEqual([stdout, ownWords(stderr!), code], ['42\n', '', 0]);
  }
  const seen = viewer.events.filter((message) => isAttached(message, /^-e \[/));
  assert.equal(seen.length, 3);
});

test('a process that stands when the debugger is killed ends with the debuggee', async (t) => {
  const [host, viewer] = await debugged(t, { 'shop/server.js': SERVER, 'shop/child.js': CHILD });
  await viewer.send('Debugger.setBreakpointByUrl', { urlRegex: 'shop/child\\.js$', lineNumber: 1 });
  const asked = get(`${host.url}shop/fork`).catch(() => null);
  const attached = await viewer.event((message) => isAttached(message, /^child\.js/));
  const { sessionId } = attached.params as unknown as Attached;
  await get(`${host.url}shop/debug/?kill`);
  await asked;
  const pid = Number(sessionId.slice(1));
  await until('the child is gone', () => (isAlive(pid) ? undefined : true));
});

test('workers of a cluster are targets, and one of them at a breakpoint stops no other', async (t) => {
  const [host, viewer] = await debugged(t, { 'shop/server.js': CLUSTER });
  await until('two workers are there', () => {
    return viewer.events.filter((message) => isAttached(message, /^server\.js \[/)).length === 2 ? true : undefined;
  });
  const workers = viewer.events.filter((message) => isAttached(message, /^server\.js \[/));
  const [one] = workers.map(({ params }) => (params as unknown as Attached).sessionId);
  // A worker that does not listen yet is given no request. Each request has a connection of its own: they take turns.
  const serving = new Set<string>();
  await until('both serve', async () => {
    const { text } = await get(`${host.url}shop/`);
    if (text.startsWith('worker')) serving.add(text);
    return serving.size === 2 ? true : undefined;
  });
  await viewer.send('Debugger.enable', {}, one);
  await viewer.send('Debugger.setBreakpointByUrl', { urlRegex: 'shop/server\\.js$', lineNumber: 7 }, one);
  const answers = [0, 1, 2, 3].map(() => get(`${host.url}shop/`));
  await viewer.event((message) => message.method === 'Debugger.paused' && message.sessionId === one);
  const quick = await Promise.race(answers);
  assert.doesNotMatch(quick.text, new RegExp(`${one!.slice(1)}$`));
  await viewer.send('Debugger.setBreakpointsActive', { active: false }, one);
  await viewer.send('Debugger.resume', {}, one);
  for (const { status } of await Promise.all(answers)) assert.equal(status, 200);
});

/** An app of two processes that say who they are; both serve. */
async function pairOf(t: TestContext): Promise<{ host: RunningHost; pids: ReadonlySet<string> }> {
  const source = `require('http').createServer((req, res) => {
  res.end(String(process.pid));
}).listen(process.env.PORT);
`;
  const files = { 'shop/server.js': source, 'shop/slipstream.yml': 'processes: 2\n' };
  const host = await startHost({ files });
  t.after(() => host.stop());
  const pids = new Set<string>();
  await until('both serve', async () => {
    pids.add((await get(`${host.url}shop/`)).text);
    return pids.size === 2 ? true : undefined;
  });
  return { host, pids };
}

test('?live=pid attaches to that process alone; a pid of another process is refused', async (t) => {
  const { host, pids } = await pairOf(t);
  const page = `${host.url}shop/debug/`;
  const refused = await get(`${page}?live=${process.pid}`);
  assert.notEqual(refused.status, 200);
  assert.match(refused.text, new RegExp(String(process.pid)));
  for (const pid of pids) {
    assert.equal((await get(`${page}?live=${pid}`)).status, 200);
    const viewer = new PollViewer(page);
    await viewer.open();
    t.after(() => viewer.vanish());
    const { result } = await viewer.send('Runtime.evaluate', { expression: 'process.pid' }) as {
      result: { value: number };
    };
    assert.equal(result.value, Number(pid));
    assert.equal(viewer.events.filter((message) => isAttached(message, /^shop \[\d+\]$/)).length <= 1, true);
    await get(`${page}?kill`);
  }
  assert.equal((await get(`${host.url}shop/`)).status, 200);
});

test('?live attaches to all processes of the pool, and to those that come later', async (t) => {
  const { host, pids } = await pairOf(t);
  assert.equal((await get(`${host.url}shop/debug/?live`)).status, 200);
  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  t.after(() => viewer.vanish());
  const isProgram = (message: CdpMessage): boolean => isAttached(message, /^shop \[\d+\]$/);
  await until('both are targets', () => (viewer.events.filter(isProgram).length === 2 ? true : undefined));
  const sessionOf = ({ params }: CdpMessage): string => (params as unknown as Attached).sessionId;
  const sessions = viewer.events.filter(isProgram).map(sessionOf);
  assert.deepEqual(new Set(sessions.map((id) => id.slice(1))), pids);

  // The breakpoint of one of them holds for the one that takes its place.
  await viewer.send('Debugger.setBreakpointByUrl', { urlRegex: 'shop/server\\.js$', lineNumber: 1 });
  process.kill(Number(sessions[1]!.slice(1)), 'SIGKILL');
  const third = await until('another one came', () => viewer.events.filter(isProgram)[2]);
  await viewer.send('Runtime.enable', {}, sessionOf(third));
  await viewer.send('Debugger.enable', {}, sessionOf(third));
  const answers = [get(`${host.url}shop/`), get(`${host.url}shop/`)];
  for (const session of [viewer.session, sessionOf(third)]) {
    await viewer.event((message) => message.method === 'Debugger.paused' && message.sessionId === session);
    await viewer.send('Debugger.setBreakpointsActive', { active: false }, session);
    await viewer.send('Debugger.resume', {}, session);
  }
  for (const { status } of await Promise.all(answers)) assert.equal(status, 200);
  process.kill(Number(viewer.session.slice(1)), 'SIGKILL');
  await viewer.event(({ method, params }) => {
    return method === 'Target.detachedFromTarget' && (params as { sessionId: string }).sessionId === viewer.session;
  });
  assert.equal(await viewer.send('Debugger.resume', {}, sessionOf(third)).catch((error: Error) => error.message),
    'Can only perform operation while paused.', 'the session goes on with the others');
  await get(`${host.url}shop/debug/?kill`);
  assert.equal((await get(`${host.url}shop/`)).status, 200);
});
