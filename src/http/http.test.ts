import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Decision } from '../wire/front-messages.ts';
import { LINK } from '../wire/link-messages.ts';
import { ASK_TIMEOUT_MS } from './asking.ts';
import { withFront, type TestFrontOptions } from './front.test.support.ts';

const ASKED: TestFrontOptions = {
  routes: [{ prefix: '/debug/', group: 'app', ask: 'door', ignoreCase: true }, { prefix: '/', group: 'app' }],
};

test('a request goes to the process and its answer to the client, in one write', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.write('GET /a?b=c HTTP/1.1\r\nHost: localhost\r\nX-Case: Kept\r\nConnection: keep-alive\r\n\r\n');
    const { channel, request } = await app.request();
    assert.equal(request.method, 'GET');
    assert.equal(request.target, '/a?b=c');
    assert.deepEqual(request.fields, ['Host', 'localhost', 'X-Case', 'Kept']);
    assert.equal(request.ended, true);
    assert.equal(request.local, true);
    assert.equal(request.origin?.remoteAddress, '127.0.0.1');
    app.answer(channel, 'hello');
    const answer = await browser.until('hello');
    const kept = 'Connection: keep-alive\r\nKeep-Alive: timeout=75\r\n';
    assert.match(answer, new RegExp(`^HTTP/1\\.1 200 OK\r\nContent-Length: 5\r\nDate: [^\r]+\r\n${kept}\r\nhello$`));
    assert.equal(browser.chunksSeen, 1);
  }));

test('a process that does not ask is not told who is local', () =>
  withFront({ groups: [{ id: 'app', name: 'shop', onDemand: true }] }, async ({ join, client }) => {
    const app = await join();
    client().get('/');
    assert.equal((await app.request()).request.local, false);
  }));

test('who is local is judged by the fields as they came', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/', 'X-Forwarded-For: 1.2.3.4\r\n');
    const proxied = await app.request();
    assert.equal(proxied.request.local, false);
    assert.deepEqual(proxied.request.fields.slice(2), ['X-Forwarded-For', '1.2.3.4, 127.0.0.1']);
    const other = client();
    other.write('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n');
    assert.equal((await app.request()).request.local, false);
  }));

test('a client cannot pass for local by having a field of its proxy taken out', () =>
  withFront({}, async ({ client }) => {
    for (const name of ['Via', 'Forwarded', 'X-Forwarded', 'X-Forwarded-For', 'X-Real-IP', 'X-Client-IP']) {
      const browser = client();
      browser.get('/', `${name}: 1.2.3.4\r\nConnection: ${name}\r\n`);
      assert.match(await browser.rest(), /^HTTP\/1.1 400 /, name);
    }
  }));

test('200 requests that find no process wait for the one that is started', () =>
  withFront({}, async ({ join, client, events, front }) => {
    const browsers = Array.from({ length: 200 }, client);
    for (const browser of browsers) browser.get('/');
    assert.deepEqual(await events.next(), { kind: 'activate', id: 'app' });
    while (front.report().waiting['app'] !== 200) await new Promise((resolve) => setImmediate(resolve));
    const app = await join();
    app.onRequest = (channel) => app.answer(channel, 'started');
    for (let count = 0; count < 200; count++) app.onRequest(...toPair(await app.request()));
    await Promise.all(browsers.map((browser) => browser.until('started')));
    assert.deepEqual((await events.next()).kind, 'ready');
    assert.deepEqual(events.rest, []);
  }));

test('a failed start answers with its page, details only for local clients', () =>
  withFront({}, async ({ client, events, front }) => {
    const [local, remote] = [client(), client()];
    local.get('/', 'Accept: application/json\r\n');
    remote.write('GET / HTTP/1.1\r\nHost: shop.example\r\nAccept: application/json\r\n\r\n');
    await events.next();
    while (front.report().waiting['app'] !== 2) await new Promise((resolve) => setImmediate(resolve));
    front.failed('app', {
      status: 500, code: 'APP_EXITED', message: 'It ended.', developer: [{ heading: 'stderr', text: 'secret' }],
    });
    assert.match(await local.until('secret'), /^HTTP\/1.1 500 .*APP_EXITED/s);
    assert.doesNotMatch(await remote.until('APP_EXITED'), /secret/);
    assert.doesNotMatch(remote.received, /secret/);
  }));

test('a client that goes away leaves the queue', () =>
  withFront({}, async ({ client, events, front }) => {
    const browser = client();
    browser.get('/');
    await events.next();
    browser.socket.resetAndDestroy();
    while (front.report().waiting['app'] !== 0) await new Promise((resolve) => setImmediate(resolve));
  }));

test('a request waits for a process no longer than queueTimeoutMs, with its body unread', () =>
  withFront({ limits: { queueTimeoutMs: 5000, queueMax: 1 } }, async ({ client, pass, events }) => {
    const browser = client();
    browser.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc');
    await events.next();
    const refused = client();
    refused.get('/');
    assert.match(await refused.until('QUEUE_FULL'), /^HTTP\/1.1 503 .*Retry-After: 1\r\n/s);
    pass(5000);
    assert.match(await browser.until('QUEUE_TIMED_OUT'), /^HTTP\/1.1 503 .*Retry-After: 1\r\n/s);
    browser.get('/again');
    assert.deepEqual(events.rest, [], 'a start is under way');
  }));

test('requests of one connection go to processes in turn, on a channel each', () =>
  withFront({}, async ({ join, client }) => {
    const apps = [await join('p1'), await join('p2')];
    const browser = client();
    const channels: number[][] = [[], []];
    for (let count = 0; count < 4; count++) {
      browser.get(`/${count}`);
      const app = apps[count % 2]!;
      const { channel, request } = await app.request();
      assert.equal(request.origin === undefined, count >= 2);
      channels[count % 2]!.push(channel);
      app.answer(channel, 'ok.');
      await browser.until('ok.');
    }
    for (const pair of channels) assert.equal(pair[0], pair[1]);
  }));

test('concurrencyMax makes requests wait for the end of others', () =>
  withFront({ limits: { concurrencyMax: 1 } }, async ({ join, client, front }) => {
    const app = await join();
    const [first, second] = [client(), client()];
    first.get('/1');
    const { channel } = await app.request();
    second.get('/2');
    while (front.report().waiting['app'] !== 1) await new Promise((resolve) => setImmediate(resolve));
    app.answer(channel, 'one');
    assert.equal((await app.request()).request.target, '/2');
  }));

test('a retired process finishes what it has, gets nothing new and is drained', () =>
  withFront({}, async ({ join, client, events, front }) => {
    const old = await join('p1');
    const browser = client();
    browser.get('/old');
    const { channel } = await old.request();
    const young = await join('p2');
    front.retire('p1');
    const other = client();
    other.get('/new');
    await young.request();
    assert.ok(!events.rest.some(({ kind }) => kind === 'drained'));
    old.answer(channel, 'done');
    await browser.until('done');
    assert.deepEqual(await events.next(({ kind }) => kind === 'drained'), { kind: 'drained', id: 'p1' });
    front.retire('p2');
    front.forget('p2');
    await young.closed;
    assert.match(await other.until('UPSTREAM_LOST'), /^HTTP\/1.1 502/);
  }));

test('a process without exchanges, or without a link, is drained at once', () =>
  withFront({}, async ({ join, events, front }) => {
    await join('p1');
    front.retire('p1');
    front.retire('p1');
    front.retire('p2');
    assert.deepEqual(events.rest.filter(({ kind }) => kind === 'drained').map(({ id }) => id), ['p1', 'p2']);
  }));

test('DRAIN of a process passes it over', () =>
  withFront({}, async ({ join, client, events }) => {
    const app = await join();
    app.writer.empty(LINK.DRAIN, 0);
    app.writer.empty(LINK.PING, 0);
    await app.frame(LINK.PONG);
    client().get('/');
    await events.next(({ kind }) => kind === 'activate');
  }));

test('a path that no route has is 404, a host that no route has is 400', () =>
  withFront({ routes: [{ prefix: 'http://shop.example:1/', group: 'app' }, { prefix: '/a/', group: 'app' }] },
    async ({ client }) => {
      const browser = client();
      browser.get('/b');
      assert.match(await browser.until('ROUTE_NOT_FOUND'), /^HTTP\/1.1 404/);
    }).then(() =>
    withFront({ routes: [{ prefix: 'http://shop.example:1/', group: 'app' }] }, async ({ client }) => {
      const browser = client();
      browser.get('/');
      assert.match(await browser.until('HOST_UNKNOWN'), /^HTTP\/1.1 400/);
    })));

test('a prefix that cannot be used does not take the others down', () =>
  withFront({ routes: [{ prefix: 'nonsense', group: 'app' }, { prefix: '/', group: 'app' }] },
    async ({ join, client }) => {
      const app = await join();
      client().get('/');
      await app.request();
    }));

test('the host is asked about the door only, with all that it needs', () =>
  withFront(ASKED, async ({ join, client, asked }) => {
    const app = await join();
    const browser = client();
    for (const path of ['/debug?brk', '/Debug/', '/debug/x', '/debugger']) {
      browser.get(path);
      app.answer((await app.request()).channel, 'ok.');
      await browser.until('ok.');
    }
    assert.deepEqual(asked.map(({ target }) => target), ['/debug?brk', '/Debug/']);
    assert.deepEqual(asked[0], {
      method: 'GET', target: '/debug?brk', path: '/debug', query: '?brk', fields: ['Host', 'localhost'],
      remoteAddress: '127.0.0.1', encrypted: false, local: true,
    });
  }));

test('an answer of the host is sent, without its body to HEAD, and the connection goes on', () => {
  const decision: Decision = {
    kind: 'answer', answer: { status: 301, fields: ['Location', '/debug/'], body: 'm\u00fcved' },
  };
  return withFront({ ...ASKED, ask: () => decision }, async ({ client }) => {
    const browser = client();
    browser.write('POST /debug HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc');
    const answer = await browser.until('m\u00c3\u00bcved');
    assert.match(answer, /^HTTP\/1.1 301 .*Location: \/debug\/\r\nContent-Length: 6\r\n/s);
    browser.write('HEAD /debug HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.match(await browser.until('\r\n\r\n'), /^HTTP\/1.1 301 .*Content-Length: 6/s);
    browser.write('HEAD /debug HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    assert.match(await browser.rest(), /^HTTP\/1.1 301 .*\r\n\r\n$/s);
  });
});

test('an answer of the host that would split is not sent', () => {
  const answer = { status: 200, fields: ['X-Bad', 'a\r\nSet-Cookie: b'], body: '' };
  return withFront({ ...ASKED, ask: () => ({ kind: 'answer', answer }) }, async ({ client }) => {
    const browser = client();
    browser.get('/debug');
    assert.doesNotMatch(await browser.until('UPSTREAM_BAD_RESPONSE'), /Set-Cookie/);
  });
});

test('again looks the route up anew, twice at most', () =>
  withFront({ ...ASKED, ask: () => ({ kind: 'again' }) }, async ({ join, client, asked }) => {
    const app = await join();
    client().get('/debug');
    await app.request();
    assert.equal(asked.length, 2);
  }));

test('a host that does not decide, or fails to, is not waited for', () =>
  withFront(
    {
      ...ASKED,
      ask: (request) => request.query === '' ? new Promise<Decision>(() => {}) : Promise.reject(new Error('no')),
    },
    async ({ client, asked, pass }) => {
      const [silent, failing] = [client(), client()];
      silent.get('/debug');
      failing.get('/debug?fail');
      assert.match(await failing.until('UPSTREAM_NONE'), /^HTTP\/1.1 503/);
      while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
      pass(ASK_TIMEOUT_MS);
      assert.match(await silent.until('UPSTREAM_NONE'), /^HTTP\/1.1 503/);
    },
  ));

test('new routes hold for the next request, those that wait in a dropped group are refused', () =>
  withFront({}, async ({ client, events, front }) => {
    const browser = client();
    browser.get('/');
    await events.next();
    front.routes([], []);
    assert.match(await browser.until('UPSTREAM_NONE'), /^HTTP\/1.1 503/);
    const late = client();
    late.get('/');
    assert.match(await late.until('HOST_UNKNOWN'), /^HTTP\/1.1 400/);
  }));

test('drain closes idle connections at once, answers what is under way and cuts the rest in time', () =>
  withFront({}, async ({ join, client, front, clock }) => {
    const app = await join();
    const [idle, busy, stuck] = [client(), client(), client()];
    idle.get('/');
    app.answer((await app.request()).channel, 'ok.');
    await idle.until('ok.');
    busy.get('/busy');
    const { channel } = await app.request();
    stuck.get('/stuck');
    await app.request();
    let isDrained = false;
    const drained = front.drain(10_000).then(() => { isDrained = true; });
    assert.equal(await idle.rest(), '');
    app.answer(channel, 'bye');
    assert.match(await busy.rest(), /Connection: close.*bye$/s);
    for (const browser of [idle, busy]) {
      browser.socket.end();
      await browser.closed;
    }
    const refused = client();
    const [error] = (await once(refused.socket, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
    assert.equal(isDrained, false);
    clock.advance(10_000);
    await drained;
    assert.equal(await stuck.closed, 'reset');
  }));

test('drain tells requests that wait for a process, in time, that none will come', () =>
  withFront({}, async ({ client, front, clock, events }) => {
    const waits = client();
    waits.get('/');
    await events.next(({ kind }) => kind === 'activate');
    const drained = front.drain(1000);
    clock.advance(1000);
    assert.match(await waits.rest(), /^HTTP\/1\.1 503 [^]*Retry-After: 5\r\n[^]*APP_STOPPED/);
    waits.socket.end();
    await waits.closed;
    await drained;
  }));

test('drain with nothing open is over at once', () =>
  withFront({}, async ({ front }) => front.drain(1000)));

test('report counts connections, requests, exchanges and those that wait', () =>
  withFront({}, async ({ join, client, front }) => {
    const app = await join();
    client().get('/');
    await app.request();
    const { pid, connections, requests, waiting, active } = front.report();
    assert.deepEqual([pid, connections, requests], [process.pid, 1, 1]);
    assert.deepEqual([waiting, active], [{ app: 0 }, { p1: 1, p2: 0 }]);
  }));

function toPair<Request>(seen: { channel: number; request: Request }): [number, Request] {
  return [seen.channel, seen.request];
}

test('an app that changes protocols unasked gets no tunnel', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    browser.get('/');
    const { channel } = await app.request();
    app.data(channel, 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    assert.equal(await browser.closed, 'reset');
    await app.frame(LINK.RESET, channel);
  }));
