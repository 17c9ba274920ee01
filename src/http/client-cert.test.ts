import { test } from 'node:test';
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import * as tls from 'node:tls';
import { made, madeAuthority, type MadeCertificate } from '../../test/made-certificates.ts';
import type { Group } from '../wire/front-messages.ts';
import type { TlsState } from '../wire/tls-messages.ts';
import { withFront, type TestFront } from './front.test.support.ts';

const authority = madeAuthority();
const server = made('shop.test', { issuer: authority.issuer, names: ['shop.test'] });
const middle = made('Middle', { issuer: authority.issuer, isAuthority: true });
const alice = made('alice', { issuer: middle.issuer, usages: ['clientAuth'] });
const mallory = made('mallory');
const ORIGIN = 'https://127.0.0.1:0';

const STATE: TlsState = {
  handshake: { minVersion: 'TLSv1.2', ciphers: 'TLS_AES_128_GCM_SHA256', curves: 'X25519', http2: true },
  certificates: [{ names: ['*'], pairs: [server] }],
  clientTrust: { [ORIGIN]: { mode: 'request', authorities: [authority.cert], revocationLists: [] } },
  ticketKeys: Buffer.alloc(48, 7).toString('base64'),
};

type Fields = http.IncomingHttpHeaders;

/** A front before a backend that answers with the fields which it got. */
async function withBackend(
  clientCert: Group['clientCert'],
  body: (visit: (client?: MadeCertificate, fields?: Fields) => Promise<Fields>, front: TestFront) => Promise<void>,
): Promise<void> {
  const backend = http.createServer((request, response) => response.end(JSON.stringify(request.headers)));
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const address = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
  const group: Group = { id: 'app', name: 'old', onDemand: false, backend: address, ...(clientCert && { clientCert }) };
  try {
    await withFront({ groups: [group], processes: [] }, async (front) => {
      front.front.tls(STATE);
      const { port } = await front.front.listen({ port: 0, host: '127.0.0.1' }, ORIGIN);
      await body(async (client, fields = {}) => {
        const options = { cert: client?.cert, key: client?.key, headers: { host: 'shop.test', ...fields } };
        const request = https.get({
          host: '127.0.0.1', port, servername: 'shop.test', ca: authority.cert, agent: false, ...options,
        });
        const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
        let text = '';
        for await (const chunk of answer) text += String(chunk);
        return JSON.parse(text) as Fields;
      }, front);
    });
  } finally {
    backend.closeAllConnections();
    backend.close();
  }
}

/** Some versions of Node 24 tell a server no more than the client's own certificate. */
async function knowsChain(): Promise<boolean> {
  const listener = tls.createServer({ ...server, ca: authority.cert, requestCert: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const options = { ...aliceWithChain, port, host: '127.0.0.1', servername: 'shop.test', ca: authority.cert };
  const client = tls.connect(options);
  try {
    const [socket] = (await once(listener, 'secureConnection')) as [tls.TLSSocket];
    return socket.getPeerCertificate(true).issuerCertificate !== undefined;
  } finally {
    client.destroy();
    listener.close();
  }
}

const aliceWithChain = { ...alice, cert: alice.cert + middle.cert };
const FORGED = { 'Client-Cert': ':Zm9yZ2Vk:', 'client-cert-chain': ':Zm9yZ2Vk:', 'x-kept': '1' };

function bytesOf(cert: string): string {
  return `:${new X509Certificate(cert).raw.toString('base64')}:`;
}

test('a backend is told of a trusted certificate, with the chain where asked (RFC 9440)', async () => {
  await withBackend('leaf', async (visit) => {
    const fields = await visit(aliceWithChain);
    assert.equal(fields['client-cert'], bytesOf(alice.cert));
    assert.equal(fields['client-cert-chain'], undefined);
  });
  await withBackend('chain', async (visit) => {
    const fields = await visit(aliceWithChain, FORGED);
    assert.equal(fields['client-cert'], bytesOf(alice.cert));
    const chain = (await knowsChain()) ? `${bytesOf(middle.cert)}, ${bytesOf(authority.cert)}` : undefined;
    assert.equal(fields['client-cert-chain'], chain);
    assert.equal(fields['x-kept'], '1');
  });
});

test('a backend is told nothing without a trusted certificate, whatever the client says', async () => {
  await withBackend('chain', async (visit, { front }) => {
    for (const client of [undefined, mallory]) {
      const fields = await visit(client, FORGED);
      const seen = [fields['client-cert'], fields['client-cert-chain'], fields['x-kept']];
      assert.deepEqual(seen, [undefined, undefined, '1']);
    }
    front.tls({ ...STATE, clientTrust: {} });
    assert.equal((await visit(alice, FORGED))['client-cert'], undefined);
  });
  await withBackend(undefined, async (visit) => {
    assert.equal((await visit(aliceWithChain, FORGED))['client-cert'], undefined);
  });
});

test('an app never sees the fields of a client, over HTTP/1.1 and HTTP/2, nor as trailers', async () => {
  await withFront({}, async (front) => {
    front.front.tls(STATE);
    const { port } = await front.front.listen({ port: 0, host: '127.0.0.1' }, ORIGIN);
    const app = await front.join();
    app.onRequest = (channel, request) => app.answer(channel, JSON.stringify(request.fields));
    const client = front.client();
    client.get('/', 'Client-Cert: :Zm9yZ2Vk:\r\nCLIENT-CERT-CHAIN: :Zm9yZ2Vk:\r\nClient-Certificate: kept\r\n');
    assert.doesNotMatch(await client.until(']'), /client-cert(-chain)?"/i);
    client.get('/', 'Client_Cert: x\r\n');
    await client.until('HTTP/1.1 400');
    const session = http2.connect(`https://127.0.0.1:${port}`, { servername: 'shop.test', ca: authority.cert });
    const stream = session.request({ ':path': '/', ':authority': 'shop.test', ...FORGED });
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    assert.match(text, /x-kept/);
    assert.doesNotMatch(text, /client-cert/);
    const posted = session.request(
      { ':path': '/', ':method': 'POST', ':authority': 'shop.test' }, { waitForTrailers: true },
    );
    posted.on('wantTrailers', () => posted.sendTrailers({ 'client-cert': ':Zm9yZ2Vk:' }));
    app.onRequest = () => {};
    posted.end('x');
    const [headers] = (await once(posted, 'response')) as [http2.IncomingHttpHeaders];
    assert.equal(headers[':status'], 400);
    session.destroy();
  });
});
