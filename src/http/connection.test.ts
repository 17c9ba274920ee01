import { mock, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { CREDIT_WINDOW_BYTES } from '../base/limits.ts';
import { LINK } from '../wire/link-messages.ts';
import { PROBES_MS } from './client-probe.ts';
import { HELD_BYTES_MAX } from './connection.ts';
import { HALF_CLOSED_MS, LINGER_MS } from './connection-deadlines.ts';
import { withFront } from './front.test.support.ts';

const POST = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n';

test('pipelined requests are answered in their order, one at a time', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    const paths = ['/a', '/b', '/c'];
    browser.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(''));
    for (const path of paths) {
      const { channel, request } = await app.request();
      assert.equal(request.target, path);
      assert.deepEqual(app.frames.rest, []);
      app.answer(channel, path);
      assert.match(await browser.until(`\r\n\r\n${path}`), /^HTTP\/1.1 200/);
    }
  }));

test('thousands of pipelined requests that the front answers itself are all answered', () =>
  withFront({ routes: [] }, async ({ client }) => {
    const browser = client();
    const count = 5000;
    browser.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(count - 1));
    browser.get('/', 'Connection: close\r\n');
    const answers = (await browser.rest()).split('HTTP/1.1 400').length - 1;
    assert.equal(answers, count);
  }));

test('pipelined requests behind one under way are read ahead up to a bound', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/first');
    const { channel } = await app.request();
    const request = 'GET /more HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const count = Math.ceil((HELD_BYTES_MAX * 40) / request.length);
    browser.write(request.repeat(count));
    app.onRequest = (on) => app.answer(on, '.');
    app.answer(channel, '.');
    for (let answers = 0; answers < count + 1; answers += 1) await browser.until('\r\n\r\n.');
  }));

test('the system watches clients that stay, from their first tick on', () =>
  withFront({}, async ({ join, client, clock }) => {
    const app = await join();
    const watch = mock.method(net.Socket.prototype, 'setKeepAlive');
    try {
      const browser = client();
      browser.get('/');
      app.answer((await app.request()).channel, 'a');
      await browser.until('\r\n\r\na');
      assert.equal(watch.mock.callCount(), 0);
      clock.advance(2000);
      assert.deepEqual(watch.mock.calls.map((call) => call.arguments), [[true, 60_000]]);
    } finally {
      watch.mock.restore();
    }
  }));

test('a head that comes byte by byte is served', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    for (const byte of 'GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n') {
      browser.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { channel, request } = await app.request();
    assert.equal(request.target, '/slow');
    app.answer(channel, 'ok');
    await browser.until('ok');
  }));

test('a head that takes longer than headTimeoutMs gets 408', () =>
  withFront({ limits: { headTimeoutMs: 10_000 } }, async ({ client, clock, front }) => {
    const browser = client();
    const text = 'GET / HTTP/1.1\r\nHost: localhost\r\n';
    for (let index = 0; index < 14; index++) {
      browser.write(text[index]!);
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(1000);
    }
    assert.match(await browser.rest(), /^HTTP\/1.1 408 .*Connection: close/s);
    assert.equal(front.report().connections, 1);
    browser.socket.end();
    await browser.closed;
  }));

test('a connection without a request, or between two, is closed after keepAliveTimeoutMs', () =>
  withFront({ limits: { keepAliveTimeoutMs: 5000 } }, async ({ join, client, clock, pass }) => {
    const app = await join();
    const [silent, idle] = [client(), client()];
    await once(silent.socket, 'connect');
    idle.get('/');
    const { channel } = await app.request();
    clock.advance(20_000);
    assert.equal(await silent.rest(), '');
    app.answer(channel, 'ok');
    await idle.until('ok');
    pass(5000);
    assert.equal(await idle.rest(), '');
    idle.socket.end();
    await app.frame(LINK.CLOSE, channel);
  }));

test('a body that stops coming gets 408, and the app hears of it', () =>
  withFront({ limits: { bodyIdleTimeoutMs: 5000, bodyRateMin: 0 } }, async ({ join, client, pass }) => {
    const app = await join();
    const browser = client();
    browser.write(`${POST}abc`);
    const { channel } = await app.request();
    await app.frame(LINK.DATA, channel);
    pass(5000);
    assert.match(await browser.rest(), /^HTTP\/1.1 408 .*REQUEST_TIMED_OUT/s);
    await app.frame(LINK.RESET, channel);
  }));

test('a body that trickles below bodyRateMin gets 408', () =>
  withFront({ limits: { bodyRateMin: 100 } }, async ({ join, client, clock }) => {
    const app = await join();
    const browser = client();
    browser.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n');
    const { channel } = await app.request();
    for (let second = 0; second < 12; second++) {
      browser.write('x');
      if (second < 10) await app.frame(LINK.DATA, channel);
      clock.advance(1000);
    }
    assert.match(await browser.rest(), /^HTTP\/1.1 408/);
  }));

test('a body over bodyBytesMax gets 413, told or counted', () =>
  withFront({ limits: { bodyBytesMax: 9 } }, async ({ join, client }) => {
    const app = await join();
    const told = client();
    told.write(POST);
    assert.match(await told.until('REQUEST_BODY_TOO_LARGE'), /^HTTP\/1.1 413/);
    const counted = client();
    counted.write('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n');
    const { channel } = await app.request();
    await app.frame(LINK.DATA, channel);
    counted.write('5\r\nabcde\r\n');
    assert.match(await counted.rest(), /^HTTP\/1.1 413 .*Connection: close/s);
    await app.frame(LINK.RESET, channel);
    assert.deepEqual(app.frames.rest, []);
  }));

test('a wrong chunk gets 400, or cuts an answer that has begun', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const head = 'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
    const browser = client();
    browser.write(`${head}zz\r\n`);
    assert.match(await browser.rest(), /^HTTP\/1.1 400 /);
    const second = client();
    await app.request();
    second.write(head);
    const { channel } = await app.request();
    app.data(channel, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab');
    await second.until('ab');
    second.write('zz\r\n');
    assert.equal(await second.closed, 'reset');
  }));

test('a malformed request gets its status and a closed connection, nothing else is read', () =>
  withFront({}, async ({ client }) => {
    const cases: [string, number][] = [
      ['GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n', 400],
      ['GET / HTTP/3.0\r\nHost: x\r\n\r\n', 505],
      [`GET /${'a'.repeat(20_000)} HTTP/1.1\r\n`, 414],
      [`GET / HTTP/1.1\r\nX: ${'a'.repeat(70_000)}`, 431],
      ['GET /a\\b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 400],
    ];
    for (const [text, status] of cases) {
      const browser = client();
      browser.write(text);
      const answer = await browser.rest();
      assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
      assert.match(answer, /\r\nConnection: close\r\n/);
      assert.equal(answer.split('HTTP/1.1 ').length, 2);
      browser.socket.end();
      assert.equal(await browser.closed, 'end');
    }
  }));

test('a client that sends on behind an error can read the answer; after LINGER_MS it is cut', () =>
  withFront({}, async ({ client, pass, front }) => {
    const browser = client();
    browser.write('BAD\r\n\r\n');
    browser.write('x'.repeat(100_000));
    assert.match(await browser.rest(), /^HTTP\/1.1 400/);
    assert.equal(front.report().connections, 1);
    while (front.report().connections > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      pass(LINGER_MS);
    }
  }));

test('a client that ends its half behind its request gets its answer', () =>
  withFront({}, async ({ join, client, clock }) => {
    const app = await join();
    const browser = client();
    browser.get('/');
    browser.socket.end();
    const { channel } = await app.request();
    clock.advance(PROBES_MS[0]! - 1);
    app.answer(channel, 'answer');
    assert.match(await browser.rest(), /^HTTP\/1.1 200 .*answer$/s);
    assert.equal(await browser.closed, 'end');
    await app.frame(LINK.CLOSE, channel);
  }));

test('a client that ends its half and waits gets probes that change nothing', () =>
  withFront({}, async ({ join, client, clock }) => {
    const app = await join();
    const browser = client();
    browser.socket.end('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const { channel } = await app.request();
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(PROBES_MS[0]!);
    assert.equal(await browser.until('\r\n\r\n'), 'HTTP/1.1 102 Processing\r\n\r\n');
    app.data(channel, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n');
    await browser.until('ab\r\n');
    clock.advance(PROBES_MS[1]!);
    await browser.bytes(1);
    app.data(channel, '2\r\ncd\r\n0\r\n\r\n');
    app.end(channel);
    assert.equal(await browser.rest(), '02\r\ncd\r\n0\r\n\r\n');
  }));

test('a client that hangs up while it waits is found out by a probe', () =>
  withFront({}, async ({ join, client, clock }) => {
    const app = await join();
    const browser = client();
    browser.get('/');
    const { channel } = await app.request();
    browser.socket.destroy();
    await browser.closed;
    const gone = app.frame(LINK.RESET, channel);
    const fate = { isGone: false };
    void gone.then(() => { fate.isGone = true; });
    for (let turn = 0; turn < 1000 && !fate.isGone; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (turn % 10 === 9) clock.advance(10);
    }
    await gone;
  }));

test('a half-closed client that cannot be probed is cut after HALF_CLOSED_MS', () =>
  withFront({}, async ({ join, client, pass }) => {
    const app = await join();
    const browser = client();
    browser.socket.end('GET / HTTP/1.0\r\n\r\n');
    const { channel } = await app.request();
    await new Promise((resolve) => setImmediate(resolve));
    pass(HALF_CLOSED_MS + 1000);
    await app.frame(LINK.RESET, channel);
    assert.equal(await browser.closed, 'reset');
  }));

test('a client that ends inside a head or a body is answered or let go', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const inHead = client();
    inHead.socket.end('GET / HT');
    assert.equal(await inHead.rest(), '');
    const inBody = client();
    inBody.socket.end(`${POST}abc`);
    const { channel } = await app.request();
    assert.match(await inBody.rest(), /^HTTP\/1.1 400 /);
    await app.frame(LINK.RESET, channel);
  }));

test('a client that takes nothing is reset after writeStallTimeoutMs', () =>
  withFront({ limits: { writeStallTimeoutMs: 5000 } }, async ({ join, client, clock }) => {
    const app = await join();
    const browser = client();
    browser.get('/');
    const { channel } = await app.request();
    browser.socket.pause();
    const fate = { isGone: false };
    const gone = app.frame(LINK.RESET, channel).then(() => { fate.isGone = true; });
    app.data(channel, 'HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n');
    let credit = CREDIT_WINDOW_BYTES - 72_144;
    while (!fate.isGone) {
      if (credit > 0) {
        app.data(channel, Buffer.alloc(65_536));
        credit -= 65_536;
      }
      for (const frame of [...app.frames.rest]) {
        if (frame.type === LINK.CREDIT) credit += (await app.frame(LINK.CREDIT)).payload.readUInt32BE(0);
      }
      await new Promise((resolve) => setImmediate(resolve));
      if (credit <= 0) clock.advance(50);
    }
    await gone;
  }));

test('a client is told how long its connection is kept: by the program, if that is shorter and was chosen', () =>
  withFront({ limits: { keepAliveTimeoutMs: 20_000 } }, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    for (const [said, told] of [['5', '20'], ['8', '8'], ['60', '20']]) {
      browser.get('/');
      const { channel } = await app.request();
      app.data(channel, `HTTP/1.1 200 OK\r\nKeep-Alive: timeout=${said}\r\nContent-Length: 3\r\n\r\nok.`);
      app.end(channel);
      assert.match(await browser.until('ok.'), new RegExp(`\r\nKeep-Alive: timeout=${told}\r\n`));
    }
  }));

test('the last request of requestsPerConnectionMax is told to close', () =>
  withFront({ limits: { requestsPerConnectionMax: 2 } }, async ({ join, client }) => {
    const app = await join();
    app.onRequest = (channel) => app.answer(channel, 'ok.');
    const browser = client();
    browser.get('/');
    assert.match(await browser.until('ok.'), /\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\n/);
    browser.get('/');
    const last = await browser.rest();
    assert.match(last, /\r\nConnection: close\r\n/);
    assert.doesNotMatch(last, /Keep-Alive/);
  }));

test('a limit for each address counts the connections from before it was set', () =>
  withFront({}, async ({ join, client, front, setLimits }) => {
    const app = await join();
    app.onRequest = (channel) => app.answer(channel, 'ok.');
    const [first, second] = [client(), client()];
    for (const one of [first, second]) {
      one.get('/');
      await one.until('ok.');
    }
    setLimits({ connectionsPerClientMax: 2 });
    assert.match(await client().rest(), /^HTTP\/1.1 503 .*connectionsPerClientMax/s);
    first.socket.destroy();
    await first.closed;
    while (front.report().connections > 1) await new Promise((resolve) => setImmediate(resolve));
    const third = client();
    third.get('/');
    await third.until('ok.');
    setLimits({ connectionsPerClientMax: 0 });
    const fourth = client();
    fourth.get('/');
    await fourth.until('ok.');
    setLimits({ connectionsPerClientMax: 3 });
    assert.match(await client().rest(), /^HTTP\/1.1 503 /);
  }));

test('too many connections, in all or from one address, get 503', async () => {
  for (const limit of ['connectionsMax', 'connectionsPerClientMax']) {
    await withFront({ limits: { [limit]: 1 } }, async ({ join, client }) => {
      const app = await join();
      app.onRequest = (channel) => app.answer(channel, 'ok.');
      const first = client();
      first.get('/');
      await first.until('ok.');
      const second = client();
      const answer = await second.rest();
      assert.match(answer, /^HTTP\/1.1 503 .*Connection: close.*CONNECTIONS_EXHAUSTED/s);
      assert.match(answer, new RegExp(limit));
      second.socket.end();
      first.socket.end();
      await Promise.all([first.closed, second.closed]);
      const third = client();
      third.get('/');
      await third.until('ok.');
    });
  }
});
