// Editors at a local address: `node inspect` and a CDP client, through a network that is cut.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket, connect } from 'node:net';
import WebSocket from 'ws';
import { systemClock } from '../src/base/clock.ts';
import { attach, type Attachment } from '../src/debug/attach.ts';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

const APP = `const http = require('http');
function answer(name) {
  const greeting = 'hello ' + name;
  return greeting;
}
http.createServer((request, response) => response.end(answer('you'))).listen(process.env.PORT);
`;
/** Zero-based. */
const GREETING_LINE = 2;

let host: RunningHost;
before(async () => {
  host = await startHost({ files: { 'shop/server.js': APP } });
});
after(() => host?.stop());

async function attached(url: string): Promise<Attachment> {
  return attach({ url, port: 0, clock: systemClock, onEvent: () => {} });
}

/** A CDP client that knows nothing of Slipstream. */
class Client {
  readonly messages: { id?: number; method?: string; params?: Record<string, unknown>; result?: unknown }[] = [];
  socket: WebSocket;
  #id = 0;
  #wake: (() => void)[] = [];

  constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.on('message', (data: Buffer) => {
      this.messages.push(JSON.parse(data.toString()) as { id?: number });
      for (const wake of this.#wake.splice(0)) wake();
    });
  }

  async until<Found>(find: () => Found | undefined): Promise<Found> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#id;
    this.socket.send(JSON.stringify({ id, method, params }));
    const reply = await this.until(() => this.messages.find((message) => message.id === id));
    return (reply.result ?? {}) as Record<string, unknown>;
  }

  event(method: string, from = 0): Promise<Record<string, unknown>> {
    return this.until(() => this.messages.slice(from).find((message) => message.method === method)?.params);
  }
}

test('a CDP client finds the address, stops at a breakpoint and stays attached through cuts', async (t) => {
  // A network that is cut whenever the test says so.
  const open = new Set<Socket>();
  const network = createServer((near) => {
    const far = connect(host.port, '127.0.0.1');
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => open.delete(socket));
    }
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(network, 'listening');
  const destroyAll = (): void => {
    for (const socket of open) socket.destroy();
  };
  /** Cuts what is there, as soon as something is. */
  const cut = async (): Promise<void> => {
    await until('a connection', () => (open.size > 0 ? true : undefined));
    destroyAll();
  };
  t.after(() => {
    network.close();
    destroyAll();
  });

  const address = await attached(`http://127.0.0.1:${(network.address() as AddressInfo).port}/shop/debug`);
  t.after(() => address.close());
  const list = JSON.parse((await get(`http://127.0.0.1:${address.port}/json/list`)).text) as {
    type: string;
    webSocketDebuggerUrl: string;
  }[];
  assert.equal(list[0]!.type, 'node');
  assert.match((await get(`http://127.0.0.1:${address.port}/json/version`)).text, /Protocol-Version/);
  const protocol = await get(`http://127.0.0.1:${address.port}/json/protocol`);
  const { domains } = JSON.parse(protocol.text) as { domains: { domain: string }[] };
  assert.ok(domains.some(({ domain }) => domain === 'Debugger'), 'libraries make their commands of it');
  const foreign = await get(`http://127.0.0.1:${address.port}/json`, { headers: { host: 'evil.example' } });
  assert.equal(foreign.status, 400);

  const client = new Client(list[0]!.webSocketDebuggerUrl);
  await once(client.socket, 'open');
  t.after(() => client.socket.terminate());
  await client.call('Runtime.enable');
  await client.call('Debugger.enable');
  await client.call('Debugger.setBreakpointByUrl', { urlRegex: 'server\\.js$', lineNumber: GREETING_LINE });
  await cut();
  const pending = get(`${host.url}shop/`);
  const paused = await client.event('Debugger.paused');
  await cut();
  const frames = paused['callFrames'] as { callFrameId: string; location: { lineNumber: number } }[];
  assert.equal(frames[0]!.location.lineNumber, GREETING_LINE);
  const { callFrameId } = frames[0]!;
  for (let step = 0; step < 5; step++) {
    await cut();
    const { result } = (await client.call('Debugger.evaluateOnCallFrame', {
      callFrameId,
      expression: `globalThis.count = (globalThis.count ?? 0) + 1`,
    })) as { result: { value: number } };
    assert.equal(result.value, step + 1, 'performed once, whatever was lost');
  }
  await client.call('Debugger.resume');
  assert.equal((await pending).text, 'hello you');
  assert.equal(client.socket.readyState, WebSocket.OPEN);
  const events = client.messages.flatMap(({ method = '' }) => (/paused|resumed/.test(method) ? [method] : []));
  assert.deepEqual(events, ['Debugger.paused', 'Debugger.resumed'], 'each once');
});

test('node inspect takes the address for a local program', async (t) => {
  const address = await attached(`${host.url}shop/debug/`);
  t.after(() => address.close());
  const child = spawn(process.execPath, ['inspect', `127.0.0.1:${address.port}`], {
    env: { ...process.env, TERM: 'dumb', NO_COLOR: '1' },
  });
  t.after(() => child.kill('SIGKILL'));
  let text = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      for (const look of waiting) look();
    });
  }
  const shown = (pattern: RegExp): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!pattern.test(text)) return;
        waiting.delete(look);
        text = '';
        resolve();
      };
      waiting.add(look);
      look();
    });
  await shown(/debug> $/);
  child.stdin.write("exec('6 * 7')\n");
  await shown(/\b42\b[\s\S]*debug> $/);
  child.stdin.write(`setBreakpoint('server.js', ${GREETING_LINE + 1})\n`);
  await shown(/debug> $/);
  const pending = get(`${host.url}shop/`);
  await shown(/break in [\s\S]*server\.js:3[\s\S]*debug> $/);
  child.stdin.write('cont\n');
  assert.equal((await pending).text, 'hello you');
  child.stdin.write('.exit\n');
  await once(child, 'exit');
});

test('an address that leads nowhere is an error with a reason', async () => {
  await assert.rejects(attached('ftp://x/'), { code: 'OPTION_INVALID' });
  await assert.rejects(attached('http://127.0.0.1:1/x/debug/'), { code: 'DEBUGGER_NOT_RUNNING' });
  await assert.rejects(attached(`${host.url}shop/debug/?link=wrong`), { code: 'DEBUGGER_FORBIDDEN' });
  const message = `${host.url}nope/: No app serves this path.`;
  await assert.rejects(attached(`${host.url}nope/`), { code: 'DEBUGGER_NOT_RUNNING', message });
});
