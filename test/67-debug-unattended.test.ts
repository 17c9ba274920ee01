// Pauses that nobody looks at, by the real program: on loopback they are held until somebody comes; with the policy
// `resume` they end by themselves; with `snapshot` requests are answered at once, and whoever comes later finds stack
// and variables in the console.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get } from './http-client.ts';
import { PollViewer } from './poll-viewer.ts';
import type { CdpMessage } from '../src/wire/poll-messages.ts';

const APP = `const http = require('http');
function price(article, count) {
  const basket = { article, count, tags: ['new', 'red'], get total() { throw new Error('never called'); } };
  return JSON.stringify([article, count]);
}
http.createServer((req, res) => {
  const query = new URLSearchParams(req.url.split('?')[1]);
  res.end(price(query.get('article'), Number(query.get('count'))));
}).listen(process.env.PORT);
`;
/** Zero-based line of the return in `price`. */
const RETURN_LINE = 3;

interface ConsoleCall {
  type: string;
  args: { value: string }[];
  stackTrace: { callFrames: { functionName: string; lineNumber: number }[] };
}

/** How long a pause is looked at that has to stay; a wait of 200 ms is over by then. */
const HELD_MS = 1500;

/** A host whose program stops in `price`; nobody is there. */
async function armed(t: TestContext, settings: string): Promise<RunningHost> {
  const host = await startHost({ files: { 'slipstream.yml': settings, 'shop/server.js': APP } });
  t.after(() => host.stop());
  await get(`${host.url}shop/debug/`);
  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  await viewer.send('Debugger.setBreakpointByUrl', { urlRegex: 'shop/server\\.js$', lineNumber: RETURN_LINE });
  await viewer.close();
  return host;
}

/** A request to the program, and whether it was answered by now. */
function ask(host: RunningHost, count: number): { text: Promise<string>; isAnswered: () => boolean } {
  let isAnswered = false;
  const text = get(`${host.url}shop/?article=lamp&count=${count}`).then((got) => {
    isAnswered = true;
    return got.text;
  });
  return { text, isAnswered: () => isAnswered };
}

const held = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, HELD_MS));
const isPause = ({ method }: CdpMessage): boolean => method === 'Debugger.paused';

function warnings(viewer: PollViewer): string[] {
  return viewer.events.flatMap(({ method, params }) => {
    const call = params as unknown as ConsoleCall;
    return method === 'Runtime.consoleAPICalled' && call.type === 'warning' ? [call.args[0]!.value] : [];
  });
}

test('on a loopback listener a pause without a viewer is held, until one comes', async (t) => {
  const host = await armed(t, 'debuggerUnattendedAfterMs: 200\n');
  const asked = ask(host, 1);
  await held();
  assert.equal(asked.isAnswered(), false, 'it stands');
  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  t.after(() => viewer.vanish());
  await viewer.event(isPause);
  assert.deepEqual(warnings(viewer), []);
  await viewer.send('Debugger.resume');
  assert.equal(await asked.text, '["lamp",1]');
});

test('with the policy `resume` a pause without a viewer ends by itself, one with a viewer does not', async (t) => {
  const host = await armed(t, 'debuggerUnattended: resume\ndebuggerUnattendedAfterMs: 200\n');
  // Each pause has its own wait.
  for (const count of [1, 2]) assert.equal(await ask(host, count).text, `["lamp",${count}]`);

  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  const said = 'went on after a pause of 0.2 s that nobody looked at';
  assert.deepEqual(warnings(viewer), [said, said]);
  const from = viewer.events.length;
  const looked = ask(host, 3);
  await viewer.event(isPause, from);
  await held();
  assert.equal(looked.isAnswered(), false, 'somebody looks at it');
  await viewer.close();
  assert.equal(await looked.text, '["lamp",3]', 'nobody does any more');
  const later = new PollViewer(`${host.url}shop/debug/`);
  await later.open();
  t.after(() => later.vanish());
  assert.deepEqual(warnings(later), [said, said, said]);
});

test('a breakpoint without a viewer leaves a snapshot behind, and the request is answered', async (t) => {
  const host = await armed(t, 'debuggerUnattended: snapshot\n');
  for (let count = 0; count < 33; count++) {
    assert.equal((await get(`${host.url}shop/?article=lamp&count=${count}`)).text, `["lamp",${count}]`);
  }
  const later = new PollViewer(`${host.url}shop/debug/`);
  await later.open();
  const calls = later.events.filter((message: CdpMessage) => message.method === 'Runtime.consoleAPICalled');
  const traces = calls.map(({ params }) => params as unknown as ConsoleCall).filter(({ type }) => type === 'trace');
  assert.equal(traces.length, 30, 'a minute has room for so many');
  const [first] = traces;
  const text = first!.args[0]!.value;
  assert.match(text, /^Snapshot of \S*shop\/server\.js:4: nobody was there, the program went on\n/);
  assert.match(text, /^price {2}\S*server\.js:4$/m);
  assert.match(text, /^ {4}article = "lamp"$/m);
  assert.match(text, /^ {4}count = 0$/m);
  assert.match(text, /^ {4}basket = \{article: "lamp", count: 0, tags: Array\(2\), total: accessor\}$/m);
  const { functionName, lineNumber } = first!.stackTrace.callFrames[0]!;
  assert.deepEqual([functionName, lineNumber], ['price', RETURN_LINE]);

  // With somebody there it stands as ever.
  const from = later.events.length;
  const asked = get(`${host.url}shop/?article=lamp&count=5`);
  await later.event((message) => message.method === 'Debugger.paused', from);
  await later.send('Debugger.resume');
  assert.equal((await asked).text, '["lamp",5]');
  await later.vanish();
});
