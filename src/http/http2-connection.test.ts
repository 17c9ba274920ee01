import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import * as tls from 'node:tls';
import { CREDIT_WINDOW_BYTES } from '../base/limits.ts';
import { made, madeAuthority } from '../../test/made-certificates.ts';
import type { FrontLimits } from '../base/limits.ts';
import { LINK, type LinkRequest } from '../wire/link-messages.ts';
import type { TlsState } from '../wire/tls-messages.ts';
import { withFront, type FakeProcess, type TestFront } from './front.test.support.ts';

const authority = madeAuthority();
const shop = made('shop.test', { issuer: authority.issuer, names: ['shop.test'] });
const STATE: TlsState = {
  handshake: { minVersion: 'TLSv1.2', ciphers: 'TLS_AES_128_GCM_SHA256', curves: 'X25519', http2: true },
  certificates: [{ names: ['shop.test'], pairs: [shop] }],
  clientTrust: {},
  ticketKeys: Buffer.alloc(48, 7).toString('base64'),
};

interface Http2Front {
  front: TestFront;
  app: FakeProcess;
  session: http2.ClientHttp2Session;
  port: number;
}

function connect(port: number, options: http2.SecureClientSessionOptions = {}): http2.ClientHttp2Session {
  const session = http2.connect(`https://127.0.0.1:${port}`, {
    servername: 'shop.test', ca: authority.cert, ...options,
  });
  session.on('error', () => session.destroy());
  return session;
}

async function withHttp2(
  body: (test: Http2Front) => Promise<void>,
  limits: Partial<FrontLimits> = {},
): Promise<void> {
  await withFront({ limits }, async (front) => {
    front.front.tls(STATE);
    const { port } = await front.front.listen({ port: 0, host: '127.0.0.1' }, 'https://127.0.0.1:0');
    const app = await front.join();
    const session = connect(port);
    try {
      await body({ front, app, session, port });
    } finally {
      session.destroy();
    }
  });
}

interface Http2Answer {
  status: number;
  headers: http2.IncomingHttpHeaders;
  body: string;
  trailers: http2.IncomingHttpHeaders;
}

async function answerOf(stream: http2.ClientHttp2Stream): Promise<Http2Answer> {
  let headers: http2.IncomingHttpHeaders = {};
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on('response', (given) => (headers = given));
  stream.on('trailers', (given) => (trailers = given));
  let body = '';
  for await (const chunk of stream) body += (chunk as Buffer).toString('latin1');
  return { status: Number(headers[':status']), headers, body, trailers };
}

function get(session: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders = {}): http2.ClientHttp2Stream {
  return session.request({ ':path': '/', ':authority': 'shop.test', ...headers });
}

function fieldsOf(request: LinkRequest): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let index = 0; index < request.fields.length; index += 2) {
    fields[request.fields[index]!] = request.fields[index + 1]!;
  }
  return fields;
}

test('HTTP/2 and HTTP/1.1 are served on one socket, as ALPN settles it', async () => {
  await withHttp2(async ({ app, session, port }) => {
    const stream = get(session, { cookie: ['a=1', 'b=2'], 'x-one': '1' });
    const answer = answerOf(stream);
    const { channel, request } = await app.request();
    assert.equal(request.version, 20);
    assert.equal(request.method, 'GET');
    assert.equal(request.origin?.tls?.alpn, 'h2');
    assert.equal(request.ended, true);
    assert.equal(fieldsOf(request)['host'], 'shop.test');
    assert.equal(fieldsOf(request)['cookie'], 'a=1; b=2');
    assert.equal(fieldsOf(request)['x-one'], '1');
    app.answer(channel, 'hello', 'HTTP/1.1 200 OK\r\nX-Two: 2\r\nSet-Cookie: c=3\r\nSet-Cookie: d=4\r\n');
    const { status, headers, body } = await answer;
    assert.equal(status, 200);
    assert.equal(body, 'hello');
    assert.equal(headers['x-two'], '2');
    assert.deepEqual(headers['set-cookie'], ['c=3', 'd=4']);
    assert.equal(headers['connection'], undefined);
    // Server push is not offered.
    assert.equal(session.remoteSettings.enablePush, false);
    const old = tls.connect({
      host: '127.0.0.1', port, servername: 'shop.test', ca: authority.cert, ALPNProtocols: ['http/1.1'],
    });
    old.write('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
    const second = await app.request();
    assert.equal(second.request.version, 11);
    assert.equal(second.request.origin?.tls?.alpn, 'http/1.1');
    app.answer(second.channel, 'x');
    assert.match(String((await once(old, 'data'))[0]), /^HTTP\/1\.1 200 OK/);
    old.destroy();
  });
});

test('streams are served at the same time, and later ones use their channels again', async () => {
  await withHttp2(async ({ app, session }) => {
    const first = answerOf(get(session, { ':path': '/1' }));
    const second = answerOf(get(session, { ':path': '/2' }));
    const one = await app.request();
    const two = await app.request();
    assert.notEqual(one.channel, two.channel);
    app.answer(two.channel, two.request.target);
    assert.equal((await second).body, '/2');
    app.answer(one.channel, one.request.target);
    assert.equal((await first).body, '/1');
    const third = answerOf(get(session, { ':path': '/3' }));
    const three = await app.request();
    assert.ok([one.channel, two.channel].includes(three.channel));
    assert.equal(three.request.origin, undefined);
    app.answer(three.channel, 'x');
    assert.equal((await third).status, 200);
  });
});

test('bodies and trailers go both ways, and a body without a length says that there is one', async () => {
  await withHttp2(async ({ app, session }) => {
    const stream = session.request(
      { ':path': '/', ':method': 'POST', ':authority': 'shop.test' }, { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }));
    const answer = answerOf(stream);
    stream.write('hello ');
    stream.end('world');
    const { channel, request } = await app.request();
    assert.equal(fieldsOf(request)['transfer-encoding'], 'chunked');
    assert.deepEqual(await app.body(channel), { text: 'hello world', trailers: ['x-sum', '7'] });
    app.data(channel, 'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nTrailer: x-end\r\n\r\n3\r\nabc\r\n');
    app.data(channel, '0\r\nX-End: yes\r\n\r\n');
    app.end(channel);
    const { status, headers, body, trailers } = await answer;
    assert.equal(status, 201);
    assert.equal(headers['transfer-encoding'], undefined);
    assert.equal(body, 'abc');
    assert.equal(trailers['x-end'], 'yes');
  });
});

test('a slow reader and a slow app stop the other side', async () => {
  await withHttp2(async ({ app, session }) => {
    app.givesCredit = false;
    const stream = session.request({ ':path': '/', ':method': 'POST', ':authority': 'shop.test' });
    const big = Buffer.alloc(3_000_000, 'x');
    stream.end(big);
    const { channel } = await app.request();
    let received = 0;
    while (received < CREDIT_WINDOW_BYTES) {
      const frame = await app.frames.next((next) => next.type === LINK.DATA);
      received += frame.payload.length;
    }
    assert.equal(received, CREDIT_WINDOW_BYTES);
    assert.deepEqual(app.frames.rest.filter((frame) => frame.type === LINK.DATA), []);
    app.givesCredit = true;
    app.writer.number(LINK.CREDIT, channel, received);
    const { text } = await app.body(channel);
    assert.equal(text.length + received, big.length);
    app.data(channel, `HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\n\r\n`);
    let sent = 0;
    const send = (bytes: number): void => {
      for (let left = bytes; left > 0; left -= 65_536) app.data(channel, big.subarray(0, Math.min(left, 65_536)));
      sent += bytes;
    };
    const answer = answerOf(stream);
    send((CREDIT_WINDOW_BYTES * 3) / 4);
    while (sent < big.length) {
      const credit = await app.frames.next((next) => next.type === LINK.CREDIT && next.channel === channel);
      send(Math.min(credit.payload.readUInt32BE(0), big.length - sent));
    }
    app.end(channel);
    assert.equal((await answer).body.length, big.length);
  });
});

test('a client that resets a stream tells the app, and its connection goes on', async () => {
  await withHttp2(async ({ app, session }) => {
    const stream = get(session);
    stream.on('error', () => stream.destroy());
    const { channel } = await app.request();
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await app.frames.next((frame) => frame.channel === channel && frame.type === LINK.RESET);
    const answer = answerOf(get(session));
    const next = await app.request();
    assert.notEqual(next.channel, channel);
    app.answer(next.channel, 'on');
    assert.equal((await answer).body, 'on');
  });
});

test('an app that breaks off in its answer resets the stream', async () => {
  await withHttp2(async ({ app, session }) => {
    const stream = get(session);
    const { channel } = await app.request();
    app.data(channel, 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
    stream.resume();
    await once(stream, 'response');
    app.writer.number(LINK.RESET, channel, 2);
    const [error] = await once(stream, 'error');
    assert.match(String(error), /INTERNAL_ERROR/);
  });
});

test('an answer that HTTP/2 has no room for costs its stream at most', async () => {
  await withHttp2(async ({ app, session }) => {
    const high = answerOf(get(session));
    const first = await app.request();
    app.answer(first.channel, 'x', 'HTTP/1.1 799 Odd\r\nConnection: upgrade\r\nUpgrade: x\r\n');
    assert.equal((await high).status, 599);
    const twice = get(session);
    twice.on('error', () => twice.destroy());
    const closed = new Promise((resolve) => twice.once('close', resolve));
    const second = await app.request();
    app.answer(second.channel, 'x', 'HTTP/1.1 200 OK\r\nUser-Agent: a\r\nUser-Agent: b\r\n');
    twice.resume();
    await closed;
    const after = answerOf(get(session));
    const third = await app.request();
    app.answer(third.channel, 'fine');
    assert.equal((await after).body, 'fine');
  });
});

test('what HTTP/1.1 refuses is refused here, with the same status', async () => {
  await withHttp2(async ({ session }) => {
    const status = async (headers: http2.OutgoingHttpHeaders): Promise<number> =>
      (await answerOf(get(session, headers))).status;
    assert.equal(await status({ ':path': '/a%00' }), 400);
    assert.equal(await status({ ':path': `/${'x'.repeat(2000)}` }), 414);
    assert.equal(await status({ 'x-big': 'x'.repeat(5000) }), 431);
    assert.equal(await status({ 'x_forwarded_for': '1' }), 400);
    assert.equal(await status({ host: 'other.test' }), 400);
    const socket = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https', ':path': '/' };
    assert.equal(await status({ ...socket, 'content-length': '5' }), 400);
  }, { headBytesMax: 4096, targetBytesMax: 1024 });
});

test('a WebSocket over HTTP/2 is an upgrade for the app', async () => {
  await withHttp2(async ({ app, session }) => {
    await once(session, 'remoteSettings');
    assert.equal(session.remoteSettings.enableConnectProtocol, true);
    const stream = session.request({
      ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https', ':path': '/chat',
      ':authority': 'shop.test', 'sec-websocket-version': '13',
    });
    const { channel, request } = await app.request();
    const fields = fieldsOf(request);
    assert.equal(request.method, 'GET');
    assert.equal(request.upgrade, true);
    assert.equal(fields['upgrade'], 'websocket');
    assert.equal(Buffer.from(fields['sec-websocket-key']!, 'base64').length, 16);
    app.data(channel, 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi');
    const [headers] = await once(stream, 'response') as [http2.IncomingHttpHeaders];
    assert.equal(headers[':status'], 200);
    assert.equal(headers['upgrade'], undefined);
    assert.equal(String((await once(stream, 'data'))[0]), 'hi');
    stream.write('ping');
    const frame = await app.frames.next((next) => next.channel === channel && next.type === LINK.DATA);
    assert.equal(frame.payload.toString(), 'ping');
    stream.end();
    await app.frames.next((next) => next.channel === channel && next.type === LINK.END);
    app.data(channel, 'bye');
    app.end(channel);
    assert.equal(String((await once(stream, 'data'))[0]), 'bye');
    stream.resume();
    await once(stream, 'close');
  });
});

test('draining says GOAWAY, answers what is under way and closes', async () => {
  await withHttp2(async ({ front, app, session }) => {
    const answer = answerOf(get(session));
    const { channel } = await app.request();
    const goaway = once(session, 'goaway');
    const closed = once(session, 'close');
    const drained = front.front.drain(60_000);
    await goaway;
    app.answer(channel, 'last');
    assert.equal((await answer).body, 'last');
    await closed;
    await drained;
  });
});

test('an idle connection is closed, and one with a stream is not', async () => {
  await withHttp2(async ({ front, app, session }) => {
    const answer = answerOf(get(session));
    const { channel } = await app.request();
    front.pass(3000);
    app.answer(channel, 'x');
    assert.equal((await answer).status, 200);
    const closed = once(session, 'close');
    front.pass(3000);
    await closed;
    await front.front.drain(60_000);
  }, { keepAliveTimeoutMs: 3000 });
});

test('resets of requests under way, pings and settings end a connection when there are too many', async () => {
  const floods: Record<string, (session: http2.ClientHttp2Session) => void> = {
    resets(session) {
      const stream = get(session);
      stream.on('error', () => stream.destroy());
      setImmediate(() => stream.close(http2.constants.NGHTTP2_CANCEL));
    },
    pings: (session) => session.ping(() => {}),
    settings: (session) => session.settings({ initialWindowSize: 65_535 }),
  };
  for (const [what, nuisance] of Object.entries(floods)) {
    await withHttp2(async ({ session, port, app }) => {
      await once(session, 'connect');
      const closed = new Promise((resolve) => session.once('close', resolve));
      let count = 0;
      const again = (): void => {
        if (session.destroyed || session.closed) return;
        assert.ok(count < 500, what);
        count += 1;
        nuisance(session);
        setImmediate(again);
      };
      again();
      await closed;
      const other = connect(port);
      const answer = answerOf(get(other, { ':path': '/after' }));
      let last = await app.request();
      while (last.request.target !== '/after') last = await app.request();
      app.answer(last.channel, 'fine');
      assert.equal((await answer).body, 'fine');
      other.destroy();
    }, { http2NuisancesMax: 20 });
  }
});
