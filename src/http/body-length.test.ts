import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentLengthOf, requestBody, responseBody } from './body-length.ts';

function kindOf(body: { kind: string; length?: number }): string {
  return body.kind === 'length' ? String(body.length) : body.kind;
}

test('contentLengthOf takes digits below 2^53 and nothing else', () => {
  const table: [string, number][] = [
    ['0', 0], ['5', 5], ['0012', 12], ['9007199254740991', 9_007_199_254_740_991],
    ['9007199254740992', -1], ['99999999999999999', -1], ['00000000000000001', -1], ['', -1],
    ['+5', -1], ['-5', -1], ['0x5', -1], ['5.0', -1], ['5 ', -1], ['5,5', -1], ['٥', -1], ['1e3', -1],
  ];
  for (const [value, length] of table) assert.equal(contentLengthOf(value), length, value);
});

test('requestBody decides by the fields and the version', () => {
  const table: [number, string | null, string | null, string][] = [
    [11, null, null, 'none'],
    [11, '0', null, 'none'],
    [11, '7', null, '7'],
    [10, '7', null, '7'],
    [11, '7, 7', null, 'bad'],
    [11, null, 'chunked', 'chunked'],
    [11, null, 'CHUNKED', 'chunked'],
    [10, null, 'chunked', 'bad'],
    [11, '0', 'chunked', 'bad'],
    [11, null, '', 'bad'],
    [11, null, 'identity', 'bad'],
    [11, null, 'gzip, chunked', 'bad'],
  ];
  for (const [version, contentLength, transferEncoding, kind] of table) {
    const body = requestBody(version, { contentLength, transferEncoding });
    assert.equal(kindOf(body), kind, `${version} ${contentLength} ${transferEncoding}`);
  }
});

test('responseBody decides by status, method, version and fields', () => {
  const table: [number, string, number, string | null, string | null, string][] = [
    [200, 'GET', 11, null, null, 'close'],
    [200, 'GET', 11, '0', null, 'none'],
    [200, 'GET', 11, '7', null, '7'],
    [200, 'HEAD', 11, '7', null, 'none'],
    [200, 'HEAD', 11, null, 'chunked', 'none'],
    [100, 'GET', 11, null, null, 'none'],
    [101, 'GET', 11, '7', null, 'none'],
    [204, 'GET', 11, '7', null, 'none'],
    [304, 'GET', 11, '7', null, 'none'],
    [200, 'CONNECT', 11, '7', null, 'none'],
    [403, 'CONNECT', 11, '7', null, '7'],
    [200, 'GET', 11, null, 'chunked', 'chunked'],
    [200, 'GET', 11, '7', 'chunked', 'chunked'],
    [200, 'GET', 10, null, 'chunked', 'bad'],
    [200, 'GET', 11, null, 'identity', 'close'],
    [200, 'GET', 11, '7', 'identity', '7'],
    [200, 'GET', 11, null, 'gzip', 'bad'],
    [200, 'GET', 11, 'x', null, 'bad'],
    [200, 'GET', 11, '7, 7', null, 'bad'],
  ];
  for (const [status, requestMethod, version, contentLength, transferEncoding, kind] of table) {
    const body = responseBody({ status, requestMethod, version }, { contentLength, transferEncoding });
    assert.equal(kindOf(body), kind, `${status} ${requestMethod} ${contentLength} ${transferEncoding}`);
  }
});
