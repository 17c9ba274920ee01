import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import * as tls from 'node:tls';
import { made, madeAuthority } from '../../test/made-certificates.ts';
import { FRONT_LIMITS } from '../base/limits.ts';
import { defaultsOf } from '../base/setting.ts';
import type { SecureHost, TlsState } from '../wire/tls-messages.ts';
import { withFront, type TestFront, type TestFrontOptions } from './front.test.support.ts';

const authority = madeAuthority();
const shop = made('shop.test', { issuer: authority.issuer, names: ['shop.test'] });
const HSTS = 'max-age=60; includeSubDomains';

function stateOf(hosts: SecureHost[]): TlsState {
  return {
    handshake: { minVersion: 'TLSv1.2', ciphers: 'TLS_AES_128_GCM_SHA256', curves: 'X25519', http2: true },
    certificates: [{ names: ['*'], pairs: [shop] }],
    clientTrust: {},
    hosts,
    ticketKeys: Buffer.alloc(48, 7).toString('base64'),
  };
}

function row(changes: Partial<SecureHost> = {}): SecureHost {
  return { names: ['shop.test'], redirectPort: 8443, hsts: HSTS, ...changes };
}

/** A front with such hosts and an app that answers everything with its target. */
async function withHosts(
  hosts: SecureHost[],
  body: (front: TestFront, port: number) => Promise<void>,
  options: TestFrontOptions = {},
): Promise<void> {
  await withFront(options, async (front) => {
    front.front.tls(stateOf(hosts));
    const { port } = await front.front.listen({ port: 0, host: '127.0.0.1' }, 'https://127.0.0.1:0');
    const app = await front.join();
    app.onRequest = (channel, request) => app.answer(channel, request.target);
    await body(front, port);
  });
}

async function plain(front: TestFront, head: string): Promise<string> {
  const client = front.client();
  client.write(`${head}Connection: close\r\n\r\n`);
  return client.rest();
}

async function secure(port: number, head: string): Promise<string> {
  const client = tls.connect({ host: '127.0.0.1', port, servername: 'shop.test', ca: authority.cert });
  client.write(`${head}Connection: close\r\n\r\n`);
  let answer = '';
  for await (const chunk of client) answer += String(chunk);
  return answer;
}

test('a plain request is sent to https with its path and query, whatever its method', async () => {
  await withHosts([row()], async (front) => {
    const answer = await plain(front, 'POST /a/b?c=d HTTP/1.1\r\nHost: Shop.test:80\r\nContent-Length: 0\r\n');
    assert.match(answer, /^HTTP\/1\.1 308 /);
    assert.match(answer, /\r\nLocation: https:\/\/shop\.test:8443\/a\/b\?c=d\r\n/);
    assert.doesNotMatch(answer, /Strict-Transport-Security/);
    assert.match(await plain(front, 'GET /x HTTP/1.1\r\nHost: other.test\r\n'), /200 OK[^]*\/x$/);
  });
  await withHosts([row({ names: ['*'], redirectPort: 443 })], async (front) => {
    assert.match(await plain(front, 'GET /x HTTP/1.1\r\nHost: a.test\r\n'), /Location: https:\/\/a\.test\/x\r\n/);
    assert.match(await plain(front, 'GET /x HTTP/1.1\r\nHost: [::1]:80\r\n'), /Location: https:\/\/\[::1\]\/x\r\n/);
    assert.match(await plain(front, 'GET /x HTTP/1.0\r\n'), /Location: https:\/\/127\.0\.0\.1\/x\r\n/);
  });
});

test('a challenge of an authority, a route that stays plain and an unknown path are not sent away', async () => {
  const options: TestFrontOptions = {
    routes: [
      { prefix: '/', group: 'app' }, { prefix: '/debug/', group: 'app', staysPlain: true },
    ],
  };
  await withHosts([row()], async (front) => {
    for (const path of ['/.well-known/acme-challenge/token', '/debug/']) {
      assert.match(await plain(front, `GET ${path} HTTP/1.1\r\nHost: shop.test\r\n`), /200 OK/, path);
    }
    assert.match(await plain(front, 'GET /debugger HTTP/1.1\r\nHost: shop.test\r\n'), / 308 /);
  }, options);
});

test('who came to a trusted proxy over https is not sent away, and hears of HSTS', async () => {
  await withHosts([row()], async (front) => {
    for (const field of ['X-Forwarded-Proto: https', 'Forwarded: for=192.0.2.1;proto=https, for=10.0.0.1;proto=http']) {
      const answer = await plain(front, `GET /x HTTP/1.1\r\nHost: shop.test\r\n${field}\r\n`);
      assert.match(answer, /200 OK[^]*Strict-Transport-Security: max-age=60/, field);
    }
    const answer = await plain(front, 'GET /x HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-Proto: http\r\n');
    assert.match(answer, / 308 /);
    front.front.configure({
      limits: defaultsOf(FRONT_LIMITS),
      routes: [{ prefix: '/', group: 'app' }], groups: [{ id: 'app', name: 'shop', onDemand: true }],
      processes: [], peers: { proxies: [], proxyListeners: [] },
    });
    const claimed = await plain(front, 'GET /x HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-Proto: https\r\n');
    assert.match(claimed, / 308 /);
  });
});

test('answers over TLS say HSTS once, those of the front and out of the cache too', async () => {
  const cached: TestFrontOptions = { routes: [{ prefix: '/', group: 'app', cache: { mode: 'standard' } }] };
  await withHosts([row()], async (front, port) => {
    let served = 0;
    const app = await front.join('p1');
    app.onRequest = (channel) => {
      served += 1;
      app.answer(channel, 'kept', 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n');
    };
    const request = 'GET /x HTTP/1.1\r\nHost: shop.test\r\n';
    const lines = async (): Promise<number> =>
      (await secure(port, request)).match(/Strict-Transport-Security: max-age=60; includeSubDomains\r\n/g)?.length ?? 0;
    assert.equal(await lines(), 1);
    assert.match(await secure(port, request), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nkept$/);
    assert.equal(await lines(), 1);
    assert.match(await secure(port, request.replace('GET', 'HEAD')), /Strict-Transport[^]*\r\n\r\n$/);
    assert.equal(served, 1);
    assert.match(await secure(port, 'GET /%00 HTTP/1.1\r\nHost: shop.test\r\n'), /^HTTP\/1\.1 400/);
    const session = http2.connect(`https://127.0.0.1:${port}`, { servername: 'shop.test', ca: authority.cert });
    const stream = session.request({ ':path': '/x', ':authority': 'shop.test' });
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    assert.equal(headers['strict-transport-security'], HSTS);
    session.destroy();
    assert.doesNotMatch(await secure(port, 'GET /x HTTP/1.1\r\nHost: other.test\r\n'), /Strict-Transport/);
    front.front.tls(stateOf([]));
    assert.equal(await lines(), 0);
  }, cached);
});

test('what an app says of HSTS itself counts', async () => {
  await withHosts([row()], async (front, port) => {
    const app = await front.join('p2');
    const own = 'HTTP/1.1 200 OK\r\nstrict-transport-security: max-age=0\r\n';
    app.onRequest = (channel) => app.answer(channel, 'x', own);
    const request = 'GET / HTTP/1.1\r\nHost: shop.test\r\n';
    const answers = [await secure(port, request), await secure(port, request)];
    assert.ok(answers.some((answer) => /strict-transport-security: max-age=0/.test(answer)));
    for (const answer of answers) assert.equal(answer.match(/strict-transport-security/gi)?.length, 1);
  });
});

test('a row may hold for one port only, and comes before those for all', async () => {
  await withFront({}, async (front) => {
    const app = await front.join();
    app.onRequest = (channel, request) => app.answer(channel, request.target);
    const own = row({ names: ['*'], ports: [front.port], redirectPort: 1 });
    front.front.tls(stateOf([row({ names: ['*'], redirectPort: 2 }), own]));
    assert.match(await plain(front, 'GET /x HTTP/1.1\r\nHost: a.test\r\n'), /Location: https:\/\/a\.test:1\/x/);
    front.front.tls(stateOf([row({ names: ['*'], ports: [1] })]));
    assert.match(await plain(front, 'GET /x HTTP/1.1\r\nHost: a.test\r\n'), /200 OK/);
  });
});
