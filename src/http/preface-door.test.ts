import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import type { TlsState } from '../wire/tls-messages.ts';
import { withFront, type TestFront } from './front.test.support.ts';

const ORIGIN = 'http://127.0.0.1:0';
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

function stateOf(cleartextHttp2: string[]): TlsState {
  return {
    handshake: { minVersion: 'TLSv1.2', ciphers: '', curves: '', http2: true },
    certificates: [], clientTrust: {}, cleartextHttp2, ticketKeys: '',
  };
}

async function withCleartext(body: (front: TestFront) => Promise<void>, limits = {}): Promise<void> {
  await withFront({ limits }, async (front) => {
    front.front.tls(stateOf([ORIGIN]));
    const app = await front.join();
    app.onRequest = (channel, request) => app.answer(channel, `${request.version} ${request.target}`);
    await body(front);
  });
}

async function textOf(stream: http2.ClientHttp2Stream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

test('a plain listener takes HTTP/2 with prior knowledge where configured, and HTTP/1.1 beside it', async () => {
  await withCleartext(async (front) => {
    const session = http2.connect(`http://127.0.0.1:${front.port}`);
    assert.equal(await textOf(session.request({ ':path': '/one' })), '20 /one');
    assert.equal(await textOf(session.request({ ':path': '/two' })), '20 /two');
    session.destroy();
    const client = front.client();
    client.get('/three');
    await client.until('11 /three');
    client.get('/four');
    await client.until('11 /four');
  });
});

test('the preface may come byte by byte, and so may a request that begins like it', async () => {
  await withCleartext(async (front) => {
    const settings = Buffer.from('000000040000000000', 'hex');
    const client = front.client();
    await once(client.socket, 'connect');
    for (const byte of Buffer.concat([Buffer.from(PREFACE), settings])) {
      client.socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.bytes(9);
    assert.equal(client.received.charCodeAt(3), 4, 'a SETTINGS frame');
    const other = front.client();
    other.write('PR');
    await new Promise((resolve) => setImmediate(resolve));
    other.write('OPFIND /x HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await other.until('11 /x');
  });
});

test('a client that says nothing is cut in time, one that says nonsense is answered', async () => {
  await withCleartext(async (front) => {
    const silent = front.client();
    await once(silent.socket, 'connect');
    const nonsense = front.client();
    nonsense.write('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n');
    assert.match(await nonsense.rest(), /^HTTP\/1\.1 (?:400|505)/);
    front.pass(1000);
    await silent.rest();
  }, { headTimeoutMs: 1000 });
});

test('without the setting the preface is refused as HTTP/1.1', async () => {
  await withCleartext(async (front) => {
    front.front.tls(stateOf([]));
    const client = front.client();
    client.write(PREFACE);
    assert.match(await client.rest(), /^HTTP\/1\.1 (?:400|505)/);
  });
});
