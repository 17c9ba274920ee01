// What a listener does with its certificates does not show: one, several that are alike, several kinds of keys. Each
// case goes its own way through tls-servers.ts and tls-door.ts.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { made, type MadeCertificate } from '../../test/made-certificates.ts';
import type { TlsCertificate } from '../wire/tls-messages.ts';
import {
  authority, closeOf, nameShown, ORIGIN, other, serverCertificate, shake, shop, shopRsa, star, stateOf, visit, withTls,
} from './tls.test.support.ts';

const middle = made('Middle', { issuer: authority.issuer, isAuthority: true });

function withMiddle(name: string): MadeCertificate {
  const one = made(name, { issuer: middle.issuer, names: [name] });
  return { ...one, cert: one.cert + middle.cert };
}

const LISTENERS: Record<string, TlsCertificate[]> = {
  'one certificate': [{ names: ['shop.test'], pairs: [shop] }],
  'one certificate with two kinds of keys': [{ names: ['shop.test'], pairs: [shop, shopRsa] }],
  'certificates of one kind': [
    { names: ['shop.test'], pairs: [shop] },
    { names: ['*.wild.test'], pairs: [star] },
    { names: ['other.test', 'also.test'], pairs: [other] },
  ],
  'certificates of one kind with issuers': [
    { names: ['shop.test'], pairs: [withMiddle('shop.test')] },
    { names: ['*.wild.test'], pairs: [withMiddle('*.wild.test')] },
  ],
  'certificates of several kinds': [
    { names: ['shop.test'], pairs: [shop, shopRsa] },
    { names: ['*.wild.test'], pairs: [serverCertificate('*.wild.test', 'rsa')] },
  ],
  'certificates with and without issuers': [
    { names: ['shop.test'], pairs: [withMiddle('shop.test')] },
    { names: ['*.wild.test'], pairs: [star] },
  ],
};

/** What a client got to see, the first its own, as it was sent. */
async function chainSent(port: number, servername: string): Promise<string[]> {
  const socket = tls.connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const names: string[] = [];
  for (let one = socket.getPeerX509Certificate(); one !== undefined; one = one.issuerCertificate) {
    names.push(one.subject.replace('CN=', ''));
  }
  socket.destroy();
  return names;
}

/** All that comes for what a client sends at once. */
async function answerTo(port: number, bytes: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  socket.write(bytes, 'latin1');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

for (const [what, certificates] of Object.entries(LISTENERS)) {
  const state = stateOf({ certificates, handshake: { ...stateOf().handshake, http2: true } });

  test(`${what}: each name is shown its own, and nothing of another`, async () => {
    await withTls(state, async (_front, port) => {
      for (const servername of ['shop.test', 'a.wild.test', 'OTHER.test', 'also.test', 'nobody.test', '']) {
        const name = servername.toLowerCase();
        const fits = certificates.find(({ names }) => names.includes(name.replace(/^a\./, '*.'))) ?? certificates[0]!;
        const chain = [fits.names[0]!, ...(fits.pairs[0]!.cert.includes(middle.cert) ? ['Middle'] : [])];
        assert.deepEqual(await chainSent(port, servername), chain, servername);
      }
    });
  });

  test(`${what}: plain HTTP is told that the port speaks https`, async () => {
    await withTls(state, async (front, port) => {
      for (const line of ['GET / HTTP/1.1', 'OPTIONS * HTTP/1.1', 'PRI * HTTP/2.0']) {
        const answer = await answerTo(port, `${line}\r\nHost: x\r\n\r\n`);
        assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n[^]*This port speaks https, not http\.\n$/);
      }
      assert.equal(front.front.report().connections, 0);
    });
  });

  test(`${what}: who ends in the middle of a handshake is let go`, async () => {
    await withTls(state, async (_front, port) => {
      // Nothing, a part of a record, a record that is no hello.
      for (const bytes of ['', '\x16\x03\x01', '\x16\x03\x01\x00\x05\x01\x00\x00\x80\x03']) {
        const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        socket.on('error', () => socket.destroy());
        socket.end(bytes, 'latin1');
        socket.resume();
        await once(socket, 'end');
        socket.destroy();
        await closeOf(socket);
      }
      assert.equal(await nameShown({ port, rejectUnauthorized: false }), 'CN=shop.test');
    });
  });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`${what}: a client of a second name is served, resumed and understood, ${version}`, async () => {
      await withTls(state, async (front, port) => {
        const options = {
          port, servername: 'a.wild.test', rejectUnauthorized: false, maxVersion: version, ALPNProtocols: ['http/1.1'],
        };
        const first = await visit(front, options);
        assert.match(first.answer, /hello$/);
        const { protocol, servername, alpn } = first.origin.tls!;
        assert.deepEqual([protocol, servername, alpn], [version, 'a.wild.test', 'http/1.1']);
        const again = await shake({ ...options, session: first.session });
        assert.equal(again.isSessionReused(), true);
        again.destroy();
        const both = await shake({ ...options, ALPNProtocols: ['http/1.1', 'h2'] });
        assert.equal(both.alpnProtocol, 'h2');
        both.destroy();
      });
    });
  }

  test(`${what}: a client may end its half behind its request`, async () => {
    await withTls(state, async (front, port) => {
      const app = await front.join();
      const client = await shake({ port, rejectUnauthorized: false, allowHalfOpen: true } as tls.ConnectionOptions & {
        port: number;
      });
      client.end('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
      const { channel } = await app.request();
      app.answer(channel, 'late');
      let answer = '';
      for await (const chunk of client) answer += String(chunk);
      assert.match(answer, /late$/);
    });
  });
}

test('a certificate that cannot be used fails its own name only', async () => {
  const certificates = [
    { names: ['shop.test'], pairs: [shop] },
    { names: ['other.test'], pairs: [{ cert: other.cert, key: shop.key }] },
  ];
  await withTls(stateOf({ certificates }), async (_front, port) => {
    await assert.rejects(shake({ port, servername: 'other.test' }));
    assert.equal(await nameShown({ port, servername: 'shop.test' }), 'CN=shop.test');
  });
});

test('a client certificate is judged by the same authorities under each name', async () => {
  const certificates = LISTENERS['certificates of one kind']!;
  const clients = made('Clients', { isAuthority: true });
  const { cert, key } = made('alice', { issuer: clients.issuer, usages: ['clientAuth'] });
  const clientTrust = { [ORIGIN]: { mode: 'request' as const, authorities: [clients.cert], revocationLists: [] } };
  await withTls(stateOf({ certificates, clientTrust }), async (front, port) => {
    for (const servername of ['shop.test', 'a.wild.test', 'other.test']) {
      const known = await visit(front, { port, servername, cert, key });
      assert.equal(known.origin.tls?.client?.error, '');
      const stranger = await visit(front, { port, servername, ...made('self') });
      assert.equal(stranger.origin.tls?.client?.error, 'DEPTH_ZERO_SELF_SIGNED_CERT');
    }
  });
});
