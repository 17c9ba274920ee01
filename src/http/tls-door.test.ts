import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { X509Certificate } from 'node:crypto';
import {
  explicitlyTrusted, inDays, made, madeAuthority, madeRevocationList, pem, type MadeCertificate,
} from '../../test/made-certificates.ts';
import type { ClientTrust, TlsState } from '../wire/tls-messages.ts';
import {
  authority, closeOf, nameShown, ORIGIN, other, shake, stateOf, visit, withTls,
} from './tls.test.support.ts';

test('a request over TLS is answered, and the app learns of the handshake', async () => {
  await withTls(stateOf(), async (front, port) => {
    const { answer, origin } = await visit(front, { port });
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*hello$/);
    assert.equal(origin.encrypted, true);
    assert.equal(origin.localPort, port);
    assert.equal(origin.tls?.protocol, 'TLSv1.3');
    assert.equal(origin.tls.servername, 'shop.test');
    assert.equal(origin.tls.alpn, '');
    assert.match(origin.tls.cipher.name, /^TLS_/);
    assert.equal(origin.tls.client, undefined);
  });
});

test('the certificate is chosen by name: exact, wildcard, the first one for everybody else', async () => {
  await withTls(stateOf(), async (_front, port) => {
    assert.equal(await nameShown({ port, servername: 'SHOP.test' }), 'CN=shop.test');
    assert.equal(await nameShown({ port, servername: 'a.wild.test' }), 'CN=*.wild.test');
    assert.equal(await nameShown({ port, servername: 'a.b.wild.test' }), 'CN=shop.test');
    assert.equal(await nameShown({ port, servername: 'nobody.test' }), 'CN=shop.test');
    assert.equal(await nameShown({ port, servername: '' }), 'CN=shop.test');
  });
});

test('a certificate named * or for the listener goes before the first', async () => {
  const certificates = [...stateOf().certificates, { names: ['*'], pairs: [other] }];
  await withTls(stateOf({ certificates }), async (_front, port) => {
    assert.equal(await nameShown({ port, servername: '' }), 'CN=other.test');
    assert.equal(await nameShown({ port, servername: 'nobody.test' }), 'CN=other.test');
    assert.equal(await nameShown({ port, servername: 'shop.test' }), 'CN=shop.test');
    // The other kind of key of another name is not among what a name has.
    const ciphers = 'ECDHE-RSA-AES128-GCM-SHA256';
    await assert.rejects(shake({ port, servername: 'a.wild.test', ciphers, maxVersion: 'TLSv1.2' }));
  });
  const forListener = [...stateOf().certificates, { names: [ORIGIN], pairs: [other] }];
  await withTls(stateOf({ certificates: forListener }), async (_front, port) => {
    assert.equal(await nameShown({ port, servername: '' }), 'CN=other.test');
    assert.equal(await nameShown({ port, servername: 'a.wild.test' }), 'CN=*.wild.test');
  });
});

test('a client gets the kind of key that it can verify', async () => {
  await withTls(stateOf(), async (_front, port) => {
    const kind = async (ciphers: string): Promise<string> => {
      const socket = await shake({ port, ciphers, maxVersion: 'TLSv1.2' });
      const { asymmetricKeyType } = socket.getPeerX509Certificate()!.publicKey;
      socket.destroy();
      return asymmetricKeyType!;
    };
    assert.equal(await kind('ECDHE-ECDSA-AES128-GCM-SHA256'), 'ec');
    assert.equal(await kind('ECDHE-RSA-AES128-GCM-SHA256'), 'rsa');
  });
});

test('TLS 1.2 and 1.3 are spoken, 1.1 is not; a setting leaves 1.3 only', async () => {
  await withTls(stateOf(), async (_front, port) => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await shake({ port, minVersion: version, maxVersion: version });
      assert.equal(socket.getProtocol(), version);
      socket.destroy();
    }
    const old = { minVersion: 'TLSv1' as const, maxVersion: 'TLSv1.1' as const, ciphers: 'ALL:@SECLEVEL=0' };
    await assert.rejects(shake({ port, ...old }));
  });
  const only13 = stateOf({ handshake: { ...stateOf().handshake, minVersion: 'TLSv1.3' } });
  await withTls(only13, async (_front, port) => {
    await assert.rejects(shake({ port, maxVersion: 'TLSv1.2' }));
  });
  const only12 = stateOf({ handshake: { ...stateOf().handshake, maxVersion: 'TLSv1.2' } });
  await withTls(only12, async (_front, port) => {
    const socket = await shake({ port });
    assert.equal(socket.getProtocol(), 'TLSv1.2');
    socket.destroy();
    await assert.rejects(shake({ port, minVersion: 'TLSv1.3' }));
  });
});

test('a listener has the versions, ciphers, curves and protocols that are its own', async () => {
  const own = {
    minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384', curves: 'secp384r1',
    http2: true,
  } as const;
  await withTls(stateOf({ ownHandshakes: { [ORIGIN]: own } }), async (_front, port) => {
    const socket = await shake({ port, ALPNProtocols: ['h2', 'http/1.1'] });
    assert.equal(socket.getProtocol(), 'TLSv1.2');
    assert.equal(socket.getCipher().name, own.ciphers);
    assert.equal((socket.getEphemeralKeyInfo() as { name?: string }).name, 'secp384r1');
    assert.equal(socket.alpnProtocol, 'h2');
    socket.destroy();
    await assert.rejects(shake({ port, ecdhCurve: 'prime256v1' }));
    await assert.rejects(shake({ port, minVersion: 'TLSv1.3' }));
  });
  await withTls(stateOf({ ownHandshakes: { 'https://127.0.0.1:1': own } }), async (_front, port) => {
    const socket = await shake({ port, ALPNProtocols: ['h2', 'http/1.1'] });
    assert.deepEqual([socket.getProtocol(), socket.alpnProtocol], ['TLSv1.3', 'http/1.1']);
    socket.destroy();
  });
});

test('renegotiation is refused: neither a handshake nor a request comes of it', async () => {
  await withTls(stateOf(), async (front, port) => {
    const client = await shake({ port, maxVersion: 'TLSv1.2' });
    const app = await front.join();
    client.write('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
    const { channel } = await app.request();
    app.answer(channel, 'before');
    assert.match(String((await once(client, 'data'))[0]), /before$/);
    const closed = closeOf(client);
    const error = await new Promise<Error | null>((resolve) => {
      client.on('error', resolve);
      client.renegotiate({}, resolve);
    });
    assert.match(String(error), /no renegotiation/i);
    await closed;
    assert.equal(await nameShown({ port }), 'CN=shop.test');
  });
});

test('a new certificate is shown at the next handshake, and connections that stand go on', async () => {
  await withTls(stateOf(), async (front, port) => {
    const app = await front.join();
    const client = await shake({ port });
    front.front.tls(stateOf({ certificates: [{ names: ['shop.test'], pairs: [other] }] }));
    assert.equal(await nameShown({ port, servername: 'shop.test' }), 'CN=other.test');
    client.write('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
    const { channel } = await app.request();
    app.answer(channel, 'still here');
    const [chunk] = await once(client, 'data');
    assert.match(String(chunk), /still here$/);
    client.destroy();
  });
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a session is resumed with ${version} by every front that has the same keys`, async () => {
    await withTls(stateOf(), async (one, onePort) => {
      await withTls(stateOf(), async (_two, twoPort) => {
        const { session } = await visit(one, { port: onePort, maxVersion: version });
        const again = await shake({ port: twoPort, maxVersion: version, session });
        assert.equal(again.isSessionReused(), true);
        again.destroy();
        _two.front.tls(stateOf({ ticketKeys: Buffer.alloc(48, 8).toString('base64') }));
        const afterRotation = await shake({ port: twoPort, maxVersion: version, session });
        assert.equal(afterRotation.isSessionReused(), false);
        afterRotation.destroy();
      });
    });
  });
}

test('without any certificate a connection is cut', async () => {
  await withTls(stateOf({ certificates: [] }), async (_front, port) => {
    await assert.rejects(shake({ port }));
  });
});

test('a handshake that takes too long is cut, and so are those beyond the limit', async () => {
  const limits = { tlsHandshakeTimeoutMs: 5000, tlsHandshakesMax: 1 };
  await withTls(stateOf(), async (front, port) => {
    const slow = net.connect(port, '127.0.0.1');
    slow.on('error', () => slow.destroy());
    await once(slow, 'connect');
    // The second is accepted after the first.
    const second = net.connect(port, '127.0.0.1');
    second.on('error', () => second.destroy());
    second.resume();
    await closeOf(second);
    assert.equal(front.front.report().connections, 1);
    const closed = closeOf(slow);
    slow.resume();
    // A byte now and then does not put it off.
    slow.write(Buffer.from([0x16]));
    front.clock.advance(5001);
    await closed;
    assert.equal(await nameShown({ port }), 'CN=shop.test');
  }, limits);
});

test('plain HTTP on an https listener and a broken handshake leave the front as it was', async () => {
  await withTls(stateOf(), async (front, port) => {
    for (const bytes of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', '\x16\x03\x01\x00\x05hello', '\0'.repeat(500)]) {
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', () => socket.destroy());
      socket.resume();
      socket.write(bytes, 'latin1');
      await closeOf(socket);
    }
    const { answer } = await visit(front, { port });
    assert.match(answer, /hello$/);
  });
});

test('draining ends handshakes and lets requests finish', async () => {
  await withTls(stateOf(), async (front, port) => {
    const app = await front.join();
    const client = await shake({ port });
    client.write('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
    const { channel } = await app.request();
    const drained = front.front.drain(10_000);
    app.answer(channel, 'last');
    let answer = '';
    for await (const chunk of client) answer += String(chunk);
    assert.match(answer, /Connection: close[^]*last$/);
    await drained;
  });
});

// Client certificates.

const clientAuthority = madeAuthority('Client authority');
const foreign = madeAuthority('Foreign authority');
const SERIAL = Buffer.from([0x11, 0x22]);
const alice = made('alice', { issuer: clientAuthority.issuer, usages: ['clientAuth'], serial: SERIAL });

function trust(mode: ClientTrust['mode'], changes: Partial<ClientTrust> = {}): Partial<TlsState> {
  const whole = { mode, authorities: [clientAuthority.cert], revocationLists: [], ...changes };
  return { clientTrust: { [ORIGIN]: whole } };
}

const middle = made('Middle', { issuer: clientAuthority.issuer, isAuthority: true });
const foreignMiddle = made('Foreign middle', { issuer: foreign.issuer, isAuthority: true });
/** Signs others, and its own certificate says that it may not. */
const pretender = made('Pretender', { issuer: clientAuthority.issuer, maySign: true });

function withChain(client: MadeCertificate, ...issuers: MadeCertificate[]): MadeCertificate {
  return { ...client, cert: [client, ...issuers].map(({ cert }) => cert).join('') };
}

const FAULTS: { what: string; client: MadeCertificate; error: string; trust?: Partial<ClientTrust> }[] = [
  { what: 'a good certificate', client: alice, error: '' },
  {
    what: 'an expired one', error: 'CERT_HAS_EXPIRED',
    client: made('old', { issuer: clientAuthority.issuer, notBefore: inDays(-9), notAfter: inDays(-2) }),
  },
  {
    what: 'one of tomorrow', error: 'CERT_NOT_YET_VALID',
    client: made('new', { issuer: clientAuthority.issuer, notBefore: inDays(1) }),
  },
  {
    what: 'one for servers', error: 'INVALID_PURPOSE',
    client: made('server', { issuer: clientAuthority.issuer, usages: ['serverAuth'] }),
  },
  { what: 'one signed by itself', error: 'DEPTH_ZERO_SELF_SIGNED_CERT', client: made('self') },
  {
    what: 'one of an unknown authority', error: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    client: made('x', { issuer: foreign.issuer }),
  },
  {
    what: 'one whose chain ends in an unknown root', error: 'SELF_SIGNED_CERT_IN_CHAIN',
    client: withChain(made('x', { issuer: foreign.issuer }), foreign),
  },
  {
    what: 'one whose chain ends at somebody unknown', error: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    client: withChain(made('x', { issuer: foreignMiddle.issuer }), foreignMiddle),
  },
  {
    what: 'one of a known authority whose own issuer is missing', error: 'UNABLE_TO_GET_ISSUER_CERT',
    client: made('x', { issuer: middle.issuer }), trust: { authorities: [middle.cert] },
  },
  {
    what: 'one of a trusted signer that is no authority', error: 'INVALID_CA',
    client: made('x', { issuer: pretender.issuer }),
    trust: { authorities: [clientAuthority.cert, explicitlyTrusted(pretender)] },
  },
  {
    what: 'one of a signer that is no authority', error: 'INVALID_PURPOSE',
    client: withChain(made('x', { issuer: pretender.issuer }), pretender),
  },
  {
    what: 'a forged one', error: 'CERT_SIGNATURE_FAILURE',
    client: ((): MadeCertificate => {
      const der = Buffer.from(new X509Certificate(alice.cert).raw);
      // The last byte of the signature.
      der[der.length - 1] = der.at(-1)! ^ 1;
      return { ...alice, cert: pem('CERTIFICATE', der) };
    })(),
  },
  {
    what: 'a revoked one', client: alice, error: 'CERT_REVOKED',
    trust: { revocationLists: [madeRevocationList(clientAuthority.issuer, [SERIAL])] },
  },
  {
    what: 'one without a revocation list of its issuer', client: alice, error: 'UNABLE_TO_GET_CRL',
    trust: { revocationLists: [madeRevocationList(foreign.issuer, [])] },
  },
  {
    what: 'one with a list that is too old', client: alice, error: 'CRL_HAS_EXPIRED',
    trust: {
      revocationLists: [madeRevocationList(clientAuthority.issuer, [], {
        thisUpdate: inDays(-9), nextUpdate: inDays(-2),
      })],
    },
  },
];

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const { what, client, error, trust: changes } of FAULTS) {
    test(`${version}: ${what} reaches the app with its verdict, also when the session is resumed`, async () => {
      await withTls(stateOf(trust('request', changes)), async (front, port) => {
        const options = { port, maxVersion: version, cert: client.cert, key: client.key };
        const first = await visit(front, options);
        assert.equal(first.origin.tls?.client?.error, error);
        const der = Buffer.from(first.origin.tls.client.chain[0]!, 'base64');
        assert.deepEqual(der, new X509Certificate(client.cert).raw);
        const second = await visit(front, { ...options, session: first.session });
        assert.equal(second.origin.tls?.client?.error, error);
        assert.deepEqual(second.origin.tls.client.chain[0], first.origin.tls.client.chain[0]);
      });
    });
  }

  test(`${version}: a client without a certificate is nobody, also when its session is resumed`, async () => {
    await withTls(stateOf(trust('request')), async (front, port) => {
      const first = await visit(front, { port, maxVersion: version });
      assert.equal(first.origin.tls?.client, undefined);
      const second = await visit(front, { port, maxVersion: version, session: first.session });
      assert.equal(second.origin.tls?.client, undefined);
    });
  });

  test(`${version}: "require" lets trusted certificates in and nothing else, whatever was resumed`, async () => {
    await withTls(stateOf(trust('request')), async (front, port) => {
      const anonymous = await visit(front, { port, maxVersion: version });
      const { cert, key } = made('self');
      const untrusted = await visit(front, { port, maxVersion: version, cert, key });
      front.front.tls(stateOf(trust('require')));
      const known = await visit(front, { port, maxVersion: version, cert: alice.cert, key: alice.key });
      assert.equal(known.origin.tls?.client?.error, '');
      for (const options of [
        {}, { cert, key }, { session: anonymous.session }, { cert, key, session: untrusted.session },
      ]) {
        const socket = tls.connect({
          host: '127.0.0.1', port, servername: 'shop.test', ca: authority.cert, maxVersion: version, ...options,
        });
        socket.on('error', () => socket.destroy());
        socket.resume();
        socket.write('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
        await closeOf(socket);
      }
    });
  });
}

test('a change of authorities is not outlived by sessions', async () => {
  await withTls(stateOf(trust('request')), async (front, port) => {
    const options = { port, cert: alice.cert, key: alice.key };
    const first = await visit(front, options);
    assert.equal(first.origin.tls?.client?.error, '');
    front.front.tls(stateOf(trust('request', { authorities: [foreign.cert] })));
    const second = await visit(front, { ...options, session: first.session });
    assert.equal(second.origin.tls?.client?.error, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });
});
