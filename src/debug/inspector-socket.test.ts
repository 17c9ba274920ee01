// The connection to a Node inspector: what is never sent on it, and how messages pass.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { systemClock } from '../base/clock.ts';
import { dialInspector } from './inspector-socket.ts';

test('only whole frames of text go to the inspector: it would drop the connection at anything else', async (t) => {
  const list = JSON.stringify([{ id: 'a-1', title: 't', url: 'file:///x' }]);
  const server = createServer((_request, response) => response.end(list));
  const sockets = new WebSocketServer({ server });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    sockets.close();
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const connected = once(sockets, 'connection') as Promise<[WebSocket]>;
  const dialed = dialInspector({ port, retries: 1, retryDelayMs: 1, clock: systemClock });
  const [near] = await connected;
  const raw: Buffer[] = [];
  // What is on the wire, before anything reads frames from it.
  (near as unknown as { _socket: NodeJS.ReadableStream })._socket.on('data', (chunk: Buffer) => raw.push(chunk));
  const { transport } = await dialed;
  t.after(() => transport.close());
  const heard: string[] = [];
  transport.listen({ onMessage: (text) => heard.push(text), onEnd: () => {} });

  near.ping('are you there');
  near.send('{"first":1}');
  const large = JSON.stringify({ text: 'x'.repeat(1_000_000) });
  const taken = once(near, 'message') as Promise<[Buffer, boolean]>;
  while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve));
  transport.send(large);
  const [data, isBinary] = await taken;
  assert.equal(data.toString(), large);
  assert.equal(isBinary, false);
  assert.deepEqual(heard, ['{"first":1}']);
  assert.equal(near.extensions, '', 'no compression');
  // RFC 6455 5.2: the first frame is the only one: final, text; no pong was before it, no part follows it.
  assert.equal(Buffer.concat(raw)[0], 0x81);
});
