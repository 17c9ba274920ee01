// Hits over TLS, by HTTP/1.1 and HTTP/2: the same answers as in plain text, and a site of its own.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import { request } from 'node:https';
import { test } from 'node:test';
import { made, madeAuthority, type MadeCertificate } from '../../test/made-certificates.ts';
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
const ORIGIN = 'https://127.0.0.1:0';
const clientAuthority = madeAuthority('Client authority');
const alice = made('alice', { issuer: clientAuthority.issuer, usages: ['clientAuth'] });
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\nETag: "v1"\r\n';

interface Got {
  status: number;
  headers: http2.IncomingHttpHeaders;
  body: string;
}

interface Secure {
  front: TestFront;
  app: FakeProcess;
  /** Requests that the app got. */
  asked: () => number;
  /** By HTTP/2, all on one connection. */
  two: (path: string, headers?: http2.OutgoingHttpHeaders) => Promise<Got>;
  /** By HTTP/1.1. */
  one: (path: string, headers?: Record<string, string>, certificate?: MadeCertificate) => Promise<Got>;
}

async function readHttp2(session: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders): Promise<Got> {
  const stream = session.request({ ':authority': 'shop.test', ...headers });
  let got: http2.IncomingHttpHeaders = {};
  stream.on('response', (given) => (got = given));
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { status: Number(got[':status']), headers: got, body: Buffer.concat(chunks).toString('latin1') };
}

async function readHttp1(
  port: number,
  path: string,
  headers: Record<string, string>,
  certificate?: MadeCertificate,
): Promise<Got> {
  const { key, cert } = certificate ?? {};
  const options = { port, path, servername: 'shop.test', ca: authority.cert, agent: false, key, cert } as const;
  const sent = request({ host: '127.0.0.1', ...options, headers: { host: 'shop.test', ...headers } }).end();
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  let body = '';
  for await (const chunk of response.setEncoding('latin1')) body += chunk as string;
  return { status: response.statusCode!, headers: response.headers as http2.IncomingHttpHeaders, body };
}

async function withTls(
  content: string,
  body: (secure: Secure) => Promise<void>,
  clientTrust: TlsState['clientTrust'] = {},
): Promise<void> {
  const routes = [{ prefix: '/', group: 'app', cache: { mode: 'standard' as const } }];
  await withFront({ routes }, async (front) => {
    front.front.tls({ ...STATE, clientTrust });
    const { port } = await front.front.listen({ port: 0, host: '127.0.0.1' }, ORIGIN);
    const app = await front.join();
    const seen = { count: 0 };
    app.onRequest = (channel): void => {
      seen.count += 1;
      app.answer(channel, content, HEAD);
    };
    const session = http2.connect(`https://127.0.0.1:${port}`, { servername: 'shop.test', ca: authority.cert });
    session.on('error', () => session.destroy());
    try {
      await body({
        front, app, asked: () => seen.count,
        two: (path, headers = {}) => readHttp2(session, { ':path': path, ...headers }),
        one: (path, headers = {}, certificate) => readHttp1(port, path, headers, certificate),
      });
    } finally {
      session.destroy();
    }
  });
}

for (const way of ['one', 'two'] as const) {
  const name = way === 'one' ? 'HTTP/1.1 over TLS' : 'HTTP/2';
  test(`${name} gets hits whole, their heads, parts of them, and 304`, () =>
    withTls('0123456789', async ({ asked, front, ...by }) => {
      const get = by[way];
      await get('/h');
      front.front.forget('p1');
      const whole = await get('/h');
      assert.deepEqual([whole.status, whole.body, whole.headers['content-length']], [200, '0123456789', '10']);
      assert.equal(String(whole.headers['age']).trim(), '0');
      const part = await get('/h', { range: 'bytes=2-4' });
      assert.deepEqual([part.status, part.body, part.headers['content-range']], [206, '234', 'bytes 2-4/10']);
      const parts = await get('/h', { range: 'bytes=0-0,-1' });
      assert.equal(parts.status, 206);
      assert.match(String(parts.headers['content-type']), /^multipart\/byteranges; boundary=/);
      assert.equal(Number(parts.headers['content-length']), parts.body.length);
      assert.equal((await get('/h', { range: 'bytes=99-' })).status, 416);
      const same = await get('/h', { 'if-none-match': '"v1"' });
      assert.deepEqual([same.status, same.body, same.headers['etag']], [304, '', '"v1"']);
      assert.equal(asked(), 1);
    }));
}

test('HEAD over HTTP/2 gets the head of a hit and no byte of its body', () =>
  withTls('0123456789', async ({ two, asked }) => {
    await two('/h');
    const head = await two('/h', { ':method': 'HEAD' });
    assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '10', '']);
    assert.equal(asked(), 1);
  }));

test('a hit larger than the windows of HTTP/2 comes whole, a hundred at once too', () =>
  withTls('0123456789'.repeat(10_000), async ({ two, asked }) => {
    await two('/l');
    const all = await Promise.all(Array.from({ length: 100 }, () => two('/l')));
    assert.deepEqual(all.map(({ status, body }) => `${status} ${body.length}`), all.map(() => '200 100000'));
    assert.equal(asked(), 1);
  }));

test('https and http are two sites; HTTP/1.1 and HTTP/2 over TLS are one', () =>
  withTls('x', async ({ one, two, front, asked }) => {
    await two('/s');
    assert.equal((await one('/s')).status, 200);
    assert.equal(asked(), 1);
    const plain = front.client();
    plain.write('GET /s HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n');
    await plain.rest();
    assert.equal(asked(), 2);
  }));

test('what a client with a certificate gets is kept for nobody, and it gets nothing that is kept', () =>
  withTls('x', async ({ one, asked }) => {
    await one('/c', {}, alice);
    await one('/c', {}, alice);
    assert.equal(asked(), 2, 'not kept');
    await one('/c');
    await one('/c');
    assert.equal(asked(), 3, 'kept for those without');
    await one('/c', {}, alice);
    assert.equal(asked(), 4);
  }, { [ORIGIN]: { mode: 'request', authorities: [clientAuthority.cert], revocationLists: [] } }));
