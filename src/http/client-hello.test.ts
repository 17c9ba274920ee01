import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as tls from 'node:tls';
import { Duplex } from 'node:stream';
import { once } from 'node:events';
import { CLIENT_HELLO_BYTES_MAX, readClientHello } from './client-hello.ts';

/** The first bytes that node's client sends. */
async function helloFor(servername: string): Promise<Buffer> {
  const sent: Buffer[] = [];
  const wire = new Duplex({
    read: () => {},
    write(chunk: Buffer, _encoding, done) {
      sent.push(chunk);
      this.emit('sent');
      done();
    },
  });
  const arrived = once(wire, 'sent');
  const socket = tls.connect({ socket: wire, ...(servername === '' ? {} : { servername }) });
  socket.on('error', () => socket.destroy());
  await arrived;
  socket.destroy();
  return Buffer.concat(sent);
}

/** The same handshake message in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 5; at < hello.length; at += size) {
    const part = hello.subarray(at, at + size);
    parts.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(parts);
}

test('the name is found, whole, at every split and over several records', async () => {
  const hello = await helloFor('Shop.Example');
  const found = { kind: 'hello', servername: 'shop.example' };
  assert.deepEqual(readClientHello(hello), found);
  for (let length = 0; length < hello.length; length++) {
    assert.deepEqual(readClientHello(hello.subarray(0, length)), { kind: 'more' }, `${length} bytes`);
  }
  for (const size of [1, 7, 100]) assert.deepEqual(readClientHello(inRecords(hello, size)), found);
});

test('a hello without a name has the empty one', async () => {
  assert.deepEqual(readClientHello(await helloFor('')), { kind: 'hello', servername: '' });
});

test('what is no TLS is known by its first byte', () => {
  for (const text of ['GET / HTTP/1.1\r\n', '\x15\x03\x01', '\x80\x2e\x01']) {
    assert.deepEqual(readClientHello(Buffer.from(text, 'latin1')), { kind: 'not-tls' });
  }
});

test('a hello that cannot be read is left to the handshake, and never waited for without end', async () => {
  const nameless = { kind: 'hello', servername: '' };
  const hello = await helloFor('shop.example');
  const noHello = Buffer.from(hello);
  noHello[5] = 2;
  assert.deepEqual(readClientHello(noHello), nameless);
  const tooLong = Buffer.from(hello);
  tooLong.writeUIntBE(0xffffff, 6, 3);
  assert.deepEqual(readClientHello(tooLong), nameless);
  const slow = inRecords(Buffer.concat([Buffer.alloc(5), Buffer.from([1, 0, 0x3f, 0xf0]), Buffer.alloc(10_000)]), 1);
  assert.deepEqual(readClientHello(slow.subarray(0, CLIENT_HELLO_BYTES_MAX)), nameless);
  // Every byte of it may be wrong.
  for (let at = 5; at < hello.length; at++) {
    for (const value of [0x00, 0x7f, 0xff]) {
      const broken = Buffer.from(hello);
      broken[at] = value;
      assert.notEqual(readClientHello(broken).kind, 'not-tls');
    }
  }
});
