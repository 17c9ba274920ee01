import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { FRONT_LIMITS } from '../base/limits.ts';
import { defaultsOf } from '../base/setting.ts';
import type { TrustedPeers } from '../wire/front-messages.ts';
import { RawClient, withFront, type FakeProcess } from './front.test.support.ts';
import { PROXY_HEADER_TIMEOUT_MS } from './proxy-door.ts';

const ORIGIN = 'http://127.0.0.1:1';
const HEADER = 'PROXY TCP4 192.0.2.1 10.0.0.1 8080 80\r\n';
const REQUEST = 'GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n';

interface ProxiedFront {
  app: FakeProcess;
  clock: { advance(ms: number): void };
  connections(): number;
  client(): RawClient;
}

function withProxiedFront(proxies: string[], body: (test: ProxiedFront) => Promise<void>): Promise<void> {
  return withFront({}, async ({ front, join, clock }) => {
    const peers: TrustedPeers = { proxies, proxyListeners: [ORIGIN] };
    const group = { id: 'app', name: 'a', onDemand: true, tellsLocal: true };
    const state = { routes: [{ prefix: '/', group: 'app' }], groups: [group] };
    front.configure({ limits: defaultsOf(FRONT_LIMITS), ...state, processes: [], peers });
    const { port } = await front.listen({ port: 0, host: '127.0.0.1' }, ORIGIN);
    const clients: RawClient[] = [];
    try {
      const client = (): RawClient => {
        clients.push(new RawClient(port));
        return clients.at(-1)!;
      };
      await body({ app: await join(), clock, client, connections: () => front.report().connections });
    } finally {
      for (const { socket } of clients) socket.destroy();
    }
  });
}

test('the ends that a trusted proxy tells count, and the client is not local', () =>
  withProxiedFront(['127.0.0.1'], async ({ app, client }) => {
    for (const pieces of [[HEADER + REQUEST], [HEADER, REQUEST], [...HEADER, REQUEST]]) {
      const browser = client();
      for (const piece of pieces) {
        browser.write(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
      const { channel, request } = await app.request();
      assert.equal(request.local, false);
      assert.deepEqual(request.origin, {
        remoteAddress: '192.0.2.1', remotePort: 8080, localAddress: '10.0.0.1', localPort: 80, encrypted: false,
      });
      assert.equal(request.fields[request.fields.indexOf('X-Forwarded-For') + 1], '192.0.2.1');
      app.answer(channel, 'one');
      await browser.until('one');
      browser.write(REQUEST);
      app.answer((await app.request()).channel, 'two');
      await browser.until('two');
    }
  }));

test('a proxy that says it comes from this machine makes nobody local', () =>
  withProxiedFront(['127.0.0.1'], async ({ app, client }) => {
    client().write(`PROXY TCP4 127.0.0.1 127.0.0.1 1 80\r\n${REQUEST}`);
    assert.equal((await app.request()).request.local, false);
  }));

test('a proxy that speaks for itself is a client like others', () =>
  withProxiedFront(['127.0.0.1'], async ({ app, client }) => {
    client().write(`PROXY UNKNOWN\r\n${REQUEST}`);
    const { request } = await app.request();
    assert.equal(request.local, true);
    assert.equal(request.origin!.remoteAddress, '127.0.0.1');
  }));

test('without a header, with a bad one, or from a peer that is not trusted, the connection is cut', async () => {
  await withProxiedFront(['127.0.0.1'], async ({ client }) => {
    for (const bytes of [REQUEST, 'PROXY TCP4 x\r\n']) {
      const browser = client();
      browser.write(bytes);
      assert.equal(await browser.rest(), '');
    }
  });
  await withProxiedFront(['10.0.0.0/8'], async ({ client }) => {
    const browser = client();
    browser.write(HEADER + REQUEST);
    assert.equal(await browser.rest(), '');
  });
});

test('a proxy that does not say for whom it connects is cut after PROXY_HEADER_TIMEOUT_MS', () =>
  withProxiedFront(['127.0.0.1'], async ({ client, clock, connections }) => {
    const browser = client();
    await once(browser.socket, 'connect');
    browser.write('PROXY ');
    while (connections() === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(PROXY_HEADER_TIMEOUT_MS);
    assert.equal(await browser.rest(), '');
  }));
