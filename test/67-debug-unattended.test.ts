// Pauses that nobody looks at, by the real program: with the policy `snapshot` requests are answered at once, and
// whoever comes later finds stack and variables in the console.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { startHost } from './host-fixture.ts';
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

test('a breakpoint without a viewer leaves a snapshot behind, and the request is answered', async (t) => {
  const files = { 'slipstream.yml': 'debuggerUnattended: snapshot\n', 'shop/server.js': APP };
  const host = await startHost({ files });
  t.after(() => host.stop());
  await get(`${host.url}shop/debug/`);
  const viewer = new PollViewer(`${host.url}shop/debug/`);
  await viewer.open();
  await viewer.send('Debugger.setBreakpointByUrl', { urlRegex: 'shop/server\\.js$', lineNumber: RETURN_LINE });
  await viewer.close();
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
