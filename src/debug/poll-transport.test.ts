// Viewers, numbers and polls over real HTTP, with a clock turned by hand.

import { afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { HandClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { POLL_BYTES_MAX, POLL_HOLD_MS, VIEWER_AWAY_MS } from '../wire/poll-messages.ts';
import { SEND_BYTES_MAX } from './poll-answer.ts';
import { BACKLOG_BYTES_MAX, PollTransport, VIEWERS_MAX, type Viewer, type ViewerEvents } from './poll-transport.ts';

const noEvents = (): ViewerEvents => ({ message: () => {}, closed: () => {} });
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

// oxlint-disable-next-line typescript/no-explicit-any -- read as the test expects; another shape fails it
type Json = any;

interface Answer {
  status: number;
  body: string;
  json(): Json;
}

interface Scene {
  clock: HandClock;
  transport: PollTransport;
  port: number;
  /** By viewer id. */
  received: unknown[];
  closed: string[];
  pressure: boolean[];
  open(): Viewer;
  ask(path: string, options?: { method?: string; body?: string }): Promise<Answer>;
  /** Resolves when the server has the next request. */
  arrival(): Promise<void>;
  /** The answer to the next request, as the server writes it. */
  answering(): Promise<ServerResponse>;
}

async function scene(): Promise<Scene> {
  const clock = new HandClock();
  const received: unknown[] = [];
  const closed: string[] = [];
  const pressure: boolean[] = [];
  const opened = (): ViewerEvents => ({
    message: (message) => received.push(message),
    closed: (reason) => closed.push(reason),
  });
  const transport = new PollTransport({
    clock,
    log: silentLog,
    pressure: (isHigh) => pressure.push(isHigh),
  });
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://x');
    transport.handle(url.pathname.slice(1), url.searchParams, request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
    transport.close('the test is over');
  });
  const { port } = server.address() as AddressInfo;
  return {
    clock,
    transport,
    port,
    received,
    closed,
    pressure,
    open: () => transport.open(opened)!,
    ask: (path, options) => send(port, path, options).answer,
    arrival: async () => void (await once(server, 'request')),
    answering: async () => ((await once(server, 'request')) as [IncomingMessage, ServerResponse])[1],
  };
}

function send(
  port: number,
  path: string,
  options: { method?: string; body?: string } = {},
): { request: ClientRequest; answer: Promise<Answer> } {
  const { method = 'GET', body } = options;
  const request = httpRequest({ port, host: '127.0.0.1', path: `/${path}`, method, agent: false });
  const answer = new Promise<Answer>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode!, body: text, json: () => JSON.parse(text) });
      });
    });
  });
  request.end(body);
  return { request, answer };
}

test('viewer ids cannot be guessed', async () => {
  const { open } = await scene();
  const [one, two] = [open(), open()];
  assert.match(one.id, /^[\w-]{32}$/);
  assert.notEqual(one.id, two.id);
});

test('a poll is held until there is something, and takes all of the turn', async () => {
  const { open, ask, arrival } = await scene();
  const viewer = open();
  const arrived = arrival();
  const poll = ask(`${viewer.id}/poll?ack=0`);
  await arrived;
  viewer.send('{"a":1}');
  viewer.send('{"a":2}');
  assert.equal((await poll).body, '[{"a":1},{"a":2}]');
  viewer.send('{"a":3}');
  assert.equal((await ask(`${viewer.id}/poll?ack=1`)).body, '[{"a":2},{"a":3}]');
  assert.equal((await ask(`${viewer.id}/poll?ack=2`)).body, '[{"a":3}]');
});

test('a held poll ends empty after its time, or when another one comes', async () => {
  const { open, ask, arrival, clock } = await scene();
  const viewer = open();
  const first = arrival();
  const early = ask(`${viewer.id}/poll?ack=0`);
  await first;
  const second = arrival();
  const late = ask(`${viewer.id}/poll?ack=0`);
  await second;
  assert.equal((await early).body, '[]');
  clock.advance(POLL_HOLD_MS);
  assert.equal((await late).body, '[]');
});

test('acknowledgements beyond what was sent or before what is kept are refused', async () => {
  const { open, ask } = await scene();
  const viewer = open();
  viewer.send('1');
  assert.equal((await ask(`${viewer.id}/poll?ack=1`)).status, 400);
  assert.equal((await ask(`${viewer.id}/poll?ack=0`)).body, '[1]');
  viewer.send('2');
  assert.equal((await ask(`${viewer.id}/poll?ack=1`)).body, '[2]');
  const stale = await ask(`${viewer.id}/poll?ack=0`);
  assert.deepEqual([stale.status, stale.json().next], [409, 1]);
  for (const ack of ['', '?ack=', '?ack=-1', '?ack=x', '?ack=1e3', '?ack=9999999999999999']) {
    assert.equal((await ask(`${viewer.id}/poll${ack}`)).status, 400, ack);
  }
});

test('large messages come in portions, one at least', async () => {
  const { open, ask } = await scene();
  const viewer = open();
  const large = JSON.stringify('x'.repeat(POLL_BYTES_MAX));
  for (const message of [large, '1', '2']) viewer.send(message);
  assert.equal((await ask(`${viewer.id}/poll?ack=0`)).json().length, 1);
  assert.deepEqual((await ask(`${viewer.id}/poll?ack=1`)).json(), [1, 2]);
  const wide = ['\u{1f600}'.repeat(100_000), `x${'\u{1f600}'.repeat(100_000)}`];
  for (const text of wide) viewer.send(JSON.stringify(text));
  assert.deepEqual((await ask(`${viewer.id}/poll?ack=3`)).json(), wide, 'no character is cut in halves');
});

test('commands arrive once and in order, however often and cut they are sent', async () => {
  const { open, ask, received } = await scene();
  const viewer = open();
  const post = (number: number, body: string): Promise<Answer> => {
    return ask(`${viewer.id}/send?n=${number}`, { method: 'POST', body });
  };
  assert.equal((await post(0, '["a","b"]')).status, 204);
  assert.equal((await post(0, '["a","b"]')).status, 204);
  const gap = await post(3, '["d"]');
  assert.deepEqual([gap.status, gap.json().next], [409, 2]);
  assert.equal((await post(1, '["b","c"]')).status, 204);
  assert.equal((await post(3, '[]')).status, 204);
  assert.deepEqual(received, ['a', 'b', 'c']);
  for (const body of ['', '{}', '[1', 'null']) assert.equal((await post(3, body)).status, 400, body);
  assert.equal((await ask(`${viewer.id}/send`, { method: 'POST', body: '[]' })).status, 400);
});

test('a send that is cut off in the middle does nothing', async () => {
  const { open, ask, port, received } = await scene();
  const viewer = open();
  const body = '["a"]';
  const head = `POST /${viewer.id}/send?n=0 HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`;
  for (let cut = 0; cut < body.length; cut++) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.end(head + body.slice(0, cut));
    socket.resume();
    await once(socket, 'close');
  }
  assert.deepEqual(received, []);
  assert.equal((await ask(`${viewer.id}/send?n=0`, { method: 'POST', body })).status, 204);
  assert.deepEqual(received, ['a']);
});

test('a body beyond the bound is refused', async () => {
  const { open, ask, received } = await scene();
  const body = `["${'x'.repeat(SEND_BYTES_MAX)}"]`;
  const answer = await ask(`${open().id}/send?n=0`, { method: 'POST', body });
  assert.equal(answer.status, 413);
  assert.deepEqual(received, []);
});

test('a viewer that stays away is dropped, one that polls is not', async () => {
  const { open, ask, arrival, clock, closed } = await scene();
  const [away, there] = [open(), open()];
  clock.advance(VIEWER_AWAY_MS - 1);
  const arrived = arrival();
  const poll = ask(`${there.id}/poll?ack=0`);
  await arrived;
  clock.advance(1);
  assert.deepEqual(closed, [`it has not polled for ${VIEWER_AWAY_MS} ms`]);
  there.send('1');
  assert.equal((await poll).body, '[1]');
  const gone = await ask(`${away.id}/poll?ack=0`);
  assert.equal(gone.status, 410);
  assert.equal(gone.json().code, 'VIEWER_UNKNOWN');
  assert.match(gone.json().message, /has not polled/);
  assert.equal((await ask('nobody/poll?ack=0')).status, 410);
});

test('a poll whose client is gone counts as none', async () => {
  const { open, clock, closed, port, arrival, transport } = await scene();
  const viewer = open();
  const arrived = arrival();
  const { request, answer } = send(port, `${viewer.id}/poll?ack=0`);
  answer.catch(() => {});
  await arrived;
  assert.equal(viewer.isPolling, true);
  request.destroy();
  while (viewer.isPolling) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(VIEWER_AWAY_MS);
  assert.equal(closed.length, 1);
  assert.equal(transport.count, 0);
});

test('close takes the viewer away, and its poll ends', async () => {
  const { open, ask, arrival, closed } = await scene();
  const viewer = open();
  const arrived = arrival();
  const poll = ask(`${viewer.id}/poll?ack=0`);
  await arrived;
  assert.equal((await ask(`${viewer.id}/close`, { method: 'POST' })).status, 204);
  assert.equal((await poll).status, 410);
  assert.deepEqual(closed, ['it closed']);
  assert.equal((await ask(`${viewer.id}/send?n=0`, { method: 'POST', body: '[]' })).status, 410);
});

test('after the end viewers fetch what is left and then hear why', async () => {
  const { open, ask, transport, arrival } = await scene();
  const [late, waiting] = [open(), open()];
  late.send('1');
  const arrived = arrival();
  const poll = ask(`${waiting.id}/poll?ack=0`);
  await arrived;
  transport.finish({ code: 'DEBUGGER_NOT_RUNNING', message: 'it is over' });
  const told = await poll;
  assert.deepEqual([told.status, told.json().code], [410, 'DEBUGGER_NOT_RUNNING']);
  assert.equal((await ask(`${late.id}/send?n=0`, { method: 'POST', body: '[1]' })).status, 410);
  assert.equal((await ask(`${late.id}/poll?ack=0`)).body, '[1]');
  assert.equal((await ask(`${late.id}/poll?ack=1`)).json().message, 'it is over');
});

test('a viewer too many takes the place of one that is away, or is refused', async () => {
  const { transport, ask, arrival, closed, open } = await scene();
  const viewers = Array.from({ length: VIEWERS_MAX }, open);
  assert.notEqual(transport.open(noEvents), null);
  assert.equal(closed.length, 1);
  assert.equal(transport.count, VIEWERS_MAX);
  transport.close('anew');
  for (let count = 0; count < VIEWERS_MAX; count++) {
    const arrived = arrival();
    ask(`${transport.open(noEvents)!.id}/poll?ack=0`).catch(() => {});
    await arrived;
  }
  assert.equal(transport.open(noEvents), null);
  assert.equal(viewers.length, VIEWERS_MAX);
});

test('a viewer that fetches slowly holds up the source, one that does not is dropped', async () => {
  const { open, ask, clock, pressure, closed } = await scene();
  const viewer = open();
  const part = 'x'.repeat(2_097_152);
  for (let count = 0; count < 5; count++) viewer.send(part);
  assert.deepEqual(pressure, [true]);
  assert.equal((await ask(`${viewer.id}/poll?ack=0`)).status, 200);
  for (let ack = 1; ack < 4; ack++) await ask(`${viewer.id}/poll?ack=${ack}`);
  assert.deepEqual(pressure, [true, false]);
  for (let count = 0; count < 5; count++) viewer.send(part);
  assert.deepEqual(pressure, [true, false, true]);
  clock.advance(5000);
  assert.deepEqual(pressure, [true, false, true, false]);
  for (let size = 0; size <= BACKLOG_BYTES_MAX; size += part.length) viewer.send(part);
  assert.match(closed[0]!, /bytes waited/);
});

test('a viewer on a slow line is there for as long as it takes some of an answer', async () => {
  const { open, clock, closed, pressure, port, answering } = await scene();
  const viewer = open();
  const begun = answering();
  const request = httpRequest({ port, host: '127.0.0.1', path: `/${viewer.id}/poll?ack=0`, agent: false });
  cleanups.push(() => request.destroy());
  request.on('error', () => {});
  request.end();
  const answer = await begun;
  const part = 'x'.repeat(POLL_BYTES_MAX * 8);
  viewer.send(`"${part}"`);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  for (let portion = 0; portion < 3; portion++) {
    response.pause();
    clock.advance(VIEWER_AWAY_MS - 1);
    const taken = once(answer, 'drain');
    response.resume();
    await taken;
  }
  assert.deepEqual(closed, []);
  response.pause();
  clock.advance(VIEWER_AWAY_MS);
  assert.equal(closed.length, 1, 'one that takes nothing is away');
  assert.equal(pressure.at(-1), false);
});

test('wrong methods and verbs are told so', async () => {
  const { open, ask } = await scene();
  const { id } = open();
  assert.equal((await ask(`${id}/poll?ack=0`, { method: 'POST' })).status, 405);
  assert.equal((await ask(`${id}/send?n=0`)).status, 405);
  assert.equal((await ask(`${id}/close`)).status, 405);
  assert.equal((await ask(`${id}/other`)).status, 404);
  assert.equal((await ask(`${id}/poll/more?ack=0`)).status, 404);
  assert.equal((await ask(id)).status, 404);
});
