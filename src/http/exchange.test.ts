import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { CREDIT_WINDOW_BYTES } from '../base/limits.ts';
import { LINK, RESET_REASON } from '../wire/link-messages.ts';
import { withFront } from './front.test.support.ts';

const CHUNKED_HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const UPGRADE = 'Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n';
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';

test('a body of known length and a chunked one arrive plain, with trailers', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.write('POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello');
    const first = await app.request();
    assert.equal(first.request.ended, false);
    assert.deepEqual(await app.body(first.channel), { text: 'hello', trailers: [] });
    app.answer(first.channel, 'one');
    await browser.until('one');
    browser.write('POST /b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel');
    const second = await app.request();
    assert.equal(second.channel, first.channel, 'a connection keeps its channel');
    browser.write('lo\r\n1\r\n!\r\n0\r\nDigest: abc\r\n\r\n');
    assert.deepEqual(await app.body(second.channel), { text: 'hello!', trailers: ['Digest', 'abc'] });
    app.answer(second.channel, 'two');
    await browser.until('two');
  }));

test('a chunked answer is chunked anew for HTTP/1.1, with trailers', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/');
    const { channel } = await app.request();
    app.data(channel, `${CHUNKED_HEAD}2\r\nab\r\n`);
    const head = await browser.until('2\r\nab\r\n');
    assert.match(head, /\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n$/);
    app.data(channel, '3;x=y\r\ncde\r\n0\r\nDigest: abc\r\n\r\n');
    app.end(channel);
    assert.equal(await browser.until('\r\n\r\n'), '3\r\ncde\r\n0\r\nDigest: abc\r\n\r\n');
    browser.get('/');
    app.answer((await app.request()).channel, 'next');
    await browser.until('next');
  }));

test('an HTTP/1.0 client gets chunked answers plain, ended by the connection', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    const { channel, request } = await app.request();
    assert.equal(request.version, 10);
    app.data(channel, `${CHUNKED_HEAD}2\r\nab\r\n1\r\nc\r\n0\r\nDigest: x\r\n\r\n`);
    app.end(channel);
    const answer = await browser.rest();
    assert.match(answer, /\r\n\r\nabc$/);
    assert.doesNotMatch(answer, /chunked|keep-alive|Digest/i);
  }));

test('an HTTP/1.0 client keeps its connection if it asks and the length is known', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    for (const body of ['one', 'two']) {
      browser.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
      app.answer((await app.request()).channel, body);
      assert.match(await browser.until(body), /\r\nConnection: keep-alive\r\n/);
    }
    browser.write('GET / HTTP/1.0\r\n\r\n');
    app.answer((await app.request()).channel, 'last');
    assert.match(await browser.rest(), /last$/);
  }));

test('an answer that ends with the exchange is chunked for HTTP/1.1', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/');
    const { channel } = await app.request();
    app.data(channel, 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab');
    app.data(channel, 'c');
    app.end(channel);
    assert.match(await browser.rest(), /Connection: close\r\n.*\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n$/s);
  }));

test('answers to HEAD and with 204 and 304 have no body, and the connection goes on', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.write('HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const { channel } = await app.request();
    app.data(channel, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
    app.end(channel);
    assert.match(await browser.until('\r\n\r\n'), /Content-Length: 5/);
    for (const status of ['204 No Content', '304 Not Modified']) {
      browser.get('/');
      await app.request();
      app.data(channel, `HTTP/1.1 ${status}\r\n\r\n`);
      app.end(channel);
      assert.match(await browser.until('\r\n\r\n'), new RegExp(`^HTTP/1.1 ${status}`));
    }
    browser.get('/');
    await app.request();
    app.answer(channel, 'end');
    assert.match(await browser.until('end'), /^HTTP\/1.1 200/);
  }));

test('informational answers reach HTTP/1.1 clients only', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n';
    const modern = client();
    modern.get('/');
    const first = await app.request();
    app.data(first.channel, hints);
    assert.equal(await modern.until('\r\n\r\n'), hints);
    app.answer(first.channel, 'done');
    await modern.until('done');
    const old = client();
    old.write('GET / HTTP/1.0\r\n\r\n');
    const second = await app.request();
    app.data(second.channel, hints);
    app.answer(second.channel, 'done');
    assert.match(await old.rest(), /^HTTP\/1.1 200/);
  }));

test('100 (Continue) comes from the app, never from the front', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    const head = 'POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n';
    browser.write(head);
    const { channel, request } = await app.request();
    assert.deepEqual(request.fields.slice(2, 4), ['Expect', '100-continue']);
    assert.equal(browser.received, '');
    app.data(channel, 'HTTP/1.1 100 Continue\r\n\r\n');
    assert.equal(await browser.until('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n');
    browser.write('body');
    assert.equal((await app.body(channel)).text, 'body');
    app.answer(channel, 'thanks');
    assert.doesNotMatch(await browser.until('thanks'), /Connection: close/);
  }));

test('a refusal instead of 100 (Continue) closes the connection: the body may come or not', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.write('POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n');
    const { channel } = await app.request();
    app.answer(channel, 'no', 'HTTP/1.1 417 Expectation Failed\r\n');
    assert.match(await browser.rest(), /^HTTP\/1.1 417 .*Connection: close\r\n.*no$/s);
  }));

test('an answer before the body is whole is passed on; a short rest is thrown away', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc');
    const { channel } = await app.request();
    app.answer(channel, 'early');
    await browser.until('early');
    browser.write('x'.repeat(997));
    browser.get('/next');
    const next = await app.request();
    assert.equal(next.request.target, '/next');
    assert.equal(next.channel, channel);
    app.answer(channel, 'second');
    await browser.until('second');
  }));

test('a process that writes something else answers 502, after the head it cuts', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/');
    let { channel } = await app.request();
    app.data(channel, 'SSH-2.0-OpenSSH\r\n');
    assert.match(await browser.until('UPSTREAM_BAD_RESPONSE'), /^HTTP\/1.1 502/);
    await app.frame(LINK.RESET, channel);
    const second = client();
    second.get('/');
    ({ channel } = await app.request());
    app.data(channel, `${CHUNKED_HEAD}zz\r\n`);
    assert.equal(await second.closed, 'reset');
  }));

test('more bytes than Content-Length do not reach the client', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/');
    const { channel } = await app.request();
    app.data(channel, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n');
    assert.match(await browser.rest(), /\r\n\r\nok$/);
    await app.frame(LINK.RESET, channel);
  }));

test('an exchange that ends too soon ends the connection where the answer stands', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/');
    const { channel } = await app.request();
    app.end(channel);
    assert.equal(await browser.rest(), '');
    const second = client();
    second.get('/');
    const next = await app.request();
    app.data(next.channel, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab');
    app.end(next.channel);
    assert.match(await second.rest(), /\r\n\r\nab$/);
  }));

test('the loss of a process answers 502 or cuts, and asks for another one', () =>
  withFront({}, async ({ join, client, events }) => {
    const app = await join();
    const [waiting, reading] = [client(), client()];
    waiting.get('/');
    await app.request();
    reading.get('/');
    const { channel } = await app.request();
    app.data(channel, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab');
    await reading.until('ab');
    app.close();
    assert.match(await waiting.until('UPSTREAM_LOST'), /^HTTP\/1.1 502/);
    assert.equal(await reading.closed, 'reset');
    await events.next(({ kind }) => kind === 'unlinked');
    client().get('/');
    await events.next(({ kind }) => kind === 'activate');
  }));

test('an app that destroys its socket ends the connection where the answer stands', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const heads = ['', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n'];
    for (const head of heads) {
      const browser = client();
      browser.get('/');
      const { channel } = await app.request();
      if (head !== '') app.writer.latin1(LINK.DATA, channel, [], head);
      app.writer.number(LINK.RESET, channel, RESET_REASON.APP_ABORTED);
      const got = await browser.rest();
      if (head === '') assert.equal(got, '');
      else assert.match(got, /\r\n\r\n2\r\nhi\r\n$/);
    }
  }));

test('a broken off body that ends with the connection is reset, and so is what the app resets', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    for (const reason of [RESET_REASON.APP_ABORTED, RESET_REASON.APP_RESET]) {
      const browser = client();
      const failed = once(browser.socket, 'error') as Promise<[NodeJS.ErrnoException]>;
      const version = reason === RESET_REASON.APP_ABORTED ? '1.0' : '1.1';
      browser.socket.write(`GET / HTTP/${version}\r\nHost: x\r\n\r\n`);
      const { channel } = await app.request();
      app.writer.latin1(LINK.DATA, channel, [], 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n');
      await browser.until('hi');
      app.writer.number(LINK.RESET, channel, reason);
      assert.equal((await failed)[0].code, 'ECONNRESET');
    }
  }));

test('RESET because its server had just closed lets another process serve', () =>
  withFront({}, async ({ join, client, front }) => {
    const app = await join('p1');
    const second = client();
    second.get('/again');
    const { channel } = await app.request();
    const other = await join('p2');
    front.retire('p1');
    app.writer.number(LINK.RESET, channel, RESET_REASON.NO_SERVER);
    const { channel: otherChannel, request } = await other.request();
    assert.equal(request.target, '/again');
    assert.notEqual(request.origin, undefined);
    other.answer(otherChannel, 'served');
    await second.until('served');
  }));

test('CLOSE behind an answer closes the connection, and with END in front of one, too', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/a');
    browser.get('/never-read');
    const first = await app.request();
    app.answer(first.channel, 'bye');
    app.writer.empty(LINK.CLOSE, first.channel);
    assert.match(await browser.rest(), /bye$/);
    const second = client();
    second.get('/');
    const { channel } = await app.request();
    app.writer.empty(LINK.END, channel);
    app.writer.empty(LINK.CLOSE, channel);
    assert.equal(await second.rest(), '');
  }));

test('a request that met the CLOSE of an idle channel is served on another one', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/a');
    const first = await app.request();
    app.answer(first.channel, 'one');
    await browser.until('one');
    browser.get('/b');
    const crossed = await app.request();
    assert.equal(crossed.channel, first.channel);
    app.writer.empty(LINK.CLOSE, first.channel);
    app.writer.number(LINK.RESET, first.channel, RESET_REASON.NO_SERVER);
    const again = await app.request();
    assert.notEqual(again.channel, first.channel);
    assert.equal(again.request.target, '/b');
    app.answer(again.channel, 'two');
    assert.match(await browser.rest(), /Connection: close\r\n.*two$/s);
  }));

test('Connection: close of the app is passed on and obeyed', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/');
    const { channel } = await app.request();
    app.answer(channel, 'bye', 'HTTP/1.1 200 OK\r\nConnection: close\r\n');
    assert.match(await browser.rest(), /\r\nConnection: close\r\n.*bye$/s);
    browser.socket.end();
    await app.frame(LINK.CLOSE, channel);
  }));

test('a client that goes away resets its exchange', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/');
    const { channel } = await app.request();
    browser.socket.resetAndDestroy();
    const { payload } = await app.frame(LINK.RESET, channel);
    assert.equal(payload.readUInt32BE(0), RESET_REASON.CLIENT_GONE);
  }));

test('a client that goes away between requests closes its channels on every process', () =>
  withFront({}, async ({ join, client }) => {
    const apps = [await join('p1'), await join('p2')];
    const browser = client();
    for (const app of apps) {
      browser.get('/');
      app.answer((await app.request()).channel, 'ok.');
      await browser.until('ok.');
    }
    browser.socket.destroy();
    for (const app of apps) await app.frame(LINK.CLOSE);
  }));

test('an upload waits for the credit of the app and holds little meanwhile', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    app.givesCredit = false;
    const browser = client();
    const total = 20_000_000;
    browser.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${total}\r\n\r\n`);
    const { channel } = await app.request();
    const piece = Buffer.alloc(1_000_000, 'x');
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 20; count++) browser.socket.write(piece);
    let received = 0;
    while (received < CREDIT_WINDOW_BYTES) received += (await app.frame(LINK.DATA, channel)).payload.length;
    assert.equal(received, CREDIT_WINDOW_BYTES);
    assert.ok(process.memoryUsage().arrayBuffers - before < 16_000_000);
    app.givesCredit = true;
    app.writer.number(LINK.CREDIT, channel, CREDIT_WINDOW_BYTES);
    for (;;) {
      const frame = await app.frames.next((next) => next.channel === channel);
      if (frame.type === LINK.END) break;
      received += frame.payload.length;
    }
    assert.equal(received, total);
    app.answer(channel, 'taken');
    await browser.until('taken');
  }));

test('a download of 50 MB to a slow reader is held back by credit', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    const total = 50_000_000;
    browser.get('/');
    const { channel } = await app.request();
    app.data(channel, `HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
    let left = total;
    let credit = CREDIT_WINDOW_BYTES - 100;
    let ahead = 0;
    let received = 0;
    const done = new Promise<void>((resolve) => {
      browser.socket.removeAllListeners('data');
      browser.socket.on('data', (chunk: Buffer) => {
        received += chunk.length;
        ahead = Math.max(ahead, total - left - received);
        if (received > total) resolve();
        browser.socket.pause();
        setImmediate(() => browser.socket.resume());
      });
    });
    const pump = async (): Promise<void> => {
      while (left > 0) {
        while (credit > 0 && left > 0) {
          const bytes = Math.min(credit, left, 65_536);
          app.writer.bytes(LINK.DATA, channel, Buffer.alloc(bytes, 'x'));
          credit -= bytes;
          left -= bytes;
        }
        if (left > 0) credit += (await app.frame(LINK.CREDIT, channel)).payload.readUInt32BE(0);
      }
      app.end(channel);
    };
    await Promise.all([pump(), done]);
    // Two windows, and what the kernel holds of a loopback connection.
    assert.ok(ahead < 12_000_000, `${ahead} bytes were on the way`);
  }));

test('an upgrade becomes a tunnel: early bytes, both ways, each half ended alone', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.write(`GET /ws HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\nearly`);
    const { channel, request } = await app.request();
    assert.equal(request.upgrade, true);
    assert.deepEqual(request.fields.slice(2), ['Connection', 'Upgrade', 'Upgrade', 'websocket']);
    app.data(channel, `${SWITCHING}first`);
    assert.equal((await app.frame(LINK.DATA, channel)).payload.toString(), 'early');
    assert.match(await browser.until('first'), /^HTTP\/1.1 101 .*\r\nUpgrade: websocket\r\n.*\r\n\r\nfirst$/s);
    browser.write('ping');
    assert.equal((await app.frame(LINK.DATA, channel)).payload.toString(), 'ping');
    browser.socket.end();
    await app.frame(LINK.END, channel);
    app.data(channel, 'pong');
    app.end(channel);
    assert.equal(await browser.rest(), 'pong');
    await app.frame(LINK.CLOSE, channel);
    assert.equal(await browser.closed, 'end');
  }));

test('a tunnel that the app ends first still takes what the client sends', () =>
  withFront({}, async ({ join, client, front }) => {
    const app = await join();
    const browser = client();
    browser.get('/ws', UPGRADE);
    const { channel } = await app.request();
    app.data(channel, SWITCHING);
    await browser.until('\r\n\r\n');
    assert.equal(front.report().active['p1'], 1);
    app.end(channel);
    await browser.rest();
    browser.write('late');
    assert.equal((await app.frame(LINK.DATA, channel)).payload.toString(), 'late');
    app.writer.empty(LINK.CLOSE, channel);
    browser.socket.end();
    await browser.closed;
  }));

test('the loss of the process cuts a tunnel', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/ws', UPGRADE);
    app.data((await app.request()).channel, SWITCHING);
    await browser.until('\r\n\r\n');
    app.close();
    assert.equal(await browser.closed, 'reset');
  }));

test('a program that destroys a tunnel ends it behind what it wrote', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/ws', UPGRADE);
    const { channel } = await app.request();
    app.data(channel, `${SWITCHING}last words`);
    app.writer.number(LINK.RESET, channel, RESET_REASON.APP_ABORTED);
    const ended = once(browser.socket, 'end');
    await browser.until('last words');
    await ended;
    browser.socket.end();
    assert.equal(await browser.closed, 'end');
  }));

test('a refused upgrade is an ordinary answer; with early bytes the connection is closed', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const polite = client();
    polite.get('/ws', UPGRADE);
    let { channel } = await app.request();
    app.answer(channel, 'no', 'HTTP/1.1 403 Forbidden\r\n');
    await polite.until('no');
    polite.get('/next');
    ({ channel } = await app.request());
    app.answer(channel, 'yes');
    await polite.until('yes');
    const hasty = client();
    hasty.write(`GET /ws HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`);
    ({ channel } = await app.request());
    app.answer(channel, 'no', 'HTTP/1.1 403 Forbidden\r\n');
    assert.match(await hasty.rest(), /no$/);
    assert.equal(app.frames.rest.filter(({ type }) => type === LINK.REQUEST).length, 0);
  }));

test('a program that refuses an upgrade on the bare socket hears the end', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/ws', UPGRADE);
    const { channel } = await app.request();
    app.data(channel, 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nfoo');
    await browser.until('foo');
    await app.frame(LINK.END, channel);
    app.end(channel);
    browser.socket.end();
    assert.equal(await browser.closed, 'end');
  }));

test('CONNECT becomes a tunnel with 200', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.write('CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n');
    const { channel, request } = await app.request();
    assert.equal(request.upgrade, true);
    app.data(channel, 'HTTP/1.1 200 Connected\r\n\r\nraw');
    assert.match(await browser.until('raw'), /\r\n\r\nraw$/);
    browser.write('up');
    assert.equal((await app.frame(LINK.DATA, channel)).payload.toString(), 'up');
  }));
