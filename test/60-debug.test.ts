// The debugger without a browser, by real processes: the door of <app>/debug, the session that outlives
// its viewers, and what dies with whom.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';
import { PollViewer } from './poll-viewer.ts';

const APP = `const http = require('http');
const inspector = require('inspector');
console.log('first line of the console');
function answer(name) {
  const greeting = 'hello ' + name;
  return greeting;
}
http.createServer((req, res) => {
  res.end(JSON.stringify({ pid: process.pid, inspector: inspector.url() ?? null, text: answer('you') }));
}).listen(process.env.PORT);
`;
/** Zero-based line of \`const greeting\`. */
const GREETING_LINE = 4;

interface Seen {
  pid: number;
  inspector: string | null;
  text: string;
}

async function hosted(t: TestContext, files: Record<string, string> = { 'shop/server.js': APP }): Promise<RunningHost> {
  const host = await startHost({ files });
  t.after(() => host.stop());
  return host;
}

/** Inspectors get ports, as an app itself can see. */
const PORTS = { 'slipstream.yml': 'debuggerTransport: port\n' };

async function see(url: string): Promise<Seen> {
  const got = await get(url);
  assert.equal(got.status, 200, got.text);
  return JSON.parse(got.text) as Seen;
}

test('the debugger URL without its slash redirects and keeps the query', async (t) => {
  const host = await hosted(t);
  for (const [from, to] of [
    ['shop/debug', '/shop/debug/'],
    ['shop/server.js/debug', '/shop/server.js/debug/'],
    ['shop/debug?brk', '/shop/debug/?brk'],
    ['shop/debug?kill', '/shop/debug/?kill'],
  ]) {
    const got = await get(host.url + from!);
    assert.equal(got.status, 301, from);
    assert.equal(got.headers['location'], to);
  }
  assert.equal(host.processes().length, 1, 'nothing but the front was started');
});

test('?kill says what was there to kill', async (t) => {
  const host = await hosted(t);
  const notRunning = 'The debugger for the application is not running.';
  assert.equal((await get(`${host.url}shop/debug/?kill`)).text, notRunning);
  const regular = await see(`${host.url}shop/`);
  assert.equal((await get(`${host.url}shop/debug/?kill`)).text, notRunning);
  assert.equal((await see(`${host.url}shop/`)).pid, regular.pid);

  assert.equal((await get(`${host.url}shop/debug/`)).status, 200);
  const debugged = await see(`${host.url}shop/`);
  assert.notEqual(debugged.pid, regular.pid);
  assert.equal(debugged.inspector, null, 'no TCP port is open');
  await until('the regular process is gone', () => (isAlive(regular.pid) ? undefined : true));

  const killed = await get(`${host.url}shop/debug/?kill`);
  assert.equal(killed.status, 200);
  assert.equal(killed.text, 'The debugger and debugee processes have been killed.');
  await until('the debuggee is gone', () => (isAlive(debugged.pid) ? undefined : true));
  const again = await see(`${host.url}shop/`);
  assert.notEqual(again.pid, debugged.pid);
  assert.equal(again.inspector, null);
});

test('opening the debugger again restarts nothing', async (t) => {
  const host = await hosted(t);
  await get(`${host.url}shop/debug/`);
  const first = await see(`${host.url}shop/`);
  const page = await get(`${host.url}shop/server.js/debug/?brk`);
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type'] ?? '', /text\/html/);
  const second = await see(`${host.url}shop/`);
  assert.deepEqual({ pid: second.pid, at: second.inspector }, { pid: first.pid, at: first.inspector });
});

test('two apps are debugged at once on ports of their own', async (t) => {
  const host = await hosted(t, { 'shop/server.js': APP, 'blog/server.js': APP, ...PORTS });
  await Promise.all([get(`${host.url}shop/debug/`), get(`${host.url}blog/debug/`)]);
  const shop = await see(`${host.url}shop/`);
  const blog = await see(`${host.url}blog/`);
  assert.notEqual(shop.inspector, null);
  assert.notEqual(new URL(shop.inspector!).port, new URL(blog.inspector!).port);
});

test('two hosts that start debuggees at once share a range of ports', async (t) => {
  const hosts = await Promise.all([0, 1].map(() => hosted(t, { 'shop/server.js': APP, ...PORTS })));
  for (let round = 0; round < 3; round++) {
    const pages = await Promise.all(hosts.map((host) => get(`${host.url}shop/debug/`)));
    assert.deepEqual(pages.map((page) => page.status), [200, 200], pages.map((page) => page.text).join('\n'));
    const [one, other] = await Promise.all(hosts.map((host) => see(`${host.url}shop/`)));
    assert.notEqual(new URL(one!.inspector!).port, new URL(other!.inspector!).port);
    await Promise.all(hosts.map((host) => get(`${host.url}shop/debug/?kill`)));
  }
});

test('only a navigation starts a debugger and an unknown command is refused', async (t) => {
  const host = await hosted(t);
  assert.equal((await get(`${host.url}shop/debug/cdp/`, { method: 'POST' })).status, 410);
  assert.equal((await get(`${host.url}shop/debug/devtools-app.js`)).status, 410);
  const unknown = await get(`${host.url}shop/debug/?stop`);
  assert.match(unknown.text, /Supported commands are \?debug \(default\), \?brk, and \?kill\./);
  assert.equal(host.processes().length, 1);
});

test('the segment of the debugger is a setting, in any case; without a debugger its URLs are the app’s', async (t) => {
  const tells = "require('http').createServer((q, s) => s.end('app ' + q.url)).listen(process.env.PORT);";
  const host = await hosted(t, {
    'shop/server.js': APP,
    'shop/slipstream.yml': 'debuggerPathSegment: Inspect-it\n',
    'plain/server.js': tells,
    'plain/slipstream.yml': 'debuggingEnabled: false\n',
  });
  for (const path of ['debug', 'debug/', 'debug/?kill', 'server.js/debug/?brk', 'debug/cdp/']) {
    const got = await get(`${host.url}plain/${path}`);
    assert.deepEqual([got.status, got.text], [200, `app /plain/${path}`]);
  }
  const led = await get(`${host.url}shop/INSPECT-IT?brk`);
  assert.deepEqual([led.status, led.headers['location']], [301, '/shop/INSPECT-IT/?brk']);
  assert.equal((JSON.parse((await get(`${host.url}shop/debug/`)).text) as Seen).text, 'hello you', 'the app’s');
  // Page, files, polls and the end in whichever case: one public port, no socket needed.
  assert.match((await get(`${host.url}shop/inspect-IT/`)).text, /id="slipstream-page"/);
  assert.equal((await get(`${host.url}SHOP/iNSPECT-it/devtools-app.js`)).status, 200);
  const viewer = new PollViewer(`${host.url}shop/INSPECT-it/`);
  await viewer.open();
  t.after(() => viewer.vanish());
  const answer = await viewer.send('Runtime.evaluate', { expression: '6 * 7' });
  assert.equal((answer as { result: { value: number } }).result.value, 42);
  assert.match((await get(`${host.url}shop/Inspect-It/?KILL`)).text, /have been killed/);
});

test('an inspector that does not come is given up after the tries of the app, with the reason', async (t) => {
  // Its own preload holds the thread up before ours is there.
  const stuck = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);';
  const settings = "nodeArgs: ['--require=./stuck.cjs']\ndebuggerRetries: 3\ndebuggerRetryDelayMs: 20\n";
  const files = { 'shop/server.js': APP, 'shop/stuck.cjs': stuck, 'shop/slipstream.yml': settings };
  const page = await get(`${(await hosted(t, files)).url}shop/debug/`);
  assert.equal(page.status, 500);
  assert.match(page.text, /did not answer on .* after 3 tries, 20 ms apart \(debuggerRetries, debuggerRetryDelayMs\)/);
});

test('the debugger is closed to whoever is not at this machine', async (t) => {
  const host = await hosted(t);
  const strangers: Record<string, string>[] = [
    { host: 'shop.example' },
    { 'x-forwarded-for': '203.0.113.1' },
    { forwarded: 'for=203.0.113.1' },
  ];
  for (const headers of strangers) {
    for (const path of ['shop/debug/', 'shop/debug/?brk', 'shop/debug/?kill']) {
      assert.equal((await get(host.url + path, { headers })).status, 403, `${path} ${JSON.stringify(headers)}`);
    }
  }
  await get(`${host.url}shop/debug/`);
  for (const headers of strangers) {
    for (const path of ['shop/debug/', 'shop/debug/index.html', 'shop/debug/cdp/file?url=x']) {
      assert.equal((await get(host.url + path, { headers })).status, 403, path);
    }
    assert.equal((await get(`${host.url}shop/debug/cdp/`, { method: 'POST', headers })).status, 403);
  }
  const crossSite = { origin: 'http://evil.example' };
  assert.equal((await get(`${host.url}shop/debug/cdp/`, { method: 'POST', headers: crossSite })).status, 403);
});

test('?brk stops before the first user line', async (t) => {
  const host = await hosted(t);
  assert.equal((await get(`${host.url}shop/debug/?brk`)).status, 200);
  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  t.after(() => viewer.vanish());
  const paused = await viewer.event((message) => message.method === 'Debugger.paused');
  const frames = (paused.params as { callFrames: { location: { scriptId: string; lineNumber: number } }[] }).callFrames;
  const { scriptId, lineNumber } = frames[0]!.location;
  assert.equal(lineNumber, 0);
  const script = await viewer.event((message) => {
    return message.method === 'Debugger.scriptParsed' && message.params?.['scriptId'] === scriptId;
  });
  assert.match(String(script.params?.['url']), /shop\/server\.js$/);
  const pending = see(`${host.url}shop/`);
  await viewer.send('Debugger.resume');
  assert.equal((await pending).text, 'hello you');
});

async function stopAtGreeting(host: RunningHost): Promise<{ viewer: PollViewer; pending: Promise<Seen> }> {
  await get(`${host.url}shop/debug/`);
  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  await viewer.send('Debugger.setBreakpointByUrl', { urlRegex: 'shop/server\\.js$', lineNumber: GREETING_LINE });
  const pending = see(`${host.url}shop/`);
  // Whoever waits hears of it; a killed host is part of some tests.
  pending.catch(() => {});
  await viewer.event((message) => message.method === 'Debugger.paused');
  return { viewer, pending };
}

test('a pause, the breakpoints and the console outlive the viewer', async (t) => {
  const host = await hosted(t);
  const { viewer, pending } = await stopAtGreeting(host);
  await viewer.vanish();

  const second = new PollViewer(`${host.url}shop/debug/`);
  await second.open();
  t.after(() => second.vanish());
  const paused = await second.event((message) => message.method === 'Debugger.paused');
  const params = paused.params as {
    hitBreakpoints: string[];
    callFrames: { callFrameId: string; functionName: string; location: { lineNumber: number } }[];
  };
  assert.equal(params.callFrames[0]!.functionName, 'answer');
  assert.equal(params.callFrames[0]!.location.lineNumber, GREETING_LINE);
  assert.equal(params.hitBreakpoints.length, 1);
  const logged = await second.event((message) => message.method === 'Runtime.consoleAPICalled');
  assert.match(JSON.stringify(logged.params), /first line of the console/);
  const { callFrameId } = params.callFrames[0]!;
  const value = await second.send('Debugger.evaluateOnCallFrame', { callFrameId, expression: 'name + 1' });
  assert.deepEqual((value as { result: { value: string } }).result.value, 'you1');
  await second.send('Debugger.resume');
  assert.equal((await pending).text, 'hello you');

  const hitAgain = see(`${host.url}shop/`);
  await second.event((message) => message.method === 'Debugger.paused', second.events.length);
  await second.send('Debugger.resume');
  await hitAgain;
});

test('a session survives the death of the front', async (t) => {
  const host = await hosted(t);
  const { viewer, pending } = await stopAtGreeting(host);
  await viewer.vanish().catch(() => {});
  process.kill(host.processes().find((child) => child.role === 'front')!.pid, 'SIGKILL');
  await assert.rejects(pending);
  const second = new PollViewer(`${host.url}shop/debug/`);
  await until('the session proxy is back', async () => {
    const got = await get(`${host.url}shop/debug/`).catch(() => undefined);
    return got?.status === 200 ? true : undefined;
  });
  await second.open();
  t.after(() => second.vanish());
  await second.event((message) => message.method === 'Debugger.paused');
  await second.send('Debugger.resume');
});

for (const [role, title] of [['session', 'session proxy'], ['app', 'debuggee']] as const) {
  test(`a killed ${title} ends the debugging and the next request starts a regular process`, async (t) => {
    const host = await hosted(t);
    await get(`${host.url}shop/debug/`);
    const debugged = await see(`${host.url}shop/`);
    const victim = host.processes().find((child) => child.role === role);
    assert.ok(victim, `no ${role} among ${JSON.stringify(host.processes())}`);
    process.kill(victim.pid, 'SIGKILL');
    await until('the debuggee is gone', () => (isAlive(debugged.pid) ? undefined : true));
    const next = await until('a regular process answers', async () => {
      const got = await get(`${host.url}shop/`);
      return got.status === 200 ? (JSON.parse(got.text) as Seen) : undefined;
    });
    assert.equal(next.inspector, null);
    // What is left of the pair may need a moment to end.
    await until('the debugging is over', async () => {
      const { text } = await get(`${host.url}shop/debug/?kill`);
      return text === 'The debugger for the application is not running.' ? true : undefined;
    });
  });
}

test('viewers hear at once that the program is gone, and what it printed last', async (t) => {
  const host = await hosted(t);
  await get(`${host.url}shop/debug/`);
  const viewers = [new PollViewer(`${host.url}shop/debug/`), new PollViewer(`${host.url}shop/debug/`)];
  for (const viewer of viewers) await viewer.open();
  t.after(() => Promise.all(viewers.map((viewer) => viewer.vanish())));
  await viewers[0]!.send('Runtime.evaluate', {
    expression: "setTimeout(() => { throw new Error('out of <cheese>'); }, 50)",
  });
  const ends = await Promise.all(viewers.map((viewer) => {
    return viewer.event((message) => message.method === 'Inspector.detached');
  }));
  for (const { params } of ends) {
    assert.match(String(params?.['stderr']), /Error: out of <cheese>\n {4}at /);
    assert.doesNotMatch(String(params?.['stderr']), /Waiting for the debugger/);
  }
  await until('the debugging is over', async () => {
    const { text } = await get(`${host.url}shop/debug/?kill`);
    return text === 'The debugger for the application is not running.' ? true : undefined;
  });
});

test('?kill ends a debuggee that stands at a breakpoint with a request open', async (t) => {
  const host = await hosted(t);
  const { viewer, pending } = await stopAtGreeting(host);
  t.after(() => viewer.vanish());
  const outcome = assert.rejects(pending);
  const killed = await get(`${host.url}shop/debug/?kill`);
  assert.equal(killed.text, 'The debugger and debugee processes have been killed.');
  await outcome;
  assert.equal((await see(`${host.url}shop/`)).inspector, null);
});

test('a breakpoint outlives ?kill, and stops the next debuggee for whoever opens it', async (t) => {
  const host = await hosted(t);
  const { viewer } = await stopAtGreeting(host);
  await viewer.vanish();
  await get(`${host.url}shop/debug/?kill`);
  await get(`${host.url}shop/debug/`);
  const pending = see(`${host.url}shop/`);
  const other = new PollViewer(`${host.url}shop/debug/`);
  await other.open();
  t.after(() => other.vanish());
  const paused = await other.event((message) => message.method === 'Debugger.paused');
  const { callFrames } = paused.params as { callFrames: { location: { lineNumber: number } }[] };
  assert.equal(callFrames[0]!.location.lineNumber, GREETING_LINE);
  await other.send('Debugger.resume');
  assert.equal((await pending).text, 'hello you');
});

test('a stopped host takes a paused debuggee and its session along', async (t) => {
  const host = await hosted(t);
  const { viewer, pending } = await stopAtGreeting(host);
  const pids = host.processes().map((child) => child.pid);
  pending.catch(() => {});
  await viewer.vanish().catch(() => {});
  await host.stop();
  await until('all ended', () => (pids.some(isAlive) ? undefined : true));
  assert.equal(existsSync(host.runFolder), false);
});

test('a changed file starts the debuggee again, stopped by its breakpoint before user code is through', async (t) => {
  const host = await hosted(t);
  await get(`${host.url}shop/debug/`);
  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  // `const inspector`, which runs once, at the start.
  await viewer.send('Debugger.setBreakpointByUrl', { urlRegex: 'shop/server\\.js$', lineNumber: 1 });
  const before = await see(`${host.url}shop/`);
  await viewer.vanish();
  writeFileSync(join(host.root, 'shop', 'server.js'), APP.replace("'hello '", "'changed '"));
  await until('the first debuggee is gone', () => (isAlive(before.pid) ? undefined : true));
  const pending = see(`${host.url}shop/`);
  const next = new PollViewer(`${host.url}shop/debug/`);
  await until('the new session serves', async () => {
    const got = await get(`${host.url}shop/debug/cdp/alive`).catch(() => undefined);
    return got?.status === 204 ? true : undefined;
  });
  await next.open();
  t.after(() => next.vanish());
  const paused = await next.event((message) => message.method === 'Debugger.paused');
  const frames = (paused.params as { callFrames: { location: { lineNumber: number } }[] }).callFrames;
  assert.equal(frames[0]!.location.lineNumber, 1);
  await next.send('Debugger.resume');
  const after = await pending;
  assert.equal(after.text, 'changed you');
});

test('?live attaches to a process that spins, without starting another', async (t) => {
  const spin = "if (req.url.endsWith('spin')) for (let n = 0; globalThis.go !== true; n++);";
  const spinning = APP.replace('res.end(', `${spin}\n  res.end(`);
  const host = await hosted(t, { 'shop/server.js': spinning });
  const regular = await see(`${host.url}shop/`);
  const stuck = see(`${host.url}shop/spin`);
  stuck.catch(() => {});
  assert.equal((await get(`${host.url}shop/debug/?live`)).status, 200);
  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  t.after(() => viewer.vanish());
  assert.equal(viewer.opened!.pid, regular.pid);
  await viewer.send('Debugger.pause');
  const paused = await viewer.event((message) => message.method === 'Debugger.paused');
  const { callFrameId } = (paused.params as { callFrames: { callFrameId: string }[] }).callFrames[0]!;
  await viewer.send('Debugger.evaluateOnCallFrame', { callFrameId, expression: 'globalThis.go = true' });
  await viewer.send('Debugger.resume');
  assert.equal((await stuck).pid, regular.pid);
  assert.match((await get(`${host.url}shop/debug/?kill`)).text, /have been killed/);
  const after = await until('the inspector is closed', async () => {
    const seen = await see(`${host.url}shop/`);
    return seen.inspector === null ? seen : undefined;
  });
  assert.equal(after.pid, regular.pid, 'the process went on');
});
