import { test } from 'node:test';
import assert from 'node:assert/strict';
import { parseProxyHeader, PROXY_HEADER_BYTES_MAX, type ProxyHeaderResult } from './proxy-header.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';

/** A version 2 header from hexadecimal parts: version and command, family, addresses and extensions. */
function binary(command: string, family: string, rest: string, length = rest.length / 2): string {
  const bytes = `${SIGNATURE}${command}${family}${length.toString(16).padStart(4, '0')}${rest}`;
  return Buffer.from(bytes, 'hex').toString('latin1');
}

const TCP4 = 'c00002010a0000011f900050';
const ENDS4 = { remoteAddress: '192.0.2.1', remotePort: 8080, localAddress: '10.0.0.1', localPort: 80 };
const TCP6 = `20010db8${'0'.repeat(23)}1${'0'.repeat(31)}10fa10050`;
const ENDS6 = { remoteAddress: '2001:db8::1', remotePort: 4001, localAddress: '::1', localPort: 80 };

const HEADERS: [string, object | null][] = [
  ['PROXY TCP4 192.0.2.1 10.0.0.1 8080 80\r\n', ENDS4],
  ['PROXY TCP6 2001:db8::1 ::1 4001 80\r\n', ENDS6],
  ['PROXY UNKNOWN\r\n', null],
  ['PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n', null],
  [binary('21', '11', TCP4), ENDS4],
  [binary('21', '11', `${TCP4}030004aabbccdd`), ENDS4],
  [binary('21', '21', TCP6), ENDS6],
  [binary('20', '00', ''), null],
  [binary('20', '11', TCP4), null],
  [binary('21', '00', 'ff'), null],
  [binary('21', '12', TCP4), null],
  [binary('21', '31', '00'.repeat(216)), null],
];

const BAD = [
  'GET / HTTP/1.1\r\n', 'PROXY\r\n', 'PROXY TCP4\r\n', 'proxy TCP4 192.0.2.1 10.0.0.1 8080 80\r\n',
  'PROXY TCP4 192.0.2.1 10.0.0.1 8080 80\n', 'PROXY TCP4 ::1 ::1 1 1\r\n', 'PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n',
  'PROXY TCP4 192.0.2.1 10.0.0.1 08080 80\r\n', 'PROXY TCP4 192.0.2.1 10.0.0.1 65536 80\r\n',
  'PROXY TCP4 192.0.2.1 10.0.0.1 -1 80\r\n', 'PROXY TCP4  192.0.2.1 10.0.0.1 1 80\r\n',
  'PROXY TCP4 192.0.2.1 10.0.0.1 1 80 \r\n', 'PROXY TCP6 fe80::1%1 ::1 1 1\r\n', 'PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n',
  `PROXY UNKNOWN ${'x'.repeat(100)}\r\n`,
  binary('11', '11', TCP4), binary('31', '11', TCP4), binary('22', '11', TCP4), binary('21', '11', TCP4.slice(2)),
  binary('21', '21', TCP4), binary('20', '00', '', PROXY_HEADER_BYTES_MAX),
];

function feed(text: string, sizeBytes: number): ProxyHeaderResult {
  const bytes = Buffer.from(text, 'latin1');
  for (let end = Math.min(sizeBytes, bytes.length); ; end = Math.min(end + sizeBytes, bytes.length)) {
    const result = parseProxyHeader(bytes.subarray(0, end));
    if (result.kind !== 'more' || end === bytes.length) return result;
  }
}

test('headers of both versions give the ends, whole and byte by byte, and leave what follows', () => {
  for (const [text, ends] of HEADERS) {
    for (const sizeBytes of [1, 7, 10_000]) {
      const result = feed(`${text}GET /`, sizeBytes);
      assert.deepEqual(result, { kind: 'header', bytes: text.length, ends }, JSON.stringify(text));
    }
  }
});

test('every start of a header waits for more', () => {
  for (const [text] of HEADERS) {
    for (let end = 0; end < text.length; end++) {
      assert.equal(feed(text.slice(0, end), 10_000).kind, 'more', JSON.stringify(text.slice(0, end)));
    }
  }
});

test('anything else is bad, whole and byte by byte', () => {
  for (const text of BAD) {
    for (const sizeBytes of [1, 10_000]) assert.equal(feed(text, sizeBytes).kind, 'bad', JSON.stringify(text));
  }
});
