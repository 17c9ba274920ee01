import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import net from 'node:net';
import { pipeline } from 'node:stream';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { CREDIT_WINDOW_BYTES } from '../base/limits.ts';
import { RESET_REASON } from '../wire/link-messages.ts';
import { isLocalRequest } from './client.ts';
import { serve } from './served-app.test.ts';

const POST = { method: 'POST', ended: false };

/** Reads a request whole. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) text += piece;
  return text;
}

function sized(size: number): { fields: string[] } {
  return { fields: ['Host', 'app.test', 'Content-Length', String(size)] };
}

test('an exchange reaches the handler as node would hand it over', async (t) => {
  const { link } = await serve(t, (request, response) => {
    assert.ok(request instanceof http.IncomingMessage);
    assert.ok(response instanceof http.ServerResponse);
    assert.ok(request.socket instanceof net.Socket);
    const { method, url, httpVersion, rawHeaders, headers } = request;
    response.end(JSON.stringify({ method, url, httpVersion, rawHeaders, headers }));
  });
  const fields = ['Host', 'app.test', 'X-One', '1', 'x-one', '2', 'Cookie', 'a', 'cookie', 'b'];
  const answer = await link.open().request({ target: '/a%20b?c', fields }).answer();
  assert.equal(answer.statusLine, 'HTTP/1.1 200 OK');
  assert.deepEqual(JSON.parse(answer.body), {
    method: 'GET',
    url: '/a%20b?c',
    httpVersion: '1.1',
    rawHeaders: fields,
    headers: { host: 'app.test', 'x-one': '1, 2', cookie: 'a; b' },
  });
});

test('exchanges of a channel share a socket, and the server hears of one connection', async (t) => {
  const sockets = new Set<unknown>();
  let connections = 0;
  const { link, server } = await serve(t, (request, response) => {
    sockets.add(request.socket);
    response.end('x');
  });
  server.on('connection', () => (connections += 1));
  const channel = link.open();
  for (let index = 0; index < 3; index++) await channel.request().answer();
  assert.equal(sockets.size, 1);
  assert.equal(connections, 1);
  const count = await new Promise((resolve) => server.getConnections((_, found) => resolve(found)));
  assert.equal(count, 1);
});

test('a response may be written in every way that node has', async (t) => {
  const { link } = await serve(t, (request, response) => {
    switch (request.url) {
      case '/array':
        response.writeHead(201, 'Made', ['X-A', '1', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']);
        return void response.end();
      case '/chunks':
        response.write('grüße ');
        response.write(Buffer.alloc(70_000, 'x'));
        response.write('68656c6c6f', 'hex');
        return void response.end(new Uint8Array([0x21]));
      case '/latin1':
        response.setHeader('Content-Length', 2);
        return void response.end('äö', 'latin1');
      case '/hints':
        response.writeEarlyHints({ link: '</a.css>; rel=preload' });
        return void response.end('late');
      case '/nothing':
        response.statusCode = 204;
        return void response.end();
      case '/unchanged':
        response.writeHead(304, { ETag: '"1"' });
        return void response.end();
      default:
        return void response.end('body');
    }
  });
  const channel = link.open();
  const array = await channel.request({ target: '/array' }).answer();
  assert.equal(array.statusLine, 'HTTP/1.1 201 Made');
  assert.equal(array.fields['set-cookie'], 'a=1, b=2');
  const chunks = await channel.request({ target: '/chunks' }).answer();
  const text = Buffer.from(chunks.body, 'latin1').toString('utf8');
  assert.equal(text, `grüße ${'x'.repeat(70_000)}hello!`);
  assert.equal((await channel.request({ target: '/latin1' }).answer()).body, 'äö');
  const hints = await channel.request({ target: '/hints' }).answer();
  assert.match(hints.interim[0]!, /^HTTP\/1.1 103 Early Hints\r\nLink: <\/a.css>; rel=preload/);
  assert.equal(hints.body, 'late');
  assert.equal((await channel.request({ target: '/nothing' }).answer()).body, '');
  assert.equal((await channel.request({ target: '/unchanged' }).answer()).fields['etag'], '"1"');
  const head = await channel.request({ method: 'HEAD' }).answer();
  assert.equal(head.body, '');
});

test('a request body streams in, with its trailers', async (t) => {
  const { link } = await serve(t, async (request, response) => {
    const body = await bodyOf(request);
    assert.equal(request.complete, true);
    response.end(`${body} ${JSON.stringify(request.trailers)} ${request.rawTrailers.length}`);
  });
  const channel = link.open();
  for (const word of ['first', 'second']) {
    channel.request(POST);
    for (const letter of word) await channel.send(Buffer.from(letter));
    channel.end(['X-Sum', '7']);
    assert.equal((await channel.answer()).body, `${word} {"x-sum":"7"} 2`);
  }
});

test('trailers of a response go out behind the last chunk', async (t) => {
  const { link } = await serve(t, (_, response) => {
    response.writeHead(200, { Trailer: 'X-Sum' });
    response.write('abc');
    response.addTrailers({ 'X-Sum': '3' });
    response.end();
  });
  const answer = await link.open().request().answer();
  assert.equal(answer.body, 'abc');
  assert.equal(answer.trailers, 'X-Sum: 3\r\n');
});

test('expectations are node own business', async (t) => {
  const fields = (value: string): string[] => ['Host', 'a', 'Expect', value, 'Content-Length', '2'];
  const { link, server } = await serve(t, async (request, response) => {
    response.end(await bodyOf(request));
  });
  const channel = link.open().request({ ...POST, fields: fields('100-continue') });
  await channel.until(() => channel.text.includes('100 Continue\r\n\r\n'));
  await channel.send(Buffer.from('ok'));
  channel.end();
  const answer = await channel.answer();
  assert.equal(answer.interim.length, 1);
  assert.equal(answer.body, 'ok');
  const refused = await link.open().request({ ...POST, fields: fields('wonders') }).answer();
  assert.equal(refused.status, 417);
  server.on('checkContinue', (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(413).end();
  });
  const checked = link.open().request({ ...POST, fields: fields('100-continue') });
  assert.equal((await checked.answer()).status, 413);
  await checked.until(() => checked.closes === 1);
});

test('a body that the app does not read stays within the window', async (t) => {
  let incoming: IncomingMessage | undefined;
  const { link } = await serve(t, (request) => {
    incoming = request;
    request.on('readable', () => {});
  });
  const channel = link.open().request(POST);
  const sent = channel.send(Buffer.alloc(CREDIT_WINDOW_BYTES + 1000, 'x'));
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (incoming?.readableLength === CREDIT_WINDOW_BYTES) resolve();
      else setImmediate(look);
    };
    look();
  });
  assert.equal(channel.creditGiven, 0);
  incoming!.removeAllListeners('readable');
  incoming!.resume();
  await sent;
  channel.close();
});

test('credit is conserved over the exchanges of a channel', async (t) => {
  const { link } = await serve(t, (request, response) => {
    request.resume();
    request.on('end', () => response.end('x'));
  });
  const channel = link.open();
  const size = 100_000;
  for (let index = 0; index < 12; index++) {
    channel.request({ ...POST, ...sized(size) });
    await channel.send(Buffer.alloc(size));
    channel.end();
    await channel.answer();
  }
  assert.ok(channel.creditGiven >= 12 * size - CREDIT_WINDOW_BYTES);
  assert.ok(channel.creditGiven <= 12 * size);
});

test('an early answer to an unread body ends the exchange at once', async (t) => {
  const { link } = await serve(t, (_, response) => response.end('no'));
  const channel = link.open();
  for (let index = 0; index < 4; index++) {
    channel.request({ ...POST, ...sized(1_000_000) });
    await channel.send(Buffer.alloc(100_000));
    assert.equal((await channel.answer()).body, 'no');
  }
  assert.deepEqual(channel.resets, []);
});

test('an app that answers first and reads on gets the whole body', async (t) => {
  let done: (text: string) => void;
  const read = new Promise<string>((resolve) => (done = resolve));
  const { link } = await serve(t, async (request, response) => {
    response.end('accepted');
    done(await bodyOf(request));
  });
  const channel = link.open().request(POST);
  await channel.until(() => channel.text.endsWith('accepted'));
  assert.equal(channel.ends, 0);
  await channel.send(Buffer.from('all of it'));
  channel.end();
  assert.equal(await read, 'all of it');
  assert.equal((await channel.answer()).body, 'accepted');
});

test('a client that goes away aborts the request and closes the response', async (t) => {
  const heard: string[] = [];
  let closed: () => void;
  const over = new Promise<void>((resolve) => (closed = resolve));
  const { link } = await serve(t, (request, response) => {
    request.on('aborted', () => heard.push('aborted'));
    request.on('error', (error: NodeJS.ErrnoException) => heard.push(`${error.code} ${error.message}`));
    response.on('close', () => heard.push(`close ${response.writableFinished}`));
    request.socket.on('close', () => setImmediate(closed));
    request.resume();
  });
  const channel = link.open().request(POST);
  await channel.send(Buffer.from('half'));
  channel.close();
  await over;
  assert.deepEqual(heard.sort(), ['ECONNRESET aborted', 'aborted', 'close false']);
  assert.equal(channel.isOver, false);
});

test('destroying the request, the response or the socket resets the exchange', async (t) => {
  const { link } = await serve(t, (request, response) => {
    if (request.url === '/request') request.destroy();
    else if (request.url === '/response') response.destroy();
    else request.socket.destroy();
  });
  for (const target of ['/request', '/response', '/socket']) {
    const channel = link.open().request({ target });
    await channel.until(() => channel.isOver);
    assert.deepEqual(channel.resets, [RESET_REASON.APP_ABORTED]);
  }
});

test('a response beyond the credit waits, says so and drains', async (t) => {
  const size = 3 * CREDIT_WINDOW_BYTES;
  let response: ServerResponse;
  const { link } = await serve(t, (_, made) => {
    response = made;
    made.writeHead(200, { 'Content-Length': size });
    assert.equal(made.write(Buffer.alloc(size - 1, 'x')), false);
    assert.ok(made.writableLength > CREDIT_WINDOW_BYTES);
    made.once('drain', () => made.end('!'));
  });
  const channel = link.open();
  channel.isSlow = true;
  channel.request();
  await channel.until(() => channel.receivedBytes >= CREDIT_WINDOW_BYTES);
  assert.equal(channel.receivedBytes, CREDIT_WINDOW_BYTES);
  assert.equal(response!.writableNeedDrain, true);
  channel.isSlow = false;
  channel.giveCredit(CREDIT_WINDOW_BYTES);
  const answer = await channel.answer();
  assert.equal(answer.body.length, size);
  assert.ok(answer.body.endsWith('x!'));
});

test('an echo longer than both windows ends, whatever frames come together', async (t) => {
  const { link } = await serve(t, (request, response) => request.pipe(response));
  const channel = link.open();
  for (const size of [300_000, 600_000, 2_000_000]) {
    channel.request({ ...POST, ...sized(size) });
    await channel.send(Buffer.alloc(size, 'e'));
    channel.end();
    assert.equal((await channel.answer()).body.length, size);
  }
});

test('a stream piped into the response arrives whole', async (t) => {
  const pieces = Array.from({ length: 40 }, (_, index) => Buffer.alloc(30_000, index));
  const { link } = await serve(t, (_, response) => {
    pipeline(Readable.from(pieces), response, (error) => assert.equal(error, undefined));
  });
  const answer = await link.open().request().answer();
  assert.equal(answer.body, Buffer.concat(pieces).toString('latin1'));
});

test('a buffer belongs to the app again only in its callback', async (t) => {
  const { link } = await serve(t, (_, response) => {
    const buffer = Buffer.alloc(50_000, 'a');
    response.write(buffer, () => {
      buffer.fill('b');
      response.end(buffer);
    });
  });
  const { body } = await link.open().request().answer();
  assert.equal(body, 'a'.repeat(50_000) + 'b'.repeat(50_000));
});

test('connection close of the app or the client ends the connection behind the response', async (t) => {
  const { link } = await serve(t, (request, response) => {
    if (request.url === '/app') response.setHeader('Connection', 'close');
    response.end('bye');
  });
  const byApp = link.open().request({ target: '/app' });
  assert.equal((await byApp.answer()).body, 'bye');
  await byApp.until(() => byApp.closes === 1);
  const byClient = link.open().request({ fields: ['Host', 'a', 'Connection', 'x, Close'] });
  assert.equal((await byClient.answer()).fields['connection'], 'close');
  await byClient.until(() => byClient.closes === 1);
});

test('an HTTP/1.0 client gets no chunks', async (t) => {
  const { link } = await serve(t, (request, response) => {
    response.write(request.httpVersion);
    response.end('!');
  });
  const channel = link.open().request({ version: 10, fields: [] });
  const answer = await channel.answer();
  assert.equal(answer.fields['transfer-encoding'], undefined);
  assert.equal(answer.body, '1.0!');
  await channel.until(() => channel.closes === 1);
});

test('limits of the server are node own business', async (t) => {
  const { link, server } = await serve(t, (request, response) => {
    response.end(String(request.rawHeaders.length));
  });
  server.maxRequestsPerSocket = 1;
  server.maxHeadersCount = 2;
  let dropped = 0;
  server.on('dropRequest', () => (dropped += 1));
  const channel = link.open();
  const fields = ['Host', 'a', 'X-B', 'b', 'X-C', 'c'];
  const first = await channel.request({ fields }).answer();
  assert.equal(first.fields['connection'], 'close');
  assert.equal(dropped, 0);
  server.maxConnections = 0;
  const refused = link.open().request();
  await refused.until(() => refused.isOver);
  assert.deepEqual(refused.resets, [RESET_REASON.NO_SERVER]);
});

test('server.timeout ends a quiet exchange, not an idle channel', async (t) => {
  const { link, server } = await serve(t, (request, response) => {
    if (request.url === '/quick') response.end('quick');
  });
  server.timeout = 20;
  server.keepAliveTimeout = 1;
  const channel = link.open();
  await channel.request({ target: '/quick' }).answer();
  const [socket] = await Promise.all([once(server, 'timeout'), channel.request({ target: '/slow' })]);
  assert.equal(socket[0].channel, channel.id);
  server.closeAllConnections();
  await channel.until(() => channel.isOver);
  assert.deepEqual(channel.resets, [RESET_REASON.APP_ABORTED]);
});

test('a body that takes longer than requestTimeout is answered with 408', async (t) => {
  const { link, server } = await serve(t, () => {}, { requestTimeout: 20, connectionsCheckingInterval: 5 });
  const channel = link.open().request({ method: 'POST', ended: false });
  await channel.send(Buffer.from('some'));
  await channel.until(() => channel.closes === 1);
  assert.match(channel.text, /^HTTP\/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n$/);
  assert.equal(channel.ends, 1);
  assert.deepEqual(channel.resets, []);
  const errors: (string | undefined)[] = [];
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    errors.push(error.code);
    socket.end('HTTP/1.1 408 Slow\r\nContent-Length: 0\r\n\r\n');
  });
  const second = link.open().request({ method: 'POST', ended: false });
  await second.until(() => second.closes === 1);
  assert.match(second.text, /^HTTP\/1.1 408 Slow/);
  assert.deepEqual(errors, ['ERR_HTTP_REQUEST_TIMEOUT']);
});

test('AsyncLocalStorage does not leak from one exchange into another', async (t) => {
  const storage = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  const { link } = await serve(t, (request, response) => {
    seen.push(storage.getStore());
    storage.enterWith(request.url!);
    setImmediate(() => response.end(storage.getStore()));
  });
  const channels = Array.from({ length: 5 }, () => link.open());
  const answers = channels.map((channel, index) => channel.request({ target: `/${index}` }).answer());
  const bodies = (await Promise.all(answers)).map((answer) => answer.body);
  assert.deepEqual(bodies, ['/0', '/1', '/2', '/3', '/4']);
  assert.deepEqual(seen, Array.from({ length: 5 }, () => undefined));
});

test('diagnostics channels report what node reports', async (t) => {
  const heard: string[] = [];
  const onStart = (): void => void heard.push('start');
  const onFinish = (): void => void heard.push('finish');
  diagnostics.subscribe('http.server.request.start', onStart);
  diagnostics.subscribe('http.server.response.finish', onFinish);
  t.after(() => {
    diagnostics.unsubscribe('http.server.request.start', onStart);
    diagnostics.unsubscribe('http.server.response.finish', onFinish);
  });
  const { link } = await serve(t, (_, response) => response.end());
  await link.open().request().answer();
  assert.deepEqual(heard, ['start', 'finish']);
});

test('classes given to createServer are used', async (t) => {
  class Mine extends http.IncomingMessage {}
  class Answer extends http.ServerResponse {}
  const { link } = await serve(
    t,
    (request, response) => {
      response.end(`${request instanceof Mine} ${response instanceof Answer}`);
    },
    { IncomingMessage: Mine, ServerResponse: Answer as never },
  );
  assert.equal((await link.open().request().answer()).body, 'true true');
});

test('isLocalRequest repeats what the front judged', async (t) => {
  const { link } = await serve(t, (request, response) => response.end(String(isLocalRequest(request))));
  const channel = link.open();
  assert.equal((await channel.request({ local: true }).answer()).body, 'true');
  assert.equal((await channel.request({ local: false }).answer()).body, 'false');
});

test('a request on a channel that the app gave up is reset', async (t) => {
  const { link, server } = await serve(t, (_, response) => response.end('x'));
  const channel = link.open();
  await channel.request().answer();
  server.closeIdleConnections();
  await channel.until(() => channel.resets.length === 1);
  channel.request();
  await channel.until(() => channel.resets.length === 2);
  assert.deepEqual(channel.resets, [RESET_REASON.NO_SERVER, RESET_REASON.NO_SERVER]);
  assert.equal((await link.open().request().answer()).body, 'x');
});

test('a socket of other origin still reaches the server', async (t) => {
  const { server } = await serve(t, (_, response) => response.end('direct'));
  const outside = net.createServer((socket) => server.emit('connection', socket)).listen(0, '127.0.0.1');
  t.after(() => outside.close());
  await once(outside, 'listening');
  const client = net.connect((outside.address() as net.AddressInfo).port, '127.0.0.1');
  client.end('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  let text = '';
  for await (const piece of client) text += piece;
  assert.match(text, /direct/);
});
