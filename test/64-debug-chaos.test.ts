// A debugging session over a network that loses requests and answers, cuts, delays and answers in place of the
// server: what happens is what would have happened undisturbed. SLIPSTREAM_CHAOS_SEED repeats a run,
// SLIPSTREAM_CHAOS_ROUNDS makes it longer.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock, type Clock } from '../src/base/clock.ts';
import { PollClient, signIn } from '../src/debug/poll-client.ts';
import { startHost } from './host-fixture.ts';
import { get } from './http-client.ts';

const ROUNDS = Number(process.env['SLIPSTREAM_CHAOS_ROUNDS'] ?? 12);
const SEED = Number(process.env['SLIPSTREAM_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const APP = `const http = require('http');
let hits = 0;
function answer() {
  const first = hits + 1;
  hits = first;
  return 'hit ' + hits;
}
http.createServer((request, response) => response.end(answer())).listen(process.env.PORT);
`;
/** Zero-based line of \`const first\`. */
const FIRST_LINE = 3;

/** Mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Ten times as patient as it looks: the rules are the same, only the pauses are shorter. */
const hurried: Clock = { now: systemClock.now, after: (ms, callback) => systemClock.after(ms / 10, callback) };

/** A proxy that buffers whole answers and mistreats what `chance` says. */
async function startNetwork(t: TestContext, port: number, chance: () => number): Promise<URL> {
  const network = createServer((incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('error', () => response.destroy());
    incoming.on('end', () => mistreat(port, chance(), incoming, Buffer.concat(parts), response));
  });
  network.listen(0, '127.0.0.1');
  await once(network, 'listening');
  t.after(() => {
    network.closeAllConnections();
    network.close();
  });
  return new URL(`http://127.0.0.1:${(network.address() as AddressInfo).port}/`);
}

function mistreat(port: number, fate: number, incoming: IncomingMessage, body: Buffer, response: ServerResponse): void {
  if (fate < 0.1) return void response.destroy();
  if (fate < 0.15) return void response.writeHead(502).end('<html>bad gateway');
  if (fate < 0.18) return void response.writeHead(200).end('<html>please wait');
  const { method, url: path, headers } = incoming;
  const outgoing = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
    const parts: Buffer[] = [];
    answer.on('data', (part: Buffer) => parts.push(part));
    answer.on('error', () => response.destroy());
    answer.on('end', () => {
      // Performed, and nobody hears of it.
      if (fate < 0.3) return void response.destroy();
      const pass = (): void => void response.writeHead(answer.statusCode!, answer.headers).end(Buffer.concat(parts));
      if (fate < 0.5) setTimeout(pass, fate * 40);
      else pass();
    });
  });
  outgoing.on('error', () => response.destroy());
  // A poll that is held goes when its user does.
  if (method === 'GET') response.on('close', () => outgoing.destroy());
  // Sent twice: numbers make the second one harmless.
  if (fate > 0.9 && method === 'POST' && path!.includes('/send')) {
    const twin = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => answer.resume());
    twin.on('error', () => {});
    twin.end(body);
  }
  outgoing.end(body);
}

interface Reply {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/** Commands and events over a client. */
class Session {
  readonly messages: Reply[] = [];
  readonly client: PollClient;
  main = '';
  #id = 0;
  #wake: (() => void)[] = [];

  constructor(base: URL, key: string) {
    this.client = new PollClient({
      base,
      key,
      clock: hurried,
      onMessage: (message) => {
        this.messages.push(message as Reply);
        for (const wake of this.#wake.splice(0)) wake();
      },
      onRenewed: () => assert.fail('nobody was away for that long'),
      onEnd: (reason) => assert.fail(reason),
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
    const session = this.main === '' ? {} : { sessionId: this.main };
    this.client.send(JSON.stringify({ id, method, params, ...session }));
    const reply = await this.until(() => this.messages.find((message) => message.id === id));
    assert.equal(reply.error, undefined, `${method}: ${reply.error?.message}`);
    return reply.result ?? {};
  }

  /** The event with this number, from 0. */
  event(method: string, number: number): Promise<Record<string, unknown>> {
    return this.until(() => this.messages.filter((message) => message.method === method)[number]?.params);
  }
}

interface Pause {
  callFrames: { callFrameId: string; location: { lineNumber: number } }[];
}

async function script(session: Session, hostUrl: string): Promise<unknown[]> {
  const record: unknown[] = [];
  let pauses = 0;
  const nextPause = async (): Promise<string> => {
    const { callFrames } = (await session.event('Debugger.paused', pauses++)) as unknown as Pause;
    record.push(callFrames[0]!.location.lineNumber);
    return callFrames[0]!.callFrameId;
  };
  const value = async (callFrameId: string, expression: string): Promise<void> => {
    const { result } = await session.call('Debugger.evaluateOnCallFrame', { callFrameId, expression });
    record.push((result as { value: unknown }).value);
  };
  for (let round = 0; round < ROUNDS; round++) {
    const pending = get(`${hostUrl}shop/`);
    await value(await nextPause(), 'globalThis.seen = (globalThis.seen ?? 0) + 1');
    await session.call('Debugger.stepOver');
    await value(await nextPause(), 'first');
    await session.call('Debugger.stepOver');
    await value(await nextPause(), 'hits += 10, hits');
    await session.call('Debugger.resume');
    record.push((await pending).text);
  }
  return record;
}

function undisturbed(): unknown[] {
  const record: unknown[] = [];
  let hits = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const first = hits + 1;
    hits = first + 10;
    record.push(FIRST_LINE, round + 1, FIRST_LINE + 1, first, FIRST_LINE + 2, hits, `hit ${hits}`);
  }
  return record;
}

test(`a session over a broken network goes as over a whole one (SLIPSTREAM_CHAOS_SEED=${SEED})`, async (t) => {
  const host = await startHost({ files: { 'shop/server.js': APP } });
  t.after(() => host.stop());
  await get(`${host.url}shop/debug/`);
  const { key } = await signIn(new URL('shop/debug/cdp/', host.url), {});
  const network = await startNetwork(t, host.port, randomOf(SEED));
  const session = new Session(new URL('shop/debug/cdp/', network), key);
  await session.client.open();
  t.after(() => session.client.close());
  await session.call('Target.setAutoAttach', { autoAttach: true, flatten: true });
  const { sessionId } = await session.event('Target.attachedToTarget', 0);
  session.main = String(sessionId);
  await session.call('Runtime.enable');
  await session.call('Debugger.enable');
  await session.call('Debugger.setBreakpointByUrl', { urlRegex: 'server\\.js$', lineNumber: FIRST_LINE });
  assert.deepEqual(await script(session, host.url), undisturbed());
  const ids = session.messages.flatMap(({ id }) => id ?? []);
  assert.deepEqual(ids, [...new Set(ids)], 'no answer came twice');
});
