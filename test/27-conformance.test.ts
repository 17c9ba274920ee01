// HTTP/1.1 at the wire of a real host, request for request (conformance-rows): what is cut anywhere is waited for,
// what could be read in two ways is refused before anybody hears of it, and what is passed on arrives in one way of
// writing, both at a program and at a backend on a bare socket, whose bytes are looked at.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { CUT, FIRST_ONLY, PASSED, REFUSED_BODIES, REFUSED_HEADS } from './conformance-rows.ts';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get } from './http-client.ts';

/** Answers each whole request with the way it came; tells at `/app/seen` all that came. */
const APP = `const seen = [];
require('node:http').createServer((request, response) => {
  if (request.url === '/app/seen') return response.end(JSON.stringify(seen.splice(0)));
  const { method, url, rawHeaders, httpVersion } = request;
  const entry = { method, url, fields: rawHeaders, body: '', trailers: null };
  seen.push(entry);
  request.setEncoding('latin1').on('data', (text) => (entry.body += text));
  request.on('error', () => {}).on('end', () => {
    entry.trailers = request.rawTrailers;
    response.end('whole:' + entry.body);
  });
}).listen(0);`;

interface Message {
  method: string;
  url: string;
  fields: string[];
  body: string;
  /** null where the message has no end. */
  trailers: string[] | null;
}

function readFields(lines: readonly string[]): string[] {
  return lines.flatMap((text) => {
    const parts = /^([!#$%&'*+.^_`|~\w-]+): ((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)$/.exec(text);
    assert.ok(parts !== null, `a field in the one way of writing: ${JSON.stringify(text)}`);
    return [parts[1]!, parts[2]!];
  });
}

/** Reads one message in the one way in which it may be written; fails at any other way, and at bytes behind its end. */
function readMessage(text: string): Message {
  const [head, ...rest] = text.split('\r\n\r\n');
  const [line, ...lines] = head!.split('\r\n');
  const [, method, url] = /^([A-Z]+) (\/[!-~]*) HTTP\/1\.1$/.exec(line!) ?? assert.fail(`no request line: ${line}`);
  const fields = readFields(lines);
  const message: Message = { method: method!, url: url!, fields, body: '', trailers: null };
  let left = rest.join('\r\n\r\n');
  if (!text.includes('\r\n\r\n')) return message;
  const length = fields.findIndex((name) => /^content-length$/i.test(name));
  if (!fields.some((name) => /^transfer-encoding$/i.test(name))) {
    message.body = left;
    const bytes = length < 0 ? 0 : Number(fields[length + 1]);
    assert.ok(left.length <= bytes, 'nothing behind the message');
    return left.length === bytes ? { ...message, trailers: [] } : message;
  }
  assert.equal(length, -1, 'one length');
  for (;;) {
    const size = /^([0-9a-f]+)\r\n/i.exec(left);
    if (size === null) return message;
    left = left.slice(size[0].length);
    const bytes = Number.parseInt(size[1]!, 16);
    if (bytes === 0) break;
    if (left.length < bytes + 2) return message;
    assert.equal(left.slice(bytes, bytes + 2), '\r\n', 'a chunk as long as its size');
    message.body += left.slice(0, bytes);
    left = left.slice(bytes + 2);
  }
  if (!`\r\n${left}`.endsWith('\r\n\r\n')) return message;
  return { ...message, trailers: readFields(left.split('\r\n').slice(0, -2)) };
}

interface Place {
  name: 'app' | 'raw';
  /** What arrived since the last time, as messages. */
  seen(): Promise<Message[]>;
}

/** A backend on a bare socket: one message a connection, answered when it is whole. */
async function rawBackend(t: TestContext): Promise<{ port: number; place: Place }> {
  const received: { text: string }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const entry = { text: '' };
    received.push(entry);
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    socket.on('data', (bytes: Buffer) => {
      entry.text += bytes.toString('latin1');
      if (!entry.text.includes('\r\n\r\n')) return;
      const { body, trailers } = readMessage(entry.text);
      if (trailers === null && entry.text.endsWith('\r\n\r\n') && /^Expect: /m.test(entry.text)) {
        socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      }
      if (trailers === null) return;
      const answer = `whole:${body}`;
      socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`, 'latin1');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const seen = (): Promise<Message[]> => {
    const messages = received.splice(0).map(({ text }) => readMessage(text));
    for (const { fields } of messages) {
      const via = fields.splice(fields.indexOf('Via'), 2);
      assert.deepEqual(via, ['Via', '1.1 slipstream']);
    }
    return Promise.resolve(messages);
  };
  return { port: (server.address() as AddressInfo).port, place: { name: 'raw', seen } };
}

async function start(t: TestContext): Promise<{ host: RunningHost; places: Place[] }> {
  const raw = await rawBackend(t);
  const host = await startHost({
    files: { 'app/server.js': APP, 'slipstream.yml': `backends:\n  /raw/: http://127.0.0.1:${raw.port}\n` },
  });
  t.after(() => host.stop());
  const seen = async (): Promise<Message[]> => JSON.parse((await get(`${host.url}app/seen`)).text) as Message[];
  await seen();
  return { host, places: [{ name: 'app', seen }, raw.place] };
}

interface Talk {
  socket: Socket;
  text(): string;
  /** All that came, once the connection has ended. */
  ended: Promise<string>;
}

function talk(t: TestContext, host: RunningHost, words: string): Talk {
  const socket = connect({ port: host.port, host: '127.0.0.1', noDelay: true });
  t.after(() => socket.destroy());
  let text = '';
  socket.on('error', () => {}).on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  socket.write(words, 'latin1');
  return { socket, text: () => text, ended: new Promise((resolve) => socket.on('close', () => resolve(text))) };
}

/** The statuses of the answers in a text; those with a body of ours have no other text like this in them. */
function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

const LAST = 'GET /its/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

function at(place: Place, text: string): string {
  return text.replaceAll('/its/', `/${place.name}/`);
}

test('a request that is cut anywhere is waited for in silence, then served', async (t) => {
  const { host, places } = await start(t);
  for (const place of places) {
    for (const request of CUT) {
      const whole = at(place, request);
      const talks = Array.from(whole.slice(1), (_, index) => talk(t, host, whole.slice(0, index + 1)));
      await Promise.all(talks.map(({ socket }) => once(socket, 'ready')));
      // What was sent before these requests has been read when they are answered.
      for (let round = 0; round < 3; round += 1) await get(`${host.url}${place.name}/round`);
      assert.deepEqual([...new Set(talks.map(({ text }) => text()))], [''], request);
      const behind = at(place, LAST);
      for (const [index, { socket }] of talks.entries()) socket.write(whole.slice(index + 1) + behind, 'latin1');
      for (const { ended } of talks) assert.deepEqual(statuses(await ended), [200, 200], request);
    }
    const seen = (await place.seen()).filter(({ url }) => !/round$|last$/.test(url));
    assert.equal(seen.length, CUT.reduce((sum, request) => sum + at(place, request).length - 1, 0));
    assert.deepEqual(new Set(seen.map(({ body }) => body)), new Set(['', 'hello']));
    assert.ok(seen.every(({ trailers }) => trailers !== null));
  }
});

test('a head that could be read in two ways is refused, and nobody sees a byte of it or of what follows', async (t) => {
  const { host, places } = await start(t);
  for (const place of places) {
    const talks = REFUSED_HEADS.map(([, said]) => talk(t, host, at(place, said + LAST)));
    for (const [index, [what, , status]] of REFUSED_HEADS.entries()) {
      const text = await talks[index]!.ended;
      assert.deepEqual(statuses(text), [status], `${what}: ${text.slice(0, 200)}`);
      assert.match(text, /\r\nConnection: close\r\n/, what);
    }
  }
  for (const place of places) assert.deepEqual(await place.seen(), []);
});

test('a body that could be read in two ways has no end for anybody, and nothing behind it is a request', async (t) => {
  const { host, places } = await start(t);
  for (const place of places) {
    const talks = REFUSED_BODIES.map(([, said]) => talk(t, host, at(place, said + LAST)));
    for (const [index, [what, , status]] of REFUSED_BODIES.entries()) {
      const text = await talks[index]!.ended;
      assert.deepEqual(statuses(text), [status], `${what}: ${text.slice(0, 200)}`);
    }
    for (const { url, trailers } of await place.seen()) {
      assert.equal(url, `/${place.name}/`);
      assert.equal(trailers, null, 'no end');
    }
  }
});

test('what is passed on arrives as one message for one request, in one way of writing', async (t) => {
  const { host, places } = await start(t);
  for (const place of places) {
    for (const [what, said, ...arrives] of PASSED) {
      const text = await talk(t, host, at(place, said + LAST)).ended;
      const wanted = [...arrives, LAST.replace('Connection: close\r\n', '')].map((one) => readMessage(at(place, one)));
      assert.deepEqual(statuses(text), wanted.map(() => 200), `${what}: ${text}`);
      assert.deepEqual(await place.seen(), wanted, `${what}, ${place.name}`);
    }
  }
});

test('bytes behind a request are no part of it, and are refused where they are no request', async (t) => {
  const { host, places } = await start(t);
  for (const place of places) {
    for (const [what, said, arrives, second] of FIRST_ONLY) {
      const text = await talk(t, host, at(place, said)).ended;
      assert.deepEqual(statuses(text), second === undefined ? [200] : [200, second], `${what}: ${text}`);
      assert.deepEqual(await place.seen(), [readMessage(at(place, arrives))], `${what}, ${place.name}`);
    }
  }
});

test('a client that waits for leave to send its body gets it, then its answer', async (t) => {
  const { host, places } = await start(t);
  const fields = 'Host: a\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 5\r\n';
  const head = `POST /its/ HTTP/1.1\r\n${fields}\r\n`;
  for (const place of places) {
    const { socket, ended } = talk(t, host, at(place, head));
    const [leave] = (await once(socket, 'data')) as [Buffer];
    assert.equal(leave.toString(), 'HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('hello');
    const text = await ended;
    assert.deepEqual(statuses(text), [100, 200]);
    assert.match(text, /whole:hello$/);
    // No body to wait for: the answer, maybe behind leave that nobody needs.
    const bare = talk(t, host, at(place, head.replace('Content-Length: 5\r\n', '')));
    assert.match(await bare.ended, /HTTP\/1\.1 200 .*whole:$/s);
    assert.deepEqual((await place.seen()).map(({ body, trailers }) => [body, trailers]), [['hello', []], ['', []]]);
  }
});

test('a program sees an absolute target as it came, a backend its path; both the host that it names', async (t) => {
  const { host, places } = await start(t);
  for (const place of places) {
    const text = await talk(t, host, at(place, `GET http://A:80/its/x?y HTTP/1.1\r\nHost: A:80\r\n\r\n${LAST}`)).ended;
    assert.deepEqual(statuses(text), [200, 200]);
    const url = place.name === 'app' ? 'http://A:80/app/x?y' : '/raw/x?y';
    assert.deepEqual((await place.seen())[0], { method: 'GET', url, fields: ['Host', 'A:80'], body: '', trailers: [] });
  }
});
