// What people hear of programs that fail: the page of a request that was lost with its process, and who sees it, the
// status, the reasons of starts that come to nothing.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCli, startHost, type HostOptions, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

async function hostWith(t: TestContext, options: HostOptions): Promise<RunningHost> {
  const host = await startHost(options);
  t.after(() => host.stop());
  return host;
}

const CRASHING = `require('http').createServer((request, response) => {
  if (!request.url.endsWith('crash')) return response.end('up');
  console.error('looked for the basket'); throw new Error('no basket');
}).listen(process.env.PORT);`;

const OPENED = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'none' };
const FAR = { ...OPENED, accept: 'text/html', 'x-forwarded-for': '192.0.2.1' };

test('a request that was lost with its process is told what the process wrote, to who may see it', async (t) => {
  const host = await hostWith(t, { files: {
    'shop/server.js': CRASHING, 'broken/server.js': 'throw new Error("at the start");',
    'slipstream.yml': 'debuggerUserField: X-Remote-User\ndebuggerUsers: {alice: observe}\n',
  } });
  const crash = async (headers: Record<string, string>): Promise<string> => {
    await until('it is up', async () => ((await get(`${host.url}shop/`)).text === 'up' ? true : undefined));
    const { status, text } = await get(`${host.url}shop/crash`, { headers });
    assert.equal(status, 502, text);
    return text;
  };
  const near = await crash({ accept: 'application/json' });
  const { error } = JSON.parse(near) as { error: { code: string; developer: { heading: string; text: string }[] } };
  assert.equal(error.code, 'UPSTREAM_LOST');
  const texts = Object.fromEntries(error.developer.map(({ heading, text }) => [heading, text]));
  assert.equal(texts['Reason'], 'The process exited with code 1 while it had this request.');
  assert.match(texts['Last lines of stderr']!, /looked for the basket[^]*Error: no basket/);
  const plain = await runCli(['status'], host.home);
  assert.match(plain.stdout, /! app "shop": its last process exited with code 1; see slipstream logs/);
  assert.match((await get(host.url, { headers: OPENED })).text, /its last process exited with code 1/);
  assert.doesNotMatch(await crash(FAR), /basket|stderr/, 'a stranger');
  assert.match(await crash({ ...FAR, 'x-remote-user': 'alice' }), /no basket/, 'whom the proxy names');
  assert.doesNotMatch(await crash({ ...FAR, 'x-remote-user': 'mallory' }), /basket|stderr/);
  assert.equal((await get(`${host.url}shop/`)).text, 'up');
  assert.doesNotMatch((await runCli(['status'], host.home)).stdout, /its last process/, 'it serves again');

  const start = async (user: string): Promise<string> =>
    (await get(`${host.url}broken/`, { headers: { ...FAR, 'x-remote-user': user } })).text;
  assert.match(await start('alice'), /at the start/);
  assert.doesNotMatch(await start('mallory'), /at the start/);
});

test('a start that comes to nothing says why: it listens on a Unix path', async (t) => {
  const host = await hostWith(t, { files: {
    'path/server.js': `require('http').createServer().listen(process.cwd() + '/own.sock');`,
    'slipstream.yml': 'apps: { path: { startTimeoutMs: 2000 } }\n',
  } });
  const { text } = await get(`${host.url}path/`);
  assert.match(text, /APP_START_TIMED_OUT/);
  const where = join(host.root, 'path/own.sock');
  assert.ok(text.includes(`It listens on the path ${where}, where nobody asks: call listen(process.env.PORT).`), text);
});

test('TypeScript that node cannot run is run by tsx, also when an edit brings it', async (t) => {
  const enums = 'enum Colour { Red }\nrequire("node:http").createServer((_request: unknown, response: any) =>' +
    ' response.end(Colour[0])).listen(process.env.PORT);';
  const plain = 'require("node:http").createServer((_request: unknown, response: any) => response.end("plain"))' +
    '.listen(process.env.PORT);';
  const decorated = 'function mark(target: any) { target.mark = "marked"; }\n@mark\nclass Shop {}\n' +
    'require("node:http").createServer((_request: unknown, response: any) => response.end((Shop as any).mark))' +
    '.listen(process.env.PORT);';
  const host = await hostWith(t, { files: {
    'enums/server.ts': enums,
    'enums/package.json': '{"main": "server.ts"}',
    'named/server.ts': enums,
    'named/package.json': '{"scripts": {"start": "tsx server.ts"}}',
    'old/server.ts': decorated,
    'old/package.json': '{"main": "server.ts"}',
    'old/tsconfig.json': '{\n  "compilerOptions": {\n    "experimentalDecorators": true\n  }\n}\n',
    'bare/server.ts': `import { price } from './price';\nimport { createServer } from 'node:http';\n` +
      'createServer((_request: unknown, response: any) => response.end(price)).listen(process.env.PORT);',
    'bare/price.ts': 'export const price: string = "dear";',
    'bare/package.json': '{"type": "module"}',
    'pair/server.ts': plain,
    'pair/slipstream.yml': 'processes: 2\n',
  } });
  const texts = await Promise.all(['enums', 'named', 'old', 'bare', 'pair'].map(async (name) => {
    const { text } = await get(`${host.url}${name}/`);
    return text;
  }));
  assert.deepEqual(texts, ['Red', 'Red', 'marked', 'dear', 'plain']);
  const strips = Boolean((process.features as { typescript?: string | false }).typescript);
  const compiled = ['enums', 'bare'].map((app) => host.output().includes(`app-compiled app=${app} entry=server.ts`));
  assert.deepEqual(compiled, [strips, strips], host.output());
  const state = { isOver: false };
  const traffic = (async () => {
    while (!state.isOver) assert.match((await get(`${host.url}pair/`)).text, /^(?:plain|Red)$/);
  })();
  writeFileSync(join(host.root, 'pair/server.ts'), enums);
  await host.line(/app-recycled app=pair/);
  state.isOver = true;
  await traffic;
  assert.equal((await get(`${host.url}pair/`)).text, 'Red');
  assert.doesNotMatch(host.output(), /app-recycle-failed|app-start-failed/);
});
