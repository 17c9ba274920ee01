import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { HostError } from '../base/host-error.ts';
import { bindOrigin, parseListenOrigin } from './listen-origin.ts';

test('localhost means both loopback families', () => {
  assert.deepEqual(parseListenOrigin('http://localhost:8080').addresses, ['127.0.0.1', '::1']);
});

test('an address, a wildcard and a missing port are understood', () => {
  assert.deepEqual(parseListenOrigin('http://127.0.0.1:1/').addresses, ['127.0.0.1']);
  assert.deepEqual(parseListenOrigin('http://[::1]:1').addresses, ['::1']);
  assert.deepEqual(parseListenOrigin('http://*:1').addresses, ['::']);
  assert.equal(parseListenOrigin('http://127.0.0.1').port, 80);
});

test('what is no origin is refused with the reason', () => {
  const wrong = ['8080', 'http://', 'ftp://x:1', 'http://a b:1', 'http://name:1', 'http://127.0.0.1:1/x'];
  for (const text of [...wrong, 'http://127.0.0.1:70000', 'ftp://127.0.0.1:1']) {
    assert.throws(
      () => parseListenOrigin(text),
      (error) => error instanceof HostError && error.code === 'OPTION_INVALID' && error.message.includes(text),
      text,
    );
  }
});

test('bindOrigin takes the same free port on every address', () => {
  const bound = bindOrigin(parseListenOrigin('http://localhost:0'));
  assert.ok(bound.length >= 1 && bound[0]!.port > 0);
  for (const { handle, port } of bound) {
    assert.equal(port, bound[0]!.port);
    handle.close();
  }
});

test('a bound handle lets a server listen and connections in', async () => {
  const [bound] = bindOrigin(parseListenOrigin('http://127.0.0.1:0'));
  const server = createServer((socket) => socket.end());
  server.listen(bound!.handle);
  await once(server, 'listening');
  assert.equal((server.address() as { port: number }).port, bound!.port);
  server.close();
});

test('a taken port is named and leaves nothing bound', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  assert.throws(
    () => bindOrigin(parseListenOrigin(`http://localhost:${port}`)),
    (error) => error instanceof HostError && error.code === 'LISTEN_FAILED' && /taken/.test(error.message),
  );
  server.close();
});
