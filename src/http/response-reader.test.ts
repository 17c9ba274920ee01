import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFailure } from '../base/assert.ts';
import { INFORMATIONAL_HEADS_MAX, RESPONSE_HEAD_BYTES_MAX, ResponseReader } from './response-reader.ts';
import { withFields, type HeadLines, type ResponseHead } from './received-head.ts';
import type { PushResult, ResponseSink } from './response-reader.ts';

/** Collects what a reader says; pieces of the body are put together. */
class RecordingSink implements ResponseSink {
  events: string[] = [];
  heads: ResponseHead[] = [];
  body = '';

  /** The lines of the last head, where it may go out as it came. */
  lines: HeadLines | undefined;

  informational(head: ResponseHead): void {
    this.events.push(`informational ${head.status}`);
    this.heads.push(withFields(head, head.fields));
  }

  head(head: ResponseHead): void {
    this.events.push(`head ${head.status}`);
    this.heads.push(withFields(head, head.fields));
    this.lines = head.lines;
  }

  data(slice: Buffer): void {
    assert.ok(slice.length > 0, 'no empty slices');
    if (this.body === '') this.events.push('data');
    this.body += slice.toString('latin1');
  }

  end(trailers: string[]): void {
    this.events.push(`end ${trailers.join(' ')}`.trimEnd());
  }
}

interface ReadResponse {
  result: string;
  finish: string;
  events: string[];
  body: string;
  heads: ResponseHead[];
}

function textOf(result: PushResult): string {
  return typeof result === 'string' ? result : `bad: ${result.message}`;
}

/** Reads pieces until one is not answered with `more`, then finishes. */
function read(method: string, pieces: readonly Buffer[]): ReadResponse {
  const sink = new RecordingSink();
  const reader = new ResponseReader(sink);
  reader.start(method);
  let result: PushResult = 'more';
  for (const piece of pieces) {
    result = reader.push(piece);
    if (result !== 'more' && result !== 'ended' && result !== 'upgraded') break;
  }
  const finish = reader.finish();
  return { result: textOf(result), finish, events: sink.events, body: sink.body, heads: sink.heads };
}

/** Reads a text whole and at every split, which must come to the same, and returns it. */
function readText(method: string, text: string): ReadResponse {
  const bytes = Buffer.from(text, 'latin1');
  const whole = read(method, [bytes]);
  for (let cut = 1; cut < bytes.length; cut++) {
    const split = read(method, [bytes.subarray(0, cut), bytes.subarray(cut)]);
    assert.deepEqual(split, whole, `cut at ${cut} of ${JSON.stringify(text)}`);
  }
  const single = read(method, Array.from(bytes, (byte) => Buffer.from([byte])));
  assert.deepEqual(single, whole, `byte by byte ${JSON.stringify(text)}`);
  return whole;
}

test('ResponseReader reads a response as node writes it', () => {
  const read = readText(
    'GET',
    'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-E:\r\n' +
      'Date: Sat, 21 Nov 2026 04:00:00 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n' +
      'Content-Length: 12\r\n\r\nHello world\n',
  );
  assert.deepEqual(read.events, ['head 200', 'data', 'end']);
  assert.equal(read.body, 'Hello world\n');
  assert.deepEqual(read.heads, [{
    status: 200,
    reason: 'OK',
    fields: [
      'Content-Type', 'text/plain', 'X-E', '', 'Date', 'Sat, 21 Nov 2026 04:00:00 GMT',
      'Content-Length', '12',
    ],
    body: { kind: 'length', length: 12 },
    closes: false,
    keepAliveMs: undefined,
    upgraded: false,
  }]);
});

test('ResponseReader tells how long the sender keeps its connection, but for the default of node', () => {
  const table: [string, number | undefined][] = [
    ['timeout=72', 72_000], ['Timeout=3, max=9', 3000], ['timeout=0', 0], ['timeout=5', undefined],
    ['timeout=5, max=9', undefined], ['max=9', undefined], ['timeout=-1', undefined], ['timeout=9x', undefined],
  ];
  for (const [value, expected] of table) {
    const { heads } = readText('GET', `HTTP/1.1 204 No Content\r\nKeep-Alive: ${value}\r\n\r\n`);
    assert.equal(heads[0]?.keepAliveMs, expected, value);
  }
});

test('ResponseReader lets a head go on as it came, without what is of its connection only', () => {
  const lineTable: [head: string, lines: string | null, hasDate?: boolean][] = [
    ['A: b\r\nConnection: keep-alive\r\nC: 0\r\nKeep-Alive: timeout=5\r\n', 'A: b\r\nC: 0\r\n'],
    ['Connection: close\r\nDATE: x\r\nTE: y\r\nC: \r\n', 'DATE: x\r\nC: \r\n', true],
    ['Transfer-Encoding: chunked\r\nA: b\r\n', 'A: b\r\n'],
    ['Connection: a\r\nA: b\r\n', null],
    ['Upgrade: h2c\r\nA: b\r\n', null],
    ['A:b\r\n', null],
    ['A:\tb\r\n', null],
    ['A: b \r\n', null],
    ['A:  b\r\n', null],
    ['Content-Length: 5\t\r\n', null],
    ['Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', null],
  ];
  for (const [head, lines, hasDate = false] of lineTable) {
    const sink = new RecordingSink();
    const reader = new ResponseReader(sink);
    reader.start('HEAD');
    assert.equal(reader.push(Buffer.from(`HTTP/1.1 200 OK\r\n${head}\r\n`)), 'ended', head);
    const text = lines === null ? undefined : { text: `HTTP/1.1 200 OK\r\n${lines}`, hasDate };
    assert.deepEqual(sink.lines && { text: sink.lines.text, hasDate: sink.lines.hasDate }, text, head);
  }
  for (const line of ['HTTP/1.0 200 OK', 'HTTP/1.1 200', 'HTTP/1.1 200 ']) {
    const sink = new RecordingSink();
    const reader = new ResponseReader(sink);
    reader.start('HEAD');
    assert.equal(reader.push(Buffer.from(`${line}\r\nA: b\r\n\r\n`)), 'ended', line);
    assert.equal(sink.lines, undefined, line);
  }
});

test('ResponseReader hands a small response over whole to who takes it, and nothing behind it', () => {
  class WholeSink extends RecordingSink {
    readonly takesWhole = true;

    whole(head: ResponseHead, body: string): void {
      this.events.push(`whole ${head.status} ${body}`);
    }
  }
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n';
  const table: [pieces: string[], events: string[], result: string][] = [
    [[`${head}abc`], ['whole 200 abc'], 'ended'],
    [[`${head}abcd`], ['whole 200 abc'], 'bad: more bytes than the response has'],
    [[`${head}ab`, 'c'], ['head 200', 'data', 'end'], 'ended'],
    [[head.slice(0, 20), `${head.slice(20)}abc`], ['head 200', 'data', 'end'], 'ended'],
    [['HTTP/1.1 100 Continue\r\n\r\n' + head + 'abc'], ['informational 100', 'whole 200 abc'], 'ended'],
  ];
  for (const [pieces, events, expected] of table) {
    const sink = new WholeSink();
    const reader = new ResponseReader(sink);
    reader.start('GET');
    let result: PushResult = 'more';
    for (const piece of pieces) result = reader.push(Buffer.from(piece));
    assert.equal(textOf(result), expected, pieces.join('|'));
    assert.deepEqual(sink.events, events, pieces.join('|'));
  }
});

test('ResponseReader unpacks chunks and trailers', () => {
  const { events, body, heads, result } = readText(
    'GET',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n' +
      '3\r\nabc\r\n1\r\nd\r\n0\r\nX: y\r\n\r\n',
  );
  assert.deepEqual(events, ['head 200', 'data', 'end X y']);
  assert.equal(body, 'abcd');
  assert.deepEqual(heads[0]!.fields, ['Trailer', 'X']);
  assert.equal(result, 'ended');
});

test('ResponseReader ends a body without a length with the connection', () => {
  const { events, body, heads, result, finish } = readText('GET', 'HTTP/1.0 200 OK\r\n\r\nabc');
  assert.deepEqual({ events, body, result, finish }, {
    events: ['head 200', 'data', 'end'], body: 'abc', result: 'more', finish: 'ended',
  });
  assert.deepEqual(heads[0]!.body, { kind: 'close' });
  assert.equal(heads[0]!.closes, true);
});

test('ResponseReader passes informational heads on, in front of the final one', () => {
  const { events, heads } = readText(
    'GET',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\nLink: b\r\n\r\n' +
      'HTTP/1.1 204 No Content\r\n\r\n',
  );
  assert.deepEqual(events, ['informational 100', 'informational 103', 'head 204', 'end']);
  assert.deepEqual(heads[1]!.fields, ['Link', 'a', 'Link', 'b']);
});

test('ResponseReader knows the responses that have no body', () => {
  const head = readText('HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
  assert.deepEqual(head.events, ['head 200', 'end']);
  assert.deepEqual(head.heads[0]!.fields, ['Content-Length', '5']);
  const chunkedHead = readText('HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  assert.deepEqual(chunkedHead.events, ['head 200', 'end']);
  const unchanged = readText('GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n');
  assert.deepEqual(unchanged.heads[0]!.fields, ['Content-Length', '5']);
  const empty = readText('GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nX: y\r\n\r\n');
  assert.deepEqual(empty.heads[0]!.fields, ['X', 'y']);
});

test('ResponseReader removes what concerns only its connection', () => {
  const { heads } = readText(
    'GET',
    'HTTP/1.1 200 OK\r\nConnection: close, X-A\r\nx-a: 1\r\nTE: a\r\nUpgrade: h2c\r\n' +
      'Proxy-Connection: b\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n',
  );
  const fields = ['Set-Cookie', 'a=b', 'Set-Cookie', 'c=d', 'Content-Length', '0'];
  assert.deepEqual(heads[0]!.fields, fields);
  assert.equal(heads[0]!.closes, true);
});

test('ResponseReader knows whether the sender closes its connection', () => {
  const table: [string, boolean][] = [
    ['HTTP/1.1 204 x\r\n', false],
    ['HTTP/1.1 204 x\r\nConnection: close\r\n', true],
    ['HTTP/1.1 204 x\r\nConnection: Close\r\n', true],
    ['HTTP/1.1 204 x\r\nConnection: keep-alive\r\n', false],
    ['HTTP/1.0 204 x\r\n', true],
    ['HTTP/1.0 204 x\r\nConnection: keep-alive\r\n', false],
    ['HTTP/1.0 204 x\r\nConnection: foo, keep-alive\r\n', false],
  ];
  for (const [head, closes] of table) {
    assert.equal(readText('GET', `${head}\r\n`).heads[0]!.closes, closes, head);
  }
});

test('ResponseReader drops Content-Length where chunks hold', () => {
  const text =
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n';
  const { heads, body } = readText('GET', text);
  assert.deepEqual(heads[0]!.fields, []);
  assert.equal(body, 'a');
});

test('ResponseReader hands over after 101 and after 2xx to CONNECT', () => {
  const sink = new RecordingSink();
  const reader = new ResponseReader(sink);
  reader.start('GET');
  const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  assert.equal(reader.push(Buffer.from(`${head}ab`)), 'upgraded');
  assert.equal(reader.push(Buffer.from('c')), 'upgraded');
  assert.equal(reader.rest().toString(), 'abc');
  assert.equal(reader.rest().length, 0);
  assert.equal(reader.finish(), 'ended');
  assert.deepEqual(sink.events, ['head 101']);
  assert.deepEqual(sink.heads[0]!.fields, ['Connection', 'Upgrade', 'Upgrade', 'websocket']);
  assert.equal(sink.heads[0]!.upgraded, true);

  const tunnel = readText('CONNECT', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcdef');
  assert.equal(tunnel.result, 'upgraded');
  assert.deepEqual(tunnel.heads[0]!.fields, []);
  assert.equal(readText('CONNECT', 'HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\na').result, 'ended');
});

test('ResponseReader keeps the protocols that a 426 demands', () => {
  const { heads } = readText(
    'GET',
    'HTTP/1.1 426 Upgrade Required\r\nUpgrade: a\r\nConnection: close, Upgrade\r\n' +
      'Content-Length: 0\r\n\r\n',
  );
  assert.deepEqual(heads[0]!.fields, ['Upgrade', 'a', 'Connection', 'Upgrade', 'Content-Length', '0']);
  assert.equal(heads[0]!.closes, true);
});

test('ResponseReader delivers a response and then refuses the bytes behind it', () => {
  const chunked = 'Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nb';
  for (const body of ['Content-Length: 1\r\n\r\nab', chunked]) {
    const { events, result, finish } = readText('GET', `HTTP/1.1 200 OK\r\n${body}`);
    assert.deepEqual(events, ['head 200', 'data', 'end']);
    assert.equal(result, 'bad: more bytes than the response has');
    assert.equal(finish, 'truncated');
  }
});

test('ResponseReader notices a response that breaks off', () => {
  const whole = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n';
  for (let length = 0; length < whole.length; length++) {
    const { result, finish } = read('GET', [Buffer.from(whole.slice(0, length))]);
    assert.deepEqual({ result, finish }, { result: 'more', finish: 'truncated' }, `${length} bytes`);
  }
  const short = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na');
  assert.equal(read('GET', [short]).finish, 'truncated');
});

test('ResponseReader refuses what is no response, as soon as that is clear', () => {
  const table: [string, RegExp][] = [
    ['hello', /does not begin with/],
    ['HTTP/2', /does not begin with/],
    ['\r\nHTTP/1.1 200 OK\r\n\r\n', /does not begin with/],
    ['HTTP/1.2 200 OK\r\n\r\n', /status line/],
    ['HTTP/1.1  200 OK\r\n\r\n', /status line/],
    ['HTTP/1.1 20 OK\r\n\r\n', /status line/],
    ['HTTP/1.1 2000 OK\r\n\r\n', /status line/],
    ['HTTP/1.1 099 OK\r\n\r\n', /status line/],
    ['HTTP/1.1 200 O\0K\r\n\r\n', /status line/],
    ['HTTP/1.1 200 OK\n\r\n', /status line/],
    ['HTTP/1.1 200 OK\r\nX : y\r\n\r\n', /white space/],
    ['HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n', /white space/],
    ['HTTP/1.1 200 OK\r\nX: y\n\r\n', /LF without/],
    ['HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n', /control character/],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n', /Content-Length/],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n', /Content-Length/],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n', /Transfer-Encoding/],
    ['HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', /HTTP\/1.0/],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx', /chunk size/],
  ];
  for (const [text, pattern] of table) assert.match(readText('GET', text).result, pattern, text);
});

test('ResponseReader takes a status line without a reason', () => {
  assert.equal(readText('GET', 'HTTP/1.1 204 \r\n\r\n').heads[0]!.reason, '');
  assert.equal(readText('GET', 'HTTP/1.1 204\r\n\r\n').heads[0]!.reason, '');
});

test('ResponseReader bounds heads and their number', () => {
  const head = Buffer.from(`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(RESPONSE_HEAD_BYTES_MAX)}`);
  assert.match(read('GET', [head]).result, /head of more than/);
  assert.match(read('GET', [head.subarray(0, 70), head.subarray(70)]).result, /head of more than/);
  const line = Buffer.from(`HTTP/1.1 200 ${'x'.repeat(RESPONSE_HEAD_BYTES_MAX)}`);
  assert.match(read('GET', [line]).result, /head of more than/);
  const hints = Buffer.from('HTTP/1.1 103 x\r\n\r\n'.repeat(INFORMATIONAL_HEADS_MAX + 1));
  assert.match(read('GET', [hints]).result, /informational/);
});

test('ResponseReader reads one response after the other, each after its start', () => {
  const sink = new RecordingSink();
  const early = new ResponseReader(sink);
  const excess = textOf(early.push(Buffer.from('HTTP/1.1 200 OK\r\n')));
  assert.equal(excess, 'bad: more bytes than the response has');
  assert.throws(() => early.start('GET'), AssertionFailure);
  const next = new ResponseReader(sink);
  for (const status of [200, 404]) {
    next.start('GET');
    assert.throws(() => next.start('GET'), AssertionFailure);
    assert.equal(next.push(Buffer.from(`HTTP/1.1 ${status} x\r\nContent-Length: 1\r\n\r\na`)), 'ended');
  }
  assert.deepEqual(sink.heads.map((head) => head.status), [200, 404]);
});

test('ResponseReader reads a head that it knows as it read it the first time', () => {
  const head = 'HTTP/1.1 200 OK\r\nX-Known: here\r\nConnection: close\r\nContent-Length: 2\r\n\r\n';
  const first = readText('GET', `${head}ab`);
  for (let time = 0; time < 3; time++) assert.deepEqual(readText('GET', `${head}ab`), first);
  assert.equal(readText('GET', `${head}a`).finish, 'truncated');
  assert.match(readText('GET', `${head}abc`).result, /more bytes/);
  assert.equal(readText('POST', `${head}xy`).body, 'xy');
  // The same bytes mean something else here.
  for (let time = 0; time < 2; time++) {
    assert.match(readText('HEAD', `${head}ab`).result, /more bytes/);
    assert.equal(readText('HEAD', head).result, 'ended');
    assert.equal(readText('CONNECT', `${head}ab`).result, 'upgraded');
    assert.deepEqual(readText('GET', `${head}ab`), first);
  }
});

test('ResponseReader reads the part of a chunk that it is told to', () => {
  const bytes = Buffer.from('xxHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabyy');
  const sink = new RecordingSink();
  const reader = new ResponseReader(sink);
  for (const cut of [2, 10, bytes.length - 3]) {
    reader.start('GET');
    reader.push(bytes, 2, cut);
    assert.equal(reader.push(bytes, cut, bytes.length - 2), 'ended', `cut at ${cut}`);
  }
  assert.equal(sink.body, 'ababab');
});
