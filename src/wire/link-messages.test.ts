import { test } from 'node:test';
import assert from 'node:assert/strict';
import { FrameReader, FrameWriter } from './frame.ts';
import {
  decodeEnd,
  decodeJson,
  decodeRequest,
  encodeEnd,
  encodeRequest,
  LINK,
  type LinkRequest,
} from './link-messages.ts';

/** Writes with `write` and returns what `decode` makes of the one frame. */
function roundTrip<Result>(
  write: (writer: FrameWriter) => void,
  decode: (buffer: Buffer, start: number, end: number) => Result,
): { type: number; channel: number; value: Result } {
  const chunks: Buffer[] = [];
  const sink = { cork: () => {}, uncork: () => {}, write: (chunk: Buffer) => chunks.push(chunk) > 0 };
  const writer = new FrameWriter(sink);
  write(writer);
  writer.flush();
  const results: { type: number; channel: number; value: Result }[] = [];
  const reader = new FrameReader((type, channel, buffer, start, end) => {
    results.push({ type, channel, value: decode(buffer, start, end) });
  });
  reader.push(Buffer.concat(chunks));
  assert.equal(results.length, 1);
  return results[0]!;
}

const PLAIN: LinkRequest = {
  version: 11,
  method: 'GET',
  target: '/a?b=c',
  fields: ['Host', 'x', 'X-Empty', '', 'X-Latin', 'caf\u00e9', 'x-latin', 'again'],
  ended: true,
  upgrade: false,
  local: false,
};

test('a request keeps its fields in order and case', () => {
  const { type, channel, value } = roundTrip((writer) => encodeRequest(writer, 5, PLAIN), decodeRequest);
  assert.equal(type, LINK.REQUEST);
  assert.equal(channel, 5);
  assert.deepEqual(value, PLAIN);
});

test('a request without fields stays without fields', () => {
  const bare = { ...PLAIN, fields: [] };
  assert.deepEqual(roundTrip((writer) => encodeRequest(writer, 1, bare), decodeRequest).value, bare);
});

test('the first request of a channel says where the client is', () => {
  const origin = { remoteAddress: '::1', remotePort: 9, localAddress: '::1', localPort: 80, encrypted: true };
  const first = { ...PLAIN, origin };
  assert.deepEqual(roundTrip((writer) => encodeRequest(writer, 1, first), decodeRequest).value, first);
});

test('every combination of flags survives', () => {
  for (let bits = 0; bits < 8; bits++) {
    const request = { ...PLAIN, ended: (bits & 1) > 0, upgrade: (bits & 2) > 0, local: (bits & 4) > 0 };
    assert.deepEqual(roundTrip((writer) => encodeRequest(writer, 1, request), decodeRequest).value, request);
  }
});

test('END carries trailers or nothing', () => {
  for (const trailers of [[], ['Digest', 'abc'], ['A', '', 'B', 'x']]) {
    assert.deepEqual(roundTrip((writer) => encodeEnd(writer, 2, trailers), decodeEnd).value, trailers);
  }
});

test('control frames are JSON', () => {
  const hello = { version: 1, pid: 7, key: 'k' };
  const { value } = roundTrip((writer) => writer.json(LINK.HELLO, 0, hello), decodeJson);
  assert.deepEqual(value, hello);
});

test('what the handshake settled travels with the origin', () => {
  const tls = {
    protocol: 'TLSv1.3',
    cipher: { name: 'TLS_AES_128_GCM_SHA256', standardName: 'TLS_AES_128_GCM_SHA256', version: 'TLSv1/SSLv3' },
    servername: 'caf\u00e9\u{1f600}.test\0',
    alpn: 'h2',
    client: { error: 'CERT_HAS_EXPIRED', chain: ['AAAA', 'BBBB'] },
  };
  const origin = {
    remoteAddress: '::1', remotePort: 9, localAddress: '::1', localPort: 443, encrypted: true, tls,
  };
  const first = { ...PLAIN, origin };
  assert.deepEqual(roundTrip((writer) => encodeRequest(writer, 1, first), decodeRequest).value, first);
});
